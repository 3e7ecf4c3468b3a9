// SPDX-License-Identifier: Apache-2.0
/* A64 encodings (Arm ARM C4); see a64.h. Pure writing of words. */
#include "hv/jit/a64/a64.h"

void a64_rrr(struct emit *e, uint32_t op, unsigned d, unsigned n, unsigned m) { emit32(e, op | m << 16 | n << 5 | d); }

void a64_ldr(struct emit *e, uint32_t op, unsigned t, unsigned n, unsigned offset_bytes, unsigned size_log2)
{
    emit32(e, op | (offset_bytes >> size_log2) << 10 | n << 5 | t);
}

/* MOVZ or MOVN, then MOVK for what differs. */
void a64_imm(struct emit *e, uint8_t d, uint64_t v)
{
    unsigned zeros = 0, ones = 0;
    for (unsigned i = 0; i < 4; i++) {
        unsigned part = v >> 16 * i & 0xffff;
        zeros += part == 0;
        ones += part == 0xffff;
    }
    bool inverted = ones > zeros, is_first = true;
    unsigned skip = inverted ? 0xffff : 0;
    bool is_one_word = (inverted ? ones : zeros) == 4;
    for (unsigned i = 0; i < 4; i++) {
        unsigned part = v >> 16 * i & 0xffff;
        if (part == skip && !(is_one_word && !i)) continue;
        uint32_t op = !is_first ? 0xf2800000u : inverted ? 0x92800000u : 0xd2800000u;
        emit32(e, op | i << 21 | (is_first && inverted ? ~part & 0xffff : part) << 5 | d);
        is_first = false;
    }
}

void a64_bitfield(struct emit *e, uint32_t op, bool w, unsigned d, unsigned n, unsigned immr, unsigned imms)
{
    emit32(e, op | (w ? 0x80400000u : 0) | immr << 16 | imms << 10 | n << 5 | d);
}

void a64_add_imm(struct emit *e, bool w, unsigned d, unsigned n, int32_t imm)
{
    uint32_t op = (imm < 0 ? 0x51000000u : 0x11000000u) | (w ? 1u << 31 : 0), k = imm < 0 ? 0u - (uint32_t)imm : (uint32_t)imm;
    if (k < 4096) {
        emit32(e, op | k << 10 | n << 5 | d);
    } else if (!(k & 0xfff) && k < 1u << 24) {
        emit32(e, op | 1u << 22 | k >> 12 << 10 | n << 5 | d);
    } else {
        a64_imm(e, A64_T0, (uint64_t)(int64_t)imm);
        a64_rrr(e, w ? 0x8b000000u : 0x0b000000u, d, n, A64_T0);
    }
}

void a64_mov(struct emit *e, uint8_t d, uint8_t a)
{
    if (d != a) a64_rrr(e, 0xaa000000u, d, A64_ZR, a);
}

uint32_t a64_b(struct emit *e)
{
    emit32(e, 0x14000000u);
    return e->at - 4;
}

uint32_t a64_b_cond(struct emit *e, unsigned cc)
{
    emit32(e, 0x54000000u | cc);
    return e->at - 4;
}

static uint32_t distance(uint32_t from, uint32_t to) { return (uint32_t)((int32_t)(to - from) >> 2); }

void a64_b_to(struct emit *e, uint32_t to)  { emit32(e, 0x14000000u | (distance(e->at, to) & 0x3ffffff)); }
void a64_bl_to(struct emit *e, uint32_t to) { emit32(e, 0x94000000u | (distance(e->at, to) & 0x3ffffff)); }

/* B has 26 bits of distance, B.cond and CBNZ 19. */
void a64_patch(uint8_t *base, uint32_t site, uint32_t to)
{
    uint32_t word;
    __builtin_memcpy(&word, base + site, 4);
    if (word >> 26 == 5) word = (word & 0xfc000000u) | (distance(site, to) & 0x3ffffff);
    else word = (word & 0xff00001fu) | (distance(site, to) & 0x7ffff) << 5;
    __atomic_store_n((uint32_t *)(void *)(base + site), word, __ATOMIC_RELAXED);
}
