// SPDX-License-Identifier: Apache-2.0
/* 128-bit rows: such values are always in memory, in two neighbouring spill slots. */
#include "hv/base/string.h"
#include "hv/jit/lower.h"

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
        lower_vacate_reg(l, file, j->pin[file][slot], n, NOBODY);
        if (file == FP) l->t->fp_from(l->e, j->pin[FP][slot], l->t->scratch[k]);
        else l->t->mov(l->e, j->pin[INT][slot], l->t->scratch[k]);
        return;
    }
    lower_vacate_slot(l, slot, n);
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
    uint8_t slot = lower_take_spill(l, wide);
    *mine = true;
    lower_load_value(l, INT, l->t->scratch[0], root);
    l->t->store_slot(l->e, l->t->scratch[0], slot);
    if (wide) {
        l->t->imm(l->e, l->t->scratch[0], 0);
        l->t->store_slot(l->e, l->t->scratch[0], slot + 1u);
    }
    return slot;
}

static uint8_t wide_out(struct lower *l, unsigned n)
{
    uint8_t slot = lower_take_spill(l, true);
    l->mem[n] = slot;
    l->is_active[n] = true;
    l->active[l->active_count++] = (ir_ref)n;
    return slot;
}

void lower_wide(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    const uint8_t s0 = l->t->scratch[0];
    uint8_t out;
    bool mine[3];
    lower_nan_check(l);
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
        uint32_t place = lower_new_place(l, n);
        memcpy(l->j->place[place].slot, (uint8_t[]){ out, slot[0], slot[1], slot[2] }, 4);
        l->t->call(l->e, place, false);
        if (is_narrow) l->t->load_slot(l->e, s0, JIT_SLOT_RESULT);
    }
    for (unsigned k = 0; k < 3; k++) {
        if (mine[k]) lower_free_spill(l, slot[k], is_wide(type_of(l, l->root[refs[k]])));
    }
    if (i->type == IR_VOID || is_wide((enum ir_type)i->type)) lower_release_operands(l, n);
    else lower_from_scratch(l, INT, lower_reg_out(l, INT, n, NO_REG));
}

bool lower_is_wide_row(const struct lower *l, const struct ir_insn *i)
{
    if (is_wide((enum ir_type)i->type)) return true;
    if (i->op == IR_INSN || i->op == IR_CALL) return false;
    return (i->a != IR_NONE && is_wide(type_of(l, i->a))) || (i->b != IR_NONE && is_wide(type_of(l, i->b)));
}
