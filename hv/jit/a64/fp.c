// SPDX-License-Identifier: Apache-2.0
/* FP rows on AArch64 with FPCR.DN: every NaN result is the canonical one, round to nearest even, flags gathered in FPSR. This FPU
 * finds tininess before rounding: its underflow flag is not believed (a64_fp_flags), and results that may have been tiny, which
 * includes zeros, are left to C. Conversions give 0 for a NaN: those are left to C too. */
#include "hv/jit/a64/a64.h"

#define SINGLE_OF(word) ((word) & ~0x00400000u)

void a64_fp_to(struct emit *e, uint8_t d, uint8_t a)   { emit32(e, 0x9e660000u | (unsigned)a << 5 | d); }
void a64_fp_from(struct emit *e, uint8_t d, uint8_t a) { emit32(e, 0x9e670000u | (unsigned)a << 5 | d); }

static void fmov(struct emit *e, uint8_t d, uint8_t a)
{
    if (d != a) emit32(e, 0x1e604000u | (unsigned)a << 5 | d);
}

static struct emit_stub *by_call(struct emit *e, unsigned cc, uint8_t d, bool is_d_fp, uint8_t a, uint8_t b, uint8_t c, uint32_t place)
{
    struct emit_stub *s = emit_stub(e);
    s->kind = STUB_FP_CALL;
    s->from = a64_b_cond(e, cc);
    s->place = place;
    s->d = d, s->a = a, s->b = b, s->c = c;
    s->is_d_fp = is_d_fp;
    return s;
}

/* v0, unless its magnitude is at most the smallest normal number. */
static void unless_tiny(struct emit *e, bool is_single, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place)
{
    emit32(e, (is_single ? 0x1e260000u : 0x9e660000u) | A64_T0);                                   /* fmov x16, d0 */
    a64_bitfield(e, A64_UBFM, !is_single, A64_T0, A64_T0, is_single ? 31 : 63, is_single ? 30 : 62); /* lsl #1 */
    a64_imm(e, A64_T1, is_single ? 0x01000000u : 1ull << 53);
    a64_rrr(e, is_single ? 0x6b000000u : 0xeb000000u, A64_ZR, A64_T0, A64_T1);
    struct emit_stub *s = by_call(e, A64_LS, d, true, a, b, c, place);
    fmov(e, d, 0);
    s->back = e->at;
}

static void to_integer(struct emit *e, const struct ir_insn *i, bool from_single, uint8_t d, uint8_t a, uint32_t place)
{
    uint32_t op = i->imm == FP_RTZ ? 0x1e780000u : 0x1e600000u;
    if (i->op == IR_FTOU) op |= 0x00010000u;
    if (i->type == IR_I64) op |= 1u << 31;
    if (from_single) op = SINGLE_OF(op);
    uint32_t compare = 0x1e602000u;
    a64_rrr(e, from_single ? SINGLE_OF(compare) : compare, 0, a, a);                               /* a NaN is not equal to itself */
    struct emit_stub *s = by_call(e, A64_VS, d, false, a, NO_REG, NO_REG, place);
    emit32(e, op | (unsigned)a << 5 | d);
    s->back = e->at;
}

bool a64_fp(struct emit *e, const struct ir_insn *i, enum ir_type operand, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place)
{
    bool single = i->type == IR_F32, from_single = operand == IR_F32;
    uint32_t op;
    switch ((enum ir_op)i->op) {
    case IR_FADD: case IR_FSUB:                                                                     /* tiny sums are exact */
        op = i->op == IR_FADD ? 0x1e602800u : 0x1e603800u;
        a64_rrr(e, single ? SINGLE_OF(op) : op, d, a, b);
        return true;
    case IR_FMUL: case IR_FDIV:
        op = i->op == IR_FMUL ? 0x1e600800u : 0x1e601800u;
        a64_rrr(e, single ? SINGLE_OF(op) : op, 0, a, b);
        unless_tiny(e, single, d, a, b, NO_REG, place);
        return true;
    case IR_FMADD:
        op = 0x1f400000u;
        emit32(e, (single ? SINGLE_OF(op) : op) | (unsigned)b << 16 | (unsigned)c << 10 | (unsigned)a << 5);
        unless_tiny(e, single, d, a, b, c, place);
        return true;
    case IR_FSQRT: emit32(e, (single ? 0x1e21c000u : 0x1e61c000u) | (unsigned)a << 5 | d); return true;
    case IR_FNEG:  emit32(e, (single ? 0x1e214000u : 0x1e614000u) | (unsigned)a << 5 | d); return true;
    case IR_FEQ: case IR_FLT: case IR_FLE: {
        unsigned cc = i->op == IR_FEQ ? A64_EQ : i->op == IR_FLT ? A64_MI : A64_LS;
        op = 0x1e602000u | (i->op != IR_FEQ && i->imm == FP_SIGNALLING ? 0x10u : 0);
        a64_rrr(e, from_single ? SINGLE_OF(op) : op, 0, a, b);
        a64_rrr(e, 0x9a800400u | (cc ^ 1) << 12, d, A64_ZR, A64_ZR);
        return true;
    }
    case IR_FTOS: case IR_FTOU: to_integer(e, i, from_single, d, a, place); return true;
    case IR_STOF: case IR_UTOF:
        op = (i->op == IR_STOF ? 0x1e620000u : 0x1e630000u) | (operand == IR_I64 ? 1u << 31 : 0);
        emit32(e, (single ? SINGLE_OF(op) : op) | (unsigned)a << 5 | d);
        return true;
    case IR_FTOF:
        if (i->type == operand) return false;
        if (from_single) {
            emit32(e, 0x1e22c000u | (unsigned)a << 5 | d);
            return true;
        }
        emit32(e, 0x1e624000u | (unsigned)a << 5);
        unless_tiny(e, true, d, a, NO_REG, NO_REG, place);
        return true;
    case IR_BOX:
        emit32(e, 0x1e260000u | (unsigned)a << 5 | A64_T0);                                         /* fmov w16, s */
        emit32(e, 0xb2607c00u | A64_T0 << 5 | A64_T0);                                              /* orr, #0xffffffff00000000 */
        a64_fp_from(e, d, A64_T0);
        return true;
    case IR_UNBOX: {
        a64_fp_to(e, A64_T0, a);
        fmov(e, d, a);
        a64_bitfield(e, A64_SBFM, true, A64_T0, A64_T0, 32, 63);                                    /* asr #32 */
        emit32(e, 0x3100001fu | 1u << 10 | A64_T0 << 5);                                            /* cmn w16, #1 */
        struct emit_stub *s = emit_stub(e);
        s->kind = STUB_NAN;
        s->from = a64_b_cond(e, A64_NE);
        s->back = e->at;
        s->d = d;
        return true;
    }
    default: return false;
    }
}

unsigned a64_fp_flags(uint32_t fpsr)
{
    return (fpsr & 1 ? FP_INVALID : 0u) | (fpsr & 2 ? FP_DIV_BY_ZERO : 0u) | (fpsr & 4 ? FP_OVERFLOW : 0u) | (fpsr & 16 ? FP_INEXACT : 0u);
}
