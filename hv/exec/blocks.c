// SPDX-License-Identifier: Apache-2.0
/* Finding, making and dropping blocks; see blocks.h. */
#include "hv/exec/blocks.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define PAGE_MASK (~(uint64_t)(HV_PAGE_BYTES - 1))

bool blocks_init(struct blocks *bl, const struct blocks_ops *ops)
{
    bl->ops = ops;
    bl->block = heap_alloc(BLOCKS_MAX * sizeof *bl->block);
    bl->page = heap_alloc(BLOCKS_PAGES * sizeof *bl->page);
    bl->source = heap_alloc(BLOCKS_SOURCE);
    memset(bl->hash, 0xff, sizeof bl->hash);
    memset(bl->page_hash, 0xff, sizeof bl->page_hash);
    bl->serial = 1;
    return bl->block && bl->page && bl->source;
}

void blocks_destroy(struct blocks *bl)
{
    heap_free(bl->block);
    heap_free(bl->page);
    heap_free(bl->source);
}

void blocks_drop(struct vcpu *v, struct blocks *bl)
{
    bl->count = bl->source_count = bl->page_count = 0;
    memset(bl->hash, 0xff, sizeof bl->hash);
    memset(bl->page_hash, 0xff, sizeof bl->page_hash);
    bl->serial++;
    bl->flushes++;
    bl->ops->drop(v);
}

void blocks_forget(struct vcpu *v, struct blocks *bl)
{
    (void)v;
    bl->code_epoch++;                                        /* comparing bytes is cheap: all blocks are suspects */
    bl->serial++;
}

static uint32_t hash_of(uint64_t gpa, uint64_t pc, uint32_t mode)
{
    uint64_t h = (gpa >> 1) * 0x9e3779b97f4a7c15ull ^ (pc >> 12) * 0xc2b2ae3d27d4eb4full ^ mode * 0x165667b19e3779f9ull;
    return (uint32_t)(h >> 40) & (BLOCKS_HASH - 1);
}

/* The bytes of a block as they are in guest memory now. */
static bool source_is_unchanged(struct vcpu *v, const struct blocks *bl, const struct code_block *b)
{
    const uint8_t *copy = bl->source + b->source;
    uint64_t first = HV_PAGE_BYTES - (b->gpa & (HV_PAGE_BYTES - 1));
    if (first > b->source_bytes) first = b->source_bytes;
    const void *p = gmem_slice(v->mmu.gmem, guest_phys_addr_make(b->gpa), first, ACCESS_EXECUTE);
    if (!p || !gmem_equals_shared(p, copy, first)) return false;
    if (first == b->source_bytes) return true;
    p = gmem_slice(v->mmu.gmem, guest_phys_addr_make(b->second_gpa), b->source_bytes - first, ACCESS_EXECUTE);
    return p && gmem_equals_shared(p, copy + first, b->source_bytes - first);
}

/* A block that crosses pages is checked on every entry: its second page may be mapped elsewhere by now. */
static bool second_page_holds(struct vcpu *v, const struct code_block *b)
{
    struct translation t;
    struct fault why;
    guest_addr second = guest_addr_make((b->pc & PAGE_MASK) + HV_PAGE_BYTES);
    return mmu_translate_fault(&v->mmu, second, ACCESS_EXECUTE, &t, &why) && t.gpa.v == b->second_gpa;
}

/* The record of a guest-physical page, made when there is none; NULL when there is no room. */
static struct code_page *page_at(struct blocks *bl, uint64_t gpa, bool make)
{
    uint32_t *head = &bl->page_hash[(gpa >> HV_PAGE_BITS) * 0x9e3779b97f4a7c15ull >> 52 & (BLOCKS_PAGE_HASH - 1)];
    for (uint32_t n = *head; n != NO_BLOCK; n = bl->page[n].next) {
        if (bl->page[n].gpa == (gpa & PAGE_MASK)) return &bl->page[n];
    }
    if (!make || bl->page_count == BLOCKS_PAGES) return NULL;
    bl->page[bl->page_count] = (struct code_page){ .gpa = gpa & PAGE_MASK, .epoch = bl->code_epoch, .first = NO_BLOCK, .next = *head };
    *head = bl->page_count;
    return &bl->page[bl->page_count++];
}

/* After a code fence: each block of the page compares its bytes. A stale one is never found again; its memory comes back with
 * the next drop. */
static void check_page(struct vcpu *v, struct blocks *bl, struct code_page *p)
{
    bool any = false;
    for (uint32_t *link = &p->first; *link != NO_BLOCK;) {
        struct code_block *b = &bl->block[*link];
        bl->revalidations++;
        if (source_is_unchanged(v, bl, b)) {
            link = &b->next_in_page;
        } else {
            b->is_stale = any = true;
            *link = b->next_in_page;
        }
    }
    p->epoch = bl->code_epoch;
    if (any) bl->ops->unlink_stale(v);
}

static struct code_block *find_block(struct vcpu *v, struct blocks *bl, uint64_t gpa)
{
    struct code_page *page = page_at(bl, gpa, false);
    if (page && page->epoch != bl->code_epoch) check_page(v, bl, page);
    uint32_t *link = &bl->hash[hash_of(gpa, v->regs.pc, v->regs.mode)];
    while (*link != NO_BLOCK) {
        struct code_block *b = &bl->block[*link];
        if (b->is_stale) *link = b->next;
        else if (b->gpa != gpa || b->pc != v->regs.pc || b->mode != v->regs.mode) link = &b->next;
        else if (b->crosses && (!second_page_holds(v, b) || !source_is_unchanged(v, bl, b))) break;   /* its second page has fences of its own */
        else return b;
    }
    return NULL;
}

/* NULL: no room for it, or its second page went away. */
static struct code_block *keep_block(struct vcpu *v, struct blocks *bl, uint64_t gpa)
{
    struct ir_block *ir = &bl->ir;
    struct code_block *b = &bl->block[bl->count];
    uint32_t bytes = ir->guest_bytes;
    uint64_t room = HV_PAGE_BYTES - (gpa & (HV_PAGE_BYTES - 1));
    *b = (struct code_block){ .pc = ir->pc.v, .gpa = gpa, .mode = ir->mode, .source = bl->source_count,
                         .source_bytes = (uint16_t)bytes, .crosses = bytes > room };
    struct code_page *page = page_at(bl, gpa, true);
    if (page) b->entry = bl->ops->compile(v, ir, bl->count);
    if (!b->entry) return NULL;
    if (b->crosses) {
        struct translation t;
        struct fault why;
        if (!mmu_translate_fault(&v->mmu, guest_addr_make((b->pc & PAGE_MASK) + HV_PAGE_BYTES), ACCESS_EXECUTE, &t, &why)) return NULL;
        b->second_gpa = t.gpa.v;
    }
    memcpy(bl->source + b->source, ir->source, bytes);
    bl->source_count += (bytes + 7) & ~7u;
    uint32_t *head = &bl->hash[hash_of(gpa, b->pc, b->mode)];
    b->next = *head;
    b->next_in_page = page->first;
    page->first = bl->count;
    *head = bl->count++;
    return b;
}

static struct code_block *make_block(struct vcpu *v, struct blocks *bl)
{
    guest_phys_addr gpa;
    struct code_block *b = NULL;
    if (bl->count >= BLOCKS_MAX - 1 || bl->source_count >= BLOCKS_SOURCE - 1024 || bl->page_count >= BLOCKS_PAGES - 1 || bl->ops->is_full(v)) blocks_drop(v, bl);
    for (unsigned most = IR_BLOCK_GUEST; !b; most /= 2) {
        if (!lift_block(v, guest_addr_make(v->regs.pc), most, &bl->ir, &gpa, &v->fault)) return NULL;
        bl->lifts++;
        b = keep_block(v, bl, gpa.v);
        if (!b && most == 1) {
            v->fault = fault_invalid_opcode(guest_addr_make(v->regs.pc), 0);
            return NULL;
        }
    }
    return b;
}

/* A breakpoint's block is neither cached nor linked, so that every way there leads through here. */
void *blocks_lookup(struct vcpu *v, struct blocks *bl)
{
    if (bl->seen_epoch != v->mmu.epoch) {
        bl->seen_epoch = v->mmu.epoch;
        bl->serial++;
    }
    bl->tag = (uint64_t)bl->serial << 32 | v->regs.mode;
    struct jump_entry *j = &bl->jump[v->regs.pc >> 1 & (BLOCKS_JUMPS - 1)];
    if (j->pc == v->regs.pc && j->tag == bl->tag) {
        bl->found = j->block;
        return j->entry;
    }
    bool is_break = breakpoints_have(v->breaks, guest_addr_make(v->regs.pc));
    bl->is_at_break = is_break && !v->is_past_break;
    if (bl->is_at_break) return NULL;

    struct translation t;
    if (!mmu_translate_fault(&v->mmu, guest_addr_make(v->regs.pc), ACCESS_EXECUTE, &t, &v->fault)) return NULL;
    struct code_block *b = find_block(v, bl, t.gpa.v);
    if (!b) {
        b = make_block(v, bl);
        if (!b) return NULL;
        bl->tag = (uint64_t)bl->serial << 32 | v->regs.mode;
    }
    if (is_break) v->is_past_break = false;
    else if (!b->crosses) *j = (struct jump_entry){ .pc = v->regs.pc, .tag = bl->tag, .entry = b->entry, .block = b };
    bl->found = b;
    v->fault.kind = FAULT_NONE;                              /* what looking it up left there */
    return b->entry;
}

bool blocks_may_link(const struct vcpu *v, const struct code_block *from, const struct code_block *to)
{
    if (breakpoints_have(v->breaks, guest_addr_make(v->regs.pc))) return false;
    return !((from->pc ^ v->regs.pc) & PAGE_MASK) && !from->crosses && !to->crosses;
}
