// SPDX-License-Identifier: Apache-2.0
/* Sealed IR -> bytecode, in two passes. Plan: which values are only other names (TRUNC, and extensions that already
 * hold), which are folded into their user (address + constant, comparison before a branch), how long each lives, and
 * which may be computed straight into the guest slot that receives them. Emit: one walk, temporaries by last use; a value
 * stays at home in the guest slot that holds it, and moves out only when the slot is written while it is still wanted.
 * The plan's memory is the vCPU's. */
#include "hv/base/string.h"
#include "hv/interp/bytecode.h"
#include "hv/ir/eval.h"

#define NO_SLOT 0xff
#define AT_END  0xffff
#define NOBODY  IR_NONE
#define IGNORED_SLOT (ZERO_SLOT - 1)                /* results that nobody reads; never a temporary */

struct lower {
    struct interp         *in;
    const struct ir_block *ir;
    uint32_t  block, at;                           /* next operation */
    bool      is_full;
    unsigned  insns, accesses;                     /* before the current guest instruction, and counted so far */
    uint64_t  pc;
    uint64_t  free_temps;                          /* bit i: slot TEMP_FIRST + i */
    uint16_t  root[IR_BLOCK_INSNS];                /* the value whose slot this one shares */
    uint16_t  last[IR_BLOCK_INSNS];                /* index of the last use of a root, AT_END: the block's end */
    uint8_t   slot[IR_BLOCK_INSNS];                /* where a root lies, NO_SLOT: nowhere (yet) */
    uint8_t   target[IR_BLOCK_INSNS];              /* guest slot to compute into, NO_SLOT */
    bool      folded[IR_BLOCK_INSNS];              /* part of its user: not emitted */
    uint8_t   copy[IR_BLOCK_INSNS];                /* another guest slot that holds the root's value, NO_SLOT */
    uint16_t  neighbour[IR_BLOCK_INSNS];           /* next root at home in the same slot */
    uint16_t  tenant[VCPU_SLOTS];                  /* first root at home in this guest slot, NOBODY */
    uint16_t  copied[VCPU_SLOTS];                  /* the root whose copy lies here, NOBODY */
};

static bool is_dead(const struct ir_insn *i) { return i->op == IR_CONST && i->type == IR_VOID; }
static enum ir_type type_of(const struct lower *l, ir_ref r) { return (enum ir_type)l->ir->insn[r].type; }
static bool is_wide(enum ir_type t) { return ir_type_bits(t) > 64; }

static bool small_const(const struct lower *l, ir_ref r, int32_t *out)
{
    uint64_t v;
    if (r == IR_NONE || !ir_is_const(l->ir, r, &v)) return false;
    if (type_of(l, r) == IR_I32) v = (uint64_t)(int64_t)(int32_t)v;
    if ((int64_t)v != (int32_t)v) return false;
    *out = (int32_t)v;
    return true;
}

/* Law 1 of bytecode.h: does this 32-bit value lie sign-extended in its slot? */
static bool is_sign_extended(const struct ir_insn *i)
{
    switch ((enum ir_op)i->op) {
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
    case IR_DIVU: case IR_DIVS: case IR_REMU: case IR_REMS:
        return true;
    case IR_LOAD:
        return (i->imm & (MEM_SIZE | MEM_SIGNED)) == (MEM_32 | MEM_SIGNED);
    default:
        return false;
    }
}

static bool is_other_name(const struct lower *l, const struct ir_insn *i)
{
    if (i->op == IR_TRUNC) return !is_wide(type_of(l, i->a)) && i->type != IR_I1;
    if (i->op == IR_ZEXT) return type_of(l, i->a) == IR_I1 && !is_wide((enum ir_type)i->type);
    if (i->op == IR_SEXT) return type_of(l, i->a) == IR_I32 && i->type == IR_I64 && is_sign_extended(&l->ir->insn[i->a]);
    return false;
}

static bool is_address(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    int32_t k;
    return i->op == IR_ADD && i->type == IR_I64 && l->ir->uses[r] == 1 && small_const(l, i->b, &k);
}

static bool is_plain_access(const struct ir_insn *i)
{
    return (i->op == IR_LOAD || i->op == IR_STORE) && !(i->imm & ~(uint64_t)(MEM_SIZE | MEM_SIGNED)) && (i->imm & MEM_SIZE) <= MEM_64;
}

static bool is_branch_condition(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    if (l->ir->uses[r] != 1 || i->op < IR_EQ || i->op > IR_SLE) return false;
    return type_of(l, i->a) == IR_I64;
}

static void use(struct lower *l, ir_ref r, uint16_t at)
{
    if (r != IR_NONE) l->last[l->root[r]] = at;
}

static void plan_uses(struct lower *l)
{
    const struct ir_block *b = l->ir;
    for (unsigned n = 0; n < b->count; n++) {
        const struct ir_insn *i = &b->insn[n];
        l->root[n] = (uint16_t)n;
        l->last[n] = (uint16_t)n;
        l->slot[n] = l->target[n] = l->copy[n] = NO_SLOT;
        l->folded[n] = false;
        if (is_dead(i) || i->op == IR_INSN) continue;
        if (is_other_name(l, i)) {
            l->root[n] = l->root[i->a];
            l->folded[n] = true;
            continue;
        }
        if (is_plain_access(i) && is_address(l, i->a)) {
            l->folded[i->a] = true;
            use(l, b->insn[i->a].a, (uint16_t)n);
        } else {
            use(l, i->a, (uint16_t)n);
        }
        use(l, i->b, (uint16_t)n);
        use(l, i->c, (uint16_t)n);
    }
    if (b->end.value == IR_NONE) return;
    if (b->end.kind == IR_END_BRANCH && is_branch_condition(l, b->end.value)) {
        const struct ir_insn *c = &b->insn[b->end.value];
        l->folded[b->end.value] = true;
        use(l, c->a, AT_END);
        use(l, c->b, AT_END);
    } else {
        use(l, b->end.value, AT_END);
    }
}

static bool may_leave(const struct ir_insn *i)
{
    return i->op == IR_CALL || (i->op >= IR_LOAD && i->op <= IR_CAS);
}

static bool sets_slot(const struct lower *l, const struct ir_insn *i, uint64_t slot)
{
    return i->op == IR_SETR && (i->imm == slot || (is_wide(type_of(l, i->a)) && i->imm + 1 == slot));
}
static bool gets_slot(const struct ir_insn *i, uint64_t slot)
{
    return i->op == IR_GETR && (i->imm == slot || (is_wide((enum ir_type)i->type) && i->imm + 1 == slot));
}

/* Which guest slot each computed value may be computed into: see law 2. */
static void plan_targets(struct lower *l)
{
    const struct ir_block *b = l->ir;
    for (unsigned s = 0; s < b->count; s++) {
        const struct ir_insn *set = &b->insn[s];
        if (set->op != IR_SETR || set->imm >= TEMP_FIRST) continue;
        unsigned d = l->root[set->a];
        const struct ir_insn *def = &b->insn[d];
        if (ir_type_bits(type_of(l, set->a)) != 64 || is_wide((enum ir_type)def->type) || def->op == IR_CONST || def->op == IR_GETR) continue;
        if (l->target[d] != NO_SLOT || l->folded[d]) continue;
        if (set->a != d && l->ir->uses[d] != 1 && type_of(l, (ir_ref)d) != IR_I64 && b->insn[set->a].op == IR_TRUNC) continue;
        bool clear = true;
        for (unsigned j = d + 1; j < s && clear; j++) {
            const struct ir_insn *i = &b->insn[j];
            clear = !may_leave(i) && !gets_slot(i, set->imm) && !sets_slot(l, i, set->imm);
        }
        if (clear) l->target[d] = (uint8_t)set->imm;
    }
}

static struct op *put(struct lower *l, enum opcode o)
{
    struct interp *in = l->in;
    if (l->at >= CODE_OPS - 8) {
        l->is_full = true;
        l->at = CODE_OPS - 8;
    }
    in->place[l->at] = (struct op_place){ l->block, (uint16_t)(l->pc - l->ir->pc.v), (uint8_t)l->insns, (uint8_t)l->accesses };
    in->code[l->at] = (struct op){ .handler = interp_handler[o] };
    return &in->code[l->at++];
}

static struct op *put_data(struct lower *l, const void *handler, uint64_t word)
{
    struct op *p = put(l, OP_LI);
    p->handler = handler;
    p->word = word;
    return p;
}

static uint8_t take_temp(struct lower *l, bool pair)
{
    for (unsigned i = 0; i + pair < TEMP_END - TEMP_FIRST; i++) {
        uint64_t bits = (pair ? 3ull : 1ull) << i;
        if ((l->free_temps & bits) != bits) continue;
        l->free_temps &= ~bits;
        return (uint8_t)(TEMP_FIRST + i);
    }
    l->is_full = true;                                       /* too many live values: the caller lifts a shorter block */
    return TEMP_FIRST;
}

static void put_constant(struct lower *l, uint8_t slot, uint64_t v)
{
    struct op *o;
    if ((int64_t)v == (int32_t)v) {
        o = put(l, OP_LI);
        o->a = slot;
        o->imm = (int32_t)v;
        return;
    }
    o = put(l, OP_LI64);
    o->a = slot;
    put_data(l, NULL, v);
}

static void move_in(struct lower *l, ir_ref root, uint8_t slot)
{
    l->slot[root] = slot;
    if (slot >= TEMP_FIRST) return;
    l->neighbour[root] = l->tenant[slot];
    l->tenant[slot] = root;
}

/* Before instruction n writes this guest slot: values that are wanted later go to a copy, or to a temporary. */
static void vacate(struct lower *l, uint8_t slot, unsigned n)
{
    ir_ref copied = l->copied[slot], next;
    if (copied != NOBODY) l->copy[copied] = NO_SLOT;
    l->copied[slot] = NOBODY;
    for (ir_ref root = l->tenant[slot]; root != NOBODY; root = next) {
        uint8_t copy = l->copy[root];
        next = l->neighbour[root];
        if (l->last[root] <= n || l->ir->insn[root].op == IR_CONST) {
            l->slot[root] = NO_SLOT;                             /* a constant is made again where it is needed */
            continue;
        }
        l->copy[root] = NO_SLOT;
        if (copy != NO_SLOT) {
            l->copied[copy] = NOBODY;
        } else {
            copy = take_temp(l, false);
            struct op *o = put(l, OP_MOV);
            o->a = copy, o->b = slot;
        }
        move_in(l, root, copy);
    }
    l->tenant[slot] = NOBODY;
}

/* Slot of an operand; a constant is made on its first use and stays while it lives. */
static uint8_t in_slot(struct lower *l, ir_ref r)
{
    uint64_t v;
    if (r == IR_NONE) return ZERO_SLOT;
    ir_ref root = l->root[r];
    if (l->slot[root] != NO_SLOT) return l->slot[root];
    if (!ir_is_const(l->ir, root, &v)) {
        l->is_full = true;
        return ZERO_SLOT;
    }
    if (v == 0 && !is_wide(type_of(l, root))) return ZERO_SLOT;
    if (type_of(l, root) == IR_I32) v = (uint64_t)(int64_t)(int32_t)v;
    uint8_t slot = take_temp(l, is_wide(type_of(l, root)));
    put_constant(l, slot, v);
    if (is_wide(type_of(l, root))) put_constant(l, (uint8_t)(slot + 1), 0);
    l->slot[root] = slot;
    return slot;
}

static void release(struct lower *l, ir_ref r, unsigned n)
{
    if (r == IR_NONE || l->ir->insn[r].op == IR_INSN) return;
    ir_ref root = l->root[r];
    uint8_t slot = l->slot[root];
    if (slot == NO_SLOT || slot < TEMP_FIRST || l->last[root] > n || slot == ZERO_SLOT) return;
    l->free_temps |= (is_wide(type_of(l, root)) ? 3ull : 1ull) << (slot - TEMP_FIRST);
    l->slot[root] = NO_SLOT;
}

static void release_operands(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (i->op == IR_INSN) return;
    if (i->a != IR_NONE && l->folded[i->a] && l->ir->insn[i->a].op == IR_ADD && is_plain_access(i)) release(l, l->ir->insn[i->a].a, n);
    else release(l, i->a, n);
    release(l, i->b, n);
    release(l, i->c, n);
}

/* Where the result of insn n goes, once its operands' slots are known: their temporaries may be used again. */
static uint8_t out_slot(struct lower *l, unsigned n)
{
    uint8_t slot = l->target[n];
    if (slot != NO_SLOT) vacate(l, slot, n);                 /* first: its copies must not land in the operands */
    release_operands(l, n);
    if (slot == NO_SLOT) slot = take_temp(l, is_wide((enum ir_type)l->ir->insn[n].type));
    move_in(l, (ir_ref)n, slot);
    return slot;
}

struct form { uint8_t op64, op32; };                           /* opcodes of the _RR forms; 0 of ADD is never "none" here */
#define NONE 0xff
static const struct form forms[IR_OP_COUNT] = {
    [IR_ADD]   = { OP_ADD_RR,   OP_ADDW_RR },  [IR_SUB]   = { OP_SUB_RR,   OP_SUBW_RR },
    [IR_MUL]   = { OP_MUL_RR,   OP_MULW_RR },  [IR_AND]   = { OP_AND_RR,   OP_AND_RR },
    [IR_OR]    = { OP_OR_RR,    OP_OR_RR },    [IR_XOR]   = { OP_XOR_RR,   OP_XOR_RR },
    [IR_SHL]   = { OP_SHL_RR,   OP_SHLW_RR },  [IR_SHR]   = { OP_SHR_RR,   OP_SHRW_RR },
    [IR_SAR]   = { OP_SAR_RR,   OP_SARW_RR },  [IR_ROR]   = { OP_ROR_RR,   OP_RORW_RR },
    [IR_MULHU] = { OP_MULHU_RR, NONE },        [IR_MULHS] = { OP_MULHS_RR, NONE },
    [IR_DIVU]  = { OP_DIVU_RR,  OP_DIVUW_RR }, [IR_DIVS]  = { OP_DIVS_RR,  OP_DIVSW_RR },
    [IR_REMU]  = { OP_REMU_RR,  OP_REMUW_RR }, [IR_REMS]  = { OP_REMS_RR,  OP_REMSW_RR },
    [IR_EQ]    = { OP_EQ_RR,    NONE },        [IR_NE]    = { OP_NE_RR,    NONE },
    [IR_ULT]   = { OP_ULT_RR,   NONE },        [IR_ULE]   = { OP_ULE_RR,   NONE },
    [IR_SLT]   = { OP_SLT_RR,   NONE },        [IR_SLE]   = { OP_SLE_RR,   NONE },
};
static bool has_form(enum ir_op op)
{
    return (op >= IR_ADD && op <= IR_XOR && op != IR_MULHSU) || (op >= IR_SHL && op <= IR_ROR) || (op >= IR_EQ && op <= IR_SLE);
}

/* The width that selects the form: a comparison's is its operands'. */
static uint8_t form_of(const struct lower *l, const struct ir_insn *i)
{
    enum ir_op op = (enum ir_op)i->op;
    if (!has_form(op)) return NONE;
    enum ir_type t = op >= IR_EQ ? type_of(l, i->a) : (enum ir_type)i->type;
    if (t == IR_I64) return forms[op].op64;
    if (t == IR_I32) return forms[op].op32;
    if ((t == IR_I8 || t == IR_I16 || t == IR_I1) && (op == IR_ADD || op == IR_SUB || (op >= IR_AND && op <= IR_XOR))) {
        return t == IR_I1 && (op == IR_ADD || op == IR_SUB) ? NONE : forms[op].op64;
    }
    return NONE;
}

static int32_t detail_of(const struct ir_insn *i, enum ir_type operand)
{
    union detail x = { .op = i->op, .type = i->type & 15, .operand = operand & 15, .ir_imm = (uint16_t)i->imm };
    return x.imm;
}

static void emit_rare(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    uint8_t x = in_slot(l, i->a), y = in_slot(l, i->b), z = in_slot(l, i->c);
    enum ir_type operand = i->a == IR_NONE ? (enum ir_type)i->type : type_of(l, i->a);
    bool is_fp = i->op >= IR_FADD && i->op <= IR_FTOF && i->op != IR_FNEG && i->op != IR_FCLASS;
    uint8_t to = out_slot(l, n);
    if (is_wide((enum ir_type)i->type) && !is_fp) {
        struct op *o = put(l, OP_ZX128);
        o->a = to, o->b = x, o->c = i->b == IR_NONE ? x : y, o->imm = i->op;
        return;
    }
    enum opcode form = is_fp ? OP_FP : OP_RARE;
    if (is_fp && i->type == IR_F64 && i->op <= IR_FDIV && (i->imm == FP_ROUND_DYNAMIC || i->imm == FP_RNE)) {
        form = (enum opcode)(OP_FADDD + (i->op - IR_FADD));
    }
    struct op *o = put(l, form);
    o->a = to, o->b = x, o->c = y, o->d = z;
    o->imm = detail_of(i, operand);
}

static void emit_binary(struct lower *l, unsigned n, uint8_t form)
{
    const struct ir_insn *i = &l->ir->insn[n];
    int32_t k;
    bool immediate = small_const(l, i->b, &k);
    uint8_t x = in_slot(l, i->a), y = immediate ? 0 : in_slot(l, i->b);
    uint8_t to = out_slot(l, n);
    struct op *o = put(l, (enum opcode)(form + immediate));
    o->a = to, o->b = x, o->c = y;
    if (immediate) o->imm = k;
}

static void emit_unary(struct lower *l, unsigned n, enum opcode op)
{
    uint8_t x = in_slot(l, l->ir->insn[n].a);
    uint8_t to = out_slot(l, n);
    struct op *o = put(l, op);
    o->a = to, o->b = x;
}

static void emit_access(struct lower *l, unsigned n)
{
    static const uint8_t load[] = { OP_LDBU, OP_LDHU, OP_LDWU, OP_LDD, 0, 0, 0, 0, OP_LDB, OP_LDH, OP_LDW, OP_LDD };
    static const uint8_t store[] = { OP_STB, OP_STH, OP_STW, OP_STD };
    const struct ir_insn *i = &l->ir->insn[n];
    int32_t k = 0;
    ir_ref base = i->a;
    if (l->folded[i->a] && l->ir->insn[i->a].op == IR_ADD) {
        (void)small_const(l, l->ir->insn[i->a].b, &k);
        base = l->ir->insn[i->a].a;
    }
    uint8_t at = in_slot(l, base), value = i->op == IR_STORE ? in_slot(l, i->b) : 0;
    if (i->op == IR_LOAD) value = out_slot(l, n);
    else release_operands(l, n);
    struct op *o = put(l, (enum opcode)(i->op == IR_LOAD ? load[i->imm & 15] : store[i->imm & 3]));
    o->a = value, o->b = at, o->imm = k;
}

static void emit_memory(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    uint8_t at = in_slot(l, i->a), x = in_slot(l, i->b), y = in_slot(l, i->c);
    uint8_t to = ZERO_SLOT;
    if (i->type == IR_VOID) release_operands(l, n);
    else to = out_slot(l, n);
    struct op *o = put(l, OP_MEM);
    o->a = to, o->b = at, o->c = x, o->d = y;
    o->imm = detail_of(i, IR_VOID);
}

static void emit_call(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    uint8_t x = in_slot(l, i->a), y = in_slot(l, i->b), z = in_slot(l, i->c);
    uint8_t to = IGNORED_SLOT;
    if (!(((const struct ir_helper *)(uintptr_t)i->imm)->flags & HELPER_PURE)) {
        for (unsigned slot = 0; slot < TEMP_FIRST; slot++) vacate(l, (uint8_t)slot, n);
    }
    if (i->type == IR_VOID || !l->ir->uses[n]) release_operands(l, n);
    else to = out_slot(l, n);
    struct op *o = put(l, OP_CALL);
    o->a = to, o->b = x, o->c = y, o->d = z;
    put_data(l, (const void *)(uintptr_t)i->imm, 0);
}

static void emit_set(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    ir_ref root = l->root[i->a];
    uint64_t v;
    enum ir_type t = type_of(l, i->a);
    uint8_t slot = (uint8_t)i->imm;
    if (l->slot[root] == slot && ir_type_bits(t) == 64) return;                  /* computed in place, or there all the time */
    if (ir_is_const(l->ir, root, &v) && l->slot[root] == NO_SLOT && !is_wide(t)) {
        vacate(l, slot, n);
        put_constant(l, slot, ir_type_bits(t) < 64 ? v & ((1ull << ir_type_bits(t)) - 1) : v);
        if (t == IR_I64 && v) move_in(l, root, slot);
        return;
    }
    uint8_t from = in_slot(l, i->a);
    vacate(l, slot, n);
    if (is_wide(t)) vacate(l, (uint8_t)(slot + 1), n);
    enum opcode op = is_wide(t) ? OP_MOV128 : t == IR_I8 ? OP_ZX8 : t == IR_I16 ? OP_ZX16 : ir_type_bits(t) == 32 ? OP_ZX32 : OP_MOV;
    struct op *o = put(l, op);
    o->a = slot, o->b = from;
    if (op == OP_MOV && from != ZERO_SLOT && l->copy[root] == NO_SLOT) {
        l->copy[root] = slot;
        l->copied[slot] = root;
    }
    release_operands(l, n);
}

static void emit_get(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (!l->ir->uses[n]) return;
    if (!is_wide((enum ir_type)i->type)) {
        move_in(l, (ir_ref)n, (uint8_t)i->imm);
        return;
    }
    uint8_t to = take_temp(l, true);
    struct op *o = put(l, OP_MOV128);
    o->a = to, o->b = (uint8_t)i->imm;
    l->slot[n] = to;
}

static void emit_insn(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    uint8_t form;
    if (is_dead(i) || l->folded[n]) return;
    switch (op) {
    case IR_CONST:
        return;
    case IR_INSN:
        l->pc = i->imm;
        l->insns = l->insns == 0xffff ? 0 : l->insns + 1;
        return;
    case IR_GETR: emit_get(l, n); return;
    case IR_SETR: emit_set(l, n); return;
    case IR_LOAD: case IR_STORE:
        if (is_plain_access(i)) emit_access(l, n);
        else emit_memory(l, n);
        l->accesses++;
        return;
    case IR_LL: case IR_SC: case IR_AMO: case IR_CAS:
        emit_memory(l, n);
        l->accesses++;                                       /* behind it: one that faults is none */
        return;
    case IR_FENCE: emit_memory(l, n); return;
    case IR_CALL:  emit_call(l, n); return;
    case IR_SEL:
        if (!is_wide((enum ir_type)i->type)) {
            uint8_t c = in_slot(l, i->a), x = in_slot(l, i->b), y = in_slot(l, i->c);
            uint8_t to = out_slot(l, n);
            struct op *o = put(l, OP_SEL);
            o->a = to, o->b = c, o->c = x, o->d = y;
            return;
        }
        break;
    case IR_NOT: if (!is_wide((enum ir_type)i->type) && i->type != IR_I1) { emit_unary(l, n, OP_NOT); return; } break;
    case IR_NEG: if (!is_wide((enum ir_type)i->type) && i->type != IR_I1) { emit_unary(l, n, OP_NEG); return; } break;
    case IR_BSWAP: if (i->type == IR_I64) { emit_unary(l, n, OP_BSWAP); return; } break;
    case IR_BOX:   emit_unary(l, n, OP_BOX); return;
    case IR_UNBOX: emit_unary(l, n, OP_UNBOX); return;
    case IR_SEXT: case IR_ZEXT: {
        enum ir_type t = type_of(l, i->a);
        bool s = op == IR_SEXT;
        if (is_wide((enum ir_type)i->type)) break;
        if (t == IR_I8)  { emit_unary(l, n, s ? OP_SX8 : OP_ZX8); return; }
        if (t == IR_I16) { emit_unary(l, n, s ? OP_SX16 : OP_ZX16); return; }
        if (t == IR_I32) { emit_unary(l, n, s ? OP_SX32 : OP_ZX32); return; }
        break;
    }
    case IR_LOW: emit_unary(l, n, OP_MOV); return;
    case IR_HIGH: {
        uint8_t x = (uint8_t)(in_slot(l, i->a) + 1);
        uint8_t to = out_slot(l, n);
        struct op *o = put(l, OP_MOV);
        o->a = to, o->b = x;
        return;
    }
    case IR_PAIR: {
        uint8_t x = in_slot(l, i->a), y = in_slot(l, i->b);
        uint8_t to = out_slot(l, n);
        struct op *o = put(l, OP_PAIR);
        o->a = to, o->b = x, o->c = y;
        return;
    }
    default:
        break;
    }
    form = form_of(l, i);
    if (form != NONE && !is_wide((enum ir_type)i->type)) emit_binary(l, n, form);
    else emit_rare(l, n);
}

static void emit(struct lower *l, unsigned n)
{
    emit_insn(l, n);
    release(l, (ir_ref)n, n);                                /* a result that nobody reads */
}

static void put_link(struct lower *l, guest_addr to) { put_data(l, l->in->resolve, to.v); }

static void emit_end(struct lower *l)
{
    const struct ir_end *e = &l->ir->end;
    struct op *o;
    int32_t k;
    uint8_t count = (uint8_t)l->ir->guest_count, accesses = (uint8_t)(l->accesses > 255 ? 255 : l->accesses);
    switch (e->kind) {
    case IR_END_JUMP: case IR_END_NONE:
        o = put(l, OP_JUMP);
        o->c = count, o->d = accesses;
        put_link(l, e->taken);
        return;
    case IR_END_BRANCH: {
        static const uint8_t form[] = { OP_BEQ_RR, OP_BNE_RR, OP_BULT_RR, OP_BULE_RR, OP_BSLT_RR, OP_BSLE_RR };
        if (l->folded[e->value] && l->root[e->value] == e->value) {
            const struct ir_insn *c = &l->ir->insn[e->value];
            bool immediate = small_const(l, c->b, &k);
            uint8_t x = in_slot(l, c->a), y = immediate ? 0 : in_slot(l, c->b);
            o = put(l, (enum opcode)(form[c->op - IR_EQ] + immediate));
            o->a = x, o->b = y;
            if (immediate) o->imm = k;
        } else {
            uint8_t x = in_slot(l, e->value);
            o = put(l, OP_BNE_RI);
            o->a = x;
        }
        o->c = count, o->d = accesses;
        put_link(l, e->taken);
        put_link(l, e->fall);
        return;
    }
    case IR_END_INDIRECT: case IR_END_LEAVE_INDIRECT: {
        uint8_t x = in_slot(l, e->value);
        o = put(l, e->kind == IR_END_INDIRECT ? OP_INDIRECT : OP_LEAVE_INDIRECT);
        o->a = x, o->c = count, o->d = accesses;
        return;
    }
    case IR_END_LEAVE: case IR_END_HALT:
        o = put(l, e->kind == IR_END_HALT ? OP_HALT : OP_LEAVE);
        o->c = count, o->d = accesses;
        put_data(l, NULL, e->taken.v);
        return;
    case IR_END_FAULT: {
        struct op words[(sizeof e->fault + sizeof(struct op) - 1) / sizeof(struct op)] = { 0 };
        (void)put(l, OP_FAULT);
        memcpy(words, &e->fault, sizeof e->fault);
        for (unsigned i = 0; i < ARRAY_COUNT(words); i++) put_data(l, words[i].handler, words[i].word);
        return;
    }
    }
}

size_t interp_plan_bytes(void) { return sizeof(struct lower); }

struct op *interp_lower(struct interp *in, const struct ir_block *b, uint32_t block)
{
    struct lower *l = in->plan;
    l->in = in;
    l->ir = b;
    l->block = block;
    l->at = in->op_count;
    l->is_full = false;
    l->insns = 0xffff;                                        /* the first INSN makes it 0 */
    l->accesses = 0;
    l->pc = b->pc.v;
    l->free_temps = (1ull << (TEMP_END - TEMP_FIRST - 1)) - 1;
    memset(l->tenant, 0xff, sizeof l->tenant);                /* NOBODY */
    memset(l->copied, 0xff, sizeof l->copied);
    plan_uses(l);
    plan_targets(l);
    for (unsigned n = 0; n < b->count && !l->is_full; n++) emit(l, n);
    if (!l->is_full) emit_end(l);
    if (l->is_full) return NULL;
    struct op *first = &in->code[in->op_count];
    in->op_count = l->at;
    return first;
}
