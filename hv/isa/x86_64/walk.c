// SPDX-License-Identifier: Apache-2.0
/* The guest's own page tables: none, two levels, PAE, four and five levels (SDM 4). For instructions that we carry out, and for
 * debuggers; the CPU walks them itself otherwise. CR3 and tables change without a word to us: the memo of a walk holds only as long as
 * every entry that it came by is what it was. */
#include "hv/isa/x86_64/state.h"
#include "hv/base/string.h"

enum { P = 1 << 0, W = 1 << 1, U = 1 << 2, A = 1 << 5, D = 1 << 6, PS = 1 << 7 };
#define NX         (1ull << 63)
#define ADDRESS    0x000ffffffffff000ull
#define HASH       0x9e3779b97f4a7c15ull   /* 2^64 over the golden ratio: neighbours fall apart */
#define PSE_HIGH   0x001fe000ull            /* bits 39..32 of a 4 MiB page's address (SDM 4.3) */

struct paging { unsigned levels, index_bits, entry_bytes; };

static struct paging paging_of(const struct x86_frame *f)
{
    if (!(f->cr0 & X86_CR0_PG)) return (struct paging){ 0, 0, 0 };
    if (x86_is_long(f)) return (struct paging){ f->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8 };
    if (f->cr4 & X86_CR4_PAE) return (struct paging){ 2, 9, 8 };           /* below the four PDPTEs */
    return (struct paging){ 2, 10, 4 };
}

static uint64_t load_entry(const void *p, unsigned bytes)
{
    return bytes == 4 ? __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED) : __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
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

/* Where a walk came by: the entries in host memory, and what they were once A and D were set in them. */
struct path { const void *entry[X86_MAX_LEVELS]; uint64_t value[X86_MAX_LEVELS]; unsigned count; };

static bool walk_tables(const struct x86_frame *f, struct gmem *m, uint64_t linear, enum access_type how, bool is_user, enum x86_look look,
                        struct path *path, uint64_t *gpa, uint32_t *error)
{
    struct paging p = paging_of(f);
    uint64_t table = f->cr3 & ADDRESS, rights = P | W | U, at[X86_MAX_LEVELS], entry = 0;
    unsigned shift = 12 + (p.levels - 1) * p.index_bits;
    path->count = 0;
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
        at[path->count] = table + (linear >> shift & ((1u << p.index_bits) - 1)) * p.entry_bytes;
        const void *host = gmem_slice(m, guest_phys_addr_make(at[path->count]), p.entry_bytes, ACCESS_READ);
        if (!host) return false;
        entry = load_entry(host, p.entry_bytes);
        if (!(entry & P)) return false;
        path->entry[path->count] = host;
        path->value[path->count++] = entry;
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
    for (unsigned i = 0; look == X86_LOOK_ACCESS && i < path->count; i++) {
        uint64_t bits = A | (i + 1 == path->count && access_is_write(how) ? D : 0);
        if ((path->value[i] & bits) == bits) continue;
        uint32_t *low = gmem_slice(m, guest_phys_addr_make(at[i]), 4, ACCESS_WRITE);        /* A and D are in the low half; not in ROM */
        if (!low) continue;
        __atomic_fetch_or(low, (uint32_t)bits, __ATOMIC_RELAXED);
        path->value[i] |= bits;
    }
    return true;
}

bool x86_translate(const struct x86_frame *f, struct gmem *m, uint64_t linear, enum access_type how, bool is_user, enum x86_look look,
                   uint64_t *gpa, uint32_t *error)
{
    struct path path;
    return walk_tables(f, m, linear, how, is_user, look, &path, gpa, error);
}

/* ---- walks that are made again ---- */

/* In long mode: everything that a walk depends on is as it was. */
static bool holds(const struct x86_walk_memo *w, const struct x86_frame *f, uint64_t linear)
{
    uint64_t differs = (w->linear ^ linear) >> 12 | (w->cr3 ^ f->cr3) | (w->cr0 ^ f->cr0) | (w->cr4 ^ f->cr4) | (w->efer ^ f->efer) |
                       ((w->rflags ^ f->rflags) & X86_AC_FLAG) | (w->cpl ^ f->cpl);
    if (differs || !w->count) return false;
    for (unsigned i = 0; i < w->count; i++) differs |= __atomic_load_n(w->entry[i], __ATOMIC_RELAXED) ^ w->value[i];
    return !differs;
}

static void remember(struct x86_walk_memo *w, const struct x86_frame *f, struct gmem *m, uint64_t linear, const struct path *path, uint64_t gpa)
{
    uint64_t page = gpa & ~(HV_PAGE_BYTES - 1);
    w->count = 0;
    if (!x86_is_long(f) || !path->count) return;
    for (unsigned i = 0; i < path->count; i++) {
        w->entry[i] = path->entry[i];
        w->value[i] = path->value[i];
    }
    w->count = path->count;
    w->linear = linear;
    w->gpa = page;
    w->host = gmem_slice(m, guest_phys_addr_make(page), HV_PAGE_BYTES, ACCESS_READ);
    w->cr3 = f->cr3;
    w->cr0 = f->cr0;
    w->cr4 = f->cr4;
    w->efer = f->efer;
    w->rflags = f->rflags;
    w->cpl = f->cpl;
}

bool x86_translate_again(struct vcpu *v, uint64_t linear, enum access_type how, uint64_t *gpa, uint32_t *error)
{
    struct x86_frame *f = x86_frame(v);
    struct x86_walk_memo *w = &x86_state(v)->walk[how == ACCESS_EXECUTE ? X86_WALK_FETCH : access_is_write(how) ? X86_WALK_WRITE : X86_WALK_READ];
    struct path path;
    if (holds(w, f, linear)) {
        *gpa = w->gpa | (linear & (HV_PAGE_BYTES - 1));
        return true;
    }
    w->count = 0;
    if (!walk_tables(f, v->mmu.gmem, linear, how, f->cpl == 3, how == ACCESS_EXECUTE ? X86_LOOK_RIGHTS : X86_LOOK_ACCESS, &path, gpa, error)) return false;
    remember(w, f, v->mmu.gmem, linear, &path, *gpa);
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

static unsigned fetch(struct vcpu *v, uint8_t out[X86_MAX_INSN])
{
    struct x86_frame *f = x86_frame(v);
    uint64_t linear = v->regs.pc + (x86_is_64bit(f) ? 0 : f->segment[X86_CS].base), gpa;
    const struct x86_walk_memo *w = &x86_state(v)->walk[X86_WALK_FETCH];
    unsigned got = 0;
    uint32_t error;
    while (got < X86_MAX_INSN) {
        uint64_t at = linear + got, left = HV_PAGE_BYTES - at % HV_PAGE_BYTES, n = 0;
        if (!x86_is_64bit(f)) at = (uint32_t)at;
        if (left > X86_MAX_INSN - got) left = X86_MAX_INSN - got;
        if (!x86_translate_again(v, at, ACCESS_EXECUTE, &gpa, &error)) break;
        if (left == X86_MAX_INSN && w->count && w->host) {
            __builtin_memcpy(out, (const uint8_t *)w->host + gpa % HV_PAGE_BYTES, X86_MAX_INSN);
            return X86_MAX_INSN;
        }
        const uint8_t *p = gmem_span(v->mmu.gmem, guest_phys_addr_make(gpa), left, ACCESS_READ, &n);
        if (!p) break;
        for (uint64_t k = 0; k < n; k++) out[got++] = p[k];
    }
    return got;
}

static NOINLINE const struct x86_insn *decode_at_pc(struct vcpu *v, struct x86_insn_memo *memo)
{
    uint8_t bytes[16] = { 0 };
    unsigned bits = x86_code_bits(x86_frame(v)), got = fetch(v, bytes);
    bool is_invalid;
    memo->bits = 0;
    if (!x86_insn_decode(bytes, got, bits, &memo->insn, &is_invalid)) return NULL;
    if (got == X86_MAX_INSN) memo->bits = bits;
    memcpy(memo->bytes, bytes, sizeof bytes);
    return &memo->insn;
}

/* Where 64-bit code at pc is in the host's memory, when that was found before and is still so: the CPU has fetched it by these tables,
 * so its rights are not asked for. NULL: look for it. */
static const uint8_t *code_at_pc(const struct x86_state *s, uint64_t pc)
{
    const struct x86_walk_memo *w = &s->walk[X86_WALK_FETCH];
    const struct x86_frame *f = &s->frame;
    uint64_t offset = pc % HV_PAGE_BYTES, differs = (w->linear ^ pc) >> 12 | (w->cr3 ^ f->cr3) | (w->cr4 ^ f->cr4);
    unsigned count = w->count;
    if (differs || !count || offset > HV_PAGE_BYTES - X86_MAX_INSN) return NULL;
    for (unsigned i = 0; i < count; i++) differs |= __atomic_load_n(w->entry[i], __ATOMIC_RELAXED) ^ w->value[i];
    return differs || !w->host ? NULL : (const uint8_t *)w->host + offset;
}

/* Whole instructions are kept with their bytes: the same bytes mean the same. */
const struct x86_insn *x86_insn_at_pc(struct vcpu *v)
{
    struct x86_state *s = x86_state(v);
    struct x86_insn_memo *memo = &s->insn[v->regs.pc * HASH >> (64 - X86_INSN_MEMO_BITS)];
    const uint8_t *code;
    if (memo->bits == 64 && x86_is_64bit(&s->frame) && (code = code_at_pc(s, v->regs.pc)) &&
        load_le64(code) == load_le64(memo->bytes) && load_le64(code + 7) == load_le64(memo->bytes + 7)) return &memo->insn;
    return decode_at_pc(v, memo);
}
