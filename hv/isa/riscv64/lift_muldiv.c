// SPDX-License-Identifier: Apache-2.0
/* M: multiplication and division (unprivileged manual, 7). The IR's division is total, with RISC-V's results for zero
 * divisors and overflow. Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

static enum lift_next wide(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), get_x(b, a.rs2)));
}
static enum lift_next word(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_sx32(b, a.rd, ir_bin(b, op, IR_I32, lo32(b, a.rs1), lo32(b, a.rs2)));
}

LIFT(mul)    { return wide(b, i, IR_MUL); }
LIFT(mulh)   { return wide(b, i, IR_MULHS); }
LIFT(mulhsu) { return wide(b, i, IR_MULHSU); }
LIFT(mulhu)  { return wide(b, i, IR_MULHU); }
LIFT(div)    { return wide(b, i, IR_DIVS); }
LIFT(divu)   { return wide(b, i, IR_DIVU); }
LIFT(rem)    { return wide(b, i, IR_REMS); }
LIFT(remu)   { return wide(b, i, IR_REMU); }
LIFT(mulw)   { return word(b, i, IR_MUL); }
LIFT(divw)   { return word(b, i, IR_DIVS); }
LIFT(divuw)  { return word(b, i, IR_DIVU); }
LIFT(remw)   { return word(b, i, IR_REMS); }
LIFT(remuw)  { return word(b, i, IR_REMU); }
