// SPDX-License-Identifier: Apache-2.0
/* Guest RAM in chunks of 2 MiB; see gmem.h. */
#include "hv/mmu/gmem.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"

static uint64_t chunk_count(const struct gmem_range *r) { return (r->size_bytes + GMEM_CHUNK_BYTES - 1) >> GMEM_CHUNK_BITS; }

static uint64_t chunk_pages(const struct gmem_range *r, uint64_t i)
{
    uint64_t left = r->size_bytes - (i << GMEM_CHUNK_BITS);
    return (left < GMEM_CHUNK_BYTES ? left : GMEM_CHUNK_BYTES) / HV_PAGE_BYTES;
}

void gmem_init(struct gmem *m) { *m = (struct gmem){ .range_count = 0 }; }

static void free_range(struct gmem_range *r)
{
    if (!r->chunks) return;
    for (uint64_t i = 0; i < chunk_count(r); i++) page_free(r->chunks[i], chunk_pages(r, i));
    heap_free(r->chunks);
    r->chunks = NULL;
}

/* A whole chunk on its own 2 MiB boundary, so that hardware can map it as one large page; else anywhere. */
static void *chunk_alloc(uint64_t pages)
{
    void *at = pages == GMEM_CHUNK_BYTES / HV_PAGE_BYTES ? page_alloc(pages, pages) : NULL;
    return at ? at : page_alloc(pages, 1);
}

struct vm_error gmem_add(struct gmem *m, guest_phys_addr base, uint64_t size_bytes, enum gmem_kind kind)
{
    if (!size_bytes || (size_bytes | base.v) % HV_PAGE_BYTES || base.v + (size_bytes - 1) < base.v) {
        return vm_error_because(VM_CORE_INVALID_PARAMETER, "guest RAM is whole pages and not empty");
    }
    if (m->range_count == GMEM_MAX_RANGES) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "too many RAM ranges");
    for (unsigned i = 0; i < m->range_count; i++) {
        const struct gmem_range *o = &m->range[i];
        if (base.v - o->base < o->size_bytes || o->base - base.v < size_bytes) {
            return vm_error_because(VM_CORE_INVALID_PARAMETER, "guest RAM ranges overlap");
        }
    }
    if (size_bytes / HV_PAGE_BYTES > page_available()) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "more RAM than this host has free");
    struct gmem_range r = { .base = base.v, .size_bytes = size_bytes, .kind = kind };
    r.chunks = heap_alloc(chunk_count(&r) * sizeof *r.chunks);
    if (!r.chunks) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for guest RAM");
    for (uint64_t i = 0; i < chunk_count(&r); i++) {
        r.chunks[i] = chunk_alloc(chunk_pages(&r, i));
        if (!r.chunks[i]) {
            free_range(&r);
            return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for guest RAM");
        }
        memset(r.chunks[i], 0, chunk_pages(&r, i) * HV_PAGE_BYTES);
    }
    m->range[m->range_count++] = r;
    return VM_SUCCESS;
}

void gmem_free(struct gmem *m)
{
    for (unsigned i = 0; i < m->range_count; i++) free_range(&m->range[i]);
    m->range_count = 0;
}

uint64_t gmem_size_bytes(const struct gmem *m)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < m->range_count; i++) sum += m->range[i].size_bytes;
    return sum;
}

static const struct gmem_range *range_at(const struct gmem *m, uint64_t at)
{
    for (unsigned i = 0; i < m->range_count; i++) {
        const struct gmem_range *r = &m->range[i];
        if (at - r->base < r->size_bytes) return r;
    }
    return NULL;
}

static void *span(const struct gmem_range *r, uint64_t at, uint64_t want_bytes, uint64_t *length)
{
    uint64_t offset = at - r->base, in_chunk = offset & (GMEM_CHUNK_BYTES - 1);
    uint64_t n = GMEM_CHUNK_BYTES - in_chunk, left = r->size_bytes - offset;
    if (n > left) n = left;
    *length = n < want_bytes ? n : want_bytes;
    return (char *)r->chunks[offset >> GMEM_CHUNK_BITS] + in_chunk;
}

void *gmem_span(struct gmem *m, guest_phys_addr at, uint64_t want_bytes, enum access_type how, uint64_t *length)
{
    const struct gmem_range *r = range_at(m, at.v);
    if (!r || (access_is_write(how) && r->kind == GMEM_ROM)) return NULL;
    return span(r, at.v, want_bytes, length);
}

void *gmem_slice(struct gmem *m, guest_phys_addr at, size_t size_bytes, enum access_type how)
{
    uint64_t length = 0;
    void *p = gmem_span(m, at, size_bytes, how, &length);
    return p && length == size_bytes ? p : NULL;
}

bool gmem_is_ram(const struct gmem *m, guest_phys_addr at, uint64_t size_bytes)
{
    while (size_bytes) {
        const struct gmem_range *r = range_at(m, at.v);
        if (!r) return false;
        uint64_t left = r->size_bytes - (at.v - r->base);
        if (left >= size_bytes) return true;
        at = guest_phys_addr_wrapping_add(at, left);
        size_bytes -= left;
    }
    return true;
}

/* An aligned word moves in one access: ring indexes and the like are shared with running vCPUs. */
static void move(void *to, const void *from, uint64_t n)
{
    bool is_aligned = n <= 8 && !(((uintptr_t)to | (uintptr_t)from) & (n - 1));
    if (is_aligned && n == 2) __atomic_store_n((uint16_t *)to, __atomic_load_n((const uint16_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    else if (is_aligned && n == 4) __atomic_store_n((uint32_t *)to, __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    else if (is_aligned && n == 8) __atomic_store_n((uint64_t *)to, __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
    else memcpy(to, from, n);
}

/* First checks all, then copies piece by piece. */
static struct vm_error copy(struct gmem *m, guest_phys_addr at, void *out, const void *in, uint64_t size_bytes, bool to_rom)
{
    for (uint64_t done = 0; done < size_bytes;) {
        const struct gmem_range *r = range_at(m, at.v + done);
        guest_addr here = guest_phys_addr_to_guest_addr(guest_phys_addr_wrapping_add(at, done));
        if (!r) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, here);
        if (in && r->kind == GMEM_ROM && !to_rom) return vm_error_at(VM_MEMORY_ACCESS_VIOLATION, here);
        done += r->size_bytes - (at.v + done - r->base);
    }
    for (uint64_t done = 0, n; done < size_bytes; done += n) {
        void *p = span(range_at(m, at.v + done), at.v + done, size_bytes - done, &n);
        if (in) move(p, (const char *)in + done, n);
        else move((char *)out + done, p, n);
    }
    return VM_SUCCESS;
}

struct vm_error gmem_read_bulk(struct gmem *m, guest_phys_addr at, void *out, uint64_t size_bytes)
{
    return copy(m, at, out, NULL, size_bytes, false);
}

struct vm_error gmem_write_bulk(struct gmem *m, guest_phys_addr at, const void *in, uint64_t size_bytes)
{
    return copy(m, at, NULL, in, size_bytes, false);
}

struct vm_error gmem_load(struct gmem *m, guest_phys_addr at, const void *in, uint64_t size_bytes)
{
    return copy(m, at, NULL, in, size_bytes, true);
}

/* The largest aligned piece at p. */
static size_t load_piece(const void *p, size_t left, uint64_t *out)
{
    uintptr_t at = (uintptr_t)p;
    if (left >= 8 && !(at & 7)) return *out = __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED), 8;
    if (left >= 4 && !(at & 3)) return *out = __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED), 4;
    if (left >= 2 && !(at & 1)) return *out = __atomic_load_n((const uint16_t *)p, __ATOMIC_RELAXED), 2;
    return *out = __atomic_load_n((const uint8_t *)p, __ATOMIC_RELAXED), 1;
}

void gmem_copy_shared(void *out, const void *ram, size_t size_bytes)
{
    uint64_t piece;
    for (size_t done = 0, n; done < size_bytes; done += n) {
        n = load_piece((const char *)ram + done, size_bytes - done, &piece);
        memcpy((char *)out + done, &piece, n);
    }
}

bool gmem_equals_shared(const void *ram, const void *bytes, size_t size_bytes)
{
    uint64_t piece;
    for (size_t done = 0, n; done < size_bytes; done += n) {
        n = load_piece((const char *)ram + done, size_bytes - done, &piece);
        if (memcmp((const char *)bytes + done, &piece, n)) return false;
    }
    return true;
}
