// SPDX-License-Identifier: Apache-2.0
/* Who gets how much of a core. The test is the core; times are the host's, so that each proportion has wide margins and several
 * tries: a scheduler that shares wrongly misses all of them. */
#include "test/unit/one_core.h"

ONE_FILE(spinner, rv_addi(A0, A0, 1), rv_j(-4))
ONE_FILE(sleeper, rv_wfi(), rv_j(-4))
/* One call of the SBI, one read and one write of the UART. */
ONE_FILE(caller, rv_li(A7, 0x10), rv_li(A6, 0), rv_ecall(), rv_lui(T5, 0x10000), rv_lb(T6, T5, 5), rv_sb(ZERO, T5, 7), rv_j(0))

#define TRIES 6

static struct vm *running(struct one_file *f, struct vm_config c, const char *name)
{
    struct vm *vm = one_vm_of(f, c, name);
    CHECK(!vm_failed(vm_start(vm)));
    return vm;
}
static uint64_t ran_ns(const struct vm *vm) { return vm->sched[0].run_ns; }
static uint64_t insns(const struct vm *vm)
{
    struct exec_stats s;
    vm_stats(vm, &s);
    return s.executed_insns;
}

/* b's time per hundred of a's, over about so long. */
static uint64_t percent(struct vm *a, struct vm *b, uint64_t over_ns)
{
    uint64_t a0 = ran_ns(a), b0 = ran_ns(b);
    while (ran_ns(a) - a0 + ran_ns(b) - b0 < over_ns) one_turn();
    return (ran_ns(b) - b0) * 100 / (ran_ns(a) - a0 + 1);
}

static void check_share(uint32_t weight_a, uint32_t weight_b, uint64_t low, uint64_t high)
{
    struct vm *a = running(&spinner, (struct vm_config){ .weight = weight_a }, "a"), *b = running(&spinner, (struct vm_config){ .weight = weight_b }, "b");
    uint64_t got = 0;
    for (unsigned n = 0; n < TRIES && (got < low || got > high); n++) got = percent(a, b, 300000000);
    if (got < low || got > high) printf("%u:%u gave 100:%lu\n", weight_a, weight_b, (unsigned long)got);
    CHECK(got >= low && got <= high);
    one_end(a), one_end(b);
}

TEST(sched_equal_vms_share_equally)          { check_share(0, 100, 60, 160); }
TEST(sched_weights_share_in_proportion)      { check_share(100, 400, 250, 600); }
TEST(sched_a_light_vm_is_slow_and_not_starved) { check_share(10000, 500, 2, 12); }

TEST(sched_a_cap_holds_also_on_an_idle_core)
{
    struct vm *vm = running(&spinner, (struct vm_config){ .cap_percent = 30 }, "capped");
    uint64_t share = 100;
    bool rested = false;
    for (unsigned n = 0; n < TRIES && (share < 15 || share > 45); n++) {
        uint64_t start = arch_time_ns(), before = ran_ns(vm);
        while (arch_time_ns() - start < 500000000) rested |= !one_turn();
        share = (ran_ns(vm) - before) * 100 / (arch_time_ns() - start);
    }
    CHECK(share >= 15 && share <= 45 && rested);
    one_end(vm);
}

TEST(sched_what_a_capped_vm_leaves_is_others)
{
    struct vm *a = running(&spinner, (struct vm_config){ .cap_percent = 10, .weight = 1000 }, "a"), *b = running(&spinner, (struct vm_config){ 0 }, "b");
    uint64_t got = 0;
    for (unsigned n = 0; n < TRIES && got < 400; n++) got = percent(a, b, 500000000);
    CHECK(got >= 400);
    one_end(a), one_end(b);
}

TEST(sched_a_pinned_vm_runs_on_its_core_alone)
{
    struct vm *pinned = running(&spinner, (struct vm_config){ .cpus = 1 }, "pinned");
    for (unsigned n = 0; n < 20; n++) CHECK(!one_turn_on(1));
    CHECK_EQ_U64(insns(pinned), 0);
    struct vm *free = running(&spinner, (struct vm_config){ 0 }, "free");
    for (unsigned n = 0; n < 20; n++) CHECK(one_turn_on(1));
    CHECK(insns(pinned) == 0 && insns(free) > 0);
    one_turns(4);
    CHECK(insns(pinned) > 0);
    one_end(pinned), one_end(free);
}

TEST(sched_a_core_that_is_not_there_is_refused_by_number)
{
    const struct file_source files = { .ctx = &spinner, .open = one_open };
    struct vm_config c = { .memory_size = MIB(8), .vcpu_count = 1, .name = "far", .cpus = 2 };
    struct vm *vm;
    one_core();
    struct vm_error e = vm_create(&c, &files, &vm);
    CHECK(e.kind == VM_CORE_INVALID_CONFIG);
    CHECK_STR(e.reason, "cpus: this host has one core, 0");
}

TEST(sched_who_waits_costs_nothing)
{
    struct vm *vm = running(&sleeper, (struct vm_config){ .cap_percent = 50, .weight = 1 }, "asleep");
    one_turns(3);
    uint64_t before = insns(vm), time = ran_ns(vm);
    for (unsigned n = 0; n < 50; n++) CHECK(!one_turn());
    CHECK(insns(vm) == before && ran_ns(vm) == time && before < 10);
    one_end(vm);
}

TEST(sched_exits_are_counted_by_reason)
{
    struct vm *vm = running(&sleeper, (struct vm_config){ 0 }, "rows");
    struct vm_exit_row row[8];
    one_turns(3);
    CHECK_EQ_U64(vm_exit_rows(vm, VM_ALL_VCPUS, row, 8), 1);
    CHECK_STR(row[0].reason, "halted");
    CHECK(row[0].count == 1 && vm_exit_rows(vm, 0, row, 0) == 1);
    one_end(vm);

    vm = running(&caller, (struct vm_config){ 0 }, "caller");
    one_turns(3);
    bool base = false, read = false, written = false;
    unsigned n = vm_exit_rows(vm, 0, row, 8);
    CHECK(n > 2 && n <= 8);
    for (unsigned i = 0; i < n; i++) {
        base |= !strcmp(row[i].reason, "hypercall") && !strcmp(row[i].detail, "base") && row[i].count == 1;
        CHECK(strncmp(row[i].reason, "mmio-", 5) ? !row[i].ticks : row[i].ticks == row[i].time_ns);      /* the hosted clock's ticks */
        read |= !strcmp(row[i].reason, "mmio-read") && !strcmp(row[i].detail, "ns16550") && row[i].count == 1;
        written |= !strcmp(row[i].reason, "mmio-write") && !strcmp(row[i].detail, "ns16550") && row[i].count == 1;
    }
    CHECK(base && read && written);
    one_end(vm);
}
