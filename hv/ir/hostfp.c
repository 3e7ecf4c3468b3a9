// SPDX-License-Identifier: Apache-2.0
/* See hostfp.h. Results at or below the smallest normal and beyond the largest go back to SoftFloat, which knows flags. */
#include "hv/ir/hostfp.h"

static bool is_easy64(uint64_t a)
{
    unsigned e = (unsigned)(a >> 52) & 0x7ff;
    return (e != 0 && e != 0x7ff) || !(a << 1);
}

static bool is_easy32(uint64_t a)
{
    unsigned e = (unsigned)(a >> 23) & 0xff;
    return (e != 0 && e != 0xff) || !(uint32_t)(a << 1);
}

static double d(uint64_t a)  { double v; __builtin_memcpy(&v, &a, sizeof v); return v; }
static float  s(uint64_t a)  { float v; uint32_t w = (uint32_t)a; __builtin_memcpy(&v, &w, sizeof v); return v; }

/* sqrt as an instruction, not a library call. */
static double sqrt64(double x)
{
#if defined(__x86_64__)
    double v;
    __asm__("sqrtsd %1, %0" : "=x"(v) : "x"(x));
#else
    double v;
    __asm__("fsqrt %d0, %d1" : "=w"(v) : "w"(x));
#endif
    return v;
}

static bool try64(enum ir_op op, uint64_t a, uint64_t b, uint64_t *out)
{
    double v;
    if (!is_easy64(a) || (op != IR_FSQRT && !is_easy64(b))) return false;
    switch (op) {
    case IR_FADD:  v = d(a) + d(b); break;
    case IR_FSUB:  v = d(a) - d(b); break;
    case IR_FMUL:  v = d(a) * d(b); break;
    case IR_FDIV:  if (!(b << 1)) return false; v = d(a) / d(b); break;
    case IR_FSQRT: if (a >> 63) return false; v = sqrt64(d(a)); break;
    case IR_FEQ:   *out = d(a) == d(b); return true;
    case IR_FLT:   *out = d(a) < d(b); return true;
    case IR_FLE:   *out = d(a) <= d(b); return true;
    default: return false;
    }
    __builtin_memcpy(out, &v, sizeof v);
    unsigned e = (unsigned)(*out >> 52) & 0x7ff;
    if (e > 1 && e != 0x7ff) return true;
    /* A zero that is exact: a sum that cancels, or a product or quotient with a zero factor. */
    return !(*out << 1) && (op == IR_FADD || op == IR_FSUB || op == IR_FSQRT || !(a << 1) || (op == IR_FMUL && !(b << 1)));
}

static bool try32(enum ir_op op, uint64_t a, uint64_t b, uint64_t *out)
{
    float v;
    uint32_t bits;
    if (!is_easy32(a) || !is_easy32(b)) return false;
    switch (op) {
    case IR_FADD: v = s(a) + s(b); break;
    case IR_FSUB: v = s(a) - s(b); break;
    case IR_FMUL: v = s(a) * s(b); break;
    case IR_FDIV: if (!(uint32_t)(b << 1)) return false; v = s(a) / s(b); break;
    case IR_FEQ:  *out = s(a) == s(b); return true;
    case IR_FLT:  *out = s(a) < s(b); return true;
    case IR_FLE:  *out = s(a) <= s(b); return true;
    default: return false;
    }
    __builtin_memcpy(&bits, &v, sizeof v);
    *out = bits;
    unsigned e = bits >> 23 & 0xff;
    return e > 1 && e != 0xff;
}

bool hostfp_try(enum ir_op op, enum ir_type t, uint64_t a, uint64_t b, uint64_t c, uint64_t *out)
{
    (void)c;
    if (t == IR_F64) return try64(op, a, b, out);
    return t == IR_F32 && try32(op, a, b, out);
}
