// SPDX-License-Identifier: Apache-2.0
/* The core-local interruptor: software interrupts and timers of every hart, in the SiFive CLINT's layout (mswi at 0,
 * mtimecmp at 0x4000, mtime at 0xbff8), and apart from it the supervisor's software interrupts (sswi).
 * State belongs to the device's own lock; timers fire in some core's loop. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define ACLINT_BYTES     0x10000u
#define ACLINT_MAX_HARTS 64u
#define SSWI_BYTES       0x4000u

/* The guest's clock as this room may see it. */
struct aclint_clock {
    void     *ctx;
    uint64_t (*ticks)(void *ctx);                             /* now: what mtime reads */
    uint64_t (*deadline_ns)(void *ctx, uint64_t ticks);       /* host time of that tick; UINT64_MAX: never */
    void     (*shift)(void *ctx, uint64_t by_ticks);          /* the guest wrote mtime: move the clock (modulo 2^64) */
};
struct aclint_config {
    guest_phys_addr        base;
    unsigned               hart_count;
    struct aclint_clock    clock;
    const struct irq_line *software, *timer;                  /* MSIP and MTIP, one a hart; copied */
};
NODISCARD struct vm_error aclint_create(const struct aclint_config *c, struct mmio_region *out);

/* Writing 1 to a hart's word raises its line; the hart itself clears the interrupt (SSIP), the line is never lowered. */
NODISCARD struct vm_error sswi_create(guest_phys_addr base, unsigned hart_count, const struct irq_line *supervisor,
                                      struct mmio_region *out);
