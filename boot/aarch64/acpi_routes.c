// SPDX-License-Identifier: Apache-2.0
/* PCI's interrupt lines where a host bridge names them in a constant table (ACPI 6.5, 6.2.13): Name(_PRT, Package) of
 * { slot << 16 | 0xffff, pin, source, index }; the source is 0 and the index the line, or it is a link device with one line. A
 * look at AML's bytes: what a method would compute is not seen, and the driver polls. */
#include "boot/aarch64/acpi.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

enum { NAME = 0x08, PACKAGE = 0x12, VAR_PACKAGE = 0x13, EXTENDED = 0x5b, DEVICE = 0x82, SEGMENT_BYTES = 4 };
enum { INTERRUPT = 0x89, INTERRUPT_BYTES = 9, FLAG_EDGE = 2, FLAG_LOW = 4, PINS = 4, LEAST_SPI = 32, SPI_END = 1020 };

/* The line of the device with this name: the first extended interrupt descriptor in it (6.4.3.6). Number 0: none. */
static struct arch_line line_of_link(struct acpi_table aml, const uint8_t *name)
{
    const uint8_t *end = aml.at + aml.length, *device_end;
    for (const uint8_t *p = aml.at + ACPI_HEADER_BYTES; p + 2 < end; p++) {
        unsigned n = p[0] == EXTENDED && p[1] == DEVICE ? acpi_aml_length(p + 2, end, &device_end) : 0;
        const uint8_t *at = p + 2 + n;
        if (!n || device_end - at < SEGMENT_BYTES || memcmp(at, name, SEGMENT_BYTES)) continue;
        for (at += SEGMENT_BYTES; device_end - at >= INTERRUPT_BYTES; at++) {
            if (at[0] != INTERRUPT || load_le16(at + 1) != INTERRUPT_BYTES - 3 || at[4] != 1) continue;
            return (struct arch_line){ load_le32(at + 5), !(at[3] & FLAG_EDGE), at[3] & FLAG_LOW };
        }
    }
    return (struct arch_line){ 0 };
}

/* One row. False: not of that form. */
static bool read_row(struct acpi_table aml, const uint8_t *p, const uint8_t *end, struct pci_host *h)
{
    uint32_t place, pin, source, index;
    unsigned n = acpi_aml_integer(p, end, &place);
    if (!n) return false;
    p += n;
    if (!(n = acpi_aml_integer(p, end, &pin))) return false;
    p += n;
    struct arch_line line = { .is_level = true, .is_low = true };
    if ((n = acpi_aml_integer(p, end, &source))) {
        if (!acpi_aml_integer(p + n, end, &index)) return false;
        line.number = index;
    } else {
        while (p < end && (*p == '\\' || *p == '^')) p++;
        if (end - p < SEGMENT_BYTES) return false;
        line = line_of_link(aml, p);
    }
    if (line.number < LEAST_SPI || line.number >= SPI_END || pin >= PINS || h->route_count == PCI_MAX_ROUTES) return true;
    h->route[h->route_count++] = (struct pci_route){ place >> 16, (uint8_t)(pin + 1), line };
    return true;
}

void acpi_read_routes(struct acpi_table aml, struct pci_host *h)
{
    const uint8_t *end = aml.at + aml.length, *table_end, *row_end;
    for (const uint8_t *p = aml.at + ACPI_HEADER_BYTES; aml.length && p + 7 < end; p++) {
        if (p[0] != NAME || memcmp(p + 1, "_PRT", SEGMENT_BYTES) || (p[5] != PACKAGE && p[5] != VAR_PACKAGE)) continue;
        unsigned n = acpi_aml_length(p + 6, end, &table_end);
        uint32_t count;
        const uint8_t *at = p + 6 + n;
        if (!n) continue;
        at += p[5] == PACKAGE ? 1 : acpi_aml_integer(at, table_end, &count);
        while (table_end - at > 2 && at[0] == PACKAGE && (n = acpi_aml_length(at + 1, table_end, &row_end))) {
            if (!read_row(aml, at + 1 + n + 1, row_end, h)) break;
            at = row_end;
        }
        if (h->route_count) h->route_slots = 31;
        return;                                           /* the first bridge's */
    }
}
