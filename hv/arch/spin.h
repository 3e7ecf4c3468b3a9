// SPDX-License-Identifier: Apache-2.0
/* Ticket spinlock: fair, tiny, never held across a call that can wait. A lock belongs to the struct that embeds it.
 * Order: device < interrupt chip < scheduler < timer < page < log; never taken in interrupt context. */
#pragma once
#include "hv/arch/arch.h"

/* All zero is an open lock. */
struct spinlock { uint32_t next, owner; };

static inline void spin_lock(struct spinlock *l)
{
    uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&l->owner, __ATOMIC_ACQUIRE) != ticket) {   /* pairs with the release in spin_unlock */
        arch_cpu_relax();
    }
}

/* False: somebody else holds it. */
static inline bool spin_try_lock(struct spinlock *l)
{
    uint32_t owner = __atomic_load_n(&l->owner, __ATOMIC_ACQUIRE);
    return __atomic_compare_exchange_n(&l->next, &owner, owner + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
    __atomic_store_n(&l->owner, l->owner + 1, __ATOMIC_RELEASE);       /* pairs with the acquire in spin_lock */
}
