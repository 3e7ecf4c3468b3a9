// SPDX-License-Identifier: Apache-2.0
/* Folding: what an instruction equals before it is emitted. The block belongs to the thread that lifts. Laws.
 * 1: a rule never adds, removes or reorders a fault or an effect: only rows that are pure have rules (else a guest would
 *    miss a fault, or take one twice). 2: the result equals ir_eval's in the width of the type, and nowhere else is a
 *    value computed (else engines and folding drift apart). 3: rules look backwards only, and a value once emitted never
 *    changes (else a slot's remembered value lies). 4: a rule makes something cheaper or more constant, so that folding
 *    ends. 5: no rule prolongs the life of a register's replaced value (else engines must keep copies), but for fold_rotate,
 *    which saves more than a copy. */
#include "hv/ir/eval.h"
#include "hv/ir/fold.h"

typedef ir_ref fold_fn(struct ir_block *b, const struct fold_in *in);

static enum ir_type type_of(const struct ir_block *b, ir_ref r) { return (enum ir_type)b->insn[r].type; }
static const struct ir_insn *def(const struct ir_block *b, ir_ref r) { return &b->insn[r]; }
static unsigned width_of(const struct ir_block *b, ir_ref r) { return ir_type_bits(type_of(b, r)); }

static uint64_t ones(unsigned width) { return width >= 64 ? ~0ull : (1ull << width) - 1; }
static uint64_t constant_of(const struct ir_block *b, ir_ref r) { return b->insn[r].imm; }
static bool     is_constant(const struct ir_block *b, ir_ref r) { return r != IR_NONE && b->insn[r].op == IR_CONST; }
static bool     is_power(uint64_t k) { return k && !(k & (k - 1)); }
static ir_ref   count_const(struct ir_block *b, unsigned n) { return ir_const(b, IR_I8, n); }

/* A register read whose slot has been written since: see law 5. */
static bool is_replaced(const struct ir_block *b, ir_ref r)
{
    const struct ir_insn *i = def(b, r);
    return i->op == IR_GETR && b->slot_value[i->imm] != r;
}

/* No bit of value r at or above the one returned is set (within its type). */
static unsigned significant_bits(const struct ir_block *b, ir_ref r)
{
    const struct ir_insn *i = def(b, r);
    unsigned width = ir_type_bits((enum ir_type)i->type), bits = width;
    switch ((enum ir_op)i->op) {
    case IR_CONST:   return i->imm ? 64u - (unsigned)__builtin_clzll(i->imm) : 0;
    case IR_ZEXT:    bits = width_of(b, i->a); break;
    case IR_EXTRACT: bits = i->imm >> 8 & 0xff; break;
    case IR_LOAD:    bits = i->imm & MEM_SIGNED ? width : 8 * memop_bytes(i->imm); break;
    case IR_AND:     if (is_constant(b, i->b)) return significant_bits(b, i->b); break;
    case IR_SHR:     if (is_constant(b, i->b)) bits = width - ((unsigned)constant_of(b, i->b) & (width - 1)); break;
    case IR_CLZ: case IR_CTZ: case IR_POPCNT: bits = width < 7 ? width : 7; break;
    default: break;
    }
    return bits < width ? bits : width;
}

/* Value r is the sign extension of its low `bits` bits. */
static bool is_sign_extended(const struct ir_block *b, ir_ref r, unsigned bits)
{
    const struct ir_insn *i = def(b, r);
    if (i->op == IR_SEXT) return width_of(b, i->a) <= bits;
    if (i->op == IR_LOAD && (i->imm & MEM_SIGNED)) return 8 * memop_bytes(i->imm) <= bits;
    if (i->op == IR_SEXTRACT) return (i->imm >> 8 & 0xff) <= bits;
    return significant_bits(b, r) < bits;
}

/* ---- arithmetic and logic ---- */
/* (x op k1) op k2 = x op (k1 op k2) */
static ir_ref fold_constants(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *inner = def(b, in->a);
    if (!is_constant(b, inner->b) || is_replaced(b, inner->a)) return IR_NONE;
    uint64_t k = ir_eval(in->op, in->type, in->type, constant_of(b, inner->b), constant_of(b, in->b), 0, 0);
    ir_ref x = inner->a;
    return ir_bin(b, in->op, in->type, x, ir_const(b, in->type, k));
}
static ir_ref fold_sub_constant(struct ir_block *b, const struct fold_in *in)
{
    return ir_bin(b, IR_ADD, in->type, in->a, ir_const(b, in->type, 0 - constant_of(b, in->b)));
}
static ir_ref fold_negate(struct ir_block *b, const struct fold_in *in) { return ir_un(b, IR_NEG, in->type, in->b); }
static ir_ref fold_add_negated(struct ir_block *b, const struct fold_in *in)
{
    ir_ref x = def(b, in->b)->a;
    return is_replaced(b, x) ? IR_NONE : ir_bin(b, IR_SUB, in->type, in->a, x);
}
static ir_ref fold_mul_power(struct ir_block *b, const struct fold_in *in)
{
    uint64_t k = constant_of(b, in->b);
    if (!is_power(k) || in->type == IR_I1) return IR_NONE;
    return ir_bin(b, IR_SHL, in->type, in->a, count_const(b, (unsigned)__builtin_ctzll(k)));
}
static ir_ref fold_div_power(struct ir_block *b, const struct fold_in *in)
{
    uint64_t k = constant_of(b, in->b);
    if (!is_power(k) || in->type == IR_I1) return IR_NONE;
    return ir_bin(b, IR_SHR, in->type, in->a, count_const(b, (unsigned)__builtin_ctzll(k)));
}
static ir_ref fold_rem_power(struct ir_block *b, const struct fold_in *in)
{
    uint64_t k = constant_of(b, in->b);
    return is_power(k) ? ir_bin(b, IR_AND, in->type, in->a, ir_const(b, in->type, k - 1)) : IR_NONE;
}
static ir_ref fold_mask(struct ir_block *b, const struct fold_in *in)
{
    uint64_t below = ones(significant_bits(b, in->a));
    return (constant_of(b, in->b) & below) == below ? in->a : IR_NONE;
}
static ir_ref fold_inner(struct ir_block *b, const struct fold_in *in)      /* op(op(x)) = x */
{
    ir_ref x = def(b, in->a)->a;
    return type_of(b, x) == in->type ? x : IR_NONE;
}

/* Not c, for a truth value: the opposite comparison where one exists without a constant on its left. */
static ir_ref invert(struct ir_block *b, ir_ref c)
{
    const struct ir_insn *i = def(b, c);
    ir_ref x = i->a, y = i->b;
    uint64_t k;
    switch ((enum ir_op)i->op) {
    case IR_EQ:  return ir_bin(b, IR_NE, IR_I1, x, y);
    case IR_NE:  return ir_bin(b, IR_EQ, IR_I1, x, y);
    case IR_ULT: case IR_ULE: case IR_SLT: case IR_SLE: {
        static const uint8_t opposite[] = { [IR_ULT - IR_EQ] = IR_ULE, [IR_ULE - IR_EQ] = IR_ULT,
                                            [IR_SLT - IR_EQ] = IR_SLE, [IR_SLE - IR_EQ] = IR_SLT };
        if (is_constant(b, y)) break;
        return ir_bin(b, (enum ir_op)opposite[i->op - IR_EQ], IR_I1, y, x);
    }
    case IR_XOR: if (ir_is_const(b, y, &k) && k == 1) return x; break;
    default: break;
    }
    return IR_NONE;
}
static ir_ref fold_not_truth(struct ir_block *b, const struct fold_in *in)
{
    ir_ref r;
    if (in->type != IR_I1) return IR_NONE;
    r = invert(b, in->a);
    if (r != IR_NONE || in->op == IR_XOR) return r;
    return ir_append(b, IR_XOR, IR_I1, in->a, ir_const(b, IR_I1, 1), IR_NONE, 0);
}
static ir_ref fold_not(struct ir_block *b, const struct fold_in *in)        /* x ^ ones */
{
    return in->type == IR_I1 ? IR_NONE : ir_un(b, IR_NOT, in->type, in->a);
}
static ir_ref fold_xor_truth(struct ir_block *b, const struct fold_in *in)  /* zext(c) ^ 1 */
{
    ir_ref c = def(b, in->a)->a;
    if (type_of(b, c) != IR_I1) return IR_NONE;
    return ir_un(b, IR_ZEXT, in->type, ir_bin(b, IR_XOR, IR_I1, c, ir_const(b, IR_I1, 1)));
}

/* ---- shifts and fields ---- */
static enum ir_type int_of(unsigned bits)
{
    return bits == 8 ? IR_I8 : bits == 16 ? IR_I16 : bits == 32 ? IR_I32 : bits == 64 ? IR_I64 : IR_VOID;
}

/* The low `bits` of x, extended: by names that engines get for free where the width is a type's. */
static ir_ref low_part(struct ir_block *b, enum ir_type t, ir_ref x, unsigned bits, bool is_signed)
{
    enum ir_type part = int_of(bits);
    if (part != IR_VOID) return ir_un(b, is_signed ? IR_SEXT : IR_ZEXT, t, ir_un(b, IR_TRUNC, part, x));
    return is_signed ? IR_NONE : ir_bin(b, IR_AND, t, x, ir_const(b, t, ones(bits)));
}

static ir_ref fold_shift(struct ir_block *b, const struct fold_in *in)
{
    unsigned width = ir_type_bits(in->type), n = (unsigned)constant_of(b, in->b) & (width - 1);
    const struct ir_insn *inner = def(b, in->a);
    if (!n) return in->a;
    bool by_constant = (inner->op == IR_SHL || inner->op == IR_SHR || inner->op == IR_SAR || inner->op == IR_ROR) && is_constant(b, inner->b);
    if (!by_constant || is_replaced(b, inner->a)) return IR_NONE;
    unsigned m = (unsigned)constant_of(b, inner->b) & (width - 1), sum = n + m;
    ir_ref x = inner->a;
    if (in->op == inner->op) {
        if (in->op == IR_ROR) sum &= width - 1;
        else if (sum >= width && in->op != IR_SAR) return ir_const(b, in->type, 0);
        else if (sum >= width) sum = width - 1;
        return ir_bin(b, in->op, in->type, x, count_const(b, sum));
    }
    bool is_left_right = inner->op == IR_SHL && (in->op == IR_SHR || in->op == IR_SAR);
    if (!is_left_right || n != m || int_of(width - n) == IR_VOID) return IR_NONE;
    return low_part(b, in->type, x, width - n, in->op == IR_SAR);
}

static bool is_same_value(const struct ir_block *b, ir_ref p, ir_ref q)
{
    return p == q || (def(b, p)->op == IR_TRUNC && def(b, q)->op == IR_TRUNC && type_of(b, p) == type_of(b, q) && def(b, p)->a == def(b, q)->a);
}

/* x << k, x >> (width - k): the rotation that both make together */
static ir_ref rotation(struct ir_block *b, ir_ref left, ir_ref right)
{
    const struct ir_insn *l = def(b, left), *r = def(b, right);
    if (l->op != IR_SHL || r->op != IR_SHR || l->type != r->type || !is_constant(b, l->b) || !is_constant(b, r->b)) return IR_NONE;
    enum ir_type t = (enum ir_type)l->type;
    unsigned width = ir_type_bits(t), mask = width - 1, k = (unsigned)constant_of(b, l->b) & mask, m = (unsigned)constant_of(b, r->b) & mask;
    if (k + m != width || !is_same_value(b, l->a, r->a)) return IR_NONE;
    ir_ref x = l->a;
    return ir_bin(b, IR_ROR, t, x, count_const(b, m));
}

/* Both halves may stand under the same extension: so do 32-bit operations of 64-bit guests. */
static ir_ref fold_rotate(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *x = def(b, in->a), *y = def(b, in->b);
    enum ir_op extend = (enum ir_op)x->op;
    bool is_extended = (extend == IR_SEXT || extend == IR_ZEXT) && y->op == extend && type_of(b, x->a) == type_of(b, y->a);
    ir_ref p = is_extended ? x->a : in->a, q = is_extended ? y->a : in->b, r = rotation(b, p, q);
    if (r == IR_NONE) r = rotation(b, q, p);
    return r != IR_NONE && is_extended ? ir_un(b, extend, in->type, r) : r;
}

static ir_ref fold_field(struct ir_block *b, const struct fold_in *in)
{
    unsigned width = ir_type_bits(in->type), lsb = in->imm & 0xff, length = in->imm >> 8 & 0xff;
    bool is_signed = in->op == IR_SEXTRACT;
    if (length == width) return in->a;
    if (!lsb) return low_part(b, in->type, in->a, length, is_signed);
    if (lsb + length == width) return ir_bin(b, is_signed ? IR_SAR : IR_SHR, in->type, in->a, count_const(b, lsb));
    return IR_NONE;
}

static ir_ref fold_deposit(struct ir_block *b, const struct fold_in *in)
{
    unsigned lsb = in->imm & 0xff, length = in->imm >> 8 & 0xff;
    uint64_t field = ones(length) << lsb;
    if (length == ir_type_bits(in->type)) return in->b;
    if (is_constant(b, in->b)) {
        uint64_t k = constant_of(b, in->b) << lsb & field;
        if (!k)         return ir_bin(b, IR_AND, in->type, in->a, ir_const(b, in->type, ~field));
        if (k == field) return ir_bin(b, IR_OR, in->type, in->a, ir_const(b, in->type, field));
    }
    if (!lsb && is_constant(b, in->a) && !constant_of(b, in->a)) return low_part(b, in->type, in->b, length, false);
    return IR_NONE;
}

/* ---- carries: without a carry in they are plainer rows ---- */
static ir_ref fold_adc(struct ir_block *b, const struct fold_in *in)    { return ir_bin(b, IR_ADD, in->type, in->a, in->b); }
static ir_ref fold_sbb(struct ir_block *b, const struct fold_in *in)    { return ir_bin(b, IR_SUB, in->type, in->a, in->b); }
static ir_ref fold_borrow(struct ir_block *b, const struct fold_in *in) { return ir_bin(b, IR_ULT, IR_I1, in->a, in->b); }
static ir_ref fold_borrow_1(struct ir_block *b, const struct fold_in *in) { return ir_bin(b, IR_ULE, IR_I1, in->a, in->b); }

/* ---- comparison ---- */
static ir_ref zero_like(struct ir_block *b, ir_ref r) { return ir_const(b, type_of(b, r), 0); }
static ir_ref fold_is_zero(struct ir_block *b, const struct fold_in *in)   /* x < 1, x <= 0 unsigned */
{
    return ir_bin(b, IR_EQ, IR_I1, in->a, zero_like(b, in->a));
}
static ir_ref fold_not_zero(struct ir_block *b, const struct fold_in *in)  /* 0 < x unsigned */
{
    return ir_bin(b, IR_NE, IR_I1, in->b, zero_like(b, in->b));
}
/* x ==, != 0 where x is a truth value made wider, a difference, or such a truth value itself */
static ir_ref fold_against_zero(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *x = def(b, in->a);
    bool want_zero = in->op == IR_EQ;
    ir_ref c = x->type == IR_I1 ? in->a : x->op == IR_ZEXT && type_of(b, x->a) == IR_I1 ? x->a : IR_NONE;
    if (c != IR_NONE) return want_zero ? ir_bin(b, IR_XOR, IR_I1, c, ir_const(b, IR_I1, 1)) : c;
    if (x->op != IR_SUB && x->op != IR_XOR) return IR_NONE;
    ir_ref p = x->a, q = x->b;
    return is_replaced(b, p) || is_replaced(b, q) ? IR_NONE : ir_bin(b, in->op, IR_I1, p, q);
}

static ir_ref fold_select(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *c = def(b, in->a);
    if (in->b == in->c) return in->b;
    if (is_constant(b, in->a)) return constant_of(b, in->a) & 1 ? in->b : in->c;
    if (is_constant(b, in->b) && is_constant(b, in->c)) {
        uint64_t y = constant_of(b, in->b), n = constant_of(b, in->c);
        if (y == n) return in->b;
        bool is_truth = (y | n) == 1 && in->type != IR_F32 && in->type != IR_F64;    /* they differ: one is 0, one 1 */
        if (is_truth) {
            ir_ref truth = y ? in->a : ir_bin(b, IR_XOR, IR_I1, in->a, ir_const(b, IR_I1, 1));
            return ir_un(b, IR_ZEXT, in->type, truth);
        }
    }
    if (c->op == IR_XOR && is_constant(b, c->b) && constant_of(b, c->b) == 1) return ir_sel(b, in->type, c->a, in->c, in->b);
    return IR_NONE;
}

/* ---- width ---- */
static ir_ref fold_trunc(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *x = def(b, in->a);
    unsigned to = ir_type_bits(in->type);
    if (x->type == in->type) return in->a;
    if (x->op == IR_TRUNC && to <= ir_type_bits((enum ir_type)x->type)) return ir_un(b, IR_TRUNC, in->type, x->a);
    if (x->op == IR_ZEXT || x->op == IR_SEXT) {
        enum ir_op extend = (enum ir_op)x->op;
        ir_ref inner = x->a;
        if (to <= width_of(b, inner)) return ir_un(b, IR_TRUNC, in->type, inner);
        if (in->type < IR_F32 && to < ir_type_bits((enum ir_type)x->type)) return ir_un(b, extend, in->type, inner);
    }
    if (x->op == IR_AND && is_constant(b, x->b) && (constant_of(b, x->b) & ones(to)) == ones(to) && !is_replaced(b, x->a)) {
        return ir_un(b, IR_TRUNC, in->type, x->a);
    }
    return IR_NONE;
}
static ir_ref fold_extend(struct ir_block *b, const struct fold_in *in)
{
    const struct ir_insn *x = def(b, in->a);
    unsigned from = ir_type_bits((enum ir_type)x->type);
    bool is_signed = in->op == IR_SEXT;
    if (x->type == in->type) return in->a;
    if (x->op == IR_ZEXT && width_of(b, x->a) < from) return ir_un(b, IR_ZEXT, in->type, x->a);
    if (x->op == IR_SEXT && is_signed) return ir_un(b, IR_SEXT, in->type, x->a);
    if (x->op == IR_TRUNC && type_of(b, x->a) == in->type) {
        bool holds = is_signed ? is_sign_extended(b, x->a, from) : significant_bits(b, x->a) <= from;
        if (holds) return x->a;
    }
    return IR_NONE;
}

/* ---- pairs ---- */
static ir_ref fold_low(struct ir_block *b, const struct fold_in *in)  { return def(b, in->a)->a; }
static ir_ref fold_high(struct ir_block *b, const struct fold_in *in) { return def(b, in->a)->b; }
static ir_ref fold_pair(struct ir_block *b, const struct fold_in *in)
{
    ir_ref whole = def(b, in->a)->a;
    return def(b, in->b)->a == whole && type_of(b, whole) == in->type ? whole : IR_NONE;
}

/* What an operand must be. An op's name: the operand was made by that op. */
enum { P_ANY = IR_OP_COUNT, P_K, P_ZERO, P_ONE, P_ONES, P_MIN, P_MAX, P_SAME };      /* SAME: as operand a */

/* What the instruction becomes; TO_CALL: what the rule's function yields, if anything. */
enum { TO_A, TO_ZERO, TO_ONE, TO_ONES, TO_CALL };

/* Sorted by op; within one, the first rule that fits and yields wins. */
#define FOLD_RULES(_)                                             \
/*    op        a            b            c        becomes    */  \
    _(ADD,      P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(ADD,      IR_ADD,      P_K,         P_ANY,   TO_CALL, fold_constants)       \
    _(ADD,      P_ANY,       IR_NEG,      P_ANY,   TO_CALL, fold_add_negated)     \
    _(ADD,      P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_rotate)          \
    _(SUB,      P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(SUB,      P_ANY,       P_SAME,      P_ANY,   TO_ZERO, 0)    \
    _(SUB,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_sub_constant)    \
    _(SUB,      P_ZERO,      P_ANY,       P_ANY,   TO_CALL, fold_negate)          \
    _(MUL,      P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(MUL,      P_ANY,       P_ONE,       P_ANY,   TO_A, 0)       \
    _(MUL,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_mul_power)       \
    _(MULHU,    P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(MULHU,    P_ANY,       P_ONE,       P_ANY,   TO_ZERO, 0)    \
    _(MULHS,    P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(MULHSU,   P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(MULHSU,   P_ZERO,      P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(DIVU,     P_ANY,       P_ONE,       P_ANY,   TO_A, 0)       \
    _(DIVU,     P_ANY,       P_ZERO,      P_ANY,   TO_ONES, 0)    \
    _(DIVU,     P_ANY,       P_K,         P_ANY,   TO_CALL, fold_div_power)       \
    _(DIVS,     P_ANY,       P_ZERO,      P_ANY,   TO_ONES, 0)    \
    _(REMU,     P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(REMU,     P_ANY,       P_K,         P_ANY,   TO_CALL, fold_rem_power)       \
    _(REMS,     P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(AND,      P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(AND,      P_ANY,       P_ONES,      P_ANY,   TO_A, 0)       \
    _(AND,      P_ANY,       P_SAME,      P_ANY,   TO_A, 0)       \
    _(AND,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_mask)            \
    _(AND,      IR_AND,      P_K,         P_ANY,   TO_CALL, fold_constants)       \
    _(OR,       P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(OR,       P_ANY,       P_ONES,      P_ANY,   TO_ONES, 0)    \
    _(OR,       P_ANY,       P_SAME,      P_ANY,   TO_A, 0)       \
    _(OR,       IR_OR,       P_K,         P_ANY,   TO_CALL, fold_constants)       \
    _(OR,       P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_rotate)          \
    _(XOR,      P_ANY,       P_ZERO,      P_ANY,   TO_A, 0)       \
    _(XOR,      P_ANY,       P_SAME,      P_ANY,   TO_ZERO, 0)    \
    _(XOR,      P_ANY,       P_ONES,      P_ANY,   TO_CALL, fold_not)             \
    _(XOR,      P_ANY,       P_ONES,      P_ANY,   TO_CALL, fold_not_truth)       \
    _(XOR,      IR_ZEXT,     P_ONE,       P_ANY,   TO_CALL, fold_xor_truth)       \
    _(XOR,      IR_XOR,      P_K,         P_ANY,   TO_CALL, fold_constants)       \
    _(XOR,      P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_rotate)          \
    _(NOT,      IR_NOT,      P_ANY,       P_ANY,   TO_CALL, fold_inner)           \
    _(NOT,      P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_not_truth)       \
    _(NEG,      IR_NEG,      P_ANY,       P_ANY,   TO_CALL, fold_inner)           \
    _(SHL,      P_ZERO,      P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(SHL,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_shift)           \
    _(SHR,      P_ZERO,      P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(SHR,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_shift)           \
    _(SAR,      P_ZERO,      P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(SAR,      P_ONES,      P_ANY,       P_ANY,   TO_ONES, 0)    \
    _(SAR,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_shift)           \
    _(ROR,      P_ZERO,      P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(ROR,      P_ONES,      P_ANY,       P_ANY,   TO_ONES, 0)    \
    _(ROR,      P_ANY,       P_K,         P_ANY,   TO_CALL, fold_shift)           \
    _(BSWAP,    IR_BSWAP,    P_ANY,       P_ANY,   TO_CALL, fold_inner)           \
    _(EXTRACT,  P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_field)           \
    _(SEXTRACT, P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_field)           \
    _(DEPOSIT,  P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_deposit)         \
    _(ADC,      P_ANY,       P_ANY,       P_ZERO,  TO_CALL, fold_adc)             \
    _(SBB,      P_ANY,       P_ANY,       P_ZERO,  TO_CALL, fold_sbb)             \
    _(CARRY,    P_ANY,       P_ZERO,      P_ZERO,  TO_ZERO, 0)    \
    _(CARRY,    P_ZERO,      P_ANY,       P_ZERO,  TO_ZERO, 0)    \
    _(BORROW,   P_ANY,       P_ANY,       P_ZERO,  TO_CALL, fold_borrow)          \
    _(BORROW,   P_ANY,       P_ANY,       P_ONE,   TO_CALL, fold_borrow_1)        \
    _(ADDOV,    P_ANY,       P_ZERO,      P_ZERO,  TO_ZERO, 0)    \
    _(ADDOV,    P_ZERO,      P_ANY,       P_ZERO,  TO_ZERO, 0)    \
    _(SUBOV,    P_ANY,       P_ZERO,      P_ZERO,  TO_ZERO, 0)    \
    _(SUBOV,    P_ANY,       P_SAME,      P_ZERO,  TO_ZERO, 0)    \
    _(EQ,       P_ANY,       P_SAME,      P_ANY,   TO_ONE, 0)     \
    _(EQ,       P_ANY,       P_ZERO,      P_ANY,   TO_CALL, fold_against_zero)    \
    _(NE,       P_ANY,       P_SAME,      P_ANY,   TO_ZERO, 0)    \
    _(NE,       P_ANY,       P_ZERO,      P_ANY,   TO_CALL, fold_against_zero)    \
    _(ULT,      P_ANY,       P_SAME,      P_ANY,   TO_ZERO, 0)    \
    _(ULT,      P_ANY,       P_ZERO,      P_ANY,   TO_ZERO, 0)    \
    _(ULT,      P_ANY,       P_ONE,       P_ANY,   TO_CALL, fold_is_zero)         \
    _(ULT,      P_ZERO,      P_ANY,       P_ANY,   TO_CALL, fold_not_zero)        \
    _(ULE,      P_ANY,       P_SAME,      P_ANY,   TO_ONE, 0)     \
    _(ULE,      P_ANY,       P_ONES,      P_ANY,   TO_ONE, 0)     \
    _(ULE,      P_ZERO,      P_ANY,       P_ANY,   TO_ONE, 0)     \
    _(ULE,      P_ANY,       P_ZERO,      P_ANY,   TO_CALL, fold_is_zero)         \
    _(SLT,      P_ANY,       P_SAME,      P_ANY,   TO_ZERO, 0)    \
    _(SLT,      P_ANY,       P_MIN,       P_ANY,   TO_ZERO, 0)    \
    _(SLT,      P_MAX,       P_ANY,       P_ANY,   TO_ZERO, 0)    \
    _(SLE,      P_ANY,       P_SAME,      P_ANY,   TO_ONE, 0)     \
    _(SLE,      P_ANY,       P_MAX,       P_ANY,   TO_ONE, 0)     \
    _(SLE,      P_MIN,       P_ANY,       P_ANY,   TO_ONE, 0)     \
    _(SEL,      P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_select)          \
    _(TRUNC,    P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_trunc)           \
    _(ZEXT,     P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_extend)          \
    _(SEXT,     P_ANY,       P_ANY,       P_ANY,   TO_CALL, fold_extend)          \
    _(PAIR,     IR_LOW,      IR_HIGH,     P_ANY,   TO_CALL, fold_pair)            \
    _(LOW,      IR_PAIR,     P_ANY,       P_ANY,   TO_CALL, fold_low)             \
    _(HIGH,     IR_PAIR,     P_ANY,       P_ANY,   TO_CALL, fold_high)            \
    _(FNEG,     IR_FNEG,     P_ANY,       P_ANY,   TO_CALL, fold_inner)           \
    _(UNBOX,    IR_BOX,      P_ANY,       P_ANY,   TO_CALL, fold_inner)

static const struct fold_rule { uint8_t op, a, b, c, to; fold_fn *make; } rules[] = {
#define X(op, a, b, c, to, make) { IR_##op, a, b, c, to, make },
    FOLD_RULES(X)
#undef X
};

static bool fits(const struct ir_block *b, unsigned want, ir_ref r, ir_ref first)
{
    if (want == P_ANY) return true;
    if (r == IR_NONE) return false;
    const struct ir_insn *i = def(b, r);
    if (want == P_SAME) return r == first;
    if (want < IR_OP_COUNT) return i->op == want;
    if (i->op != IR_CONST) return false;
    unsigned width = ir_type_bits((enum ir_type)i->type);
    switch (want) {
    case P_ZERO: return i->imm == 0;
    case P_ONE:  return i->imm == 1;
    case P_ONES: return i->imm == ones(width);
    case P_MIN:  return i->imm == 1ull << (width - 1);
    case P_MAX:  return i->imm == ones(width) >> 1;
    default:     return true;
    }
}

static unsigned first_rule_of(enum ir_op op)
{
    unsigned low = 0, high = ARRAY_COUNT(rules);
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (rules[middle].op < op) low = middle + 1;
        else high = middle;
    }
    return low;
}

bool ir_fold_rules_are_sorted(void)
{
    for (unsigned n = 1; n < ARRAY_COUNT(rules); n++) {
        if (rules[n - 1].op > rules[n].op) return false;
    }
    return true;
}

static bool is_wide(const struct ir_block *b, ir_ref r) { return r != IR_NONE && width_of(b, r) > 64; }
static bool is_known(const struct ir_block *b, ir_ref r) { return r == IR_NONE || is_constant(b, r); }

ir_ref ir_fold(struct ir_block *b, const struct fold_in *in)
{
    bool moves_halves = in->op == IR_LOW || in->op == IR_HIGH || in->op == IR_PAIR;
    if (!moves_halves) {
        if (!ir_is_pure(in->op) || ir_type_bits(in->type) > 64 || is_wide(b, in->a)) return IR_NONE;
        if (is_known(b, in->a) && is_known(b, in->b) && is_known(b, in->c)) {
            uint64_t k[3] = { 0 };
            if (in->a != IR_NONE) k[0] = constant_of(b, in->a);
            if (in->b != IR_NONE) k[1] = constant_of(b, in->b);
            if (in->c != IR_NONE) k[2] = constant_of(b, in->c);
            return ir_const(b, in->type, ir_eval(in->op, in->type, type_of(b, in->a), k[0], k[1], k[2], in->imm));
        }
    }
    for (unsigned n = first_rule_of(in->op); n < ARRAY_COUNT(rules) && rules[n].op == in->op; n++) {
        const struct fold_rule *r = &rules[n];
        if (!fits(b, r->a, in->a, in->a) || !fits(b, r->b, in->b, in->a) || !fits(b, r->c, in->c, in->a)) continue;
        ir_ref made = IR_NONE;
        switch (r->to) {
        case TO_A:    return in->a;
        case TO_ZERO: return ir_const(b, in->type, 0);
        case TO_ONE:  return ir_const(b, in->type, 1);
        case TO_ONES: return ir_const(b, in->type, ~0ull);
        default:      made = r->make(b, in); break;
        }
        if (made != IR_NONE) return made;
    }
    return IR_NONE;
}
