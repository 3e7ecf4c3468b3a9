// SPDX-License-Identifier: Apache-2.0
/* Words of the A64 lift functions. A lift function turns one decoded instruction into IR; it runs in the thread that builds a block
 * and touches nothing but the block. Named after the lift column of arm64.dec. Widths come from the encoding, not from the row. */
#pragma once
#include "arm64_decode.h"
#include "hv/isa/arm64/state.h"

#define LIFT(name) enum lift_next a64_lift_##name(struct ir_block *b, const struct insn *i, __attribute__((unused)) uint32_t mode)
#define X(row, name) LIFT(name);
A64OP_ROW_LIST(X)
#undef X

/* The width of most instructions: sf, bit 31. */
static inline bool         is_64(const struct insn *i)                     { return i->bits >> 31; }
static inline enum ir_type type_of(const struct insn *i)                   { return is_64(i) ? IR_I64 : IR_I32; }
static inline unsigned     width_of(const struct insn *i)                  { return is_64(i) ? 64 : 32; }
static inline ir_ref       constant(struct ir_block *b, const struct insn *i, uint64_t v) { return ir_const(b, type_of(i), v); }
static inline ir_ref       one_bit(struct ir_block *b, bool v)             { return ir_const(b, IR_I1, v); }
static inline ir_ref       count(struct ir_block *b, unsigned n)           { return ir_const(b, IR_I8, n); }

/* General registers: 31 is zero, or the stack pointer where the manual says Xn|SP. A W register reads as the low half, and clears the
 * upper one when written (B1.2.1). */
static inline ir_ref get_x(struct ir_block *b, int32_t r) { return r == 31 ? ir_const(b, IR_I64, 0) : ir_get(b, IR_I64, (unsigned)r); }
static inline ir_ref get_w(struct ir_block *b, int32_t r) { return ir_un(b, IR_TRUNC, IR_I32, get_x(b, r)); }
static inline ir_ref get_xsp(struct ir_block *b, int32_t r) { return ir_get(b, IR_I64, r == 31 ? ARM64_SLOT_SP : (unsigned)r); }
static inline ir_ref get_r(struct ir_block *b, const struct insn *i, int32_t r) { return is_64(i) ? get_x(b, r) : get_w(b, r); }
static inline ir_ref get_rsp(struct ir_block *b, const struct insn *i, int32_t r)
{
    return is_64(i) ? get_xsp(b, r) : ir_un(b, IR_TRUNC, IR_I32, get_xsp(b, r));
}
static inline enum lift_next put_r(struct ir_block *b, int32_t r, ir_ref v)
{
    if (r != 31) ir_set(b, (unsigned)r, v);
    return LIFT_NEXT;
}
static inline enum lift_next put_rsp(struct ir_block *b, int32_t r, ir_ref v)
{
    ir_set(b, r == 31 ? ARM64_SLOT_SP : (unsigned)r, v);
    return LIFT_NEXT;
}
static inline ir_ref op2(struct ir_block *b, const struct insn *i, enum ir_op op, ir_ref x, ir_ref y) { return ir_bin(b, op, type_of(i), x, y); }
static inline ir_ref add64(struct ir_block *b, ir_ref x, ir_ref y) { return ir_bin(b, IR_ADD, IR_I64, x, y); }
static inline ir_ref address(struct ir_block *b, int32_t base, int32_t offset)
{
    return add64(b, get_xsp(b, base), ir_const(b, IR_I64, (uint64_t)(int64_t)offset));
}

/* lift_bits.c. A register shifted as `shifted` says (type in 7:6, amount in 5:0); one extended (option: 1:0 its size, 2 signed), then
 * shifted to the left. */
ir_ref a64_shifted(struct ir_block *b, const struct insn *i, int32_t rm, int32_t shifted);
ir_ref a64_extended(struct ir_block *b, enum ir_type type, int32_t rm, unsigned option, unsigned by);

/* ---- conditions: flags.c ---- */
struct a64_flags { ir_ref n, z, c, v; };
/* Of a result whose carry and overflow are 0. */
struct a64_flags a64_flags_of(struct ir_block *b, ir_ref result);
/* Of x + y, and of x - y, where c is "no borrow". */
struct a64_flags a64_flags_of_add(struct ir_block *b, ir_ref x, ir_ref y, ir_ref sum);
struct a64_flags a64_flags_of_sub(struct ir_block *b, ir_ref x, ir_ref y, ir_ref difference);
void             a64_put_flags(struct ir_block *b, struct a64_flags f);
ir_ref           a64_condition(struct ir_block *b, unsigned cond);       /* an i1: the condition holds now (C1.2.4) */

/* ---- where blocks end ---- */
/* Addresses relative to this instruction; they wrap. */
static inline guest_addr pc_plus(const struct insn *i, int32_t offset) { return guest_addr_wrapping_add(i->pc, (uint64_t)(int64_t)offset); }
static inline guest_addr next_pc(const struct insn *i)                 { return pc_plus(i, 4); }
/* The ways a block goes on; the last raises the undefined instruction. */
static inline enum lift_next end_jump(struct ir_block *b, guest_addr to, enum ir_hint hint)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .hint = hint, .value = IR_NONE, .taken = to });
    return LIFT_END;
}
static inline enum lift_next end_branch(struct ir_block *b, const struct insn *i, ir_ref is_taken, int32_t offset)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_BRANCH, .value = is_taken, .taken = pc_plus(i, offset), .fall = next_pc(i) });
    return LIFT_END;
}
static inline enum lift_next end_indirect(struct ir_block *b, ir_ref to, enum ir_hint hint)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_INDIRECT, .hint = hint, .value = to });
    return LIFT_END;
}
static inline enum lift_next end_undefined(struct ir_block *b, const struct insn *i)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_FAULT, .value = IR_NONE, .taken = i->pc, .fault = fault_invalid_opcode(i->pc, i->bits) });
    return LIFT_END;
}
