// SPDX-License-Identifier: Apache-2.0
/* Who runs where. VMs that have something to run take turns on all cores, each VM's vCPUs take turns within it: a VM
 * gets no more time for having more vCPUs, but more by its weight. A VM with a cap rests for the rest of each period when it has
 * used it up; one that is pinned runs on its cores alone. A vCPU that waits for an interrupt is parked and costs nothing. sched_loop is
 * every core's main loop; the host's own work (timers, work, console) is done with no vCPU in hand, so that it may pause,
 * stop or destroy any VM. Lock order: after interrupt chips, before timers. */
#pragma once
#include "hv/vm/vm.h"

#define SCHED_SLICE_NS     10000000        /* the longest turn */
#define SCHED_LEAST_TURN_NS 1000000
#define SCHED_MAX_DEBT_NS  1000000000      /* what one turn may cost later, however long it was */
#define SCHED_CAP_PERIOD_NS 100000000u     /* a cap holds over each of these */
#define SCHED_DEBT_PERIODS 10u
#define SCHED_BUDGET_INSNS 400000u         /* engine's leash: bounds the time between looks at the clock */

void sched_vm_init(struct vm *vm);
void sched_vcpu_init(struct vm *vm, unsigned id);
/* Waits until no core holds a vCPU of it; from then on none is run or woken. */
void sched_vm_forget(struct vm *vm);
void sched_wake(struct vcpu *v);           /* it may have something to do now; any thread, not in interrupt context */
void sched_wake_all(struct vm *vm);
bool sched_is_quiet(struct vm *vm);        /* no core holds a vCPU of it, or settles its end */
/* What the loop does once: the host's work, then one vCPU's turn. False: there was none, the core is idle. */
bool sched_turn(unsigned cpu);
NORETURN void sched_loop(unsigned cpu);
/* Called in each turn of core 0's loop; set before it starts. */
void sched_on_turn(void (*poll)(void));
