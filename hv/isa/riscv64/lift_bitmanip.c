// SPDX-License-Identifier: Apache-2.0
/* Zba, Zbb and Zbs (RISC-V Bit-Manipulation ISA extensions 1.0). Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

/* ---- Zba: address generation. "uw" takes rs1's low word zero-extended. ---- */
static ir_ref zero_extended_word(struct ir_block *b, int32_t r)
{
    return ir_un(b, IR_ZEXT, IR_I64, lo32(b, r));
}
static enum lift_next shifted_add(struct ir_block *b, const struct insn *i, ir_ref index, unsigned by)
{
    struct riscv64_r a = riscv64_r(i);
    ir_ref scaled = by ? ir_bin(b, IR_SHL, IR_I64, index, ir_const(b, IR_I8, by)) : index;
    return put_x(b, a.rd, add64(b, scaled, get_x(b, a.rs2)));
}

LIFT(sh1add)    { return shifted_add(b, i, get_x(b, riscv64_r(i).rs1), 1); }
LIFT(sh2add)    { return shifted_add(b, i, get_x(b, riscv64_r(i).rs1), 2); }
LIFT(sh3add)    { return shifted_add(b, i, get_x(b, riscv64_r(i).rs1), 3); }
LIFT(add_uw)    { return shifted_add(b, i, zero_extended_word(b, riscv64_r(i).rs1), 0); }
LIFT(sh1add_uw) { return shifted_add(b, i, zero_extended_word(b, riscv64_r(i).rs1), 1); }
LIFT(sh2add_uw) { return shifted_add(b, i, zero_extended_word(b, riscv64_r(i).rs1), 2); }
LIFT(sh3add_uw) { return shifted_add(b, i, zero_extended_word(b, riscv64_r(i).rs1), 3); }
LIFT(slli_uw)
{
    struct riscv64_i a = riscv64_i(i);
    return put_x(b, a.rd, ir_bin(b, IR_SHL, IR_I64, zero_extended_word(b, a.rs1), ir_const(b, IR_I8, (uint64_t)a.imm)));
}

/* ---- Zbb: logic with negate ---- */
static enum lift_next logic_not(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), ir_un(b, IR_NOT, IR_I64, get_x(b, a.rs2))));
}

LIFT(andn) { return logic_not(b, i, IR_AND); }
LIFT(orn)  { return logic_not(b, i, IR_OR); }
LIFT(xnor) { return logic_not(b, i, IR_XOR); }

/* ---- counting, bytes, extension ---- */
static enum lift_next unary(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_un(b, op, IR_I64, get_x(b, a.rs1)));
}
static enum lift_next unary_w(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_un(b, IR_ZEXT, IR_I64, ir_un(b, op, IR_I32, lo32(b, a.rs1))));
}
static enum lift_next extend(struct ir_block *b, const struct insn *i, enum ir_op op, enum ir_type from)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_un(b, op, IR_I64, ir_un(b, IR_TRUNC, from, get_x(b, a.rs1))));
}

LIFT(clz)    { return unary(b, i, IR_CLZ); }
LIFT(ctz)    { return unary(b, i, IR_CTZ); }
LIFT(cpop)   { return unary(b, i, IR_POPCNT); }
LIFT(orc_b)  { return unary(b, i, IR_ORCB); }
LIFT(rev8)   { return unary(b, i, IR_BSWAP); }
LIFT(clzw)   { return unary_w(b, i, IR_CLZ); }
LIFT(ctzw)   { return unary_w(b, i, IR_CTZ); }
LIFT(cpopw)  { return unary_w(b, i, IR_POPCNT); }
LIFT(sext_b) { return extend(b, i, IR_SEXT, IR_I8); }
LIFT(sext_h) { return extend(b, i, IR_SEXT, IR_I16); }
LIFT(zext_h) { return extend(b, i, IR_ZEXT, IR_I16); }

/* ---- minimum and maximum ---- */
static enum lift_next choose(struct ir_block *b, const struct insn *i, enum ir_op less, bool want_less)
{
    struct riscv64_r a = riscv64_r(i);
    ir_ref x = get_x(b, a.rs1), y = get_x(b, a.rs2), is_less = ir_bin(b, less, IR_I1, x, y);
    return put_x(b, a.rd, want_less ? ir_sel(b, IR_I64, is_less, x, y) : ir_sel(b, IR_I64, is_less, y, x));
}

LIFT(min)  { return choose(b, i, IR_SLT, true); }
LIFT(minu) { return choose(b, i, IR_ULT, true); }
LIFT(max)  { return choose(b, i, IR_SLT, false); }
LIFT(maxu) { return choose(b, i, IR_ULT, false); }

/* ---- rotation: left is right by the negated count, counts are modulo the width ---- */
static ir_ref negated_count(struct ir_block *b, int32_t r)
{
    return ir_un(b, IR_NEG, IR_I8, count_of(b, r));
}
static enum lift_next rotate(struct ir_block *b, const struct insn *i, ir_ref right_by)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, IR_ROR, IR_I64, get_x(b, a.rs1), right_by));
}
static enum lift_next rotate_w(struct ir_block *b, const struct insn *i, ir_ref right_by)
{
    struct riscv64_r a = riscv64_r(i);
    return put_sx32(b, a.rd, ir_bin(b, IR_ROR, IR_I32, lo32(b, a.rs1), right_by));
}

LIFT(ror)   { return rotate(b, i, count_of(b, riscv64_r(i).rs2)); }
LIFT(rol)   { return rotate(b, i, negated_count(b, riscv64_r(i).rs2)); }
LIFT(rori)  { return rotate(b, i, ir_const(b, IR_I8, (uint64_t)riscv64_i(i).imm)); }
LIFT(rorw)  { return rotate_w(b, i, count_of(b, riscv64_r(i).rs2)); }
LIFT(rolw)  { return rotate_w(b, i, negated_count(b, riscv64_r(i).rs2)); }
LIFT(roriw) { return rotate_w(b, i, ir_const(b, IR_I8, (uint64_t)riscv64_i(i).imm)); }

/* ---- Zbs: single bits ---- */
static ir_ref one_bit(struct ir_block *b, const struct insn *i, bool is_imm)
{
    ir_ref by = is_imm ? ir_const(b, IR_I8, (uint64_t)riscv64_i(i).imm) : count_of(b, riscv64_r(i).rs2);
    return ir_bin(b, IR_SHL, IR_I64, ir_const(b, IR_I64, 1), by);
}
static enum lift_next with_bit(struct ir_block *b, const struct insn *i, enum ir_op op, ir_ref bit)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), bit));
}
static enum lift_next extract_bit(struct ir_block *b, const struct insn *i, ir_ref by)
{
    struct riscv64_r a = riscv64_r(i);
    ir_ref shifted = ir_bin(b, IR_SHR, IR_I64, get_x(b, a.rs1), by);
    return put_x(b, a.rd, ir_bin(b, IR_AND, IR_I64, shifted, ir_const(b, IR_I64, 1)));
}

LIFT(bclr)  { return with_bit(b, i, IR_AND, ir_un(b, IR_NOT, IR_I64, one_bit(b, i, false))); }
LIFT(bclri) { return with_bit(b, i, IR_AND, ir_un(b, IR_NOT, IR_I64, one_bit(b, i, true))); }
LIFT(binv)  { return with_bit(b, i, IR_XOR, one_bit(b, i, false)); }
LIFT(binvi) { return with_bit(b, i, IR_XOR, one_bit(b, i, true)); }
LIFT(bset)  { return with_bit(b, i, IR_OR, one_bit(b, i, false)); }
LIFT(bseti) { return with_bit(b, i, IR_OR, one_bit(b, i, true)); }
LIFT(bext)  { return extract_bit(b, i, count_of(b, riscv64_r(i).rs2)); }
LIFT(bexti) { return extract_bit(b, i, ir_const(b, IR_I8, (uint64_t)riscv64_i(i).imm)); }
