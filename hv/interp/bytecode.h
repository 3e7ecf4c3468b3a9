// SPDX-License-Identifier: Apache-2.0
/* The interpreter's form of sealed IR: three-address operations over the vCPU's slot file, 16 bytes each, threaded by
 * handler address. Operands a..d are slots; a is the destination. Operations with more to say are followed by data words.
 * Laws. 1: a 32-bit integer result lies sign-extended in its slot. 2: nothing is written to a guest slot before every
 * fault that precedes the write in program order is decided. 3: data words are never executed. */
#pragma once
#include "hv/exec/run.h"

/* One operation; which, its handler says. */
struct op {
    const void *handler;
    union {
        struct { uint8_t a, b, c, d; int32_t imm; };
        uint64_t    word;
    };
};
_Static_assert(sizeof(struct op) == 16, "two words");

/* imm of RARE, FP and MEM: what is done (enum ir_op), to which types, and the IR instruction's own immediate. */
union detail { int32_t imm; struct { uint8_t op, type : 4, operand : 4; uint16_t ir_imm; }; };
_Static_assert(sizeof(union detail) == 4 && IR_OP_COUNT < 256 && IR_TYPE_COUNT < 16, "one immediate");

#define ZERO_SLOT  255                     /* always 0 */
#define TEMP_FIRST VCPU_TEMP_SLOT
#define TEMP_END   255

/* Computations: name, value of 64 bits from A and B. Each exists with B from a slot (_RR) and B = imm (_RI). */
#define BINARY_LIST(_)                                                                      \
    _(ADD,    A + B)                                                                        \
    _(SUB,    A - B)                                                                        \
    _(AND,    A & B)                                                                        \
    _(OR,     A | B)                                                                        \
    _(XOR,    A ^ B)                                                                        \
    _(SHL,    A << (B & 63))                                                                \
    _(SHR,    A >> (B & 63))                                                                \
    _(SAR,    (uint64_t)((int64_t)A >> (B & 63)))                                           \
    _(ROR,    A >> (B & 63) | A << (-B & 63))                                               \
    _(MUL,    A * B)                                                                        \
    _(MULHU,  (uint64_t)((unsigned __int128)A * B >> 64))                                   \
    _(MULHS,  (uint64_t)((__int128)(int64_t)A * (int64_t)B >> 64))                          \
    _(DIVU,   B ? A / B : ~0ull)                                                            \
    _(DIVS,   !B ? ~0ull : B == ~0ull ? -A : (uint64_t)((int64_t)A / (int64_t)B))           \
    _(REMU,   B ? A % B : A)                                                                \
    _(REMS,   !B ? A : B == ~0ull ? 0 : (uint64_t)((int64_t)A % (int64_t)B))                \
    _(EQ,     A == B)                                                                       \
    _(NE,     A != B)                                                                       \
    _(ULT,    A < B)                                                                        \
    _(ULE,    A <= B)                                                                       \
    _(SLT,    (int64_t)A < (int64_t)B)                                                      \
    _(SLE,    (int64_t)A <= (int64_t)B)                                                     \
    _(ADDW,   SX32(A + B))                                                                  \
    _(SUBW,   SX32(A - B))                                                                  \
    _(MULW,   SX32(A * B))                                                                  \
    _(SHLW,   SX32(A << (B & 31)))                                                          \
    _(SHRW,   SX32((uint32_t)A >> (B & 31)))                                                \
    _(SARW,   (uint64_t)(int64_t)((int32_t)A >> (B & 31)))                                  \
    _(RORW,   SX32((uint32_t)A >> (B & 31) | (uint32_t)A << (-B & 31)))                     \
    _(DIVUW,  (uint32_t)B ? SX32((uint32_t)A / (uint32_t)B) : ~0ull)                        \
    _(DIVSW,  !(uint32_t)B ? ~0ull : (uint32_t)B == ~0u ? SX32(-A) : SX32((int32_t)A / (int32_t)B)) \
    _(REMUW,  (uint32_t)B ? SX32((uint32_t)A % (uint32_t)B) : SX32(A))                      \
    _(REMSW,  !(uint32_t)B ? SX32(A) : (uint32_t)B == ~0u ? 0 : SX32((int32_t)A % (int32_t)B))
#define UNARY_LIST(_)                                                                       \
    _(MOV,    A)                                                                            \
    _(NOT,    ~A)                                                                           \
    _(NEG,    -A)                                                                           \
    _(SX8,    (uint64_t)(int8_t)A)                                                          \
    _(SX16,   (uint64_t)(int16_t)A)                                                         \
    _(SX32,   SX32(A))                                                                      \
    _(ZX8,    (uint8_t)A)                                                                   \
    _(ZX16,   (uint16_t)A)                                                                  \
    _(ZX32,   (uint32_t)A)                                                                  \
    _(BSWAP,  __builtin_bswap64(A))                                                         \
    _(BOX,    A | 0xffffffff00000000ull)                                                    \
    _(UNBOX,  A >> 32 == 0xffffffffu ? (uint32_t)A : FP32_CANONICAL_NAN)
/* Loads and stores: name, C type. */
#define LOAD_LIST(_)  _(LDB, int8_t) _(LDBU, uint8_t) _(LDH, int16_t) _(LDHU, uint16_t) _(LDW, int32_t) _(LDWU, uint32_t) _(LDD, uint64_t)
#define STORE_LIST(_) _(STB, uint8_t) _(STH, uint16_t) _(STW, uint32_t) _(STD, uint64_t)
/* Conditions that are fused into a branch. */
#define BRANCH_LIST(_) _(EQ, A == B) _(NE, A != B) _(ULT, A < B) _(ULE, A <= B) _(SLT, (int64_t)A < (int64_t)B) _(SLE, (int64_t)A <= (int64_t)B)
/* F64 arithmetic with an inline common case; otherwise an FP. */
#define FLOAT_LIST(_) _(FADDD, X + Y) _(FSUBD, X - Y) _(FMULD, X * Y) _(FDIVD, X / Y)
/* The others, each with a body of its own in interp.c. */
#define OTHER_LIST(_)                                                                                                  \
    _(LI) _(LI64) _(SEL) _(RARE) _(PAIR) _(MOV128) _(ZX128) _(MEM) _(FP) _(CALL)                                       \
    _(JUMP) _(INDIRECT) _(LEAVE) _(LEAVE_INDIRECT) _(HALT) _(FAULT) _(RESOLVE)

/* OP_<name> for each row above. */
enum opcode {
#define X(n, e) OP_##n##_RR, OP_##n##_RI,
    BINARY_LIST(X)
#undef X
#define X(n, e) OP_##n,
    UNARY_LIST(X)
    LOAD_LIST(X)
    STORE_LIST(X)
#undef X
#define X(n, e) OP_B##n##_RR, OP_B##n##_RI,
    BRANCH_LIST(X)
#undef X
#define X(n, e) OP_##n,
    FLOAT_LIST(X)
#undef X
#define X(n) OP_##n,
    OTHER_LIST(X)
#undef X
    OP_COUNT
};

/* Ends of blocks: c = guest instructions of the block, d = its memory accesses. Behind a branch lie two links, behind a
 * jump one: {handler = struct op * to go to, word = pc}. A link starts at a RESOLVE operation. */

/* Where an operation stands in the guest: beside the code, index for index. */
struct op_place { uint32_t block; uint16_t pc_offset; uint8_t insns_before, accesses_before; };

#define CODE_OPS       (1u << 18)                /* 4 MiB of operations a vCPU */
#define CODE_SITES     (1u << 15)

struct interp {
    struct blocks     blocks;
    uint32_t          op_count, site_count;
    uint32_t          site[CODE_SITES];          /* links that were patched: index of the link */
    struct op         resolve[1];                /* every unlinked link points here */
    struct op        *code;
    struct op_place  *place;
    void             *plan;                      /* lower.c's scratch */
};

/* Why the loop came out; LEFT_RESOLVE: the link that led there. */
struct left { enum exec_left why; struct op *site; };

/* Lowers a sealed block at interp->op_count. Returns its first operation, or NULL when there is no room. */
struct op *interp_lower(struct interp *in, const struct ir_block *b, uint32_t block_index);
/* Runs from `op` on; v->budget counts down. NULL vcpu: only fills the handler table. */
struct left interp_loop(struct vcpu *v, struct interp *in, struct op *op);
size_t interp_plan_bytes(void);
extern const void *interp_handler[OP_COUNT];
