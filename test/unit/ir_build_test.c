// SPDX-License-Identifier: Apache-2.0
/* Building, sealing and printing a block: what is forwarded between registers, what is deleted, what stays. */
#include "test/unit/ir_model.h"

static struct ir_block b;
static uint64_t anything(struct vcpu *v, uint64_t a, uint64_t c, uint64_t d) { return (void)v, a + c + d; }
static const struct ir_helper PURE = { "pure", anything, HELPER_PURE }, WILD = { "wild", anything, 0 };

static void start(void)
{
    ir_begin(&b, guest_addr_make(0x1000), 7);
    ir_insn_start(&b, guest_addr_make(0x1000), 4);
}
static void finish(void)
{
    ir_end(&b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { 0x1004 } });
    ir_seal(&b);
    const char *wrong = ir_verify(&b);
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
}
static unsigned count_of(enum ir_op op)
{
    unsigned n = 0;
    for (unsigned i = 0; i < b.count; i++) n += b.insn[i].op == op && !(op == IR_CONST && b.insn[i].type == IR_VOID);
    return n;
}
static ir_ref k(uint64_t v) { return ir_const(&b, IR_I64, v); }
static ir_ref get(unsigned slot) { return ir_get(&b, IR_I64, slot); }

TEST(a_register_read_twice_or_after_a_write_costs_nothing)
{
    start();
    ir_ref x = get(1);
    CHECK_EQ_U64(get(1), x);
    ir_set(&b, 1, k(5));
    uint64_t v;
    CHECK(ir_is_const(&b, get(1), &v) && v == 5);
    CHECK_EQ_U64(get(1) == x, 0);
}

TEST(a_narrow_write_is_read_back_zero_extended)
{
    start();
    ir_set(&b, 1, ir_const(&b, IR_I8, 0x80));
    uint64_t v;
    CHECK(ir_is_const(&b, get(1), &v) && v == 0x80);
    ir_set(&b, 2, ir_un(&b, IR_TRUNC, IR_I32, get(3)));
    CHECK_EQ_U64(b.insn[get(2)].op, IR_ZEXT);
    CHECK_EQ_U64(b.insn[ir_get(&b, IR_I32, 2)].type, IR_I32);
}

TEST(a_wide_write_and_a_wild_helper_make_the_builder_forget)
{
    start();
    ir_set(&b, 4, k(1)), ir_set(&b, 5, k(2));
    ir_set(&b, 4, ir_bin(&b, IR_PAIR, IR_V128, get(1), get(2)));
    CHECK_EQ_U64(b.insn[get(4)].op, IR_GETR);
    CHECK_EQ_U64(b.insn[get(5)].op, IR_GETR);
    ir_set(&b, 6, k(3));
    (void)ir_call(&b, IR_I64, &PURE, get(1), IR_NONE, IR_NONE);
    CHECK_EQ_U64(b.insn[get(6)].op, IR_CONST);
    (void)ir_call(&b, IR_I64, &WILD, get(1), IR_NONE, IR_NONE);
    CHECK_EQ_U64(b.insn[get(6)].op, IR_GETR);
}

TEST(sealing_deletes_what_nobody_reads)
{
    start();
    ir_ref sum = ir_bin(&b, IR_ADD, IR_I64, get(1), get(2));
    (void)ir_bin(&b, IR_MUL, IR_I64, sum, get(3));                     /* a flag nobody asks for */
    (void)ir_load(&b, IR_I64, get(4), MEM_64);                         /* may fault: stays */
    (void)ir_call(&b, IR_I64, &PURE, get(1), IR_NONE, IR_NONE);
    (void)ir_call(&b, IR_I64, &WILD, get(1), IR_NONE, IR_NONE);
    ir_set(&b, 5, sum);
    finish();
    CHECK_EQ_U64(count_of(IR_MUL), 0);
    CHECK_EQ_U64(count_of(IR_LOAD), 1);
    CHECK_EQ_U64(count_of(IR_CALL), 1);
    CHECK_EQ_U64(count_of(IR_ADD), 1);
    CHECK_EQ_U64(b.uses[sum], 1);
}

/* A write that another overwrites before anyone can look is deleted, and no other is. */
static void overwritten(void (*between)(void), bool is_deleted)
{
    start();
    ir_set(&b, 1, k(11));
    if (between) between();
    ir_set(&b, 1, get(9));
    finish();
    CHECK_EQ_U64(count_of(IR_SETR), is_deleted ? 1 : 2);
}
static void between_insn(void)      { ir_insn_start(&b, guest_addr_make(0x1004), 4); }
static void between_load(void)      { (void)ir_load(&b, IR_I64, k(0x2000), MEM_64); }
static void between_store(void)     { ir_store(&b, k(0x2000), k(1), MEM_64); }
static void between_wild(void)      { (void)ir_call(&b, IR_VOID, &WILD, IR_NONE, IR_NONE, IR_NONE); }
static void between_pure(void)      { (void)ir_call(&b, IR_I64, &PURE, IR_NONE, IR_NONE, IR_NONE); }
static void between_wide_get(void)  { (void)ir_emit(&b, IR_STORE, IR_VOID, k(0x2000), ir_get(&b, IR_V128, 0), IR_NONE, MEM_128); }

TEST(a_register_overwritten_unseen_is_not_written)
{
    overwritten(NULL, true);
    overwritten(between_insn, true);
    overwritten(between_pure, true);
    overwritten(between_load, false);
    overwritten(between_store, false);
    overwritten(between_wild, false);
    overwritten(between_wide_get, false);
}

TEST(a_wide_write_is_deleted_only_when_both_halves_are_overwritten)
{
    for (unsigned both = 0; both < 2; both++) {
        start();
        ir_set(&b, 4, ir_bin(&b, IR_PAIR, IR_I128, get(1), get(2)));
        ir_set(&b, 4, get(1));
        if (both) ir_set(&b, 5, get(2));
        finish();
        CHECK_EQ_U64(count_of(IR_SETR), 2);
        CHECK_EQ_U64(count_of(IR_PAIR), both ? 0 : 1);
    }
}

TEST(the_last_write_before_the_end_stays)
{
    start();
    ir_set(&b, 1, k(1));
    finish();
    CHECK_EQ_U64(count_of(IR_SETR), 1);
}

TEST(an_indirect_end_to_a_constant_is_a_jump_and_keeps_its_hint)
{
    start();
    ir_end(&b, (struct ir_end){ .kind = IR_END_INDIRECT, .hint = IR_HINT_CALL, .value = k(0x2004) });
    CHECK(b.end.kind == IR_END_JUMP && b.end.hint == IR_HINT_CALL && b.end.value == IR_NONE && b.end.taken.v == 0x2004);
    start();
    ir_end(&b, (struct ir_end){ .kind = IR_END_INDIRECT, .value = get(1) });
    CHECK(b.end.kind == IR_END_INDIRECT && b.end.value != IR_NONE);
}

TEST(a_block_says_when_it_is_full)
{
    start();
    CHECK(ir_has_room(&b));
    while (b.count + IR_INSN_WORST <= IR_BLOCK_INSNS) (void)ir_load(&b, IR_I64, k(0x2000), MEM_64);
    CHECK(!ir_has_room(&b));
    start();
    for (unsigned n = 1; n < IR_BLOCK_GUEST; n++) {
        CHECK(ir_has_room(&b));
        ir_insn_start(&b, guest_addr_make(0x1000 + 4 * n), 4);
    }
    CHECK(!ir_has_room(&b));
    CHECK_EQ_U64(b.guest_bytes, 4 * IR_BLOCK_GUEST);
}

TEST(a_block_prints_the_same_words_every_time)
{
    char text[2048], small[40];
    start();
    ir_ref base = get(2), word = ir_load(&b, IR_I32, base, MEM_32 | MEM_SIGNED | MEM_BIG_ENDIAN | MEM_ACQUIRE);
    ir_set(&b, 3, ir_un(&b, IR_SEXT, IR_I64, word));
    ir_ref f = ir_get(&b, IR_F64, 40);
    ir_set(&b, 40, ir_emit(&b, IR_FADD, IR_F64, f, f, IR_NONE, FP_ROUND_DYNAMIC));
    (void)ir_emit(&b, IR_FENCE, IR_VOID, IR_NONE, IR_NONE, IR_NONE, FENCE_R | FENCE_W | FENCE_W << 4);
    ir_insn_start(&b, guest_addr_make(0x1004), 2);
    ir_ref got = ir_emit(&b, IR_AMO, IR_I64, base, word == 0 ? base : get(5), IR_NONE, MEM_64 | MEM_RELEASE | AMO_MAXU << MEM_AMO_SHIFT);
    (void)ir_call(&b, IR_VOID, &WILD, IR_NONE, got, IR_NONE);
    ir_ref less = ir_emit(&b, IR_FLT, IR_I1, f, f, IR_NONE, FP_QUIET);
    ir_ref field = ir_emit(&b, IR_EXTRACT, IR_I64, got, IR_NONE, IR_NONE, ir_field(8, 8));
    ir_set(&b, 6, ir_emit(&b, IR_FRINT, IR_F64, ir_un(&b, IR_TRUNC, IR_F64, field), IR_NONE, IR_NONE, FP_RTZ | FP_SILENT));
    ir_end(&b, (struct ir_end){ .kind = IR_END_BRANCH, .value = less, .taken = { 0x2000 }, .fall = { 0x1006 } });
    ir_seal(&b);
    CHECK(!ir_verify(&b));
    int length = ir_dump(&b, text, sizeof text);
    CHECK_STR(text, "0x1000:\n"
                    "  %1 = GETR.i64 r2\n"
                    "  %2 = LOAD.i32 %1 [32 signed big acquire]\n"
                    "  %3 = SEXT.i64 %2\n"
                    "  SETR r3 %3\n"
                    "  %5 = GETR.f64 r40\n"
                    "  %6 = FADD.f64 %5 %5 dyn\n"
                    "  SETR r40 %6\n"
                    "  FENCE rw w\n"
                    "0x1004:\n"
                    "  %10 = GETR.i64 r5\n"
                    "  %11 = AMO.i64 %1 %10 [64 release maxu]\n"
                    "  CALL wild _ %11\n"
                    "  %13 = FLT.i1 %5 %5 quiet\n"
                    "  %14 = EXTRACT.i64 %11 <8,8>\n"
                    "  %15 = TRUNC.f64 %14\n"
                    "  %16 = FRINT.f64 %15 rtz silent\n"
                    "  SETR r6 %16\n"
                    "  branch %13 0x2000 0x1006\n");
    CHECK_EQ_U64(length, strlen(text));
    CHECK_EQ_U64(ir_dump(&b, small, sizeof small), length);                    /* what it wanted, and no byte too far */
    CHECK(strlen(small) == sizeof small - 1 && !memcmp(small, text, sizeof small - 1));
    CHECK_EQ_U64(ir_dump(&b, NULL, 0), length);
}
