// SPDX-License-Identifier: Apache-2.0
/* Why a vCPU left guest code, and what it met there, counted. Plain words, written by the thread that runs the vCPU; others
 * may read them at any time and see numbers that are a moment old. */
#pragma once
#include "hv/mmu/mmu.h"

#define EXITS_HYPERCALLS 32        /* kinds that a machine may tell apart */
#define EXITS_IRQS       64
#define EXITS_NATIVE     64        /* kinds of exits from hardware that a guest architecture may tell apart */

/* What the run loop came out for. Time: from leaving guest code until it runs there again. */
enum exit_reason { EXIT_BUDGET, EXIT_HOST, EXIT_INTERRUPT, EXIT_HALTED, EXIT_HYPERCALL, EXIT_BREAKPOINT, EXIT_OTHER, EXIT_REASON_COUNT };

struct vcpu_exits {
    struct event_count reason[EXIT_REASON_COUNT];
    struct tick_count  native[EXITS_NATIVE];             /* of hardware: each exit, also those that were served at once; time: until that was done */
    struct event_count hypercall[EXITS_HYPERCALLS];      /* by the machine's number; time: until it was served */
    uint64_t           irq[EXITS_IRQS];                  /* interrupts taken, by cause */
    uint64_t           fault[FAULT_KIND_COUNT];          /* delivered to the guest */
    uint64_t           tlb_fences, code_fences;          /* obeyed: others asked */
    struct device_count device[MMIO_MAX_REGIONS];        /* by region of the bus */
};
_Static_assert(sizeof(struct vcpu_exits) % sizeof(uint64_t) == 0, "may be summed word by word");

/* One more; other threads may be reading. */
static inline void exit_count_ticks(struct tick_count *c, uint64_t ticks)
{
    __atomic_store_n(&c->count, c->count + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->ticks, c->ticks + ticks, __ATOMIC_RELAXED);
}
static inline void exit_count(uint64_t *counter) { __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); }
static inline void exit_count_timed(struct event_count *c, uint64_t ns)
{
    __atomic_store_n(&c->count, c->count + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&c->time_ns, c->time_ns + ns, __ATOMIC_RELAXED);
}
