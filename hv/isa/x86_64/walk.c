// SPDX-License-Identifier: Apache-2.0
/* The guest's own page tables: none, two levels, PAE, four and five levels (SDM 4). For instructions that we carry out, and for
 * debuggers; the CPU walks them itself otherwise. Nothing is cached: CR3 and tables change without a word to us. */
#include "hv/isa/x86_64/state.h"

enum { P = 1 << 0, W = 1 << 1, U = 1 << 2, A = 1 << 5, D = 1 << 6, PS = 1 << 7 };
#define NX         (1ull << 63)
#define ADDRESS    0x000ffffffffff000ull
#define PSE_HIGH   0x001fe000ull            /* bits 39..32 of a 4 MiB page's address (SDM 4.3) */

struct paging { unsigned levels, index_bits, entry_bytes; };

static struct paging paging_of(const struct x86_frame *f)
{
    if (!(f->cr0 & X86_CR0_PG)) return (struct paging){ 0, 0, 0 };
    if (x86_is_long(f)) return (struct paging){ f->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8 };
    if (f->cr4 & X86_CR4_PAE) return (struct paging){ 2, 9, 8 };           /* below the four PDPTEs */
    return (struct paging){ 2, 10, 4 };
}

static bool read_entry(struct gmem *m, uint64_t at, unsigned bytes, uint64_t *out)
{
    const void *p = gmem_slice(m, guest_phys_addr_make(at), bytes, ACCESS_READ);
    if (!p) return false;
    *out = bytes == 4 ? __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED) : __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
    return true;
}

static void mark_entry(struct gmem *m, uint64_t at, uint64_t bits)
{
    uint32_t *p = gmem_slice(m, guest_phys_addr_make(at), 4, ACCESS_WRITE);        /* A and D are in the low half */
    if (p) __atomic_fetch_or(p, (uint32_t)bits, __ATOMIC_RELAXED);
}

/* SDM 4.6.1. rights: the AND of P, W, U over the levels, and NX when one has it. */
static bool is_allowed(const struct x86_frame *f, uint64_t rights, enum access_type how, bool is_user)
{
    bool is_user_page = rights & U, is_write = access_is_write(how);
    if (is_user && !is_user_page) return false;
    if (is_write && !(rights & W) && (is_user || f->cr0 & X86_CR0_WP)) return false;
    if (how == ACCESS_EXECUTE) return !(rights & NX && f->efer & X86_EFER_NXE) && !(is_user_page && !is_user && f->cr4 & X86_CR4_SMEP);
    return !(is_user_page && !is_user && f->cr4 & X86_CR4_SMAP && !(f->rflags & X86_AC_FLAG));
}

static uint32_t error_of(const struct x86_frame *f, enum access_type how, bool is_user, bool is_present)
{
    bool tells_fetch = how == ACCESS_EXECUTE && (f->efer & X86_EFER_NXE || f->cr4 & X86_CR4_SMEP);
    return (is_present ? X86_PF_PRESENT : 0) | (access_is_write(how) ? X86_PF_WRITE : 0) | (is_user ? X86_PF_USER : 0) |
           (tells_fetch ? X86_PF_FETCH : 0);
}

bool x86_translate(const struct x86_frame *f, struct gmem *m, uint64_t linear, enum access_type how, bool is_user, enum x86_look look,
                   uint64_t *gpa, uint32_t *error)
{
    struct paging p = paging_of(f);
    uint64_t table = f->cr3 & ADDRESS, rights = P | W | U, at[5], entry = 0;
    unsigned shift = 12 + (p.levels - 1) * p.index_bits, used = 0;
    if (!p.levels) {
        *gpa = x86_is_long(f) ? linear : (uint32_t)linear;
        return true;
    }
    if (!x86_is_long(f)) linear = (uint32_t)linear;
    *error = error_of(f, how, is_user, false);
    if (p.entry_bytes == 8 && !x86_is_long(f)) {
        table = f->pdpte[linear >> 30] & ADDRESS;
        if (!(f->pdpte[linear >> 30] & P)) return false;
    }
    for (;; shift -= p.index_bits) {
        at[used] = table + (linear >> shift & ((1u << p.index_bits) - 1)) * p.entry_bytes;
        if (!read_entry(m, at[used++], p.entry_bytes, &entry) || !(entry & P)) return false;
        rights = (rights & entry & (P | W | U)) | ((rights | entry) & NX);
        bool may_be_large = shift > 12 && shift <= 30 && (p.entry_bytes == 8 || f->cr4 & X86_CR4_PSE);
        if (shift == 12 || (may_be_large && entry & PS)) break;
        table = entry & (p.entry_bytes == 8 ? ADDRESS : 0xfffff000u);
    }
    *error |= X86_PF_PRESENT;
    if (look != X86_LOOK_ANYWAY && !is_allowed(f, rights, how, is_user)) return false;
    uint64_t page = entry & (p.entry_bytes == 8 ? ADDRESS : 0xfffff000u) & ~(bit64(shift) - 1);
    if (p.entry_bytes == 4 && shift == 22) page |= (entry & PSE_HIGH) << 19;
    *gpa = page | (linear & (bit64(shift) - 1));
    for (unsigned i = 0; look == X86_LOOK_ACCESS && i < used; i++) {
        bool is_last = i + 1 == used;
        mark_entry(m, at[i], A | (is_last && access_is_write(how) ? D : 0));
    }
    return true;
}

/* For the API's virtual accesses. Not to be kept (page_bits below 12): the guest changes its tables without telling. */
bool x86_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why)
{
    struct vcpu *v = m->owner;
    const struct x86_frame *f = x86_frame(v);
    uint32_t error = 0;
    (void)context;
    *out = (struct translation){ .page_bits = 0, .perms = PERM_READ | PERM_WRITE | PERM_EXECUTE };
    if (x86_translate(f, m->gmem, at.v, how, f->cpl == 3, X86_LOOK_ACCESS, &out->gpa.v, &error)) return true;
    *why = fault_page(at, how, f->cpl == 3);
    return false;
}

bool x86_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out)
{
    uint32_t error;
    return x86_translate(&x86_state_const(v)->frame, v->mmu.gmem, at.v, ACCESS_READ, false, X86_LOOK_ANYWAY, &out->v, &error);
}

unsigned x86_rights(const struct vcpu *v, guest_addr at)
{
    static const struct { enum access_type how; unsigned perm; } each[] = {
        { ACCESS_READ, PERM_READ }, { ACCESS_WRITE, PERM_WRITE }, { ACCESS_EXECUTE, PERM_EXECUTE },
    };
    const struct x86_frame *f = &x86_state_const(v)->frame;
    unsigned perms = 0;
    uint64_t gpa;
    uint32_t error;
    for (unsigned i = 0; i < ARRAY_COUNT(each); i++) {
        if (x86_translate(f, v->mmu.gmem, at.v, each[i].how, f->cpl == 3, X86_LOOK_RIGHTS, &gpa, &error)) perms |= each[i].perm;
    }
    return perms;
}

unsigned x86_fetch(struct vcpu *v, uint8_t *out, unsigned cap_bytes)
{
    struct x86_frame *f = x86_frame(v);
    uint64_t linear = v->regs.pc + (x86_is_64bit(f) ? 0 : f->segment[X86_CS].base), gpa;
    unsigned got = 0;
    uint32_t error;
    while (got < cap_bytes) {
        uint64_t at = linear + got, left = HV_PAGE_BYTES - at % HV_PAGE_BYTES, n = 0;
        if (!x86_is_64bit(f)) at = (uint32_t)at;
        if (left > cap_bytes - got) left = cap_bytes - got;
        if (!x86_translate(f, v->mmu.gmem, at, ACCESS_EXECUTE, f->cpl == 3, X86_LOOK_RIGHTS, &gpa, &error)) break;
        const uint8_t *p = gmem_span(v->mmu.gmem, guest_phys_addr_make(gpa), left, ACCESS_READ, &n);
        if (!p) break;
        for (uint64_t k = 0; k < n; k++) out[got++] = p[k];
    }
    return got;
}
