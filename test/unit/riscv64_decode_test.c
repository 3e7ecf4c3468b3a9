// SPDX-License-Identifier: Apache-2.0
/* riscv64 decoding: the generated tree against a plain walk over the rows, printed vectors, illegal encodings. */
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"
#include "test/harness/test.h"

/* Encodings that the manual reserves inside of wider rows (riscv64.dec's `reserved`). */
static bool is_reserved(uint32_t w)
{
    static const struct { uint16_t mask, match; } reserved[] =
        { { 0xffe3, 0x0000 }, { 0xef83, 0x2001 }, { 0xf07f, 0x6001 }, { 0xef83, 0x4002 }, { 0xef83, 0x6002 }, { 0xffff, 0x8002 } };
    for (unsigned i = 0; (w & 3) != 3 && i < ARRAY_COUNT(reserved); i++) {
        if ((w & reserved[i].mask) == reserved[i].match) {
            return true;
        }
    }
    return false;
}

/* The first row in table order that takes the word; RVOP_ROW_COUNT: none. */
static unsigned plain_walk(uint32_t w, unsigned size_bytes)
{
    for (unsigned r = 0; !is_reserved(w) && r < RVOP_ROW_COUNT; r++) {
        if (riscv64_rows[r].size_bytes == size_bytes && (w & riscv64_rows[r].mask) == riscv64_rows[r].match) {
            return r;
        }
    }
    return RVOP_ROW_COUNT;
}

static unsigned tree(uint32_t w, unsigned size_bytes)
{
    struct insn i = { .size_bytes = (uint8_t)size_bytes };
    return riscv64_decode(w, size_bytes, &i) ? i.op : RVOP_ROW_COUNT;
}

TEST(the_decision_tree_equals_a_walk_over_the_rows_for_every_compressed_word)
{
    for (uint32_t w = 0; w < 0x10000; w++) {
        if ((w & 3) != 3) {
            CHECK_EQ_U64(tree(w, 2), plain_walk(w, 2));
        }
    }
}

TEST(the_decision_tree_equals_a_walk_over_the_rows_near_every_row)
{
    for (unsigned r = 0; r < RVOP_ROW_COUNT; r++) {
        const struct decode_row *row = &riscv64_rows[r];
        for (unsigned n = 0; row->size_bytes == 4 && n < 300; n++) {
            uint32_t w = row->match | ((uint32_t)test_random() & ~row->mask);
            w ^= n & 1 ? 0 : 4u << test_random() % 30;
            CHECK_EQ_U64(tree(w, 4), plain_walk(w, 4));
        }
    }
}

TEST(every_row_is_reached_by_the_word_that_has_only_its_fixed_bits)
{
    for (unsigned r = 0; r < RVOP_ROW_COUNT; r++) {
        uint32_t w = riscv64_rows[r].match | (0xa5a5a5a5u & ~riscv64_rows[r].mask);
        CHECK_EQ_U64(tree(w, riscv64_rows[r].size_bytes), r);
    }
}

static bool decode_at(uint32_t bits, unsigned avail, struct insn *i, struct fault *why)
{
    uint8_t bytes[4];
    store_le32(bytes, bits);
    return RISCV64_ISA.decode_insn(bytes, avail, guest_addr_make(0x1000), 0, i, why);
}

TEST(R92_one_instruction_is_decoded_and_printed)
{
    static const struct { uint32_t bits; const char *text; } vectors[] = {
        { 0x00c58533, "add a0,a1,a2" },           { 0xfff58513, "addi a0,a1,-1" },        { 0x0040006f, "jal zero,0x1004" },
        { 0xfe000ee3, "beq zero,zero,0xffc" },    { 0x00813083, "ld ra,8(sp)" },          { 0x00113423, "sd ra,8(sp)" },
        { 0x12345537, "lui a0,0x12345" },         { 0x06b6252f, "amoadd.w.aqrl a0,a1,(a2)" }, { 0x1405a52f, "lr.w.aq a0,(a1)" },
        { 0x0020f053, "fadd.s ft0,ft1,ft2" },     { 0x00208053, "fadd.s ft0,ft1,ft2,rne" }, { 0x14059573, "csrrw a0,sscratch,a1" },
        { 0xc0302573, "csrrs a0,hpmcounter3,zero" }, { 0x7c01d573, "csrrwi a0,0x7c0,3" }, { 0x0330000f, "fence rw,rw" },
        { 0x0505, "c.addi a0,1" },                { 0x717d, "c.addi16sp sp,-16" },        { 0x6522, "c.ldsp a0,8(sp)" },
        { 0x8082, "c.jr ra" },                    { 0x28755513, "orc.b a0,a0" },          { 0x10500073, "wfi" },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(vectors); n++) {
        struct insn i;
        struct fault why;
        char text[64];
        CHECK(decode_at(vectors[n].bits, 4, &i, &why));
        CHECK_EQ_U64(i.bits, vectors[n].bits);
        CHECK_EQ_U64(i.size_bytes, (vectors[n].bits & 3) == 3 ? 4 : 2);
        (void)RISCV64_ISA.disasm(&i, text, sizeof text);
        CHECK_STR(text, vectors[n].text);
    }
}

TEST(R84_R85_R86_an_unknown_encoding_is_invalid_opcode_with_pc_and_raw_bits)
{
    static const uint32_t unknown[] = { 0x00000000, 0xffffffff, 0x0000007f, 0x00002067, 0x80000033, 0x30200173, 0x9c41, 0x8002 };
    for (unsigned n = 0; n < ARRAY_COUNT(unknown); n++) {
        struct insn i;
        struct fault why;
        CHECK(!decode_at(unknown[n], 4, &i, &why));
        CHECK_EQ_U64(why.kind, FAULT_INVALID_OPCODE);
        CHECK_EQ_U64(why.invalid_opcode.pc.v, 0x1000);
        CHECK_EQ_U64(why.invalid_opcode.opcode, (unknown[n] & 3) == 3 ? unknown[n] : unknown[n] & 0xffff);
    }
}

TEST(decoding_asks_for_more_bytes_instead_of_reading_past_them)
{
    struct insn i;
    struct fault why;
    CHECK(!decode_at(0x00c58533, 2, &i, &why));
    CHECK_EQ_U64(why.kind, FAULT_NONE);
    CHECK(!decode_at(0x0505, 1, &i, &why));
    CHECK_EQ_U64(why.kind, FAULT_NONE);
    CHECK(decode_at(0x0505, 2, &i, &why));
}

TEST(a_short_buffer_bounds_the_disassembly)
{
    struct insn i;
    struct fault why;
    char text[6] = "xxxxx";
    CHECK(decode_at(0x06b6252f, 4, &i, &why));
    CHECK_EQ_U64((uint64_t)RISCV64_ISA.disasm(&i, text, sizeof text), strlen("amoadd.w.aqrl a0,a1,(a2)"));
    CHECK_STR(text, "amoad");
    CHECK(RISCV64_ISA.disasm(&i, NULL, 0) > 0);
}
