// SPDX-License-Identifier: Apache-2.0
/* An Arm PrimeCell PL011 UART (DDI 0183) as the guest sees it: FIFOs of 32, interrupts, loopback, transmission without delay.
 * State belongs to the device's own lock. `write` is called with no lock of the device held (but the bus's). */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define PL011_BYTES 0x1000u

struct pl011_config {
    guest_phys_addr base;
    struct irq_line irq;
    void           *ctx;
    void          (*write)(void *ctx, const char *text, size_t length);   /* what the guest sends */
};
NODISCARD struct vm_error pl011_create(const struct pl011_config *c, struct mmio_region *out);

/* The uart is the region's dev. Any thread. */
size_t pl011_input(void *uart, const char *text, size_t length);        /* takes what fits, returns how many */
size_t pl011_room(void *uart);                                          /* bytes that fit now */
