// SPDX-License-Identifier: Apache-2.0
/* A small riscv64 assembler for tests: one function an instruction, offsets in bytes from the instruction itself. */
#pragma once
#include <stdint.h>

enum { ZERO, RA, SP, GP, TP, T0, T1, T2, S0, S1, A0, A1, A2, A3, A4, A5, A6, A7, S2, S3, S4, S5, S6, S7, S8, S9, S10, S11, T3, T4, T5, T6 };

static inline uint32_t rv_r(uint32_t op, uint32_t f3, uint32_t f7, unsigned rd, unsigned rs1, unsigned rs2)
{
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}
static inline uint32_t rv_i(uint32_t op, uint32_t f3, unsigned rd, unsigned rs1, int32_t imm)
{
    return (uint32_t)imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}
static inline uint32_t rv_s(uint32_t f3, unsigned rs2, unsigned rs1, int32_t imm)
{
    uint32_t u = (uint32_t)imm;
    return (u >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (u & 0x1f) << 7 | 0x23;
}
static inline uint32_t rv_b(uint32_t f3, unsigned rs1, unsigned rs2, int32_t offset)
{
    uint32_t u = (uint32_t)offset;
    return (u >> 12 & 1) << 31 | (u >> 5 & 0x3f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | (u >> 1 & 0xf) << 8 | (u >> 11 & 1) << 7 | 0x63;
}
static inline uint32_t rv_jal(unsigned rd, int32_t offset)
{
    uint32_t u = (uint32_t)offset;
    return (u >> 20 & 1) << 31 | (u >> 1 & 0x3ff) << 21 | (u >> 11 & 1) << 20 | (u >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}
static inline uint32_t rv_addi(unsigned rd, unsigned rs1, int32_t imm)   { return rv_i(0x13, 0, rd, rs1, imm); }
static inline uint32_t rv_li(unsigned rd, int32_t imm)                   { return rv_addi(rd, ZERO, imm); }      /* 12 bits */
static inline uint32_t rv_nop(void)                                      { return rv_addi(ZERO, ZERO, 0); }
static inline uint32_t rv_slli(unsigned rd, unsigned rs1, int32_t n)     { return rv_i(0x13, 1, rd, rs1, n); }
static inline uint32_t rv_lui(unsigned rd, uint32_t upper)               { return upper << 12 | rd << 7 | 0x37; }
static inline uint32_t rv_add(unsigned rd, unsigned rs1, unsigned rs2)   { return rv_r(0x33, 0, 0, rd, rs1, rs2); }
static inline uint32_t rv_sub(unsigned rd, unsigned rs1, unsigned rs2)   { return rv_r(0x33, 0, 32, rd, rs1, rs2); }
static inline uint32_t rv_xor(unsigned rd, unsigned rs1, unsigned rs2)   { return rv_r(0x33, 4, 0, rd, rs1, rs2); }
static inline uint32_t rv_mul(unsigned rd, unsigned rs1, unsigned rs2)   { return rv_r(0x33, 0, 1, rd, rs1, rs2); }
static inline uint32_t rv_lb(unsigned rd, unsigned rs1, int32_t imm)     { return rv_i(0x03, 0, rd, rs1, imm); }
static inline uint32_t rv_lw(unsigned rd, unsigned rs1, int32_t imm)     { return rv_i(0x03, 2, rd, rs1, imm); }
static inline uint32_t rv_ld(unsigned rd, unsigned rs1, int32_t imm)     { return rv_i(0x03, 3, rd, rs1, imm); }
static inline uint32_t rv_sb(unsigned rs2, unsigned rs1, int32_t imm)    { return rv_s(0, rs2, rs1, imm); }
static inline uint32_t rv_sw(unsigned rs2, unsigned rs1, int32_t imm)    { return rv_s(2, rs2, rs1, imm); }
static inline uint32_t rv_sd(unsigned rs2, unsigned rs1, int32_t imm)    { return rv_s(3, rs2, rs1, imm); }
static inline uint32_t rv_beq(unsigned rs1, unsigned rs2, int32_t offset) { return rv_b(0, rs1, rs2, offset); }
static inline uint32_t rv_bne(unsigned rs1, unsigned rs2, int32_t offset) { return rv_b(1, rs1, rs2, offset); }
static inline uint32_t rv_j(int32_t offset)                              { return rv_jal(ZERO, offset); }
static inline uint32_t rv_jalr(unsigned rd, unsigned rs1, int32_t imm)   { return rv_i(0x67, 0, rd, rs1, imm); }
static inline uint32_t rv_ret(void)                                      { return rv_jalr(ZERO, RA, 0); }
static inline uint32_t rv_lr_d(unsigned rd, unsigned rs1)                { return rv_r(0x2f, 3, 0x08, rd, rs1, 0); }
static inline uint32_t rv_sc_d(unsigned rd, unsigned rs2, unsigned rs1)  { return rv_r(0x2f, 3, 0x0c, rd, rs1, rs2); }
static inline uint32_t rv_amoadd_d(unsigned rd, unsigned rs2, unsigned rs1) { return rv_r(0x2f, 3, 0x00, rd, rs1, rs2); }
static inline uint32_t rv_csrrw(unsigned rd, unsigned csr, unsigned rs1) { return rv_i(0x73, 1, rd, rs1, (int32_t)csr); }
static inline uint32_t rv_csrrs(unsigned rd, unsigned csr, unsigned rs1) { return rv_i(0x73, 2, rd, rs1, (int32_t)csr); }
static inline uint32_t rv_fence(void)                                    { return 0x0330000f; }      /* rw, rw */
static inline uint32_t rv_fence_i(void)                                  { return 0x0000100f; }
static inline uint32_t rv_sfence_vma(void)                               { return 0x12000073; }
static inline uint32_t rv_ecall(void)                                    { return 0x00000073; }
static inline uint32_t rv_mret(void)                                     { return 0x30200073; }
static inline uint32_t rv_wfi(void)                                      { return 0x10500073; }
