// SPDX-License-Identifier: Apache-2.0
/* Taking x86 instructions apart: lengths, operands, prefixes, and what is no instruction: hv/isa/x86_64/insn.h. */
#include "hv/base/types.h"
#include "hv/isa/x86_64/insn.h"
#include "hv/arch/hw_x86.h"
#include "test/harness/test.h"

static struct x86_insn i;
static bool is_invalid;
static bool take(unsigned bits, const uint8_t *bytes, unsigned n) { return x86_insn_decode(bytes, n, bits, &i, &is_invalid); }
#define TAKE(bits, ...) take(bits, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* The assembler's own bytes; each has its whole length, and is too short without its last. */
static const struct { uint8_t bits, length, bytes[15]; } lengths[] = {
    { 64, 2, { 0x0f, 0xa2 } },                                     /* cpuid */
    { 64, 3, { 0x0f, 0x01, 0xd9 } },                               /* vmmcall */
    { 64, 2, { 0x89, 0x07 } },                                     /* mov %eax, (%rdi) */
    { 64, 7, { 0x48, 0x8b, 0x05, 0x78, 0x56, 0x34, 0x12 } },       /* mov 0x12345678(%rip), %rax */
    { 64, 7, { 0x8b, 0x84, 0x24, 0x00, 0x01, 0x00, 0x00 } },       /* mov 0x100(%rsp), %eax */
    { 64, 10, { 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8 } },            /* movabs */
    { 32, 5, { 0xb8, 1, 2, 3, 4 } },
    { 16, 3, { 0xb8, 1, 2 } },
    { 64, 6, { 0xc7, 0x07, 1, 2, 3, 4 } },                         /* movl $, (%rdi) */
    { 64, 5, { 0x66, 0xc7, 0x07, 1, 2 } },
    { 64, 9, { 0xa1, 1, 2, 3, 4, 5, 6, 7, 8 } },                   /* mov moffs, %eax */
    { 32, 5, { 0xa1, 1, 2, 3, 4 } },
    { 64, 3, { 0xf6, 0x07, 1 } },                                  /* testb $, (%rdi) */
    { 64, 2, { 0xf6, 0x17 } },                                     /* notb (%rdi) */
    { 64, 5, { 0xe8, 1, 2, 3, 4 } },
    { 64, 6, { 0x0f, 0x84, 1, 2, 3, 4 } },                         /* je */
    { 16, 4, { 0x0f, 0x84, 1, 2 } },
    { 32, 7, { 0xea, 1, 2, 3, 4, 5, 6 } },                         /* ljmp */
    { 64, 4, { 0xc5, 0xf9, 0x6f, 0x07 } },                         /* vmovdqa (%rdi), %xmm0 */
    { 64, 5, { 0xc4, 0xe2, 0x79, 0x18, 0x07 } },                   /* vbroadcastss */
    { 64, 6, { 0x66, 0x0f, 0x3a, 0x0f, 0xc1, 4 } },                /* palignr */
    { 16, 3, { 0x8b, 0x46, 0x10 } },                               /* mov 0x10(%bp), %ax */
};

TEST(x86_instructions_have_their_length_and_no_byte_less)
{
    for (unsigned n = 0; n < ARRAY_COUNT(lengths); n++) {
        CHECK(take(lengths[n].bits, lengths[n].bytes, 15));
        CHECK_EQ_U64(i.length, lengths[n].length);
        CHECK(take(lengths[n].bits, lengths[n].bytes, lengths[n].length));
        CHECK(!take(lengths[n].bits, lengths[n].bytes, lengths[n].length - 1u) && !is_invalid);
    }
}

TEST(x86_memory_operands_are_base_index_scale_displacement)
{
    CHECK(TAKE(64, 0x48, 0x89, 0x54, 0xcb, 0xf8));                         /* mov %rdx, -8(%rbx,%rcx,8) */
    CHECK(i.has_memory && i.base == 3 && i.index == 1 && i.scale == 3 && i.displacement == -8 && i.reg == 2 && i.op_bytes == 8);
    CHECK(TAKE(64, 0x47, 0x8b, 0x44, 0x25, 0x00));                         /* mov 0(%r13,%r12,1), %r8d */
    CHECK(i.base == 13 && i.index == 12 && i.reg == 8 && i.op_bytes == 4);
    CHECK(TAKE(64, 0x8b, 0x04, 0x25, 0x00, 0x00, 0xe0, 0xfe));             /* mov 0xfffffffffee00000, %eax */
    CHECK(i.base == X86_NO_REG && i.index == X86_NO_REG && !i.is_rip_relative && (uint64_t)i.displacement == 0xfffffffffee00000ull);
    CHECK(TAKE(64, 0x8b, 0x05, 1, 0, 0, 0) && i.is_rip_relative && i.displacement == 1);
    CHECK(TAKE(32, 0x8b, 0x05, 1, 0, 0, 0) && !i.is_rip_relative);
    CHECK(TAKE(16, 0x8a, 0x40, 0x7f) && i.base == 3 && i.index == 6 && i.displacement == 0x7f);     /* 0x7f(%bx,%si) */
    CHECK(TAKE(16, 0x8a, 0x06, 0x34, 0x12) && i.base == X86_NO_REG && i.displacement == 0x1234);
    CHECK(TAKE(64, 0x8b, 0x04, 0x24) && i.base == 4 && i.index == X86_NO_REG);
    CHECK(TAKE(64, 0x0f, 0x22, 0xc0) && !i.has_memory && i.reg == 0);                               /* mov %rax, %cr0 */
    CHECK(TAKE(64, 0x44, 0x0f, 0x22, 0xc0) && i.reg == 8);                                          /* mov %rax, %cr8 */
}

TEST(x86_prefixes_choose_sizes_and_segments)
{
    CHECK(TAKE(64, 0x66, 0x89, 0x07) && i.op_bytes == 2 && i.address_bytes == 8);
    CHECK(TAKE(64, 0x67, 0x89, 0x07) && i.op_bytes == 4 && i.address_bytes == 4);
    CHECK(TAKE(16, 0x66, 0x67, 0x89, 0x07) && i.op_bytes == 4 && i.address_bytes == 4);
    CHECK(TAKE(32, 0x66, 0x67, 0x89, 0x07) && i.op_bytes == 2 && i.address_bytes == 2);
    CHECK(TAKE(64, 0x65, 0x48, 0x8b, 0x07) && i.segment == X86_GS && i.op_bytes == 8);
    CHECK(TAKE(64, 0x2e, 0x8b, 0x07) && i.segment == X86_NO_REG);          /* no meaning in 64-bit code */
    CHECK(TAKE(32, 0x2e, 0x8b, 0x07) && i.segment == X86_CS);
    CHECK(TAKE(64, 0xf3, 0xaa) && i.repeat == 0xf3);
    CHECK(TAKE(64, 0xf0, 0x0f, 0xb1, 0x0f) && i.has_lock);
    CHECK(TAKE(64, 0x48, 0x66, 0x8b, 0x07) && !i.has_rex && i.op_bytes == 2);      /* REX before another prefix is none */
    CHECK(TAKE(32, 0x48) && i.op == 0x48 && i.length == 1);                        /* dec %eax */
}

TEST(x86_what_is_no_instruction_is_told)
{
    static const uint8_t many[16] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90 };
    CHECK(!take(64, many, 16) && is_invalid);                              /* longer than 15 */
    CHECK(!TAKE(64, 0x0f, 0x04) && is_invalid);
    CHECK(!TAKE(64, 0x9a, 1, 2, 3, 4, 5, 6) && is_invalid);                /* a far call by immediate, in 64-bit code */
    CHECK(!take(64, many, 0) && !is_invalid);
}

TEST(x86_any_bytes_are_taken_apart_within_their_bounds)
{
    for (unsigned n = 0; n < 200000; n++) {
        uint8_t bytes[15];
        unsigned avail = (unsigned)(test_random() % 16);
        for (unsigned k = 0; k < 15; k++) bytes[k] = (uint8_t)test_random();
        bool ok = take(test_random() & 1 ? 64 : test_random() & 1 ? 32 : 16, bytes, avail);
        CHECK(i.length <= avail && (!ok || i.length));
    }
}
