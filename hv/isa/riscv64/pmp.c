// SPDX-License-Identifier: Apache-2.0
/* Physical memory protection (privileged manual 3.7): 16 entries, 4-byte granules. Entries become ranges when they are
 * written, so that a walk only compares. Own thread. */
#include "hv/isa/riscv64/state.h"

static struct rv_pmp_range range_of(const struct rv_csrs *c, unsigned n)
{
    struct rv_pmp_range r = { .cfg = c->pmpcfg[n] };
    uint64_t addr = c->pmpaddr[n], low = n ? c->pmpaddr[n - 1] : 0, ones;
    switch ((enum rv_pmp_match)((r.cfg & RV_PMP_A) >> 3)) {
    case RV_PMP_OFF:
        break;
    case RV_PMP_TOR:
        r.is_on = low < addr;
        r.from = low << 2;
        r.last = (addr << 2) - 1;
        break;
    case RV_PMP_NA4:
        r.is_on = true;
        r.from = addr << 2;
        r.last = r.from + 3;
        break;
    case RV_PMP_NAPOT:
        ones = addr ^ (addr + 1);                       /* trailing ones and the zero above: size is 8 bytes or more */
        r.is_on = true;
        r.from = (addr & ~ones) << 2;
        r.last = ((addr | ones) << 2) + 3;
        break;
    }
    return r;
}

void rv_pmp_sync(struct vcpu *v)
{
    struct rv_csrs *c = rv_csrs(v);
    for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
        c->pmp[i] = range_of(c, i);
    }
    mmu_flush_tlb(&v->mmu);
}

/* Shrinks *bits until the naturally aligned block around `at` lies wholly inside or wholly outside of r. */
static void shrink(unsigned *bits, uint64_t at, const struct rv_pmp_range *r)
{
    for (; *bits > 2; --*bits) {
        uint64_t from = at >> *bits << *bits, last = from + ((1ull << *bits) - 1);
        if (last < r->from || from > r->last || (from >= r->from && last <= r->last)) {
            return;
        }
    }
}

unsigned rv_pmp_perms(const struct rv_csrs *c, uint64_t at, unsigned size_bytes, bool is_machine, unsigned *granule_bits)
{
    uint64_t end = at + size_bytes - 1;
    *granule_bits = 56;
    for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
        const struct rv_pmp_range *r = &c->pmp[i];
        if (!r->is_on) {
            continue;
        }
        shrink(granule_bits, at, r);
        if (end < r->from || at > r->last) {
            continue;
        }
        if (at < r->from || end > r->last) {
            return 0;                                   /* matched in part: refused whatever it says (3.7.1) */
        }
        if (is_machine && !(r->cfg & RV_PMP_L)) {
            return PERM_READ | PERM_WRITE | PERM_EXECUTE;
        }
        return (r->cfg & RV_PMP_R ? PERM_READ : 0u) | (r->cfg & RV_PMP_W ? PERM_WRITE : 0u) | (r->cfg & RV_PMP_X ? PERM_EXECUTE : 0u);
    }
    return is_machine ? PERM_READ | PERM_WRITE | PERM_EXECUTE : 0;
}
