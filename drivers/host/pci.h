// SPDX-License-Identifier: Apache-2.0
/* The machine's PCI: one segment, found and described by boot, its configuration space through ECAM or the ports of a PC.
 * Boot core only, before the others start. Section numbers in comments are those of the PCI Local Bus Specification 3.0. */
#pragma once
#include "drivers/host/registers.h"
#include "hv/arch/arch.h"

#define PCI_MAX_ROUTES 128
#define PCI_BARS       6

/* Which line a slot's pin (1..4) raises, as a device tree's interrupt-map says. */
struct pci_route { uint32_t slot; uint8_t pin; struct arch_line line; };

/* ecam 0: `config` reaches 256 bytes of each function of all buses. Without either there is no PCI. */
struct pci_host {
    uint64_t ecam;                                       /* of first_bus */
    uint8_t  first_bus, last_bus;
    const struct register_ops *config;                   /* at: bus << 16 | slot << 11 | function << 8 | offset */
    void    *config_ctx;
    uint64_t window, window_cpu, window_bytes;           /* for BARs that nobody placed; 0 bytes: firmware placed all */
    uint32_t route_slots;                                /* mask of the slot's bits that count in `route` */
    struct pci_route route[PCI_MAX_ROUTES];
    unsigned route_count;
    struct registers at;                                 /* pci_open's */
    uint64_t window_used;
};

struct pci_device {
    struct pci_host *host;
    uint8_t  bus, slot, function;
    uint16_t vendor, device;
    uint64_t bar[PCI_BARS], bar_bytes[PCI_BARS];         /* as the CPU sees them; pci_place fills them, 0 bytes: none */
};

/* False: there is no PCI here. */
bool     pci_open(struct pci_host *h);
/* Shows every function once, buses behind bridges that firmware has set up included. */
void     pci_scan(struct pci_host *h, void (*found)(void *ctx, const struct pci_device *d), void *ctx);
uint32_t pci_get(const struct pci_device *d, unsigned offset, unsigned bytes);
void     pci_put(const struct pci_device *d, unsigned offset, unsigned bytes, uint32_t v);
/* Sizes the memory BARs, places those that have no address, and lets the device decode and master the bus. */
bool     pci_place(struct pci_device *d);
void     pci_stop(const struct pci_device *d);           /* no more bus mastering: its DMA ends */
/* The next capability with this id behind `from` (0: the first); 0: none. Bounded whatever the list says. */
unsigned pci_capability(const struct pci_device *d, uint8_t id, unsigned from);
/* The function's INTx line; false: it has none that we know. */
bool     pci_line(const struct pci_device *d, struct arch_line *out);
/* Message number 0 of the function's MSI-X table; it interrupts by that from now on. False: it has none, or nobody takes it. */
bool     pci_msix_connect(const struct pci_device *d, void (*quiet)(void *arg), void *arg);
