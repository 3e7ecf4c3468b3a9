// SPDX-License-Identifier: Apache-2.0
/* Row -> lift function: the decode table's lift column. Constant data: any context. */
#include "hv/isa/riscv64/lift.h"

typedef enum lift_next lift_fn(struct ir_block *b, const struct insn *i, uint32_t mode);

static lift_fn *const lift_of[RVOP_ROW_COUNT] = {
#define X(row, name) [row] = rv_lift_##name,
    RVOP_ROW_LIST(X)
#undef X
};

enum lift_next rv_lift(struct ir_block *b, const struct insn *i, uint32_t mode)
{
    if (i->op >= RVOP_ROW_COUNT || !lift_of[i->op]) {
        return end_illegal(b, i);
    }
    return lift_of[i->op](b, i, mode);
}
