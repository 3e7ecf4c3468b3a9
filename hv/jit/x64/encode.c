// SPDX-License-Identifier: Apache-2.0
/* See encode.h. Pure writing of bytes. */
#include "hv/jit/x64/encode.h"

static void opcode(struct emit *e, unsigned op, unsigned rex)
{
    if (op & X_66) emit8(e, 0x66);
    if (op & X_F2) emit8(e, 0xf2);
    if (op & X_F3) emit8(e, 0xf3);
    if (rex || op & X_BYTE) emit8(e, 0x40 | rex);            /* a byte register above 3 needs one, for others it is harmless */
    if (op & (X_0F | X_0F38)) emit8(e, 0x0f);
    if (op & X_0F38) emit8(e, 0x38);
    emit8(e, op & 0xff);
}

static unsigned rex_of(unsigned op, unsigned reg, unsigned index, unsigned rm)
{
    return (op & X_W ? 8u : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (rm >> 3 & 1);
}

void x64_rr(struct emit *e, unsigned op, unsigned reg, unsigned rm)
{
    opcode(e, op, rex_of(op, reg, 0, rm));
    emit8(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

void x64_rm(struct emit *e, unsigned op, unsigned reg, unsigned base, int32_t disp)
{
    bool is_short = disp == (int8_t)disp, is_none = !disp && (base & 7) != RBP;
    opcode(e, op, rex_of(op, reg, 0, base));
    emit8(e, (is_none ? 0 : is_short ? 0x40u : 0x80u) | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == RSP) emit8(e, 0x24);
    if (is_none) return;
    if (is_short) emit8(e, (uint8_t)disp);
    else emit32(e, (uint32_t)disp);
}

void x64_rmx(struct emit *e, unsigned op, unsigned reg, unsigned base, unsigned index, int32_t disp)
{
    bool is_none = !disp && (base & 7) != RBP;
    opcode(e, op, rex_of(op, reg, index, base));
    emit8(e, (is_none ? 0 : 0x40u) | (reg & 7) << 3 | 4);
    emit8(e, (index & 7) << 3 | (base & 7));
    if (!is_none) emit8(e, (uint8_t)disp);
}

void x64_rip(struct emit *e, unsigned op, unsigned reg, uint32_t offset)
{
    opcode(e, op, rex_of(op, reg, 0, 0));
    emit8(e, (reg & 7) << 3 | 5);
    emit32(e, offset - (e->at + 4));
}

void x64_alu_imm(struct emit *e, unsigned alu, bool wide, unsigned rm, int32_t imm)
{
    bool is_short = imm == (int8_t)imm;
    x64_rr(e, (is_short ? 0x83u : 0x81u) | (wide ? X_W : 0), alu, rm);
    if (is_short) emit8(e, (uint8_t)imm);
    else emit32(e, (uint32_t)imm);
}

void x64_shift_imm(struct emit *e, unsigned shift, bool wide, unsigned rm, unsigned count)
{
    x64_rr(e, 0xc1u | (wide ? X_W : 0), shift, rm);
    emit8(e, count);
}

void x64_mov_imm(struct emit *e, unsigned d, uint64_t v)
{
    if (!v) {
        x64_rr(e, 0x31, d, d);                               /* xor */
    } else if (v == (uint32_t)v) {
        opcode(e, 0xb8 | (d & 7), d >> 3);
        emit32(e, (uint32_t)v);
    } else if (v == (uint64_t)(int64_t)(int32_t)v) {
        x64_rr(e, 0xc7 | X_W, 0, d);
        emit32(e, (uint32_t)v);
    } else {
        opcode(e, 0xb8 | (d & 7), 8 | d >> 3);
        emit32(e, (uint32_t)v);
        emit32(e, (uint32_t)(v >> 32));
    }
}

uint32_t x64_jcc(struct emit *e, unsigned cc)
{
    opcode(e, (0x80 | cc) | X_0F, 0);
    emit32(e, 0);
    return e->at - 4;
}

uint32_t x64_jmp(struct emit *e)
{
    emit8(e, 0xe9);
    emit32(e, 0);
    return e->at - 4;
}

void x64_jmp_to(struct emit *e, uint32_t to)
{
    emit8(e, 0xe9);
    emit32(e, to - (e->at + 4));
}

void x64_call_to(struct emit *e, uint32_t to)
{
    emit8(e, 0xe8);
    emit32(e, to - (e->at + 4));
}

void x64_patch(uint8_t *base, uint32_t site, uint32_t to)
{
    uint32_t distance = to - (site + 4);
    __builtin_memcpy(base + site, &distance, 4);
}

void x64_vex_0f38(struct emit *e, unsigned op, bool w, unsigned reg, unsigned vvvv, unsigned rm)
{
    emit8(e, 0xc4);
    emit8(e, (reg >> 3 ? 0 : 0x80u) | 0x40u | (rm >> 3 ? 0 : 0x20u) | 2);
    emit8(e, (w ? 0x80u : 0) | (~vvvv & 15) << 3 | 1);
    emit8(e, op);
    emit8(e, 0xc0 | (reg & 7) << 3 | (rm & 7));
}
