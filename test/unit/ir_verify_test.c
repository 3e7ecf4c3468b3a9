// SPDX-License-Identifier: Apache-2.0
/* ir_verify: one broken law a row, put into a block behind the builder's back; and what the builder builds is lawful. */
#include "test/unit/ir_model.h"

static struct ir_block b;
enum { I1V, I8V, I32V, I64V, F32V, F64V, WIDEV, VECV, FIRST };      /* values that every block here has, from index 1 on */
#define V(x) ((ir_ref)(1 + (x)))

static uint64_t nothing(struct vcpu *v, uint64_t a, uint64_t c, uint64_t d) { return (void)v, a + c + d; }
static const struct ir_helper good_helper = { "good", nothing, HELPER_MAY_FAULT }, bad_helper = { "bad", nothing, HELPER_PURE | HELPER_MAY_FAULT };

static void start(void)
{
    static const enum ir_type types[FIRST] = { IR_I1, IR_I8, IR_I32, IR_I64, IR_F32, IR_F64, IR_I128, IR_V128 };
    ir_begin(&b, guest_addr_make(0x1000), 0);
    ir_insn_start(&b, guest_addr_make(0x1000), 4);
    for (unsigned n = 0; n < FIRST; n++) CHECK_EQ_U64(ir_get(&b, types[n], 2 * n), V(n));
}
static const char *finish(void)
{
    ir_end(&b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { 0x1004 } });
    return ir_verify(&b);
}
static void add(struct ir_insn i) { b.insn[b.count++] = i; }

#define N IR_NONE
static const struct { struct ir_insn insn; const char *law; } broken[] = {
    { { IR_OP_COUNT, IR_I64, N, N, N, 0 }, "no such op or type" },
    { { IR_ADD, IR_TYPE_COUNT, V(I64V), V(I64V), N, 0 }, "no such op or type" },
    { { IR_INSN, IR_VOID, N, N, 0, 0x1004 }, "an instruction has no length" },
    { { IR_EQ, IR_I64, V(I64V), V(I64V), N, 0 }, "the result has the wrong type" },
    { { IR_ADD, IR_F64, V(F64V), V(F64V), N, 0 }, "the result has the wrong type" },
    { { IR_FADD, IR_I64, V(I64V), V(I64V), N, 0 }, "the result has the wrong type" },
    { { IR_SETR, IR_I64, V(I64V), N, N, 1 }, "the result has the wrong type" },
    { { IR_PAIR, IR_I64, V(I64V), V(I64V), N, 0 }, "the result has the wrong type" },
    { { IR_SEL, IR_VOID, V(I1V), V(I64V), V(I64V), 0 }, "the result has no type" },
    { { IR_ADD, IR_I64, V(I64V), N, N, 0 }, "an operand is missing" },
    { { IR_NOT, IR_I64, V(I64V), V(I64V), N, 0 }, "one operand too many" },
    { { IR_ADD, IR_I64, V(I64V), V(FIRST), N, 0 }, "used before it is defined" },
    { { IR_ADD, IR_I64, V(I64V), V(FIRST) + 1, N, 0 }, "used before it is defined" },
    { { IR_ADD, IR_I64, V(I64V), 0, N, 0 }, "an operand has no value" },
    { { IR_ADD, IR_I64, V(I64V), V(I32V), N, 0 }, "an operand's type is not the result's" },
    { { IR_EQ, IR_I1, V(I64V), V(I32V), N, 0 }, "an operand's type is not the first one's" },
    { { IR_CARRY, IR_I1, V(I64V), V(I64V), V(I8V), 0 }, "an operand has the wrong type" },
    { { IR_SHL, IR_I64, V(I64V), V(I64V), N, 0 }, "an operand has the wrong type" },
    { { IR_SEL, IR_I64, V(I64V), V(I64V), V(I64V), 0 }, "an operand has the wrong type" },
    { { IR_FEQ, IR_I1, V(I64V), V(I64V), N, 0 }, "an operand has the wrong type" },
    { { IR_LOAD, IR_I64, V(I32V), N, N, MEM_64 }, "an operand has the wrong type" },
    { { IR_BOX, IR_I64, V(I32V), N, N, 0 }, "an operand has the wrong type" },
    { { IR_LOW, IR_I64, V(I64V), N, N, 0 }, "an operand has the wrong type" },
    { { IR_MUL, IR_I128, V(WIDEV), V(WIDEV), N, 0 }, "128 bits where there is no row for it" },
    { { IR_TRUNC, IR_I64, V(WIDEV), N, N, 0 }, "128 bits where there is no row for it" },
    { { IR_ZEXT, IR_I128, V(I64V), N, N, 0 }, "128 bits where there is no row for it" },
    { { IR_SEL, IR_V128, V(I1V), V(VECV), V(VECV), 0 }, "128 bits where there is no row for it" },
    { { IR_TRUNC, IR_I64, V(I32V), N, N, 0 }, "a truncation widens" },
    { { IR_ZEXT, IR_I8, V(I32V), N, N, 0 }, "an extension narrows" },
    { { IR_ADD, IR_I64, V(I64V), V(I64V), N, 1 }, "an immediate where there is none" },
    { { IR_CONST, IR_I8, N, N, N, 0x100 }, "a constant is wider than its type" },
    { { IR_GETR, IR_I64, N, N, N, 256 }, "no such slot" },
    { { IR_GETR, IR_V128, N, N, N, 255 }, "no such slot" },
    { { IR_SETR, IR_VOID, V(WIDEV), N, N, 255 }, "no such slot" },
    { { IR_EXTRACT, IR_I32, V(I32V), N, N, 31 | 2 << 8 }, "a field is not within its value" },
    { { IR_DEPOSIT, IR_I64, V(I64V), V(I64V), N, 5 }, "a field is not within its value" },
    { { IR_LOAD, IR_I64, V(I64V), N, N, 5 }, "no such memory access" },
    { { IR_LOAD, IR_I64, V(I64V), N, N, 1ull << 20 }, "no such memory access" },
    { { IR_LOAD, IR_I64, V(I64V), N, N, MEM_64 | AMO_ADD << MEM_AMO_SHIFT }, "no such read-modify-write" },
    { { IR_AMO, IR_I64, V(I64V), V(I64V), N, MEM_64 | 9 << MEM_AMO_SHIFT }, "no such read-modify-write" },
    { { IR_LOAD, IR_I32, V(I64V), N, N, MEM_64 }, "an access is wider than its value" },
    { { IR_LOAD, IR_F64, V(I64V), N, N, MEM_32 }, "an access is wider than its value" },
    { { IR_LOAD, IR_V128, V(I64V), N, N, MEM_64 }, "an access is wider than its value" },
    { { IR_STORE, IR_VOID, V(I64V), V(I8V), N, MEM_16 }, "an access is wider than its value" },
    { { IR_AMO, IR_I64, V(I64V), V(I32V), N, MEM_64 }, "an access is wider than its value" },
    { { IR_FENCE, IR_VOID, N, N, N, 0x100 }, "no such fence" },
    { { IR_FLT, IR_I1, V(F64V), V(F64V), N, 2 }, "no such comparison" },
    { { IR_FADD, IR_F64, V(F64V), V(F64V), N, 5 }, "no such rounding mode" },
    { { IR_FADD, IR_F64, V(F64V), V(F64V), N, FP_SILENT }, "no such rounding mode" },
    { { IR_CALL, IR_I64, N, N, N, 0 }, "no helper" },
    { { IR_CALL, IR_I64, N, N, N, (uint64_t)(uintptr_t)&bad_helper }, "a pure helper cannot fault" },
};

TEST(every_broken_law_is_found)
{
    for (unsigned n = 0; n < ARRAY_COUNT(broken); n++) {
        start();
        CHECK(!finish());
        struct ir_insn i = broken[n].insn;
        start();
        add(i);
        const char *wrong = finish();
        if (!wrong || strcmp(wrong, broken[n].law)) {
            test_fail(__FILE__, __LINE__, "row %u (%s): found \"%s\", want \"%s\"", n, ir_op_name((enum ir_op)i.op), wrong ? wrong : "nothing", broken[n].law);
        }
    }
}

TEST(lawful_rows_pass)
{
    static const struct ir_insn good[] = {
        { IR_AND, IR_V128, V(VECV), V(VECV), N, 0 }, { IR_ADD, IR_I128, V(WIDEV), V(WIDEV), N, 0 }, { IR_TRUNC, IR_F64, V(I64V), N, N, 0 },
        { IR_LOAD, IR_I64, V(I64V), N, N, MEM_8 | MEM_SIGNED | MEM_BIG_ENDIAN }, { IR_LOAD, IR_V128, V(I64V), N, N, MEM_128 | MEM_ALIGNED },
        { IR_STORE, IR_VOID, V(I64V), V(I64V), N, MEM_8 }, { IR_SC, IR_I1, V(I64V), V(WIDEV), N, MEM_128 | MEM_RELEASE },
        { IR_FRINT, IR_F64, V(F64V), N, N, FP_RTZ | FP_SILENT }, { IR_FLT, IR_I1, V(F32V), V(F32V), N, FP_QUIET },
        { IR_CALL, IR_VOID, N, V(I64V), N, (uint64_t)(uintptr_t)&good_helper }, { IR_EXTRACT, IR_I32, V(I32V), N, N, 31 | 1 << 8 },
        { IR_STOF, IR_F32, V(I64V), N, N, FP_ROUND_DYNAMIC }, { IR_AMO, IR_I32, V(I64V), V(I32V), N, MEM_32 | MEM_SIGNED | AMO_MAXU << MEM_AMO_SHIFT },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(good); n++) {
        start();
        add(good[n]);
        const char *wrong = finish();
        if (wrong) test_fail(__FILE__, __LINE__, "row %u (%s): %s", n, ir_op_name((enum ir_op)good[n].op), wrong);
    }
}

TEST(ends_have_the_value_they_use_and_no_other)
{
    static const struct { struct ir_end end; const char *law; } rows[] = {
        { { .kind = IR_END_NONE, .value = N }, "the block is open" },
        { { .kind = IR_END_BRANCH, .value = N }, "the end's value is missing" },
        { { .kind = IR_END_BRANCH, .value = V(I64V) }, "the end's value has the wrong type" },
        { { .kind = IR_END_INDIRECT, .value = V(I32V) }, "the end's value has the wrong type" },
        { { .kind = IR_END_LEAVE_INDIRECT, .value = 500 }, "the end's value is missing" },
        { { .kind = IR_END_JUMP, .value = V(I64V) }, "an end that uses no value has one" },
        { { .kind = IR_END_BRANCH, .value = V(I1V) }, NULL },
        { { .kind = IR_END_INDIRECT, .value = V(I64V) }, NULL },
        { { .kind = IR_END_FAULT, .value = N }, NULL },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
        start();
        b.end = rows[n].end;
        const char *wrong = ir_verify(&b);
        CHECK(!wrong == !rows[n].law);
        if (wrong) CHECK_STR(wrong, rows[n].law);
    }
}

TEST(nothing_faults_before_the_first_instruction)
{
    ir_begin(&b, guest_addr_make(0x1000), 0);
    ir_ref at = ir_const(&b, IR_I64, 0x2000);
    CHECK(!finish());
    (void)ir_load(&b, IR_I64, at, MEM_64);
    CHECK_STR(ir_verify(&b), "a fault before the first instruction");
}
