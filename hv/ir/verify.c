// SPDX-License-Identifier: Apache-2.0
/* Checks a block against the laws of ir.h, open or sealed. The rows' own words are the table; what an immediate may hold
 * is one function a kind. The block belongs to the thread that lifts. */
#include "hv/ir/ir.h"

/* Kinds of results and operands, in the table's words. */
enum kind { K_NONE, K_ANY, K_SAME, K_LIKE, K_INT, K_BITS, K_FLT, K_WIDE, K_TYPE };
#define ___     K_NONE, IR_VOID
#define ANY     K_ANY,  IR_VOID
#define SAME    K_SAME, IR_VOID
#define LIKE    K_LIKE, IR_VOID
#define INT     K_INT,  IR_VOID
#define BITS    K_BITS, IR_VOID
#define FLT     K_FLT,  IR_VOID
#define WIDE    K_WIDE, IR_VOID
#define VOID    K_TYPE, IR_VOID
#define I1      K_TYPE, IR_I1
#define I8      K_TYPE, IR_I8
#define I64     K_TYPE, IR_I64
#define F32     K_TYPE, IR_F32
/* What immediates hold. */
enum { IMM_NONE, IMM_VALUE, IMM_SLOT, IMM_PC, IMM_FIELD, IMM_MEMOP, IMM_FENCE, IMM_ROUND, IMM_QUIET, IMM_HELPER };
struct want { uint8_t kind, type; };
static const struct { struct want result, operand[3]; uint8_t imm; } rows[IR_OP_COUNT] = {
#define X(name, r, a, b, c, imm, flags) [IR_##name] = { { r }, { { a }, { b }, { c } }, IMM_##imm },
    IR_OPS(X)
#undef X
};
#undef INT
#undef BITS
#undef FLT

static bool is_wide(enum ir_type t) { return ir_type_bits(t) > 64; }
static bool is_int(enum ir_type t)  { return t >= IR_I1 && t <= IR_I128; }
static bool is_flt(enum ir_type t)  { return t == IR_F32 || t == IR_F64; }

static bool is_of_kind(const struct want *w, enum ir_type t)
{
    switch ((enum kind)w->kind) {
    case K_INT:  return is_int(t);
    case K_BITS: return is_int(t) || t == IR_V128;
    case K_FLT:  return is_flt(t);
    case K_WIDE: return is_wide(t);
    case K_TYPE: return t == w->type;
    case K_NONE: case K_ANY: case K_SAME: case K_LIKE: return true;
    }
    return false;
}

/* The type of the value that an access moves: the result's, or the operand's that is stored. */
static enum ir_type moved(const struct ir_block *b, const struct ir_insn *i)
{
    return i->op == IR_STORE || i->op == IR_SC ? (enum ir_type)b->insn[i->b].type : (enum ir_type)i->type;
}

static const char *wrong_memop(const struct ir_block *b, const struct ir_insn *i)
{
    const uint64_t known = MEM_SIZE | MEM_SIGNED | MEM_BIG_ENDIAN | MEM_ALIGNED | MEM_ACQUIRE | MEM_RELEASE | 15u << MEM_AMO_SHIFT;
    enum ir_type t = moved(b, i);
    unsigned bits = 8 * memop_bytes(i->imm);
    if (i->imm & ~known || (i->imm & MEM_SIZE) > MEM_128) return "no such memory access";
    if (i->op == IR_AMO ? memop_amo(i->imm) > AMO_MAXU || bits > 64 : i->imm >> MEM_AMO_SHIFT) return "no such read-modify-write";
    if (bits > ir_type_bits(t) || ((is_flt(t) || is_wide(t)) && bits != ir_type_bits(t))) return "an access is wider than its value";
    if (i->op == IR_AMO && ir_type_bits((enum ir_type)b->insn[i->b].type) < bits) return "an access is wider than its value";
    return NULL;
}

static const char *wrong_immediate(const struct ir_block *b, const struct ir_insn *i)
{
    enum ir_type t = (enum ir_type)i->type;
    unsigned width = ir_type_bits(t), lsb = i->imm & 0xff, length = i->imm >> 8 & 0xff;
    switch (rows[i->op].imm) {
    case IMM_NONE:   return i->imm ? "an immediate where there is none" : NULL;
    case IMM_VALUE:  return width < 64 && i->imm >> width ? "a constant is wider than its type" : NULL;
    case IMM_SLOT: {
        bool wide = is_wide(i->op == IR_SETR ? (enum ir_type)b->insn[i->a].type : t);
        return i->imm + wide >= 256 ? "no such slot" : NULL;
    }
    case IMM_FIELD:  return i->imm >> 16 || !length || lsb + length > width ? "a field is not within its value" : NULL;
    case IMM_MEMOP:  return wrong_memop(b, i);
    case IMM_FENCE:  return i->imm & ~(uint64_t)FENCE_FULL ? "no such fence" : NULL;
    case IMM_QUIET:  return i->imm > FP_QUIET ? "no such comparison" : NULL;
    case IMM_ROUND: {
        uint64_t round = i->op == IR_FRINT ? i->imm & ~(uint64_t)FP_SILENT : i->imm;
        return round > FP_RMM && round != FP_ROUND_DYNAMIC ? "no such rounding mode" : NULL;
    }
    case IMM_HELPER: {
        const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)i->imm;
        if (!h) return "no helper";
        return (h->flags & HELPER_PURE) && (h->flags & HELPER_MAY_FAULT) ? "a pure helper cannot fault" : NULL;
    }
    default: return NULL;
    }
}

static const char *wrong_insn(const struct ir_block *b, unsigned n)
{
    const struct ir_insn *i = &b->insn[n];
    const struct want *r = &rows[i->op].result;
    enum ir_type t = (enum ir_type)i->type;
    if (r->kind == K_TYPE ? r->type != t : !is_of_kind(r, t)) return "the result has the wrong type";
    if (t == IR_VOID && r->kind != K_TYPE && i->op != IR_CALL) return "the result has no type";
    const ir_ref refs[] = { i->a, i->b, i->c };
    for (unsigned k = 0; k < 3; k++) {
        const struct want *w = &rows[i->op].operand[k];
        if (refs[k] == IR_NONE) {
            if (w->kind != K_NONE && i->op != IR_CALL) return "an operand is missing";
            continue;
        }
        if (w->kind == K_NONE) return "one operand too many";
        if (refs[k] >= n) return "used before it is defined";
        enum ir_type o = (enum ir_type)b->insn[refs[k]].type;
        if (o == IR_VOID) return "an operand has no value";
        if (w->kind == K_SAME && o != t) return "an operand's type is not the result's";
        if (w->kind == K_LIKE && o != b->insn[i->a].type) return "an operand's type is not the first one's";
        if (!is_of_kind(w, o)) return "an operand has the wrong type";
        if (is_wide(o) && !(ir_op_flags[i->op] & IRF_W)) return "128 bits where there is no row for it";
    }
    if (is_wide(t) && !(ir_op_flags[i->op] & IRF_W)) return "128 bits where there is no row for it";
    if (i->op == IR_TRUNC && ir_type_bits(t) > ir_type_bits((enum ir_type)b->insn[i->a].type)) return "a truncation widens";
    if ((i->op == IR_ZEXT || i->op == IR_SEXT) && ir_type_bits(t) < ir_type_bits((enum ir_type)b->insn[i->a].type)) return "an extension narrows";
    return wrong_immediate(b, i);
}

static const char *wrong_end(const struct ir_block *b)
{
    enum ir_type want = b->end.kind == IR_END_BRANCH ? IR_I1
                      : b->end.kind == IR_END_INDIRECT || b->end.kind == IR_END_LEAVE_INDIRECT ? IR_I64 : IR_VOID;
    if (want == IR_VOID) return b->end.value != IR_NONE ? "an end that uses no value has one" : NULL;
    if (b->end.value >= b->count) return "the end's value is missing";
    return b->insn[b->end.value].type != want ? "the end's value has the wrong type" : NULL;
}

const char *ir_verify(const struct ir_block *b)
{
    bool has_started = false;
    if (b->end.kind == IR_END_NONE) return "the block is open";
    for (unsigned n = 0; n < b->count; n++) {
        const struct ir_insn *i = &b->insn[n];
        if (i->op >= IR_OP_COUNT || i->type >= IR_TYPE_COUNT) return "no such op or type";
        if (i->op == IR_CONST && i->type == IR_VOID) continue;                  /* deleted by ir_seal */
        if (i->op == IR_INSN) {
            has_started = true;
            if (i->c < 1 || i->c > 16 || i->a != IR_NONE || i->b != IR_NONE) return "an instruction has no length";
            continue;
        }
        if (!has_started && (ir_op_flags[i->op] & IRF_F)) return "a fault before the first instruction";
        const char *wrong = wrong_insn(b, n);
        if (wrong) return wrong;
    }
    return wrong_end(b);
}
