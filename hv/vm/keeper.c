// SPDX-License-Identifier: Apache-2.0
/* Restarts and watchdogs; see keeper.h. One timer for all VMs; it posts the work to core 0, which looks at every VM and arms
 * the timer for what comes next. restart_at_ns is atomic, the rest of struct vm_keep is core 0's. */
#include "hv/vm/keeper.h"
#include "hv/core/log.h"
#include "hv/core/work.h"
#include "hv/vm/history.h"

#define NS_PER_S 1000000000ull

static void look(void *arg) { (void)arg; keeper_look(); }

static struct work chores = { { &chores.link, &chores.link }, look, NULL, 0 };
static struct timer next_look;

static void post(void *arg)                                  /* on any core */
{
    (void)arg;
    work_post(0, &chores);
}

/* ---- restarts ---- */
static bool wants_restart(const struct vm *vm)
{
    switch (vm->config.restart) {
    case RESTART_NEVER:      return false;
    case RESTART_ON_FAILURE: return vm->end == VM_END_FAILED || vm->end == VM_END_CODE;
    case RESTART_ALWAYS:     return true;
    }
    return false;
}

bool keeper_ended(struct vm *vm)
{
    struct vm_keep *k = &vm->keep;
    uint64_t now = arch_time_ns();
    if (!wants_restart(vm)) return false;
    if (now - k->started_ns >= KEEPER_GOOD_NS) k->backoff_s = 0;
    k->backoff_s = !k->backoff_s ? 1 : k->backoff_s < KEEPER_MAX_BACKOFF_S / 2 ? k->backoff_s * 2 : KEEPER_MAX_BACKOFF_S;
    log_notice("vm %s: restarting in %u s (restart = %s)", vm->name, k->backoff_s, vm_restart_name(vm->config.restart));
    __atomic_store_n(&k->restart_at_ns, now + k->backoff_s * NS_PER_S, __ATOMIC_RELEASE);
    work_post(0, &chores);
    return true;
}

bool keeper_forget(struct vm *vm) { return __atomic_exchange_n(&vm->keep.restart_at_ns, 0, __ATOMIC_ACQ_REL) != 0; }

bool vm_is_coming_back(const struct vm *vm) { return __atomic_load_n(&vm->keep.restart_at_ns, __ATOMIC_ACQUIRE) != 0; }

static void restart(struct vm *vm)
{
    char text[160];
    struct vm_error e = vm_reset(vm);                        /* forgets the appointment, too */
    if (!vm_failed(e)) e = vm_start(vm);
    if (vm_failed(e)) {
        vm_error_format(text, sizeof text, &e);
        log_error("vm %s: cannot be restarted: %s", vm->name, text);
        if (vm->ended) vm->ended(vm);
        return;
    }
    vm->keep.restarts++;
    vm_note_change(vm, VM_RUNNING, vm->keep.restarts, CHANGE_RESTART);
}

/* ---- watchdogs ---- */

/* What a guest does that can be seen: traps and interrupts taken, waits, calls, device accesses. */
static uint64_t signs_of_life(const struct vm *vm)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        const struct vcpu_exits *x = &vm->vcpus[i].exits;
        sum += __atomic_load_n(&x->reason[EXIT_INTERRUPT].count, __ATOMIC_RELAXED);
        sum += __atomic_load_n(&x->reason[EXIT_HALTED].count, __ATOMIC_RELAXED);
        sum += __atomic_load_n(&x->reason[EXIT_HYPERCALL].count, __ATOMIC_RELAXED);
        for (unsigned n = 0; n < EXITS_IRQS; n++) sum += __atomic_load_n(&x->irq[n], __ATOMIC_RELAXED);
        for (unsigned n = 0; n < FAULT_KIND_COUNT; n++) sum += __atomic_load_n(&x->fault[n], __ATOMIC_RELAXED);
        for (unsigned n = 0; n < vm->bus.count; n++)
            sum += __atomic_load_n(&x->device[n].read.count, __ATOMIC_RELAXED) + __atomic_load_n(&x->device[n].write.count, __ATOMIC_RELAXED);
    }
    return sum;
}

static uint64_t guest_time_of(const struct vm *vm)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) sum += __atomic_load_n(&vm->vcpus[i].stats.exec_time_ns, __ATOMIC_RELAXED);
    return sum;
}

static void bite(struct vm *vm)
{
    vm->keep.bites++;
    vm_note_change(vm, vm_state(vm), vm->keep.bites, CHANGE_WATCHDOG);
    log_notice("vm %s: watchdog: no sign of life for %u s (watchdog: %s)", vm->name, vm->config.watchdog_s, vm_watchdog_name(vm->config.watchdog));
    switch (vm->config.watchdog) {
    case WATCHDOG_LOG:   break;
    case WATCHDOG_STOP:  vm_fail(vm, "watchdog: no sign of life for %u s", vm->config.watchdog_s); break;
    case WATCHDOG_RESET:
        if (vm_failed(vm_reset(vm))) log_error("vm %s: cannot be reset: %s", vm->name, vm->reason);
        break;
    }
}

/* A VM that got no time shows no sign either: only what ran without one counts. */
static void watch(struct vm *vm, uint64_t now)
{
    struct vm_keep *k = &vm->keep;
    uint64_t signs = signs_of_life(vm), time_ns = guest_time_of(vm);
    bool is_alive = signs != k->signs || time_ns == k->time_ns || vm_state(vm) != VM_RUNNING;
    k->signs = signs;
    k->time_ns = time_ns;
    if (is_alive) k->sign_ns = now;
    if (now - k->sign_ns < vm->config.watchdog_s * NS_PER_S) return;
    k->sign_ns = now;
    bite(vm);
}

void keeper_started(struct vm *vm)
{
    vm->keep.started_ns = arch_time_ns();
    keeper_resumed(vm);
}

void keeper_resumed(struct vm *vm)
{
    vm->keep.sign_ns = arch_time_ns();
    if (vm->config.watchdog_s) work_post(0, &chores);
}

/* ---- all of them ---- */
void keeper_look(void)
{
    uint64_t now = arch_time_ns(), next = UINT64_MAX;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        uint64_t due = __atomic_load_n(&vm->keep.restart_at_ns, __ATOMIC_ACQUIRE);
        if (due && due <= now) restart(vm);
        else if (due && due < next) next = due;
        if (!vm->config.watchdog_s || vm_state(vm) != VM_RUNNING) continue;
        watch(vm, now);
        if (now + KEEPER_LOOK_NS < next) next = now + KEEPER_LOOK_NS;
    }
    if (!next_look.fire) timer_init(&next_look, post, NULL);
    if (next != UINT64_MAX) timer_arm(&next_look, next);
    else timer_cancel(&next_look);
}
