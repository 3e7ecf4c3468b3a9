// SPDX-License-Identifier: Apache-2.0
/* Pure integer semantics of the IR; see eval.h. Operands come with unspecified upper bits and are cut to width first. */
#include "hv/ir/eval.h"
#include "hv/base/bits.h"

static uint64_t zx(uint64_t v, unsigned w) { return w >= 64 ? v : v & ((1ull << w) - 1); }
static int64_t  sx(uint64_t v, unsigned w) { return w >= 64 ? (int64_t)v : sign_extend64(v, w); }

static uint64_t mulh(enum ir_op op, uint64_t a, uint64_t b, unsigned w)
{
    if (op == IR_MULHU)  return (uint64_t)((unsigned __int128)zx(a, w) * zx(b, w) >> w);
    if (op == IR_MULHS)  return (uint64_t)((__int128)sx(a, w) * sx(b, w) >> w);
    return (uint64_t)(((__int128)sx(a, w) * (__int128)(unsigned __int128)zx(b, w)) >> w);
}

static uint64_t divide(enum ir_op op, uint64_t a, uint64_t b, unsigned w)
{
    uint64_t ua = zx(a, w), ub = zx(b, w);
    int64_t sa = sx(a, w), sb = sx(b, w);
    switch (op) {
    case IR_DIVU: return ub ? ua / ub : ~0ull;
    case IR_REMU: return ub ? ua % ub : ua;
    case IR_DIVS: return !ub ? ~0ull : sb == -1 ? 0 - (uint64_t)sa : (uint64_t)(sa / sb);
    default:      return !ub ? (uint64_t)sa : sb == -1 ? 0 : (uint64_t)(sa % sb);
    }
}

static uint64_t orcb(uint64_t a)
{
    uint64_t any = a | (a >> 1 & 0x7f7f7f7f7f7f7f7full);
    any |= any >> 2 & 0x3f3f3f3f3f3f3f3full;
    any |= any >> 4 & 0x0f0f0f0f0f0f0f0full;
    return (any & 0x0101010101010101ull) * 0xff;
}

bool ir_is_pure(enum ir_op op)
{
    switch (op) {
#define X(name, result, a, b, c, imm, flags) case IR_##name: \
        return ((flags) & (IRF_F | IRF_E | IRF_R)) == 0 && IR_##name != IR_PAIR && IR_##name != IR_LOW && IR_##name != IR_HIGH && \
               IR_##name != IR_FCLASS && IR_##name != IR_CONST;
    IR_OPS(X)
#undef X
    case IR_OP_COUNT: break;
    }
    return false;
}

uint64_t ir_eval(enum ir_op op, enum ir_type result, enum ir_type operand, uint64_t a, uint64_t b, uint64_t c, uint64_t imm)
{
    unsigned w = ir_type_bits(result), ow = ir_type_bits(operand), lsb = imm & 0xff, len = imm >> 8 & 0xff, n = (unsigned)b & (w - 1);
    uint64_t za = zx(a, ow), zb = zx(b, ow);
    if (op == IR_SEL) return a & 1 ? b : c;
    c &= 1;
    switch (op) {
    case IR_ADD: return a + b;
    case IR_SUB: return a - b;
    case IR_MUL: return a * b;
    case IR_MULHU: case IR_MULHS: case IR_MULHSU: return mulh(op, a, b, w);
    case IR_DIVU: case IR_DIVS: case IR_REMU: case IR_REMS: return divide(op, a, b, w);
    case IR_AND: return a & b;
    case IR_OR:  return a | b;
    case IR_XOR: return a ^ b;
    case IR_NOT: return ~a;
    case IR_NEG: return 0 - a;
    case IR_SHL: return a << n;
    case IR_SHR: return zx(a, w) >> n;
    case IR_SAR: return (uint64_t)(sx(a, w) >> n);
    case IR_ROR: return n ? zx(a, w) >> n | a << (w - n) : a;
    case IR_CLZ: return zx(a, w) ? (unsigned)__builtin_clzll(zx(a, w)) - (64 - w) : w;
    case IR_CTZ: return zx(a, w) ? (unsigned)__builtin_ctzll(zx(a, w)) : w;
    case IR_POPCNT: {
        uint64_t x = zx(a, w);
        x -= x >> 1 & 0x5555555555555555ull;
        x = (x & 0x3333333333333333ull) + (x >> 2 & 0x3333333333333333ull);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
        return x * 0x0101010101010101ull >> 56;
    }
    case IR_BSWAP: return __builtin_bswap64(a) >> (64 - w);
    case IR_ORCB: return orcb(a);
    case IR_EXTRACT:  return zx(zx(a, w) >> lsb, len);
    case IR_SEXTRACT: return (uint64_t)sx(zx(a, w) >> lsb, len);
    case IR_DEPOSIT: {
        uint64_t m = zx(~0ull, len) << lsb;
        return (a & ~m) | (b << lsb & m);
    }
    case IR_ADC: return a + b + c;
    case IR_SBB: return a - b - c;
    case IR_CARRY:  return (uint64_t)(((unsigned __int128)za + zb + c) >> ow) & 1;
    case IR_BORROW: return za < zb || (c && za == zb);
    case IR_ADDOV: { uint64_t s = a + b + c; return (~(a ^ b) & (a ^ s)) >> (ow - 1) & 1; }
    case IR_SUBOV: { uint64_t s = a - b - c; return ((a ^ b) & (a ^ s)) >> (ow - 1) & 1; }
    case IR_EQ:  return za == zb;
    case IR_NE:  return za != zb;
    case IR_ULT: return za < zb;
    case IR_ULE: return za <= zb;
    case IR_SLT: return sx(a, ow) < sx(b, ow);
    case IR_SLE: return sx(a, ow) <= sx(b, ow);
    case IR_TRUNC: return a;
    case IR_ZEXT: return za;
    case IR_SEXT: return (uint64_t)sx(a, ow);
    case IR_FNEG: return a ^ 1ull << (w - 1);
    case IR_BOX: return a | 0xffffffff00000000ull;
    case IR_UNBOX: return a >> 32 == 0xffffffffu ? a & 0xffffffffu : FP32_CANONICAL_NAN;
    default: return 0;
    }
}
