// SPDX-License-Identifier: Apache-2.0
/* The JIT's own promises: it compiles, counts its time, lives in bounded memory, and each of its optimisations may be off. What
 * code means is the business of the tests that run on both engines (UNIT_ENGINE=jit). */
#include "hv/jit/jit.h"
#include "test/unit/guest.h"

static struct guest g;
static struct vcpu *const v = &g.v[0];
#define X(n) v->regs.slot[n]

/* One hart on the JIT, whatever the suite's engine. */
static void start(uint32_t off, uint32_t limit_bytes)
{
    guest_start(&g, 1);
    v->engine->vcpu_destroy(v);
    jit_off = off;
    jit_limit_bytes = limit_bytes;
    CHECK(!vm_failed(JIT_ENGINE.vcpu_init(v)));
    v->engine = &JIT_ENGINE;
    jit_off = jit_limit_bytes = 0;
}
static void end(void)
{
    v->engine->vcpu_destroy(v);
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(v)));
    v->engine = &TEST_ENGINE;
    guest_end(&g);
}
static const struct jit *jit(void) { return v->engine_state; }

/* Sums squares through memory, calls a function, divides, converts. */
static void load_work(void)
{
    GUEST_LOAD(&g, GUEST_CODE, rv_mul(A1, A0, A0), rv_sd(A1, A2, 0), rv_ld(A3, A2, 0), rv_add(A4, A4, A3), rv_jal(RA, 20), rv_addi(A0, A0, -1),
               rv_bne(A0, ZERO, -24), rv_wfi(), rv_nop(), rv_r(0x33, 5, 1, A5, A4, A0), rv_xor(A6, A6, A5), rv_jalr(ZERO, RA, 0));
    X(A0) = 1000, X(A2) = GUEST_DATA, X(A4) = X(A6) = 0;
}
static uint64_t worked(void)
{
    uint64_t sum = 0, mixed = 0;
    for (uint64_t n = 1000; n; n--) sum += n * n, mixed ^= sum / n;
    return sum ^ mixed;
}

TEST(R57_guest_code_becomes_host_code_and_says_what_the_interpreter_says)
{
    start(0, 0);
    load_work();
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK(r.status == EXEC_HALTED && (X(A4) ^ X(A6)) == worked());
    CHECK_EQ_U64(r.stats.executed_insns, 1000 * 10 + 1);
    CHECK_EQ_U64(r.stats.mem_accesses, 2000);
    CHECK(r.stats.jit_compiles >= 4 && jit()->stats.code_bytes > jit()->stats.guest_bytes);
    end();
}

TEST(R59_compiling_is_counted_and_timed_and_happens_once)
{
    start(0, 0);
    load_work();
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK(r.stats.jit_compiles && r.stats.jit_compile_time_ns && r.stats.jit_compile_time_ns < r.stats.exec_time_ns);
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE));
    X(A0) = 10;
    CHECK(v->engine->run(v, UINT64_MAX).stats.jit_compiles == 0);
    end();
}

TEST(each_optimisation_may_be_off)
{
    for (uint32_t s = 0; s <= JIT_SWITCH_COUNT; s++) {
        start(s == JIT_SWITCH_COUNT ? ~0u : 1u << s, 0);
        load_work();
        struct exec_result r = v->engine->run(v, UINT64_MAX);
        CHECK(r.status == EXEC_HALTED && (X(A4) ^ X(A6)) == worked());
        CHECK(r.stats.executed_insns == 1000 * 10 + 1 && r.stats.mem_accesses == 2000);
        end();
    }
}

/* Pages calling each other: through the jump cache, by sites of their own or not, and through C. */
TEST(jumps_between_pages_are_taken_whatever_the_way)
{
    const uint32_t offs[] = { 0, 1u << JIT_SITES, 1u << JIT_CACHE, 1u << JIT_LINK };
    for (unsigned n = 0; n < ARRAY_COUNT(offs); n++) {
        start(offs[n], 0);
        GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, -1), rv_bne(A0, ZERO, 8), rv_wfi(), rv_j(4096 - 12), rv_nop());
        GUEST_LOAD(&g, GUEST_CODE + 4096, rv_addi(A4, A4, 3), rv_j(-4096 - 4));
        X(A0) = 1000, X(A4) = 0;
        struct exec_result r = v->engine->run(v, UINT64_MAX);
        CHECK(r.status == EXEC_HALTED && X(A0) == 0 && X(A4) == 999 * 3);
        CHECK_EQ_U64(r.stats.executed_insns, 999 * 5 + 3);
        CHECK(n > 1 || jit()->stats.resolves + jit()->stats.dispatches < 50);
        end();
    }
}

/* More code than fits: 64 KiB hold a few hundred of these blocks. */
TEST(R60_a_code_cache_of_64_kib_thrashes_and_is_right)
{
    enum { BLOCKS = 4000 };
    static uint32_t code[2 * BLOCKS + 1];
    start(0, 64u << 10);
    for (unsigned i = 0; i < BLOCKS; i++) code[2 * i] = rv_addi(A0, A0, 1), code[2 * i + 1] = rv_j(4);
    code[2 * BLOCKS] = rv_j(-8 * BLOCKS);
    guest_load(&g, GUEST_CODE, code, 2 * BLOCKS + 1);
    for (unsigned turn = 1; turn <= 3; turn++) {
        struct exec_result r = v->engine->run(v, 2 * BLOCKS + 1);
        CHECK_EQ_U64(r.stats.executed_insns, 2 * BLOCKS + 1);
        CHECK(X(A0) == turn * BLOCKS && v->regs.pc == GUEST_CODE);
    }
    CHECK(jit()->stats.drops > 3 && jit()->used <= 64u << 10);
    end();
}

/* One block of three that runs a hundred times as often as the others. */
TEST(the_hottest_block_is_known_with_its_code_and_told_once)
{
    struct jit_hot hot[4];
    struct jit_code code;
    struct jit_news news;
    uint64_t all;
    start(0, 0);
    GUEST_LOAD(&g, GUEST_CODE, rv_li(A0, 100), rv_addi(A1, A1, 1), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -8), rv_j(-16));
    for (unsigned n = 0; n < 200; n++) CHECK(v->engine->run(v, 70001).status == EXEC_CONTINUE);
    unsigned count = jit_hottest(v, hot, ARRAY_COUNT(hot), &all);
    CHECK(count >= 1 && all > 150 && hot[0].samples > all / 2 && hot[0].code.pc == GUEST_CODE + 4);
    CHECK(hot[0].code.guest_bytes == 12 && load_le32(hot[0].code.guest) == rv_addi(A1, A1, 1) && hot[0].code.host_bytes > 12);
    CHECK(jit_hottest(v, hot, 1, &all) == 1 && hot[0].code.pc == GUEST_CODE + 4);
    CHECK(jit_code_at(v, GUEST_CODE + 4, v->regs.mode, &code) && code.host == hot[0].code.host && !jit_code_at(v, GUEST_CODE + 8, v->regs.mode, &code));
    CHECK(jit_news_of(v, &news) && news.hotspots == 1 && news.hot_pc == GUEST_CODE + 4 && news.compiles == jit()->stats.compiles);
    end();
}

/* The loop has no other way out than the request. */
TEST(a_request_ends_a_loop_of_one_instruction)
{
    start(0, 0);
    GUEST_LOAD(&g, GUEST_CODE, rv_j(0));
    CHECK(v->engine->run(v, 100000).status == EXEC_CONTINUE);        /* linked to itself by now */
    guest_set_reg(v, "mie", 1u << RV_IRQ_MTI);
    guest_set_reg(v, "mstatus", RV_MIE);
    vcpu_set_pin(v, RV_IRQ_MTI, true);
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK(r.status == EXEC_INTERRUPT_PENDING && r.next_pc.v == GUEST_CODE);
    end();
}
