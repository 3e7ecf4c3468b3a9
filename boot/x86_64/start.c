// SPDX-License-Identifier: Apache-2.0
/* From the first C instruction on x86-64 to hospes_main: what the loader and firmware say, our own page tables, console,
 * interrupts, timer, and the free RAM to the page allocator. Boot core only. Words on the command line: `uart=0x2f8` (a
 * console port, 0: none), `screen=off`, `debug-exit` (power off by QEMU's isa-debug-exit at port 0xf4). */
#include "boot/boot_info.h"
#include "boot/x86_64/console.h"
#include "boot/x86_64/found.h"
#include "boot/x86_64/memory.h"
#include "hv/arch/x86_64/exception.h"
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/log.h"
#include "hv/core/page.h"
#include "hv/core/panic.h"

#define LOW_END        MIB(1)                            /* below: firmware's, and one page for the trampoline */
#define MAX_TAKEN      (FOUND_MAX_RANGES + BOOT_MAX_MODULES + BOOT_MAX_RANGES + 8)
#define EARLY_END      GIB(4)                            /* what entry.S maps */
#define UART_PORT      0x3f8
#define UART_IRQ       4
#define DEBUG_EXIT     0xf4

NORETURN void x86_64_boot(uint32_t magic, uint32_t info);

extern const uint8_t __image_start[], __image_end[];

static struct found found;
static struct x86_64_platform platform;
static struct boot_info info;
static struct host_buses buses;
static struct memory_range taken[MAX_TAKEN];
static unsigned taken_count;

static void log_line(const char *line) { log_error("%s", line); }

/* The text after `word` where it begins a word of the command line; NULL: it is not there. */
static const char *option(const char *word)
{
    size_t n = strlen(word);
    for (const char *at = found.cmdline; (at = strstr(at, word)); at += n) {
        if (at == found.cmdline || at[-1] == ' ') return at + n;
    }
    return NULL;
}

static void take(uint64_t base, uint64_t end)
{
    if (taken_count < MAX_TAKEN) taken[taken_count++] = (struct memory_range){ base, end };
}

/* The largest free range below 4 GiB, for page tables and stacks, from its end downward; and that end at first. */
static struct memory_range early;
static uint64_t early_end;

static void prefer_early(void *ctx, uint64_t base, uint64_t end)
{
    (void)ctx;
    if (end > base && end - base > early.end - early.base) early = (struct memory_range){ base, end };
}

static void prefer_trampoline(void *ctx, uint64_t base, uint64_t end)
{
    (void)base;
    *(uint64_t *)ctx = end - HV_PAGE_BYTES;               /* ranges come in rising order: the last one wins */
}

static void for_free_ram(uint64_t from, uint64_t to, void (*use)(void *ctx, uint64_t base, uint64_t end), void *ctx)
{
    for (unsigned i = 0; i < found.range_count; i++) {
        const struct found_range *r = &found.range[i];
        uint64_t base = r->base > from ? r->base : from, end = r->end < to ? r->end : to;
        if (r->is_ram && base < end) memory_subtract(base, end, taken, taken_count, use, ctx);
    }
}

static void *early_pages(uint64_t count)
{
    if (early.end - early.base < count * HV_PAGE_BYTES) return NULL;
    early.end -= count * HV_PAGE_BYTES;
    return (void *)early.end;
}
static void *early_page(void)  { return early_pages(1); }
static void *late_page(void)   { return page_alloc(1, 1); }

static void map_ram(void *ctx, uint64_t base, uint64_t end)
{
    (void)ctx;
    x86_64_map(base, end - base, X86_64_RAM);
}

static void give_ram(void *ctx, uint64_t base, uint64_t end)
{
    (void)ctx;
    if (info.free_count == BOOT_MAX_RANGES) return;
    take(base, end);                                      /* the loader may list RAM twice */
    info.free[info.free_count++] = (struct boot_range){ base, end - base };
    page_add_range((host_addr){ base }, end - base);
}

static void read_platform(struct acpi_extra *extra)
{
    for (unsigned i = 0; i < ARRAY_COUNT(platform.isa_irq); i++) platform.isa_irq[i].gsi = i;
    info.rsdp = found.rsdp;
    bool has_cores = acpi_read(&info.rsdp, &platform, extra) || mptable_read(&platform);
    if (!has_cores) log_line("neither ACPI nor an MP table: one core");
    buses_find(found.cmdline, &platform, &buses);
    info.buses = &buses;
    if (option("debug-exit")) platform.debug_exit_port = DEBUG_EXIT;
}

/* The first address after the screen; 0: there is none. */
static uint64_t screen_end(void)
{
    const struct framebuffer *f = &found.framebuffer;
    return f->base ? (uint64_t)f->base + (uint64_t)f->pitch_bytes * f->height : 0;
}

/* One that cannot be drawn on, or would lie on us, is none. */
static void check_screen(void)
{
    const char *text = option("screen=");
    uint64_t base = (uint64_t)found.framebuffer.base, end = screen_end();
    bool is_refused = (text && !strncmp(text, "off", 3)) || !framebuffer_is_usable(&found.framebuffer);
    if (is_refused || end <= base || (base < (uint64_t)__image_end && end > (uint64_t)__image_start)) found.framebuffer.base = NULL;
}

/* Everything that must not be given away, but not what the modules and the early range cover: those are RAM of ours. */
static void take_reserved(void)
{
    take(0, HV_PAGE_BYTES);
    take((uint64_t)__image_start, (uint64_t)__image_end);
    take((uint64_t)found.framebuffer.base, screen_end());
    for (unsigned i = 0; i < found.range_count; i++) {
        if (!found.range[i].is_ram) take(found.range[i].base, found.range[i].end);
    }
}

static void take_modules(void)
{
    for (unsigned i = 0; i < found.module_count; i++) {
        uint64_t base = (uint64_t)found.module[i].base;
        take(base, base + found.module[i].size_bytes);
    }
}

/* Order matters: tables are drawn from `early` while RAM is mapped around the stacks' guards. */
static void own_tables(void)
{
    unsigned reserved_count = taken_count;
    take_modules();
    for_free_ram(LOW_END, EARLY_END, prefer_early, NULL);
    uint64_t trampoline = 0;
    for_free_ram(HV_PAGE_BYTES, LOW_END, prefer_trampoline, &trampoline);
    early_end = early.end;
    x86_64_table_source(early_page);
    uint64_t slots = platform.cpu_count > 1 ? platform.cpu_count - 1 : 0;
    platform.stacks = slots ? (uint64_t)early_pages(slots * (X86_64_SLOT_BYTES / HV_PAGE_BYTES)) : 0;
    if (slots && !platform.stacks) platform.cpu_count = 1;

    taken_count = reserved_count;
    uint64_t stacks_end = platform.stacks ? platform.stacks + slots * X86_64_SLOT_BYTES : 0;
    take(platform.stacks, stacks_end);
    x86_64_map_image();
    if (platform.stacks) x86_64_map_stacks(platform.stacks, (unsigned)slots);
    if (screen_end()) x86_64_map((uint64_t)found.framebuffer.base, screen_end() - (uint64_t)found.framebuffer.base, X86_64_SCREEN);
    for_free_ram(LOW_END, UINT64_MAX, map_ram, NULL);
    if (trampoline) {
        x86_64_place_trampoline(trampoline);
        x86_64_map(trampoline, HV_PAGE_BYTES, X86_64_CODE);
        platform.trampoline = trampoline;
    }
    x86_64_paging_on();
}

/* A module above what the loader called RAM, or in a hole, would fault: then it is not ours to read. */
static void map_modules(void)
{
    for (unsigned i = 0; i < found.module_count; i++) {
        info.modules[i] = found.module[i];
        x86_64_map((uint64_t)found.module[i].base, found.module[i].size_bytes, X86_64_RAM);
    }
    info.module_count = found.module_count;
}

NORETURN void x86_64_boot(uint32_t magic, uint32_t from_loader)
{
    uint64_t value;
    x86_64_exception_handler(panic_exception, pc_console_raw);
    panic_set_output(pc_console_raw);
    x86_64_early();
    pc_console_serial(UART_PORT);
    x86_64_report_to(log_line);
    if (!pvh_read(from_loader, &found) && !multiboot2_read(magic, from_loader, &found)) {
        panic("started neither by PVH nor by Multiboot2: eax 0x%x, ebx 0x%x", magic, from_loader);
    }
    check_screen();
    if (screen_end() && screen_end() <= EARLY_END) pc_console_screen(&found.framebuffer);
    struct acpi_extra extra = { .uart_port = UART_PORT, .uart_irq = UART_IRQ, .buses = &buses };
    const char *text = option("uart=");
    read_platform(&extra);
    if (text && (*text >= '0' && *text <= '9')) {
        value = strtoul(text, NULL, 0);
        extra.uart_irq = value == 0x2f8 || value == 0x2e8 ? 3 : 4;
        extra.uart_port = (uint16_t)value;
    }
    if (extra.uart_port != UART_PORT) pc_console_serial(extra.uart_port);
    take_reserved();
    own_tables();
    if (screen_end() > EARLY_END) pc_console_screen(&found.framebuffer);
    map_modules();
    x86_64_init(&platform);
    take_modules();
    take(early.end, early_end);
    for_free_ram(LOW_END, UINT64_MAX, give_ram, NULL);
    x86_64_table_source(late_page);

    info.loader = found.loader;
    info.cmdline = found.cmdline;
    info.console = pc_console_start(extra.uart_irq, !platform.has_no_keyboard);
    hospes_main(&info);
}
