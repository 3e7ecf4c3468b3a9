// SPDX-License-Identifier: Apache-2.0
/* PCI configuration; see pci.h. What a device says of itself is checked before it is used: offsets, sizes, list links. */
#include "drivers/host/pci.h"
#include "hv/base/bits.h"

enum { VENDOR = 0x00, DEVICE = 0x02, COMMAND = 0x04, STATUS = 0x06, HEADER_TYPE = 0x0e, BAR0 = 0x10, SECONDARY_BUS = 0x19,
       CAPABILITIES = 0x34, INTERRUPT_PIN = 0x3d, CONFIG_BYTES = 256, ECAM_BUS_BYTES = 1 << 20 };
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_NO_INTX = 1 << 10, STATUS_CAPABILITIES = 1 << 4 };
enum { CAP_MSIX = 0x11, MSIX_CONTROL = 2, MSIX_TABLE = 4, MSIX_ENABLE = 1 << 15, MSIX_MASK_ALL = 1 << 14, MSIX_ENTRY_BYTES = 16 };
enum { MAX_CAPABILITIES = 48, SLOTS = 32, FUNCTIONS = 8 };

static uintptr_t place_of(const struct pci_host *h, unsigned bus, unsigned slot, unsigned function)
{
    return h->ecam ? (uintptr_t)(bus - h->first_bus) << 20 | slot << 15 | function << 12 : (uintptr_t)bus << 16 | slot << 11 | function << 8;
}

uint32_t pci_get(const struct pci_device *d, unsigned offset, unsigned bytes)
{
    if (offset > CONFIG_BYTES - bytes) return 0;
    return register_get(&d->host->at, (unsigned)place_of(d->host, d->bus, d->slot, d->function) + offset, bytes);
}

void pci_put(const struct pci_device *d, unsigned offset, unsigned bytes, uint32_t v)
{
    if (offset > CONFIG_BYTES - bytes) return;
    register_put(&d->host->at, (unsigned)place_of(d->host, d->bus, d->slot, d->function) + offset, bytes, v);
}

bool pci_open(struct pci_host *h)
{
    if (h->ecam) {
        uint64_t size = (uint64_t)(h->last_bus - h->first_bus + 1) * ECAM_BUS_BYTES;
        void *at = h->last_bus < h->first_bus ? NULL : arch_map_device(h->ecam, size);
        if (at) {
            h->at = (struct registers){ &REGISTERS_IN_MEMORY, NULL, (uintptr_t)at };
            return true;
        }
        h->ecam = 0;
    }
    h->at = (struct registers){ h->config, h->config_ctx, 0 };
    return h->config;
}

/* Buses are numbered downwards from the root (a bridge's secondary bus is above its own), so this ends. */
static void scan_bus(struct pci_host *h, unsigned bus, void (*found)(void *ctx, const struct pci_device *d), void *ctx)
{
    for (unsigned slot = 0; slot < SLOTS; slot++) {
        for (unsigned function = 0; function < FUNCTIONS; function++) {
            struct pci_device d = { .host = h, .bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function };
            d.vendor = (uint16_t)pci_get(&d, VENDOR, 2);
            if (d.vendor == 0xffff || !d.vendor) {
                if (!function) break;
                continue;
            }
            d.device = (uint16_t)pci_get(&d, DEVICE, 2);
            unsigned type = pci_get(&d, HEADER_TYPE, 1), below = (type & 0x7f) == 1 ? pci_get(&d, SECONDARY_BUS, 1) : 0;
            if ((type & 0x7f) == 0) found(ctx, &d);
            if (below > bus && below <= h->last_bus) scan_bus(h, below, found, ctx);
            if (!function && !(type & 0x80)) break;
        }
    }
}

void pci_scan(struct pci_host *h, void (*found)(void *ctx, const struct pci_device *d), void *ctx)
{
    scan_bus(h, h->first_bus, found, ctx);
}

/* 6.2.5.1: a BAR's writable bits tell its size. Decoding is off meanwhile. */
static uint64_t size_bar(const struct pci_device *d, unsigned n, bool is_wide)
{
    unsigned at = BAR0 + 4 * n;
    uint32_t low = pci_get(d, at, 4), high = is_wide ? pci_get(d, at + 4, 4) : 0;
    pci_put(d, at, 4, ~0u);
    if (is_wide) pci_put(d, at + 4, 4, ~0u);
    uint64_t mask = (pci_get(d, at, 4) & ~15u) | (uint64_t)(is_wide ? pci_get(d, at + 4, 4) : ~0u) << 32;
    pci_put(d, at, 4, low);
    if (is_wide) pci_put(d, at + 4, 4, high);
    return (uint32_t)mask || is_wide ? -mask : 0;
}

static bool place_bar(struct pci_device *d, unsigned n, bool is_wide)
{
    struct pci_host *h = d->host;
    unsigned at = BAR0 + 4 * n;
    uint64_t size = size_bar(d, n, is_wide), base = (pci_get(d, at, 4) & ~15u) | (is_wide ? (uint64_t)pci_get(d, at + 4, 4) << 32 : 0);
    if (!size || !is_power_of_two(size)) return true;            /* no BAR here */
    if (!base) {
        uint64_t from = align_up(h->window + h->window_used, size);
        if (from < h->window || from - h->window > h->window_bytes || size > h->window_bytes - (from - h->window)) return false;
        base = from;
        h->window_used = from - h->window + size;
        pci_put(d, at, 4, (uint32_t)base);
        if (is_wide) pci_put(d, at + 4, 4, (uint32_t)(base >> 32));
    }
    bool is_windows = base >= h->window && base - h->window < h->window_bytes;
    d->bar[n] = is_windows ? base - h->window + h->window_cpu : base;
    d->bar_bytes[n] = size;
    return true;
}

bool pci_place(struct pci_device *d)
{
    uint32_t command = pci_get(d, COMMAND, 2);
    bool ok = true;
    pci_put(d, COMMAND, 2, command & ~(uint32_t)(COMMAND_MEMORY | COMMAND_MASTER));
    for (unsigned n = 0; n < PCI_BARS; n++) {
        uint32_t bar = pci_get(d, BAR0 + 4 * n, 4);
        bool is_io = bar & 1, is_wide = !is_io && (bar >> 1 & 3) == 2 && n + 1 < PCI_BARS;
        if (!is_io) ok &= place_bar(d, n, is_wide);
        n += is_wide;
    }
    if (ok) pci_put(d, COMMAND, 2, (command | COMMAND_MEMORY | COMMAND_MASTER) & ~(uint32_t)COMMAND_NO_INTX);
    return ok;
}

void pci_stop(const struct pci_device *d) { pci_put(d, COMMAND, 2, pci_get(d, COMMAND, 2) & ~(uint32_t)COMMAND_MASTER); }

unsigned pci_capability(const struct pci_device *d, uint8_t id, unsigned from)
{
    if (!(pci_get(d, STATUS, 2) & STATUS_CAPABILITIES)) return 0;
    bool is_behind = !from;
    unsigned at = pci_get(d, CAPABILITIES, 1) & ~3u;
    for (unsigned i = 0; i < MAX_CAPABILITIES && at >= 0x40; i++, at = pci_get(d, at + 1, 1) & ~3u) {
        if (is_behind && pci_get(d, at, 1) == id) return at;
        is_behind |= at == from;
    }
    return 0;
}

bool pci_line(const struct pci_device *d, struct arch_line *out)
{
    const struct pci_host *h = d->host;
    unsigned pin = pci_get(d, INTERRUPT_PIN, 1);
    if (d->bus != h->first_bus) return false;                     /* behind bridges pins are swizzled */
    for (unsigned i = 0; i < h->route_count; i++) {
        if (h->route[i].slot != (d->slot & h->route_slots) || h->route[i].pin != pin) continue;
        *out = h->route[i].line;
        return true;
    }
    return false;
}

/* 6.8.2.6: the table's BAR and offset; an entry is address, upper address, data, control (bit 0: masked). */
bool pci_msix_connect(const struct pci_device *d, void (*quiet)(void *arg), void *arg)
{
    unsigned cap = pci_capability(d, CAP_MSIX, 0);
    uint64_t address;
    uint32_t data;
    if (!cap) return false;
    uint32_t place = pci_get(d, cap + MSIX_TABLE, 4), offset = place & ~7u, bar = place & 7;
    if (bar >= PCI_BARS || d->bar_bytes[bar] < MSIX_ENTRY_BYTES || offset > d->bar_bytes[bar] - MSIX_ENTRY_BYTES) return false;
    void *entry = arch_map_device(d->bar[bar] + offset, MSIX_ENTRY_BYTES);
    if (!entry || !arch_msi_connect(quiet, arg, &address, &data)) return false;
    const struct registers table = { &REGISTERS_IN_MEMORY, NULL, (uintptr_t)entry };
    uint32_t control = pci_get(d, cap + MSIX_CONTROL, 2);
    pci_put(d, cap + MSIX_CONTROL, 2, (control | MSIX_ENABLE) | MSIX_MASK_ALL);
    register_put(&table, 0, 4, (uint32_t)address);
    register_put(&table, 4, 4, (uint32_t)(address >> 32));
    register_put(&table, 8, 4, data);
    register_put(&table, 12, 4, register_get(&table, 12, 4) & ~1u);
    pci_put(d, cap + MSIX_CONTROL, 2, (control | MSIX_ENABLE) & ~(uint32_t)MSIX_MASK_ALL);
    pci_put(d, COMMAND, 2, pci_get(d, COMMAND, 2) | COMMAND_NO_INTX);
    return true;
}
