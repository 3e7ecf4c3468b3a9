// SPDX-License-Identifier: Apache-2.0
/* Every row of IR_OPS has a meaning of its own to be held against: pure rows by the models of ir_model.h in all widths,
 * the others in the tests that the table below names. A new row without such a test fails here. */
#include "test/unit/ir_model.h"

/* Rows that ir_eval does not define, and the file that tests what they mean. */
static const char *const elsewhere[IR_OP_COUNT] = {
    [IR_CONST] = "ir_build", [IR_GETR] = "ir_build", [IR_SETR] = "ir_build", [IR_INSN] = "ir_verify", [IR_PAIR] = "interp_memory",
    [IR_LOW] = "interp_memory", [IR_HIGH] = "interp_memory", [IR_LOAD] = "interp_memory", [IR_STORE] = "interp_memory", [IR_LL] = "interp_memory",
    [IR_SC] = "interp_memory", [IR_AMO] = "interp_memory", [IR_CAS] = "interp_memory", [IR_FENCE] = "interp_random", [IR_CALL] = "interp_random",
    [IR_FADD] = "softfp", [IR_FSUB] = "softfp", [IR_FMUL] = "softfp", [IR_FDIV] = "softfp", [IR_FSQRT] = "softfp", [IR_FMADD] = "softfp",
    [IR_FRINT] = "softfp", [IR_FMIN] = "softfp", [IR_FMAX] = "softfp", [IR_FEQ] = "softfp", [IR_FLT] = "softfp", [IR_FLE] = "softfp",
    [IR_FCLASS] = "softfp", [IR_FTOS] = "softfp", [IR_FTOU] = "softfp", [IR_STOF] = "softfp", [IR_UTOF] = "softfp", [IR_FTOF] = "softfp",
};

TEST(every_ir_op_has_a_test_of_what_it_means)
{
    for (enum ir_op op = 0; op < IR_OP_COUNT; op++) {
        if (ir_is_pure(op) ? !models[op] : !elsewhere[op]) test_fail(__FILE__, __LINE__, "%s has none", ir_op_name(op));
        CHECK(!(models[op] && elsewhere[op]));
    }
}

static void check_one(enum ir_op op, enum ir_type result, const enum ir_type t[3])
{
    uint64_t v[3];
    for (unsigned k = 0; k < 3; k++) v[k] = t[k] == IR_VOID ? 0 : awkward_operand(t[k]);
    uint64_t imm = awkward_immediate(op, result), got = ir_eval(op, result, t[0], v[0], v[1], v[2], imm) & model_mask(result);
    uint64_t want = model_eval(op, result, t, v, imm);
    if (got != want) {
        test_fail(__FILE__, __LINE__, "%s.%s of %s 0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64 " #0x%" PRIx64 " is 0x%" PRIx64 ", want 0x%" PRIx64,
                  ir_op_name(op), ir_type_name(result), ir_type_name(t[0]), v[0], v[1], v[2], imm, got, want);
    }
}

TEST(ir_eval_means_what_the_models_say_in_every_width)
{
    for (enum ir_op op = 0; op < IR_OP_COUNT; op++) {
        unsigned forms = 0;
        for (enum ir_type result = 0; result < IR_TYPE_COUNT && models[op]; result++) {
            for (enum ir_type from = 0; from < IR_TYPE_COUNT; from++) {
                enum ir_type t[3];
                if (!model_types(op, result, from, t)) continue;
                forms++;
                for (unsigned n = 0; n < (t[0] == from ? 500 : 60); n++) check_one(op, result, t);
            }
        }
        CHECK(!models[op] || forms);
    }
}

TEST(truth_values_come_out_as_0_or_1_from_exact_operands)
{
    for (enum ir_op op = IR_CARRY; op <= IR_SLE; op++) {
        for (unsigned n = 0; n < 300; n++) {
            CHECK(ir_eval(op, IR_I1, IR_I32, awkward_operand(IR_I32), awkward_operand(IR_I32), n & 1, 0) <= 1);
        }
    }
}

TEST(only_rows_without_effects_faults_and_state_are_pure)
{
    for (enum ir_op op = 0; op < IR_OP_COUNT; op++) CHECK(!ir_is_pure(op) || !(ir_op_flags[op] & (IRF_E | IRF_F | IRF_R)));
    CHECK(!ir_is_pure(IR_LOAD) && !ir_is_pure(IR_CALL) && !ir_is_pure(IR_GETR) && !ir_is_pure(IR_FADD) && ir_is_pure(IR_ADC));
}

TEST(rows_marked_commutative_are)
{
    for (enum ir_op op = 0; op < IR_OP_COUNT; op++) {
        if (!(ir_op_flags[op] & IRF_C)) continue;
        for (unsigned n = 0; n < 200; n++) {
            uint64_t a = awkward_operand(IR_I32), b = awkward_operand(IR_I32), mask = model_mask(op == IR_EQ || op == IR_NE ? IR_I1 : IR_I32);
            enum ir_type t = op == IR_EQ || op == IR_NE ? IR_I1 : IR_I32;
            CHECK_EQ_U64(ir_eval(op, t, IR_I32, a, b, 0, 0) & mask, ir_eval(op, t, IR_I32, b, a, 0, 0) & mask);
        }
    }
}

TEST(names_and_widths_of_types)
{
    static const struct { enum ir_type t; const char *name; unsigned bits; } want[] = {
        { IR_VOID, "void", 0 }, { IR_I1, "i1", 1 }, { IR_I8, "i8", 8 }, { IR_I16, "i16", 16 }, { IR_I32, "i32", 32 }, { IR_I64, "i64", 64 },
        { IR_I128, "i128", 128 }, { IR_F32, "f32", 32 }, { IR_F64, "f64", 64 }, { IR_V128, "v128", 128 },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(want); n++) {
        CHECK_STR(ir_type_name(want[n].t), want[n].name);
        CHECK_EQ_U64(ir_type_bits(want[n].t), want[n].bits);
    }
    CHECK_STR(ir_op_name(IR_OP_COUNT), "?");
    CHECK_STR(ir_type_name(IR_TYPE_COUNT), "?");
    CHECK_STR(ir_op_name(IR_MULHSU), "MULHSU");
}
