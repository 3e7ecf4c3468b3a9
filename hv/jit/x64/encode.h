// SPDX-License-Identifier: Apache-2.0
/* x86-64 encodings (Intel SDM volume 2): prefixes, opcode, ModRM, SIB, displacement, immediate. Nothing here knows the IR. */
#pragma once
#include "hv/jit/target.h"

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
/* Condition codes (SDM B.1). */
enum { CC_O = 0, CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7, CC_S = 8, CC_P = 10, CC_NP = 11, CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15 };
/* Opcode maps and prefixes, beside the opcode byte. */
enum { X_0F = 0x100, X_0F38 = 0x200, X_66 = 0x1000, X_F2 = 0x2000, X_F3 = 0x4000, X_W = 0x8000, X_BYTE = 0x10000 };
/* Eight operations of one row: opcode extension, and base opcode op << 3. */
enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_UNUSED, SH_SAR };

void x64_rr(struct emit *e, unsigned op, unsigned reg, unsigned rm);                        /* register, register */
void x64_rm(struct emit *e, unsigned op, unsigned reg, unsigned base, int32_t disp);        /* register, [base + disp] */
void x64_rmx(struct emit *e, unsigned op, unsigned reg, unsigned base, unsigned index, int32_t disp);   /* [base + index + disp] */
void x64_rip(struct emit *e, unsigned op, unsigned reg, uint32_t offset);                   /* [offset in the code memory] */
void x64_alu_imm(struct emit *e, unsigned alu, bool wide, unsigned rm, int32_t imm);
void x64_shift_imm(struct emit *e, unsigned shift, bool wide, unsigned rm, unsigned count);
void x64_mov_imm(struct emit *e, unsigned d, uint64_t v);
uint32_t x64_jcc(struct emit *e, unsigned cc);                                              /* the patch; distance still 0 */
uint32_t x64_jmp(struct emit *e);
void x64_jmp_to(struct emit *e, uint32_t to);
void x64_call_to(struct emit *e, uint32_t to);
void x64_patch(uint8_t *base, uint32_t site, uint32_t to);
/* VEX-encoded 0F38 map, 66, three registers: FMA (SDM 2.3). */
void x64_vex_0f38(struct emit *e, unsigned op, bool w, unsigned reg, unsigned vvvv, unsigned rm);
