// SPDX-License-Identifier: Apache-2.0
/* Branches, hints and barriers (C4.1.87). Pure building of IR: see lift.h. */
#include "hv/isa/arm64/lift.h"

enum { LINK = 30 };

LIFT(b)      { return end_jump(b, pc_plus(i, arm64_i1(i).imm), IR_HINT_NONE); }
LIFT(b_cond) { return end_branch(b, i, a64_condition(b, (unsigned)arm64_br(i).rt), arm64_br(i).imm); }
LIFT(bl)
{
    (void)put_r(b, LINK, ir_const(b, IR_I64, next_pc(i).v));
    return end_jump(b, pc_plus(i, arm64_i1(i).imm), IR_HINT_CALL);
}
LIFT(br)  { return end_indirect(b, get_x(b, arm64_i1(i).imm), IR_HINT_NONE); }
LIFT(ret) { return end_indirect(b, get_x(b, arm64_i1(i).imm), IR_HINT_RETURN); }
LIFT(blr)
{
    ir_ref to = get_x(b, arm64_i1(i).imm);                               /* which may be the link register */
    (void)put_r(b, LINK, ir_const(b, IR_I64, next_pc(i).v));
    return end_indirect(b, to, IR_HINT_CALL);
}

static enum lift_next compare(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_br a = arm64_br(i);
    return end_branch(b, i, ir_bin(b, op, IR_I1, get_r(b, i, a.rt), constant(b, i, 0)), a.imm);
}
LIFT(cbz)  { return compare(b, i, IR_EQ); }
LIFT(cbnz) { return compare(b, i, IR_NE); }

static enum lift_next test(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_br a = arm64_br(i);
    ir_ref bit = ir_emit(b, IR_EXTRACT, IR_I64, get_x(b, a.rt), IR_NONE, IR_NONE, ir_field((unsigned)a.bit, 1));
    return end_branch(b, i, ir_bin(b, op, IR_I1, bit, ir_const(b, IR_I64, 0)), a.imm);
}
LIFT(tbz)  { return test(b, i, IR_EQ); }
LIFT(tbnz) { return test(b, i, IR_NE); }

LIFT(udf) { return end_undefined(b, i); }

/* Hints: YIELD, WFE (which may return at once), SEV, pointer authentication and BTI do nothing here; WFI waits. */
enum { HINT_WFI = 3 };
LIFT(hint)
{
    if (arm64_i1(i).imm != HINT_WFI) return LIFT_NEXT;
    ir_end(b, (struct ir_end){ .kind = IR_END_HALT, .value = IR_NONE, .taken = next_pc(i) });
    return LIFT_END;
}
LIFT(nothing) { (void)b; (void)i; return LIFT_NEXT; }

/* DMB, DSB: CRm<1:0> says which accesses before and after (C6.2, DMB). The domain is always all that there is. */
LIFT(barrier)
{
    static const uint8_t fence[] = { FENCE_FULL, FENCE_R | (FENCE_R | FENCE_W) << 4, FENCE_W | FENCE_W << 4, FENCE_FULL };
    (void)ir_emit(b, IR_FENCE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, fence[arm64_i1(i).imm & 3]);
    return LIFT_NEXT;
}
/* What changed how instructions are fetched has ended its block; nothing of later ones was looked at before. */
LIFT(isb) { return end_jump(b, next_pc(i), IR_HINT_NONE); }

static uint64_t clear_exclusive(struct vcpu *v, uint64_t x, uint64_t y, uint64_t z)
{
    (void)x, (void)y, (void)z;
    v->reservation.size_bytes = 0;
    return 0;
}
static const struct ir_helper helper_clrex = { "clrex", clear_exclusive, 0 };
LIFT(clrex)
{
    (void)i;
    (void)ir_call(b, IR_I64, &helper_clrex, IR_NONE, IR_NONE, IR_NONE);
    return LIFT_NEXT;
}
