// SPDX-License-Identifier: Apache-2.0
/* Registers and parts of the a64 back end. x28 is the vCPU, x27 the counts word, x26 the first-level data TLB; x0 to x3, x16, x17
 * and v0, v1 are scratch. Encodings: Arm ARM C4, C6; named after the instruction, with fields in the manual's order. */
#pragma once
#include "hv/jit/target.h"

enum { A64_BASE = 28, A64_COUNTS = 27, A64_TLB = 26, A64_T0 = 16, A64_T1 = 17, A64_LINK = 1, A64_LR = 30, A64_SP = 31, A64_ZR = 31 };
/* Conditions (C1.2.4). */
enum { A64_EQ, A64_NE, A64_HS, A64_LO, A64_MI, A64_PL, A64_VS, A64_VC, A64_HI, A64_LS, A64_GE, A64_LT, A64_GT, A64_LE };

#define A64_FIELD(f) ((unsigned)offsetof(struct vcpu, f))
_Static_assert(offsetof(struct vcpu, regs.slot) == 0 && offsetof(struct vcpu, engine_state) < 32768 && offsetof(struct vcpu, reservation) < 32000, "an unsigned offset reaches all that is needed");

/* Instructions: base word, then fields. w: 1 for 64 bits. */
void a64_rrr(struct emit *e, uint32_t op, unsigned d, unsigned n, unsigned m);
void a64_ldr(struct emit *e, uint32_t op, unsigned t, unsigned n, unsigned offset_bytes, unsigned size_log2);     /* unsigned offset */
void a64_imm(struct emit *e, uint8_t d, uint64_t v);
void a64_bitfield(struct emit *e, uint32_t op, bool w, unsigned d, unsigned n, unsigned immr, unsigned imms);
void a64_add_imm(struct emit *e, bool w, unsigned d, unsigned n, int32_t imm);        /* any; through A64_T0 when it must be */
void a64_mov(struct emit *e, uint8_t d, uint8_t a);
uint32_t a64_b(struct emit *e);                                                       /* the patch */
uint32_t a64_b_cond(struct emit *e, unsigned cc);                                     /* reaches within a block only */
void a64_b_to(struct emit *e, uint32_t to);
void a64_bl_to(struct emit *e, uint32_t to);
void a64_patch(uint8_t *base, uint32_t site, uint32_t to);

/* Bit-field moves (C4.1.92), for a64_bitfield. */
enum { A64_UBFM = 0x53000000, A64_SBFM = 0x13000000, A64_BFM = 0x33000000 };

unsigned a64_compare(struct emit *e, const struct jit_compare *c);                    /* the condition that then holds */
bool a64_binary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b);
bool a64_binary_imm(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, int64_t imm);
bool a64_unary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a);
void a64_extend(struct emit *e, uint8_t d, uint8_t a, unsigned from_bits, bool is_signed);
bool a64_field(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b, unsigned lsb, unsigned length);
bool a64_fits_compare(int64_t imm);
void a64_set_if(struct emit *e, uint8_t d, const struct jit_compare *c);
void a64_select(struct emit *e, uint8_t d, uint8_t condition, uint8_t a, uint8_t b);
bool a64_fp(struct emit *e, const struct ir_insn *i, enum ir_type operand, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place);
void a64_fp_to(struct emit *e, uint8_t d, uint8_t a);
void a64_fp_from(struct emit *e, uint8_t d, uint8_t a);
unsigned a64_fp_flags(uint32_t fpsr);
void a64_fence(struct emit *e, unsigned kinds);
void a64_access(struct emit *e, const struct jit_access *a);
void a64_call(struct emit *e, uint32_t place, bool all);
void a64_stubs(struct emit *e);
