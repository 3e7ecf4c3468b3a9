// SPDX-License-Identifier: Apache-2.0
/* A NaN born in a chain of F64 arithmetic is the canonical one wherever somebody looks: when the value that would have told of it is
 * overwritten or dies unused, when an access in the middle faults, and at moves of bits. Each chain begins with infinity less
 * infinity; slots 1, 3, 5, 7 may be in FP registers, the others are not (ir_rig.h). */
#include "hv/ir/softfp.h"
#include "test/unit/ir_model.h"
#include "test/unit/ir_rig.h"

static struct ir_block *b;
static void (*body)(void);
static unsigned first, second;                       /* slots of a program */
static ir_ref f(unsigned slot)                       { return ir_get(b, IR_F64, slot); }
static ir_ref fp(enum ir_op op, ir_ref x, ir_ref y)  { return ir_emit(b, op, IR_F64, x, y, IR_NONE, FP_RNE); }
static ir_ref born(void)                             { return fp(IR_FSUB, f(12), f(12)); }
static ir_ref load(uint64_t at)                      { return ir_load(b, IR_F64, ir_const(b, IR_I64, at), MEM_64); }

static enum lift_next lift(struct ir_block *block, const struct insn *i, void *arg)
{
    (void)i, (void)arg;
    b = block;
    body();
    const char *wrong = (ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { 0x2000 } }), ir_verify(b));
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
    return LIFT_END;
}

static enum exec_status run(void (*what)(void))
{
    body = what;
    rig_start(lift, NULL);
    rig_new();
    memset(rig_data(), 0, RIG_DATA_BYTES);
    for (unsigned n = 0; n < 32; n++) rig.v.regs.slot[n] = 0;
    rig.v.regs.slot[12] = 0x7ff0000000000000, rig.v.regs.slot[13] = 0x3ff0000000000000;
    return rig_run().status;
}
static uint64_t slot(unsigned n) { return rig.v.regs.slot[n]; }
static uint64_t data64(void)     { uint64_t v; memcpy(&v, rig_data(), 8); return v; }
#define IS_NAN(v) CHECK_EQ_U64(v, FP64_CANONICAL_NAN)

static void witness_overwritten(void)
{
    ir_ref a = born();
    ir_set(b, first, a);
    ir_set(b, second, fp(IR_FADD, a, f(13)));
    ir_set(b, second, load(RIG_DATA));
}
static void witness_unused(void)
{
    ir_ref a = born(), v = fp(IR_FMUL, a, f(13));
    ir_set(b, first, a);
    ir_set(b, second, ir_emit(b, IR_FLT, IR_I1, v, f(13), IR_NONE, FP_QUIET));
}
static void fault_behind(void)
{
    ir_ref a = born(), v = fp(IR_FMUL, a, f(13));
    ir_set(b, first, a);
    ir_set(b, second, v);
    ir_set(b, 10, load(RIG_NOTHING));
    ir_set(b, first, fp(IR_FADD, v, f(13)));
}
static void long_chain(void)
{
    ir_ref a = born();
    for (unsigned n = 0; n < 24; n++) {
        ir_set(b, n % 12, a);                        /* more than there are registers */
        (void)load(RIG_DATA);
        a = fp(n & 1 ? IR_FADD : IR_FMUL, a, n % 3 ? a : f(13));
    }
    ir_store(b, ir_const(b, IR_I64, RIG_DATA), a, MEM_64);
}
static void bits_moved(void)
{
    ir_ref a = born();
    ir_set(b, first, ir_emit(b, IR_FNEG, IR_F64, a, IR_NONE, IR_NONE, 0));
    ir_set(b, second, ir_bin(b, IR_ADD, IR_I64, ir_un(b, IR_TRUNC, IR_I64, a), ir_const(b, IR_I64, 1)));
}

TEST(a_nan_is_canonical_wherever_it_is_seen)
{
    static const uint8_t homes[] = { 1, 3, 8, 9 };
    for (unsigned n = 0; n < 16; n++) {
        first = homes[n & 3], second = homes[n >> 2];
        if (first == second) continue;
        CHECK(run(witness_overwritten) == EXEC_CONTINUE && slot(second) == 0);
        IS_NAN(slot(first));
        CHECK(run(witness_unused) == EXEC_CONTINUE && slot(second) == 0);
        IS_NAN(slot(first));
        CHECK_EQ_U64(run(fault_behind), EXEC_FAULT);
        IS_NAN(slot(first));
        IS_NAN(slot(second));
        CHECK_EQ_U64(run(bits_moved), EXEC_CONTINUE);
        CHECK_EQ_U64(slot(first), FP64_CANONICAL_NAN | 1ull << 63);
        CHECK_EQ_U64(slot(second), FP64_CANONICAL_NAN + 1);
        CHECK_EQ_U64(rig.v.regs.fp.flags & FP_INVALID, FP_INVALID);
    }
    CHECK_EQ_U64(run(long_chain), EXEC_CONTINUE);
    for (unsigned n = 0; n < 12; n++) IS_NAN(slot(n));
    IS_NAN(data64());
}
