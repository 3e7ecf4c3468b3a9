// SPDX-License-Identifier: Apache-2.0
/* From the first C instruction on AArch64 to hospes_main: find the board, map memory, turn on the MMU, console, interrupts
 * and timer, give the free RAM to the page allocator. Boot core only. */
#include "boot/aarch64/atags.h"
#include "boot/aarch64/console.h"
#include "boot/aarch64/fdt_boot.h"
#include "boot/aarch64/fdt_buses.h"
#include "boot/board.h"
#include "hv/arch/aarch64/aarch64.h"
#include "hv/arch/aarch64/exception.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/entropy.h"
#include "hv/core/log.h"
#include "hv/core/page.h"
#include "hv/core/panic.h"

extern const char __image_start[], __image_end[];

static struct machine machine;
static struct boot_info info;
static struct host_buses buses;

NORETURN void aarch64_boot(uint64_t tree, const struct machine *from_efi);

/* x0, or (QEMU's -kernel with an ELF file) the start of the RAM that we were linked into. */
static const void *find_tree(uint64_t x0)
{
    const void *start_of_ram = (const void *)align_down((uint64_t)__image_start, GIB(1));
    const void *given = (const void *)x0;
    if (x0 && x0 % 8 == 0 && fdt_is_tree(given)) return given;
    return fdt_is_tree(start_of_ram) ? start_of_ram : NULL;
}

/* What is left of [base, end) without the ranges of `holes` goes to `use`. */
static void subtract(uint64_t base, uint64_t end, const struct boot_range *holes, unsigned count, void (*use)(uint64_t base, uint64_t end))
{
    while (base < end) {
        uint64_t next = end, resume = end;
        for (unsigned i = 0; i < count; i++) {
            uint64_t from = align_down(holes[i].base, HV_PAGE_BYTES), to = align_up(holes[i].base + holes[i].size_bytes, HV_PAGE_BYTES);
            if (to <= base || from >= end || from >= next) continue;
            next = from > base ? from : base;
            resume = to;
        }
        if (next > base) use(base, next);
        base = resume;
    }
}

static void map_ram(uint64_t base, uint64_t end) { aarch64_map(base, end - base, AARCH64_RAM); }

static void give_ram(uint64_t base, uint64_t end)
{
    if (info.free_count == BOOT_MAX_RANGES) return;
    info.free[info.free_count++] = (struct boot_range){ base, end - base };
    page_add_range((host_addr){ base }, end - base);
}

static void log_line(const char *line) { log_error("%s", line); }

static void map_devices(const struct aarch64_platform *p)
{
    if (p->gicd) aarch64_map(p->gicd, p->gicd_size, AARCH64_DEVICE);
    if (p->gicc) aarch64_map(p->gicc, p->gicc_size, AARCH64_DEVICE);
    for (unsigned i = 0; i < p->gicr_count; i++) aarch64_map(p->gicr[i].base, p->gicr[i].size_bytes, AARCH64_DEVICE);
    const uint64_t pages[] = { p->rtc, p->bcm2836_local, p->bcm2835_armctrl, p->bcm2835_pm, p->bcm2835_rng };
    for (size_t i = 0; i < ARRAY_COUNT(pages); i++) {
        if (pages[i]) aarch64_map(align_down(pages[i], HV_PAGE_BYTES), HV_PAGE_BYTES, AARCH64_DEVICE);
    }
    if (machine.uart.chip) aarch64_map(machine.uart.base, machine.uart.size_bytes, AARCH64_DEVICE);
}

/* The board, and what the loader says. False: no board of ours. */
static bool find_machine(uint64_t x0)
{
    const void *tree = find_tree(x0);
    const struct board *b = board_find(tree);
    if (!b) return false;
    machine.loader = x0 ? "Linux Image" : "ELF";
    machine.tree = tree;
    machine_take_board(b, tree, &machine);
    if (tree) fdt_read_loader(tree, &machine);
    else atags_read((const void *)x0, &machine);
    if (!machine.ram_count) machine_add(machine.ram, &machine.ram_count, b->ram.base, b->ram.size_bytes);
    return true;
}

/* One that cannot be drawn on is none. */
static void check_screen(struct framebuffer *f)
{
    if (strstr(machine.cmdline, "screen=off") || !framebuffer_is_usable(f)) f->base = NULL;
}

void aarch64_boot(uint64_t x0, const struct machine *from_efi)
{
    const struct boot_range image = { (uint64_t)__image_start, (uint64_t)__image_end - (uint64_t)__image_start };
    if (from_efi) machine = *from_efi;
    else if (!find_machine(x0)) arch_halt();              /* nothing to say it on */
    /* The page at 0 is nobody's: a null pointer shall fault. */
    machine_add(machine.no_map, &machine.no_map_count, 0, HV_PAGE_BYTES);
    machine_add(machine.reserved, &machine.reserved_count, 0, HV_PAGE_BYTES);
    aarch64_pens_open(&machine.platform);
    board_console_serial(&machine.uart);
    aarch64_exception_handler(panic_exception);
    aarch64_report_to(log_line);

    if (aarch64_from_el3) aarch64_gic_open(&machine.platform);
    aarch64_map_image();
    for (unsigned i = 0; i < machine.ram_count; i++) {
        struct boot_range holes[BOOT_MAX_RANGES + 1];
        for (unsigned k = 0; k < machine.no_map_count; k++) holes[k] = machine.no_map[k];
        holes[machine.no_map_count] = image;
        subtract(machine.ram[i].base, machine.ram[i].base + machine.ram[i].size_bytes, holes, machine.no_map_count + 1, map_ram);
    }
    map_devices(&machine.platform);
    check_screen(&machine.screen);
    if (machine.screen.base) aarch64_map((uint64_t)machine.screen.base, (uint64_t)machine.screen.pitch_bytes * machine.screen.height, AARCH64_SCREEN);
    aarch64_paging_on();
    if (machine.screen.base) board_console_screen(&machine.screen);
    aarch64_init(&machine.platform);

    struct boot_range taken[BOOT_MAX_RANGES + 1];
    for (unsigned k = 0; k < machine.reserved_count; k++) taken[k] = machine.reserved[k];
    taken[machine.reserved_count] = image;
    for (unsigned i = 0; i < machine.ram_count; i++) {
        uint64_t base = align_up(machine.ram[i].base, HV_PAGE_BYTES);
        subtract(base, align_down(machine.ram[i].base + machine.ram[i].size_bytes, HV_PAGE_BYTES), taken, machine.reserved_count + 1, give_ram);
    }

    if (machine.initrd.size_bytes) {
        info.modules[info.module_count++] = (struct boot_module){ (const void *)machine.initrd.base, machine.initrd.size_bytes, "initrd" };
    }
    if (machine.seed && machine.seed_bytes > 0) entropy_give("the loader's seed", machine.seed, (size_t)machine.seed_bytes);
    if (machine.firmware_seed_bytes) entropy_give("UEFI", machine.firmware_seed, machine.firmware_seed_bytes);
    info.loader = machine.loader;
    info.cmdline = machine.cmdline;
    info.console = board_console_start();
    info.dtb = machine.tree;
    info.rsdp = machine.rsdp;
    info.buses = machine.buses ? machine.buses : &buses;
    if (machine.tree) fdt_read_buses(machine.tree, info.buses);
    hospes_main(&info);
}
