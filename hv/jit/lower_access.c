// SPDX-License-Identifier: Apache-2.0
/* Accesses to guest memory. Of those by one base the first probes the TLB and leaves its page for those behind it. */
#include "hv/jit/lower.h"

#define PAGE_REACH 512                                       /* farther apart they are rarely in one page */
#define PAGE_AHEAD 256                                       /* IR instructions to look for another one */

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
        if (next->op != i->op || !lower_is_plain_access(l, next) || base_of(l, next, &k) != base) continue;
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

void lower_access(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    struct jit_access a = { .is_store = i->op == IR_STORE, .memop = (uint32_t)i->imm };
    ir_ref base = base_of(l, i, &a.offset);
    if (a.is_store && lower_nan_is_in(l, l->root[i->b])) lower_nan_check(l);
    find_page(l, n, base, &a);
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
    l->t->access(l->e, &a);
}
