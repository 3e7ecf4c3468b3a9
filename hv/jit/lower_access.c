// SPDX-License-Identifier: Apache-2.0
/* Accesses to guest memory. Of those by one base the first probes the TLB for a window that holds
 * them all, and leaves it for those behind it. */
#include "hv/jit/lower.h"

#define WINDOW_BYTES 512                                     /* larger ones are rarely in one page */
#define WINDOW_AHEAD 256                                     /* IR instructions to look for another access */

/* The base and offset of a plain access. */
static ir_ref base_of(const struct lower *l, const struct ir_insn *i, int32_t *offset)
{
    int64_t k = 0;
    ir_ref base = i->a;
    if (l->folded[i->a] && l->root[i->a] == i->a) {
        (void)lower_immediate(l, l->ir->insn[i->a].b, &k);
        base = l->ir->insn[i->a].a;
    }
    *offset = (int32_t)k;
    return l->root[base];
}

/* What an access's address is a constant away from. */
static ir_ref trunk_of(const struct lower *l, ir_ref r, int64_t *offset)
{
    int64_t k;
    for (*offset = 0, r = l->root[r];; r = l->root[l->ir->insn[r].a]) {
        const struct ir_insn *i = &l->ir->insn[r];
        if (i->op != IR_ADD || i->type != IR_I64 || !lower_immediate(l, i->b, &k) || *offset + k != (int32_t)(*offset + k)) return r;
        *offset += k;
    }
}

/* The window of an access and as many as there are behind it. False: it is alone. */
static bool find_window(const struct lower *l, unsigned n, ir_ref base, int64_t offset, struct lower_page *w)
{
    bool any = false;
    *w = (struct lower_page){ .base = base, .first = offset, .end = offset + memop_bytes(l->ir->insn[n].imm), .is_write = l->ir->insn[n].op == IR_STORE,
                              .reg = NO_REG, .is_valid = true };
    for (unsigned m = n + 1; m < l->ir->count && m < n + WINDOW_AHEAD; m++) {
        const struct ir_insn *next = &l->ir->insn[m];
        int64_t at;
        if (next->op == IR_CALL) break;
        if ((next->op != IR_LOAD && next->op != IR_STORE) || !lower_is_plain_access(l, next) || trunk_of(l, next->a, &at) != base) continue;
        int64_t first = at < w->first ? at : w->first, end = at + memop_bytes(next->imm) > w->end ? at + memop_bytes(next->imm) : w->end;
        if (end - first > WINDOW_BYTES) continue;
        w->first = first, w->end = end;
        w->is_write |= next->op == IR_STORE;
        any = true;
    }
    return any;
}

static void free_page_reg(struct lower *l, struct lower_page *w)
{
    if (w->reg != NO_REG) l->free[INT] |= 1u << w->reg;
    w->reg = NO_REG;
}

void lower_drop_pages(struct lower *l)
{
    for (unsigned p = 0; p < JIT_PAGE_COUNT; p++) {
        if (l->page[p].is_valid) free_page_reg(l, &l->page[p]);
        l->page[p].is_valid = false;
    }
}

bool lower_take_page_reg(struct lower *l)
{
    for (unsigned p = 0; p < JIT_PAGE_COUNT; p++) {
        if (!l->page[p].is_valid || l->page[p].reg == NO_REG) continue;
        free_page_reg(l, &l->page[p]);
        return true;
    }
    return false;
}

/* The window that the access is in, NULL: none. Sets page and distance. */
static struct lower_page *find_page(struct lower *l, unsigned n, struct jit_access *a)
{
    int64_t offset;
    ir_ref base = trunk_of(l, l->ir->insn[n].a, &offset);
    struct lower_page *w = NULL;
    if (!has(l, JIT_PAGES)) return NULL;
    for (unsigned p = 0; p < JIT_PAGE_COUNT && !w; p++) {
        struct lower_page *k = &l->page[p];
        bool is_in = k->is_valid && k->base == base && offset >= k->first && offset + memop_bytes(a->memop) <= k->end;
        if (is_in && (k->is_write || !a->is_store)) w = k, a->page = JIT_PAGE_KNOWN;
    }
    struct lower_page fresh;
    if (!w && find_window(l, n, base, offset, &fresh)) {
        w = &l->page[l->next_page++ % JIT_PAGE_COUNT];
        if (w->is_valid) free_page_reg(l, w);
        *w = fresh;
        a->page = JIT_PAGE_PROBED;
        a->window_first = (int32_t)(a->offset + fresh.first - offset);
        a->window_bytes = (int32_t)(fresh.end - fresh.first);
        a->window_is_write = fresh.is_write;
    }
    if (!w) return NULL;
    a->page_slot = (uint8_t)(JIT_SLOT_PAGES + (w - l->page));
    a->distance = (int32_t)(offset - w->first);
    return w;
}

/* A window's address is held in a register that nobody wants: found out last, when the access has all that it needs. */
static void hold_page(struct lower *l, struct lower_page *w, struct jit_access *a)
{
    uint32_t unused = l->free[INT] & ~l->locked[INT];
    if (!w) return;
    if (a->page == JIT_PAGE_PROBED && unused) {
        w->reg = (uint8_t)__builtin_ctz(unused);
        l->free[INT] &= ~(1u << w->reg);
    }
    a->page_reg = w->reg;
}

void lower_access(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    struct jit_access a = { .is_store = i->op == IR_STORE, .memop = (uint32_t)i->imm, .page_reg = NO_REG };
    ir_ref base = base_of(l, i, &a.offset);
    if (a.is_store && lower_nan_is_in(l, l->root[i->b])) lower_nan_check(l);
    struct lower_page *w = find_page(l, n, &a);
    a.base = lower_reg_in(l, INT, base);
    a.place = lower_new_place(l, n);
    lower_nan_visible(l, &a.unchecked);
    if (a.is_store) {
        ir_ref root = l->root[i->b];
        unsigned file = l->in[FP][root] != NO_REG && l->in[INT][root] == NO_REG && (i->imm & MEM_SIZE) >= MEM_32 ? FP : INT;
        a.value = lower_reg_in(l, file, i->b);
        a.is_fp = file == FP;
        lower_release_operands(l, n);
    } else {
        a.is_fp = file_of(i) == FP;
        a.value = lower_reg_out(l, file_of(i), n, NO_REG);
    }
    hold_page(l, w, &a);
    l->t->access(l->e, &a);
}

void lower_atomic(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    struct jit_access a = { .atomic = (enum ir_op)i->op, .memop = (uint32_t)i->imm, .page_reg = NO_REG };
    lower_nan_check(l);
    a.base = lower_reg_in(l, INT, i->a);
    a.value = lower_reg_in(l, INT, i->b);
    a.place = lower_new_place(l, n);
    a.result = lower_reg_out(l, INT, n, NO_REG);
    l->t->access(l->e, &a);
}
