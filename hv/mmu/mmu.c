// SPDX-License-Identifier: Apache-2.0
/* Making, switching and reading an MMU; see mmu.h. */
#include "hv/base/assert.h"
#include "hv/core/heap.h"
#include "hv/mmu/tlb.h"

struct vm_error mmu_init(struct mmu *m, struct gmem *gmem, struct mmio_bus *bus, mmu_walk_fn *walk, void *owner)
{
    *m = (struct mmu){ .kind = &MMU_SOFT_TLB, .walk = walk, .owner = owner, .gmem = gmem, .bus = bus };
    m->second = heap_alloc(sizeof *m->second);
    m->table = heap_alloc(sizeof(*m->table) * MMU_CONTEXTS);
    if (!m->second || !m->table) {
        mmu_destroy(m);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a TLB");
    }
    tlb_init(m);
    mmu_set_context(m, 0, 0);
    return VM_SUCCESS;
}

void mmu_destroy(struct mmu *m)
{
    heap_free(m->second);
    heap_free(m->table);
    m->second = NULL;
    m->table = NULL;
    m->tlb_data = m->tlb_fetch = NULL;
}

/* Where a blind watch's engines probe. Nobody writes it: filling goes by context. */
static struct tlb_entry nothing[MMU_TLB_ENTRIES] = { [0 ... MMU_TLB_ENTRIES - 1] = { MMU_TAG_INVALID, MMU_TAG_INVALID, MMU_TAG_INVALID, 0 } };

void mmu_watch(struct mmu *m, struct mmu_watch *w)
{
    m->watch = w;
    mmu_set_context(m, m->data_context, m->fetch_context);
}

void mmu_set_context(struct mmu *m, unsigned data_context, unsigned fetch_context)
{
    ASSERT(data_context < MMU_CONTEXTS && fetch_context < MMU_CONTEXTS);
    m->data_context = data_context;
    m->fetch_context = fetch_context;
    m->tlb_data = m->watch && m->watch->is_blind ? nothing : m->table[data_context];
    m->tlb_fetch = m->table[fetch_context];
}

static uint64_t now(const uint64_t *counter) { return __atomic_load_n(counter, __ATOMIC_RELAXED); }

void mmu_stats_read(const struct mmu *m, uint64_t accesses, struct mmu_stats *out)
{
    *out = (struct mmu_stats){ .mem_accesses = accesses, .walks = now(&m->stats.walks), .refills = now(&m->stats.refills),
                               .lookups = now(&m->stats.lookups) };
    uint64_t translations = accesses + out->lookups;
    out->tlb_misses = out->walks;
    out->tlb_hits = translations > out->walks ? translations - out->walks : 0;
}

const struct mmu *mmu_as_any(const struct mmu *m, const struct mmu_kind *kind) { return m->kind == kind ? m : NULL; }
struct mmu       *mmu_as_any_mut(struct mmu *m, const struct mmu_kind *kind)   { return m->kind == kind ? m : NULL; }
