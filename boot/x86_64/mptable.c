// SPDX-License-Identifier: Apache-2.0
/* The older way to learn of cores and interrupt chips: Intel's MultiProcessor Specification 1.4, section 4. For machines
 * without ACPI (QEMU's microvm with acpi=off). Boot core, first 4 GiB mapped. */
#include "boot/x86_64/found.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

enum { ENTRY_CPU = 0, ENTRY_BUS = 1, ENTRY_IOAPIC = 2, ENTRY_INTERRUPT = 3 };
enum { HEADER_BYTES = 44, CPU_BYTES = 20, OTHER_BYTES = 8 };

static bool sums_to_zero(const uint8_t *p, unsigned length)
{
    uint8_t sum = 0;
    for (unsigned i = 0; i < length; i++) sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

static const uint8_t *search(uint64_t from, uint64_t to)
{
    for (uint64_t at = from; at + 16 <= to; at += 16) {
        const uint8_t *p = (const uint8_t *)at;
        if (!memcmp(p, "_MP_", 4) && sums_to_zero(p, 16)) return p;
    }
    return NULL;
}

static void read_entry(const uint8_t *e, struct x86_64_platform *p, uint32_t *isa_buses)
{
    if (e[0] == ENTRY_CPU) {
        if (e[3] & 1 && p->cpu_count < ARCH_MAX_CPUS) p->cpu_apic_id[p->cpu_count++] = e[1];
    } else if (e[0] == ENTRY_BUS) {
        if (!memcmp(e + 2, "ISA", 3) && e[1] < 32) *isa_buses |= 1u << e[1];
    } else if (e[0] == ENTRY_IOAPIC) {
        if (!(e[3] & 1) || p->ioapic_count == X86_64_MAX_IOAPICS) return;
        p->ioapic[p->ioapic_count].base = load_le32(e + 4);
        p->ioapic[p->ioapic_count].first_gsi = p->ioapic_count * 24;
        p->ioapic_count++;
    } else if (e[0] == ENTRY_INTERRUPT && e[1] == 0 && e[5] < 16 && e[4] < 32 && *isa_buses >> e[4] & 1) {
        p->isa_irq[e[5]].gsi = e[7];
        p->isa_irq[e[5]].is_low = (e[2] & 3) == 3;
        p->isa_irq[e[5]].is_level = (e[2] >> 2 & 3) == 3;
    }
}

bool mptable_read(struct x86_64_platform *p)
{
    uint64_t ebda = found_ebda();
    const uint8_t *pointer = ebda ? search(ebda, ebda + 1024) : NULL;
    if (!pointer) pointer = search(0x9fc00, 0xa0000);
    if (!pointer) pointer = search(0xe0000, 0x100000);
    uint64_t address = pointer ? load_le32(pointer + 4) : 0;
    if (!address) return false;
    const uint8_t *table = (const uint8_t *)address;
    unsigned length = load_le16(table + 4);                  /* the count of entries at 34 is 0 in some firmware */
    if (memcmp(table, "PCMP", 4) || length < HEADER_BYTES || !sums_to_zero(table, length)) return false;
    uint32_t isa_buses = 0;
    for (unsigned at = HEADER_BYTES; at + OTHER_BYTES <= length;) {
        unsigned size_bytes = table[at] == ENTRY_CPU ? CPU_BYTES : OTHER_BYTES;
        if (at + size_bytes > length) break;
        read_entry(table + at, p, &isa_buses);
        at += size_bytes;
    }
    return p->cpu_count != 0;
}
