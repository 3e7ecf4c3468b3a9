// SPDX-License-Identifier: Apache-2.0
/* Before emitting: which values are only other names, which are folded into their user, how long each lives, and which may be
 * computed straight into the pinned register of the slot that receives them. */
#include "hv/jit/lower.h"

/* A constant as the back end's immediates want it. */
bool lower_immediate(const struct lower *l, ir_ref r, int64_t *out)
{
    uint64_t v;
    if (r == IR_NONE || !ir_is_const(l->ir, r, &v)) return false;
    enum ir_type t = type_of(l, r);
    *out = t == IR_I32 ? (int32_t)v : (int64_t)v;
    return *out == (int32_t)*out;
}

/* 32-bit values whose register is the extended value already. */
static bool is_extended(const struct ir_insn *i, bool is_signed)
{
    switch ((enum ir_op)i->op) {
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_AND: case IR_OR: case IR_XOR: case IR_NOT: case IR_NEG: case IR_SHL: case IR_SHR: case IR_SAR:
        return !is_signed;
    case IR_LOAD: case IR_LL: case IR_AMO: case IR_CAS:
        return is_signed == !!(i->imm & MEM_SIGNED) || (!is_signed ? 0 : (i->imm & MEM_SIZE) < MEM_32 && !(i->imm & MEM_SIGNED));
    default:
        return false;
    }
}

static bool is_other_name(const struct lower *l, const struct ir_insn *i)
{
    if (i->op == IR_TRUNC) return i->type != IR_I1;
    if (i->op == IR_ZEXT) return type_of(l, i->a) == IR_I1 || (type_of(l, i->a) == IR_I32 && is_extended(&l->ir->insn[i->a], false));
    if (i->op == IR_SEXT) return type_of(l, i->a) == IR_I32 && i->type == IR_I64 && is_extended(&l->ir->insn[i->a], true);
    return false;
}

bool lower_is_plain_access(const struct lower *l, const struct ir_insn *i)
{
    enum ir_type t = (enum ir_type)(i->op == IR_STORE ? type_of(l, i->b) : (enum ir_type)i->type);
    return (i->op == IR_LOAD || i->op == IR_STORE) && !(i->imm & ~(uint64_t)(MEM_SIZE | MEM_SIGNED)) && (i->imm & MEM_SIZE) <= MEM_64 && !is_wide(t) &&
           has(l, JIT_TLB);
}

bool lower_is_inline_atomic(const struct lower *l, const struct ir_insn *i)
{
    unsigned size = i->imm & MEM_SIZE;
    return (i->op == IR_LL || i->op == IR_SC || i->op == IR_AMO) && (size == MEM_32 || size == MEM_64) && !(i->imm & MEM_BIG_ENDIAN) &&
           has(l, JIT_TLB) && has(l, JIT_ATOMICS);
}

static bool is_address(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    int64_t k;
    return has(l, JIT_FUSE) && i->op == IR_ADD && i->type == IR_I64 && l->ir->uses[r] == 1 && lower_immediate(l, i->b, &k);
}

bool lower_is_branch_condition(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    enum ir_type t = i->op >= IR_EQ && i->op <= IR_SLE ? type_of(l, i->a) : IR_VOID;
    return has(l, JIT_FUSE) && l->ir->uses[r] == 1 && (t == IR_I64 || t == IR_I32);
}

static void use(struct lower *l, ir_ref r, uint16_t at)
{
    if (r != IR_NONE) l->last[l->root[r]] = at;
}

void lower_plan_uses(struct lower *l)
{
    const struct ir_block *b = l->ir;
    for (unsigned n = 0; n < b->count; n++) {
        const struct ir_insn *i = &b->insn[n];
        l->root[n] = l->last[n] = (uint16_t)n;
        l->in[INT][n] = l->in[FP][n] = NO_REG;
        l->mem[n] = NO_SLOT;
        l->target[n] = NO_SLOT;
        l->is_active[n] = l->folded[n] = false;
        if (is_dead(i) || i->op == IR_INSN) continue;
        if (is_other_name(l, i)) {
            l->root[n] = l->root[i->a];
            l->folded[n] = true;
            continue;
        }
        if (lower_is_plain_access(l, i) && is_address(l, i->a)) {
            l->folded[i->a] = true;
            use(l, b->insn[i->a].a, (uint16_t)n);
        } else {
            use(l, i->a, (uint16_t)n);
        }
        use(l, i->b, (uint16_t)n);
        use(l, i->c, (uint16_t)n);
    }
    if (b->end.value == IR_NONE) return;
    if (b->end.kind == IR_END_BRANCH && lower_is_branch_condition(l, b->end.value)) {
        const struct ir_insn *c = &b->insn[b->end.value];
        l->folded[b->end.value] = true;
        use(l, c->a, AT_END);
        use(l, c->b, AT_END);
    } else {
        use(l, b->end.value, AT_END);
    }
}

/* Operations that may leave the block, or look at slots. */
static bool may_leave(const struct ir_insn *i)
{
    return i->op == IR_CALL || (i->op >= IR_LOAD && i->op <= IR_CAS);
}

static bool touches_slot(const struct lower *l, const struct ir_insn *i, uint64_t slot)
{
    if (i->op != IR_SETR && i->op != IR_GETR) return false;
    enum ir_type t = i->op == IR_SETR ? type_of(l, i->a) : (enum ir_type)i->type;
    return i->imm == slot || (is_wide(t) && i->imm + 1 == slot);
}

void lower_plan_targets(struct lower *l)
{
    const struct ir_block *b = l->ir;
    for (unsigned s = 0; s < b->count && has(l, JIT_TARGET); s++) {
        const struct ir_insn *set = &b->insn[s];
        if (set->op != IR_SETR) continue;
        unsigned d = l->root[set->a];
        const struct ir_insn *def = &b->insn[d];
        if (l->j->pin[file_of(def)][set->imm] == NO_REG || ir_type_bits(type_of(l, set->a)) != 64 || ir_type_bits((enum ir_type)def->type) > 64) continue;
        if (def->op == IR_CONST || def->op == IR_GETR || def->op == IR_CALL || l->target[d] != NO_SLOT || l->folded[d]) continue;
        bool clear = true;
        for (unsigned j = d + 1; j < s && clear; j++) clear = !may_leave(&b->insn[j]) && !touches_slot(l, &b->insn[j], set->imm);
        if (clear) l->target[d] = (uint8_t)set->imm;
    }
}
