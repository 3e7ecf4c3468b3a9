// SPDX-License-Identifier: Apache-2.0
/* Registers and parts of the x64 back end. rbp points 128 bytes into the vCPU, so that 32 slots are a byte away; r15 holds the
 * counts word, r14 the first-level data TLB; rax, rcx, rdx are scratch; xmm0 too. */
#pragma once
#include "hv/jit/x64/encode.h"

#define X64_BIAS 128
#define X64_SLOT(n) ((int32_t)(8 * (n)) - X64_BIAS)
#define X64_FIELD(f) ((int32_t)offsetof(struct vcpu, f) - X64_BIAS)
_Static_assert(offsetof(struct vcpu, regs.slot) == 0, "slots are found from the vCPU's own address");

enum { X64_FMA = 1, X64_LZCNT = 2, X64_TZCNT = 4, X64_POPCNT = 8 };          /* features */

uint32_t x64_features(void);
unsigned x64_fp_flags(uint32_t mxcsr);
void x64_prologue(struct emit *e, struct jit_prologue *p, const struct jit *j);
bool x64_binary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b);
bool x64_binary_slot(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, unsigned b_slot);
void x64_extend_slot(struct emit *e, uint8_t d, unsigned a_slot, unsigned from_bits, bool is_signed);
bool x64_binary_imm(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, int64_t imm);
bool x64_unary(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a);
void x64_extend(struct emit *e, uint8_t d, uint8_t a, unsigned from_bits, bool is_signed);
bool x64_field(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b, unsigned lsb, unsigned length);
void x64_set_if(struct emit *e, uint8_t d, const struct jit_compare *c);
void x64_select(struct emit *e, uint8_t d, uint8_t condition, uint8_t a, uint8_t b);
bool x64_fp(struct emit *e, const struct ir_insn *i, enum ir_type operand, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place);
void x64_fp_unchecked(struct emit *e, enum ir_op op, uint8_t d, uint8_t a, uint8_t b);
jit_patch x64_if_nan(struct emit *e, uint8_t a, uint8_t b);
jit_patch x64_if_nan_slot(struct emit *e, unsigned slot);
void x64_make_canonical(struct emit *e, const struct jit_unchecked *u);
void x64_fence(struct emit *e, unsigned kinds);
void x64_access(struct emit *e, const struct jit_access *a);
void x64_call(struct emit *e, uint32_t place, bool all);
void x64_stubs(struct emit *e);
unsigned x64_compare(struct emit *e, const struct jit_compare *c);           /* the condition code that then holds */
void x64_mov(struct emit *e, uint8_t d, uint8_t a);

/* Constants behind the prologue, as offsets in the code memory. */
enum { X64_NAN64 = 0, X64_NAN32 = 16, X64_SIGN64 = 32, X64_SIGN32 = 48, X64_BOX = 64, X64_MXCSR = 80, X64_CONSTANTS = 96 };
