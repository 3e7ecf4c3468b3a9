// SPDX-License-Identifier: Apache-2.0
/* Bytes become one A64 instruction: the table's decision, then what its bits alone do not say. Pure: any context. */
#include "arm64_decode.h"
#include "hv/base/fmt.h"
#include "hv/isa/arm64/state.h"

uint64_t arm64_bit_mask(int32_t mask)
{
    bool is_64 = mask >> 13 & 1, n = mask >> 12 & 1;
    unsigned immr = (unsigned)mask >> 6 & 63, imms = (unsigned)mask & 63, pattern = (unsigned)n << 6 | (~imms & 63);
    if (pattern < 2) return 0;
    unsigned size = 1u << (31 - (unsigned)__builtin_clz(pattern)), ones = (imms & (size - 1)) + 1, turn = immr & (size - 1);
    if (ones == size) return 0;
    uint64_t element = bit64(ones) - 1, all = size == 64 ? ~0ull : bit64(size) - 1;
    if (turn) element = (element >> turn | element << (size - turn)) & all;
    for (unsigned at = size; at < 64; at *= 2) element |= element << at;
    return is_64 ? element : (uint32_t)element;
}

/* Encodings that are not allocated though a row has their bits. */
static bool is_allocated(const struct insn *i)
{
    uint32_t w = i->bits;
    switch (w >> 24 & 31) {
    case 0x12: return w & 1u << 23 || arm64_bit_mask(i->arg[2]);                                   /* logical immediate; move wide has bit 23 */
    case 0x0b: return w & 1u << 21 ? (w >> 10 & 7) <= 4 : (w >> 22 & 3) != 3;                      /* add and subtract: extended, shifted */
    default:   return true;
    }
}

bool arm64_decode_insn(const uint8_t *bytes, unsigned avail_bytes, guest_addr pc, uint32_t mode, struct insn *out, struct fault *why)
{
    (void)mode;
    why->kind = FAULT_NONE;
    if (avail_bytes < 4) return false;
    if (pc.v & 3) {
        *why = fault_alignment(pc, 4, ACCESS_EXECUTE);
        return false;
    }
    out->pc = pc;
    out->bits = load_le32(bytes);
    out->size_bytes = 4;
    if (arm64_decode(out->bits, 4, out) && is_allocated(out)) return true;
    *why = fault_invalid_opcode(pc, out->bits);
    return false;
}

/* ---- operands in the table's own words: see its hooks and fields ---- */
int arm64_print_add12(int32_t v, char *out, size_t cap) { return hv_snprintf(out, cap, "#0x%x%s", v & 0xfff, v >> 12 ? ",lsl #12" : ""); }
int arm64_print_mask(int32_t v, char *out, size_t cap)  { return hv_snprintf(out, cap, "#0x%llx", (unsigned long long)arm64_bit_mask(v)); }
int arm64_print_wide(int32_t v, char *out, size_t cap)
{
    unsigned shift = 16 * ((unsigned)v >> 16);
    return shift ? hv_snprintf(out, cap, "#0x%x,lsl #%u", v & 0xffff, shift) : hv_snprintf(out, cap, "#0x%x", v & 0xffff);
}
int arm64_print_shifted(int32_t v, char *out, size_t cap)
{
    static const char *const how[] = { "lsl", "lsr", "asr", "ror" };
    return v ? hv_snprintf(out, cap, ",%s #%u", how[v >> 6 & 3], v & 63) : hv_snprintf(out, cap, "%s", "");
}
int arm64_print_extended(int32_t v, char *out, size_t cap)
{
    static const char *const how[] = { "uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx" };
    unsigned option = (unsigned)v >> 3 & 7, rm = (unsigned)v >> 6 & 31, by = (unsigned)v & 7;
    char name = (option & 3) == 3 && v >> 11 ? 'x' : 'w', amount[8] = "", reg[4];
    if (by) (void)hv_snprintf(amount, sizeof amount, " #%u", by);
    (void)hv_snprintf(reg, sizeof reg, rm == 31 ? "zr" : "%u", rm);
    return hv_snprintf(out, cap, "%c%s,%s%s", name, reg, how[option], amount);
}
int arm64_print_sysreg(int32_t v, char *out, size_t cap)
{
    return hv_snprintf(out, cap, "s%u_%u_c%u_c%u_%u", v >> 14 & 3, v >> 11 & 7, v >> 7 & 15, v >> 3 & 15, v & 7);
}
int arm64_print_sysop(int32_t v, char *out, size_t cap)
{
    return hv_snprintf(out, cap, "#%u,C%u,C%u,#%u", v >> 11 & 7, v >> 7 & 15, v >> 3 & 15, v & 7);
}
int arm64_print_pstate(int32_t v, char *out, size_t cap)
{
    return hv_snprintf(out, cap, "s0_%u_c4_c%u_%u", v >> 7 & 7, v & 15, v >> 4 & 7);
}
int arm64_print_barrier(int32_t v, char *out, size_t cap)
{
    static const char *const name[] = { NULL, "oshld", "oshst", "osh", NULL, "nshld", "nshst", "nsh", NULL, "ishld", "ishst", "ish", NULL, "ld", "st", "sy" };
    return name[v & 15] ? hv_snprintf(out, cap, "%s", name[v & 15]) : hv_snprintf(out, cap, "#0x%02x", v & 15);
}
/* type, target, policy (C6.2, PRFM) */
int arm64_print_prefetch(int32_t v, char *out, size_t cap)
{
    static const char *const type[] = { "pld", "pli", "pst" };
    if (v >> 3 == 3 || (v >> 1 & 3) == 3) return hv_snprintf(out, cap, "#0x%02x", v);
    return hv_snprintf(out, cap, "%sl%u%s", type[v >> 3], (v >> 1 & 3) + 1u, v & 1 ? "strm" : "keep");
}
