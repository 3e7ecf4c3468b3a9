// SPDX-License-Identifier: Apache-2.0
/* Both levels of the soft TLB: finding, filling and the four flushes; see mmu.h and tlb.h. */
#include "hv/mmu/tlb.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

const struct mmu_kind MMU_SOFT_TLB = { "soft TLB" };

/* ---- ranges ---- */

static const struct va_range NOWHERE = { UINT64_MAX, 0 };

static void range_add(struct va_range *r, uint64_t at, unsigned bits)
{
    uint64_t inside = bits >= 64 ? UINT64_MAX : (1ull << bits) - 1;
    if ((at & ~inside) < r->low) r->low = at & ~inside;
    if ((at | inside) > r->high) r->high = at | inside;
}

static bool range_has(const struct va_range *r, uint64_t at) { return at >= r->low && at <= r->high; }

static bool is_same_mapping(uint64_t a, uint64_t b, unsigned page_bits)
{
    return page_bits >= 64 || (a ^ b) >> page_bits == 0;
}

/* ---- the fetch filter ---- */

static unsigned filter_bit(uint64_t at, unsigned page_bits)
{
    return (unsigned)((at >> page_bits ^ page_bits) * 0x9e3779b97f4a7c15ull >> 32) & (TLB_FILTER_BITS - 1);
}

static void note_fetch(struct tlb2 *t, uint64_t at, unsigned page_bits)
{
    unsigned bit = filter_bit(at, page_bits & 63);
    t->fetched[bit / 64] |= 1ull << bit % 64;
    t->fetched_sizes |= 1ull << (page_bits & 63);
}

static bool may_have_fetched(const struct tlb2 *t, uint64_t at)
{
    if (t->fetched_split) return true;
    for (uint64_t left = t->fetched_sizes; left; left &= left - 1) {
        unsigned bit = filter_bit(at, (unsigned)__builtin_ctzll(left));
        if (t->fetched[bit / 64] >> bit % 64 & 1) return true;
    }
    return false;
}

void tlb_note_split_fetch(struct mmu *m) { m->second->fetched_split = true; }

/* ---- first level ---- */

static uint64_t page_of(const struct tlb_entry *e)
{
    return e->read != MMU_TAG_INVALID ? e->read : e->execute != MMU_TAG_INVALID ? e->execute : e->write;
}

static void drop(struct mmu *m, unsigned context, unsigned index)
{
    struct tlb1_shadow *s = &m->second->shadow[context];
    struct tlb_entry *e = &m->table[context][index];
    e->read = e->write = e->execute = MMU_TAG_INVALID;
    s->valid[index / 64] &= ~(1ull << index % 64);
    s->local[index / 64] &= ~(1ull << index % 64);
}

/* Empties every first-level table, or only what is not global in them. */
static void empty_first_level(struct mmu *m, bool and_globals)
{
    for (uint32_t left = m->second->dirty_contexts; left; left &= left - 1) {
        unsigned context = (unsigned)__builtin_ctz(left);
        struct tlb1_shadow *s = &m->second->shadow[context];
        for (unsigned w = 0; w < TLB_WORDS; w++) {
            uint64_t gone = and_globals ? s->valid[w] : s->local[w];
            for (; gone; gone &= gone - 1) drop(m, context, w * 64 + (unsigned)__builtin_ctzll(gone));
        }
        if (and_globals) s->large = NOWHERE;
    }
    if (and_globals) m->second->dirty_contexts = 0;
}

static void drop_page(struct mmu *m, unsigned context, uint64_t page, bool and_globals)
{
    struct tlb1_shadow *s = &m->second->shadow[context];
    unsigned index = page >> HV_PAGE_BITS & (MMU_TLB_ENTRIES - 1);
    const uint64_t *mine = and_globals ? s->valid : s->local;
    if (mine[index / 64] >> index % 64 & 1 && page_of(&m->table[context][index]) == page) drop(m, context, index);
    if (!range_has(&s->large, page)) return;
    for (unsigned w = 0; w < TLB_WORDS; w++) {               /* the other pieces of a larger mapping go too */
        for (uint64_t left = mine[w]; left; left &= left - 1) {
            unsigned i = w * 64 + (unsigned)__builtin_ctzll(left);
            if (is_same_mapping(page_of(&m->table[context][i]), page, s->page_bits[i])) drop(m, context, i);
        }
    }
}

void tlb1_fill(struct mmu *m, uint64_t page, unsigned context, const struct translation *t, unsigned perms, void *host_page)
{
    unsigned index = page >> HV_PAGE_BITS & (MMU_TLB_ENTRIES - 1);
    struct tlb1_shadow *s = &m->second->shadow[context];
    uint64_t bit = 1ull << index % 64;
    m->table[context][index] = (struct tlb_entry){ .read = perms & PERM_READ ? page : MMU_TAG_INVALID,
                                                   .write = perms & PERM_WRITE ? page : MMU_TAG_INVALID,
                                                   .execute = perms & PERM_EXECUTE ? page : MMU_TAG_INVALID,
                                                   .addend = (uintptr_t)host_page - page };
    s->valid[index / 64] |= bit;
    s->local[index / 64] = t->is_global ? s->local[index / 64] & ~bit : s->local[index / 64] | bit;
    s->page_bits[index] = t->page_bits;
    if (t->page_bits > HV_PAGE_BITS) range_add(&s->large, page, t->page_bits);
    if (perms & PERM_EXECUTE) note_fetch(m->second, page, t->page_bits);
    m->second->dirty_contexts |= 1u << context;
}

/* ---- second level ---- */

static struct tlb2_entry *set_of(const struct tlb2_level *l, uint64_t at, unsigned asid)
{
    uint64_t n = at >> l->shift;
    unsigned index = (unsigned)(n ^ n >> 9 ^ n >> 18) & (l->sets - 1);
    return &l->entry[(index ^ (asid & (TLB_ASID_SETS - 1)) * (l->sets / TLB_ASID_SETS)) * TLB_WAYS];
}

static uint64_t key_of(const struct tlb2_level *l, uint64_t at, unsigned context) { return at >> l->shift << l->shift | context; }

static const struct tlb2_entry *find_in(const struct mmu *m, const struct tlb2_level *l, uint64_t at, unsigned context, unsigned needs)
{
    uint64_t key = key_of(l, at, context);
    unsigned mine = m->asid & (TLB_ASID_SETS - 1);
    for (unsigned try = 0; try < 2; try++) {                 /* its ASID's set, then the one of global entries */
        const struct tlb2_entry *e = set_of(l, at, try ? 0 : mine);
        for (unsigned i = 0; i < TLB_WAYS; i++, e++) {
            if (e->key == key && e->generation == m->second->generation && (e->asid == m->asid || e->perms & TLB2_GLOBAL) &&
                (e->perms & needs) == needs) return e;
        }
        if (!mine) break;
    }
    return NULL;
}

bool tlb2_find(struct mmu *m, uint64_t at, unsigned context, unsigned needs, struct translation *out)
{
    const struct tlb2_level *l = &m->second->small;
    const struct tlb2_entry *e = find_in(m, l, at, context, needs);
    if (!e) {
        l = &m->second->large;
        e = find_in(m, l, at, context, needs);
    }
    if (!e) return false;
    *out = (struct translation){ .gpa = { e->gpa | (at & ((1ull << l->shift) - 1)) }, .page_bits = e->page_bits,
                                 .perms = e->perms & (PERM_READ | PERM_WRITE | PERM_EXECUTE), .is_global = e->perms & TLB2_GLOBAL,
                                 .same_bits = (uint8_t)l->shift };
    return true;
}

void tlb2_fill(struct mmu *m, uint64_t at, unsigned context, const struct translation *t)
{
    struct tlb2 *second = m->second;
    bool is_large = t->page_bits >= TLB_LARGE_BITS && t->same_bits >= TLB_LARGE_BITS && !((at ^ t->gpa.v) << (64 - TLB_LARGE_BITS));
    struct tlb2_level *l = is_large ? &second->large : &second->small;
    struct tlb2_entry *set = set_of(l, at, t->is_global ? 0 : m->asid), *victim = NULL;
    uint64_t key = key_of(l, at, context);
    for (unsigned i = 0; i < TLB_WAYS; i++) {
        struct tlb2_entry *e = &set[i];
        bool is_live = e->generation == second->generation;
        if (!is_live && !victim) victim = e;
        if (is_live && e->key == key && e->asid == m->asid) {
            victim = e;                                      /* the same piece with other rights */
            break;
        }
    }
    if (!victim) victim = &set[l->next_way++ % TLB_WAYS];
    *victim = (struct tlb2_entry){ .key = key, .gpa = t->gpa.v >> l->shift << l->shift, .generation = second->generation, .asid = m->asid,
                                   .perms = (uint8_t)(t->perms | (t->is_global ? TLB2_GLOBAL : 0)), .page_bits = t->page_bits };
    if (t->page_bits != l->shift) range_add(&l->fractured, at, t->page_bits);
}

static void flush_set(struct tlb2_entry *e, uint64_t base, unsigned shift, bool any_asid, uint16_t asid)
{
    for (unsigned i = 0; i < TLB_WAYS; i++, e++) {
        if (e->key >> shift << shift == base && (any_asid || (e->asid == asid && !(e->perms & TLB2_GLOBAL)))) e->generation = 0;
    }
}

static void flush_level(struct tlb2_level *l, uint64_t at, bool any_asid, uint16_t asid)
{
    uint64_t base = key_of(l, at, 0);
    for (unsigned i = 0; i < TLB_ASID_SETS; i++) {
        if (any_asid || i == (asid & (TLB_ASID_SETS - 1))) flush_set(set_of(l, at, i), base, l->shift, any_asid, asid);
    }
    if (!range_has(&l->fractured, at)) return;
    for (struct tlb2_entry *e = l->entry; e < l->entry + (size_t)l->sets * TLB_WAYS; e++) {
        if (is_same_mapping(e->key, at, e->page_bits > l->shift ? e->page_bits : l->shift) &&
            (any_asid || (e->asid == asid && !(e->perms & TLB2_GLOBAL)))) e->generation = 0;
    }
}

static void flush_level_asid(struct tlb2_level *l, uint16_t asid)
{
    for (struct tlb2_entry *e = l->entry; e < l->entry + (size_t)l->sets * TLB_WAYS; e++) {
        if (e->asid == asid && !(e->perms & TLB2_GLOBAL)) e->generation = 0;
    }
}

void tlb_init(struct mmu *m)
{
    struct tlb2 *t = m->second;
    memset(t, 0, sizeof *t);
    memset(m->table, 0xff, sizeof(*m->table) * MMU_CONTEXTS);                    /* MMU_TAG_INVALID */
    t->generation = 1;
    t->small = (struct tlb2_level){ .entry = t->small_entry, .sets = TLB_SMALL_SETS, .shift = HV_PAGE_BITS, .fractured = NOWHERE };
    t->large = (struct tlb2_level){ .entry = t->large_entry, .sets = TLB_LARGE_SETS, .shift = TLB_LARGE_BITS, .fractured = NOWHERE };
    for (unsigned i = 0; i < MMU_CONTEXTS; i++) t->shadow[i].large = NOWHERE;
}

/* ---- flushes ---- */

void mmu_flush_tlb(struct mmu *m)
{
    struct tlb2 *t = m->second;
    empty_first_level(m, true);
    if (++t->generation == 0) {                              /* wrapped: no old entry may look live again */
        memset(t->small_entry, 0, sizeof t->small_entry);
        memset(t->large_entry, 0, sizeof t->large_entry);
        t->generation = 1;
    }
    t->small.fractured = t->large.fractured = NOWHERE;
    memset(t->fetched, 0, sizeof t->fetched);
    t->fetched_sizes = 0;
    t->fetched_split = false;
    m->epoch++;
}

void mmu_flush_tlb_asid(struct mmu *m, uint16_t asid)
{
    flush_level_asid(&m->second->small, asid);
    flush_level_asid(&m->second->large, asid);
    if (asid != m->asid) return;                             /* the first level holds none of it */
    empty_first_level(m, false);
    m->epoch++;
}

static void flush_page(struct mmu *m, uint64_t at, bool any_asid, uint16_t asid)
{
    flush_level(&m->second->small, at, any_asid, asid);
    flush_level(&m->second->large, at, any_asid, asid);
    if (!any_asid && asid != m->asid) return;
    for (uint32_t left = m->second->dirty_contexts; left; left &= left - 1) {
        drop_page(m, (unsigned)__builtin_ctz(left), at & TLB_PAGE_MASK, any_asid);
    }
    if (may_have_fetched(m->second, at)) m->epoch++;
}

void mmu_flush_tlb_page(struct mmu *m, guest_addr at)                     { flush_page(m, at.v, true, 0); }
void mmu_flush_tlb_page_asid(struct mmu *m, guest_addr at, uint16_t asid) { flush_page(m, at.v, false, asid); }

void mmu_set_asid(struct mmu *m, uint16_t asid)
{
    if (m->asid == asid) return;
    m->asid = asid;
    empty_first_level(m, false);
    m->epoch++;
}
