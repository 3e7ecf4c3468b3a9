// SPDX-License-Identifier: Apache-2.0
/* What the host's FPU takes, it takes rightly: the bits are SoftFloat's, and no flag but inexact would have risen. */
#include "hv/ir/hostfp.h"
#include "hv/ir/softfp.h"
#include "test/unit/ir_model.h"

static uint64_t awkward_float(bool wide)
{
    unsigned mantissa = wide ? 52 : 23, top = wide ? 0x7ff : 0xff;
    static const int steps[] = { 0, 1, 2, -1, -2 };
    uint64_t r = test_random(), fraction = r >> 3 & ((1ull << mantissa) - 1);
    unsigned exponent = (r & 7) < 4 ? (unsigned)(test_random() % (top + 1)) : (r & 7) == 4 ? 0 : (r & 7) == 5 ? top : (r & 7) == 6 ? top / 2 : 1 + (unsigned)(test_random() % 3);
    if (test_random() % 4 == 0) fraction = (uint64_t)steps[test_random() % 5] & ((1ull << mantissa) - 1);
    return (test_random() & 1) << (wide ? 63 : 31) | (uint64_t)exponent << mantissa | fraction;
}

TEST(the_host_fpu_gives_softfloat_s_bits_and_no_flag_but_inexact)
{
    static const enum ir_op ops[] = { IR_FADD, IR_FSUB, IR_FMUL, IR_FDIV, IR_FSQRT, IR_FMADD, IR_FRINT, IR_FEQ, IR_FLT, IR_FLE, IR_FMIN, IR_FMAX, IR_FTOF, IR_FTOS };
    unsigned taken[IR_OP_COUNT][2] = { { 0 } };
    for (unsigned n = 0; n < 400000; n++) {
        bool wide = n & 1;
        enum ir_op op = ops[n / 2 % ARRAY_COUNT(ops)];
        enum ir_type t = wide ? IR_F64 : IR_F32, result = op >= IR_FEQ && op <= IR_FLE ? IR_I1 : op == IR_FTOS ? IR_I64 : op == IR_FTOF ? (wide ? IR_F32 : IR_F64) : t;
        uint64_t a = awkward_float(wide), b = test_random() % 8 ? awkward_float(wide) : a ^ (test_random() & 1) << (wide ? 63 : 31), c = awkward_float(wide), got;
        if (!hostfp_try(op, t, a, b, c, &got)) continue;
        taken[op][wide]++;
        struct fp_env env = { .round = FP_RNE };
        uint64_t want = fp_eval(&env, op, result, t, a, b, c, FP_RNE);
        if ((got ^ want) & model_mask(result) || env.flags & ~FP_INEXACT) {
            test_fail(__FILE__, __LINE__, "%s.%s 0x%" PRIx64 " 0x%" PRIx64 ": 0x%" PRIx64 ", want 0x%" PRIx64 " flags 0x%x", ir_op_name(op), ir_type_name(t), a, b,
                      got, want, env.flags);
        }
    }
    CHECK(taken[IR_FADD][0] && taken[IR_FADD][1] && taken[IR_FMUL][0] && taken[IR_FDIV][1] && taken[IR_FSQRT][1] && taken[IR_FLT][0] && taken[IR_FEQ][1]);
}

TEST(the_host_fpu_refuses_what_may_raise_a_flag)
{
    uint64_t v;
    const uint64_t one = 0x3ff0000000000000, tiny = 1, inf = 0x7ff0000000000000, nan = 0x7ff8000000000000, least = 0x0010000000000000, most = 0x7fefffffffffffff;
    CHECK(hostfp_try(IR_FADD, IR_F64, one, one, 0, &v) && v == 0x4000000000000000);
    CHECK(!hostfp_try(IR_FADD, IR_F64, one, tiny, 0, &v));
    CHECK(!hostfp_try(IR_FMUL, IR_F64, inf, one, 0, &v));
    CHECK(!hostfp_try(IR_FMUL, IR_F64, most, most, 0, &v));
    CHECK(!hostfp_try(IR_FMUL, IR_F64, least, 0x3fe0000000000000, 0, &v));
    /* rounds up to the smallest normal number, and is tiny all the same */
    CHECK(!hostfp_try(IR_FMUL, IR_F64, least, 0x3fefffffffffffff, 0, &v));
    CHECK(!hostfp_try(IR_FMUL, IR_F32, 0x00800000, 0x3f7fffff, 0, &v));
    CHECK(!hostfp_try(IR_FDIV, IR_F64, one, 0, 0, &v));
    CHECK(!hostfp_try(IR_FEQ, IR_F64, nan, nan, 0, &v));
    CHECK(!hostfp_try(IR_FSQRT, IR_F64, one | 1ull << 63, 0, 0, &v));
}
