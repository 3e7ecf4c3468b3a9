// SPDX-License-Identifier: Apache-2.0
/* Folding changes what is emitted, never what it means; and it does fold. */
#include "hv/ir/fold.h"
#include "test/unit/ir_random.h"

static struct ir_block b;
static struct random_ir g;

/* Values of a built block's pure instructions, by ir_eval from the slots. */
static void evaluate(const uint64_t *slot, uint64_t *value)
{
    for (unsigned n = 0; n < b.count; n++) {
        const struct ir_insn *i = &b.insn[n];
        if (i->op == IR_CONST) value[n] = i->imm;
        else if (i->op == IR_GETR) value[n] = slot[i->imm];
        else if (i->op != IR_INSN) value[n] = ir_eval((enum ir_op)i->op, (enum ir_type)i->type, (enum ir_type)b.insn[i->a].type, value[i->a],
                                                      i->b == IR_NONE ? 0 : value[i->b], i->c == IR_NONE ? 0 : value[i->c], i->imm);
        if (i->type == IR_I1) CHECK(value[n] <= 1 || ir_is_pure((enum ir_op)i->op));
        if (i->type == IR_I1) value[n] &= 1;
    }
}

static void start(void)
{
    ir_begin(&b, guest_addr_make(0x1000), 0);
    ir_insn_start(&b, guest_addr_make(0x1000), 4);
}

TEST(fold_rules_are_sorted_by_op)
{
    CHECK(ir_fold_rules_are_sorted());
}

TEST(folded_expressions_mean_what_each_operation_means_alone)
{
    static uint64_t folded[IR_BLOCK_INSNS], leaf[RANDOM_OPS], model[RANDOM_OPS];
    unsigned folded_away = 0, all = 0;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t slot[32];
        ir_ref ref[RANDOM_OPS];
        g.count = 0;
        while (g.count < RANDOM_OPS - 90 + round % 80) random_pure(&g);
        start();
        for (unsigned n = 0; n < g.count; n++) ref[n] = random_emit(&b, &g.op[n], ref);
        ir_end(&b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE });
        const char *wrong = ir_verify(&b);
        if (wrong) test_fail(__FILE__, __LINE__, "round %u: %s", round, wrong);
        for (unsigned n = 0; n < g.count; n++) folded_away += b.insn[ref[n]].op != g.op[n].op, all++;
        for (unsigned state = 0; state < 3; state++) {
            random_slots(slot, 32);
            evaluate(slot, folded);
            for (unsigned n = 0; n < g.count; n++) {
                const struct random_op *o = &g.op[n];
                uint64_t mask = model_mask(o->type);
                if (o->op == IR_CONST || o->op == IR_GETR) {
                    leaf[n] = model[n] = (o->op == IR_CONST ? o->imm : slot[o->imm]) & mask;
                } else {
                    model[n] = random_model(&g, o, model);
                    leaf[n] = ir_eval(o->op, o->type, g.op[o->a].type, leaf[o->a], o->b < 0 ? 0 : leaf[o->b], o->c < 0 ? 0 : leaf[o->c], o->imm) & mask;
                }
                if ((folded[ref[n]] & mask) != leaf[n] || leaf[n] != model[n]) {
                    test_fail(__FILE__, __LINE__, "round %u, %s.%s: folded 0x%" PRIx64 ", alone 0x%" PRIx64 ", model 0x%" PRIx64, round,
                              ir_op_name(o->op), ir_type_name(o->type), folded[ref[n]] & mask, leaf[n], model[n]);
                }
            }
        }
    }
    CHECK(folded_away > all / 8);
}

/* ---- that rules fire: what a pattern becomes ---- */
static ir_ref x(enum ir_type t) { return ir_get(&b, t, 3); }
static ir_ref k(enum ir_type t, uint64_t v) { return ir_const(&b, t, v); }
static const struct ir_insn *def(ir_ref r) { return &b.insn[r]; }
#define IS_CONST(r, value) do { uint64_t v_; CHECK(ir_is_const(&b, r, &v_)); CHECK_EQ_U64(v_, value); } while (0)

TEST(constants_fold_to_constants_of_the_type)
{
    start();
    IS_CONST(ir_bin(&b, IR_ADD, IR_I8, k(IR_I8, 0xff), k(IR_I8, 2)), 1);
    IS_CONST(ir_un(&b, IR_SEXT, IR_I64, k(IR_I32, 0x80000000)), 0xffffffff80000000);
    IS_CONST(ir_emit(&b, IR_CARRY, IR_I1, k(IR_I16, 0xffff), k(IR_I16, 0), k(IR_I1, 1), 0), 1);
    IS_CONST(ir_bin(&b, IR_DIVS, IR_I32, k(IR_I32, 0x80000000), k(IR_I32, 0xffffffff)), 0x80000000);
}

TEST(identities_return_their_operand)
{
    start();
    ir_ref v = x(IR_I64);
    CHECK_EQ_U64(ir_bin(&b, IR_ADD, IR_I64, v, k(IR_I64, 0)), v);
    CHECK_EQ_U64(ir_bin(&b, IR_ADD, IR_I64, k(IR_I64, 0), v), v);
    CHECK_EQ_U64(ir_bin(&b, IR_AND, IR_I64, v, k(IR_I64, ~0ull)), v);
    CHECK_EQ_U64(ir_bin(&b, IR_OR, IR_I64, v, v), v);
    CHECK_EQ_U64(ir_un(&b, IR_NOT, IR_I64, ir_un(&b, IR_NOT, IR_I64, v)), v);
    CHECK_EQ_U64(ir_sel(&b, IR_I64, k(IR_I1, 1), v, k(IR_I64, 9)), v);
    CHECK_EQ_U64(ir_bin(&b, IR_SHL, IR_I64, v, k(IR_I8, 64)), v);
    IS_CONST(ir_bin(&b, IR_XOR, IR_I64, v, v), 0);
    IS_CONST(ir_bin(&b, IR_ULT, IR_I1, v, k(IR_I64, 0)), 0);
    ir_ref f = ir_get(&b, IR_F32, 5);
    CHECK_EQ_U64(ir_un(&b, IR_UNBOX, IR_F32, ir_un(&b, IR_BOX, IR_I64, f)), f);
    CHECK_EQ_U64(ir_un(&b, IR_FNEG, IR_F32, ir_un(&b, IR_FNEG, IR_F32, f)), f);
    ir_ref wide = ir_get(&b, IR_V128, 6);
    CHECK_EQ_U64(ir_bin(&b, IR_PAIR, IR_V128, ir_un(&b, IR_LOW, IR_I64, wide), ir_un(&b, IR_HIGH, IR_I64, wide)), wide);
}

TEST(dear_operations_become_cheap_ones)
{
    start();
    ir_ref v = x(IR_I64), c = ir_get(&b, IR_I1, TRUTH_SLOT);
    CHECK_EQ_U64(def(ir_bin(&b, IR_MUL, IR_I64, v, k(IR_I64, 8)))->op, IR_SHL);
    CHECK_EQ_U64(def(ir_bin(&b, IR_DIVU, IR_I64, v, k(IR_I64, 8)))->op, IR_SHR);
    CHECK_EQ_U64(def(ir_bin(&b, IR_REMU, IR_I64, v, k(IR_I64, 8)))->op, IR_AND);
    CHECK_EQ_U64(def(ir_emit(&b, IR_ADC, IR_I64, v, v, k(IR_I1, 0), 0))->op, IR_ADD);
    CHECK_EQ_U64(def(ir_emit(&b, IR_BORROW, IR_I1, v, k(IR_I64, 5), k(IR_I1, 1), 0))->op, IR_ULE);
    CHECK_EQ_U64(def(ir_emit(&b, IR_EXTRACT, IR_I64, v, IR_NONE, IR_NONE, ir_field(0, 32)))->op, IR_ZEXT);
    CHECK_EQ_U64(def(ir_sel(&b, IR_I64, c, k(IR_I64, 1), k(IR_I64, 0)))->op, IR_ZEXT);
    ir_ref add = ir_bin(&b, IR_ADD, IR_I64, ir_bin(&b, IR_ADD, IR_I64, v, k(IR_I64, 5)), k(IR_I64, 7));
    CHECK_EQ_U64(def(add)->a, v);
    IS_CONST(def(add)->b, 12);
}

TEST(a_choice_between_two_constants_is_a_truth_value_only_for_0_and_1)
{
    start();
    ir_ref c = ir_get(&b, IR_I1, TRUTH_SLOT);
    CHECK_EQ_U64(def(ir_sel(&b, IR_I64, c, k(IR_I64, 2), k(IR_I64, ~0ull)))->op, IR_SEL);
    CHECK_EQ_U64(def(ir_sel(&b, IR_I64, c, k(IR_I64, ~0ull), k(IR_I64, 2)))->op, IR_SEL);
}

TEST(no_rule_touches_what_may_fault_or_has_an_effect)
{
    start();
    ir_ref at = k(IR_I64, 0x2000), one = ir_load(&b, IR_I64, at, MEM_64), two = ir_load(&b, IR_I64, at, MEM_64);
    CHECK(one != two);
    ir_ref f = k(IR_F64, 0x3ff0000000000000);
    CHECK_EQ_U64(def(ir_emit(&b, IR_FADD, IR_F64, f, f, IR_NONE, FP_RNE))->op, IR_FADD);
}

TEST(a_branch_on_a_known_or_a_negated_condition)
{
    start();
    ir_end(&b, (struct ir_end){ .kind = IR_END_BRANCH, .value = k(IR_I1, 0), .taken = { 0x2000 }, .fall = { 0x1004 } });
    CHECK(b.end.kind == IR_END_JUMP && b.end.taken.v == 0x1004 && b.end.value == IR_NONE);
    start();
    ir_ref c = ir_get(&b, IR_I1, TRUTH_SLOT);
    ir_end(&b, (struct ir_end){ .kind = IR_END_BRANCH, .value = ir_bin(&b, IR_XOR, IR_I1, c, k(IR_I1, 1)), .taken = { 0x2000 }, .fall = { 0x1004 } });
    CHECK(b.end.kind == IR_END_BRANCH && b.end.value == c && b.end.taken.v == 0x1004 && b.end.fall.v == 0x2000);
}
