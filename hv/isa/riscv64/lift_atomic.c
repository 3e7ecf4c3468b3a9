// SPDX-License-Identifier: Apache-2.0
/* A: load-reserved, store-conditional and read-modify-write (unprivileged manual, 8). Misaligned addresses fault; .aq and
 * .rl become the memop's acquire and release. Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

static uint64_t atomic_memop(const struct riscv64_amo *a, uint64_t size)
{
    return size | MEM_SIGNED | MEM_ALIGNED | (a->aqrl & 2 ? MEM_ACQUIRE : 0u) | (a->aqrl & 1 ? MEM_RELEASE : 0u);
}
static ir_ref operand(struct ir_block *b, int32_t r, uint64_t size)
{
    return size == MEM_32 ? lo32(b, r) : get_x(b, r);
}
static enum ir_type type_of(uint64_t size)
{
    return size == MEM_32 ? IR_I32 : IR_I64;
}
/* rd gets the old value, a word sign-extended. */
static enum lift_next put_old(struct ir_block *b, int32_t rd, ir_ref old, uint64_t size)
{
    return size == MEM_32 ? put_sx32(b, rd, old) : put_x(b, rd, old);
}

static enum lift_next lr(struct ir_block *b, const struct insn *i, uint64_t size)
{
    struct riscv64_amo a = riscv64_amo(i);
    ir_ref old = ir_emit(b, IR_LL, type_of(size), get_x(b, a.rs1), IR_NONE, IR_NONE, atomic_memop(&a, size));
    return put_old(b, a.rd, old, size);
}
static enum lift_next sc(struct ir_block *b, const struct insn *i, uint64_t size)
{
    struct riscv64_amo a = riscv64_amo(i);
    ir_ref is_stored = ir_emit(b, IR_SC, IR_I1, get_x(b, a.rs1), operand(b, a.rs2, size), IR_NONE, atomic_memop(&a, size));
    return put_flag(b, a.rd, ir_bin(b, IR_XOR, IR_I1, is_stored, ir_const(b, IR_I1, 1)));
}
static enum lift_next amo(struct ir_block *b, const struct insn *i, uint64_t size, enum ir_amo op)
{
    struct riscv64_amo a = riscv64_amo(i);
    uint64_t memop = atomic_memop(&a, size) | (uint64_t)op << MEM_AMO_SHIFT;
    ir_ref old = ir_emit(b, IR_AMO, type_of(size), get_x(b, a.rs1), operand(b, a.rs2, size), IR_NONE, memop);
    return put_old(b, a.rd, old, size);
}

LIFT(lr_w)      { return lr(b, i, MEM_32); }
LIFT(lr_d)      { return lr(b, i, MEM_64); }
LIFT(sc_w)      { return sc(b, i, MEM_32); }
LIFT(sc_d)      { return sc(b, i, MEM_64); }
LIFT(amoswap_w) { return amo(b, i, MEM_32, AMO_SWAP); }
LIFT(amoadd_w)  { return amo(b, i, MEM_32, AMO_ADD); }
LIFT(amoxor_w)  { return amo(b, i, MEM_32, AMO_XOR); }
LIFT(amoand_w)  { return amo(b, i, MEM_32, AMO_AND); }
LIFT(amoor_w)   { return amo(b, i, MEM_32, AMO_OR); }
LIFT(amomin_w)  { return amo(b, i, MEM_32, AMO_MIN); }
LIFT(amomax_w)  { return amo(b, i, MEM_32, AMO_MAX); }
LIFT(amominu_w) { return amo(b, i, MEM_32, AMO_MINU); }
LIFT(amomaxu_w) { return amo(b, i, MEM_32, AMO_MAXU); }
LIFT(amoswap_d) { return amo(b, i, MEM_64, AMO_SWAP); }
LIFT(amoadd_d)  { return amo(b, i, MEM_64, AMO_ADD); }
LIFT(amoxor_d)  { return amo(b, i, MEM_64, AMO_XOR); }
LIFT(amoand_d)  { return amo(b, i, MEM_64, AMO_AND); }
LIFT(amoor_d)   { return amo(b, i, MEM_64, AMO_OR); }
LIFT(amomin_d)  { return amo(b, i, MEM_64, AMO_MIN); }
LIFT(amomax_d)  { return amo(b, i, MEM_64, AMO_MAX); }
LIFT(amominu_d) { return amo(b, i, MEM_64, AMO_MINU); }
LIFT(amomaxu_d) { return amo(b, i, MEM_64, AMO_MAXU); }
