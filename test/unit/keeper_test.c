// SPDX-License-Identifier: Apache-2.0
/* Restarts and watchdogs. The test is the only core; the seconds of a back-off are skipped by moving the appointment. */
#include "hv/vm/history.h"
#include "hv/vm/keeper.h"
#include "test/unit/one_core.h"

ONE_FILE(quitter, ONE_POWER_OFF)
ONE_FILE(failer,  ONE_FAIL(7))
ONE_FILE(spinner, rv_addi(A0, A0, 1), rv_j(-4))
ONE_FILE(sleeper, rv_wfi(), rv_j(-4))
/* Illegal instructions for ever: stvec is the kernel's start. */
ONE_FILE(trapper, rv_lui(A2, 0x80200), rv_slli(A2, A2, 32), rv_i(0x13, 5, A2, A2, 32), rv_csrrw(ZERO, 0x105, A2), 0)

static unsigned ended;
static void count_end(struct vm *vm) { (void)vm; ended++; }

static struct vm *running(struct one_file *f, struct vm_config c, const char *name)
{
    struct vm *vm = one_vm_of(f, c, name);
    ended = 0;
    vm->ended = count_end;
    CHECK(!vm_failed(vm_start(vm)));
    return vm;
}

/* Its next restart is due now. */
static void skip_backoff(struct vm *vm)
{
    CHECK(vm_is_coming_back(vm));
    vm->keep.restart_at_ns = 1;
    keeper_look();
    CHECK(vm_state(vm) == VM_RUNNING && !vm_is_coming_back(vm));
}

TEST(keeper_never_is_never)
{
    struct vm *vm = running(&failer, (struct vm_config){ 0 }, "once");
    one_until(vm, VM_STOPPED);
    CHECK(vm->end == VM_END_CODE && vm->exit_code == 7 && ended == 1 && !vm_is_coming_back(vm));
    one_end(vm);
}

TEST(keeper_on_failure_restarts_a_failure_and_lets_a_power_off_be)
{
    struct vm *vm = running(&failer, (struct vm_config){ .restart = RESTART_ON_FAILURE }, "fails");
    one_until(vm, VM_STOPPED);
    CHECK(!ended);                                           /* it is not over */
    skip_backoff(vm);
    one_until(vm, VM_STOPPED);
    CHECK(vm->keep.restarts == 1 && vm_is_coming_back(vm));
    CHECK(!vm_failed(vm_stop(vm)) && ended == 1 && !vm_is_coming_back(vm));      /* the operator has enough of it */
    CHECK(vm_failed(vm_stop(vm)));
    one_end(vm);
    vm = running(&quitter, (struct vm_config){ .restart = RESTART_ON_FAILURE }, "quits");
    one_until(vm, VM_STOPPED);
    CHECK(ended == 1 && !vm_is_coming_back(vm));
    one_end(vm);
}

TEST(keeper_backs_off_twice_as_long_each_time_up_to_a_minute)
{
    static const uint64_t want_s[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
    struct vm *vm = running(&quitter, (struct vm_config){ .restart = RESTART_ALWAYS }, "always");
    for (unsigned n = 0; n < ARRAY_COUNT(want_s); n++) {
        uint64_t before = arch_time_ns();
        one_until(vm, VM_STOPPED);
        uint64_t wait = vm->keep.restart_at_ns - before, slack = arch_time_ns() - before;
        CHECK(wait >= want_s[n] * 1000000000 && wait <= want_s[n] * 1000000000 + slack);
        skip_backoff(vm);
    }
    vm->keep.started_ns -= KEEPER_GOOD_NS;                   /* a minute of running */
    one_until(vm, VM_STOPPED);
    CHECK_EQ_U64(vm->keep.backoff_s, 1);
    CHECK(!vm_failed(vm_reset(vm)) && !vm_is_coming_back(vm) && vm_state(vm) == VM_CREATED);     /* a reset is the operator's */
    one_end(vm);
}

TEST(keeper_restarts_by_itself_when_the_time_has_come)
{
    struct event_store *s = NULL;
    struct event e[16];
    unsigned count = 0;
    one_core();
    CHECK(!vm_failed(event_store_create_memory(64, &s)));
    vm_history_open(s);
    struct vm *vm = running(&quitter, (struct vm_config){ .restart = RESTART_ALWAYS }, "itself");
    uint64_t start = arch_time_ns();
    while (!vm->keep.restarts && arch_time_ns() - start < 60000000000u) one_turn();
    CHECK(vm->keep.restarts == 1 && arch_time_ns() - start >= 1000000000);
    CHECK(!vm_failed(event_load(s, vm->number, 1, UINT64_MAX, e, 16, &count)));
    bool is_told = false;
    for (unsigned i = 0; i < count; i++) is_told |= e[i].kind == EVENT_VM_STATE_CHANGED && e[i].payload[24] == CHANGE_RESTART;
    CHECK(is_told);
    one_end(vm);
    vm_history_open(NULL);
    event_store_destroy(s);
}

TEST(keeper_watchdog_bites_who_only_computes_and_nobody_else)
{
    struct vm *spins = running(&spinner, (struct vm_config){ .watchdog_s = 1, .watchdog = WATCHDOG_STOP }, "spins");
    struct vm *sleeps = running(&sleeper, (struct vm_config){ .watchdog_s = 1, .watchdog = WATCHDOG_STOP }, "sleeps");
    struct vm *traps = running(&trapper, (struct vm_config){ .watchdog_s = 1, .watchdog = WATCHDOG_STOP }, "traps");
    uint64_t start = arch_time_ns();
    while (vm_state(spins) == VM_RUNNING && arch_time_ns() - start < 60000000000u) one_turn();
    CHECK(vm_state(spins) == VM_FAILED && ended == 1 && arch_time_ns() - start >= 1000000000);
    CHECK_STR(spins->reason, "watchdog: no sign of life for 1 s");
    CHECK(vm_state(sleeps) == VM_RUNNING && vm_state(traps) == VM_RUNNING);
    CHECK(!sleeps->keep.bites && !traps->keep.bites && traps->vcpus[0].exits.fault[FAULT_INVALID_OPCODE] > 100);
    one_end(spins), one_end(sleeps), one_end(traps);
}

TEST(keeper_watchdog_resets_or_only_tells)
{
    struct vm *again = running(&spinner, (struct vm_config){ .watchdog_s = 1 }, "again");
    struct vm *told = running(&spinner, (struct vm_config){ .watchdog_s = 1, .watchdog = WATCHDOG_LOG }, "told");
    uint64_t start = arch_time_ns(), counted = 0, least = UINT64_MAX;
    while (!(again->keep.bites && told->keep.bites && least < counted) && arch_time_ns() - start < 60000000000u) {
        one_turn();
        uint64_t now = again->vcpus[0].regs.slot[A0];
        if (now < counted) least = now;                      /* it began anew */
        else counted = now;
    }
    CHECK(again->keep.bites && told->keep.bites && least < counted && !ended);
    CHECK(vm_state(again) == VM_RUNNING && vm_state(told) == VM_RUNNING);
    one_end(again), one_end(told);
}
