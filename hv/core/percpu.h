// SPDX-License-Identifier: Apache-2.0
/* One record a core. `attention` is written by interrupts (flags only) and drained by the core's own loop;
 * `preempt` points to the request word of the vCPU that runs here now, so that an interrupt can call it out. */
#pragma once
#include "hv/arch/spin.h"
#include "hv/base/list.h"

/* What waits for the core's loop, as bits. */
enum attention { ATTENTION_TIMER = 1, ATTENTION_KICK = 2, ATTENTION_DEVICE = 4 };

struct percpu {
    unsigned  id;
    uint32_t  attention;            /* atomic: set by interrupts (release), taken by percpu_attention (acquire) */
    uint32_t *preempt;              /* atomic pointer; see percpu_preempt */
    uint32_t  preempt_bit;
    struct spinlock work_lock;
    struct list work;               /* struct work, guarded by work_lock */
    uint64_t  idle_ns, idle_since_ns;
};

void           percpu_init(unsigned cpu);                 /* on that core, first thing */
struct percpu *percpu(void);                              /* this core's; NULL on a thread that is no core (hosted) */
struct percpu *percpu_of(unsigned cpu);
/* From now on an interrupt of this core also sets `bit` in *request; NULL ends it. */
void           percpu_preempt(uint32_t *request, uint32_t bit);
/* Runs what interrupts asked for on this core: due timers, work. Call from the core's loop, no lock held. */
void           percpu_service(void);
/* Sleeps until there is something for percpu_service. */
void           percpu_idle(void);
