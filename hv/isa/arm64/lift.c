// SPDX-License-Identifier: Apache-2.0
/* Row -> lift function: the decode table's lift column. Constant data: any context. */
#include "hv/isa/arm64/lift.h"

typedef enum lift_next lift_fn(struct ir_block *b, const struct insn *i, uint32_t mode);

static lift_fn *const lift_of[A64OP_ROW_COUNT] = {
#define X(row, name) [row] = a64_lift_##name,
    A64OP_ROW_LIST(X)
#undef X
};

/* Rows of the table that nobody lifts yet. */
LIFT(missing) { return end_undefined(b, i); }

enum lift_next arm64_lift(struct ir_block *b, const struct insn *i, uint32_t mode)
{
    return i->op < A64OP_ROW_COUNT ? lift_of[i->op](b, i, mode) : end_undefined(b, i);
}
