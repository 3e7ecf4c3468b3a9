// SPDX-License-Identifier: Apache-2.0
/* Integer rows on x86-64. Two-operand instructions: the result goes to d by way of scratch where d is an operand still wanted. */
#include "hv/jit/x64/x64.h"

void x64_mov(struct emit *e, uint8_t d, uint8_t a)
{
    if (d != a) x64_rr(e, 0x8b | X_W, d, a);
}

static void mov32(struct emit *e, uint8_t d, uint8_t a) { x64_rr(e, 0x8b, d, a); }

/* An instruction with a memory or register source: d = d op b. */
static void two_operand(struct emit *e, unsigned opcode, bool commutes, uint8_t d, uint8_t a, uint8_t b)
{
    if (d == b && d != a && commutes) {
        uint8_t swap = a;
        a = b;
        b = swap;
    }
    if (d == b && d != a) {
        x64_mov(e, RAX, a);
        x64_rr(e, opcode, RAX, b);
        x64_mov(e, d, RAX);
        return;
    }
    x64_mov(e, d, a);
    x64_rr(e, opcode, d, b);
}

static void shift(struct emit *e, unsigned sh, unsigned w, uint8_t d, uint8_t a, uint8_t b)
{
    mov32(e, RCX, b);
    if (w) x64_mov(e, d, a);
    else mov32(e, d, a);
    x64_rr(e, 0xd3 | w, sh, d);
}

/* Division by 0 and of the least number by -1 have results, no traps. */
static void divide(struct emit *e, enum ir_op op, unsigned w, uint8_t d, uint8_t a, uint8_t b)
{
    bool is_signed = op == IR_DIVS || op == IR_REMS, is_quotient = op == IR_DIVU || op == IR_DIVS;
    x64_mov(e, RCX, b);
    x64_mov(e, RAX, a);
    x64_rr(e, 0x85 | w, RCX, RCX);
    uint32_t zero = x64_jcc(e, CC_E), minus = 0;
    if (is_signed) {
        x64_alu_imm(e, ALU_CMP, w, RCX, -1);
        minus = x64_jcc(e, CC_E);
        x64_rr(e, 0x99 | w, 0, 0);                           /* cqo has no ModRM: taken back below */
        e->at--;
    } else {
        x64_rr(e, 0x31, RDX, RDX);
    }
    x64_rr(e, 0xf7 | w, is_signed ? 7 : 6, RCX);
    uint32_t done = x64_jmp(e), done_zero;
    x64_patch(e->base, zero, e->at);
    if (is_quotient) x64_mov_imm(e, RAX, ~0ull);
    else x64_rr(e, 0x8b | w, RDX, RAX);
    done_zero = is_signed ? x64_jmp(e) : 0;
    if (is_signed) {
        x64_patch(e->base, minus, e->at);
        if (is_quotient) x64_rr(e, 0xf7 | w, 3, RAX);        /* neg */
        else x64_rr(e, 0x31, RDX, RDX);
        x64_patch(e->base, done_zero, e->at);
    }
    x64_patch(e->base, done, e->at);
    if (w) x64_mov(e, d, is_quotient ? RAX : RDX);
    else mov32(e, d, is_quotient ? RAX : RDX);
}

bool x64_binary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b)
{
    unsigned w = bits == 64 ? X_W : 0;
    if (e->is_full) return true;
    switch (op) {
    case IR_ADD: two_operand(e, 0x03 | w, true, d, a, b); return true;
    case IR_SUB: two_operand(e, 0x2b | w, false, d, a, b); return true;
    case IR_AND: two_operand(e, 0x23 | w, true, d, a, b); return true;
    case IR_OR:  two_operand(e, 0x0b | w, true, d, a, b); return true;
    case IR_XOR: two_operand(e, 0x33 | w, true, d, a, b); return true;
    case IR_MUL: two_operand(e, 0xaf | X_0F | w, true, d, a, b); return true;
    case IR_SHL: shift(e, SH_SHL, w, d, a, b); return true;
    case IR_SHR: shift(e, SH_SHR, w, d, a, b); return true;
    case IR_SAR: shift(e, SH_SAR, w, d, a, b); return true;
    case IR_ROR: shift(e, SH_ROR, w, d, a, b); return true;
    case IR_MULHU: case IR_MULHS:
        if (bits != 64) return false;
        x64_mov(e, RAX, a);
        x64_rr(e, 0xf7 | X_W, op == IR_MULHS ? 5 : 4, b);
        x64_mov(e, d, RDX);
        return true;
    case IR_DIVU: case IR_DIVS: case IR_REMU: case IR_REMS: divide(e, op, w, d, a, b); return true;
    default: return false;
    }
}

bool x64_binary_slot(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, unsigned b_slot)
{
    unsigned w = bits == 64 ? X_W : 0, code;
    switch (op) {
    case IR_ADD: code = 0x03; break;
    case IR_SUB: code = 0x2b; break;
    case IR_AND: code = 0x23; break;
    case IR_OR:  code = 0x0b; break;
    case IR_XOR: code = 0x33; break;
    case IR_MUL: code = 0xaf | X_0F; break;
    default: return false;
    }
    x64_mov(e, d, a);
    x64_rm(e, code | w, d, RBP, X64_SLOT(b_slot));
    return true;
}

void x64_extend_slot(struct emit *e, uint8_t d, unsigned a_slot, unsigned from_bits, bool is_signed)
{
    unsigned code = from_bits == 8  ? is_signed ? 0xbe | X_0F | X_W : 0xb6 | X_0F
                  : from_bits == 16 ? (is_signed ? 0xbf | X_W : 0xb7) | X_0F
                  : from_bits == 32 ? is_signed ? 0x63 | X_W : 0x8b
                                    : 0x8b | X_W;
    x64_rm(e, code, d, RBP, X64_SLOT(a_slot));
}

bool x64_binary_imm(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, int64_t imm)
{
    unsigned w = bits == 64 ? X_W : 0, alu, sh;
    if (op == IR_ADD && d != a) {                            /* lea */
        x64_rm(e, 0x8d | w, d, a, (int32_t)imm);
        return true;
    }
    switch (op) {
    case IR_ADD: alu = ALU_ADD; break;
    case IR_SUB: alu = ALU_SUB; break;
    case IR_AND: alu = ALU_AND; break;
    case IR_OR:  alu = ALU_OR; break;
    case IR_XOR: alu = ALU_XOR; break;
    case IR_SHL: sh = SH_SHL; goto shifted;
    case IR_SHR: sh = SH_SHR; goto shifted;
    case IR_SAR: sh = SH_SAR; goto shifted;
    case IR_ROR: sh = SH_ROR; goto shifted;
    default: return false;
    }
    x64_mov(e, d, a);
    x64_alu_imm(e, alu, w, d, (int32_t)imm);
    return true;
shifted:
    if (w) x64_mov(e, d, a);
    else if (d != a || !(imm & 31)) mov32(e, d, a);
    if (imm & (bits - 1)) x64_shift_imm(e, sh, w, d, (unsigned)imm & (bits - 1));
    return true;
}

bool x64_unary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a)
{
    unsigned w = bits == 64 ? X_W : 0;
    switch (op) {
    case IR_NOT: case IR_NEG:
        x64_mov(e, d, a);
        x64_rr(e, 0xf7 | w, op == IR_NOT ? 2 : 3, d);
        return true;
    case IR_BSWAP:
        x64_mov(e, d, a);
        x64_rr(e, 0xc8 | X_0F | w, 1, d);                    /* 0F C8+r: the byte that a ModRM of /1 would be */
        e->at -= 2;
        emit8(e, 0xc8 | (d & 7));
        return true;
    case IR_CLZ:    if (!(e->features & X64_LZCNT)) return false;  x64_rr(e, 0xbd | X_0F | X_F3 | w, d, a); return true;
    case IR_CTZ:    if (!(e->features & X64_TZCNT)) return false;  x64_rr(e, 0xbc | X_0F | X_F3 | w, d, a); return true;
    case IR_POPCNT: if (!(e->features & X64_POPCNT)) return false; x64_rr(e, 0xb8 | X_0F | X_F3 | w, d, a); return true;
    default: return false;
    }
}

void x64_extend(struct emit *e, uint8_t d, uint8_t a, unsigned from_bits, bool is_signed)
{
    switch (from_bits) {
    case 1:
        x64_mov(e, d, a);
        if (is_signed) {
            x64_shift_imm(e, SH_SHL, true, d, 63);
            x64_shift_imm(e, SH_SAR, true, d, 63);
        } else {
            x64_alu_imm(e, ALU_AND, false, d, 1);
        }
        return;
    case 8:  x64_rr(e, is_signed ? 0xbe | X_0F | X_W : 0xb6 | X_0F | X_BYTE, d, a); return;
    case 16: x64_rr(e, (is_signed ? 0xbf | X_W : 0xb7) | X_0F, d, a); return;
    case 32:
        if (is_signed) x64_rr(e, 0x63 | X_W, d, a);
        else mov32(e, d, a);
        return;
    default: x64_mov(e, d, a);
    }
}

bool x64_field(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b, unsigned lsb, unsigned length)
{
    bool w = bits == 64;
    if (op != IR_DEPOSIT) {
        if (w) x64_mov(e, d, a);
        else mov32(e, d, a);
        unsigned left = bits - lsb - length, right = bits - length;
        if (left) x64_shift_imm(e, SH_SHL, w, d, left);
        if (right) x64_shift_imm(e, op == IR_EXTRACT ? SH_SHR : SH_SAR, w, d, right);
        return true;
    }
    uint64_t mask = (length == 64 ? ~0ull : (1ull << length) - 1) << lsb;
    x64_mov(e, RCX, b);
    if (lsb) x64_shift_imm(e, SH_SHL, w, RCX, lsb);
    x64_mov_imm(e, RAX, mask);
    x64_rr(e, 0x23 | X_W, RCX, RAX);
    x64_rr(e, 0xf7 | X_W, 2, RAX);                           /* not */
    x64_rr(e, 0x23 | X_W, RAX, a);
    x64_rr(e, 0x0b | X_W, RCX, RAX);
    if (w) x64_mov(e, d, RCX);
    else mov32(e, d, RCX);
    return true;
}

unsigned x64_compare(struct emit *e, const struct jit_compare *c)
{
    static const uint8_t code[] = { CC_E, CC_NE, CC_B, CC_BE, CC_L, CC_LE };
    unsigned w = c->bits == 64 ? X_W : 0;
    if (c->b != NO_REG) x64_rr(e, 0x3b | w, c->a, c->b);
    else if (c->b_slot != JIT_NO_SLOT) x64_rm(e, 0x3b | w, c->a, RBP, X64_SLOT(c->b_slot));
    else if (!c->imm && c->op != IR_ULT && c->op != IR_ULE) x64_rr(e, 0x85 | w, c->a, c->a);
    else x64_alu_imm(e, ALU_CMP, w, c->a, c->imm);
    return code[c->op - IR_EQ];
}

void x64_set_if(struct emit *e, uint8_t d, const struct jit_compare *c)
{
    unsigned cc = x64_compare(e, c);
    x64_rr(e, 0x90 | cc | X_0F | X_BYTE, 0, RAX);
    x64_rr(e, 0xb6 | X_0F, d, RAX);
}

void x64_select(struct emit *e, uint8_t d, uint8_t condition, uint8_t a, uint8_t b)
{
    x64_mov(e, RAX, b);
    x64_rr(e, 0xf6 | X_BYTE, 0, condition);                  /* test r8, 1 */
    emit8(e, 1);
    x64_rr(e, 0x40 | CC_NE | X_0F | X_W, RAX, a);
    x64_mov(e, d, RAX);
}
