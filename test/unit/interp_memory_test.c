// SPDX-License-Identifier: Apache-2.0
/* Memory rows on the interpreter, one by one: byte orders, 16 bytes, reservations, atomic rows, faults that leave nothing
 * behind; and a result computed in place that must wait. Random mixtures of all that are interp_random_test.c's. */
#include "test/unit/ir_model.h"
#include "test/unit/ir_rig.h"

static struct ir_block *b;
static void (*body)(void);
static ir_ref get(unsigned slot)                 { return ir_get(b, IR_I64, slot); }
static ir_ref k(uint64_t v)                      { return ir_const(b, IR_I64, v); }
static ir_ref at(uint64_t offset)                { return k(RIG_DATA + offset); }
static ir_ref pair(enum ir_type t, unsigned slot) { ir_ref low = get(slot), high = get(slot + 1); return ir_bin(b, IR_PAIR, t, low, high); }

static enum lift_next lift(struct ir_block *block, const struct insn *i, void *arg)
{
    (void)i, (void)arg;
    b = block;
    body();
    const char *wrong = (ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { 0x2000 } }), ir_verify(b));
    if (wrong) test_fail(__FILE__, __LINE__, "%s", wrong);
    return LIFT_END;
}
/* Slots 1.. as given; what came out is in the slots and in memory. */
static struct exec_result run(void (*what)(void))
{
    body = what;
    rig_start(lift, NULL);
    rig_new();
    return rig_run();
}
static void fresh(void)
{
    rig_start(lift, NULL);
    for (unsigned n = 0; n < RIG_DATA_BYTES; n++) rig_data()[n] = (uint8_t)(n + 1);
    for (unsigned n = 0; n < 32; n++) rig.v.regs.slot[n] = 0x1111111111111111u * n;
}
static uint64_t slot(unsigned n) { return rig.v.regs.slot[n]; }
static uint64_t data64(unsigned offset) { uint64_t v; memcpy(&v, rig_data() + offset, 8); return v; }
#define RUNS(what)   CHECK_EQ_U64(run(what).status, EXEC_CONTINUE)
#define FAULTS(what, k, address)                                                                                         \
    do { struct exec_result r_ = run(what); CHECK_EQ_U64(r_.status, EXEC_FAULT); CHECK_EQ_U64(r_.error.fault.kind, k);   \
         CHECK_EQ_U64(r_.error.fault.page.addr.v, address); CHECK_EQ_U64(rig.v.regs.pc, RIG_CODE); } while (0)

static void load_orders(void)
{
    ir_set(b, 1, ir_load(b, IR_I64, at(0), MEM_32 | MEM_BIG_ENDIAN));
    ir_set(b, 2, ir_load(b, IR_I64, at(0xfe), MEM_16 | MEM_SIGNED));
    ir_set(b, 3, ir_load(b, IR_I64, at(0xfe), MEM_16 | MEM_SIGNED | MEM_BIG_ENDIAN));
    ir_set(b, 4, ir_load(b, IR_I128, at(3), MEM_128));
    ir_set(b, 6, ir_load(b, IR_V128, at(3), MEM_128 | MEM_BIG_ENDIAN));
}
TEST(loads_in_both_byte_orders)
{
    fresh();
    RUNS(load_orders);
    CHECK_EQ_U64(slot(1), 0x01020304);
    CHECK_EQ_U64(slot(2), 0x00ff);
    CHECK_EQ_U64(slot(3), 0xffffffffffffff00);
    CHECK(slot(4) == 0x0b0a090807060504 && slot(5) == 0x131211100f0e0d0c);
    CHECK(slot(6) == 0x0c0d0e0f10111213 && slot(7) == 0x0405060708090a0b);
}

static void store_wide(void) { (void)ir_emit(b, IR_STORE, IR_VOID, get(1), pair(IR_I128, 2), IR_NONE, MEM_128 | MEM_BIG_ENDIAN); }
static void store_wide_aligned(void) { (void)ir_emit(b, IR_STORE, IR_VOID, get(1), pair(IR_I128, 2), IR_NONE, MEM_128 | MEM_ALIGNED); }
TEST(a_wide_store_that_faults_in_its_second_page_writes_nothing)
{
    fresh();
    rig.v.regs.slot[1] = RIG_DATA + 64;
    RUNS(store_wide);
    CHECK(data64(64) == 0x3333333333333333 && data64(72) == 0x2222222222222222);
    for (unsigned back = 1; back < 16; back++) {
        fresh();
        rig.v.regs.slot[1] = RIG_NOTHING - back;
        FAULTS(store_wide, FAULT_PAGE, RIG_NOTHING);
        for (unsigned n = RIG_DATA_BYTES - 16; n < RIG_DATA_BYTES; n++) CHECK_EQ_U64(rig_data()[n], (uint8_t)(n + 1));
    }
    fresh();
    rig.v.regs.slot[1] = RIG_DATA + 8;
    FAULTS(store_wide_aligned, FAULT_ALIGNMENT, RIG_DATA + 8);
}

static void cas_wide(void)
{
    ir_ref expected = pair(IR_I128, 2), new = pair(IR_I128, 4);
    ir_set(b, 6, ir_emit(b, IR_CAS, IR_I128, get(1), expected, new, MEM_128));
}
TEST(sixteen_bytes_are_compared_and_exchanged_at_once)
{
    fresh();
    rig.v.regs.slot[1] = RIG_DATA + 32;
    rig.v.regs.slot[2] = data64(32), rig.v.regs.slot[3] = data64(40);
    uint64_t low = slot(2), high = slot(3);
    RUNS(cas_wide);
    CHECK(slot(6) == low && slot(7) == high && data64(32) == slot(4) && data64(40) == slot(5));
    RUNS(cas_wide);                                         /* no longer the expected value */
    CHECK(slot(6) == slot(4) && slot(7) == slot(5) && data64(32) == slot(4));
    rig.v.regs.slot[1] = RIG_DATA + 40;
    FAULTS(cas_wide, FAULT_ALIGNMENT, RIG_DATA + 40);
}

static uint64_t reserve_memop;
static enum ir_type reserve_type;
static void reserve(void)   { ir_set(b, 2, ir_emit(b, IR_LL, reserve_type, get(1), IR_NONE, IR_NONE, reserve_memop)); }
static void try_store(void)
{
    ir_ref v = reserve_type == IR_I64 ? get(4) : pair(IR_I128, 4);
    ir_set(b, 6, ir_emit(b, IR_SC, IR_I1, get(1), v, IR_NONE, reserve_memop));
}
static void meddle(void)    { ir_store(b, get(1), k(7), MEM_64); }
TEST(a_store_conditional_needs_its_reservation_and_the_value_it_saw)
{
    for (unsigned form = 0; form < 4; form++) {
        bool wide = form & 1, big = form & 2;
        reserve_memop = (wide ? MEM_128 : MEM_64) | (big ? MEM_BIG_ENDIAN : 0);
        reserve_type = wide ? IR_I128 : IR_I64;
        fresh();
        rig.v.regs.slot[1] = RIG_DATA + 48;
        RUNS(try_store);
        CHECK_EQ_U64(slot(6), 0);                           /* none held */
        rig_new();
        RUNS(reserve);
        bool held = rig.v.reservation.size_bytes;
        CHECK(held);
        body = try_store;
        rig.v.regs.mode++, rig.v.regs.pc = RIG_CODE;
        (void)rig_run();
        CHECK_EQ_U64(slot(6), 1);
        uint64_t first = big ? __builtin_bswap64(slot(wide ? 5 : 4)) : slot(4);
        CHECK_EQ_U64(data64(48), first);
        if (wide) CHECK_EQ_U64(data64(56), big ? __builtin_bswap64(slot(4)) : slot(5));
        RUNS(reserve);                                      /* and the word changes before the store */
        body = meddle;
        rig.v.regs.mode++, rig.v.regs.pc = RIG_CODE;
        (void)rig_run();
        body = try_store;
        rig.v.regs.mode++, rig.v.regs.pc = RIG_CODE;
        (void)rig_run();
        CHECK_EQ_U64(slot(6), 0);
        CHECK_EQ_U64(data64(48), 7);
    }
}

static void amo_add(void) { ir_set(b, 2, ir_emit(b, IR_AMO, IR_I64, get(1), get(3), IR_NONE, MEM_32 | MEM_SIGNED | MEM_BIG_ENDIAN | AMO_ADD << MEM_AMO_SHIFT)); }
TEST(an_atomic_addition_in_the_guest_s_byte_order)
{
    fresh();
    const uint8_t before[] = { 0xff, 0xff, 0xff, 0xfe }, after[] = { 0x00, 0x00, 0x00, 0x01 };
    memcpy(rig_data() + 16, before, 4);
    rig.v.regs.slot[1] = RIG_DATA + 16;
    rig.v.regs.slot[3] = 3;
    RUNS(amo_add);
    CHECK_EQ_U64(slot(2), (uint64_t)-2);
    CHECK(!memcmp(rig_data() + 16, after, 4));
    rig.v.regs.slot[1] = RIG_DATA + 18;
    FAULTS(amo_add, FAULT_ALIGNMENT, RIG_DATA + 18);
}

/* r1 = r2 + r3; a load; r4 = old r1's user behind the next r1: the second sum must not lie in r1 while the first is read. */
static void in_place(void)
{
    ir_ref sum = ir_bin(b, IR_ADD, IR_I64, get(2), get(3));
    ir_set(b, 1, sum);
    (void)ir_load(b, IR_I64, at(0), MEM_64);
    ir_ref next = ir_bin(b, IR_ADD, IR_I64, sum, get(5)), user = ir_bin(b, IR_XOR, IR_I64, sum, get(6));
    ir_set(b, 1, next);
    ir_set(b, 4, user);
}
TEST(a_register_is_not_computed_in_place_while_its_value_is_needed)
{
    fresh();
    uint64_t sum = slot(2) + slot(3), next = sum + slot(5), user = sum ^ slot(6);
    RUNS(in_place);
    CHECK_EQ_U64(slot(1), next);
    CHECK_EQ_U64(slot(4), user);
}

static void two_loads(void)
{
    ir_set(b, 1, k(1));
    ir_ref one = ir_load(b, IR_I64, at(0), MEM_64), two = ir_load(b, IR_I64, k(RIG_NOTHING), MEM_64);
    ir_set(b, 2, one);
    ir_set(b, 3, two);
}
TEST(a_fault_finds_the_writes_before_it_and_none_behind_it)
{
    fresh();
    FAULTS(two_loads, FAULT_PAGE, RIG_NOTHING);
    CHECK(slot(1) == 1 && slot(2) == 0x2222222222222222 && slot(3) == 0x3333333333333333);
}
