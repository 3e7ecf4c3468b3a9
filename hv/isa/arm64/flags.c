// SPDX-License-Identifier: Apache-2.0
/* NZCV as four truth values in slots of their own: made by all that set them, deleted by the sealing of a block where nobody looks.
 * Pure building of IR: see lift.h. */
#include "hv/isa/arm64/lift.h"

static ir_ref zero_like(struct ir_block *b, ir_ref x)  { return ir_const(b, (enum ir_type)b->insn[x].type, 0); }
static ir_ref not(struct ir_block *b, ir_ref x)        { return ir_bin(b, IR_XOR, IR_I1, x, one_bit(b, 1)); }
static ir_ref test(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y) { return ir_bin(b, op, IR_I1, x, y); }

struct a64_flags a64_flags_of(struct ir_block *b, ir_ref result)
{
    ir_ref zero = zero_like(b, result), clear = one_bit(b, 0);
    return (struct a64_flags){ test(b, IR_SLT, result, zero), test(b, IR_EQ, result, zero), clear, clear };
}

struct a64_flags a64_flags_of_add(struct ir_block *b, ir_ref x, ir_ref y, ir_ref sum)
{
    struct a64_flags f = a64_flags_of(b, sum);
    ir_ref no_carry = one_bit(b, 0);
    f.c = ir_emit(b, IR_CARRY, IR_I1, x, y, no_carry, 0);
    f.v = ir_emit(b, IR_ADDOV, IR_I1, x, y, no_carry, 0);
    return f;
}

struct a64_flags a64_flags_of_sub(struct ir_block *b, ir_ref x, ir_ref y, ir_ref difference)
{
    return (struct a64_flags){ test(b, IR_SLT, difference, zero_like(b, x)), test(b, IR_EQ, x, y), test(b, IR_ULE, y, x),
                               ir_emit(b, IR_SUBOV, IR_I1, x, y, one_bit(b, 0), 0) };
}

void a64_put_flags(struct ir_block *b, struct a64_flags f)
{
    ir_set(b, ARM64_SLOT_N, f.n);
    ir_set(b, ARM64_SLOT_Z, f.z);
    ir_set(b, ARM64_SLOT_C, f.c);
    ir_set(b, ARM64_SLOT_V, f.v);
}

/* When all four flags are those of a subtraction in this block, conditions on them are comparisons of its operands: it alone
 * makes V a SUBOV without a borrow. */
static const struct ir_insn *compared(const struct ir_block *b)
{
    uint64_t borrow;
    ir_ref v = b->slot_value[ARM64_SLOT_V];
    if (v == IR_NONE || b->insn[v].op != IR_SUBOV || !ir_is_const(b, b->insn[v].c, &borrow) || borrow) return NULL;
    return &b->insn[v];
}

ir_ref a64_condition(struct ir_block *b, unsigned cond)
{
    static const struct { uint8_t op; bool swaps; } of_comparison[14] = {
        [0] = { IR_EQ, false }, { IR_NE, false }, { IR_ULE, true }, { IR_ULT, false },                               /* eq ne cs cc */
        [8] = { IR_ULT, true }, { IR_ULE, false }, { IR_SLE, true }, { IR_SLT, false }, { IR_SLT, true }, { IR_SLE, false },     /* hi ls ge lt gt le */
    };
    const struct ir_insn *c = compared(b);
    if (c && cond < 14 && of_comparison[cond].op) {
        ir_ref x = c->a, y = c->b;
        return of_comparison[cond].swaps ? test(b, (enum ir_op)of_comparison[cond].op, y, x) : test(b, (enum ir_op)of_comparison[cond].op, x, y);
    }
    if (cond >= 14) return one_bit(b, 1);                                /* al, and nv, which means the same */
    ir_ref holds = IR_NONE;
    switch (cond >> 1) {
    case 0:  holds = ir_get(b, IR_I1, ARM64_SLOT_Z); break;
    case 1:  holds = ir_get(b, IR_I1, ARM64_SLOT_C); break;
    case 2:  holds = ir_get(b, IR_I1, ARM64_SLOT_N); break;
    case 3:  holds = ir_get(b, IR_I1, ARM64_SLOT_V); break;
    case 4:  holds = test(b, IR_AND, ir_get(b, IR_I1, ARM64_SLOT_C), not(b, ir_get(b, IR_I1, ARM64_SLOT_Z))); break;
    default: holds = test(b, IR_EQ, ir_get(b, IR_I1, ARM64_SLOT_N), ir_get(b, IR_I1, ARM64_SLOT_V)); break;
    }
    if (cond >> 1 == 6) holds = test(b, IR_AND, holds, not(b, ir_get(b, IR_I1, ARM64_SLOT_Z)));
    return cond & 1 ? not(b, holds) : holds;
}
