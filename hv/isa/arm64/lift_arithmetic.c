// SPDX-License-Identifier: Apache-2.0
/* Addition, subtraction, their flags, conditional comparison and selection, multiplication, division (C4.1.86, C4.1.89). Pure building
 * of IR: see lift.h. */
#include "hv/isa/arm64/lift.h"

/* x + y or x - y, and the flags when they are wanted. */
enum sum { ADD, SUB };
static ir_ref sum(struct ir_block *b, const struct insn *i, enum sum how, ir_ref x, ir_ref y, bool sets_flags)
{
    ir_ref r = op2(b, i, how == ADD ? IR_ADD : IR_SUB, x, y);
    if (sets_flags) a64_put_flags(b, how == ADD ? a64_flags_of_add(b, x, y, r) : a64_flags_of_sub(b, x, y, r));
    return r;
}

/* Immediate: 12 bits, or those shifted by 12. Rd is the stack pointer where no flags are set. */
static enum lift_next sum_imm(struct ir_block *b, const struct insn *i, enum sum how, bool sets_flags)
{
    struct arm64_rri a = arm64_rri(i);
    uint64_t imm = (uint64_t)(a.imm & 0xfff) << (a.imm >> 12 ? 12 : 0);
    ir_ref r = sum(b, i, how, get_rsp(b, i, a.rn), constant(b, i, imm), sets_flags);
    return sets_flags ? put_r(b, a.rd, r) : put_rsp(b, a.rd, r);
}
LIFT(add_imm)  { return sum_imm(b, i, ADD, false); }
LIFT(adds_imm) { return sum_imm(b, i, ADD, true); }
LIFT(sub_imm)  { return sum_imm(b, i, SUB, false); }
LIFT(subs_imm) { return sum_imm(b, i, SUB, true); }

static enum lift_next sum_shifted(struct ir_block *b, const struct insn *i, enum sum how, bool sets_flags)
{
    struct arm64_rrri a = arm64_rrri(i);
    return put_r(b, a.rd, sum(b, i, how, get_r(b, i, a.rn), a64_shifted(b, i, a.rm, a.imm), sets_flags));
}
LIFT(add)  { return sum_shifted(b, i, ADD, false); }
LIFT(adds) { return sum_shifted(b, i, ADD, true); }
LIFT(sub)  { return sum_shifted(b, i, SUB, false); }
LIFT(subs) { return sum_shifted(b, i, SUB, true); }

static enum lift_next sum_extended(struct ir_block *b, const struct insn *i, enum sum how, bool sets_flags)
{
    struct arm64_rrx a = arm64_rrx(i);
    ir_ref y = a64_extended(b, type_of(i), a.extended >> 6 & 31, (unsigned)a.extended >> 3 & 7, (unsigned)a.extended & 7);
    ir_ref r = sum(b, i, how, get_rsp(b, i, a.rn), y, sets_flags);
    return sets_flags ? put_r(b, a.rd, r) : put_rsp(b, a.rd, r);
}
LIFT(add_ext)  { return sum_extended(b, i, ADD, false); }
LIFT(adds_ext) { return sum_extended(b, i, ADD, true); }
LIFT(sub_ext)  { return sum_extended(b, i, SUB, false); }
LIFT(subs_ext) { return sum_extended(b, i, SUB, true); }

/* With carry. Subtraction borrows where C is clear. */
static enum lift_next sum_carry(struct ir_block *b, const struct insn *i, enum sum how, bool sets_flags)
{
    struct arm64_rrri a = arm64_rrri(i);
    ir_ref x = get_r(b, i, a.rn), y = get_r(b, i, a.rm), c = ir_get(b, IR_I1, ARM64_SLOT_C);
    ir_ref set = one_bit(b, 1), in = how == ADD ? c : ir_bin(b, IR_XOR, IR_I1, c, set);
    ir_ref r = ir_emit(b, how == ADD ? IR_ADC : IR_SBB, type_of(i), x, y, in, 0);
    if (sets_flags) {
        struct a64_flags f = a64_flags_of(b, r);
        f.c = how == ADD ? ir_emit(b, IR_CARRY, IR_I1, x, y, in, 0) : ir_bin(b, IR_XOR, IR_I1, ir_emit(b, IR_BORROW, IR_I1, x, y, in, 0), set);
        f.v = ir_emit(b, how == ADD ? IR_ADDOV : IR_SUBOV, IR_I1, x, y, in, 0);
        a64_put_flags(b, f);
    }
    return put_r(b, a.rd, r);
}
LIFT(adc)  { return sum_carry(b, i, ADD, false); }
LIFT(adcs) { return sum_carry(b, i, ADD, true); }
LIFT(sbc)  { return sum_carry(b, i, SUB, false); }
LIFT(sbcs) { return sum_carry(b, i, SUB, true); }

/* Conditional comparison: the flags of it, or those in the instruction. */
static enum lift_next compare_if(struct ir_block *b, const struct insn *i, enum sum how, bool is_immediate)
{
    struct arm64_cc a = arm64_cc(i);
    ir_ref holds = a64_condition(b, (unsigned)a.cond), x = get_r(b, i, a.rn), y = is_immediate ? constant(b, i, (uint64_t)a.rm) : get_r(b, i, a.rm);
    ir_ref r = op2(b, i, how == ADD ? IR_ADD : IR_SUB, x, y);
    struct a64_flags f = how == ADD ? a64_flags_of_add(b, x, y, r) : a64_flags_of_sub(b, x, y, r);
    f.n = ir_sel(b, IR_I1, holds, f.n, one_bit(b, a.nzcv & 8));
    f.z = ir_sel(b, IR_I1, holds, f.z, one_bit(b, a.nzcv & 4));
    f.c = ir_sel(b, IR_I1, holds, f.c, one_bit(b, a.nzcv & 2));
    f.v = ir_sel(b, IR_I1, holds, f.v, one_bit(b, a.nzcv & 1));
    a64_put_flags(b, f);
    return LIFT_NEXT;
}
LIFT(ccmn)     { return compare_if(b, i, ADD, false); }
LIFT(ccmp)     { return compare_if(b, i, SUB, false); }
LIFT(ccmn_imm) { return compare_if(b, i, ADD, true); }
LIFT(ccmp_imm) { return compare_if(b, i, SUB, true); }

/* Conditional selection; the second operand as it is, plus one, inverted, negated. */
LIFT(csel)
{
    struct arm64_csel a = arm64_csel(i);
    return put_r(b, a.rd, ir_sel(b, type_of(i), a64_condition(b, (unsigned)a.cond), get_r(b, i, a.rn), get_r(b, i, a.rm)));
}
LIFT(csinc)
{
    struct arm64_csel a = arm64_csel(i);
    ir_ref other = op2(b, i, IR_ADD, get_r(b, i, a.rm), constant(b, i, 1));
    return put_r(b, a.rd, ir_sel(b, type_of(i), a64_condition(b, (unsigned)a.cond), get_r(b, i, a.rn), other));
}
static enum lift_next select_op(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_csel a = arm64_csel(i);
    ir_ref other = ir_un(b, op, type_of(i), get_r(b, i, a.rm));
    return put_r(b, a.rd, ir_sel(b, type_of(i), a64_condition(b, (unsigned)a.cond), get_r(b, i, a.rn), other));
}
LIFT(csinv) { return select_op(b, i, IR_NOT); }
LIFT(csneg) { return select_op(b, i, IR_NEG); }

/* ---- multiplication, division ---- */
static enum lift_next multiply(struct ir_block *b, const struct insn *i, enum ir_op add_or_sub)
{
    struct arm64_rrrr a = arm64_rrrr(i);
    return put_r(b, a.rd, op2(b, i, add_or_sub, get_r(b, i, a.ra), op2(b, i, IR_MUL, get_r(b, i, a.rn), get_r(b, i, a.rm))));
}
LIFT(madd) { return multiply(b, i, IR_ADD); }
LIFT(msub) { return multiply(b, i, IR_SUB); }

static enum lift_next multiply_long(struct ir_block *b, const struct insn *i, enum ir_op extend, enum ir_op add_or_sub)
{
    struct arm64_rrrr a = arm64_rrrr(i);
    ir_ref x = ir_un(b, extend, IR_I64, get_w(b, a.rn)), y = ir_un(b, extend, IR_I64, get_w(b, a.rm));
    return put_r(b, a.rd, ir_bin(b, add_or_sub, IR_I64, get_x(b, a.ra), ir_bin(b, IR_MUL, IR_I64, x, y)));
}
LIFT(smaddl) { return multiply_long(b, i, IR_SEXT, IR_ADD); }
LIFT(smsubl) { return multiply_long(b, i, IR_SEXT, IR_SUB); }
LIFT(umaddl) { return multiply_long(b, i, IR_ZEXT, IR_ADD); }
LIFT(umsubl) { return multiply_long(b, i, IR_ZEXT, IR_SUB); }

static enum lift_next register_op(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_rrri a = arm64_rrri(i);
    return put_r(b, a.rd, op2(b, i, op, get_r(b, i, a.rn), get_r(b, i, a.rm)));
}
LIFT(smulh) { return register_op(b, i, IR_MULHS); }
LIFT(umulh) { return register_op(b, i, IR_MULHU); }

/* By zero: zero. The least number by -1: itself, as the IR has it. */
static enum lift_next divide(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_rrri a = arm64_rrri(i);
    ir_ref y = get_r(b, i, a.rm), zero = constant(b, i, 0);
    return put_r(b, a.rd, ir_sel(b, type_of(i), ir_bin(b, IR_EQ, IR_I1, y, zero), zero, op2(b, i, op, get_r(b, i, a.rn), y)));
}
LIFT(udiv) { return divide(b, i, IR_DIVU); }
LIFT(sdiv) { return divide(b, i, IR_DIVS); }
