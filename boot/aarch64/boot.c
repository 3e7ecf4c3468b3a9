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
#include <libfdt.h>

extern const char __image_start[], __image_end[];

static struct machine machine;
static struct boot_info info;
static struct host_buses buses;

NORETURN void aarch64_boot(uint64_t tree, const struct machine *from_efi);

/* NULL: no tree that may be walked. One whose header lies about its size alone is set right. */
static const void *judge_tree(void *tree)
{
    uint32_t extent = fdt_extent(tree), said = extent ? fdt_totalsize(tree) : 0;
    if (!extent) return NULL;
    if (said < extent || said > FDT_MOST_BYTES) {
        machine_note(&machine, "a total size that cannot be", (uint64_t)tree, said);
        fdt_set_totalsize(tree, extent);
    }
    return fdt_is_tree(tree) ? tree : NULL;
}

/* x0, or (QEMU's -kernel with an ELF file) the start of the RAM that we were linked into. */
static const void *find_tree(uint64_t x0)
{
    const void *given = judge_tree((void *)x0);
    return given ? given : judge_tree((void *)align_down((uint64_t)__image_start, GIB(1)));
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
    if (p->gich) aarch64_map(p->gich, HV_PAGE_BYTES, AARCH64_DEVICE);
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
    machine_settle(&machine);
    return true;
}

/* One that cannot be drawn on is none. */
static void check_screen(struct framebuffer *f)
{
    if (strstr(machine.cmdline, "screen=off") || !framebuffer_is_usable(f)) f->base = NULL;
}

/* The log has no lock that works before the caches are on: hence now. */
static void log_notes(void)
{
    for (unsigned i = 0; i < machine.note_count; i++) {
        const struct machine_note *n = &machine.note[i];
        log_error("the loader tells of %s: 0x%lx, 0x%lx; ignored", n->what, (unsigned long)n->at, (unsigned long)n->size_bytes);
    }
    if (machine.note_count == MACHINE_MAX_NOTES) log_error("the loader tells of more like that");
}

static uint32_t timer_interrupts;

static void count_timer(unsigned cpu, enum arch_irq what, uint32_t number)
{
    (void)cpu, (void)number;
    if (what == ARCH_IRQ_TIMER) __atomic_fetch_add(&timer_interrupts, 1, __ATOMIC_RELAXED);
}

/* Without it a core that once sleeps never wakes, and nobody would say why. */
static void check_timer(void)
{
    const uint64_t soon_ns = 100000, patience_ns = 2000000000;
    uint64_t now = arch_time_ns();
    arch_irq_handler(count_timer);
    arch_timer_set(now + soon_ns);
    while (!__atomic_load_n(&timer_interrupts, __ATOMIC_RELAXED) && arch_time_ns() - now < patience_ns) arch_cpu_relax();
    arch_timer_set(UINT64_MAX);
    arch_irq_handler(NULL);
    if (!timer_interrupts) panic("no interrupt of the timer arrives: it or the %s is not where the loader says", aarch64_irq_name());
}

void aarch64_boot(uint64_t x0, const struct machine *from_efi)
{
    const struct boot_range image = { (uint64_t)__image_start, (uint64_t)__image_end - (uint64_t)__image_start };
    if (from_efi) machine = *from_efi;
    else if (!find_machine(x0)) board_last_words("Hospes: the loader gives no device tree that can be read, and this is no board that needs none: halted\n");
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
    if (machine.tree) aarch64_map((uint64_t)machine.tree, fdt_totalsize(machine.tree), AARCH64_RAM);      /* wherever it lies */
    aarch64_paging_on();
    log_notes();
    if (machine.screen.base) board_console_screen(&machine.screen);
    aarch64_init(&machine.platform);
    check_timer();

    struct boot_range taken[BOOT_MAX_RANGES + 1];
    for (unsigned k = 0; k < machine.reserved_count; k++) taken[k] = machine.reserved[k];
    taken[machine.reserved_count] = image;
    for (unsigned i = 0; i < machine.ram_count; i++) {
        uint64_t base = align_up(machine.ram[i].base, HV_PAGE_BYTES);
        subtract(base, align_down(machine.ram[i].base + machine.ram[i].size_bytes, HV_PAGE_BYTES), taken, machine.reserved_count + 1, give_ram);
    }

    if (!page_available()) panic("the loader tells of no memory that we could use");
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
