// SPDX-License-Identifier: Apache-2.0
/* Where values are: host registers of two files, handed out by last use; guest slots; spill slots; constants made again. */
#include "hv/jit/lower.h"

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

void lower_settle(struct lower *l, ir_ref r, unsigned file, uint8_t reg)
{
    l->in[file][r] = reg;
    if (l->temps[file] >> reg & 1) l->owner[file][reg] = r;
    if (l->is_active[r]) return;
    l->is_active[r] = true;
    l->active[l->active_count++] = r;
}

uint8_t lower_take_spill(struct lower *l, bool pair)
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

void lower_free_spill(struct lower *l, uint8_t slot, bool pair) { l->free_spill |= (pair ? 3ull : 1ull) << (slot - JIT_SPILL_FIRST); }

void lower_store_slot(struct lower *l, unsigned file, uint8_t reg, unsigned slot)
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
    if (l->in[!file][r] == NO_REG && l->mem[r] == NO_SLOT && l->ir->insn[r].op != IR_CONST) {
        uint8_t slot = lower_take_spill(l, false);
        if (file == FP) lower_nan_copy(l, NO_REG, r, slot);
        lower_store_slot(l, file, reg, slot);
        l->mem[r] = slot;
    }
    if (file == FP) lower_nan_forget_reg(l, reg);
}

/* A register that holds nothing: a free one, or that of the value whose end is farthest. */
uint8_t lower_take_reg(struct lower *l, unsigned file)
{
    uint32_t usable = l->free[file] & ~l->locked[file];
    if (!usable && file == INT && lower_take_page_reg(l)) usable = l->free[INT] & ~l->locked[INT];
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

void lower_load_value(struct lower *l, unsigned file, uint8_t d, ir_ref root)
{
    uint64_t v;
    if (file == FP) lower_nan_copy(l, d, root, 0);
    else if (lower_nan_is_in(l, root)) lower_nan_check(l);
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
uint8_t lower_reg_in(struct lower *l, unsigned file, ir_ref ref)
{
    if (ref == IR_NONE) return NO_REG;
    ir_ref root = l->root[ref];
    uint8_t reg = l->in[file][root];
    if (reg == NO_REG) {
        reg = lower_take_reg(l, file);
        lower_load_value(l, file, reg, root);
        lower_settle(l, root, file, reg);
    }
    lock(l, file, reg);
    return reg;
}

/* In memory alone, and not worth a register: nobody wants it again, or none is free. */
uint8_t lower_slot_in(const struct lower *l, ir_ref ref, unsigned n)
{
    if (ref == IR_NONE || !l->t->binary_slot || !has(l, JIT_SLOTS)) return NO_SLOT;
    ir_ref root = l->root[ref];
    if (l->in[INT][root] != NO_REG || l->in[FP][root] != NO_REG || l->ir->insn[root].op == IR_CONST || lower_nan_is_in(l, root)) return NO_SLOT;
    bool is_last = l->last[root] <= n, is_full = !(l->free[INT] & ~l->locked[INT]);
    return is_last || is_full ? l->mem[root] : NO_SLOT;
}

static void forget_mem(struct lower *l, ir_ref root)
{
    uint8_t slot = l->mem[root];
    if (slot == NO_SLOT) return;
    l->mem[root] = NO_SLOT;
    if (slot >= JIT_SPILL_FIRST) lower_free_spill(l, slot, is_wide(type_of(l, root)));
    else if (l->mem_owner[slot] == root) l->mem_owner[slot] = NOBODY;
}

void lower_release(struct lower *l, ir_ref ref, unsigned n)
{
    if (ref == IR_NONE) return;
    ir_ref root = l->root[ref];
    if (l->last[root] > n) return;
    lower_nan_release(l, root);
    for (unsigned file = 0; file < 2; file++) {
        uint8_t reg = l->in[file][root];
        if (reg != NO_REG && l->temps[file] >> reg & 1) l->free[file] |= 1u << reg;
        l->in[file][root] = NO_REG;
    }
    forget_mem(l, root);
    drop_active(l, root);
}

void lower_release_operands(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (i->a != IR_NONE && l->folded[i->a] && l->root[i->a] == i->a) lower_release(l, l->ir->insn[i->a].a, n);
    else lower_release(l, i->a, n);
    lower_release(l, i->b, n);
    lower_release(l, i->c, n);
}

/* Before instruction n writes a pinned register: values that are wanted later move out. */
void lower_vacate_reg(struct lower *l, unsigned file, uint8_t reg, unsigned n, ir_ref but)
{
    for (unsigned i = 0; i < l->active_count; i++) {
        ir_ref r = l->active[i];
        if (l->in[file][r] != reg || r == but || l->last[r] <= n) continue;
        if (l->mem[r] != NO_SLOT || l->in[!file][r] != NO_REG) {
            l->in[file][r] = NO_REG;
            continue;
        }
        uint8_t to = lower_take_reg(l, file);
        if (file == FP) lower_nan_copy(l, to, r, 0);
        if (file == FP) l->t->fp_mov(l->e, to, reg);
        else l->t->mov(l->e, to, reg);
        lower_settle(l, r, file, to);
    }
}

/* The same for a guest slot in memory. */
void lower_vacate_slot(struct lower *l, unsigned slot, unsigned n)
{
    ir_ref r = l->mem_owner[slot];
    if (r == NOBODY) return;
    if (l->last[r] > n && l->in[INT][r] == NO_REG && l->in[FP][r] == NO_REG) {
        uint32_t locked = l->locked[INT];
        (void)lower_reg_in(l, INT, r);
        l->locked[INT] = locked;
    }
    if (l->last[r] > n) l->mem[r] = NO_SLOT;                 /* an operand of n itself is read before n writes */
    l->mem_owner[slot] = NOBODY;
}

/* Where the result of n goes: the operands' temporaries may be used again from here on. `like`: a register that suits. */
uint8_t lower_reg_out(struct lower *l, unsigned file, unsigned n, uint8_t like)
{
    uint8_t slot = l->target[n], reg = NO_REG;
    if (slot != NO_SLOT) {
        reg = l->j->pin[file][slot];
        lower_vacate_reg(l, file, reg, n, NOBODY);
    }
    lower_release_operands(l, n);
    l->locked[INT] = l->locked[FP] = 0;
    if (reg == NO_REG && like != NO_REG && l->free[file] >> like & 1) {
        reg = like;
        l->free[file] &= ~(1u << reg);
    }
    if (reg == NO_REG) reg = lower_take_reg(l, file);
    if (file == FP) lower_nan_forget_reg(l, reg);
    lower_settle(l, (ir_ref)n, file, reg);
    return reg;
}
