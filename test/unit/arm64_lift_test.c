// SPDX-License-Identifier: Apache-2.0
/* hv/isa/arm64/lift_*.c where Unicorn is no oracle: alignment, faults in the middle, lost reservations, and minima and maxima of less
 * than 64 bits. The rest is test/isa/arm64_unicorn.c. */
#include "hv/exec/access.h"
#include "test/unit/arm64_cpu.h"

static struct cpu c;

TEST(arm64_minima_and_maxima_compare_the_width_they_access)
{
    const struct { uint32_t word; uint64_t memory, operand, left; } rows[] = {
        { 0x38207041, 0xec, 0xe1b, 0x1b },                     /* lduminb w0,w1,[x2] */
        { 0x38206041, 0xec, 0xe1b, 0xec },                     /* ldumaxb */
        { 0x38205041, 0xec, 0xe1b, 0xec },                     /* ldsminb: -20 is less than 27 */
        { 0x38204041, 0xec, 0xe1b, 0x1b },                     /* ldsmaxb */
        { 0x78207041, 0x8000, 0xabcd0001, 1 },                 /* lduminh */
        { 0x78204041, 0x8000, 0xabcd0001, 1 },                 /* ldsmaxh */
        { 0x78205041, 0x8000, 0xabcd0001, 0x8000 },            /* ldsminh */
        { 0xb8206041, 0x80000000, 0x1234500000001, 0x80000000 },   /* ldumax w */
        { 0xb8204041, 0x80000000, 0x1234500000001, 1 },        /* ldsmax w */
        { 0xb8205041, 0x7fffffff, 0x123450ffffffff, 0xffffffff },  /* ldsmin w */
        { 0xb8207041, 0x7fffffff, 0x123450ffffffff, 0x7fffffff },  /* ldumin w */
    };
    cpu_start(&c);
    for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
        unsigned bytes = 1u << (rows[n].word >> 30);
        uint64_t left = 0;
        memcpy(cpu_ram(&c, DATA), &rows[n].memory, 8);
        cpu_x(&c)[0] = rows[n].operand;
        cpu_x(&c)[1] = ~0ull;
        cpu_x(&c)[2] = DATA;
        CHECK(CPU_RUN(&c, rows[n].word).status != EXEC_FAULT);
        memcpy(&left, cpu_ram(&c, DATA), bytes);
        CHECK_EQ_U64(left, rows[n].left);
        CHECK_EQ_U64(cpu_x(&c)[1], rows[n].memory);            /* and what was there, zero-extended */
    }
    cpu_end(&c);
}

TEST(arm64_exclusive_ordered_and_atomic_accesses_want_alignment)
{
    static const uint32_t strict[] = {
        0xc85f7c41, 0x885f7c41, 0x485f7c41, 0xc87f0c41, 0x887f0c41,     /* ldxr x, w, ldxrh, ldxp x, w */
        0xc8dffc41, 0x88dffc41, 0x48dffc41, 0xc89ffc41, 0xf8bfc041,     /* ldar x, w, ldarh, stlr x, ldapr x */
        0xf8200041, 0xb8200041, 0x78200041, 0xc8a07c41, 0x48207c44,     /* ldadd x, w, ldaddh, cas x, casp x0,x1,x4,x5 */
    };
    static const uint32_t easy[] = { 0xf9400041, 0xb9400041, 0x79400041, 0xa9400c41, 0xf9000041, 0xa9000c41 };   /* ldr, ldrh, ldp, str, stp */
    cpu_start(&c);
    for (unsigned n = 0; n < ARRAY_COUNT(strict) + ARRAY_COUNT(easy); n++) {
        bool is_strict = n < ARRAY_COUNT(strict);
        cpu_x(&c)[2] = DATA + 1;
        c.v.regs.pc = RAM;
        struct exec_result r = CPU_RUN(&c, is_strict ? strict[n] : easy[n - ARRAY_COUNT(strict)]);
        CHECK_EQ_U64(r.status == EXEC_FAULT, is_strict);
        CHECK_EQ_U64(c.v.regs.pc, is_strict ? RAM : RAM + 4);
        if (is_strict) CHECK_EQ_U64(r.error.fault.kind, FAULT_ALIGNMENT);
    }
    cpu_end(&c);
}

TEST(arm64_pair_whose_second_half_faults_changes_no_register)
{
    cpu_start(&c);
    cpu_x(&c)[1] = 11;
    cpu_x(&c)[3] = 33;
    cpu_x(&c)[2] = RAM + RAM_BYTES - 8;
    CHECK_EQ_U64(CPU_RUN(&c, 0xa8c10c41).status, EXEC_FAULT);  /* ldp x1,x3,[x2],#16 */
    CHECK_EQ_U64(cpu_x(&c)[1], 11);
    CHECK_EQ_U64(cpu_x(&c)[3], 33);
    CHECK_EQ_U64(cpu_x(&c)[2], RAM + RAM_BYTES - 8);
    cpu_x(&c)[2] = RAM + RAM_BYTES - 16;
    CHECK_EQ_U64(CPU_RUN(&c, 0xf8420c41).status, EXEC_FAULT);  /* ldr x1,[x2,#32]! */
    CHECK_EQ_U64(cpu_x(&c)[2], RAM + RAM_BYTES - 16);
    CHECK_EQ_U64(CPU_RUN(&c, 0xf8020c41).status, EXEC_FAULT);  /* str x1,[x2,#32]! */
    CHECK_EQ_U64(cpu_x(&c)[2], RAM + RAM_BYTES - 16);
    cpu_end(&c);
}

TEST(arm64_store_exclusive_needs_the_reservation_of_its_load)
{
    const uint32_t load = 0xc85f7c41, store = 0xc8037c44, half = 0x88037c44, clear = 0xd5033f5f;     /* ldxr x1,[x2]; stxr w3,x4,[x2]; w4; clrex */
    uint64_t seven = 7;
    cpu_start(&c);
    cpu_x(&c)[2] = DATA;
    cpu_x(&c)[4] = seven;
    (void)CPU_RUN(&c, store);
    CHECK_EQ_U64(cpu_x(&c)[3], 1);
    (void)CPU_RUN(&c, load, store);
    CHECK_EQ_U64(cpu_x(&c)[3], 0);
    CHECK(!memcmp(cpu_ram(&c, DATA), &seven, 8));
    (void)CPU_RUN(&c, store);                                  /* it was used up */
    CHECK_EQ_U64(cpu_x(&c)[3], 1);
    (void)CPU_RUN(&c, load, clear, store);
    CHECK_EQ_U64(cpu_x(&c)[3], 1);
    (void)CPU_RUN(&c, load, half);                             /* of another size */
    CHECK_EQ_U64(cpu_x(&c)[3], 1);
    (void)CPU_RUN(&c, load, 0x91002042, store);                /* add x2,x2,#8: another place */
    CHECK_EQ_U64(cpu_x(&c)[3], 1);
    cpu_end(&c);
}

TEST(arm64_words_that_mean_nothing_are_undefined)
{
    static const uint32_t words[] = {
        0x00000000, 0x00001234,                                /* udf */
        0x92407c00 | 0x3fu << 10,                              /* and x0,x0,#: a mask of ones alone */
        0x0bc00000, 0x8bc00000,                                /* add with a shift of type 3 */
        0x8b201400,                                            /* add extended by more than 4 */
        0x12c00000,                                            /* movn w0 with hw 2 */
        0x53408000,                                            /* ubfm w0 with N */
        0xf8200801,                                            /* str x1,[x0,x0] with an index of a byte */
        0x4e208400,                                            /* add v0.16b: not there yet */
    };
    cpu_start(&c);
    for (unsigned n = 0; n < ARRAY_COUNT(words); n++) {
        struct exec_result r = CPU_RUN(&c, words[n]);
        CHECK_EQ_U64(r.status, EXEC_FAULT);
        CHECK_EQ_U64(r.error.fault.kind, FAULT_INVALID_OPCODE);
        CHECK_EQ_U64(r.error.fault.invalid_opcode.opcode, words[n]);
    }
    c.v.regs.pc = RAM + 2;
    CHECK_EQ_U64(c.v.engine->execute_instruction(&c.v).error.fault.kind, FAULT_ALIGNMENT);
    cpu_end(&c);
}
