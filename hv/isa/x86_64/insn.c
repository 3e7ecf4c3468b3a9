// SPDX-License-Identifier: Apache-2.0
/* Taking instructions apart; see insn.h. What follows an opcode is in two tables of one letter each:
 * '.' nothing, 'm' ModRM, 'b' imm8, 'z' imm16/32, 'w' imm16, 'v' imm up to 64 bits, 'B' ModRM imm8, 'Z' ModRM imm16/32, 'a' an absolute
 * address, 'e' imm16 imm8, 'f' a far pointer, 'g' and 'G' group 3: ModRM, and an immediate when it is TEST; 'p' a prefix, 'x' none such. */
#include "hv/isa/x86_64/insn.h"
#include "hv/arch/hw_x86.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

static const char one_byte[257] =
    "mmmmbz..mmmmbz.p" "mmmmbz..mmmmbz.." "mmmmbzp.mmmmbzp." "mmmmbzp.mmmmbzp."
    "................" "................" "..mmppppzZbB...." "bbbbbbbbbbbbbbbb"
    "BZBBmmmmmmmmmmmm" "..........f....." "aaaa....bz......" "bbbbbbbbvvvvvvvv"
    "BBw.mmBZe.w..b.." "mmmmbb..mmmmmmmm" "bbbbbbbbzzfb...." "p.pp..gG......mm";
static const char two_byte[257] =
    "mmmmx.....x.xm.B" "mmmmmmmmmmmmmmmm" "mmmmxxxxmmmmmmmm" "........pxpxxxxx"
    "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "BBBBmmm.mmmmmmmm"
    "zzzzzzzzzzzzzzzz" "mmmmmmmmmmmmmmmm" "...mBmxx...mBmmm" "mmmmmmmmmmBmmmmm"
    "mmBmBBBm........" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm" "mmmmmmmmmmmmmmmm";

struct reader { const uint8_t *at; unsigned avail, used; bool is_short; };

static uint8_t next(struct reader *r)
{
    if (r->used == r->avail || r->used == X86_MAX_INSN) {
        r->is_short = true;
        return 0;
    }
    return r->at[r->used++];
}

static int64_t next_signed(struct reader *r, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) v |= (uint64_t)next(r) << 8 * i;
    return sign_extend64(v, 8 * bytes);
}

struct prefixes { bool has_66, has_67; };

/* True: that byte was one. */
static bool take_prefix(struct x86_insn *i, struct prefixes *p, uint8_t byte, unsigned bits)
{
    static const struct { uint8_t byte, segment; } overrides[] = {
        { 0x26, X86_ES }, { 0x2e, X86_CS }, { 0x36, X86_SS }, { 0x3e, X86_DS }, { 0x64, X86_FS }, { 0x65, X86_GS },
    };
    if (bits == 64 && (byte & 0xf0) == 0x40) {
        i->has_rex = true;
        i->rex = byte & 15;
        return true;
    }
    bool had_rex = i->has_rex;
    i->has_rex = false;                     /* it counts only right before the opcode */
    for (unsigned n = 0; n < ARRAY_COUNT(overrides); n++) {
        if (byte != overrides[n].byte) continue;
        if (bits != 64 || n >= 4) i->segment = overrides[n].segment;
        return true;
    }
    switch (byte) {
    case 0x66: p->has_66 = true;   return true;
    case 0x67: p->has_67 = true;   return true;
    case 0xf0: i->has_lock = true; return true;
    case 0xf2: case 0xf3: i->repeat = byte; return true;
    }
    i->has_rex = had_rex;
    return false;
}

/* SDM volume 2, tables 2-1 to 2-3. */
static void take_memory_16(struct x86_insn *i, struct reader *r)
{
    static const uint8_t base[] = { 3, 3, 5, 5, 6, 7, 5, 3 }, index[] = { 6, 7, 6, 7, X86_NO_REG, X86_NO_REG, X86_NO_REG, X86_NO_REG };
    unsigned rm = i->modrm & 7;
    i->base = base[rm];
    i->index = index[rm];
    if (i->mod == 0 && rm == 6) {
        i->base = X86_NO_REG;
        i->displacement = next_signed(r, 2);
    } else if (i->mod) {
        i->displacement = next_signed(r, i->mod);
    }
}

static void take_memory(struct x86_insn *i, struct reader *r, unsigned bits)
{
    unsigned rm = i->modrm & 7;
    i->base = (uint8_t)(rm | (i->rex & 1) << 3);
    if (rm == 4) {
        uint8_t sib = next(r);
        uint8_t index = (uint8_t)((sib >> 3 & 7) | (i->rex & 2) << 2);
        i->base = (uint8_t)((sib & 7) | (i->rex & 1) << 3);
        i->index = index == 4 ? X86_NO_REG : index;
        i->scale = sib >> 6;
        if ((sib & 7) == 5 && i->mod == 0) {
            i->base = X86_NO_REG;
            i->displacement = next_signed(r, 4);
        }
    } else if (rm == 5 && i->mod == 0) {
        i->base = X86_NO_REG;
        i->is_rip_relative = bits == 64;
        i->displacement = next_signed(r, 4);
    }
    if (i->mod == 1) i->displacement = next_signed(r, 1);
    if (i->mod == 2) i->displacement = next_signed(r, 4);
}

static void take_modrm(struct x86_insn *i, struct reader *r, unsigned bits)
{
    i->has_modrm = true;
    i->modrm = next(r);
    i->mod = i->modrm >> 6;
    i->reg = (uint8_t)((i->modrm >> 3 & 7) | (i->rex & 4) << 1);
    i->rm = (uint8_t)((i->modrm & 7) | (i->rex & 1) << 3);
    i->has_memory = i->mod != 3;
    if (i->map == X86_MAP_0F && i->op >= 0x20 && i->op <= 0x23) i->has_memory = false;     /* MOV to and from CR and DR */
    if (!i->has_memory) return;
    if (i->address_bytes == 2) take_memory_16(i, r);
    else take_memory(i, r, bits);
}

static void take_immediate(struct x86_insn *i, struct reader *r, unsigned bytes)
{
    i->immediate_bytes = (uint8_t)bytes;
    i->immediate = next_signed(r, bytes);
}

/* VEX in two or three bytes; EVEX is none of ours. */
static bool take_vex(struct x86_insn *i, struct reader *r)
{
    uint8_t a = next(r), map = 1;
    i->has_vex = true;
    i->rex = (uint8_t)(~a >> 5 & 4);
    if (i->op == 0xc4) {
        uint8_t b = next(r);
        map = a & 31;
        i->rex = (uint8_t)((~a >> 5 & 7) | (b >> 4 & 8));
    }
    if (map < 1 || map > 3) return false;
    i->map = map;
    i->op = next(r);
    return true;
}

static char take_opcode(struct x86_insn *i, struct reader *r, unsigned bits)
{
    if ((i->op == 0xc4 || i->op == 0xc5) && (bits == 64 || (r->used < r->avail && r->at[r->used] >= 0xc0))) {
        if (!take_vex(i, r)) return 'x';
    } else if (i->op == 0x62 && bits == 64) {
        return 'x';
    } else if (i->op == 0x0f) {
        i->map = X86_MAP_0F;
        i->op = next(r);
        if (i->op == 0x38 || i->op == 0x3a) {
            i->map = i->op == 0x38 ? X86_MAP_0F38 : X86_MAP_0F3A;
            i->op = next(r);
        }
    }
    switch (i->map) {
    case X86_MAP_ONE:  return one_byte[i->op];
    case X86_MAP_0F:   return two_byte[i->op];
    case X86_MAP_0F38: return 'm';
    }
    return 'B';
}

static void take_operands(struct x86_insn *i, struct reader *r, unsigned bits, char form)
{
    unsigned z = i->op_bytes == 2 ? 2 : 4;
    if (strchr("mBZgG", form)) take_modrm(i, r, bits);
    bool is_test = i->has_modrm && (i->modrm >> 3 & 7) < 2;
    switch (form) {
    case 'b': case 'B': take_immediate(i, r, 1);                         break;
    case 'z': case 'Z': take_immediate(i, r, z);                         break;
    case 'w':           take_immediate(i, r, 2);                         break;
    case 'v':           take_immediate(i, r, i->op_bytes);               break;
    case 'a':           take_immediate(i, r, i->address_bytes);          break;
    case 'e':           take_immediate(i, r, 2); next(r);                break;
    case 'f':           take_immediate(i, r, z); next_signed(r, 2);      break;
    case 'g': if (is_test) take_immediate(i, r, 1);                      break;
    case 'G': if (is_test) take_immediate(i, r, z);                      break;
    }
    if (form == 'a') i->immediate &= i->address_bytes == 8 ? -1ll : i->address_bytes == 4 ? 0xffffffffll : 0xffffll;
}

bool x86_insn_decode(const uint8_t *bytes, unsigned avail_bytes, unsigned bits, struct x86_insn *out, bool *is_invalid)
{
    struct x86_insn *i = out;
    struct reader r = { bytes, avail_bytes, 0, false };
    struct prefixes p = { false, false };
    *i = (struct x86_insn){ .segment = X86_NO_REG, .base = X86_NO_REG, .index = X86_NO_REG };
    *is_invalid = false;
    do i->op = next(&r); while (!r.is_short && take_prefix(i, &p, i->op, bits));
    if (!i->has_rex) i->rex = 0;
    i->address_bytes = bits == 64 ? (p.has_67 ? 4 : 8) : (bits == 32) != p.has_67 ? 4 : 2;
    bool is_wide = bits == 16 ? p.has_66 : !p.has_66;
    char form = take_opcode(i, &r, bits);
    bool is_near = bits == 64 && i->map == X86_MAP_ONE && (i->op == 0xe8 || i->op == 0xe9);
    i->op_bytes = i->rex & 8 ? 8 : is_wide || is_near ? 4 : 2;
    if (bits == 64 && form == 'f') form = 'x';
    if (!r.is_short && (form == 'x' || form == 'p')) *is_invalid = true;
    take_operands(i, &r, bits, form);
    if (r.is_short && r.used == X86_MAX_INSN) *is_invalid = true;
    i->length = (uint8_t)r.used;
    return !r.is_short && !*is_invalid;
}
