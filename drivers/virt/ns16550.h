// SPDX-License-Identifier: Apache-2.0
/* A 16550A UART as the guest sees it: 16-byte FIFOs, modem loopback, THRE, RX, timeout and line interrupts, transmission
 * without delay. State belongs to the device's own lock. `write` is called with no lock of the device held (but the
 * bus's), so it may lock what input callers hold. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define NS16550_BYTES 0x100u

struct ns16550_config {
    guest_phys_addr base;
    struct irq_line irq;
    void           *ctx;
    void          (*write)(void *ctx, const char *text, size_t length);   /* what the guest sends */
};
NODISCARD struct vm_error ns16550_create(const struct ns16550_config *c, struct mmio_region *out);

/* The uart is the region's dev. Any thread. */
size_t ns16550_input(void *uart, const char *text, size_t length);        /* takes what fits, returns how many */
size_t ns16550_room(void *uart);                                          /* bytes that fit now */
size_t ns16550_take(void *uart, char *out, size_t cap_bytes);             /* received bytes that the guest has not read */
