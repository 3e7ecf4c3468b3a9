// SPDX-License-Identifier: Apache-2.0
/* The IR's floating-point rows by themselves. Arithmetic in depth is test/fp's (TestFloat); here is what the guest of
 * today does not reach: FRINT, quiet comparisons, tininess before rounding, and every row once against plain C. */
#include "hv/ir/softfp.h"
#include "test/unit/ir_model.h"

static uint64_t bits(double v)   { uint64_t b; memcpy(&b, &v, 8); return b; }
static uint32_t bits32(float v)  { uint32_t b; memcpy(&b, &v, 4); return b; }
static double number(uint64_t b) { double v; memcpy(&v, &b, 8); return v; }
static const uint64_t QNAN = 0x7ff8000000000123, SNAN = 0x7ff0000000000123, QNAN32 = 0x7fc00123, SNAN32 = 0x7f800123, INF = 0x7ff0000000000000;
#define SIGN (1ull << 63)

struct result { uint64_t value; uint8_t flags; };
static struct result run(enum ir_op op, enum ir_type result, enum ir_type operand, uint64_t a, uint64_t b, uint64_t c, unsigned imm)
{
    struct fp_env env = { .round = FP_RTZ };                               /* used by FP_ROUND_DYNAMIC alone */
    uint64_t v = fp_eval(&env, op, result, operand, a, b, c, imm);
    return (struct result){ v & model_mask(result), env.flags };
}
static struct result run64(enum ir_op op, uint64_t a, uint64_t b, unsigned imm) { return run(op, IR_F64, IR_F64, a, b, 0, imm); }
#define IS(r, want, want_flags) do { struct result r_ = (r); CHECK_EQ_U64(r_.value, want); CHECK_EQ_U64(r_.flags, want_flags); } while (0)

/* Integers near x, by conversion: |x| < 2^52. */
static double rounded(double x, enum fp_round mode)
{
    double down = (double)(int64_t)x, rest;
    if (down > x) down -= 1;
    rest = x - down;
    bool up = mode == FP_RUP ? rest > 0 : mode == FP_RTZ ? x < 0 && rest > 0 : mode == FP_RDN ? false
            : rest > 0.5 || (rest == 0.5 && (mode == FP_RMM ? x > 0 : (int64_t)down & 1));
    double v = down + up;
    return v == 0 ? number(bits(x) & SIGN) : v;
}

TEST(frint_rounds_to_an_integral_number_in_every_mode)
{
    static const double xs[] = { 0.0, -0.0, 0.25, -0.25, 0.5, -0.5, 0.75, 1, 1.5, -1.5, 2.5, -2.5, 3.5, 4503599627370495.5, -4503599627370495.5, 1e-300, -1e-300 };
    for (unsigned mode = FP_RNE; mode <= FP_RMM; mode++) {
        for (unsigned n = 0; n < 4000; n++) {
            double x = n < ARRAY_COUNT(xs) ? xs[n] : (double)(int64_t)test_random() / (double)(1ull << (13 + n % 50));
            double want = rounded(x, (enum fp_round)mode);
            IS(run64(IR_FRINT, bits(x), 0, mode), bits(want), want == x ? 0 : FP_INEXACT);
            IS(run64(IR_FRINT, bits(x), 0, mode | FP_SILENT), bits(want), 0);
            float f = (float)(n % 2048) / 8 - 100;
            IS(run(IR_FRINT, IR_F32, IR_F32, bits32(f), 0, 0, mode), bits32((float)rounded(f, (enum fp_round)mode)), rounded(f, (enum fp_round)mode) == f ? 0 : FP_INEXACT);
        }
    }
    IS(run64(IR_FRINT, bits(-1.5), 0, FP_ROUND_DYNAMIC), bits(-1.0), FP_INEXACT);
    IS(run64(IR_FRINT, bits(-1.5), 0, FP_ROUND_DYNAMIC | FP_SILENT), bits(-1.0), 0);
    IS(run64(IR_FRINT, SNAN, 0, FP_RNE), FP64_CANONICAL_NAN, FP_INVALID);
    IS(run64(IR_FRINT, INF | SIGN, 0, FP_RNE), INF | SIGN, 0);
}

TEST(quiet_comparisons_raise_invalid_for_signalling_nans_only)
{
    static const struct { enum ir_op op; unsigned imm; bool quiet_is_invalid; } rows[] = {
        { IR_FEQ, 0, false }, { IR_FLT, FP_SIGNALLING, true }, { IR_FLE, FP_SIGNALLING, true }, { IR_FLT, FP_QUIET, false }, { IR_FLE, FP_QUIET, false } };
    for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
        IS(run(rows[n].op, IR_I1, IR_F64, QNAN, bits(1), 0, rows[n].imm), 0, rows[n].quiet_is_invalid ? FP_INVALID : 0);
        IS(run(rows[n].op, IR_I1, IR_F64, bits(1), SNAN, 0, rows[n].imm), 0, FP_INVALID);
        IS(run(rows[n].op, IR_I1, IR_F32, QNAN32, bits32(1), 0, rows[n].imm), 0, rows[n].quiet_is_invalid ? FP_INVALID : 0);
        IS(run(rows[n].op, IR_I1, IR_F32, SNAN32, bits32(1), 0, rows[n].imm), 0, FP_INVALID);
        IS(run(rows[n].op, IR_I1, IR_F64, bits(-1), bits(1), 0, rows[n].imm), rows[n].op != IR_FEQ, 0);
        IS(run(rows[n].op, IR_I1, IR_F32, bits32(2), bits32(2), 0, rows[n].imm), rows[n].op != IR_FLT, 0);
        IS(run(rows[n].op, IR_I1, IR_F64, SIGN, 0, 0, rows[n].imm), rows[n].op != IR_FLT, 0);
    }
}

TEST(arithmetic_is_the_host_s_where_it_rounds_to_nearest)
{
    for (unsigned n = 0; n < 20000; n++) {
        uint64_t mantissa = 0x000fffffffffffff, a = (test_random() & (mantissa | SIGN)) | (uint64_t)(900 + test_random() % 200) << 52;
        uint64_t b = (test_random() & (mantissa | SIGN)) | (uint64_t)(900 + test_random() % 200) << 52;
        float fa = (float)number(a), fb = (float)number(b);
        CHECK_EQ_U64(run64(IR_FADD, a, b, FP_RNE).value, bits(number(a) + number(b)));
        CHECK_EQ_U64(run64(IR_FSUB, a, b, FP_RNE).value, bits(number(a) - number(b)));
        CHECK_EQ_U64(run64(IR_FMUL, a, b, FP_RNE).value, bits(number(a) * number(b)));
        CHECK_EQ_U64(run64(IR_FDIV, a, b, FP_RNE).value, bits(number(a) / number(b)));
        CHECK_EQ_U64(run(IR_FADD, IR_F32, IR_F32, bits32(fa), bits32(fb), 0, FP_RNE).value, bits32(fa + fb));
        CHECK_EQ_U64(run(IR_FTOF, IR_F32, IR_F64, a, 0, 0, FP_RNE).value, bits32(fa));
        CHECK_EQ_U64(run(IR_FTOF, IR_F64, IR_F32, bits32(fa), 0, 0, FP_RNE).value, bits((double)fa));
        CHECK_EQ_U64(run(IR_STOF, IR_F64, IR_I64, a, 0, 0, FP_RNE).value, bits((double)(int64_t)a));
        CHECK_EQ_U64(run(IR_UTOF, IR_F64, IR_I64, a, 0, 0, FP_RNE).value, bits((double)a));
        CHECK_EQ_U64(run(IR_STOF, IR_F32, IR_I32, a, 0, 0, FP_RNE).value, bits32((float)(int32_t)a));
        CHECK_EQ_U64(run(IR_UTOF, IR_F32, IR_I32, a, 0, 0, FP_RNE).value, bits32((float)(uint32_t)a));
        uint64_t square = bits(number(a) * number(a)), root = run64(IR_FSQRT, square, 0, FP_RNE).value;
        CHECK(root - (a & ~SIGN) + 1 <= 2);                                  /* within one unit: the square was rounded */
        int32_t x = (int32_t)a >> 8, y = (int32_t)b >> 8, z = (int32_t)(a >> 20);
        IS(run(IR_FMADD, IR_F64, IR_F64, bits(x), bits(y), bits(z), FP_RNE), bits((double)((int64_t)x * y + z)), 0);
    }
}

TEST(conversions_to_integers_saturate_and_nan_is_the_largest)
{
    static const struct { uint64_t a; int64_t s32, s64; uint64_t u32, u64; } rows[] = {
        { 0x7ff8000000000000, INT32_MAX, INT64_MAX, UINT32_MAX, UINT64_MAX }, { 0x7ff0000000000000, INT32_MAX, INT64_MAX, UINT32_MAX, UINT64_MAX },
        { 0xfff0000000000000, INT32_MIN, INT64_MIN, 0, 0 }, { 0xc000000000000000, -2, -2, 0, 0 }, { 0x4008000000000000, 3, 3, 3, 3 },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
        CHECK_EQ_U64(run(IR_FTOS, IR_I32, IR_F64, rows[n].a, 0, 0, FP_RTZ).value, (uint32_t)rows[n].s32);
        CHECK_EQ_U64(run(IR_FTOS, IR_I64, IR_F64, rows[n].a, 0, 0, FP_RTZ).value, (uint64_t)rows[n].s64);
        CHECK_EQ_U64(run(IR_FTOU, IR_I32, IR_F64, rows[n].a, 0, 0, FP_RTZ).value, (uint32_t)rows[n].u32);
        CHECK_EQ_U64(run(IR_FTOU, IR_I64, IR_F64, rows[n].a, 0, 0, FP_RTZ).value, rows[n].u64);
    }
}

TEST(minimum_and_maximum_prefer_numbers_and_order_zeros)
{
    IS(run64(IR_FMIN, QNAN, bits(1), 0), bits(1), 0);
    IS(run64(IR_FMAX, bits(1), SNAN, 0), bits(1), FP_INVALID);
    IS(run64(IR_FMIN, QNAN, QNAN | SIGN, 0), FP64_CANONICAL_NAN, 0);
    IS(run64(IR_FMIN, 0, SIGN, 0), SIGN, 0);
    IS(run64(IR_FMAX, SIGN, 0, 0), 0, 0);
    IS(run64(IR_FMAX, bits(-3), bits(2), 0), bits(2), 0);
    IS(run(IR_FMIN, IR_F32, IR_F32, bits32(-3), bits32(2), 0, 0), bits32(-3), 0);
    IS(run(IR_FMAX, IR_F32, IR_F32, 0xdead000000000000 | SNAN32, bits32(2), 0, 0), bits32(2), FP_INVALID);
}

TEST(classes_of_both_widths)
{
    static const uint64_t wide[] = { 0xfff0000000000000, 0xbff0000000000000, 0x8000000000000001, 0x8000000000000000, 0, 1, 0x3ff0000000000000,
                                     0x7ff0000000000000, 0x7ff0000000000001, 0x7ff8000000000000 };
    static const uint32_t narrow[] = { 0xff800000, 0xbf800000, 0x80000001, 0x80000000, 0, 1, 0x3f800000, 0x7f800000, 0x7f800001, 0x7fc00000 };
    for (unsigned n = 0; n < 10; n++) {
        CHECK_EQ_U64(fp_class(IR_F64, wide[n]), 1u << n);
        CHECK_EQ_U64(fp_class(IR_F32, 0xabcd000000000000 | narrow[n]), 1u << n);
    }
}

TEST(tininess_is_found_before_or_after_rounding_as_the_guest_wants)
{
    /* a product that rounds up to the smallest normal number: tiny only before rounding */
    uint64_t a = 0x0010000000000001, b = 0x3feffffffffffffe, least = 0x0010000000000000;
    for (unsigned before = 0; before < 2; before++) {
        struct fp_env env = { .round = FP_RNE, .is_tiny_before = (uint8_t)before };
        CHECK_EQ_U64(fp_eval(&env, IR_FMUL, IR_F64, IR_F64, a, b, 0, FP_RNE), least);
        CHECK_EQ_U64(env.flags, before ? FP_INEXACT | FP_UNDERFLOW : FP_INEXACT);
    }
}

TEST(flags_accumulate)
{
    struct fp_env env = { .flags = FP_OVERFLOW };
    (void)fp_eval(&env, IR_FDIV, IR_F64, IR_F64, bits(1), 0, 0, FP_RNE);
    CHECK_EQ_U64(env.flags, FP_OVERFLOW | FP_DIV_BY_ZERO);
    (void)fp_eval(&env, IR_FADD, IR_F64, IR_F64, bits(1), bits(1), 0, FP_RNE);
    CHECK_EQ_U64(env.flags, FP_OVERFLOW | FP_DIV_BY_ZERO);
}
