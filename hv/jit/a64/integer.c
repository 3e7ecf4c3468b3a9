// SPDX-License-Identifier: Apache-2.0
/* Integer rows on AArch64. Three operands everywhere; a W form clears the upper half of its result. */
#include "hv/jit/a64/a64.h"

static const struct { uint32_t word; } forms[IR_OP_COUNT] = {
    [IR_ADD]   = { 0x0b000000 }, [IR_SUB] = { 0x4b000000 }, [IR_AND] = { 0x0a000000 }, [IR_OR]  = { 0x2a000000 }, [IR_XOR] = { 0x4a000000 },
    [IR_MUL]   = { 0x1b007c00 }, [IR_SHL] = { 0x1ac02000 }, [IR_SHR] = { 0x1ac02400 }, [IR_SAR] = { 0x1ac02800 }, [IR_ROR] = { 0x1ac02c00 },
    [IR_MULHU] = { 0x1bc07c00 }, [IR_MULHS] = { 0x1b407c00 },
};

/* UDIV and SDIV give 0 for a division by 0, and the least number for that by -1. */
static void divide(struct emit *e, enum ir_op op, uint32_t w, uint8_t d, uint8_t a, uint8_t b)
{
    bool is_signed = op == IR_DIVS || op == IR_REMS;
    a64_rrr(e, (is_signed ? 0x1ac00c00u : 0x1ac00800u) | w, A64_T0, a, b);
    if (op == IR_REMU || op == IR_REMS) {
        emit32(e, 0x1b008000u | w | (unsigned)b << 16 | (unsigned)a << 10 | A64_T0 << 5 | d);       /* msub: a - quotient * b */
        return;
    }
    emit32(e, 0x7100001fu | w | (unsigned)b << 5);                                                  /* cmp b, #0 */
    a64_rrr(e, 0x5a800000u | w | A64_NE << 12, d, A64_T0, A64_ZR);                                   /* csinv */
}

bool a64_binary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b)
{
    uint32_t w = bits == 64 ? 1u << 31 : 0;
    if (op == IR_DIVU || op == IR_DIVS || op == IR_REMU || op == IR_REMS) {
        divide(e, op, w, d, a, b);
        return true;
    }
    if (!forms[op].word || ((op == IR_MULHU || op == IR_MULHS) && !w)) return false;
    a64_rrr(e, forms[op].word | w, d, a, b);
    return true;
}

bool a64_binary_imm(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, int64_t imm)
{
    bool w = bits == 64;
    unsigned n = (unsigned)imm & (bits - 1);
    switch (op) {
    case IR_ADD: a64_add_imm(e, w, d, a, (int32_t)imm); return true;
    case IR_SUB: if (imm == INT32_MIN) return false; a64_add_imm(e, w, d, a, (int32_t)-imm); return true;
    case IR_SHL: a64_bitfield(e, A64_UBFM, w, d, a, -n & (bits - 1), bits - 1 - n); return true;
    case IR_SHR: a64_bitfield(e, A64_UBFM, w, d, a, n, bits - 1); return true;
    case IR_SAR: a64_bitfield(e, A64_SBFM, w, d, a, n, bits - 1); return true;
    case IR_ROR: emit32(e, 0x13800000u | (w ? 0x80400000u : 0) | (unsigned)a << 16 | n << 10 | (unsigned)a << 5 | d); return true;    /* extr */
    default: return false;
    }
}

bool a64_unary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a)
{
    uint32_t w = bits == 64 ? 1u << 31 : 0;
    switch (op) {
    case IR_NOT: a64_rrr(e, 0x2a200000u | w, d, A64_ZR, a); return true;
    case IR_NEG: a64_rrr(e, 0x4b000000u | w, d, A64_ZR, a); return true;
    case IR_CLZ: emit32(e, 0x5ac01000u | w | (unsigned)a << 5 | d); return true;
    case IR_CTZ:
        emit32(e, 0x5ac00000u | w | (unsigned)a << 5 | A64_T0);      /* rbit */
        emit32(e, 0x5ac01000u | w | A64_T0 << 5 | d);
        return true;
    case IR_BSWAP: emit32(e, (w ? 0xdac00c00u : 0x5ac00800u) | (unsigned)a << 5 | d); return true;
    default: return false;
    }
}

void a64_extend(struct emit *e, uint8_t d, uint8_t a, unsigned from_bits, bool is_signed)
{
    if (from_bits >= 64) a64_mov(e, d, a);
    else a64_bitfield(e, is_signed ? A64_SBFM : A64_UBFM, true, d, a, 0, from_bits - 1);
}

bool a64_field(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b, unsigned lsb, unsigned length)
{
    bool w = bits == 64;
    if (op != IR_DEPOSIT) {
        a64_bitfield(e, op == IR_EXTRACT ? A64_UBFM : A64_SBFM, w, d, a, lsb, lsb + length - 1);
        return true;
    }
    a64_rrr(e, w ? 0xaa000000u : 0x2a000000u, A64_T0, A64_ZR, a);
    a64_bitfield(e, A64_BFM, w, A64_T0, b, -lsb & (bits - 1), length - 1);
    a64_mov(e, d, A64_T0);
    return true;
}

bool a64_fits_compare(int64_t imm) { return imm > -4096 && imm < 4096; }

unsigned a64_compare(struct emit *e, const struct jit_compare *c)
{
    static const uint8_t code[] = { A64_EQ, A64_NE, A64_LO, A64_LS, A64_LT, A64_LE };
    uint32_t w = c->bits == 64 ? 1u << 31 : 0, n = c->a;
    if (c->b != NO_REG) a64_rrr(e, 0x6b000000u | w, A64_ZR, n, c->b);
    else if (c->imm >= 0) emit32(e, 0x7100001fu | w | (uint32_t)c->imm << 10 | n << 5);
    else emit32(e, 0x3100001fu | w | (uint32_t)-c->imm << 10 | n << 5);                             /* cmn */
    return code[c->op - IR_EQ];
}

void a64_set_if(struct emit *e, uint8_t d, const struct jit_compare *c)
{
    unsigned cc = a64_compare(e, c);
    a64_rrr(e, 0x9a800400u | (cc ^ 1) << 12, d, A64_ZR, A64_ZR);                                    /* csinc */
}

void a64_select(struct emit *e, uint8_t d, uint8_t condition, uint8_t a, uint8_t b)
{
    emit32(e, 0xf240001fu | (unsigned)condition << 5);                                              /* tst, #1 */
    a64_rrr(e, 0x9a800000u | A64_NE << 12, d, a, b);
}
