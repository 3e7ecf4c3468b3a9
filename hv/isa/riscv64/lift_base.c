// SPDX-License-Identifier: Apache-2.0
/* RV64I but for system instructions, and with them what their compressed twins do (unprivileged manual, 2 and 5).
 * Misaligned loads and stores are done. Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

static enum lift_next register_op(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), get_x(b, a.rs2)));
}
static enum lift_next register_op_w(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_sx32(b, a.rd, ir_bin(b, op, IR_I32, lo32(b, a.rs1), lo32(b, a.rs2)));
}
static enum lift_next immediate_op(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_i a = riscv64_i(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), imm64(b, a.imm)));
}
static enum lift_next shift(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), count_of(b, a.rs2)));
}
static enum lift_next shift_w(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_sx32(b, a.rd, ir_bin(b, op, IR_I32, lo32(b, a.rs1), count_of(b, a.rs2)));
}
static enum lift_next shift_imm(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_i a = riscv64_i(i);
    return put_x(b, a.rd, ir_bin(b, op, IR_I64, get_x(b, a.rs1), ir_const(b, IR_I8, (uint64_t)a.imm)));
}
static enum lift_next shift_imm_w(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_i a = riscv64_i(i);
    return put_sx32(b, a.rd, ir_bin(b, op, IR_I32, lo32(b, a.rs1), ir_const(b, IR_I8, (uint64_t)a.imm)));
}
static enum lift_next set_if(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_r a = riscv64_r(i);
    return put_flag(b, a.rd, ir_bin(b, op, IR_I1, get_x(b, a.rs1), get_x(b, a.rs2)));
}
static enum lift_next set_if_imm(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct riscv64_i a = riscv64_i(i);
    return put_flag(b, a.rd, ir_bin(b, op, IR_I1, get_x(b, a.rs1), imm64(b, a.imm)));
}

LIFT(add)   { return register_op(b, i, IR_ADD); }
LIFT(sub)   { return register_op(b, i, IR_SUB); }
LIFT(and)   { return register_op(b, i, IR_AND); }
LIFT(or)    { return register_op(b, i, IR_OR); }
LIFT(xor)   { return register_op(b, i, IR_XOR); }
LIFT(addw)  { return register_op_w(b, i, IR_ADD); }
LIFT(subw)  { return register_op_w(b, i, IR_SUB); }
LIFT(addi)  { return immediate_op(b, i, IR_ADD); }
LIFT(andi)  { return immediate_op(b, i, IR_AND); }
LIFT(ori)   { return immediate_op(b, i, IR_OR); }
LIFT(xori)  { return immediate_op(b, i, IR_XOR); }
LIFT(sll)   { return shift(b, i, IR_SHL); }
LIFT(srl)   { return shift(b, i, IR_SHR); }
LIFT(sra)   { return shift(b, i, IR_SAR); }
LIFT(sllw)  { return shift_w(b, i, IR_SHL); }
LIFT(srlw)  { return shift_w(b, i, IR_SHR); }
LIFT(sraw)  { return shift_w(b, i, IR_SAR); }
LIFT(slli)  { return shift_imm(b, i, IR_SHL); }
LIFT(srli)  { return shift_imm(b, i, IR_SHR); }
LIFT(srai)  { return shift_imm(b, i, IR_SAR); }
LIFT(slliw) { return shift_imm_w(b, i, IR_SHL); }
LIFT(srliw) { return shift_imm_w(b, i, IR_SHR); }
LIFT(sraiw) { return shift_imm_w(b, i, IR_SAR); }
LIFT(slt)   { return set_if(b, i, IR_SLT); }
LIFT(sltu)  { return set_if(b, i, IR_ULT); }
LIFT(slti)  { return set_if_imm(b, i, IR_SLT); }
LIFT(sltiu) { return set_if_imm(b, i, IR_ULT); }

LIFT(addiw)
{
    struct riscv64_i a = riscv64_i(i);
    return put_sx32(b, a.rd, ir_bin(b, IR_ADD, IR_I32, lo32(b, a.rs1), ir_const(b, IR_I32, (uint32_t)a.imm)));
}
LIFT(lui)
{
    struct riscv64_u a = riscv64_u(i);
    return put_x(b, a.rd, imm64(b, a.imm));
}
LIFT(auipc)
{
    struct riscv64_u a = riscv64_u(i);
    return put_x(b, a.rd, ir_const(b, IR_I64, pc_plus(i, a.imm).v));
}

/* ---- control transfer (2.5). x1 and x5 are the link registers that hint calls and returns. ---- */
static bool is_link(int32_t r)
{
    return r == 1 || r == 5;
}

LIFT(jal)
{
    struct riscv64_j a = riscv64_j(i);
    (void)put_x(b, a.rd, ir_const(b, IR_I64, next_pc(i).v));
    return end_jump(b, pc_plus(i, a.imm), is_link(a.rd) ? IR_HINT_CALL : IR_HINT_NONE);
}

LIFT(jalr)
{
    struct riscv64_i a = riscv64_i(i);
    ir_ref to = ir_bin(b, IR_AND, IR_I64, address(b, a.rs1, a.imm), ir_const(b, IR_I64, ~1ull));
    (void)put_x(b, a.rd, ir_const(b, IR_I64, next_pc(i).v));
    enum ir_hint hint = is_link(a.rd) ? IR_HINT_CALL : is_link(a.rs1) ? IR_HINT_RETURN : IR_HINT_NONE;
    ir_end(b, (struct ir_end){ .kind = IR_END_INDIRECT, .hint = hint, .value = to });
    return LIFT_END;
}

/* Branch when op says so, or (is_not) when it does not. */
static enum lift_next branch(struct ir_block *b, const struct insn *i, enum ir_op op, bool is_not)
{
    struct riscv64_b a = riscv64_b(i);
    ir_ref is = ir_bin(b, op, IR_I1, get_x(b, a.rs1), get_x(b, a.rs2));
    guest_addr to = pc_plus(i, a.imm), next = next_pc(i);
    ir_end(b, (struct ir_end){ .kind = IR_END_BRANCH, .value = is, .taken = is_not ? next : to, .fall = is_not ? to : next });
    return LIFT_END;
}

LIFT(beq)  { return branch(b, i, IR_EQ, false); }
LIFT(bne)  { return branch(b, i, IR_NE, false); }
LIFT(blt)  { return branch(b, i, IR_SLT, false); }
LIFT(bge)  { return branch(b, i, IR_SLT, true); }
LIFT(bltu) { return branch(b, i, IR_ULT, false); }
LIFT(bgeu) { return branch(b, i, IR_ULT, true); }

/* ---- memory (2.6) ---- */
static enum lift_next load(struct ir_block *b, const struct insn *i, uint64_t memop)
{
    struct riscv64_i a = riscv64_i(i);
    return put_x(b, a.rd, ir_load(b, IR_I64, address(b, a.rs1, a.imm), memop));
}
static enum lift_next store(struct ir_block *b, const struct insn *i, uint64_t memop)
{
    struct riscv64_s a = riscv64_s(i);
    ir_store(b, address(b, a.rs1, a.imm), get_x(b, a.rs2), memop);
    return LIFT_NEXT;
}

LIFT(lb)  { return load(b, i, MEM_8 | MEM_SIGNED); }
LIFT(lh)  { return load(b, i, MEM_16 | MEM_SIGNED); }
LIFT(lw)  { return load(b, i, MEM_32 | MEM_SIGNED); }
LIFT(ld)  { return load(b, i, MEM_64); }
LIFT(lbu) { return load(b, i, MEM_8); }
LIFT(lhu) { return load(b, i, MEM_16); }
LIFT(lwu) { return load(b, i, MEM_32); }
LIFT(sb)  { return store(b, i, MEM_8); }
LIFT(sh)  { return store(b, i, MEM_16); }
LIFT(sw)  { return store(b, i, MEM_32); }
LIFT(sd)  { return store(b, i, MEM_64); }

/* ---- fences (2.7, Zihintpause). The manual draws I O R W from the top; ir.h's order is O I W R. ---- */
static uint64_t fence_set(int32_t iorw)
{
    return (iorw & 8 ? FENCE_I : 0u) | (iorw & 4 ? FENCE_O : 0u) | (iorw & 2 ? FENCE_R : 0u) | (iorw & 1 ? FENCE_W : 0u);
}
static enum lift_next fence(struct ir_block *b, uint64_t before, uint64_t after)
{
    if (before && after) {
        (void)ir_emit(b, IR_FENCE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, before | after << 4);
    }
    return LIFT_NEXT;
}

LIFT(fence)
{
    struct riscv64_fence a = riscv64_fence(i);
    return fence(b, fence_set(a.pred), fence_set(a.succ));
}
LIFT(fence_tso) { (void)i; return fence(b, FENCE_R | FENCE_W, FENCE_R | FENCE_W); }
LIFT(pause)     { (void)b; (void)i; return LIFT_NEXT; }
