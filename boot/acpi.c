// SPDX-License-Identifier: Apache-2.0
/* Finding ACPI tables, and what is the same on every host; see acpi.h. */
#include "boot/acpi.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MAX_TABLE_BYTES (4u << 20)

enum { RSDP_REVISION = 15, RSDP_RSDT = 16, RSDP_XSDT = 24, HEADER_LENGTH = 4 };

uint32_t acpi_get32(struct acpi_table t, unsigned at) { return at + 4 <= t.length ? load_le32(t.at + at) : 0; }
uint64_t acpi_get64(struct acpi_table t, unsigned at) { return at + 8 <= t.length ? load_le64(t.at + at) : 0; }
uint8_t  acpi_get8(struct acpi_table t, unsigned at)  { return at < t.length ? t.at[at] : 0; }

static bool sums_to_zero(const uint8_t *p, uint32_t length)
{
    uint8_t sum = 0;
    for (uint32_t i = 0; i < length; i++) sum = (uint8_t)(sum + p[i]);
    return sum == 0;
}

struct acpi_table acpi_table_at(uint64_t address, uint64_t reach)
{
    struct acpi_table none = { NULL, 0 };
    if (!address || address >= reach - ACPI_HEADER_BYTES) return none;
    const uint8_t *p = (const uint8_t *)address;
    uint32_t length = load_le32(p + HEADER_LENGTH);
    if (length < ACPI_HEADER_BYTES || length > MAX_TABLE_BYTES || length > reach - address || !sums_to_zero(p, length)) return none;
    return (struct acpi_table){ p, length };
}

bool acpi_is_rsdp(const void *p) { return !memcmp(p, "RSD PTR ", 8) && sums_to_zero(p, 20); }

bool acpi_open(const void *rsdp, uint64_t reach, struct acpi_root *out)
{
    const uint8_t *r = rsdp;
    *out = (struct acpi_root){ .entry_bytes = 8, .reach = reach };
    out->table = acpi_table_at(r[RSDP_REVISION] >= 2 ? load_le64(r + RSDP_XSDT) : 0, reach);
    if (out->table.length) return true;
    out->entry_bytes = 4;
    out->table = acpi_table_at(load_le32(r + RSDP_RSDT), reach);
    return out->table.length;
}

struct acpi_table acpi_find(const struct acpi_root *root, const char *signature, unsigned n)
{
    for (uint32_t at = ACPI_HEADER_BYTES; at + root->entry_bytes <= root->table.length; at += root->entry_bytes) {
        const uint8_t *entry = root->table.at + at;
        struct acpi_table t = acpi_table_at(root->entry_bytes == 8 ? load_le64(entry) : load_le32(entry), root->reach);
        if (t.length && !memcmp(t.at, signature, 4) && n-- == 0) return t;
    }
    return (struct acpi_table){ NULL, 0 };
}

struct acpi_register acpi_get_register(struct acpi_table t, unsigned at)
{
    struct acpi_register r = { .space = acpi_get8(t, at), .width_bits = acpi_get8(t, at + 1), .address = acpi_get64(t, at + 4) };
    if (r.space > ACPI_SPACE_IO) r.address = 0;           /* neither memory nor I/O: out of our reach */
    return r;
}

/* PCI Firmware Specification 3.0, 4.1.2: the first segment's. */
void acpi_read_mcfg(struct acpi_table t, struct host_buses *b)
{
    enum { ENTRIES = 44, ENTRY_BYTES = 16 };
    for (uint32_t at = ENTRIES; at + ENTRY_BYTES <= t.length; at += ENTRY_BYTES) {
        if (acpi_get8(t, at + 8) || acpi_get8(t, at + 9) || acpi_get8(t, at + 10) > acpi_get8(t, at + 11)) continue;
        b->pci.first_bus = acpi_get8(t, at + 10);
        b->pci.last_bus = acpi_get8(t, at + 11);
        b->pci.ecam = acpi_get64(t, at) + ((uint64_t)b->pci.first_bus << 20);
        return;
    }
}

/* Behind each _HID "LNRO0005" (virtio-mmio), the first Memory32Fixed and the first extended interrupt descriptor of the
 * resources that follow (6.4.3.4, 6.4.3.6). */
void acpi_read_slots(struct acpi_table t, struct host_buses *b)
{
    static const char id[] = "LNRO0005";
    enum { NEAR = 160, MEMORY = 0x86, MEMORY_BYTES = 12, INTERRUPT = 0x89, INTERRUPT_BYTES = 9 };
    const uint8_t *aml = t.at;
    for (uint32_t at = 0; at + sizeof id - 1 < t.length; at++) {
        if (memcmp(aml + at, id, sizeof id - 1)) continue;
        uint32_t from = at + (uint32_t)sizeof id - 1, to = t.length - from < NEAR ? t.length : from + NEAR;
        uint64_t base = 0, size = 0;
        struct arch_line line = { 0 };
        for (uint32_t i = from; i + MEMORY_BYTES <= to; i++) {
            if (!memcmp(aml + i, id, sizeof id - 1)) break;                      /* the next device's */
            if (!base && aml[i] == MEMORY && load_le16(aml + i + 1) == MEMORY_BYTES - 3) {
                base = load_le32(aml + i + 4);
                size = load_le32(aml + i + 8);
            } else if (base && aml[i] == INTERRUPT && load_le16(aml + i + 1) == INTERRUPT_BYTES - 3 && aml[i + 4] == 1) {
                line = (struct arch_line){ load_le32(aml + i + 5), !(aml[i + 3] & 2), aml[i + 3] & 4 };
                break;
            }
        }
        buses_add_slot(b, base, size, &line);
    }
}

unsigned acpi_aml_integer(const uint8_t *p, const uint8_t *end, uint32_t *out)
{
    if (p >= end) return 0;
    if (p[0] <= 1) return *out = p[0], 1;                 /* ZeroOp, OneOp */
    if (p[0] == 0x0a && end - p >= 2) return *out = p[1], 2;
    if (p[0] == 0x0b && end - p >= 3) return *out = load_le16(p + 1), 3;
    if (p[0] == 0x0c && end - p >= 5) return *out = load_le32(p + 1), 5;
    return 0;
}

unsigned acpi_aml_length(const uint8_t *p, const uint8_t *end, const uint8_t **package_end)
{
    unsigned more = p < end ? p[0] >> 6 : 0;
    if (p >= end || end - p <= more) return 0;
    uint32_t length = more ? p[0] & 15u : p[0] & 63u;
    for (unsigned i = 0; i < more; i++) length |= (uint32_t)p[1 + i] << (4 + 8 * i);
    if (length <= more || length > (size_t)(end - p)) return 0;
    *package_end = p + length;
    return 1 + more;
}
