// SPDX-License-Identifier: Apache-2.0
/* PCI and virtio-mmio in the device tree; see fdt_buses.h. Bindings: pci-host-ecam-generic (IEEE 1275 PCI), virtio,mmio;
 * interrupts of the GIC: three cells. Nodes on the root bus only: there addresses are the CPU's. Boot core, once. */
#include "boot/aarch64/fdt_buses.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include <libfdt.h>

enum { SPACE_MEMORY_32 = 2, PCI_CELLS = 3, GIC_CELLS = 3, EDGE = 3 };

static uint64_t cells(const char *p, int count)
{
    uint64_t v = 0;
    for (int i = 0; i < count; i++) v = v << 32 | load_be32(p + 4 * i);
    return v;
}

static bool is_enabled(const void *t, int node)
{
    int length;
    const char *status = fdt_getprop(t, node, "status", &length);
    return !status || !strncmp(status, "ok", 2);
}

/* The GIC's three cells: kind (0: shared), number, trigger. */
static struct arch_line line_of(const char *p)
{
    uint32_t kind = load_be32(p), number = load_be32(p + 4), trigger = load_be32(p + 8);
    if (kind != 0 || number > 987) return (struct arch_line){ 0 };
    return (struct arch_line){ number + 32, !(trigger & EDGE), (trigger & 10) != 0 };
}

/* A node of the root bus: its reg, in #address-cells and #size-cells of the root. */
static bool reg_of(const void *t, int node, uint64_t *base, uint64_t *size)
{
    int length, a = fdt_address_cells(t, 0), s = fdt_size_cells(t, 0);
    const char *p = fdt_getprop(t, node, "reg", &length);
    if (!p || fdt_parent_offset(t, node) != 0 || a < 1 || s < 1 || length < 4 * (a + s)) return false;
    *base = cells(p, a);
    *size = cells(p + 4 * a, s);
    return *size;
}

/* ranges: PCI address (3 cells: space in bits 25..24 of the first), CPU address, size. The 32-bit window serves all BARs. */
static void read_window(const void *t, int node, struct pci_host *h)
{
    int length, a = fdt_address_cells(t, 0), s = fdt_size_cells(t, node), row = 4 * (PCI_CELLS + a + s);
    const char *p = fdt_getprop(t, node, "ranges", &length);
    for (int i = 0; p && a > 0 && s > 0 && i + row <= length; i += row) {
        if ((load_be32(p + i) >> 24 & 3) != SPACE_MEMORY_32) continue;
        h->window = cells(p + i + 4, 2);
        h->window_cpu = cells(p + i + 4 * PCI_CELLS, a);
        h->window_bytes = cells(p + i + 4 * (PCI_CELLS + a), s);
        return;
    }
}

/* interrupt-map: unit (3 cells), pin, the controller's phandle, its unit, its three cells. */
static void read_lines(const void *t, int node, struct pci_host *h)
{
    int length, mask_length;
    const char *p = fdt_getprop(t, node, "interrupt-map", &length), *mask = fdt_getprop(t, node, "interrupt-map-mask", &mask_length);
    if (!p || !mask || mask_length < 16) return;
    h->route_slots = load_be32(mask) >> 11 & 31;
    for (int at = 0; at + 4 * (PCI_CELLS + 2) <= length;) {
        int chip = fdt_node_offset_by_phandle(t, load_be32(p + at + 4 * (PCI_CELLS + 1)));
        const char *unit = chip < 0 ? NULL : fdt_getprop(t, chip, "#address-cells", NULL);
        int unit_cells = unit ? (int)load_be32(unit) : 0, row = 4 * (PCI_CELLS + 2 + unit_cells + GIC_CELLS);
        if (chip < 0 || unit_cells < 0 || unit_cells > 4 || at + row > length || h->route_count == PCI_MAX_ROUTES) return;
        struct arch_line line = line_of(p + at + 4 * (PCI_CELLS + 2 + unit_cells));
        if (line.number) h->route[h->route_count++] = (struct pci_route){ load_be32(p + at) >> 11 & 31, (uint8_t)load_be32(p + at + 12), line };
        at += row;
    }
}

static void read_pci(const void *t, struct pci_host *h)
{
    uint64_t size;
    int length, node = fdt_node_offset_by_compatible(t, -1, "pci-host-ecam-generic");
    if (node < 0 || !is_enabled(t, node) || !reg_of(t, node, &h->ecam, &size)) return;
    if (size < MIB(1)) {                                  /* not one bus */
        h->ecam = 0;
        return;
    }
    const char *range = fdt_getprop(t, node, "bus-range", &length);
    uint64_t first = range && length >= 8 ? load_be32(range) : 0, last = range && length >= 8 ? load_be32(range + 4) : 255;
    if (last > 255 || first > last) last = first = 0;
    if (last - first + 1 > size >> 20) last = first + (size >> 20) - 1;
    h->first_bus = (uint8_t)first;
    h->last_bus = (uint8_t)last;
    read_window(t, node, h);
    read_lines(t, node, h);
}

void fdt_read_buses(const void *t, struct host_buses *b)
{
    read_pci(t, &b->pci);
    for (int n = fdt_node_offset_by_compatible(t, -1, "virtio,mmio"); n >= 0; n = fdt_node_offset_by_compatible(t, n, "virtio,mmio")) {
        struct mmio_slot s = { 0 };
        int length;
        const char *irq = fdt_getprop(t, n, "interrupts", &length);
        if (!is_enabled(t, n) || !reg_of(t, n, &s.base, &s.size_bytes) || s.size_bytes < 0x200) continue;
        if (irq && length >= 4 * GIC_CELLS) s.line = line_of(irq);
        if (b->mmio_count < BOOT_MAX_MMIO_SLOTS) b->mmio[b->mmio_count++] = s;
    }
}
