// SPDX-License-Identifier: Apache-2.0
/* Translation and the complete slow paths of guest accesses: RAM, MMIO, page crossings; see mmu.h. */
#include "hv/arch/arch.h"
#include "hv/base/string.h"
#include "hv/mmu/access.h"
#include "hv/mmu/tlb.h"

#define IN_PAGE(va) ((va) & (HV_PAGE_BYTES - 1))
#define MAX_PIECES  16                   /* an access of at most 16 bytes, in the worst case byte by byte */

/* Only the owner writes; others may read for statistics. */
static void count(uint64_t *counter) { __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED); }

static unsigned needed_perms(enum access_type how)
{
    static const uint8_t perms[] = { [ACCESS_READ] = PERM_READ, [ACCESS_WRITE] = PERM_WRITE, [ACCESS_EXECUTE] = PERM_EXECUTE,
                                     [ACCESS_ATOMIC] = PERM_READ | PERM_WRITE };
    return perms[how];
}

/* Second level, then the guest's tables; fills both levels. Does not count as a lookup. */
static bool lookup(struct mmu *m, guest_addr at, enum access_type how, struct translation *out, struct fault *why)
{
    uint64_t page = at.v & TLB_PAGE_MASK, length;
    unsigned context = how == ACCESS_EXECUTE ? m->fetch_context : m->data_context;
    if (tlb2_find(m, at.v, context, needed_perms(how), out)) {
        count(&m->stats.refills);
    } else {
        count(&m->stats.walks);
        if (!m->walk(m, at, how, context, out, why)) return false;
        if (out->page_bits < HV_PAGE_BITS) {
            if (how == ACCESS_EXECUTE) tlb_note_split_fetch(m);
            return true;
        }
        tlb2_fill(m, at.v, context, out);
    }
    guest_phys_addr frame = { out->gpa.v & TLB_PAGE_MASK };
    void *host = gmem_span(m->gmem, frame, HV_PAGE_BYTES, ACCESS_READ, &length);
    if (host) {                                              /* ranges are whole pages */
        unsigned perms = out->perms;
        if (perms & PERM_WRITE && !gmem_span(m->gmem, frame, 1, ACCESS_WRITE, &length)) perms &= ~(unsigned)PERM_WRITE;
        tlb1_fill(m, page, context, out, perms, host);
    }
    return true;
}

bool mmu_translate_fault(struct mmu *m, guest_addr at, enum access_type how, struct translation *out, struct fault *why)
{
    count(&m->stats.lookups);
    return lookup(m, at, how, out, why);
}

/* Bytes from `at` for which this translation holds. */
static unsigned room_of(guest_addr at, const struct translation *t)
{
    unsigned bits = t->page_bits < HV_PAGE_BITS ? t->page_bits : HV_PAGE_BITS;
    return (1u << bits) - (unsigned)(at.v & ((1ull << bits) - 1));
}

static void tell(struct mmu *m, void *host, unsigned size_bytes)
{
    if (unlikely(m->watch)) m->watch->write(m->watch, host, size_bytes);
}

/* ---- one host access for one guest access, when it is aligned ---- */

static uint64_t load_ram(const void *p, unsigned size_bytes)
{
    uint64_t v = 0;
    if ((uintptr_t)p & (size_bytes - 1)) {
        memcpy(&v, p, size_bytes);
        return v;
    }
    switch (size_bytes) {
    case 1: return __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED);
    case 2: return __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED);
    case 4: return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
    case 8: return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
    }
    return 0;
}

static void store_ram(void *p, unsigned size_bytes, uint64_t v)
{
    if ((uintptr_t)p & (size_bytes - 1)) {
        memcpy(p, &v, size_bytes);
        return;
    }
    switch (size_bytes) {
    case 1: __atomic_store_n((uint8_t *)p, (uint8_t)v, __ATOMIC_RELAXED); break;
    case 2: __atomic_store_n((uint16_t *)p, (uint16_t)v, __ATOMIC_RELAXED); break;
    case 4: __atomic_store_n((uint32_t *)p, (uint32_t)v, __ATOMIC_RELAXED); break;
    case 8: __atomic_store_n((uint64_t *)p, v, __ATOMIC_RELAXED); break;
    }
}

struct vm_error mmu_device_access(struct mmu *m, guest_phys_addr gpa, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    if (unlikely(m->watch)) return m->watch->device(m->watch, m, gpa, size_bytes, how, value);
    struct mmio_region *r = mmu_find_device(m, gpa);
    if (!r || !m->devices) return mmio_access_in(r, gpa, size_bytes, how, value);
    struct device_count *d = &m->devices[r - m->bus->region];
    struct tick_count *c = how == ACCESS_WRITE ? &d->write : &d->read;
    uint64_t start = arch_ticks();
    struct vm_error e = mmio_access_in(r, gpa, size_bytes, how, value);
    count(&c->count);
    __atomic_store_n(&c->ticks, c->ticks + (arch_ticks() - start), __ATOMIC_RELAXED);
    return e;
}

/* The part of an access that lies within one translation. */
static bool one_access(struct mmu *m, guest_phys_addr gpa, guest_addr at, enum access_type how, unsigned size_bytes, uint64_t *value,
                       struct fault *why, struct vm_error *refusal)
{
    void *p = gmem_slice(m->gmem, gpa, size_bytes, how);
    if (p) {
        if (how == ACCESS_WRITE) tell(m, p, size_bytes), store_ram(p, size_bytes, *value);
        else *value = load_ram(p, size_bytes);
        return true;
    }
    if (gmem_is_ram(m->gmem, gpa, 1)) {
        *refusal = vm_error_at(VM_MEMORY_ACCESS_VIOLATION, at);      /* ROM: the memory map says no */
    } else {
        *refusal = mmu_device_access(m, gpa, size_bytes, how, value);
        if (!vm_failed(*refusal)) return true;
        if (refusal->domain == VM_ERROR_MEMORY) *refusal = vm_error_at(VM_MEMORY_INVALID_ADDRESS, at);
    }
    *why = fault_bus(gpa, at, how);
    return false;
}

/* Translates every part before it touches any; only RAM can be accessed across a boundary. */
struct piece { void *at; unsigned size_bytes; };
static bool split(struct mmu *m, guest_addr at, enum access_type how, unsigned size_bytes, struct piece *piece, unsigned *piece_count,
                  struct fault *why, struct vm_error *refusal)
{
    *piece_count = 0;
    for (unsigned done = 0; done < size_bytes;) {
        guest_addr here = guest_addr_wrapping_add(at, done);
        struct translation t;
        if (done) count(&m->stats.lookups);                  /* the engine counted the first */
        if (!lookup(m, here, how, &t, why)) return false;
        unsigned n = room_of(here, &t);
        if (n > size_bytes - done) n = size_bytes - done;
        void *p = gmem_slice(m->gmem, t.gpa, n, how);
        if (!p) {
            bool is_rom = gmem_is_ram(m->gmem, t.gpa, 1);
            *refusal = vm_error_at(is_rom ? VM_MEMORY_ACCESS_VIOLATION : VM_MEMORY_INVALID_ADDRESS, here);
            *why = fault_bus(t.gpa, here, how);
            return false;
        }
        piece[(*piece_count)++] = (struct piece){ p, n };
        done += n;
    }
    return true;
}

static bool split_access(struct mmu *m, guest_addr at, enum access_type how, unsigned size_bytes, uint64_t *value, struct fault *why,
                         struct vm_error *refusal)
{
    struct piece piece[MAX_PIECES];
    unsigned pieces;
    uint8_t bytes[8] = { 0 };
    if (!split(m, at, how, size_bytes, piece, &pieces, why, refusal)) return false;
    memcpy(bytes, value, size_bytes);
    for (unsigned i = 0, done = 0; i < pieces; done += piece[i++].size_bytes) {
        if (how == ACCESS_WRITE) tell(m, piece[i].at, piece[i].size_bytes), memcpy(piece[i].at, bytes + done, piece[i].size_bytes);
        else memcpy(bytes + done, piece[i].at, piece[i].size_bytes);
    }
    if (how != ACCESS_WRITE) memcpy(value, bytes, sizeof bytes);
    return true;
}

bool mmu_access(struct mmu *m, guest_addr at, enum access_type how, unsigned size_bytes, uint64_t *value, struct fault *why,
                struct vm_error *refusal)
{
    struct translation t;
    uint64_t page = at.v & TLB_PAGE_MASK;
    if (how == ACCESS_READ) *value = 0;
    if (IN_PAGE(at.v) + size_bytes > HV_PAGE_BYTES) return split_access(m, at, how, size_bytes, value, why, refusal);
    const struct tlb_entry *e = &m->tlb_data[at.v >> HV_PAGE_BITS & (MMU_TLB_ENTRIES - 1)];
    if ((how == ACCESS_WRITE ? e->write : e->read) == page) {        /* misaligned: the engine's own probe misses those */
        void *p = (void *)(uintptr_t)(at.v + e->addend);
        if (how == ACCESS_WRITE) tell(m, p, size_bytes), store_ram(p, size_bytes, *value);
        else *value = load_ram(p, size_bytes);
        return true;
    }
    if (!lookup(m, at, how, &t, why)) return false;
    if (room_of(at, &t) < size_bytes) return split_access(m, at, how, size_bytes, value, why, refusal);
    return one_access(m, t.gpa, at, how, size_bytes, value, why, refusal);
}

/* An engine counts what it accessed; a translation for nothing is counted here. */
static bool or_count(struct mmu *m, bool ok)
{
    if (!ok) count(&m->stats.lookups);
    return ok;
}

bool mmu_load(struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t *out, struct fault *why)
{
    struct vm_error refusal;
    return or_count(m, mmu_access(m, at, ACCESS_READ, size_bytes, out, why, &refusal));
}

bool mmu_store(struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t value, struct fault *why)
{
    struct vm_error refusal;
    return or_count(m, mmu_access(m, at, ACCESS_WRITE, size_bytes, &value, why, &refusal));
}

void *mmu_atomic(struct mmu *m, guest_addr at, unsigned size_bytes, enum access_type how, guest_phys_addr *gpa, struct fault *why)
{
    struct translation t;
    struct piece piece[MAX_PIECES];
    struct vm_error refusal;
    unsigned pieces;
    if (at.v & (size_bytes - 1)) {
        *why = fault_alignment(at, size_bytes, how);
        return NULL;
    }
    if (!or_count(m, lookup(m, at, how, &t, why))) return NULL;
    *gpa = t.gpa;
    if (room_of(at, &t) < size_bytes && !or_count(m, split(m, at, how, size_bytes, piece, &pieces, why, &refusal))) return NULL;
    void *p = gmem_slice(m->gmem, t.gpa, size_bytes, how);
    if (!or_count(m, p)) *why = fault_bus(t.gpa, at, how);
    else if (access_is_write(how)) tell(m, p, size_bytes);
    return p;
}

bool mmu_fetch(struct mmu *m, guest_addr pc, uint8_t *out, unsigned cap_bytes, unsigned *got_bytes, guest_phys_addr *gpa, struct fault *why)
{
    *why = (struct fault){ .kind = FAULT_NONE };
    for (*got_bytes = 0; *got_bytes < cap_bytes;) {
        guest_addr at = guest_addr_wrapping_add(pc, *got_bytes);
        struct translation t;
        struct fault f;
        if (!mmu_translate_fault(m, at, ACCESS_EXECUTE, &t, &f)) {
            *why = f;
            return *got_bytes > 0;
        }
        unsigned n = room_of(at, &t);
        if (n > cap_bytes - *got_bytes) n = cap_bytes - *got_bytes;
        const void *p = gmem_slice(m->gmem, t.gpa, n, ACCESS_EXECUTE);
        if (!*got_bytes) *gpa = t.gpa;
        if (!p) {
            *why = fault_bus(t.gpa, at, ACCESS_EXECUTE);
            return *got_bytes > 0;
        }
        gmem_copy_shared(out + *got_bytes, p, n);
        *got_bytes += n;
    }
    return true;
}
