// SPDX-License-Identifier: Apache-2.0
/* The page-table walker: bare, Sv39, Sv48, Sv57 (privileged manual 4.3 to 4.6), PMP on every step, A and D by policy.
 * Runs in the vCPU's thread; page tables are shared with other vCPUs, so entries are read and changed atomically. */
#include "hv/isa/riscv64/state.h"

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_G = 32, PTE_A = 64, PTE_D = 128, PTE_PPN_SHIFT = 10 };
#define PTE_PPN      (((1ull << 44) - 1) << PTE_PPN_SHIFT)
#define PTE_RESERVED (~0ull << 54)              /* 60:54 reserved; N (Svnapot) and PBMT (Svpbmt) are not implemented */
#define MAX_TRIES    64                         /* lost races for an A/D update before the access gives up with a page fault */

struct walk { struct mmu *m; struct rv_csrs *c; guest_addr at; enum access_type how; unsigned context; struct fault *why; };
struct leaf { uint64_t pte, pte_gpa; unsigned page_bits; bool is_global; };

static bool page_fault(const struct walk *w)
{
    *w->why = fault_page(w->at, w->how, rv_context_is_user(w->context));
    return false;
}
static bool access_fault(const struct walk *w, uint64_t gpa)
{
    *w->why = fault_bus(guest_phys_addr_make(gpa), w->at, w->how);
    return false;
}

static unsigned perm_of(enum access_type how)
{
    return how == ACCESS_EXECUTE ? PERM_EXECUTE : how == ACCESS_READ ? PERM_READ : how == ACCESS_WRITE ? PERM_WRITE : PERM_READ | PERM_WRITE;
}

/* Host pointer to a page-table entry, or NULL with the access fault that the walk ends in. Tables are read, and written,
 * with S-mode's PMP rights. */
static uint64_t *entry(const struct walk *w, uint64_t gpa, enum access_type how)
{
    unsigned granule, need = how == ACCESS_READ ? PERM_READ : PERM_READ | PERM_WRITE;
    uint64_t *p = NULL;
    if ((rv_pmp_perms(w->c, gpa, 8, false, &granule) & need) == need) {
        p = gmem_slice(w->m->gmem, guest_phys_addr_make(gpa), 8, how);
    }
    if (!p) {
        (void)access_fault(w, gpa);
    }
    return p;
}

static bool find_leaf(const struct walk *w, struct leaf *out)
{
    unsigned levels = (unsigned)(w->c->satp >> 60) - RV_SV39 + 3, va_bits = 12 + 9 * levels;
    uint64_t table = (w->c->satp & ((1ull << 44) - 1)) << 12;
    out->is_global = false;
    if ((uint64_t)sign_extend64(w->at.v, va_bits) != w->at.v) {
        return page_fault(w);
    }
    for (unsigned level = levels; level-- > 0;) {
        unsigned shift = 12 + 9 * level;
        out->pte_gpa = table + 8 * (w->at.v >> shift & 511);
        const uint64_t *p = entry(w, out->pte_gpa, ACCESS_READ);
        if (!p) {
            return false;
        }
        uint64_t pte = __atomic_load_n(p, __ATOMIC_ACQUIRE);       /* pairs with guests' fenced stores on other vCPUs */
        if (!(pte & PTE_V) || ((pte & PTE_W) && !(pte & PTE_R)) || (pte & PTE_RESERVED)) {
            return page_fault(w);
        }
        out->is_global |= (pte & PTE_G) != 0;
        if (pte & (PTE_R | PTE_X)) {
            out->pte = pte;
            out->page_bits = shift;
            return (pte & PTE_PPN) >> PTE_PPN_SHIFT << 12 & ((1ull << shift) - 1) ? page_fault(w) : true;
        }
        if (pte & (PTE_A | PTE_D | PTE_U)) {
            return page_fault(w);                                  /* reserved in a pointer to a table */
        }
        table = (pte & PTE_PPN) >> PTE_PPN_SHIFT << 12;
    }
    return page_fault(w);
}

/* What this context may do on the leaf's page (4.3.1, SUM and MXR of 3.1.6.3), D not considered. */
static unsigned leaf_perms(const struct walk *w, uint64_t pte)
{
    bool is_user_page = pte & PTE_U, is_user = rv_context_is_user(w->context);
    unsigned perms = (pte & PTE_R ? PERM_READ : 0u) | (pte & PTE_W ? PERM_WRITE : 0u) | (pte & PTE_X ? PERM_EXECUTE : 0u);
    if ((pte & PTE_X) && rv_context_has_mxr(w->context)) {
        perms |= PERM_READ;
    }
    if (is_user) {
        return is_user_page ? perms : 0;
    }
    if (is_user_page) {
        return rv_context_has_sum(w->context) ? perms & ~(unsigned)PERM_EXECUTE : 0;
    }
    return perms;
}

enum update { UPDATE_DONE, UPDATE_AGAIN, UPDATE_FAULT };

/* Sets A, and D for a write, or faults where the policy leaves that to software. AGAIN: the entry changed meanwhile. */
static enum update update_ad(const struct walk *w, struct leaf *leaf)
{
    uint64_t want = leaf->pte | PTE_A | (access_is_write(w->how) ? PTE_D : 0u);
    if (want == leaf->pte) {
        return UPDATE_DONE;
    }
    if (!(w->c->menvcfg & RV_ENVCFG_ADUE)) {
        (void)page_fault(w);
        return UPDATE_FAULT;
    }
    uint64_t *p = entry(w, leaf->pte_gpa, ACCESS_WRITE), expected = leaf->pte;
    if (!p) {
        return UPDATE_FAULT;
    }
    if (!__atomic_compare_exchange_n(p, &expected, want, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        return UPDATE_AGAIN;                            /* another vCPU wrote the entry */
    }
    leaf->pte = want;
    return UPDATE_DONE;
}

/* PMP on the address itself, then the result. */
static bool finish(const struct walk *w, uint64_t gpa, unsigned perms, unsigned page_bits, bool is_global, struct translation *out)
{
    unsigned granule, need = perm_of(w->how);
    perms &= rv_pmp_perms(w->c, gpa, 1, w->context == RV_CONTEXT_M, &granule);
    if ((perms & need) != need) {
        return access_fault(w, gpa);
    }
    *out = (struct translation){
        .gpa = guest_phys_addr_make(gpa), .perms = (uint8_t)perms, .is_global = is_global,
        .page_bits = (uint8_t)(granule < HV_PAGE_BITS ? granule : page_bits),     /* PMP splits the page: not to be cached */
        .same_bits = (uint8_t)(granule < page_bits ? granule : page_bits),
    };
    return true;
}

bool rv_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why)
{
    struct walk w = { m, rv_csrs(m->owner), at, how, context, why };
    if (!rv_context_is_translated(context)) {
        return finish(&w, at.v, PERM_READ | PERM_WRITE | PERM_EXECUTE, HV_PAGE_BITS, true, out);
    }
    for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
        struct leaf leaf = { 0 };
        if (!find_leaf(&w, &leaf)) {
            return false;
        }
        unsigned perms = leaf_perms(&w, leaf.pte), need = perm_of(how);
        if ((perms & need) != need) {
            return page_fault(&w);
        }
        switch (update_ad(&w, &leaf)) {
        case UPDATE_FAULT:
            return false;
        case UPDATE_AGAIN:
            continue;
        case UPDATE_DONE:
            break;
        }
        if (!(leaf.pte & PTE_D)) {
            perms &= ~(unsigned)PERM_WRITE;
        }
        uint64_t offset = at.v & ((1ull << leaf.page_bits) - 1);
        return finish(&w, (leaf.pte & PTE_PPN) >> PTE_PPN_SHIFT << 12 | offset, perms, leaf.page_bits, leaf.is_global, out);
    }
    return page_fault(&w);
}

/* In the context of its loads and stores; the tables are only read. */
static bool look_up(const struct vcpu *v, guest_addr at, guest_phys_addr *gpa, unsigned *perms)
{
    struct fault why;
    struct leaf leaf;
    struct mmu *m = (struct mmu *)&v->mmu;
    const struct walk w = { m, (struct rv_csrs *)rv_csrs_const(v), at, ACCESS_READ, m->data_context, &why };
    *gpa = guest_phys_addr_make(at.v);
    *perms = PERM_READ | PERM_WRITE | PERM_EXECUTE;
    if (!rv_context_is_translated(w.context)) return true;
    if (!find_leaf(&w, &leaf)) return false;
    *gpa = guest_phys_addr_make((leaf.pte & PTE_PPN) >> PTE_PPN_SHIFT << 12 | (at.v & ((1ull << leaf.page_bits) - 1)));
    *perms = leaf_perms(&w, leaf.pte);
    return true;
}

bool rv_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out)
{
    unsigned perms;
    return look_up(v, at, out, &perms);
}

unsigned rv_rights(const struct vcpu *v, guest_addr at)
{
    guest_phys_addr gpa;
    unsigned perms, granule;
    if (!look_up(v, at, &gpa, &perms)) return 0;
    return perms & rv_pmp_perms(rv_csrs_const(v), gpa.v, 1, v->mmu.data_context == RV_CONTEXT_M, &granule);
}
