// SPDX-License-Identifier: Apache-2.0
/* Lifting of every riscv64 row: lawful IR in every mode, the right ends, FP off, rounding modes. What the IR computes is
 * compared with other machines in test/isa. */
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"
#include "test/harness/test.h"

static struct ir_block b;

static enum lift_next lift(uint32_t bits, unsigned size_bytes, uint32_t mode)
{
    struct insn i = { .pc = { 0x80000000 }, .bits = bits, .size_bytes = (uint8_t)size_bytes };
    CHECK(riscv64_decode(bits, size_bytes, &i));
    ir_begin(&b, i.pc, mode);
    ir_insn_start(&b, i.pc, size_bytes);
    enum lift_next next = RISCV64_ISA.lift(&b, &i, mode);
    if (next == LIFT_NEXT) {
        CHECK_EQ_U64(b.end.kind, IR_END_NONE);
        ir_end(&b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE });
    } else {
        CHECK(b.end.kind != IR_END_NONE);
    }
    return next;
}

static const uint32_t fp_on = RV_MODE_FP_DIRTY | RV_MODE_ROUND_NEAREST << 2;

TEST(every_row_lifts_to_lawful_ir_of_bounded_size_in_every_mode)
{
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        const struct decode_row *r = &riscv64_rows[row];
        for (unsigned n = 0; n < 60; n++) {
            uint32_t bits = r->match | ((uint32_t)test_random() & ~r->mask & (r->size_bytes == 2 ? 0xffffu : ~0u));
            struct insn i = { 0 };
            if (!riscv64_decode(bits, r->size_bytes, &i)) {
                continue;                                   /* a reserved corner of a compressed row */
            }
            for (unsigned fs = 0; fs < 3; fs++) {
                for (unsigned round = 0; round < 3; round++) {
                    (void)lift(bits, r->size_bytes, rv_mode((enum rv_mode_fs)fs, (enum rv_mode_round)round));
                    CHECK(b.count <= IR_INSN_WORST);
                    ir_seal(&b);
                    const char *wrong = ir_verify(&b);
                    if (wrong) {
                        test_fail(__FILE__, __LINE__, "%s (0x%08x): %s", r->name, bits, wrong);
                    }
                }
            }
        }
    }
}

static bool is_fp(const struct decode_row *r)
{
    return !strcmp(r->extension, "F") || !strcmp(r->extension, "D") || !strncmp(r->name, "c.f", 3);
}

TEST(R32_R33_fp_instructions_are_illegal_while_fs_is_off)
{
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        const struct decode_row *r = &riscv64_rows[row];
        uint32_t bits = r->match | ((r->size_bytes == 2 ? 0x0584u : 0x00c58500u) & ~r->mask);
        (void)lift(bits, r->size_bytes, rv_mode(RV_MODE_FP_OFF, RV_MODE_ROUND_NEAREST));
        bool is_illegal = b.end.kind == IR_END_FAULT && b.end.fault.kind == FAULT_INVALID_OPCODE;
        CHECK_EQ_U64(is_illegal, is_fp(r));
        if (is_illegal) {
            CHECK_EQ_U64(b.end.fault.invalid_opcode.opcode, bits);
            CHECK_EQ_U64(b.end.fault.invalid_opcode.pc.v, 0x80000000);
        }
    }
}

TEST(R32_reserved_rounding_modes_are_illegal)
{
    static const struct { uint32_t rm; enum rv_mode_round frm; bool is_legal; } rows[] = {
        { 0, RV_MODE_ROUND_NEAREST, true }, { 4, RV_MODE_ROUND_NEAREST, true }, { 5, RV_MODE_ROUND_NEAREST, false },
        { 6, RV_MODE_ROUND_NEAREST, false }, { 7, RV_MODE_ROUND_NEAREST, true }, { 7, RV_MODE_ROUND_OTHER, true },
        { 7, RV_MODE_ROUND_INVALID, false }, { 1, RV_MODE_ROUND_INVALID, true },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        (void)lift(0x00208053u | rows[i].rm << 12, 4, rv_mode(RV_MODE_FP_DIRTY, rows[i].frm));      /* fadd.s */
        CHECK_EQ_U64(b.end.kind != IR_END_FAULT, rows[i].is_legal);
    }
}

TEST(the_first_fp_write_under_a_clean_fs_leaves_the_block)
{
    CHECK_EQ_U64(lift(0x00208053, 4, rv_mode(RV_MODE_FP_CLEAN, RV_MODE_ROUND_NEAREST)), LIFT_END);  /* fadd.s */
    CHECK_EQ_U64(b.end.kind, IR_END_LEAVE);
    CHECK_EQ_U64(b.end.taken.v, 0x80000004);
    CHECK_EQ_U64(lift(0x00208053, 4, fp_on), LIFT_NEXT);
    CHECK_EQ_U64(lift(0x0020a027, 4, rv_mode(RV_MODE_FP_CLEAN, RV_MODE_ROUND_NEAREST)), LIFT_NEXT); /* fsw changes no state */
}

TEST(R94_blocks_end_at_branches_jumps_csrs_and_system_instructions)
{
    static const struct { uint32_t bits; enum ir_end_kind kind; enum ir_hint hint; uint64_t taken, fall; } rows[] = {
        { 0x0080006f, IR_END_JUMP,           IR_HINT_NONE,   0x80000008, 0 },               /* jal zero,+8 */
        { 0x008000ef, IR_END_JUMP,           IR_HINT_CALL,   0x80000008, 0 },               /* jal ra,+8 */
        { 0x00008067, IR_END_INDIRECT,       IR_HINT_RETURN, 0,          0 },               /* ret */
        { 0x000500e7, IR_END_INDIRECT,       IR_HINT_CALL,   0,          0 },               /* jalr ra,0(a0) */
        { 0x00050067, IR_END_INDIRECT,       IR_HINT_NONE,   0,          0 },               /* jr a0 */
        { 0x00b50863, IR_END_BRANCH,         IR_HINT_NONE,   0x80000010, 0x80000004 },      /* beq a0,a1,+16 */
        { 0x00b55863, IR_END_BRANCH,         IR_HINT_NONE,   0x80000004, 0x80000010 },      /* bge: not less */
        { 0xc0002573, IR_END_JUMP,           IR_HINT_NONE,   0x80000004, 0 },               /* csrr a0,cycle */
        { 0x14051573, IR_END_LEAVE,          IR_HINT_NONE,   0x80000004, 0 },               /* csrrw a0,sscratch,a0 */
        { 0x00000073, IR_END_LEAVE,          IR_HINT_NONE,   0x80000004, 0 },               /* ecall */
        { 0x30200073, IR_END_LEAVE_INDIRECT, IR_HINT_NONE,   0,          0 },               /* mret */
        { 0x10500073, IR_END_HALT,           IR_HINT_NONE,   0x80000004, 0 },               /* wfi */
        { 0x0000100f, IR_END_LEAVE,          IR_HINT_NONE,   0x80000004, 0 },               /* fence.i */
        { 0x12000073, IR_END_LEAVE,          IR_HINT_NONE,   0x80000004, 0 },               /* sfence.vma */
        { 0x00100073, IR_END_FAULT,          IR_HINT_NONE,   0x80000000, 0 },               /* ebreak */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        CHECK_EQ_U64(lift(rows[i].bits, 4, fp_on), LIFT_END);
        CHECK_EQ_U64(b.end.kind, rows[i].kind);
        CHECK_EQ_U64(b.end.hint, rows[i].hint);
        CHECK_EQ_U64(b.end.taken.v, rows[i].taken);
        CHECK_EQ_U64(b.end.fall.v, rows[i].fall);
    }
}

TEST(a_load_to_x0_still_accesses_memory)
{
    (void)lift(0x00053003, 4, fp_on);                       /* ld zero,0(a0) */
    ir_seal(&b);
    unsigned loads = 0;
    for (unsigned n = 0; n < b.count; n++) {
        loads += b.insn[n].op == IR_LOAD;
    }
    CHECK_EQ_U64(loads, 1);
}
