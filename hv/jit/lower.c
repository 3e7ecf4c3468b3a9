// SPDX-License-Identifier: Apache-2.0
/* Sealed IR -> host code through a back end, in two passes. Plan: which values are only other names, which are folded into
 * their user, how long each lives, and which may be computed straight into the pinned register of the slot that receives them.
 * Emit: one walk with registers handed out by last use. A value may be in a host register of either file, in its guest slot,
 * in a spill slot, or be a constant that is made again; a guest slot is written through at once (law 3 of jit.h).
 * The plan's memory is the vCPU's. */
#include "hv/base/string.h"
#include "hv/jit/lower.h"

static bool is_dead(const struct ir_insn *i)                       { return i->op == IR_CONST && i->type == IR_VOID; }
static bool is_float(enum ir_type t)                               { return t == IR_F32 || t == IR_F64; }
static bool is_wide(enum ir_type t)                                { return ir_type_bits(t) > 64; }
static enum ir_type type_of(const struct lower *l, ir_ref r)       { return (enum ir_type)l->ir->insn[r].type; }
static bool has(const struct lower *l, enum jit_switch s)          { return !(l->j->off >> s & 1); }

/* ---- the plan ---- */

/* A constant as the back end's immediates want it. */
static bool immediate(const struct lower *l, ir_ref r, int64_t *out)
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

static bool is_plain_access(const struct lower *l, const struct ir_insn *i)
{
    enum ir_type t = (enum ir_type)(i->op == IR_STORE ? type_of(l, i->b) : (enum ir_type)i->type);
    return (i->op == IR_LOAD || i->op == IR_STORE) && !(i->imm & ~(uint64_t)(MEM_SIZE | MEM_SIGNED)) && (i->imm & MEM_SIZE) <= MEM_64 && !is_wide(t) &&
           has(l, JIT_TLB);
}

static bool is_address(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    int64_t k;
    return has(l, JIT_FUSE) && i->op == IR_ADD && i->type == IR_I64 && l->ir->uses[r] == 1 && immediate(l, i->b, &k);
}

static bool is_branch_condition(const struct lower *l, ir_ref r)
{
    const struct ir_insn *i = &l->ir->insn[r];
    enum ir_type t = i->op >= IR_EQ && i->op <= IR_SLE ? type_of(l, i->a) : IR_VOID;
    return has(l, JIT_FUSE) && l->ir->uses[r] == 1 && (t == IR_I64 || t == IR_I32);
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
        if (is_plain_access(l, i) && is_address(l, i->a)) {
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

/* The file in which a row's result appears. */
static unsigned file_of(const struct ir_insn *i)
{
    return is_float((enum ir_type)i->type) || i->op == IR_BOX ? FP : INT;
}

static void plan_targets(struct lower *l)
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

/* ---- where values are ---- */

static void drop_active(struct lower *l, ir_ref r)
{
    if (!l->is_active[r]) return;
    l->is_active[r] = false;
    for (unsigned i = 0; i < l->active_count; i++) {
        if (l->active[i] != r) continue;
        l->active[i] = l->active[--l->active_count];
        return;
    }
}

static void settle(struct lower *l, ir_ref r, unsigned file, uint8_t reg)
{
    l->in[file][r] = reg;
    if (l->temps[file] >> reg & 1) l->owner[file][reg] = r;
    if (l->is_active[r]) return;
    l->is_active[r] = true;
    l->active[l->active_count++] = r;
}

static uint8_t take_spill(struct lower *l, bool pair)
{
    for (unsigned i = 0; i + pair < JIT_SPILL_END - JIT_SPILL_FIRST; i++) {
        uint64_t bits = (pair ? 3ull : 1ull) << i;
        if ((l->free_spill & bits) != bits) continue;
        l->free_spill &= ~bits;
        return (uint8_t)(JIT_SPILL_FIRST + i);
    }
    l->is_full = true;                                       /* too many live values: the caller lifts a shorter block */
    return JIT_SPILL_FIRST;
}

static void free_spill(struct lower *l, uint8_t slot, bool pair) { l->free_spill |= (pair ? 3ull : 1ull) << (slot - JIT_SPILL_FIRST); }

static void store(struct lower *l, unsigned file, uint8_t reg, unsigned slot)
{
    if (file == FP) l->t->fp_store_slot(l->e, reg, slot);
    else l->t->store_slot(l->e, reg, slot);
}

/* Empties a temporary register: its value must have another place. */
static void evict(struct lower *l, unsigned file, uint8_t reg)
{
    ir_ref r = l->owner[file][reg];
    l->in[file][r] = NO_REG;
    l->free[file] |= 1u << reg;
    if (l->in[!file][r] != NO_REG || l->mem[r] != NO_SLOT || l->ir->insn[r].op == IR_CONST) return;
    uint8_t slot = take_spill(l, false);
    store(l, file, reg, slot);
    l->mem[r] = slot;
}

/* A register that holds nothing: a free one, or that of the value whose end is farthest. */
static uint8_t take_reg(struct lower *l, unsigned file)
{
    uint32_t usable = l->free[file] & ~l->locked[file];
    if (!usable) {
        int best = -1;
        unsigned best_cost = 0;
        for (uint32_t left = l->temps[file] & ~l->locked[file]; left; left &= left - 1) {
            unsigned reg = (unsigned)__builtin_ctz(left), r = l->owner[file][reg];
            bool is_cheap = l->mem[r] != NO_SLOT || l->ir->insn[r].op == IR_CONST;
            unsigned cost = l->last[r] + (is_cheap ? 0x10000u : 0u);
            if (best < 0 || cost > best_cost) best = (int)reg, best_cost = cost;
        }
        if (best < 0) {
            l->is_full = true;
            return (uint8_t)__builtin_ctz(l->temps[file]);
        }
        evict(l, file, (uint8_t)best);
        usable = 1u << best;
    }
    uint8_t reg = (uint8_t)__builtin_ctz(usable);
    l->free[file] &= ~(1u << reg);
    return reg;
}

static void lock(struct lower *l, unsigned file, uint8_t reg)
{
    l->locked[file] |= 1u << reg;
}

static void load(struct lower *l, unsigned file, uint8_t d, ir_ref root)
{
    uint64_t v;
    if (l->in[file][root] != NO_REG) {
        if (file == FP) l->t->fp_mov(l->e, d, l->in[FP][root]);
        else l->t->mov(l->e, d, l->in[INT][root]);
    } else if (l->in[!file][root] != NO_REG) {
        if (file == FP) l->t->fp_from(l->e, d, l->in[INT][root]);
        else l->t->fp_to(l->e, d, l->in[FP][root]);
    } else if (ir_is_const(l->ir, root, &v)) {
        if (file == INT) {
            l->t->imm(l->e, d, v);
        } else {
            l->t->imm(l->e, l->t->scratch[0], v);
            l->t->fp_from(l->e, d, l->t->scratch[0]);
        }
    } else if (l->mem[root] != NO_SLOT) {
        if (file == FP) l->t->fp_load_slot(l->e, d, l->mem[root]);
        else l->t->load_slot(l->e, d, l->mem[root]);
    } else {
        l->is_full = true;                                   /* cannot happen */
    }
}

/* The register of an operand, locked until the operation is done. */
static uint8_t reg_in(struct lower *l, unsigned file, ir_ref ref)
{
    if (ref == IR_NONE) return NO_REG;
    ir_ref root = l->root[ref];
    uint8_t reg = l->in[file][root];
    if (reg == NO_REG) {
        reg = take_reg(l, file);
        load(l, file, reg, root);
        settle(l, root, file, reg);
    }
    lock(l, file, reg);
    return reg;
}

static void forget_mem(struct lower *l, ir_ref root)
{
    uint8_t slot = l->mem[root];
    if (slot == NO_SLOT) return;
    l->mem[root] = NO_SLOT;
    if (slot >= JIT_SPILL_FIRST) free_spill(l, slot, is_wide(type_of(l, root)));
    else if (l->mem_owner[slot] == root) l->mem_owner[slot] = NOBODY;
}

static void release(struct lower *l, ir_ref ref, unsigned n)
{
    if (ref == IR_NONE) return;
    ir_ref root = l->root[ref];
    if (l->last[root] > n) return;
    for (unsigned file = 0; file < 2; file++) {
        uint8_t reg = l->in[file][root];
        if (reg != NO_REG && l->temps[file] >> reg & 1) l->free[file] |= 1u << reg;
        l->in[file][root] = NO_REG;
    }
    forget_mem(l, root);
    drop_active(l, root);
}

static void release_operands(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (i->a != IR_NONE && l->folded[i->a] && l->root[i->a] == i->a) release(l, l->ir->insn[i->a].a, n);
    else release(l, i->a, n);
    release(l, i->b, n);
    release(l, i->c, n);
}

/* Before instruction n writes a pinned register: values that are wanted later move out. */
static void vacate_reg(struct lower *l, unsigned file, uint8_t reg, unsigned n, ir_ref but)
{
    for (unsigned i = 0; i < l->active_count; i++) {
        ir_ref r = l->active[i];
        if (l->in[file][r] != reg || r == but || l->last[r] <= n) continue;
        if (l->mem[r] != NO_SLOT || l->in[!file][r] != NO_REG) {
            l->in[file][r] = NO_REG;
            continue;
        }
        uint8_t to = take_reg(l, file);
        if (file == FP) l->t->fp_mov(l->e, to, reg);
        else l->t->mov(l->e, to, reg);
        settle(l, r, file, to);
    }
}

/* The same for a guest slot in memory. */
static void vacate_slot(struct lower *l, unsigned slot, unsigned n)
{
    ir_ref r = l->mem_owner[slot];
    if (r == NOBODY) return;
    if (l->last[r] > n && l->in[INT][r] == NO_REG && l->in[FP][r] == NO_REG) {
        uint32_t locked = l->locked[INT];
        (void)reg_in(l, INT, r);
        l->locked[INT] = locked;
    }
    if (l->last[r] > n) l->mem[r] = NO_SLOT;                 /* an operand of n itself is read before n writes */
    l->mem_owner[slot] = NOBODY;
}

/* Where the result of n goes: the operands' temporaries may be used again from here on. `like`: a register that suits. */
static uint8_t reg_out(struct lower *l, unsigned file, unsigned n, uint8_t like)
{
    uint8_t slot = l->target[n], reg = NO_REG;
    if (slot != NO_SLOT) {
        reg = l->j->pin[file][slot];
        vacate_reg(l, file, reg, n, NOBODY);
    }
    release_operands(l, n);
    l->locked[INT] = l->locked[FP] = 0;
    if (reg == NO_REG && like != NO_REG && l->free[file] >> like & 1) {
        reg = like;
        l->free[file] &= ~(1u << reg);
    }
    if (reg == NO_REG) reg = take_reg(l, file);
    settle(l, (ir_ref)n, file, reg);
    return reg;
}

/* ---- calls of C ---- */

static uint32_t new_place(struct lower *l, unsigned n)
{
    struct jit *j = l->j;
    const struct ir_insn *i = &l->ir->insn[n];
    if (j->place_count == JIT_PLACES - 1) l->is_full = true;
    else j->place_count++;
    j->place[j->place_count - 1] = (struct jit_place){
        .imm = i->imm, .block = l->block, .pc_offset = (uint16_t)(l->pc - l->ir->pc.v), .insns_before = (uint8_t)l->insns,
        .accesses_before = (uint8_t)(l->accesses > 255 ? 255 : l->accesses), .op = i->op, .type = i->type,
        .operand = i->a == IR_NONE || i->op == IR_INSN ? i->type : (uint8_t)type_of(l, i->a) };
    return j->place_count - 1;
}

static void to_scratch(struct lower *l, unsigned k, ir_ref ref)
{
    if (ref != IR_NONE) load(l, INT, l->t->scratch[k], l->root[ref]);
    else l->t->imm(l->e, l->t->scratch[k], 0);
}

static void from_scratch(struct lower *l, unsigned file, uint8_t d)
{
    if (file == FP) l->t->fp_from(l->e, d, l->t->scratch[0]);
    else l->t->mov(l->e, d, l->t->scratch[0]);
}

/* A row by its C meaning. */
static void emit_row(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    to_scratch(l, 0, i->a);
    to_scratch(l, 1, i->b);
    to_scratch(l, 2, i->c);
    l->t->call(l->e, new_place(l, n), false);
    if (i->type == IR_VOID) {
        release_operands(l, n);
        return;
    }
    unsigned file = file_of(i);
    from_scratch(l, file, reg_out(l, file, n, NO_REG));
}

/* An impure helper may look at slots and write them: what we hold must not be there. */
static void leave_slots(struct lower *l, unsigned n)
{
    for (unsigned i = 0; i < l->active_count; i++) {
        ir_ref r = l->active[i];
        if (l->last[r] <= n || is_wide(type_of(l, r))) continue;
        bool is_in_temp = false;
        for (unsigned file = 0; file < 2; file++) {
            uint8_t reg = l->in[file][r];
            if (reg != NO_REG && l->temps[file] >> reg & 1) is_in_temp = true;
        }
        if (is_in_temp || (l->mem[r] != NO_SLOT && l->mem[r] >= JIT_SPILL_FIRST) || l->ir->insn[r].op == IR_CONST) continue;
        uint8_t to = take_reg(l, INT);
        load(l, INT, to, r);
        l->in[INT][r] = l->in[FP][r] = NO_REG;
        settle(l, r, INT, to);
    }
    for (unsigned slot = 0; slot < JIT_SPILL_FIRST; slot++) vacate_slot(l, slot, n);
    for (unsigned i = 0; i < l->active_count; i++) {
        ir_ref r = l->active[i];
        for (unsigned file = 0; file < 2 && l->last[r] > n; file++) {
            uint8_t reg = l->in[file][r];
            if (reg != NO_REG && !(l->temps[file] >> reg & 1)) l->in[file][r] = NO_REG;
        }
    }
}

static void emit_call(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    bool is_pure = ((const struct ir_helper *)(uintptr_t)i->imm)->flags & HELPER_PURE;
    if (!is_pure) leave_slots(l, n);
    if (!is_pure) memset(l->page, 0, sizeof l->page);
    to_scratch(l, 0, i->a);
    to_scratch(l, 1, i->b);
    to_scratch(l, 2, i->c);
    l->t->call(l->e, new_place(l, n), !is_pure);
    if (i->type == IR_VOID || !l->ir->uses[n]) {
        release_operands(l, n);
        return;
    }
    unsigned file = file_of(i);
    from_scratch(l, file, reg_out(l, file, n, NO_REG));
}

/* ---- 128 bits: always in memory, in two neighbouring spill slots ---- */

static void slot_to_scratch(struct lower *l, unsigned k, unsigned slot)
{
    const struct jit *j = l->j;
    if (j->pin[INT][slot] != NO_REG) l->t->mov(l->e, l->t->scratch[k], j->pin[INT][slot]);
    else if (j->pin[FP][slot] != NO_REG) l->t->fp_to(l->e, l->t->scratch[k], j->pin[FP][slot]);
    else l->t->load_slot(l->e, l->t->scratch[k], slot);
}

static void scratch_to_slot(struct lower *l, unsigned k, unsigned slot, unsigned n)
{
    const struct jit *j = l->j;
    for (unsigned file = 0; file < 2; file++) {
        if (j->pin[file][slot] == NO_REG) continue;
        vacate_reg(l, file, j->pin[file][slot], n, NOBODY);
        if (file == FP) l->t->fp_from(l->e, j->pin[FP][slot], l->t->scratch[k]);
        else l->t->mov(l->e, j->pin[INT][slot], l->t->scratch[k]);
        return;
    }
    vacate_slot(l, slot, n);
    l->t->store_slot(l->e, l->t->scratch[k], slot);
}

/* Slot of an operand, in memory; *mine when it must be given back. */
static uint8_t slot_in(struct lower *l, ir_ref ref, bool *mine)
{
    *mine = false;
    if (ref == IR_NONE) return 0;
    ir_ref root = l->root[ref];
    uint64_t v;
    bool wide = is_wide(type_of(l, root)), is_const = ir_is_const(l->ir, root, &v);
    if (!is_const && l->mem[root] >= JIT_SPILL_FIRST && l->mem[root] != NO_SLOT) return l->mem[root];
    uint8_t slot = take_spill(l, wide);
    *mine = true;
    load(l, INT, l->t->scratch[0], root);
    l->t->store_slot(l->e, l->t->scratch[0], slot);
    if (wide) {
        l->t->imm(l->e, l->t->scratch[0], 0);
        l->t->store_slot(l->e, l->t->scratch[0], slot + 1u);
    }
    return slot;
}

static uint8_t wide_out(struct lower *l, unsigned n)
{
    uint8_t slot = take_spill(l, true);
    l->mem[n] = slot;
    l->is_active[n] = true;
    l->active[l->active_count++] = (ir_ref)n;
    return slot;
}

static void emit_wide(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    const uint8_t s0 = l->t->scratch[0];
    uint8_t out;
    bool mine[3];
    if (i->op == IR_GETR) {
        out = wide_out(l, n);
        for (unsigned half = 0; half < 2; half++) {
            slot_to_scratch(l, 0, (unsigned)i->imm + half);
            l->t->store_slot(l->e, s0, out + half);
        }
        return;
    }
    if (i->op == IR_CONST) return;
    const ir_ref refs[] = { i->a, i->b, i->c };
    uint8_t slot[3];
    for (unsigned k = 0; k < 3; k++) slot[k] = slot_in(l, refs[k], &mine[k]);
    if (i->op == IR_SETR) {
        for (unsigned half = 0; half < 2; half++) {
            l->t->load_slot(l->e, s0, slot[0] + half);
            scratch_to_slot(l, 0, (unsigned)i->imm + half, n);
        }
    } else if (i->op == IR_PAIR) {
        out = wide_out(l, n);
        for (unsigned half = 0; half < 2; half++) {
            l->t->load_slot(l->e, s0, slot[half]);
            l->t->store_slot(l->e, s0, out + half);
        }
    } else if (i->op == IR_LOW || i->op == IR_HIGH) {
        l->t->load_slot(l->e, s0, slot[0] + (i->op == IR_HIGH));
    } else {
        bool is_narrow = i->type != IR_VOID && !is_wide((enum ir_type)i->type);
        out = i->type == IR_VOID || is_narrow ? JIT_SLOT_RESULT : wide_out(l, n);
        uint32_t place = new_place(l, n);
        memcpy(l->j->place[place].slot, (uint8_t[]){ out, slot[0], slot[1], slot[2] }, 4);
        l->t->call(l->e, place, false);
        if (is_narrow) l->t->load_slot(l->e, s0, JIT_SLOT_RESULT);
    }
    for (unsigned k = 0; k < 3; k++) {
        if (mine[k]) free_spill(l, slot[k], is_wide(type_of(l, l->root[refs[k]])));
    }
    if (i->type == IR_VOID || is_wide((enum ir_type)i->type)) release_operands(l, n);
    else from_scratch(l, INT, reg_out(l, INT, n, NO_REG));
}

static bool is_wide_row(const struct lower *l, const struct ir_insn *i)
{
    if (is_wide((enum ir_type)i->type)) return true;
    if (i->op == IR_INSN || i->op == IR_CALL) return false;
    return (i->a != IR_NONE && is_wide(type_of(l, i->a))) || (i->b != IR_NONE && is_wide(type_of(l, i->b)));
}

/* ---- rows ---- */

static void emit_get(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    unsigned slot = (unsigned)i->imm;
    if (!l->ir->uses[n]) return;
    for (unsigned file = 0; file < 2; file++) {
        if (l->j->pin[file][slot] == NO_REG) continue;
        settle(l, (ir_ref)n, file, l->j->pin[file][slot]);
        return;
    }
    if (l->mem_owner[slot] == NOBODY) {
        l->mem_owner[slot] = (ir_ref)n;
        l->mem[n] = (uint8_t)slot;
        l->is_active[n] = true;
        l->active[l->active_count++] = (ir_ref)n;
        return;
    }
    uint8_t d = take_reg(l, INT);
    l->t->load_slot(l->e, d, slot);
    settle(l, (ir_ref)n, INT, d);
}

/* A pinned slot. */
static void set_pinned(struct lower *l, unsigned n, unsigned file, uint8_t pin)
{
    const struct ir_insn *i = &l->ir->insn[n];
    ir_ref root = l->root[i->a];
    unsigned bits = ir_type_bits(type_of(l, i->a));
    bool whole = bits == 64 || bits == 1;
    if (whole && l->in[file][root] == pin) return;           /* computed in place, or there all the time */
    vacate_reg(l, file, pin, n, root);
    if (whole) {
        load(l, file, pin, root);
        if (ir_type_bits((enum ir_type)l->ir->insn[root].type) == 64 || bits == 1) {
            uint8_t old = l->in[file][root];                 /* it lives here from now on; its temporary is free */
            bool was_pin = old != NO_REG && !(l->temps[file] >> old & 1);
            if (!was_pin && l->ir->insn[root].op != IR_CONST) {
                if (old != NO_REG) l->free[file] |= 1u << old;
                settle(l, root, file, pin);
            }
        }
    } else {
        uint8_t s0 = l->t->scratch[0];
        load(l, INT, s0, root);
        l->t->extend(l->e, s0, s0, bits, false);
        if (l->in[file][root] == pin) {                      /* the narrow value itself was at home here */
            vacate_reg(l, file, pin, n, NOBODY);
            if (l->in[file][root] == pin) l->in[file][root] = NO_REG;
        }
        if (file == FP) l->t->fp_from(l->e, pin, s0);
        else l->t->mov(l->e, pin, s0);
    }
}

static void emit_set(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    unsigned slot = (unsigned)i->imm, bits = ir_type_bits(type_of(l, i->a));
    ir_ref root = l->root[i->a];
    uint64_t v;
    for (unsigned file = 0; file < 2; file++) {
        if (l->j->pin[file][slot] == NO_REG) continue;
        set_pinned(l, n, file, l->j->pin[file][slot]);
        release_operands(l, n);
        return;
    }
    if (l->mem[root] == slot && bits == 64) {                /* there already */
        release_operands(l, n);
        return;
    }
    if (ir_is_const(l->ir, root, &v) && l->in[INT][root] == NO_REG) {
        vacate_slot(l, slot, n);
        if (bits < 64) v &= (1ull << bits) - 1;
        if (!l->t->store_slot_imm(l->e, v, slot)) {
            l->t->imm(l->e, l->t->scratch[0], v);
            l->t->store_slot(l->e, l->t->scratch[0], slot);
        }
        return;
    }
    if (bits < 64 && bits > 1) {
        uint8_t s0 = l->t->scratch[0];
        uint8_t r = l->in[INT][root];
        if (r == NO_REG) load(l, INT, r = s0, root);
        l->t->extend(l->e, s0, r, bits, false);
        vacate_slot(l, slot, n);
        l->t->store_slot(l->e, s0, slot);
        release_operands(l, n);
        return;
    }
    unsigned file = l->in[FP][root] != NO_REG && l->in[INT][root] == NO_REG ? FP : INT;
    uint8_t r = reg_in(l, file, i->a);
    vacate_slot(l, slot, n);
    store(l, file, r, slot);
    if (bits == 64 && l->mem[root] == NO_SLOT && l->last[root] > n && ir_type_bits((enum ir_type)l->ir->insn[root].type) == 64 &&
        l->ir->insn[root].op != IR_CONST) {
        l->mem[root] = (uint8_t)slot;
        l->mem_owner[slot] = root;
    }
    release_operands(l, n);
}

/* ---- accesses by one base: the first probes the TLB and leaves its page for those behind it ---- */

#define PAGE_REACH 512                                       /* farther apart they are rarely in one page */
#define PAGE_AHEAD 256                                       /* IR instructions to look for another one */

/* The base and offset of a plain access. */
static ir_ref base_of(const struct lower *l, const struct ir_insn *i, int32_t *offset)
{
    int64_t k = 0;
    ir_ref base = i->a;
    if (l->folded[i->a] && l->root[i->a] == i->a) {
        (void)immediate(l, l->ir->insn[i->a].b, &k);
        base = l->ir->insn[i->a].a;
    }
    *offset = (int32_t)k;
    return l->root[base];
}

/* An access so far from a probed one is aligned when that was. */
static bool is_in_reach(int32_t distance, unsigned size, unsigned probed_size)
{
    return distance > -PAGE_REACH && distance < PAGE_REACH && size <= probed_size && !(distance & (int32_t)(size - 1));
}

static bool is_wanted_again(const struct lower *l, unsigned n, ir_ref base, int32_t offset)
{
    const struct ir_insn *i = &l->ir->insn[n];
    for (unsigned m = n + 1; m < l->ir->count && m < n + PAGE_AHEAD; m++) {
        const struct ir_insn *next = &l->ir->insn[m];
        int32_t k;
        if (next->op == IR_CALL) return false;
        if (next->op != i->op || !is_plain_access(l, next) || base_of(l, next, &k) != base) continue;
        if (is_in_reach(k - offset, memop_bytes(next->imm), memop_bytes(i->imm))) return true;
    }
    return false;
}

/* Sets page and distance of the access. */
static void find_page(struct lower *l, unsigned n, ir_ref base, struct jit_access *a)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (!has(l, JIT_PAGES)) return;
    for (unsigned p = 0; p < JIT_PAGE_COUNT; p++) {
        const struct lower_page *page = &l->page[p];
        if (!page->is_valid || page->base != base || page->is_store != a->is_store) continue;
        if (!is_in_reach(a->offset - page->offset, memop_bytes(i->imm), page->size)) continue;
        a->page = JIT_PAGE_KNOWN;
        a->page_slot = (uint8_t)(JIT_SLOT_PAGES + 2 * p);
        a->distance = a->offset - page->offset;
        return;
    }
    if (!is_wanted_again(l, n, base, a->offset)) return;
    unsigned p = l->next_page++ % JIT_PAGE_COUNT;
    l->page[p] = (struct lower_page){ .base = base, .offset = a->offset, .size = (uint8_t)memop_bytes(i->imm), .is_store = a->is_store, .is_valid = true };
    a->page = JIT_PAGE_PROBED;
    a->page_slot = (uint8_t)(JIT_SLOT_PAGES + 2 * p);
}

static void emit_access(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    struct jit_access a = { .is_store = i->op == IR_STORE, .memop = (uint32_t)i->imm };
    ir_ref base = base_of(l, i, &a.offset);
    find_page(l, n, base, &a);
    a.base = reg_in(l, INT, base);
    a.place = new_place(l, n);
    if (a.is_store) {
        ir_ref root = l->root[i->b];
        unsigned file = l->in[FP][root] != NO_REG && l->in[INT][root] == NO_REG && (i->imm & MEM_SIZE) >= MEM_32 ? FP : INT;
        a.value = reg_in(l, file, i->b);
        a.is_fp = file == FP;
        release_operands(l, n);
    } else {
        a.is_fp = file_of(i) == FP;
        a.value = reg_out(l, file_of(i), n, NO_REG);
    }
    l->t->access(l->e, &a);
}

static void emit_fp(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    bool is_exact = i->op == IR_BOX || i->op == IR_UNBOX || i->op == IR_FNEG || i->op == IR_FCLASS;
    bool is_nearest = i->op >= IR_FMIN && i->op <= IR_FLE ? true : i->imm == FP_RNE || ((i->op == IR_FTOS || i->op == IR_FTOU) && i->imm == FP_RTZ);
    if (!is_exact && (!l->has_host_fp || !is_nearest)) {
        emit_row(l, n);
        return;
    }
    enum ir_type operand = type_of(l, i->a);
    unsigned in = is_float(operand) || i->op == IR_UNBOX ? FP : INT;
    uint8_t a = reg_in(l, in, i->a), b = reg_in(l, in, i->b), c = reg_in(l, in, i->c);
    uint32_t place = new_place(l, n);
    unsigned file = file_of(i);
    struct emit *e = l->e;
    uint8_t d = reg_out(l, file, n, in == file ? a : NO_REG);
    if (l->t->fp(e, i, operand, d, a, b, c, place)) return;
    const uint8_t regs[] = { a, b, c };
    for (unsigned k = 0; k < 3; k++) {
        if (regs[k] == NO_REG) l->t->imm(e, l->t->scratch[k], 0);
        else if (in == FP) l->t->fp_to(e, l->t->scratch[k], regs[k]);
        else l->t->mov(e, l->t->scratch[k], regs[k]);
    }
    l->t->call(e, place, false);
    from_scratch(l, file, d);
}

/* 32 or 64 when the row's width is one that the back end computes in; narrow ones compute in 32. 0: neither. */
static unsigned width_of(const struct ir_insn *i)
{
    switch ((enum ir_type)i->type) {
    case IR_I64: return 64;
    case IR_I32: return 32;
    case IR_I8: case IR_I16: return i->op == IR_ADD || i->op == IR_SUB || i->op == IR_MUL || (i->op >= IR_AND && i->op <= IR_NEG) ? 32 : 0;
    case IR_I1: return i->op >= IR_AND && i->op <= IR_XOR ? 32 : 0;
    default: return 0;
    }
}

static void finish_by_call(struct lower *l, unsigned n, uint8_t d, uint8_t a, uint8_t b)
{
    if (b != NO_REG) l->t->mov(l->e, l->t->scratch[1], b);
    l->t->mov(l->e, l->t->scratch[0], a);
    l->t->call(l->e, new_place(l, n), false);
    l->t->mov(l->e, d, l->t->scratch[0]);
}

static void emit_binary(struct lower *l, unsigned n, unsigned bits)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    int64_t k;
    uint8_t a = reg_in(l, INT, i->a);
    if (immediate(l, i->b, &k) && (op == IR_ADD || op == IR_SUB || op == IR_AND || op == IR_OR || op == IR_XOR || (op >= IR_SHL && op <= IR_ROR))) {
        uint8_t d = reg_out(l, INT, n, a);
        if (l->t->binary_imm(l->e, op, bits, d, a, k)) return;
        uint8_t s = l->t->scratch[1];
        l->t->imm(l->e, s, (uint64_t)k);
        if (!l->t->binary(l->e, op, bits, d, a, s)) finish_by_call(l, n, d, a, s);
        return;
    }
    uint8_t b = reg_in(l, INT, i->b);
    uint8_t d = reg_out(l, INT, n, a);
    if (!l->t->binary(l->e, op, bits, d, a, b)) finish_by_call(l, n, d, a, b);
}

static bool compare_of(struct lower *l, const struct ir_insn *i, struct jit_compare *c)
{
    enum ir_type t = type_of(l, i->a);
    int64_t k;
    if (t != IR_I64 && t != IR_I32) return false;
    c->op = (enum ir_op)i->op;
    c->bits = (uint8_t)ir_type_bits(t);
    c->a = reg_in(l, INT, i->a);
    c->b = NO_REG;
    c->imm = 0;
    if (immediate(l, i->b, &k) && l->t->fits_compare(k)) c->imm = (int32_t)k;
    else c->b = reg_in(l, INT, i->b);
    return true;
}

static void emit_insn(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    enum ir_type operand = i->a == IR_NONE || op == IR_INSN ? IR_VOID : type_of(l, i->a);
    if (is_dead(i) || l->folded[n]) return;
    if (is_wide_row(l, i)) {
        emit_wide(l, n);
        if (op >= IR_LOAD && op <= IR_CAS) l->accesses++;
        return;
    }
    unsigned bits = width_of(i);
    switch (op) {
    case IR_CONST: return;
    case IR_INSN:
        l->pc = i->imm;
        l->insns = l->insns == 0xffff ? 0 : l->insns + 1;
        return;
    case IR_GETR: emit_get(l, n); return;
    case IR_SETR: emit_set(l, n); return;
    case IR_LOAD: case IR_STORE:
        if (is_plain_access(l, i)) emit_access(l, n);
        else emit_row(l, n);
        l->accesses++;                                       /* behind it: one that faults is none */
        return;
    case IR_LL: case IR_SC: case IR_AMO: case IR_CAS:
        emit_row(l, n);
        l->accesses++;
        return;
    case IR_FENCE: l->t->fence(l->e); return;
    case IR_CALL:  emit_call(l, n); return;
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_AND: case IR_OR: case IR_XOR: case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
    case IR_MULHU: case IR_MULHS: case IR_MULHSU: case IR_DIVU: case IR_DIVS: case IR_REMU: case IR_REMS:
        if (!bits) break;
        emit_binary(l, n, bits);
        return;
    case IR_NOT: case IR_NEG: case IR_CLZ: case IR_CTZ: case IR_POPCNT: case IR_BSWAP: case IR_ORCB: {
        if (!bits) break;
        uint8_t a = reg_in(l, INT, i->a);
        uint8_t d = reg_out(l, INT, n, a);
        if (!l->t->unary(l->e, op, bits, d, a)) finish_by_call(l, n, d, a, NO_REG);
        return;
    }
    case IR_EXTRACT: case IR_SEXTRACT: case IR_DEPOSIT: {
        if (!bits) break;
        uint8_t a = reg_in(l, INT, i->a), b = reg_in(l, INT, i->b);
        uint8_t d = reg_out(l, INT, n, a);
        if (!l->t->field(l->e, op, bits, d, a, b, (unsigned)(i->imm & 0xff), (unsigned)(i->imm >> 8 & 0xff))) finish_by_call(l, n, d, a, b);
        return;
    }
    case IR_ZEXT: case IR_SEXT: {
        uint8_t a = reg_in(l, INT, i->a);
        uint8_t d = reg_out(l, INT, n, a);
        l->t->extend(l->e, d, a, ir_type_bits(operand), op == IR_SEXT);
        return;
    }
    case IR_TRUNC: {                                         /* to one bit: the others are names */
        uint8_t a = reg_in(l, INT, i->a);
        uint8_t d = reg_out(l, INT, n, a);
        l->t->extend(l->e, d, a, 1, false);
        return;
    }
    case IR_EQ: case IR_NE: case IR_ULT: case IR_ULE: case IR_SLT: case IR_SLE: {
        struct jit_compare c;
        if (!compare_of(l, i, &c)) break;
        uint8_t d = reg_out(l, INT, n, NO_REG);
        l->t->set_if(l->e, d, &c);
        return;
    }
    case IR_SEL: {
        if (is_float((enum ir_type)i->type)) break;
        uint8_t a = reg_in(l, INT, i->a), b = reg_in(l, INT, i->b), c = reg_in(l, INT, i->c);
        uint8_t d = reg_out(l, INT, n, b);
        l->t->select(l->e, d, a, b, c);
        return;
    }
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV: case IR_FSQRT: case IR_FMADD: case IR_FRINT: case IR_FMIN: case IR_FMAX: case IR_FNEG:
    case IR_FEQ: case IR_FLT: case IR_FLE: case IR_FTOS: case IR_FTOU: case IR_STOF: case IR_UTOF: case IR_FTOF: case IR_BOX: case IR_UNBOX:
        emit_fp(l, n);
        return;
    case IR_ADC: case IR_SBB: case IR_CARRY: case IR_BORROW: case IR_ADDOV: case IR_SUBOV: case IR_FCLASS:
    case IR_PAIR: case IR_LOW: case IR_HIGH: case IR_OP_COUNT:
        break;
    }
    emit_row(l, n);
}

/* ---- the end ---- */

static uint32_t new_link(struct lower *l, guest_addr to)
{
    struct jit *j = l->j;
    if (j->link_count == JIT_LINKS - 1) l->is_full = true;
    else j->link_count++;
    j->link[j->link_count - 1] = (struct jit_link){ .pc = to.v, .block = l->block };
    return j->link_count - 1;
}

static void here(struct lower *l, jit_patch p)
{
    if (p && !l->e->is_full) l->t->patch(l->e->base, p, l->e->at);
}

/* The unlinked form of a way out: leads to C, which may then patch `site`; into another page it goes through the jump cache. */
static void emit_way_out(struct lower *l, jit_patch site, uint32_t link)
{
    struct jit_link *k = &l->j->link[link];
    bool is_near = (k->pc ^ l->ir->pc.v) >> HV_PAGE_BITS == 0;
    here(l, site);
    if (!is_near && has(l, JIT_CACHE)) {
        l->t->imm(l->e, l->t->scratch[0], k->pc);
        l->t->go(l->e, l->e->prologue->jump_to);
        return;
    }
    k->site = is_near && has(l, JIT_LINK) ? site : 0;
    k->stub = l->e->at;
    l->t->leave(l->e, link, l->e->prologue->leave[LEFT_RESOLVE]);
}

static void count_block(struct lower *l, bool poll, jit_patch out[2])
{
    unsigned insns = l->ir->guest_count, most = 2 * insns, accesses = l->accesses < most ? l->accesses : most;
    out[0] = out[1] = 0;
    if (l->accesses > accesses) l->t->count_excess(l->e, l->accesses - accesses);
    l->t->count(l->e, jit_counts(insns, accesses), poll, out);
}

static void count_only(struct lower *l)
{
    jit_patch out[2];
    count_block(l, false, out);                              /* it is leaving anyway: the sign is C's to see */
    here(l, out[0]);
}

static void emit_branch(struct lower *l)
{
    const struct ir_end *end = &l->ir->end;
    struct jit_compare c = { .op = IR_NE, .bits = 32, .b = NO_REG };
    if (l->folded[end->value] && l->root[end->value] == end->value) (void)compare_of(l, &l->ir->insn[end->value], &c);
    else c.a = reg_in(l, INT, end->value);
    bool is_loop = end->taken.v <= l->ir->pc.v || end->fall.v <= l->ir->pc.v;
    jit_patch out[2];
    count_block(l, is_loop, out);
    jit_patch taken = l->t->branch(l->e, &c), fall = l->t->jump(l->e);
    uint32_t taken_link = new_link(l, end->taken), fall_link = new_link(l, end->fall);
    emit_way_out(l, taken, taken_link);
    emit_way_out(l, fall, fall_link);
    here(l, out[0]);
    here(l, out[1]);
    jit_patch taken_out = l->t->branch(l->e, &c);
    l->t->leave(l->e, fall_link, l->e->prologue->leave[LEFT_BUDGET]);
    here(l, taken_out);
    l->t->leave(l->e, taken_link, l->e->prologue->leave[LEFT_BUDGET]);
}

static void emit_jump(struct lower *l)
{
    guest_addr to = l->ir->end.taken;
    jit_patch out[2];
    count_block(l, to.v <= l->ir->pc.v, out);
    jit_patch site = l->t->jump(l->e);
    uint32_t link = new_link(l, to);
    emit_way_out(l, site, link);
    here(l, out[0]);
    here(l, out[1]);
    l->t->leave(l->e, link, l->e->prologue->leave[LEFT_BUDGET]);
}

static void emit_end(struct lower *l)
{
    const struct ir_end *end = &l->ir->end;
    const struct jit_prologue *p = l->e->prologue;
    jit_patch out[2];
    switch (end->kind) {
    case IR_END_JUMP: case IR_END_NONE: emit_jump(l); return;
    case IR_END_BRANCH:                 emit_branch(l); return;
    case IR_END_INDIRECT:
        load(l, INT, l->t->scratch[0], l->root[end->value]);
        count_block(l, true, out);
        if (has(l, JIT_CACHE)) l->t->jump_cached(l->e);
        else l->t->go(l->e, p->leave_at);
        here(l, out[0]);
        here(l, out[1]);
        l->t->go(l->e, p->budget_at);
        return;
    case IR_END_LEAVE_INDIRECT:
        load(l, INT, l->t->scratch[0], l->root[end->value]);
        count_only(l);
        l->t->go(l->e, p->leave_at);
        return;
    case IR_END_LEAVE: case IR_END_HALT:
        count_only(l);
        l->t->leave(l->e, new_link(l, end->taken), p->leave[end->kind == IR_END_HALT ? LEFT_HALT : LEFT_DISPATCH]);
        return;
    case IR_END_FAULT: {
        struct jit *j = l->j;
        uint32_t place = new_place(l, 0);
        j->place[place].op = IR_OP_COUNT;                    /* raise; the fault lies in the code memory, behind the code */
        l->t->call(l->e, place, false);
        j->place[place].imm = l->e->at;
        for (unsigned i = 0; i < sizeof end->fault; i++) emit8(l->e, ((const uint8_t *)&end->fault)[i]);
        while (l->e->at & 3) emit8(l->e, 0);
        return;
    }
    }
}

size_t jit_plan_bytes(void) { return sizeof(struct lower); }

static void begin(struct lower *l, struct jit *j, struct vcpu *v, const struct ir_block *ir, uint32_t block)
{
    l->j = j;
    l->ir = ir;
    l->t = j->target;
    l->e = &l->emit;
    l->block = block;
    l->is_full = false;
    l->insns = 0xffff;                                       /* the first INSN makes it 0 */
    l->accesses = 0;
    l->pc = ir->pc.v;
    l->has_host_fp = v->regs.fp.is_tiny_before == l->t->is_tiny_before && has(l, JIT_HOSTFP);
    l->active_count = l->next_page = 0;
    memset(l->page, 0, sizeof l->page);
    l->free_spill = (1ull << (JIT_SPILL_END - JIT_SPILL_FIRST)) - 1;
    memset(l->mem_owner, 0xff, sizeof l->mem_owner);         /* NOBODY */
    for (unsigned file = 0; file < 2; file++) {
        const uint8_t *temps = file == FP ? l->t->fp_temps : l->t->temps;
        l->temps[file] = l->locked[file] = 0;
        for (unsigned i = 0; temps[i] != NO_REG; i++) l->temps[file] |= 1u << temps[i];
        l->free[file] = l->temps[file];
    }
    l->emit.base = (uint8_t *)((uintptr_t)j->buffer - j->used);  /* offsets are the code memory's */
    l->emit.at = j->used;
    l->emit.end = j->limit - j->used < JIT_BLOCK_BYTES ? j->limit : j->used + JIT_BLOCK_BYTES;
    l->emit.is_full = false;
    l->emit.prologue = &j->prologue;
    l->emit.stub_count = 0;
    l->emit.features = j->features;
}

void *jit_lower(struct jit *j, struct vcpu *v, const struct ir_block *ir, uint32_t block)
{
    struct lower *l = j->plan;
    uint32_t places = j->place_count, links = j->link_count;
    begin(l, j, v, ir, block);
    plan_uses(l);
    plan_targets(l);
    for (unsigned n = 0; n < ir->count && !l->is_full && !l->emit.is_full; n++) {
        emit_insn(l, n);
        l->locked[INT] = l->locked[FP] = 0;
        release(l, (ir_ref)n, n);                            /* a result that nobody reads */
    }
    if (!l->is_full) emit_end(l);
    l->t->stubs(l->e);
    if (l->is_full || l->emit.is_full) {
        j->place_count = places;
        j->link_count = links;
        return NULL;
    }
    uint32_t first = j->used;
    j->used = (l->emit.at + 15) & ~15u;
    memcpy(j->write + first, j->buffer, l->emit.at - first);
    arch_code_written(j->run + first, l->emit.at - first);
    j->stats.code_bytes += l->emit.at - first;
    j->stats.guest_bytes += ir->guest_bytes;
    return (void *)(uintptr_t)(j->run + first);
}
