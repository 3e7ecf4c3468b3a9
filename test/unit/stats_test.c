// SPDX-License-Identifier: Apache-2.0
/* The seven statistics on programs whose numbers are known: requirement R144 and after. Time is never asserted, only its order. */
#include "test/unit/guest.h"

static struct guest g;
static struct vcpu *const v = &g.v[0];
#define X(n) v->regs.slot[n]
static struct exec_stats stats(void)
{
    struct exec_stats s;
    vcpu_stats(v, &s);
    return s;
}

/* n turns: a load, a store, an amoadd, lr, sc; 8 instructions, 5 accesses. Ends in wfi. */
static void known_loop(uint64_t turns)
{
    GUEST_LOAD(&g, GUEST_CODE, rv_ld(A1, A2, 0), rv_sd(A1, A2, 8), rv_amoadd_d(A3, A1, A4), rv_lr_d(A3, A4), rv_sc_d(A5, A3, A4),
               rv_addi(A0, A0, -1), rv_nop(), rv_bne(A0, ZERO, -28), rv_wfi());
    X(A0) = turns, X(A2) = GUEST_DATA, X(A4) = GUEST_DATA + 64;
}

TEST(R144_R145_a_known_loop_counts_exactly_run_or_stepped)
{
    for (unsigned way = 0; way < 3; way++) {
        guest_start(&g, 1);
        known_loop(1000);
        struct exec_stats sum = { 0 };
        for (enum exec_status s = EXEC_CONTINUE; s != EXEC_HALTED;) {
            struct exec_result r = way == 0 ? v->engine->run(v, UINT64_MAX) : way == 1 ? v->engine->run(v, 13) : v->engine->execute_instruction(v);
            exec_stats_add(&sum, &r.stats);
            s = r.status;
        }
        CHECK_EQ_U64(sum.executed_insns, 8 * 1000 + 1);
        CHECK_EQ_U64(sum.mem_accesses, 5 * 1000);
        struct exec_stats all = stats();
        CHECK(all.executed_insns == sum.executed_insns && all.mem_accesses == sum.mem_accesses && all.exec_time_ns == sum.exec_time_ns);
        CHECK(all.tlb_hits == sum.tlb_hits && all.tlb_misses == sum.tlb_misses);
        guest_end(&g);
    }
}

TEST(R145_an_access_that_faults_is_not_one_and_what_came_before_it_is)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_ld(A1, A2, 0), rv_sd(A1, A2, 8), rv_ld(A1, ZERO, 0), rv_sd(A1, A2, 8));
    X(A2) = GUEST_DATA;
    struct exec_result r = v->engine->run(v, 5);                     /* the third faults; then the handler: j . */
    CHECK_EQ_U64(r.stats.mem_accesses, 2);
    CHECK_EQ_U64(v->regs.pc, GUEST_HANDLER);
    guest_end(&g);
}

TEST(R146_R161_a_runs_time_is_within_the_time_around_it_and_adds_up)
{
    guest_start(&g, 1);
    known_loop(3000);
    uint64_t sum = 0, before = arch_time_ns();
    for (unsigned i = 0; i < 100; i++) sum += v->engine->run(v, 200).stats.exec_time_ns;
    uint64_t around = arch_time_ns() - before;
    CHECK(sum > 0 && sum <= around && stats().exec_time_ns == sum);
    uint64_t stands = stats().exec_time_ns;
    for (uint64_t until = arch_time_ns() + 1000000; arch_time_ns() < until;) {}
    CHECK_EQ_U64(stats().exec_time_ns, stands);                      /* no run, no time */
    guest_end(&g);
}

TEST(R147_hits_and_misses_are_all_translations_also_across_faults)
{
    guest_start(&g, 1);
    guest_paging(&g, v);
    v->request = 0;
    known_loop(500);
    guest_map(&g, GUEST_DATA + 0x3000, 0, 0);                        /* a hole that the loop's end falls into */
    GUEST_LOAD(&g, GUEST_CODE + 32, rv_lui(A6, 3), rv_add(A6, A6, A2), rv_ld(A1, A6, 0));
    rv_csrs(v)->stvec = 0;
    for (unsigned i = 0; i < 400; i++) {
        struct mmu_stats before = v->mmu.stats;
        struct exec_result r = v->engine->run(v, 1 + test_random() % 40);
        uint64_t translations = r.stats.mem_accesses + v->mmu.stats.lookups - before.lookups;
        CHECK_EQ_U64(r.stats.tlb_hits + r.stats.tlb_misses, translations);
        CHECK_EQ_U64(r.stats.tlb_misses, v->mmu.stats.walks - before.walks);
    }
    struct exec_stats s = stats();
    CHECK_EQ_U64(s.tlb_hits + s.tlb_misses, s.mem_accesses + v->mmu.stats.lookups);
    CHECK(s.tlb_hits > 100 * s.tlb_misses);
    guest_end(&g);
}

TEST(R147_an_access_that_faults_is_a_translation_and_a_miss)
{
    guest_start(&g, 1);
    guest_paging(&g, v);
    v->request = 0;
    guest_map(&g, GUEST_DATA + 0x3000, 0, 0);
    rv_csrs(v)->stvec = GUEST_HANDLER;
    GUEST_LOAD(&g, GUEST_CODE, rv_ld(A1, A2, 0), rv_sd(A1, A2, 0), rv_amoadd_d(A1, A1, A2));
    uint64_t translations[2];
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned faults = 0; faults < 2; faults++) {
            X(A2) = GUEST_DATA + (faults ? 0x3000 : 0);
            rv_csrs(v)->privilege = RV_S;
            rv_sync(v);
            vcpu_set_pc(v, guest_addr_make(GUEST_CODE + 4 * i));
            struct exec_result r = v->engine->execute_instruction(v);
            CHECK(r.stats.mem_accesses == !faults && r.stats.executed_insns == !faults);
            if (i || faults) CHECK_EQ_U64(r.stats.tlb_misses, faults);    /* the rest is known after the first step */
            translations[faults] = r.stats.tlb_hits + r.stats.tlb_misses;
        }
        CHECK_EQ_U64(translations[1], translations[0]);
    }
    guest_end(&g);
}

TEST(R115_R147_without_translation_the_tlb_works_and_counts_the_same)
{
    guest_start(&g, 1);
    known_loop(100);
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK_EQ_U64(r.stats.tlb_misses, 2);                             /* one page of code, one of data */
    CHECK(r.stats.tlb_hits >= 500 - 2);
    guest_end(&g);
}

TEST(R148_n_fresh_pages_are_n_misses_of_the_run_that_touched_them)
{
    guest_start(&g, 1);
    guest_paging(&g, v);
    v->request = 0;
    /* a page a turn */
    GUEST_LOAD(&g, GUEST_CODE, rv_lui(A3, 1), rv_sd(A0, A2, 0), rv_add(A2, A2, A3), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -12), rv_wfi());
    X(A0) = 1, X(A2) = GUEST_DATA;
    CHECK(v->engine->run(v, UINT64_MAX).status == EXEC_HALTED);      /* warm: the code's page */
    for (unsigned n = 1; n <= 64; n *= 4) {
        uint64_t first = GUEST_DATA + 0x1000 * (1 + n);
        for (unsigned again = 0; again < 2; again++) {
            vcpu_set_pc(v, guest_addr_make(GUEST_CODE));
            X(A0) = n, X(A2) = first;
            struct exec_result r = v->engine->run(v, UINT64_MAX);
            CHECK_EQ_U64(r.stats.tlb_misses, again ? 0 : n);
            CHECK_EQ_U64(r.stats.mem_accesses, n);
            CHECK_EQ_U64(r.stats.executed_insns, 1 + 4 * n + 1);
        }
        mmu_flush_tlb(&v->mmu);                                      /* all of it is fresh again, the code too */
        vcpu_set_pc(v, guest_addr_make(GUEST_CODE));
        X(A0) = n, X(A2) = first;
        CHECK_EQ_U64(v->engine->run(v, UINT64_MAX).stats.tlb_misses, n + 1);
    }
    guest_end(&g);
}

TEST(R55_R149_R150_only_the_jit_compiles)
{
    guest_start(&g, 1);
    known_loop(1000);
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    bool compiles = v->engine->mode == EXEC_JIT;
    CHECK(!!r.stats.jit_compiles == compiles && !!r.stats.jit_compile_time_ns == compiles);
    CHECK(stats().jit_compiles == r.stats.jit_compiles && stats().jit_compile_time_ns == r.stats.jit_compile_time_ns);
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE));
    X(A0) = 1000;
    r = v->engine->run(v, UINT64_MAX);                               /* all of it is known by now */
    CHECK(r.stats.jit_compiles == 0 && r.stats.jit_compile_time_ns == 0);
    guest_end(&g);
}

TEST(R151_R161_statistics_start_at_zero_never_fall_and_a_runs_are_its_own)
{
    guest_start(&g, 1);
    known_loop(10000);
    struct exec_stats before = stats(), sum = { 0 };
    CHECK(!before.executed_insns && !before.mem_accesses && !before.exec_time_ns && !before.tlb_hits && !before.tlb_misses);
    for (unsigned i = 0; i < 200; i++) {
        struct exec_result r = v->engine->run(v, 1 + test_random() % 50);
        struct exec_stats now = stats();
        CHECK(now.executed_insns >= before.executed_insns && now.mem_accesses >= before.mem_accesses && now.exec_time_ns >= before.exec_time_ns);
        CHECK(now.tlb_hits >= before.tlb_hits && now.tlb_misses >= before.tlb_misses);
        CHECK_EQ_U64(now.executed_insns - before.executed_insns, r.stats.executed_insns);
        CHECK_EQ_U64(now.tlb_misses - before.tlb_misses, r.stats.tlb_misses);
        exec_stats_add(&sum, &r.stats);
        before = now;
    }
    CHECK(sum.executed_insns == before.executed_insns && sum.tlb_hits == before.tlb_hits);
    guest_end(&g);
}
