// SPDX-License-Identifier: Apache-2.0
/* The IR's floating point over SoftFloat; see softfp.h. SoftFloat's globals are words of the core that computes, and a
 * core is never preempted inside these functions. The common case goes to the host FPU first (hostfp.h). */
#include "hv/ir/softfp.h"
#include "hv/arch/arch.h"
#include "hv/ir/hostfp.h"
#include <softfloat.h>

static struct ALIGNED(64) core_fp { uint_fast8_t round, flags, tininess; } cores[ARCH_MAX_CPUS];

uint_fast8_t *softfp_round(void);
uint_fast8_t *softfp_flags(void);
uint_fast8_t *softfp_tininess(void);
uint_fast8_t *softfp_round(void)    { return &cores[arch_cpu_id()].round; }
uint_fast8_t *softfp_flags(void)    { return &cores[arch_cpu_id()].flags; }
uint_fast8_t *softfp_tininess(void) { return &cores[arch_cpu_id()].tininess; }

static float32_t f32(uint64_t v) { return (float32_t){ (uint32_t)v }; }
static float64_t f64(uint64_t v) { return (float64_t){ v }; }

static bool is_nan32(uint64_t a) { return (uint32_t)(a << 1) > 0xff000000u; }
static bool is_nan64(uint64_t a) { return a << 1 > 0xffe0000000000000u; }

/* minimumNumber, maximumNumber (IEEE 754-2019): a NaN loses against a number, -0 < +0, signalling NaNs raise invalid. */
static uint64_t min_max(bool wide, bool max, uint64_t a, uint64_t b)
{
    bool na = wide ? is_nan64(a) : is_nan32(a), nb = wide ? is_nan64(b) : is_nan32(b);
    if (wide ? f64_isSignalingNaN(f64(a)) || f64_isSignalingNaN(f64(b)) : f32_isSignalingNaN(f32(a)) || f32_isSignalingNaN(f32(b))) {
        *softfp_flags() |= softfloat_flag_invalid;
    }
    if (na && nb) return wide ? FP64_CANONICAL_NAN : FP32_CANONICAL_NAN;
    if (na || nb) return na ? b : a;
    bool less = wide ? f64_lt_quiet(f64(a), f64(b)) : f32_lt_quiet(f32(a), f32(b));
    bool equal = wide ? f64_eq(f64(a), f64(b)) : f32_eq(f32(a), f32(b));
    if (equal) less = a >> (wide ? 63 : 31) & 1;
    return less != max ? a : b;
}

uint64_t fp_class(enum ir_type t, uint64_t a)
{
    bool wide = t == IR_F64;
    uint64_t fraction = wide ? a & 0xfffffffffffffu : a & 0x7fffffu;
    unsigned exponent = (unsigned)(wide ? a >> 52 & 0x7ff : a >> 23 & 0xff), top = wide ? 0x7ff : 0xff;
    bool negative = a >> (wide ? 63 : 31) & 1;
    if (exponent == top && fraction) return fraction >> (wide ? 51 : 22) & 1 ? 1 << 9 : 1 << 8;
    if (exponent == top) return negative ? 1 << 0 : 1 << 7;
    if (exponent) return negative ? 1 << 1 : 1 << 6;
    if (fraction) return negative ? 1 << 2 : 1 << 5;
    return negative ? 1 << 3 : 1 << 4;
}

static uint64_t to_integer(bool wide, bool is_signed, enum ir_type result, uint64_t a, unsigned round)
{
    uint_fast8_t r = (uint_fast8_t)round;
    if (result == IR_I32) {
        if (is_signed) return (uint64_t)(int64_t)(int32_t)(wide ? f64_to_i32(f64(a), r, true) : f32_to_i32(f32(a), r, true));
        return (uint64_t)(int64_t)(int32_t)(wide ? f64_to_ui32(f64(a), r, true) : f32_to_ui32(f32(a), r, true));
    }
    if (is_signed) return (uint64_t)(wide ? f64_to_i64(f64(a), r, true) : f32_to_i64(f32(a), r, true));
    return wide ? f64_to_ui64(f64(a), r, true) : f32_to_ui64(f32(a), r, true);
}

static uint64_t from_integer(bool wide, bool is_signed, enum ir_type operand, uint64_t a)
{
    if (operand == IR_I32) a = is_signed ? (uint64_t)(int64_t)(int32_t)a : (uint32_t)a;
    if (is_signed) return wide ? i64_to_f64((int64_t)a).v : i64_to_f32((int64_t)a).v;
    return wide ? ui64_to_f64(a).v : ui64_to_f32(a).v;
}

static uint64_t compute64(enum ir_op op, uint64_t a, uint64_t b, uint64_t c, unsigned imm)
{
    switch (op) {
    case IR_FADD:  return f64_add(f64(a), f64(b)).v;
    case IR_FSUB:  return f64_sub(f64(a), f64(b)).v;
    case IR_FMUL:  return f64_mul(f64(a), f64(b)).v;
    case IR_FDIV:  return f64_div(f64(a), f64(b)).v;
    case IR_FSQRT: return f64_sqrt(f64(a)).v;
    case IR_FMADD: return f64_mulAdd(f64(a), f64(b), f64(c)).v;
    case IR_FEQ:   return f64_eq(f64(a), f64(b));
    case IR_FLT:   return imm == FP_QUIET ? f64_lt_quiet(f64(a), f64(b)) : f64_lt(f64(a), f64(b));
    case IR_FLE:   return imm == FP_QUIET ? f64_le_quiet(f64(a), f64(b)) : f64_le(f64(a), f64(b));
    case IR_FRINT: return f64_roundToInt(f64(a), *softfp_round(), !(imm & FP_SILENT)).v;
    default:       return 0;
    }
}

static uint64_t compute32(enum ir_op op, uint64_t a, uint64_t b, uint64_t c, unsigned imm)
{
    switch (op) {
    case IR_FADD:  return f32_add(f32(a), f32(b)).v;
    case IR_FSUB:  return f32_sub(f32(a), f32(b)).v;
    case IR_FMUL:  return f32_mul(f32(a), f32(b)).v;
    case IR_FDIV:  return f32_div(f32(a), f32(b)).v;
    case IR_FSQRT: return f32_sqrt(f32(a)).v;
    case IR_FMADD: return f32_mulAdd(f32(a), f32(b), f32(c)).v;
    case IR_FEQ:   return f32_eq(f32(a), f32(b));
    case IR_FLT:   return imm == FP_QUIET ? f32_lt_quiet(f32(a), f32(b)) : f32_lt(f32(a), f32(b));
    case IR_FLE:   return imm == FP_QUIET ? f32_le_quiet(f32(a), f32(b)) : f32_le(f32(a), f32(b));
    case IR_FRINT: return f32_roundToInt(f32(a), *softfp_round(), !(imm & FP_SILENT)).v;
    default:       return 0;
    }
}

uint64_t fp_eval(struct fp_env *env, enum ir_op op, enum ir_type result, enum ir_type operand, uint64_t a, uint64_t b, uint64_t c, unsigned imm)
{
    struct core_fp *core = &cores[arch_cpu_id()];
    bool wide = operand == IR_F64;
    unsigned round = FP_RNE;
    uint64_t v;
    if (op <= IR_FRINT || op == IR_FTOS || op == IR_FTOU || op == IR_STOF || op == IR_UTOF || op == IR_FTOF) {
        round = (imm & 7) == FP_ROUND_DYNAMIC ? env->round : imm & 7;
    }
    if (round == FP_RNE && (env->flags & FP_INEXACT) && hostfp_try(op, operand, a, b, c, &v)) return v;
    core->round = (uint_fast8_t)round;
    core->flags = 0;
    core->tininess = env->is_tiny_before ? softfloat_tininess_beforeRounding : softfloat_tininess_afterRounding;
    switch (op) {
    case IR_FMIN: case IR_FMAX: v = min_max(wide, op == IR_FMAX, a, b); break;
    case IR_FTOS: v = to_integer(wide, true, result, a, round); break;
    case IR_FTOU: v = to_integer(wide, false, result, a, round); break;
    case IR_STOF: v = from_integer(result == IR_F64, true, operand, a); break;
    case IR_UTOF: v = from_integer(result == IR_F64, false, operand, a); break;
    case IR_FTOF: v = result == operand ? a : wide ? f64_to_f32(f64(a)).v : f32_to_f64(f32(a)).v; break;
    default:      v = wide ? compute64(op, a, b, c, imm) : compute32(op, a, b, c, imm); break;
    }
    env->flags |= core->flags;
    return v;
}
