// SPDX-License-Identifier: Apache-2.0
/* F and D (unprivileged manual, 11 and 12). Singles live NaN-boxed in 64-bit registers. With FS off every row here is
 * illegal; while FS is not yet dirty an instruction marks it and leaves, so that the code that follows is free of marking.
 * Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

#define BOX_HIGH  0xffffffff00000000ull
#define SIGN_32   0x80000000ull
#define SIGN_64   (1ull << 63)

static ir_ref get_f64(struct ir_block *b, int32_t r) { return ir_get(b, IR_F64, RV_SLOT_F + (unsigned)r); }
static ir_ref get_f32(struct ir_block *b, int32_t r) { return ir_un(b, IR_UNBOX, IR_F32, ir_get(b, IR_I64, RV_SLOT_F + (unsigned)r)); }
static ir_ref get_f(struct ir_block *b, enum ir_type t, int32_t r) { return t == IR_F32 ? get_f32(b, r) : get_f64(b, r); }
static ir_ref get_bits(struct ir_block *b, int32_t r) { return ir_get(b, IR_I64, RV_SLOT_F + (unsigned)r); }

static bool is_fp_off(uint32_t mode)
{
    return rv_mode_fs(mode) == RV_MODE_FP_OFF;
}

/* Before an instruction that changes an f register or fcsr. */
static void begin_fp(struct ir_block *b, uint32_t mode)
{
    if (rv_mode_fs(mode) != RV_MODE_FP_DIRTY) {
        (void)ir_call(b, IR_I64, &RV_HELPER_FP_DIRTY, IR_NONE, IR_NONE, IR_NONE);
    }
}
static enum lift_next end_fp(struct ir_block *b, const struct insn *i, uint32_t mode)
{
    return rv_mode_fs(mode) == RV_MODE_FP_DIRTY ? LIFT_NEXT : end_leave(b, i);
}
static void put_bits(struct ir_block *b, int32_t r, ir_ref v64) { ir_set(b, RV_SLOT_F + (unsigned)r, v64); }
static void put_f(struct ir_block *b, enum ir_type t, int32_t r, ir_ref v)
{
    put_bits(b, r, t == IR_F32 ? ir_un(b, IR_BOX, IR_I64, v) : v);
}

/* The rounding mode of an instruction: 5, 6 and a dynamic mode that frm does not name are illegal (11.2). */
static bool rounding(int32_t rm, uint32_t mode, uint64_t *out)
{
    if (rm == FP_ROUND_DYNAMIC) {
        *out = rv_mode_round(mode) == RV_MODE_ROUND_NEAREST ? FP_RNE : FP_ROUND_DYNAMIC;
        return rv_mode_round(mode) != RV_MODE_ROUND_INVALID;
    }
    *out = (uint64_t)rm;
    return rm <= FP_RMM;
}

/* ---- memory ---- */
static enum lift_next load_fp(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type t)
{
    struct riscv64_i a = riscv64_i(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_f(b, t, a.rd, ir_load(b, t, address(b, a.rs1, a.imm), t == IR_F32 ? MEM_32 : MEM_64));
    return end_fp(b, i, mode);
}
static enum lift_next store_fp(struct ir_block *b, const struct insn *i, uint32_t mode, uint64_t memop)
{
    struct riscv64_s a = riscv64_s(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    ir_store(b, address(b, a.rs1, a.imm), get_bits(b, a.rs2), memop);    /* the bits as they are, boxed or not */
    return LIFT_NEXT;
}

LIFT(flw) { return load_fp(b, i, mode, IR_F32); }
LIFT(fld) { return load_fp(b, i, mode, IR_F64); }
LIFT(fsw) { return store_fp(b, i, mode, MEM_32); }
LIFT(fsd) { return store_fp(b, i, mode, MEM_64); }

/* ---- arithmetic ---- */
static enum lift_next binary(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_op op, enum ir_type t)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_f(b, t, a.rd, ir_emit(b, op, t, get_f(b, t, a.rs1), get_f(b, t, a.rs2), IR_NONE, round));
    return end_fp(b, i, mode);
}
static enum lift_next square_root(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type t)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_f(b, t, a.rd, ir_emit(b, IR_FSQRT, t, get_f(b, t, a.rs1), IR_NONE, IR_NONE, round));
    return end_fp(b, i, mode);
}
static enum lift_next least_most(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_op op, enum ir_type t)
{
    struct riscv64_fr a = riscv64_fr(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_f(b, t, a.rd, ir_bin(b, op, t, get_f(b, t, a.rs1), get_f(b, t, a.rs2)));
    return end_fp(b, i, mode);
}
/* rs1 * rs2 + rs3 with the product or the addend negated first (11.6). */
static enum lift_next fused(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type t, bool negate_product, bool negate_addend)
{
    struct riscv64_fr4 a = riscv64_fr4(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    ir_ref x = get_f(b, t, a.rs1), y = get_f(b, t, a.rs2), z = get_f(b, t, a.rs3);
    x = negate_product ? ir_un(b, IR_FNEG, t, x) : x;
    z = negate_addend ? ir_un(b, IR_FNEG, t, z) : z;
    put_f(b, t, a.rd, ir_emit(b, IR_FMADD, t, x, y, z, round));
    return end_fp(b, i, mode);
}

LIFT(fadd_s)   { return binary(b, i, mode, IR_FADD, IR_F32); }
LIFT(fsub_s)   { return binary(b, i, mode, IR_FSUB, IR_F32); }
LIFT(fmul_s)   { return binary(b, i, mode, IR_FMUL, IR_F32); }
LIFT(fdiv_s)   { return binary(b, i, mode, IR_FDIV, IR_F32); }
LIFT(fadd_d)   { return binary(b, i, mode, IR_FADD, IR_F64); }
LIFT(fsub_d)   { return binary(b, i, mode, IR_FSUB, IR_F64); }
LIFT(fmul_d)   { return binary(b, i, mode, IR_FMUL, IR_F64); }
LIFT(fdiv_d)   { return binary(b, i, mode, IR_FDIV, IR_F64); }
LIFT(fsqrt_s)  { return square_root(b, i, mode, IR_F32); }
LIFT(fsqrt_d)  { return square_root(b, i, mode, IR_F64); }
LIFT(fmin_s)   { return least_most(b, i, mode, IR_FMIN, IR_F32); }
LIFT(fmax_s)   { return least_most(b, i, mode, IR_FMAX, IR_F32); }
LIFT(fmin_d)   { return least_most(b, i, mode, IR_FMIN, IR_F64); }
LIFT(fmax_d)   { return least_most(b, i, mode, IR_FMAX, IR_F64); }
LIFT(fmadd_s)  { return fused(b, i, mode, IR_F32, false, false); }
LIFT(fmsub_s)  { return fused(b, i, mode, IR_F32, false, true); }
LIFT(fnmsub_s) { return fused(b, i, mode, IR_F32, true, false); }
LIFT(fnmadd_s) { return fused(b, i, mode, IR_F32, true, true); }
LIFT(fmadd_d)  { return fused(b, i, mode, IR_F64, false, false); }
LIFT(fmsub_d)  { return fused(b, i, mode, IR_F64, false, true); }
LIFT(fnmsub_d) { return fused(b, i, mode, IR_F64, true, false); }
LIFT(fnmadd_d) { return fused(b, i, mode, IR_F64, true, true); }

/* ---- sign injection: moves of bits, no flags (11.5); a single that is not boxed counts as the canonical NaN ---- */
static ir_ref single_bits(struct ir_block *b, int32_t r)
{
    ir_ref bits = get_bits(b, r);
    ir_ref is_unboxed = ir_bin(b, IR_ULT, IR_I1, bits, ir_const(b, IR_I64, BOX_HIGH));
    return ir_sel(b, IR_I64, is_unboxed, ir_const(b, IR_I64, BOX_HIGH | FP32_CANONICAL_NAN), bits);
}
enum sign_from { SIGN_OF_RS2, SIGN_NOT_RS2, SIGN_XOR };
static enum lift_next sign_inject(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type t, enum sign_from from)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t sign = t == IR_F32 ? SIGN_32 : SIGN_64;
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    ir_ref x = t == IR_F32 ? single_bits(b, a.rs1) : get_bits(b, a.rs1);
    ir_ref y = a.rs2 == a.rs1 ? x : t == IR_F32 ? single_bits(b, a.rs2) : get_bits(b, a.rs2), out = x;
    if (from == SIGN_XOR) {
        out = ir_bin(b, IR_XOR, IR_I64, x, ir_bin(b, IR_AND, IR_I64, y, ir_const(b, IR_I64, sign)));
    } else if (from == SIGN_NOT_RS2 || a.rs1 != a.rs2) {
        ir_ref donor = from == SIGN_NOT_RS2 ? ir_bin(b, IR_XOR, IR_I64, y, ir_const(b, IR_I64, sign)) : y;
        out = ir_emit(b, IR_DEPOSIT, IR_I64, donor, x, IR_NONE, ir_field(0, t == IR_F32 ? 31 : 63));
    }
    put_bits(b, a.rd, out);
    return end_fp(b, i, mode);
}

LIFT(fsgnj_s)  { return sign_inject(b, i, mode, IR_F32, SIGN_OF_RS2); }
LIFT(fsgnjn_s) { return sign_inject(b, i, mode, IR_F32, SIGN_NOT_RS2); }
LIFT(fsgnjx_s) { return sign_inject(b, i, mode, IR_F32, SIGN_XOR); }
LIFT(fsgnj_d)  { return sign_inject(b, i, mode, IR_F64, SIGN_OF_RS2); }
LIFT(fsgnjn_d) { return sign_inject(b, i, mode, IR_F64, SIGN_NOT_RS2); }
LIFT(fsgnjx_d) { return sign_inject(b, i, mode, IR_F64, SIGN_XOR); }

/* ---- comparison and class: results in x, flags in fcsr ---- */
static enum lift_next compare(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_op op, enum ir_type t)
{
    struct riscv64_fr a = riscv64_fr(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    (void)put_flag(b, a.rd, ir_bin(b, op, IR_I1, get_f(b, t, a.rs1), get_f(b, t, a.rs2)));
    return end_fp(b, i, mode);
}
static enum lift_next classify(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type t)
{
    struct riscv64_fr a = riscv64_fr(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    return put_x(b, a.rd, ir_un(b, IR_FCLASS, IR_I64, get_f(b, t, a.rs1)));
}

LIFT(feq_s)    { return compare(b, i, mode, IR_FEQ, IR_F32); }
LIFT(flt_s)    { return compare(b, i, mode, IR_FLT, IR_F32); }
LIFT(fle_s)    { return compare(b, i, mode, IR_FLE, IR_F32); }
LIFT(feq_d)    { return compare(b, i, mode, IR_FEQ, IR_F64); }
LIFT(flt_d)    { return compare(b, i, mode, IR_FLT, IR_F64); }
LIFT(fle_d)    { return compare(b, i, mode, IR_FLE, IR_F64); }
LIFT(fclass_s) { return classify(b, i, mode, IR_F32); }
LIFT(fclass_d) { return classify(b, i, mode, IR_F64); }

/* ---- moves between the files: bits as they are ---- */
static enum lift_next move_to_x(struct ir_block *b, const struct insn *i, uint32_t mode, bool is_word)
{
    struct riscv64_fr a = riscv64_fr(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    ir_ref bits = get_bits(b, a.rs1);
    return is_word ? put_sx32(b, a.rd, ir_un(b, IR_TRUNC, IR_I32, bits)) : put_x(b, a.rd, bits);
}
static enum lift_next move_to_f(struct ir_block *b, const struct insn *i, uint32_t mode, uint64_t box)
{
    struct riscv64_fr a = riscv64_fr(i);
    if (is_fp_off(mode)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_bits(b, a.rd, ir_bin(b, IR_OR, IR_I64, get_x(b, a.rs1), ir_const(b, IR_I64, box)));
    return end_fp(b, i, mode);
}

LIFT(fmv_x_w) { return move_to_x(b, i, mode, true); }
LIFT(fmv_x_d) { return move_to_x(b, i, mode, false); }
LIFT(fmv_w_x) { return move_to_f(b, i, mode, BOX_HIGH); }
LIFT(fmv_d_x) { return move_to_f(b, i, mode, 0); }

/* ---- conversions: words land sign-extended, unsigned ones too (11.7) ---- */
static enum lift_next to_integer(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_op op, enum ir_type from, enum ir_type to)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    ir_ref v = ir_emit(b, op, to, get_f(b, from, a.rs1), IR_NONE, IR_NONE, round);
    (void)(to == IR_I32 ? put_sx32(b, a.rd, v) : put_x(b, a.rd, v));
    return end_fp(b, i, mode);
}
static enum lift_next from_integer(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_op op, enum ir_type from, enum ir_type to)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    ir_ref v = from == IR_I32 ? lo32(b, a.rs1) : get_x(b, a.rs1);
    put_f(b, to, a.rd, ir_emit(b, op, to, v, IR_NONE, IR_NONE, round));
    return end_fp(b, i, mode);
}
static enum lift_next resize(struct ir_block *b, const struct insn *i, uint32_t mode, enum ir_type from, enum ir_type to)
{
    struct riscv64_fr a = riscv64_fr(i);
    uint64_t round;
    if (is_fp_off(mode) || !rounding(a.rm, mode, &round)) {
        return end_illegal(b, i);
    }
    begin_fp(b, mode);
    put_f(b, to, a.rd, ir_emit(b, IR_FTOF, to, get_f(b, from, a.rs1), IR_NONE, IR_NONE, round));
    return end_fp(b, i, mode);
}

LIFT(fcvt_w_s)  { return to_integer(b, i, mode, IR_FTOS, IR_F32, IR_I32); }
LIFT(fcvt_wu_s) { return to_integer(b, i, mode, IR_FTOU, IR_F32, IR_I32); }
LIFT(fcvt_l_s)  { return to_integer(b, i, mode, IR_FTOS, IR_F32, IR_I64); }
LIFT(fcvt_lu_s) { return to_integer(b, i, mode, IR_FTOU, IR_F32, IR_I64); }
LIFT(fcvt_w_d)  { return to_integer(b, i, mode, IR_FTOS, IR_F64, IR_I32); }
LIFT(fcvt_wu_d) { return to_integer(b, i, mode, IR_FTOU, IR_F64, IR_I32); }
LIFT(fcvt_l_d)  { return to_integer(b, i, mode, IR_FTOS, IR_F64, IR_I64); }
LIFT(fcvt_lu_d) { return to_integer(b, i, mode, IR_FTOU, IR_F64, IR_I64); }
LIFT(fcvt_s_w)  { return from_integer(b, i, mode, IR_STOF, IR_I32, IR_F32); }
LIFT(fcvt_s_wu) { return from_integer(b, i, mode, IR_UTOF, IR_I32, IR_F32); }
LIFT(fcvt_s_l)  { return from_integer(b, i, mode, IR_STOF, IR_I64, IR_F32); }
LIFT(fcvt_s_lu) { return from_integer(b, i, mode, IR_UTOF, IR_I64, IR_F32); }
LIFT(fcvt_d_w)  { return from_integer(b, i, mode, IR_STOF, IR_I32, IR_F64); }
LIFT(fcvt_d_wu) { return from_integer(b, i, mode, IR_UTOF, IR_I32, IR_F64); }
LIFT(fcvt_d_l)  { return from_integer(b, i, mode, IR_STOF, IR_I64, IR_F64); }
LIFT(fcvt_d_lu) { return from_integer(b, i, mode, IR_UTOF, IR_I64, IR_F64); }
LIFT(fcvt_s_d)  { return resize(b, i, mode, IR_F64, IR_F32); }
LIFT(fcvt_d_s)  { return resize(b, i, mode, IR_F32, IR_F64); }
