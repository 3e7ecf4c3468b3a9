// SPDX-License-Identifier: Apache-2.0
/* A PC's part of ACPI: MADT (cores, interrupt chips), FADT (power, reset, PM timer), \_S5 by a look at its bytes, HPET,
 * SPCR. Boot core, while the first 4 GiB are mapped by the entry's tables. */
#include "boot/acpi.h"
#include "boot/x86_64/found.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define REACH GIB(4)

/* Offsets in the tables, by the names of the specification. */
enum { FADT_REVISION = 8, FADT_DSDT = 40, FADT_SMI_CMD = 48, FADT_ACPI_ENABLE = 52, FADT_PM1A_CNT = 64, FADT_PM1B_CNT = 68, FADT_PM_TMR = 76,
       FADT_PM_TMR_LEN = 91, FADT_CENTURY = 108, FADT_BOOT_ARCH = 109, FADT_FLAGS = 112, FADT_RESET_REG = 116, FADT_RESET_VALUE = 128,
       FADT_X_DSDT = 140, FADT_X_PM1A_CNT = 172, FADT_X_PM1B_CNT = 184, FADT_X_PM_TMR = 208, FADT_SLEEP_CONTROL = 244 };
#define FLAG_TIMER_32_BIT (1u << 8)
#define FLAG_RESET_REG    (1u << 10)
#define FLAG_REDUCED      (1u << 20)
#define ARCH_NO_CMOS      (1u << 5)
#define ARCH_8042         (1u << 1)
enum { MADT_LOCAL_ADDRESS = 36, MADT_ENTRIES = 44, ENTRY_LAPIC = 0, ENTRY_IOAPIC = 1, ENTRY_OVERRIDE = 2, ENTRY_X2APIC = 9 };

/* ACPI 5.2.5.1: the first KiB of the EBDA, and the BIOS area. */
static uint64_t search_rsdp(void)
{
    uint64_t ebda = found_ebda();
    for (uint64_t at = ebda; ebda && at < ebda + 1024; at += 16) {
        if (acpi_is_rsdp((const void *)at)) return at;
    }
    for (uint64_t at = 0xe0000; at < 0x100000; at += 16) {
        if (acpi_is_rsdp((const void *)at)) return at;
    }
    return 0;
}

static struct x86_64_register get_register(struct acpi_table t, unsigned at)
{
    struct acpi_register r = acpi_get_register(t, at);
    return (struct x86_64_register){ .is_io = r.space == ACPI_SPACE_IO, .width_bits = r.width_bits, .address = r.address };
}

static void read_madt(struct acpi_table t, struct x86_64_platform *p)
{
    for (uint32_t at = MADT_ENTRIES; at + 2 <= t.length && acpi_get8(t, at + 1) >= 2; at += acpi_get8(t, at + 1)) {
        uint8_t kind = acpi_get8(t, at);
        bool is_x2 = kind == ENTRY_X2APIC;
        if (kind == ENTRY_LAPIC || is_x2) {
            bool is_enabled = acpi_get32(t, at + (is_x2 ? 8 : 4)) & 1;
            uint32_t id = is_x2 ? acpi_get32(t, at + 4) : acpi_get8(t, at + 3);
            bool is_known = false;
            for (unsigned i = 0; i < p->cpu_count; i++) is_known |= p->cpu_apic_id[i] == id;
            if (is_enabled && !is_known && p->cpu_count < ARCH_MAX_CPUS) p->cpu_apic_id[p->cpu_count++] = id;
        } else if (kind == ENTRY_IOAPIC && p->ioapic_count < X86_64_MAX_IOAPICS) {
            p->ioapic[p->ioapic_count].base = acpi_get32(t, at + 4);
            p->ioapic[p->ioapic_count++].first_gsi = acpi_get32(t, at + 8);
        } else if (kind == ENTRY_OVERRIDE && acpi_get8(t, at + 3) < 16) {
            uint8_t irq = acpi_get8(t, at + 3), flags = acpi_get8(t, at + 8);
            p->isa_irq[irq].gsi = acpi_get32(t, at + 4);
            p->isa_irq[irq].is_low = (flags & 3) == 3;
            p->isa_irq[irq].is_level = (flags >> 2 & 3) == 3;
        }
    }
}

/* Name(_S5_, Package(){ SLP_TYPa, SLP_TYPb, ... }): 08 '_S5_' 12 PkgLength NumElements integer integer. */
static bool read_s5(struct acpi_table t, struct x86_64_platform *p)
{
    for (const uint8_t *at = t.at + ACPI_HEADER_BYTES, *end = t.at + t.length; at + 8 < end; at++) {
        if (memcmp(at, "_S5_", 4) || at[4] != 0x12 || (at[-1] != 0x08 && !(at[-1] == '\\' && at[-2] == 0x08))) continue;
        const uint8_t *q = at + 5;
        q += 1 + (*q >> 6);                               /* PkgLength, ACPI 20.2.4 */
        q += 1;                                           /* NumElements */
        uint32_t a = 0, b = 0;
        unsigned n = q < end ? acpi_aml_integer(q, end, &a) : 0;
        if (!n) continue;
        if (!acpi_aml_integer(q + n, end, &b)) b = a;
        p->s5_a = (uint8_t)(a & 7);
        p->s5_b = (uint8_t)(b & 7);
        return true;
    }
    return false;
}

static struct x86_64_register io_register(uint32_t port, uint8_t width_bits)
{
    return (struct x86_64_register){ .is_io = true, .width_bits = width_bits, .address = port };
}

static void read_fadt(struct acpi_table t, struct x86_64_platform *p)
{
    uint32_t flags = acpi_get32(t, FADT_FLAGS);
    if (flags & FLAG_RESET_REG) {
        p->reset = get_register(t, FADT_RESET_REG);
        p->reset_value = acpi_get8(t, FADT_RESET_VALUE);
        p->reset.width_bits = 8;
    }
    p->has_no_cmos_clock = acpi_get32(t, FADT_BOOT_ARCH - 1) >> 8 & ARCH_NO_CMOS;
    if (acpi_get8(t, FADT_REVISION) >= 3) p->has_no_keyboard = !(acpi_get32(t, FADT_BOOT_ARCH - 1) >> 8 & ARCH_8042);      /* before, nobody filled it */
    p->century_index = acpi_get8(t, FADT_CENTURY);
    if (flags & FLAG_REDUCED) {
        p->sleep_control = get_register(t, FADT_SLEEP_CONTROL);
        p->sleep_control.width_bits = 8;
        return;
    }
    p->smi_command_port = acpi_get32(t, FADT_SMI_CMD);
    p->acpi_enable = acpi_get8(t, FADT_ACPI_ENABLE);
    p->pm1a_control = get_register(t, FADT_X_PM1A_CNT);
    p->pm1b_control = get_register(t, FADT_X_PM1B_CNT);
    if (!p->pm1a_control.address) p->pm1a_control = io_register(acpi_get32(t, FADT_PM1A_CNT), 16);
    if (!p->pm1b_control.address) p->pm1b_control = io_register(acpi_get32(t, FADT_PM1B_CNT), 16);
    p->pm1a_control.width_bits = p->pm1b_control.width_bits = 16;
    struct x86_64_register timer = get_register(t, FADT_X_PM_TMR);
    p->pm_timer_port = timer.address && timer.is_io ? (uint32_t)timer.address : acpi_get8(t, FADT_PM_TMR_LEN) == 4 ? acpi_get32(t, FADT_PM_TMR) : 0;
    p->pm_timer_is_32_bit = flags & FLAG_TIMER_32_BIT;
}

static void read_spcr(struct acpi_table t, struct acpi_extra *extra)
{
    uint8_t kind = acpi_get8(t, 36);
    if (kind != 0 && kind != 1 && kind != 0x12) return;   /* 16550 and its likes */
    struct x86_64_register r = get_register(t, 40);
    if (r.is_io && r.address && r.address < 0x10000) extra->uart_port = (uint16_t)r.address;
    if (acpi_get8(t, 52) & 1) extra->uart_irq = acpi_get8(t, 53);
}

bool acpi_read(uint64_t *rsdp, struct x86_64_platform *p, struct acpi_extra *extra)
{
    if (!*rsdp || *rsdp >= REACH || !acpi_is_rsdp((const void *)*rsdp)) *rsdp = search_rsdp();
    if (!*rsdp) return false;
    struct acpi_root root;
    if (!acpi_open((const void *)*rsdp, REACH, &root)) return false;
    struct acpi_table madt = acpi_find(&root, "APIC", 0), fadt = acpi_find(&root, "FACP", 0);
    struct acpi_table hpet = acpi_find(&root, "HPET", 0), spcr = acpi_find(&root, "SPCR", 0);
    struct acpi_table mcfg = acpi_find(&root, "MCFG", 0);
    if (madt.length) read_madt(madt, p);
    if (fadt.length) {
        read_fadt(fadt, p);
        struct acpi_table dsdt = acpi_table_at(acpi_get64(fadt, FADT_X_DSDT), REACH);
        if (!dsdt.length) dsdt = acpi_table_at(acpi_get32(fadt, FADT_DSDT), REACH);
        p->has_s5 = dsdt.length && read_s5(dsdt, p);
        if (dsdt.length && extra->buses) acpi_read_slots(dsdt, extra->buses);
        for (unsigned i = 0; !p->has_s5; i++) {
            struct acpi_table ssdt = acpi_find(&root, "SSDT", i);
            if (!ssdt.length) break;
            p->has_s5 = read_s5(ssdt, p);
        }
    }
    if (hpet.length && acpi_get8(hpet, 40) == 0) p->hpet = acpi_get64(hpet, 44);
    if (spcr.length) read_spcr(spcr, extra);
    if (mcfg.length && extra->buses) acpi_read_mcfg(mcfg, extra->buses);
    return madt.length != 0;
}
