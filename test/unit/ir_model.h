// SPDX-License-Identifier: Apache-2.0
/* What each pure row of IR_OPS means, written a second time and plainly: 128-bit integers, and loops over bits where
 * ir_eval uses tricks. Tests compare folding, ir_eval and the interpreter with it. */
#pragma once
#include "hv/ir/eval.h"
#include "test/harness/test.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

struct model_in { u128 a, b, c; s128 sa, sb; unsigned w, ow, lsb, length; };     /* w: result's width, ow: operand a's */
typedef u128 model_fn(const struct model_in *m);

static inline u128 model_cut(u128 v, unsigned w)  { return v & (((u128)1 << w) - 1); }
static inline s128 model_sign(u128 v, unsigned w) { return v >> (w - 1) & 1 ? (s128)model_cut(v, w) - ((s128)1 << w) : (s128)model_cut(v, w); }
static inline unsigned model_count(const struct model_in *m) { return (unsigned)(m->b % m->w); }
static inline bool model_fits(s128 v, unsigned w) { return v >= -((s128)1 << (w - 1)) && v < (s128)1 << (w - 1); }

#define MODEL(name, value) static inline u128 model_##name(const struct model_in *m) { return (u128)(value); }
MODEL(ADD, m->a + m->b)
MODEL(SUB, m->a - m->b)
MODEL(MUL, m->a * m->b)
MODEL(MULHU, m->a * m->b >> m->w)
MODEL(MULHS, m->sa * m->sb >> m->w)
MODEL(MULHSU, m->sa * (s128)m->b >> m->w)
MODEL(DIVU, m->b ? m->a / m->b : ~(u128)0)
MODEL(DIVS, m->sb ? m->sa / m->sb : -1)
MODEL(REMU, m->b ? m->a % m->b : m->a)
MODEL(REMS, m->sb ? m->sa % m->sb : m->sa)
MODEL(AND, m->a & m->b)
MODEL(OR, m->a | m->b)
MODEL(XOR, (m->a | m->b) - (m->a & m->b))
MODEL(NOT, ~m->a)
MODEL(NEG, -m->a)
MODEL(SHL, m->a << model_count(m))
MODEL(SHR, m->a >> model_count(m))
MODEL(SAR, m->sa >> model_count(m))
MODEL(ADC, m->a + m->b + m->c)
MODEL(SBB, m->a - m->b - m->c)
MODEL(CARRY, (m->a + m->b + m->c) >> m->ow)
MODEL(BORROW, m->a < m->b + m->c)
MODEL(ADDOV, !model_fits(m->sa + m->sb + (s128)m->c, m->ow))
MODEL(SUBOV, !model_fits(m->sa - m->sb - (s128)m->c, m->ow))
MODEL(EQ, m->a == m->b)
MODEL(NE, m->a != m->b)
MODEL(ULT, m->a < m->b)
MODEL(ULE, m->a <= m->b)
MODEL(SLT, m->sa < m->sb)
MODEL(SLE, m->sa <= m->sb)
MODEL(SEL, m->a ? m->b : m->c)
MODEL(TRUNC, m->a)
MODEL(ZEXT, m->a)
MODEL(SEXT, m->sa)
MODEL(FNEG, m->a + ((u128)1 << (m->w - 1)))
MODEL(BOX, m->a + ((u128)0xffffffff << 32))
MODEL(UNBOX, m->a / ((u128)1 << 32) == 0xffffffff ? m->a : 0x7fc00000)
#undef MODEL

static inline bool model_bit(u128 v, unsigned n) { return v >> n & 1; }
static inline u128 model_ROR(const struct model_in *m)
{
    u128 v = m->a;
    for (unsigned n = 0; n < model_count(m); n++) v = v >> 1 | (v & 1) << (m->w - 1);
    return v;
}
static inline u128 model_CLZ(const struct model_in *m)
{
    unsigned n = 0;
    while (n < m->w && !model_bit(m->a, m->w - 1 - n)) n++;
    return n;
}
static inline u128 model_CTZ(const struct model_in *m)
{
    unsigned n = 0;
    while (n < m->w && !model_bit(m->a, n)) n++;
    return n;
}
static inline u128 model_POPCNT(const struct model_in *m)
{
    unsigned count = 0;
    for (unsigned n = 0; n < m->w; n++) count += model_bit(m->a, n);
    return count;
}
static inline u128 model_BSWAP(const struct model_in *m)
{
    u128 v = 0;
    for (unsigned n = 0; n < m->w; n += 8) v = v << 8 | (m->a >> n & 0xff);
    return v;
}
static inline u128 model_ORCB(const struct model_in *m)
{
    u128 v = 0;
    for (unsigned n = 0; n < m->w; n += 8) v |= (u128)(m->a >> n & 0xff ? 0xff : 0) << n;
    return v;
}
static inline u128 model_EXTRACT(const struct model_in *m)
{
    u128 v = 0;
    for (unsigned n = 0; n < m->length; n++) v |= (u128)model_bit(m->a, m->lsb + n) << n;
    return v;
}
static inline u128 model_SEXTRACT(const struct model_in *m) { return (u128)model_sign(model_EXTRACT(m), m->length); }
static inline u128 model_DEPOSIT(const struct model_in *m)
{
    u128 v = 0;
    for (unsigned n = 0; n < m->w; n++) {
        bool in_field = n >= m->lsb && n < m->lsb + m->length;
        v |= (u128)(in_field ? model_bit(m->b, n - m->lsb) : model_bit(m->a, n)) << n;
    }
    return v;
}

static model_fn *const models[IR_OP_COUNT] = {
#define X(name) [IR_##name] = model_##name
    X(ADD), X(SUB), X(MUL), X(MULHU), X(MULHS), X(MULHSU), X(DIVU), X(DIVS), X(REMU), X(REMS), X(AND), X(OR), X(XOR), X(NOT), X(NEG),
    X(SHL), X(SHR), X(SAR), X(ROR), X(CLZ), X(CTZ), X(POPCNT), X(BSWAP), X(ORCB), X(EXTRACT), X(SEXTRACT), X(DEPOSIT),
    X(ADC), X(SBB), X(CARRY), X(BORROW), X(ADDOV), X(SUBOV), X(EQ), X(NE), X(ULT), X(ULE), X(SLT), X(SLE), X(SEL), X(TRUNC), X(ZEXT), X(SEXT),
    X(FNEG), X(BOX), X(UNBOX),
#undef X
};

/* Operand types of a pure row for a result type; false: the row has no such result. `from`: a converting row's operand. */
static inline bool model_types(enum ir_op op, enum ir_type result, enum ir_type from, enum ir_type out[3])
{
    bool is_int = result >= IR_I1 && result <= IR_I64, from_int = from >= IR_I1 && from <= IR_I64;
    out[0] = out[1] = out[2] = IR_VOID;
    switch (op) {
    case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
        out[0] = result, out[1] = IR_I8;
        return is_int;
    case IR_BSWAP: case IR_ORCB:
        out[0] = result;
        return is_int && result != IR_I1;
    case IR_NOT: case IR_NEG: case IR_CLZ: case IR_CTZ: case IR_POPCNT: case IR_EXTRACT: case IR_SEXTRACT:
        out[0] = result;
        return is_int;
    case IR_ADC: case IR_SBB:
        out[0] = out[1] = result, out[2] = IR_I1;
        return is_int;
    case IR_CARRY: case IR_BORROW: case IR_ADDOV: case IR_SUBOV:
        out[0] = out[1] = from, out[2] = IR_I1;
        return result == IR_I1 && from_int;
    case IR_EQ: case IR_NE: case IR_ULT: case IR_ULE: case IR_SLT: case IR_SLE:
        out[0] = out[1] = from;
        return result == IR_I1 && from_int;
    case IR_SEL:
        out[0] = IR_I1, out[1] = out[2] = result;
        return is_int || result == IR_F32 || result == IR_F64;
    case IR_TRUNC:
        out[0] = from;
        return ir_type_bits(from) && ir_type_bits(from) <= 64 && ir_type_bits(result) && ir_type_bits(result) <= ir_type_bits(from);
    case IR_ZEXT: case IR_SEXT:
        out[0] = from;
        return is_int && from_int && ir_type_bits(from) <= ir_type_bits(result);
    case IR_FNEG:
        out[0] = result;
        return result == IR_F32 || result == IR_F64;
    case IR_BOX:
        out[0] = IR_F32;
        return result == IR_I64;
    case IR_UNBOX:
        out[0] = IR_I64;
        return result == IR_F32;
    default:
        out[0] = out[1] = result;
        return is_int;
    }
}

static inline uint64_t model_mask(enum ir_type t) { return ir_type_bits(t) >= 64 ? ~0ull : (1ull << ir_type_bits(t)) - 1; }

/* The result, cut to its type; operands may carry anything above their widths. */
static inline uint64_t model_eval(enum ir_op op, enum ir_type result, const enum ir_type operand[3], const uint64_t v[3], uint64_t imm)
{
    u128 z[3];
    for (unsigned k = 0; k < 3; k++) z[k] = operand[k] == IR_VOID ? 0 : v[k] & model_mask(operand[k]);
    unsigned ow = ir_type_bits(operand[0]), bw = operand[1] == IR_VOID ? 1 : ir_type_bits(operand[1]);
    struct model_in m = { z[0], z[1], z[2], model_sign(z[0], ow), model_sign(z[1], bw), ir_type_bits(result), ow, imm & 0xff, imm >> 8 & 0xff };
    return (uint64_t)models[op](&m) & model_mask(result);
}

/* ---- values that break things ---- */
static inline uint64_t awkward(unsigned width)
{
    static const uint64_t table[] = { 0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
                                      0x100000000, 0x7fffffffffffffff, 0x8000000000000000, 0xfffffffffffffffe, 0xffffffffffffffff,
                                      0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0x00ff00ff00ff00ff, 0x0102040810204080, 31, 32, 33, 63, 64, 65,
                                      0xffffffff7fc00000, 0xffffffff80000000, 0x7ff0000000000000, 0x3ff0000000000000, 0x3f800000 };
    uint64_t r = test_random();
    switch (r >> 60 & 3) {
    case 0: case 1: return table[r % ARRAY_COUNT(table)];
    case 2:  return width < 64 ? (1ull << width) - 1 - (r & 3) : 0 - (r & 3);
    default: return test_random() >> (r & 63);
    }
}

/* A value of the type with anything above its width (I1 has nothing above). */
static inline uint64_t awkward_operand(enum ir_type t)
{
    uint64_t v = awkward(ir_type_bits(t));
    return t == IR_I1 ? v & 1 : (v & model_mask(t)) | (test_random() & ~model_mask(t));
}
static inline uint64_t awkward_immediate(enum ir_op op, enum ir_type result)
{
    if (op != IR_EXTRACT && op != IR_SEXTRACT && op != IR_DEPOSIT) return 0;
    unsigned width = ir_type_bits(result), length = 1 + (unsigned)(test_random() % width);
    if (test_random() % 3 == 0) length = width >= 8 ? width / 2 : 1;
    return ir_field((unsigned)(test_random() % (width - length + 1)), length);
}
