// SPDX-License-Identifier: Apache-2.0
/* The 8254 timer of a PC: counter 0 at interrupt 0, counter 2 behind port 61H (its gate, and its output to read), both in time that is
 * exactly the guest's clock at 1,193,182 Hz. State belongs to its own lock. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

struct i8254_config {
    uint64_t        ports;                  /* where on the bus port 0 is */
    struct irq_line out;                    /* counter 0's output */
    void           *ctx;
    uint64_t      (*now_ns)(void *ctx);     /* the guest's clock */
    uint64_t      (*deadline_ns)(void *ctx, uint64_t ns);       /* host time of that; UINT64_MAX: never */
};
enum { I8254_COUNTERS, I8254_PORT_61, I8254_REGIONS };
NODISCARD struct vm_error i8254_create(const struct i8254_config *c, struct mmio_region out[I8254_REGIONS]);
