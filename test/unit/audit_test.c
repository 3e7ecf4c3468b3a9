// SPDX-License-Identifier: Apache-2.0
/* The audit: silent where both engines agree, devices see each access once, and a lowering that is wrong does not get past it. */
#include "hv/audit/audit.h"
#include "hv/core/log.h"
#include "hv/jit/target.h"
#include "test/unit/guest.h"

static struct guest g;
static struct vcpu *const v = &g.v[0];
#define X(n) v->regs.slot[n]

static struct { char text[8192]; size_t length; } said;
static void hear(void *ctx, enum log_level level, const char *line, size_t length)
{
    (void)ctx, (void)level;
    if (said.length + length + 2 > sizeof said.text) return;
    memcpy(said.text + said.length, line, length);
    said.length += length;
    said.text[said.length++] = '\n';
    said.text[said.length] = 0;
}

static struct jit_target broken;

/* One hart under audit; the JIT's back end with this change. */
static void start(void (*change)(struct jit_target *t))
{
    guest_start(&g, 1);
    v->engine->vcpu_destroy(v);
    CHECK(!vm_failed(AUDIT_ENGINE.vcpu_init(v)));
    v->engine = &AUDIT_ENGINE;
    struct jit *j = (struct jit *)(uintptr_t)AUDIT_ENGINE.part(v, &JIT_ENGINE);
    broken = *j->target;
    if (change) change(&broken);
    j->target = &broken;
    memset(&said, 0, sizeof said);
    log_set_sink(hear, NULL);
    log_set_level(LOG_ERROR);
}
static void end(void)
{
    log_set_sink(NULL, NULL);
    v->engine->vcpu_destroy(v);
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(v)));
    v->engine = &TEST_ENGINE;
    guest_end(&g);
}

/* Squares through memory, a function, a division, a counter in memory. */
static void load_work(void)
{
    GUEST_LOAD(&g, GUEST_CODE, rv_mul(A1, A0, A0), rv_sd(A1, A2, 0), rv_ld(A3, A2, 0), rv_add(A4, A4, A3), rv_jal(RA, 20), rv_addi(A0, A0, -1),
               rv_bne(A0, ZERO, -24), rv_wfi(), rv_nop(), rv_r(0x33, 5, 1, A5, A4, A0), rv_xor(A6, A6, A5), rv_jalr(ZERO, RA, 0));
    X(A0) = 1000, X(A2) = GUEST_DATA, X(A4) = X(A6) = 0;
}

TEST(an_audit_of_two_engines_that_agree_is_silent_and_counts)
{
    struct audit_stats a;
    start(NULL);
    load_work();
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK(r.status == EXEC_HALTED);
    CHECK_EQ_U64(r.stats.executed_insns, 1000 * 10 + 1);
    CHECK_EQ_U64(r.stats.mem_accesses, 2000);
    CHECK(audit_stats_of(v, &a) && a.checks > 100 && a.insns == 1000 * 10 + 1 && !a.races && !a.skipped);
    CHECK_EQ_U64(guest_peek(&g, GUEST_DATA), 1);
    CHECK(!said.length);
    end();
}

TEST(under_audit_a_device_sees_each_access_once)
{
    start(NULL);
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A1, ZERO, 7), rv_sd(A1, A2, 0), rv_lw(A3, A0, 0), rv_sw(A1, A0, 0), rv_ld(A4, A2, 0), rv_j(0));
    X(A0) = GUEST_POWER, X(A2) = GUEST_DATA;
    struct exec_result r = v->engine->run(v, 100000);
    CHECK(r.status == EXEC_OK && g.power_value == 7 && X(A3) == 0x12345678 && X(A4) == 7 && guest_peek(&g, GUEST_DATA) == 7);
    CHECK(!said.length);
    end();
}

/* What has been stored comes back when the JIT is found wrong: the guest stands before the block. */
static void expect_caught(const char *what)
{
    struct audit_stats a;
    struct exec_result r = v->engine->run(v, UINT64_MAX);
    CHECK(r.status == EXEC_FAILED && r.error.kind == VM_CORE_INTERNAL);
    CHECK(audit_stats_of(v, &a) && !a.races);
    CHECK(strstr(said.text, what) && strstr(said.text, "it is this block") && strstr(said.text, "IR") && strstr(said.text, "host") && strstr(said.text, "guest"));
    if (!strstr(said.text, what)) printf("%s\n", said.text);
    end();
}

static bool (*good_binary)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b);
static bool xor_is_or(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b)
{
    return good_binary(e, op == IR_XOR ? IR_OR : op, bits, d, a, b);
}
static bool (*good_binary_slot)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, unsigned b_slot);
static bool xor_is_or_in_slot(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, unsigned b_slot)
{
    return good_binary_slot(e, op == IR_XOR ? IR_OR : op, bits, d, a, b_slot);
}
static void break_xor(struct jit_target *t)
{
    good_binary = t->binary, t->binary = xor_is_or;
    if (t->binary_slot) good_binary_slot = t->binary_slot, t->binary_slot = xor_is_or_in_slot;
}

TEST(a_lowering_that_takes_xor_for_or_is_caught_and_shown)
{
    start(break_xor);
    load_work();
    expect_caught("x16");                                    /* a6 */
}

static void (*good_access)(struct emit *e, const struct jit_access *a);
static void too_wide(struct emit *e, const struct jit_access *a)
{
    struct jit_access wide = *a;
    if (a->is_store && (a->memop & MEM_SIZE) == MEM_8) wide.memop = (a->memop & ~(uint32_t)MEM_SIZE) | MEM_16;
    good_access(e, &wide);
}
static void break_store(struct jit_target *t) { good_access = t->access, t->access = too_wide; }

TEST(a_store_that_is_one_byte_too_wide_is_caught)
{
    start(break_store);
    guest_poke(&g, GUEST_DATA, ~0ull);
    GUEST_LOAD(&g, GUEST_CODE, rv_sb(ZERO, A2, 0), rv_addi(A2, A2, 2), rv_j(-8));
    X(A2) = GUEST_DATA;
    expect_caught("memory, byte 1 of a write of 1 bytes");
}

static void (*good_count)(struct emit *e, int32_t counts, bool poll, jit_patch out[2]);
static void miscount(struct emit *e, int32_t counts, bool poll, jit_patch out[2]) { good_count(e, counts + 1, poll, out); }
static void break_count(struct jit_target *t) { good_count = t->count, t->count = miscount; }

TEST(an_access_counted_twice_is_caught)
{
    start(break_count);
    load_work();
    expect_caught("memory accesses");
}
