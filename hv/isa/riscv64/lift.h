// SPDX-License-Identifier: Apache-2.0
/* Words of the riscv64 lift functions. A lift function turns one decoded instruction into IR; it runs in the thread that
 * builds a block and touches nothing but the block. Named after the lift column of riscv64.dec. */
#pragma once
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"

#define LIFT(name) enum lift_next rv_lift_##name(struct ir_block *b, const struct insn *i, __attribute__((unused)) uint32_t mode)
#define X(row, name) LIFT(name);
RVOP_ROW_LIST(X)
#undef X

/* Integer registers: x0 reads as 0 and drops what is written (unprivileged manual, 2.1). */
static inline ir_ref get_x(struct ir_block *b, int32_t r)
{
    return r ? ir_get(b, IR_I64, (unsigned)r) : ir_const(b, IR_I64, 0);
}
static inline enum lift_next put_x(struct ir_block *b, int32_t r, ir_ref v)
{
    if (r) {
        ir_set(b, (unsigned)r, v);
    }
    return LIFT_NEXT;
}
static inline ir_ref imm64(struct ir_block *b, int32_t imm)          { return ir_const(b, IR_I64, (uint64_t)(int64_t)imm); }
static inline ir_ref lo32(struct ir_block *b, int32_t r)             { return ir_un(b, IR_TRUNC, IR_I32, get_x(b, r)); }
static inline ir_ref count_of(struct ir_block *b, int32_t r)         { return ir_un(b, IR_TRUNC, IR_I8, get_x(b, r)); }
static inline ir_ref add64(struct ir_block *b, ir_ref x, ir_ref y)   { return ir_bin(b, IR_ADD, IR_I64, x, y); }
static inline ir_ref address(struct ir_block *b, int32_t base, int32_t imm) { return add64(b, get_x(b, base), imm64(b, imm)); }
/* A 32-bit result lands sign-extended. */
static inline enum lift_next put_sx32(struct ir_block *b, int32_t r, ir_ref v32)
{
    return put_x(b, r, ir_un(b, IR_SEXT, IR_I64, v32));
}
static inline enum lift_next put_flag(struct ir_block *b, int32_t r, ir_ref i1)
{
    return put_x(b, r, ir_un(b, IR_ZEXT, IR_I64, i1));
}

/* Addresses relative to this instruction; they wrap. */
static inline guest_addr pc_plus(const struct insn *i, int32_t offset)
{
    return guest_addr_wrapping_add(i->pc, (uint64_t)(int64_t)offset);
}
static inline guest_addr next_pc(const struct insn *i)               { return pc_plus(i, i->size_bytes); }

static inline enum lift_next end_jump(struct ir_block *b, guest_addr to, enum ir_hint hint)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .hint = hint, .value = IR_NONE, .taken = to });
    return LIFT_END;
}
/* Goes on behind this instruction through the dispatcher: its mode, mappings or interrupts may have changed. */
static inline enum lift_next end_leave(struct ir_block *b, const struct insn *i)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_LEAVE, .value = IR_NONE, .taken = next_pc(i) });
    return LIFT_END;
}
static inline enum lift_next end_fault(struct ir_block *b, const struct insn *i, struct fault f)
{
    ir_end(b, (struct ir_end){ .kind = IR_END_FAULT, .value = IR_NONE, .taken = i->pc, .fault = f });
    return LIFT_END;
}
static inline enum lift_next end_illegal(struct ir_block *b, const struct insn *i)
{
    return end_fault(b, i, fault_invalid_opcode(i->pc, i->bits));
}
