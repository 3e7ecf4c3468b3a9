// SPDX-License-Identifier: Apache-2.0
/* riscv64 instructions as constants, so that a test's guest program reads as one. Offsets of branches and jumps are in
 * bytes from the instruction. */
#pragma once
#include <stdint.h>

enum { zero, ra, sp, gp, tp, t0, t1, t2, s0, s1, a0, a1, a2, a3, a4, a5, a6, a7, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, t3, t4, t5, t6 };

#define ASM_R(op, f3, f7, rd, rs1, rs2)  ((uint32_t)(f7) << 25 | (uint32_t)(rs2) << 20 | (uint32_t)(rs1) << 15 | (f3) << 12 | (uint32_t)(rd) << 7 | (op))
#define ASM_I(op, f3, rd, rs1, imm)      (((uint32_t)(imm) & 0xfff) << 20 | (uint32_t)(rs1) << 15 | (f3) << 12 | (uint32_t)(rd) << 7 | (op))
#define ASM_S(op, f3, rs2, rs1, imm)     (((uint32_t)(imm) >> 5 & 127) << 25 | (uint32_t)(rs2) << 20 | (uint32_t)(rs1) << 15 | (f3) << 12 | \
                                          ((uint32_t)(imm) & 31) << 7 | (op))
#define ASM_B(f3, rs1, rs2, to)          (((uint32_t)(to) >> 12 & 1) << 31 | ((uint32_t)(to) >> 5 & 63) << 25 | (uint32_t)(rs2) << 20 | \
                                          (uint32_t)(rs1) << 15 | (f3) << 12 | ((uint32_t)(to) >> 1 & 15) << 8 | ((uint32_t)(to) >> 11 & 1) << 7 | 0x63)
#define ASM_J(rd, to)                    (((uint32_t)(to) >> 20 & 1) << 31 | ((uint32_t)(to) >> 1 & 1023) << 21 | ((uint32_t)(to) >> 11 & 1) << 20 | \
                                          ((uint32_t)(to) >> 12 & 255) << 12 | (uint32_t)(rd) << 7 | 0x6f)

#define LUI(rd, upper20)      ((uint32_t)(upper20) << 12 | (uint32_t)(rd) << 7 | 0x37)
#define ADDI(rd, rs1, imm)    ASM_I(0x13, 0, rd, rs1, imm)
#define LI(rd, imm)           ADDI(rd, zero, imm)
#define SLLI(rd, rs1, n)      ASM_I(0x13, 1, rd, rs1, n)
#define ADD(rd, rs1, rs2)     ASM_R(0x33, 0, 0, rd, rs1, rs2)
#define MUL(rd, rs1, rs2)     ASM_R(0x33, 0, 1, rd, rs1, rs2)
#define LW(rd, imm, rs1)      ASM_I(0x03, 2, rd, rs1, imm)
#define LD(rd, imm, rs1)      ASM_I(0x03, 3, rd, rs1, imm)
#define LBU(rd, imm, rs1)     ASM_I(0x03, 4, rd, rs1, imm)
#define SB(rs2, imm, rs1)     ASM_S(0x23, 0, rs2, rs1, imm)
#define SD(rs2, imm, rs1)     ASM_S(0x23, 3, rs2, rs1, imm)
#define BEQ(rs1, rs2, to)     ASM_B(0, rs1, rs2, to)
#define BNE(rs1, rs2, to)     ASM_B(1, rs1, rs2, to)
#define BLT(rs1, rs2, to)     ASM_B(4, rs1, rs2, to)
#define JAL(rd, to)           ASM_J(rd, to)
#define J(to)                 JAL(zero, to)
#define JALR(rd, imm, rs1)    ASM_I(0x67, 0, rd, rs1, imm)
#define CSRRW(rd, csr, rs1)   ASM_I(0x73, 1, rd, rs1, csr)
#define CSRRS(rd, csr, rs1)   ASM_I(0x73, 2, rd, rs1, csr)
#define CSRR(rd, csr)         CSRRS(rd, csr, zero)
#define CSRW(csr, rs1)        CSRRW(zero, csr, rs1)
#define LR_D(rd, rs1)         ASM_R(0x2f, 3, 0x08, rd, rs1, 0)
#define SC_D(rd, rs2, rs1)    ASM_R(0x2f, 3, 0x0c, rd, rs1, rs2)
#define AMOADD_D(rd, rs2, rs1) ASM_R(0x2f, 3, 0x00, rd, rs1, rs2)
#define SFENCE_VMA(rs1, rs2)  ASM_R(0x73, 0, 0x09, zero, rs1, rs2)
#define ECALL                 0x00000073u
#define EBREAK                0x00100073u
#define SRET                  0x10200073u
#define MRET                  0x30200073u
#define NOP                   ADDI(zero, zero, 0)
#define C_ADDI(rd, imm)       ((uint16_t)(((imm) >> 5 & 1) << 12 | (rd) << 7 | ((imm) & 31) << 2 | 1))
