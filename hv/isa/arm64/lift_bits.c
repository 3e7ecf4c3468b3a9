// SPDX-License-Identifier: Apache-2.0
/* Logic, shifts, bit fields, constants, and what turns bits round (C4.1.86, C4.1.89). Pure building of IR: see lift.h. */
#include "hv/isa/arm64/lift.h"

/* DecodeShift: LSL LSR ASR ROR. */
static ir_ref shift(struct ir_block *b, const struct insn *i, unsigned how, ir_ref x, ir_ref by)
{
    static const enum ir_op op[] = { IR_SHL, IR_SHR, IR_SAR, IR_ROR };
    return op2(b, i, op[how & 3], x, by);
}

ir_ref a64_shifted(struct ir_block *b, const struct insn *i, int32_t rm, int32_t shifted)
{
    unsigned how = (unsigned)shifted >> 6, by = (unsigned)shifted & 63;
    ir_ref x = get_r(b, i, rm);
    return by ? shift(b, i, how, x, count(b, by)) : x;
}

ir_ref a64_extended(struct ir_block *b, enum ir_type type, int32_t rm, unsigned option, unsigned by)
{
    static const enum ir_type part[] = { IR_I8, IR_I16, IR_I32, IR_I64 };
    enum ir_type from = part[option & 3];
    ir_ref x = get_x(b, rm);
    if (ir_type_bits(from) >= ir_type_bits(type)) x = ir_un(b, IR_TRUNC, type, x);
    else x = ir_un(b, option & 4 ? IR_SEXT : IR_ZEXT, type, ir_un(b, IR_TRUNC, from, x));
    return by ? ir_bin(b, IR_SHL, type, x, count(b, by)) : x;
}

/* ---- logic ---- */
static enum lift_next logic(struct ir_block *b, const struct insn *i, enum ir_op op, ir_ref y, bool sets_flags)
{
    struct arm64_rri a = arm64_rri(i);                       /* rd and rn stand first in all */
    ir_ref r = op2(b, i, op, get_r(b, i, a.rn), y);
    if (sets_flags) a64_put_flags(b, a64_flags_of(b, r));
    return put_r(b, a.rd, r);
}
static enum lift_next logic_shifted(struct ir_block *b, const struct insn *i, enum ir_op op, bool inverts, bool sets_flags)
{
    struct arm64_rrri a = arm64_rrri(i);
    ir_ref y = a64_shifted(b, i, a.rm, a.imm);
    return logic(b, i, op, inverts ? ir_un(b, IR_NOT, type_of(i), y) : y, sets_flags);
}
LIFT(and)  { return logic_shifted(b, i, IR_AND, false, false); }
LIFT(bic)  { return logic_shifted(b, i, IR_AND, true, false); }
LIFT(orr)  { return logic_shifted(b, i, IR_OR, false, false); }
LIFT(orn)  { return logic_shifted(b, i, IR_OR, true, false); }
LIFT(eor)  { return logic_shifted(b, i, IR_XOR, false, false); }
LIFT(eon)  { return logic_shifted(b, i, IR_XOR, true, false); }
LIFT(ands) { return logic_shifted(b, i, IR_AND, false, true); }
LIFT(bics) { return logic_shifted(b, i, IR_AND, true, true); }

/* The destination is the stack pointer where no flags are set. */
static enum lift_next logic_imm(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_rri a = arm64_rri(i);
    return put_rsp(b, a.rd, op2(b, i, op, get_r(b, i, a.rn), constant(b, i, arm64_bit_mask(a.imm))));
}
LIFT(and_imm)  { return logic_imm(b, i, IR_AND); }
LIFT(orr_imm)  { return logic_imm(b, i, IR_OR); }
LIFT(eor_imm)  { return logic_imm(b, i, IR_XOR); }
LIFT(ands_imm) { return logic(b, i, IR_AND, constant(b, i, arm64_bit_mask(arm64_rri(i).imm)), true); }

/* ---- constants ---- */
static uint64_t wide_of(const struct arm64_ri *a) { return (uint64_t)(a->imm & 0xffff) << 16 * (a->imm >> 16); }
LIFT(movz)
{
    struct arm64_ri a = arm64_ri(i);
    return put_r(b, a.rd, constant(b, i, wide_of(&a)));
}
LIFT(movn)
{
    struct arm64_ri a = arm64_ri(i);
    return put_r(b, a.rd, constant(b, i, ~wide_of(&a)));
}
LIFT(movk)
{
    struct arm64_ri a = arm64_ri(i);
    return put_r(b, a.rd, ir_emit(b, IR_DEPOSIT, type_of(i), get_r(b, i, a.rd), constant(b, i, (uint64_t)(a.imm & 0xffff)), IR_NONE, ir_field(16 * ((unsigned)a.imm >> 16), 16)));
}
LIFT(adr)
{
    struct arm64_ri a = arm64_ri(i);
    return put_r(b, a.rd, ir_const(b, IR_I64, pc_plus(i, a.imm).v));
}
LIFT(adrp)
{
    struct arm64_ri a = arm64_ri(i);
    return put_r(b, a.rd, ir_const(b, IR_I64, (i->pc.v & ~0xfffull) + ((uint64_t)(int64_t)a.imm << 12)));
}

/* ---- bit fields: immr <= imms takes bits [immr, imms] down to 0; else bits [0, imms] go up to width - immr ---- */
static ir_ref field(struct ir_block *b, const struct insn *i, enum ir_op op, ir_ref x, unsigned lsb, unsigned length)
{
    return ir_emit(b, op, type_of(i), x, IR_NONE, IR_NONE, ir_field(lsb, length));
}
static enum lift_next move_field(struct ir_block *b, const struct insn *i, enum ir_op extract, unsigned down)
{
    struct arm64_bf a = arm64_bf(i);
    unsigned immr = (unsigned)a.immr, imms = (unsigned)a.imms, width = width_of(i), up = width - immr;
    ir_ref x = get_r(b, i, a.rn);
    if (imms == width - 1) return put_r(b, a.rd, immr ? shift(b, i, down, x, count(b, immr)) : x);
    if (immr <= imms) return put_r(b, a.rd, field(b, i, extract, x, immr, imms - immr + 1));
    if (imms + 1 + up < width) x = field(b, i, extract, x, 0, imms + 1);
    return put_r(b, a.rd, shift(b, i, 0, x, count(b, up)));
}
LIFT(sbfm) { return move_field(b, i, IR_SEXTRACT, 2); }
LIFT(ubfm) { return move_field(b, i, IR_EXTRACT, 1); }
LIFT(bfm)
{
    struct arm64_bf a = arm64_bf(i);
    unsigned immr = (unsigned)a.immr, imms = (unsigned)a.imms, width = width_of(i);
    ir_ref old = get_r(b, i, a.rd), x = get_r(b, i, a.rn);
    uint64_t to = immr <= imms ? ir_field(0, imms - immr + 1) : ir_field(width - immr, imms + 1);
    if (immr <= imms && immr) x = shift(b, i, 1, x, count(b, immr));
    return put_r(b, a.rd, ir_emit(b, IR_DEPOSIT, type_of(i), old, x, IR_NONE, to));
}

/* A field of two registers' width out of both. */
LIFT(extr)
{
    struct arm64_rrri a = arm64_rrri(i);
    unsigned lsb = (unsigned)a.imm;
    ir_ref low = get_r(b, i, a.rm);
    if (!lsb) return put_r(b, a.rd, low);
    if (a.rn == a.rm) return put_r(b, a.rd, shift(b, i, 3, low, count(b, lsb)));
    return put_r(b, a.rd, op2(b, i, IR_OR, shift(b, i, 1, low, count(b, lsb)), shift(b, i, 0, get_r(b, i, a.rn), count(b, width_of(i) - lsb))));
}

static enum lift_next shift_by_register(struct ir_block *b, const struct insn *i, unsigned how)
{
    struct arm64_rrri a = arm64_rrri(i);
    return put_r(b, a.rd, shift(b, i, how, get_r(b, i, a.rn), ir_un(b, IR_TRUNC, IR_I8, get_x(b, a.rm))));
}
LIFT(lslv) { return shift_by_register(b, i, 0); }
LIFT(lsrv) { return shift_by_register(b, i, 1); }
LIFT(asrv) { return shift_by_register(b, i, 2); }
LIFT(rorv) { return shift_by_register(b, i, 3); }

/* ---- one source ---- */
/* Neighbours of `by` bits exchanged: those in the mask go up, the others down. */
static ir_ref exchange(struct ir_block *b, const struct insn *i, ir_ref x, unsigned by, uint64_t mask)
{
    ir_ref m = constant(b, i, mask), n = count(b, by);
    return op2(b, i, IR_OR, op2(b, i, IR_AND, shift(b, i, 1, x, n), m), shift(b, i, 0, op2(b, i, IR_AND, x, m), n));
}
LIFT(rbit)
{
    struct arm64_rri a = arm64_rri(i);
    ir_ref x = exchange(b, i, get_r(b, i, a.rn), 1, 0x5555555555555555);
    x = exchange(b, i, exchange(b, i, x, 2, 0x3333333333333333), 4, 0x0f0f0f0f0f0f0f0f);
    return put_r(b, a.rd, ir_un(b, IR_BSWAP, type_of(i), x));
}
LIFT(rev16)
{
    struct arm64_rri a = arm64_rri(i);
    return put_r(b, a.rd, exchange(b, i, get_r(b, i, a.rn), 8, 0x00ff00ff00ff00ff));
}
LIFT(rev32)
{
    struct arm64_rri a = arm64_rri(i);
    return put_r(b, a.rd, shift(b, i, 3, ir_un(b, IR_BSWAP, IR_I64, get_x(b, a.rn)), count(b, 32)));
}
static enum lift_next one_source(struct ir_block *b, const struct insn *i, enum ir_op op)
{
    struct arm64_rri a = arm64_rri(i);
    return put_r(b, a.rd, ir_un(b, op, type_of(i), get_r(b, i, a.rn)));
}
LIFT(rev) { return one_source(b, i, IR_BSWAP); }
LIFT(clz) { return one_source(b, i, IR_CLZ); }

/* Bits below the top one that are like it: a difference of neighbours ends the run. */
LIFT(cls)
{
    struct arm64_rri a = arm64_rri(i);
    ir_ref x = get_r(b, i, a.rn), differs = op2(b, i, IR_XOR, x, shift(b, i, 2, x, count(b, 1)));
    return put_r(b, a.rd, op2(b, i, IR_SUB, ir_un(b, IR_CLZ, type_of(i), differs), constant(b, i, 1)));
}

/* ---- CRC32: polynomials 0x04c11db7 and 0x1edc6f41, bits reversed (C6.2, CRC32B) ---- */
static uint64_t crc32(struct vcpu *v, uint64_t accumulated, uint64_t value, uint64_t form)
{
    uint32_t crc = (uint32_t)accumulated, polynomial = form & 16 ? 0x82f63b78u : 0xedb88320u;
    (void)v;
    for (unsigned byte = 0; byte < (form & 15); byte++) {
        crc ^= (uint32_t)(value >> 8 * byte) & 0xff;
        for (unsigned bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    }
    return crc;
}
static const struct ir_helper helper_crc32 = { "crc32", crc32, HELPER_PURE };

static enum lift_next checksum(struct ir_block *b, const struct insn *i, uint64_t castagnoli)
{
    struct arm64_rrri a = arm64_rrri(i);
    ir_ref form = ir_const(b, IR_I64, castagnoli | 1u << (i->bits >> 10 & 3));
    return put_r(b, a.rd, ir_un(b, IR_TRUNC, IR_I32, ir_call(b, IR_I64, &helper_crc32, get_x(b, a.rn), get_x(b, a.rm), form)));
}
LIFT(crc32)  { return checksum(b, i, 0); }
LIFT(crc32c) { return checksum(b, i, 16); }
