// SPDX-License-Identifier: Apache-2.0
/* What the riscv64 instruction suites share: random numbers, random encodings of a row, and counting. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"

static uint64_t random_state = 1;
static inline uint64_t random64(void)
{
    random_state += 0x9e3779b97f4a7c15u;                    /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline unsigned random_below(unsigned n) { return (unsigned)(random64() % n); }

/* A word of this row with random fields; false: what came out belongs to a more specific row, or is reserved. */
static inline bool random_word(unsigned row, struct insn *out)
{
    const struct decode_row *r = &riscv64_rows[row];
    memset(out, 0, sizeof *out);
    out->bits = r->match | ((uint32_t)random64() & ~r->mask & (r->size_bytes == 2 ? 0xffffu : 0xffffffffu));
    out->size_bytes = r->size_bytes;
    return riscv64_decode(out->bits, out->size_bytes, out) && out->op == row;
}
static inline void insn_text(const struct insn *i, char *out, size_t cap) { (void)RISCV64_ISA.disasm(i, out, cap); }

static inline bool is_fp_row(unsigned row)
{
    const char *e = riscv64_rows[row].extension, *n = riscv64_rows[row].name;
    return !strcmp(e, "F") || !strcmp(e, "D") || !strncmp(n, "c.f", 3);
}
