// SPDX-License-Identifier: Apache-2.0
/* MADT (cores, GIC), GTDT (timer), FADT (PSCI), SPCR (UART), MCFG and DSDT (buses); see acpi.h. Interrupts are told as GSIVs,
 * which are the GIC's numbers. Boot core, once. */
#include "boot/aarch64/acpi.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MPIDR_AFFINITY 0xff00ffffffull
#define FRAMES_BYTES   0x20000u                           /* of a GICv3's redistributor, where nobody tells how many there are */

/* Offsets in the tables, by the names of the specification: 5.2.12, 5.2.12.14 to .17, 5.2.25, 5.2.9. */
enum { MADT_ENTRIES = 44, ENTRY_GICC = 11, ENTRY_GICD = 12, ENTRY_GICR = 14 };
enum { GICC_FLAGS = 12, GICC_BASE = 32, GICC_GICV_BASE = 40, GICC_GICH_BASE = 48, GICC_MAINTENANCE = 56, GICC_GICR_BASE = 60, GICC_MPIDR = 68, GICC_BYTES = 76, GICC_ENABLED = 1 };
enum { GICD_BASE = 8, GICD_VERSION = 20, GICR_BASE = 4, GICR_BYTES = 12 };
enum { GTDT_VIRTUAL_GSIV = 64, GTDT_EL2_GSIV = 72 };
enum { FADT_DSDT = 40, FADT_ARM_BOOT = 129, FADT_X_DSDT = 140, ARM_PSCI = 1, ARM_PSCI_HVC = 2 };

/* Serial Port Console Redirection Table, revision 2. SBSA's generic UART is a PL011 without what we do not touch. */
enum { SPCR_KIND = 36, SPCR_REGISTER = 40, SPCR_INTERRUPTS = 52, SPCR_GSIV = 54, KIND_PL011 = 3, KIND_SBSA_32 = 0x0d, KIND_SBSA = 0x0e,
       INTERRUPTS_GIC = 8, UART_BYTES = 0x1000 };

/* One after the other they are one region. */
static void add_redistributors(struct aarch64_platform *p, uint64_t base, uint64_t size_bytes)
{
    if (!base || !size_bytes) return;
    for (unsigned i = 0; i < p->gicr_count; i++) {
        if (base - p->gicr[i].base < p->gicr[i].size_bytes) return;
        if (base != p->gicr[i].base + p->gicr[i].size_bytes) continue;
        p->gicr[i].size_bytes += size_bytes;
        return;
    }
    if (p->gicr_count == AARCH64_MAX_REDISTRIBUTORS) return;
    p->gicr[p->gicr_count].base = base;
    p->gicr[p->gicr_count++].size_bytes = size_bytes;
}

static void add_core(struct aarch64_platform *p, struct acpi_table gicc)
{
    uint64_t mpidr = acpi_get64(gicc, GICC_MPIDR) & MPIDR_AFFINITY, redistributor = acpi_get64(gicc, GICC_GICR_BASE);
    if (gicc.length < GICC_BYTES || !(acpi_get32(gicc, GICC_FLAGS) & GICC_ENABLED)) return;
    if (!p->gicc) p->gicc = acpi_get64(gicc, GICC_BASE);
    if (!p->gicv) p->gicv = acpi_get64(gicc, GICC_GICV_BASE);
    if (!p->gich) p->gich = acpi_get64(gicc, GICC_GICH_BASE);
    if (!p->maintenance_intid) p->maintenance_intid = acpi_get32(gicc, GICC_MAINTENANCE);
    if (redistributor) add_redistributors(p, redistributor, FRAMES_BYTES);
    if (mpidr != p->cpu_mpidr[0] && p->cpu_count < ARCH_MAX_CPUS) p->cpu_mpidr[p->cpu_count++] = mpidr;
}

/* A distributor of unknown version has redistributors, or it is a GICv2. */
static void read_madt(struct acpi_table madt, struct aarch64_platform *p)
{
    unsigned version = 0;
    for (uint32_t at = MADT_ENTRIES; at + 2 <= madt.length;) {
        struct acpi_table entry = { madt.at + at, acpi_get8(madt, at + 1) };
        if (entry.length < 2 || entry.length > madt.length - at) break;
        at += entry.length;
        switch (acpi_get8(entry, 0)) {
        case ENTRY_GICC:
            add_core(p, entry);
            break;
        case ENTRY_GICD:
            p->gicd = acpi_get64(entry, GICD_BASE);
            version = acpi_get8(entry, GICD_VERSION);
            break;
        case ENTRY_GICR:
            add_redistributors(p, acpi_get64(entry, GICR_BASE), acpi_get32(entry, GICR_BYTES));
            break;
        default:
            break;
        }
    }
    if (!version) version = p->gicr_count ? 3 : 2;
    if (p->gicd && version == 2 && p->gicc) {
        p->irq_kind = AARCH64_IRQ_GICV2;
        p->gicd_size = 0x1000;
        p->gicc_size = 0x2000;
    } else if (p->gicd && version >= 3 && p->gicr_count) {
        p->irq_kind = AARCH64_IRQ_GICV3;
        p->gicd_size = 0x10000;
        p->gicc = 0;                                      /* system registers instead */
    }
}

static void read_spcr(struct acpi_table t, struct board_uart *u)
{
    uint8_t kind = acpi_get8(t, SPCR_KIND);
    struct acpi_register r = acpi_get_register(t, SPCR_REGISTER);
    if ((kind != KIND_PL011 && kind != KIND_SBSA_32 && kind != KIND_SBSA) || r.space != ACPI_SPACE_MEMORY || !r.address) return;
    *u = (struct board_uart){ &uart_pl011, r.address, UART_BYTES, 0 };
    if (acpi_get8(t, SPCR_INTERRUPTS) & INTERRUPTS_GIC) u->intid = acpi_get32(t, SPCR_GSIV);
}

/* "OEM TABLE", as the maker has named them; padding is spaces or zeros. */
static const char *name_of(struct acpi_table t)
{
    static char name[ACPI_OEM_ID_BYTES + ACPI_OEM_TABLE_BYTES + 2];
    size_t n = 0;
    for (unsigned i = 0; i < ACPI_OEM_ID_BYTES + ACPI_OEM_TABLE_BYTES; i++) {
        char c = (char)acpi_get8(t, ACPI_OEM_ID + i);
        if (i == ACPI_OEM_ID_BYTES && n) name[n++] = ' ';
        if (c > ' ' && c < 127) name[n++] = c;
    }
    name[n] = 0;
    return n ? name : "a machine with ACPI";
}

static void read_fadt(struct acpi_table fadt, struct aarch64_platform *p)
{
    uint8_t flags = acpi_get8(fadt, FADT_ARM_BOOT);
    if (flags & ARM_PSCI) p->psci = flags & ARM_PSCI_HVC ? AARCH64_PSCI_HVC : AARCH64_PSCI_SMC;
}

const char *acpi_read_chips(const void *rsdp, uint64_t boot_mpidr, struct machine *m, struct host_buses *buses)
{
    struct aarch64_platform *p = &m->platform;
    struct acpi_root root;
    if (!acpi_is_rsdp(rsdp) || !acpi_open(rsdp, UINT64_MAX, &root)) return "the ACPI tables are broken: no root table";
    struct acpi_table madt = acpi_find(&root, "APIC", 0), gtdt = acpi_find(&root, "GTDT", 0), fadt = acpi_find(&root, "FACP", 0);
    struct acpi_table spcr = acpi_find(&root, "SPCR", 0), mcfg = acpi_find(&root, "MCFG", 0);
    if (!madt.length) return "ACPI has no good MADT: cores and interrupt controller are unknown";
    if (!gtdt.length) return "ACPI has no good GTDT: the timer's interrupts are unknown";
    if (!fadt.length) return "ACPI has no good FADT";

    p->board = name_of(madt);
    p->cpu_count = 1;
    p->cpu_mpidr[0] = boot_mpidr & MPIDR_AFFINITY;
    read_madt(madt, p);
    if (p->irq_kind == AARCH64_IRQ_NONE) return "ACPI's MADT tells of no GICv2 and no GICv3";
    p->timer_virt_intid = acpi_get32(gtdt, GTDT_VIRTUAL_GSIV);
    p->timer_hyp_intid = acpi_get32(gtdt, GTDT_EL2_GSIV);
    read_fadt(fadt, p);
    read_spcr(spcr, &m->uart);

    struct acpi_table dsdt = acpi_table_at(acpi_get64(fadt, FADT_X_DSDT), root.reach);
    if (!dsdt.length) dsdt = acpi_table_at(acpi_get32(fadt, FADT_DSDT), root.reach);
    acpi_read_slots(dsdt, buses);
    acpi_read_mcfg(mcfg, buses);
    acpi_read_routes(dsdt, &buses->pci);
    return NULL;
}
