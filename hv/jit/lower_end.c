// SPDX-License-Identifier: Apache-2.0
/* How a block ends: counting, links, and the ways out. */
#include "hv/jit/lower.h"

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
    if (!is_near && has(l, JIT_CACHE) && has(l, JIT_SITES)) {
        l->t->jump_cached_to(l->e, k->pc);
        return;
    }
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
    struct jit_compare c = { .op = IR_NE, .bits = 32, .b = NO_REG, .b_slot = JIT_NO_SLOT };
    if (l->folded[end->value] && l->root[end->value] == end->value) (void)lower_compare_of(l, &l->ir->insn[end->value], AT_END, &c);
    else c.a = lower_reg_in(l, INT, end->value);
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

void lower_end(struct lower *l)
{
    const struct ir_end *end = &l->ir->end;
    const struct jit_prologue *p = l->e->prologue;
    jit_patch out[2];
    lower_nan_check(l);
    switch (end->kind) {
    case IR_END_JUMP: case IR_END_NONE: emit_jump(l); return;
    case IR_END_BRANCH:                 emit_branch(l); return;
    case IR_END_INDIRECT:
        lower_load_value(l, INT, l->t->scratch[0], l->root[end->value]);
        count_block(l, true, out);
        if (has(l, JIT_CACHE)) l->t->jump_cached(l->e);
        else l->t->go(l->e, p->leave_at);
        here(l, out[0]);
        here(l, out[1]);
        l->t->go(l->e, p->budget_at);
        return;
    case IR_END_LEAVE_INDIRECT:
        lower_load_value(l, INT, l->t->scratch[0], l->root[end->value]);
        count_only(l);
        l->t->go(l->e, p->leave_at);
        return;
    case IR_END_LEAVE: case IR_END_HALT:
        count_only(l);
        l->t->leave(l->e, new_link(l, end->taken), p->leave[end->kind == IR_END_HALT ? LEFT_HALT : LEFT_DISPATCH]);
        return;
    case IR_END_FAULT: {
        struct jit *j = l->j;
        uint32_t place = lower_new_place(l, 0);
        j->place[place].op = IR_OP_COUNT;                    /* raise; the fault lies in the code memory, behind the code */
        l->t->call(l->e, place, false);
        j->place[place].imm = l->e->at;
        for (unsigned i = 0; i < sizeof end->fault; i++) emit8(l->e, ((const uint8_t *)&end->fault)[i]);
        while (l->e->at & 3) emit8(l->e, 0);
        return;
    }
    }
}
