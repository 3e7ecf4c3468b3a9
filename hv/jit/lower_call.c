// SPDX-License-Identifier: Apache-2.0
/* Rows that C runs: their arguments, their place in the guest, and what a helper may see. */
#include "hv/base/string.h"
#include "hv/jit/lower.h"

uint32_t lower_new_place(struct lower *l, unsigned n)
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

void lower_to_scratch(struct lower *l, unsigned k, ir_ref ref)
{
    if (ref != IR_NONE) lower_load_value(l, INT, l->t->scratch[k], l->root[ref]);
    else l->t->imm(l->e, l->t->scratch[k], 0);
}

void lower_from_scratch(struct lower *l, unsigned file, uint8_t d)
{
    if (file == FP) l->t->fp_from(l->e, d, l->t->scratch[0]);
    else l->t->mov(l->e, d, l->t->scratch[0]);
}

/* A row by its C meaning. */
void lower_row(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    lower_nan_check(l);
    lower_to_scratch(l, 0, i->a);
    lower_to_scratch(l, 1, i->b);
    lower_to_scratch(l, 2, i->c);
    l->t->call(l->e, lower_new_place(l, n), false);
    if (i->type == IR_VOID) {
        lower_release_operands(l, n);
        return;
    }
    unsigned file = file_of(i);
    lower_from_scratch(l, file, lower_reg_out(l, file, n, NO_REG));
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
        uint8_t to = lower_take_reg(l, INT);
        lower_load_value(l, INT, to, r);
        l->in[INT][r] = l->in[FP][r] = NO_REG;
        lower_settle(l, r, INT, to);
    }
    for (unsigned slot = 0; slot < JIT_SPILL_FIRST; slot++) lower_vacate_slot(l, slot, n);
    for (unsigned i = 0; i < l->active_count; i++) {
        ir_ref r = l->active[i];
        for (unsigned file = 0; file < 2 && l->last[r] > n; file++) {
            uint8_t reg = l->in[file][r];
            if (reg != NO_REG && !(l->temps[file] >> reg & 1)) l->in[file][r] = NO_REG;
        }
    }
}

void lower_call(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    bool is_pure = ((const struct ir_helper *)(uintptr_t)i->imm)->flags & HELPER_PURE;
    lower_nan_check(l);
    if (!is_pure) leave_slots(l, n);
    if (!is_pure) lower_drop_pages(l);
    lower_to_scratch(l, 0, i->a);
    lower_to_scratch(l, 1, i->b);
    lower_to_scratch(l, 2, i->c);
    l->t->call(l->e, lower_new_place(l, n), !is_pure);
    if (i->type == IR_VOID || !l->ir->uses[n]) {
        lower_release_operands(l, n);
        return;
    }
    unsigned file = file_of(i);
    lower_from_scratch(l, file, lower_reg_out(l, file, n, NO_REG));
}
