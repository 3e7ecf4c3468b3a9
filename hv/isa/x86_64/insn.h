// SPDX-License-Identifier: Apache-2.0
/* One x86 instruction taken apart: prefixes, opcode, operands' forms. Lengths are known for the one-byte and 0F maps and for VEX;
 * what it does is others' matter (emulate.c, disasm.c). SDM volume 2, chapter 2 and appendix A. */
#pragma once
#include "hv/base/types.h"

#define X86_MAX_INSN 15
#define X86_NO_REG   255

enum x86_map { X86_MAP_ONE, X86_MAP_0F, X86_MAP_0F38, X86_MAP_0F3A };
struct x86_insn {
    uint8_t  length;
    uint8_t  map, op;                       /* enum x86_map */
    uint8_t  rex;                           /* the low four bits: W R X B */
    bool     has_rex, has_lock, has_modrm, has_memory, has_vex;
    uint8_t  repeat;                        /* 0, 0xf2 or 0xf3: the last of them */
    uint8_t  segment;                       /* by prefix, enum x86_segment_register; X86_NO_REG: none */
    uint8_t  op_bytes, address_bytes;       /* 2, 4, 8 */
    uint8_t  modrm, mod, reg, rm;           /* reg, rm with REX's bits */
    uint8_t  base, index, scale;            /* of memory; X86_NO_REG: none */
    bool     is_rip_relative;
    int64_t  displacement;
    uint8_t  immediate_bytes;
    int64_t  immediate;                     /* sign-extended; MOV's and the absolute address of A0..A3 are whole */
};

/* bits: 16, 32 or 64, what the code segment says. False: more bytes are needed, or (*is_invalid) there is no such instruction. */
bool x86_insn_decode(const uint8_t *bytes, unsigned avail_bytes, unsigned bits, struct x86_insn *out, bool *is_invalid);
