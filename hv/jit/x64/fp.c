// SPDX-License-Identifier: Apache-2.0
/* FP rows on SSE (SDM 11.5): round to nearest even, exceptions masked, flags gathered in MXCSR. The host finds tininess after
 * rounding. What it does otherwise than the IR: NaN results (any NaN is replaced by the canonical one, out of line), conversions
 * out of range (C decides), and fused multiply-add of a NaN (the same). */
#include "hv/jit/x64/x64.h"

enum { OP_SQRT = 0x51, OP_AND = 0x54, OP_OR = 0x56, OP_XOR = 0x57, OP_ADD = 0x58, OP_MUL = 0x59, OP_SUB = 0x5c, OP_DIV = 0x5e, OP_CMP = 0xc2 };

static void movaps(struct emit *e, uint8_t d, uint8_t a)
{
    if (d != a) x64_rr(e, 0x28 | X_0F, d, a);
}

static unsigned scalar(bool is_single) { return X_0F | (is_single ? X_F3 : X_F2); }
static unsigned compare_op(bool quiet, bool is_single) { return (quiet ? 0x2eu : 0x2fu) | X_0F | (is_single ? 0 : X_66); }

/* Out of line when d is a NaN. */
static void canonical(struct emit *e, uint8_t d, bool is_single)
{
    x64_rr(e, compare_op(true, is_single), d, d);
    struct emit_stub *s = emit_stub(e);
    s->kind = STUB_NAN;
    s->from = x64_jcc(e, CC_P);
    s->back = e->at;
    s->d = d;
    s->is_single = is_single;
}

/* Out of line, C gives the result. Operands are whole then. */
static void by_call(struct emit *e, unsigned cc, uint8_t d, bool is_d_fp, uint8_t a, uint8_t b, uint8_t c, uint32_t place)
{
    struct emit_stub *s = emit_stub(e);
    s->kind = STUB_FP_CALL;
    s->from = x64_jcc(e, cc);
    s->place = place;
    s->d = d, s->a = a, s->b = b, s->c = c;
    s->is_d_fp = is_d_fp;
}

static void bare_arithmetic(struct emit *e, unsigned op, bool is_single, uint8_t d, uint8_t a, uint8_t b)
{
    unsigned code = op | scalar(is_single);
    if (d == b && d != a) {
        movaps(e, 0, a);
        x64_rr(e, code, 0, b);
        movaps(e, d, 0);
    } else {
        movaps(e, d, a);
        x64_rr(e, code, d, b);
    }
}

static void arithmetic(struct emit *e, unsigned op, bool is_single, uint8_t d, uint8_t a, uint8_t b)
{
    bare_arithmetic(e, op, is_single, d, a, b);
    canonical(e, d, is_single);
}

void x64_fp_unchecked(struct emit *e, enum ir_op op, uint8_t d, uint8_t a, uint8_t b)
{
    static const uint8_t code[] = { OP_ADD, OP_SUB, OP_MUL, OP_DIV };
    if (op == IR_FSQRT) x64_rr(e, OP_SQRT | scalar(false), d, a);
    else bare_arithmetic(e, code[op - IR_FADD], false, d, a, b);
}

jit_patch x64_if_nan(struct emit *e, uint8_t a, uint8_t b)
{
    x64_rr(e, compare_op(true, false), a, b);
    return x64_jcc(e, CC_P);
}

jit_patch x64_if_nan_slot(struct emit *e, unsigned slot)
{
    x64_rm(e, 0x10 | X_0F | X_F2, 0, RBP, X64_SLOT(slot));
    return x64_if_nan(e, 0, 0);
}

void x64_make_canonical(struct emit *e, const struct jit_unchecked *u)
{
    uint32_t nan = e->prologue->constants + X64_NAN64;
    for (uint32_t left = u->regs; left; left &= left - 1) {
        uint8_t reg = (uint8_t)__builtin_ctz(left);
        x64_rr(e, compare_op(true, false), reg, reg);
        jit_patch is_number = x64_jcc(e, CC_NP);
        x64_rip(e, 0x10 | X_0F | X_F2, reg, nan);
        if (!e->is_full) x64_patch(e->base, is_number, e->at);
    }
    for (unsigned i = 0; i < u->slot_count; i++) {
        x64_rm(e, 0x10 | X_0F | X_F2, 0, RBP, X64_SLOT(u->slot[i]));
        x64_rr(e, compare_op(true, false), 0, 0);
        jit_patch is_number = x64_jcc(e, CC_NP);
        x64_rip(e, 0x10 | X_0F | X_F2, 0, nan);
        x64_rm(e, 0x11 | X_0F | X_F2, 0, RBP, X64_SLOT(u->slot[i]));
        if (!e->is_full) x64_patch(e->base, is_number, e->at);
    }
}

static void compare(struct emit *e, const struct ir_insn *i, bool is_single, uint8_t d, uint8_t a, uint8_t b)
{
    if (i->op == IR_FEQ) {
        movaps(e, 0, a);
        x64_rr(e, OP_CMP | scalar(is_single), 0, b);
        emit8(e, 0);                                         /* equal, quiet */
        x64_rr(e, 0x7e | X_0F | X_66, 0, d);                 /* movd */
        x64_alu_imm(e, ALU_AND, false, d, 1);
        return;
    }
    x64_rr(e, compare_op(i->imm == FP_QUIET, is_single), b, a);              /* b > a: above; unordered: below and equal */
    x64_rr(e, 0x90 | (i->op == IR_FLT ? CC_A : CC_AE) | X_0F | X_BYTE, 0, RAX);
    x64_rr(e, 0xb6 | X_0F, d, RAX);
}

bool x64_fp(struct emit *e, const struct ir_insn *i, enum ir_type operand, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place)
{
    const struct jit_prologue *p = e->prologue;
    bool single = i->type == IR_F32, from_single = operand == IR_F32;
    unsigned w;
    switch ((enum ir_op)i->op) {
    case IR_FADD: arithmetic(e, OP_ADD, single, d, a, b); return true;
    case IR_FSUB: arithmetic(e, OP_SUB, single, d, a, b); return true;
    case IR_FMUL: arithmetic(e, OP_MUL, single, d, a, b); return true;
    case IR_FDIV: arithmetic(e, OP_DIV, single, d, a, b); return true;
    case IR_FSQRT:
        x64_rr(e, OP_SQRT | scalar(single), d, a);
        canonical(e, d, single);
        return true;
    case IR_FMADD:
        if (!(e->features & X64_FMA)) return false;
        movaps(e, 0, a);
        x64_vex_0f38(e, 0xa9, !single, 0, b, c);             /* vfmadd213: xmm0 = b * xmm0 + c */
        x64_rr(e, compare_op(true, single), 0, 0);
        by_call(e, CC_P, d, true, a, b, c, place);
        movaps(e, d, 0);
        e->stub[e->stub_count - 1].back = e->at;
        return true;
    case IR_FNEG:
        movaps(e, d, a);
        x64_rip(e, OP_XOR | X_0F, d, p->constants + (single ? X64_SIGN32 : X64_SIGN64));
        return true;
    case IR_FEQ: case IR_FLT: case IR_FLE: compare(e, i, from_single, d, a, b); return true;
    case IR_FTOS:
        w = i->type == IR_I64 ? X_W : 0;
        x64_rr(e, (i->imm == FP_RTZ ? 0x2cu : 0x2du) | scalar(from_single) | w, d, a);
        x64_alu_imm(e, ALU_CMP, w, d, 1);                    /* overflows for the least number alone: out of range, or nearly */
        by_call(e, CC_O, d, false, a, NO_REG, NO_REG, place);
        e->stub[e->stub_count - 1].back = e->at;
        return true;
    case IR_STOF:
        x64_rr(e, OP_XOR | X_0F, d, d);                      /* the upper half must not wait for what was there */
        x64_rr(e, 0x2a | scalar(single) | (operand == IR_I64 ? X_W : 0), d, a);
        return true;
    case IR_UTOF:
        if (operand != IR_I32) return false;
        x64_rr(e, 0x8b, RAX, a);
        x64_rr(e, OP_XOR | X_0F, d, d);
        x64_rr(e, 0x2a | scalar(single) | X_W, d, RAX);
        return true;
    case IR_FTOF:
        if (i->type == operand) return false;
        x64_rr(e, 0x5a | scalar(from_single), d, a);
        canonical(e, d, single);
        return true;
    case IR_BOX:
        movaps(e, d, a);
        x64_rip(e, OP_OR | X_0F, d, p->constants + X64_BOX);
        return true;
    case IR_UNBOX: {
        x64_rr(e, 0x7e | X_0F | X_66 | X_W, a, RAX);         /* movq */
        movaps(e, d, a);
        x64_shift_imm(e, SH_SAR, true, RAX, 32);
        x64_alu_imm(e, ALU_CMP, false, RAX, -1);
        struct emit_stub *s = emit_stub(e);
        s->kind = STUB_NAN;
        s->from = x64_jcc(e, CC_NE);
        s->back = e->at;
        s->d = d;
        s->is_single = true;
        return true;
    }
    default: return false;
    }
}

unsigned x64_fp_flags(uint32_t mxcsr)
{
    return (mxcsr & 1 ? FP_INVALID : 0u) | (mxcsr & 4 ? FP_DIV_BY_ZERO : 0u) | (mxcsr & 8 ? FP_OVERFLOW : 0u) | (mxcsr & 16 ? FP_UNDERFLOW : 0u) |
           (mxcsr & 32 ? FP_INEXACT : 0u);
}
