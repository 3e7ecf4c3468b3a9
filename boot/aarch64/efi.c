// SPDX-License-Identifier: Apache-2.0
/* Hospes as an application of UEFI: asks firmware for all that boot.c needs while it can still be asked, says on its console
 * what is missing, and leaves it. Runs with firmware's translation, stack and interrupts; boot core only. */
#include "boot/aarch64/acpi.h"
#include "boot/aarch64/efi.h"
#include "boot/aarch64/fdt_boot.h"
#include "hv/base/bits.h"
#include "hv/base/date.h"
#include "hv/base/string.h"

#define CMDLINE_BYTES 2048u
#define MAP_BYTES     (128u << 10)
#define SEED_BYTES    64u

static const struct efi_guid loaded_image = { 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct efi_guid random_numbers = { 0x3152bca5, 0xeade, 0x433d, { 0x86, 0x2e, 0xc0, 0x1c, 0xdc, 0x29, 0x1f, 0x44 } };
static const struct efi_guid dtb_table = { 0xb1b621d5, 0xf19c, 0x41a5, { 0x83, 0x0b, 0xd9, 0x15, 0x2c, 0x69, 0xaa, 0xe0 } };
static const struct efi_guid acpi_2_table = { 0x8868e871, 0xe4f1, 0x11d3, { 0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 } };
static const struct efi_guid acpi_1_table = { 0xeb9d2d30, 0x2d88, 0x11d3, { 0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d } };
/* Not UEFI's: a boot loader's seed for the kernel after it. */
static const struct efi_guid seed_table = { 0x1ce1e5bc, 0x7ceb, 0x42f2, { 0x81, 0xe5, 0x8a, 0xad, 0xf1, 0x80, 0xf5, 0x7b } };

struct random { void *get_info; efi_status (*get)(struct random *self, const struct efi_guid *algorithm, uint64_t size_bytes, void *to); };

static struct machine machine;
static struct host_buses buses;
static char cmdline[CMDLINE_BYTES];
static uint8_t seed[SEED_BYTES], map[MAP_BYTES] ALIGNED(8);

static void say(const struct efi_system_table *st, const char *text)
{
    efi_char line[128];
    size_t n = 0;
    for (; *text && n < ARRAY_COUNT(line) - 1; n++) line[n] = (efi_char)*text++;
    line[n] = 0;
    if (st->console_out) (void)st->console_out->output_string(st->console_out, line);
}

static const void *table_of(const struct efi_system_table *st, const struct efi_guid *guid)
{
    for (uint64_t i = 0; i < st->configuration_count; i++) {
        if (!memcmp(&st->configuration[i].guid, guid, sizeof *guid)) return st->configuration[i].table;
    }
    return NULL;
}

/* As UTF-8, less what is no character. A shell has its own name for us as the first word: it means nothing. */
static void read_options(const struct efi_loaded_image *image)
{
    size_t n = 0;
    for (uint32_t i = 0; image->options && i + 2 <= image->options_bytes && n + 4 < sizeof cmdline; i += 2) {
        unsigned c = load_le16((const uint8_t *)image->options + i);
        if (!c) break;
        if (c >= 0xd800 && c < 0xe000) continue;
        if (c < 0x80) {
            cmdline[n++] = (char)(c < ' ' ? ' ' : c);
        } else {
            if (c >= 0x800) cmdline[n++] = (char)(0xe0 | c >> 12);
            cmdline[n++] = (char)(c >= 0x800 ? 0x80 | (c >> 6 & 63) : 0xc0 | c >> 6);
            cmdline[n++] = (char)(0x80 | (c & 63));
        }
    }
    cmdline[n] = 0;
}

/* What boot.c cannot do without. NULL: all is there. */
static const char *check(const struct aarch64_platform *p, const char *no_irq, const char *no_timer)
{
    bool is_el2 = (AARCH64_READ(CurrentEL) >> 2 & 3) == 2;
    if (p->irq_kind == AARCH64_IRQ_NONE) return no_irq;
    return (is_el2 ? p->timer_hyp_intid : p->timer_virt_intid) ? NULL : no_timer;
}

/* The tree goes into memory of ours, which firmware's tables need not be. Memory is told by UEFI's map, not by the tree; cores
 * of a board that is described start by PSCI or not at all. */
static const char *read_tree(struct efi_boot_services *bs, const void *tree)
{
    uint64_t copy;
    if (!fdt_is_tree(tree)) return "the firmware's device tree is broken";
    uint32_t bytes = load_be32((const uint8_t *)tree + 4);
    if (bs->allocate_pages(0, EFI_LOADER_DATA, (bytes + EFI_PAGE_BYTES - 1) / EFI_PAGE_BYTES, &copy) != EFI_SUCCESS) return "no memory for the device tree";
    memcpy((void *)copy, tree, bytes);
    machine.tree = (const void *)copy;
    const struct board *b = board_find(machine.tree);
    if (!b) return "no board of ours";
    machine_take_board(b, machine.tree, &machine);
    memset(machine.platform.cpu_release, 0, sizeof machine.platform.cpu_release);
    fdt_read_loader(machine.tree, &machine);
    machine.ram_count = machine.reserved_count = machine.no_map_count = 0;
    machine.initrd = (struct boot_range){ 0, 0 };
    machine_add(machine.reserved, &machine.reserved_count, copy, bytes);
    return check(&machine.platform, "the device tree has no interrupt controller that we drive", "the device tree has no timer");
}

static const char *read_acpi(const void *rsdp)
{
    machine.cmdline = "";
    machine.rsdp = (uint64_t)rsdp;
    machine.buses = &buses;
    const char *why = acpi_read_chips(rsdp, AARCH64_READ(mpidr_el1), &machine, &buses);
    return why ? why : check(&machine.platform, "", "ACPI's GTDT has no timer for this exception level");
}

/* A device tree is firmware's own choice where there are both; one without a machine in it says nothing. */
static const char *read_tables(const struct efi_system_table *st)
{
    const char *why = "firmware gives neither a device tree nor ACPI tables";
    const void *tree = table_of(st, &dtb_table), *rsdp = table_of(st, &acpi_2_table);
    if (!rsdp) rsdp = table_of(st, &acpi_1_table);
    if (tree && !(why = read_tree(st->boot, tree))) return NULL;
    machine = (struct machine){ 0 };
    return rsdp ? read_acpi(rsdp) : why;
}

static void read_random(const struct efi_system_table *st)
{
    void *found;
    const uint8_t *table = table_of(st, &seed_table);     /* a word of its size, and that many bytes */
    if (st->boot->locate_protocol(&random_numbers, NULL, &found) == EFI_SUCCESS) {
        struct random *r = found;
        if (r->get(r, NULL, SEED_BYTES / 2, seed) == EFI_SUCCESS) machine.firmware_seed_bytes = SEED_BYTES / 2;
    }
    uint32_t bytes = table ? load_le32(table) : 0, room = SEED_BYTES - machine.firmware_seed_bytes;
    if (bytes > room) bytes = room;
    if (bytes) memcpy(seed + machine.firmware_seed_bytes, table + 4, bytes);
    machine.firmware_seed_bytes += bytes;
    machine.firmware_seed = seed;
}

/* 8.3.1: local time is UTC less the zone. */
static void read_clock(const struct efi_system_table *st)
{
    struct efi_time t;
    if (machine.platform.rtc || st->runtime->get_time(&t, NULL) != EFI_SUCCESS) return;
    uint64_t local_s = date_seconds(&(struct date){ t.year, t.month, t.day, t.hour, t.minute, t.second });
    int64_t zone_s = t.zone_minutes == EFI_ZONE_UNKNOWN ? 0 : t.zone_minutes * 60;
    if (local_s > 86400) machine.platform.wall_at_boot_s = (uint64_t)((int64_t)local_s + zone_s);
}

/* NULL, or what is missing. */
static const char *ask(void *image, const struct efi_system_table *st)
{
    void *found;
    if (st->boot->handle_protocol(image, &loaded_image, &found) != EFI_SUCCESS) return "firmware does not say whence it has loaded us";
    const struct efi_loaded_image *self = found;
    const char *why = read_tables(st);
    if (why) return why;
    machine.loader = "UEFI";
    read_options(self);
    if (!cmdline[0]) efi_read_words(st->boot, self, cmdline, sizeof cmdline);
    if (!cmdline[0]) memcpy(cmdline, machine.cmdline, strnlen(machine.cmdline, sizeof cmdline - 1));
    machine.cmdline = cmdline;                            /* in the image, for who reads it with caches off */
    why = efi_read_bundle(st->boot, self, machine.cmdline, &machine.initrd);
    if (why) return why;
    machine_add(machine.reserved, &machine.reserved_count, machine.initrd.base, machine.initrd.size_bytes);
    efi_read_screen(st->boot, &machine.screen);
    read_random(st);
    read_clock(st);
    if (!machine.uart.chip && !machine.screen.base) say(st, "Hospes: no UART and no screen that we drive: the rest is silence\r\n");
    return NULL;
}

/* 7.4.6: the map must be the last one, so firmware that changed it meanwhile asks for another round; nothing else may be
 * called between. */
static bool leave(void *image, struct efi_boot_services *bs)
{
    for (unsigned tries = 0; tries < 16; tries++) {
        uint64_t size = sizeof map, key, stride;
        uint32_t version;
        if (bs->get_memory_map(&size, map, &key, &stride, &version) != EFI_SUCCESS) return false;
        if (bs->exit_boot_services(image, key) != EFI_SUCCESS) continue;
        efi_read_memory(map, size, stride, &machine);
        machine_settle(&machine);
        return true;
    }
    return false;
}

efi_status aarch64_efi_main(void *image, struct efi_system_table *st)
{
    const char *why = ask(image, st);
    if (!why && leave(image, st->boot)) aarch64_efi_leave(&machine);
    say(st, "Hospes cannot start: ");
    say(st, why ? why : "firmware does not let go of the machine");
    say(st, ".\r\n");
    return EFI_LOAD_ERROR;
}
