// SPDX-License-Identifier: Apache-2.0
/* Registers, states, pins, requests, statistics and clocks: hv/exec/vcpu.h, on the toy ISA. */
#include "test/unit/toy_isa.h"

static struct toy t;
static struct toy_vcpu c, other;
static struct vcpu *const v = &c.v;

static void start(void)
{
    toy_start(&t);
    toy_vcpu_start(&c, &t, 3);
}
static void end(void)
{
    toy_vcpu_end(&c);
    toy_end(&t);
}
static uint64_t get(unsigned reg)
{
    uint64_t value = 0xdddddddddddddddd;
    CHECK(!vm_failed(vcpu_get_reg(v, reg, &value)));
    return value;
}

TEST(R102_get_reg_is_zero_extended)
{
    start();
    v->regs.slot[1] = 0x8000000000000001;
    v->regs.slot[3] = 0x123456789abcdef0;
    v->regs.fp.flags = 0x1f;
    CHECK_EQ_U64(get(TOY_A), 0x8000000000000001);
    CHECK_EQ_U64(get(TOY_NARROW), 0xdef0);
    CHECK_EQ_U64(get(TOY_FLAGS), 0x1f);
    end();
}

TEST(R103_set_reg_normalises_and_touches_nothing_else)
{
    start();
    memset(&v->regs.slot, 0xee, sizeof v->regs.slot);
    CHECK(!vm_failed(vcpu_set_reg(v, TOY_A, 42)) && get(TOY_A) == 42);
    CHECK(!vm_failed(vcpu_set_reg(v, TOY_ZERO, 42)) && get(TOY_ZERO) == 0);
    CHECK(!vm_failed(vcpu_set_reg(v, TOY_NARROW, ~0ull)) && get(TOY_NARROW) == 0xffff && v->regs.slot[3] == 0xeeeeeeeeeeeeffff);
    CHECK(!vm_failed(vcpu_set_reg(v, TOY_CONTROL, 0x1ff)) && get(TOY_CONTROL) == 0xff);
    CHECK(v->regs.slot[2] == 0xeeeeeeeeeeeeeeee && v->regs.slot[4] == 0xeeeeeeeeeeeeeeee);
    end();
}

TEST(R103_a_register_out_of_range_or_too_wide_is_an_invalid_parameter)
{
    struct vcpu_regs before;
    uint64_t value;
    start();
    before = v->regs;
    static const unsigned bad[] = { TOY_REG_COUNT, 1000, UINT32_MAX, TOY_VECTOR };
    for (unsigned i = 0; i < 4; i++) {
        CHECK(vcpu_get_reg(v, bad[i], &value).kind == VM_CORE_INVALID_PARAMETER);
        CHECK(vcpu_set_reg(v, bad[i], ~0ull).kind == VM_CORE_INVALID_PARAMETER);
    }
    CHECK(!memcmp(&before, &v->regs, sizeof before));
    end();
}

TEST(registers_are_found_by_name)
{
    start();
    for (unsigned i = 0; i < TOY_REG_COUNT; i++) CHECK(vcpu_find_reg(v, TOY_REGS[i].name) == (int)i);
    CHECK(vcpu_find_reg(v, "nope") == -1 && vcpu_find_reg(v, "") == -1);
    end();
}

TEST(R104_get_pc)
{
    start();
    v->regs.pc = 0xffffffff80001234;
    CHECK_EQ_U64(vcpu_get_pc(v).v, 0xffffffff80001234);
    end();
}

TEST(R105_set_pc)
{
    start();
    vcpu_set_pc(v, guest_addr_make(0x80200000));
    CHECK(v->regs.pc == 0x80200000 && vcpu_get_pc(v).v == 0x80200000);
    end();
}

static struct vcpu_state saved, again;

TEST(R106_the_state_is_complete)
{
    start();
    for (unsigned i = 0; i < VCPU_SLOTS; i++) v->regs.slot[i] = test_random();
    for (unsigned i = 0; i < VCPU_ISA_BYTES; i++) v->regs.isa[i] = (uint8_t)test_random();
    v->regs.pc = 0x1234, v->regs.mode = 5, v->regs.fp = (struct fp_env){ 1, 2, 0, 1 };
    vcpu_get_state(v, &saved);
    CHECK(!memcmp(&saved.state.regs, &v->regs, sizeof v->regs) && saved.state.pc.v == 0x1234);
    end();
}

TEST(R107_a_state_set_into_a_fresh_vcpu_is_the_same_state)
{
    start();
    toy_vcpu_start(&other, &t, 1);
    v->regs.slot[1] = 11, v->regs.slot[2] = 22, v->regs.pc = 0x4000;
    CHECK(!vm_failed(vcpu_set_reg(v, TOY_CONTROL, 7)));
    vcpu_get_state(v, &saved);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    struct fault why;
    uint64_t x;
    CHECK(mmu_load(&other.v.mmu, guest_addr_make(0x1000), 8, &x, &why));
    other.v.reservation.size_bytes = 8;
    other.v.is_halted = true;
    uint64_t walks = t.walks;
    CHECK(!vm_failed(vcpu_set_state(&other.v, &saved)));
    CHECK(other.v.regs.slot[1] == 11 && other.v.regs.slot[2] == 22 && other.v.regs.pc == 0x4000);
    CHECK(!other.v.reservation.size_bytes && !other.v.is_halted && other.engine.forgotten == 1 && other.engine.last_size == UINT64_MAX);
    CHECK(mmu_load(&other.v.mmu, guest_addr_make(0x1000), 8, &x, &why) && t.walks == walks + 1);          /* the TLB was dropped */
    CHECK(((struct toy_csrs *)(void *)other.v.regs.isa)->writes >= TOY_REG_COUNT);                        /* every register normalised */
    saved.state.pc = guest_addr_make(0x5000);
    CHECK(!vm_failed(vcpu_set_state(&other.v, &saved)) && vcpu_get_pc(&other.v).v == 0x5000);
    toy_vcpu_end(&other);
    end();
}

TEST(R107_a_state_is_refused_while_running_or_for_another_architecture)
{
    start();
    vcpu_get_state(v, &saved);
    v->running = true;
    struct vcpu_regs before = v->regs;
    CHECK(vcpu_set_state(v, &saved).kind == VM_CORE_INVALID_STATE);
    v->running = false;
    saved.guest_arch = GUEST_PPC64;
    CHECK(vcpu_set_state(v, &saved).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(!memcmp(&before, &v->regs, sizeof before));
    end();
}

TEST(R152_vcpu_id_is_the_index_and_survives_set_and_get)
{
    start();
    vcpu_get_state(v, &saved);
    CHECK_EQ_U64(saved.vcpu_id, 3);
    CHECK(!vm_failed(vcpu_set_state(v, &saved)));
    vcpu_get_state(v, &again);
    CHECK_EQ_U64(again.vcpu_id, 3);
    end();
}

TEST(R143_R153_the_state_refers_to_the_vms_memory)
{
    start();
    vcpu_get_state(v, &saved);
    CHECK(saved.state.memory == &t.gmem && saved.state.pc.v == vcpu_get_pc(v).v);
    uint64_t mark = 0x77;
    CHECK(!vm_failed(gmem_write_bulk(&t.gmem, guest_phys_addr_make(TOY_RAM), &mark, 8)));
    mark = 0;
    CHECK(!vm_failed(gmem_read_bulk(saved.state.memory, guest_phys_addr_make(TOY_RAM), &mark, 8)) && mark == 0x77);
    end();
}

TEST(R154_running_is_told)
{
    start();
    vcpu_get_state(v, &saved);
    CHECK(!saved.running);
    v->running = true;
    vcpu_get_state(v, &saved);
    CHECK(saved.running);
    v->running = false;
    end();
}

/* ---- pins and requests ---- */

TEST(R159_a_raised_pin_asks_for_the_interrupt_once_and_wakes)
{
    start();
    struct irq_line { void (*set)(void *sink, uint32_t pin, bool level); void *sink; uint32_t pin; } line = { vcpu_set_pin, v, 9 };
    line.set(line.sink, line.pin, true);
    CHECK(v->pins == 1u << 9 && v->request == VCPU_REQUEST_IRQ && c.wakes == 1);
    v->request = 0;
    line.set(line.sink, line.pin, true);                             /* no edge, nothing new */
    CHECK(v->request == 0 && c.wakes == 1);
    line.set(line.sink, line.pin, false);
    CHECK(v->pins == 0 && v->request == 0 && c.wakes == 1);
    vcpu_set_pin(v, 31, true);
    vcpu_set_pin(v, 32, true);                                       /* no such pin: ignored */
    vcpu_set_pin(v, UINT32_MAX, true);
    CHECK(v->pins == 1u << 31 && c.wakes == 2);
    end();
}

TEST(a_request_always_wakes)
{
    start();
    vcpu_ask(v, VCPU_REQUEST_HOST);
    vcpu_ask(v, VCPU_REQUEST_HOST | VCPU_REQUEST_STOP);
    vcpu_ask(v, VCPU_REQUEST_HOST);
    CHECK(v->request == (VCPU_REQUEST_HOST | VCPU_REQUEST_STOP) && c.wakes == 3);
    v->wake = NULL;
    vcpu_ask(v, VCPU_REQUEST_EXIT);
    CHECK(v->request & VCPU_REQUEST_EXIT);
    end();
}

TEST(a_new_deadline_calls_the_engine_out)
{
    start();
    vcpu_set_deadline(v, 12345);
    CHECK(v->deadline_ns == 12345 && v->request == VCPU_REQUEST_HOST);
    end();
}

/* ---- fences, one thread ---- */

TEST(a_fence_is_obeyed_before_guest_code_runs_again)
{
    struct fault why;
    uint64_t x;
    start();
    toy_map(&t, 0, 0x1000, TOY_RAM);
    CHECK(mmu_load(&v->mmu, guest_addr_make(0x1000), 8, &x, &why));
    vcpu_fence_ask(v, VCPU_FENCE_TLB | VCPU_FENCE_CODE);
    CHECK(v->request & VCPU_REQUEST_FENCE);
    vcpu_fence_wait(v, NULL);                                        /* not in guest code: nothing to wait for */
    CHECK(v->fence_pending && !c.engine.forgotten);
    uint64_t walks = t.walks;
    vcpu_enter_guest(v);
    CHECK(v->in_guest && !v->fence_pending && !v->fence_busy && c.engine.forgotten == 1);
    CHECK(mmu_load(&v->mmu, guest_addr_make(0x1000), 8, &x, &why) && t.walks == walks + 1);
    vcpu_fence_ask(v, VCPU_FENCE_TLB);
    vcpu_fence_wait(v, v);                                           /* on itself: obeys at once */
    CHECK(!v->fence_pending && c.engine.forgotten == 1);
    vcpu_leave_guest(v);
    CHECK(!v->in_guest);
    end();
}

TEST(R121_code_written_through_the_api_is_forgotten)
{
    start();
    toy_map(&t, 0, 0x1000, TOY_RAM);
    v->mmu.code_changed = vcpu_code_changed;
    v->mmu.owner = v;
    v->mmu.walk = toy_walk;
    v->mmu.owner = &t;                                               /* the toy's walker wants the toy */
    v->mmu.code_changed = NULL;
    vcpu_code_changed(v, guest_phys_addr_make(TOY_RAM), 64);
    CHECK(c.engine.forgotten == 1 && c.engine.last_at == TOY_RAM && c.engine.last_size == 64);
    v->engine = NULL;
    vcpu_code_changed(v, guest_phys_addr_make(TOY_RAM), 64);         /* no engine yet: nothing to forget */
    end();
}

/* ---- statistics ---- */

TEST(R151_all_seven_statistics_are_64_bits_start_at_0_and_add_up)
{
    start();
    struct exec_stats zero, sum = { 0 }, one = { 1, 2, 3, 4, 5, 6, 7 };
    CHECK_EQ_U64(sizeof(struct exec_stats), 7 * sizeof(uint64_t));
    vcpu_stats(v, &zero);
    CHECK(!memcmp(&zero, &sum, sizeof sum));
    exec_stats_add(&sum, &one);
    exec_stats_add(&sum, &one);
    CHECK(sum.executed_insns == 2 && sum.mem_accesses == 4 && sum.exec_time_ns == 6 && sum.tlb_hits == 8);
    CHECK(sum.tlb_misses == 10 && sum.jit_compiles == 12 && sum.jit_compile_time_ns == 14);
    end();
}

TEST(vcpu_statistics_carry_the_tlbs)
{
    struct exec_stats s;
    struct fault why;
    uint64_t x;
    start();
    toy_map(&t, 0, 0x1000, TOY_RAM);
    for (unsigned i = 0; i < 10; i++) {
        CHECK(mmu_load(&v->mmu, guest_addr_make(0x1000), 8, &x, &why));
        v->stats.mem_accesses++;
    }
    vcpu_stats(v, &s);
    CHECK(s.mem_accesses == 10 && s.tlb_hits == 9 && s.tlb_misses == 1);
    end();
}

TEST(retired_instructions_are_exact_inside_a_block)
{
    start();
    v->stats.executed_insns = 1000;
    v->budget_start = 500, v->budget = 400;
    CHECK_EQ_U64(vcpu_insns_retired(v, 7), 1107);
    end();
}

TEST(execution_statuses_have_the_reference_names)
{
    static const char *const want[] = { "Continue", "Ok", "Fault", "IoRequest", "InterruptPending", "Halted", "Failed", "Breakpoint" };
    for (unsigned i = 0; i < EXEC_STATUS_COUNT; i++) CHECK_STR(exec_status_name((enum exec_status)i), want[i]);
    CHECK_STR(exec_status_name((enum exec_status)99), "?");
}

/* ---- the guest's clock ---- */

TEST(guest_ticks_follow_host_time_at_any_frequency_without_overflow)
{
    static const uint64_t hz[] = { 1, 32768, 10000000, 24000000, 1000000000, 10000000000ull };
    for (unsigned i = 0; i < ARRAY_COUNT(hz); i++) {
        /* A stopped clock shows the instant it was stopped at. */
        struct guest_clock k = { hz[i], 1000, 1000 + 3600000000000ull * 24 * 365 };              /* a year */
        CHECK_EQ_U64(guest_clock_ticks(&k), hz[i] * 3600 * 24 * 365);
        k.stopped_at_ns = 1000 + 1500000000;
        CHECK_EQ_U64(guest_clock_ticks(&k), hz[i] + hz[i] / 2);
    }
}

TEST(at_a_deadline_the_tick_has_come_and_just_before_it_has_not)
{
    for (unsigned i = 0; i < 2000; i++) {
        struct guest_clock k = { 1 + test_random() % 10000000000ull, test_random() % 1000000000000ull + 1, 0 };
        uint64_t tick = 1 + test_random() % (k.frequency_hz * 1000), at = guest_clock_deadline_ns(&k, tick);
        k.stopped_at_ns = at;
        CHECK(guest_clock_ticks(&k) >= tick);
        k.stopped_at_ns = at - 1;
        CHECK(guest_clock_ticks(&k) < tick);
    }
    struct guest_clock k = { 10000000, 5, 0 };
    CHECK_EQ_U64(guest_clock_deadline_ns(&k, UINT64_MAX), UINT64_MAX);       /* never */
}

TEST(a_paused_clock_stands_still_and_loses_no_tick)
{
    struct guest_clock k;
    guest_clock_start(&k, 1000000000);
    guest_clock_pause(&k);
    uint64_t at = guest_clock_ticks(&k);
    for (uint64_t until = arch_time_ns() + 2000000; arch_time_ns() < until;) {}
    CHECK_EQ_U64(guest_clock_ticks(&k), at);
    guest_clock_pause(&k);                                           /* twice is once */
    CHECK_EQ_U64(guest_clock_ticks(&k), at);
    guest_clock_resume(&k);
    uint64_t after = guest_clock_ticks(&k), offset = k.offset_ns;
    CHECK(after >= at);
    guest_clock_resume(&k);
    CHECK_EQ_U64(k.offset_ns, offset);
}
