// SPDX-License-Identifier: Apache-2.0
/* Page runs in a bitmap per range, next-fit; see page.h. The bitmap lives in the range's own first pages. */
#include "hv/core/page.h"
#include "hv/arch/spin.h"
#include "hv/base/assert.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MAX_RANGES 64

struct range { uintptr_t base; uint64_t pages, free, hint; uint64_t *used; };
static struct range ranges[MAX_RANGES];
static unsigned range_count;
static uint64_t total, available, fail_countdown;
static struct spinlock lock;

static bool is_used(const struct range *r, uint64_t i) { return r->used[i / 64] >> (i % 64) & 1; }

static void mark(struct range *r, uint64_t first, uint64_t count, bool used)
{
    for (uint64_t i = first; i < first + count; i++) {
        if (i % 64 == 0 && i + 64 <= first + count) {
            r->used[i / 64] = used ? ~0ull : 0;
            i += 63;
        } else if (used) {
            r->used[i / 64] |= bit64(i % 64);
        } else {
            r->used[i / 64] &= ~bit64(i % 64);
        }
    }
}

void page_add_range(host_addr from, uint64_t size_bytes)
{
    uintptr_t base = align_up(from.v, HV_PAGE_BYTES), end = align_down(from.v + size_bytes, HV_PAGE_BYTES);
    if (end <= base || range_count == MAX_RANGES) return;
    uint64_t pages = (end - base) / HV_PAGE_BYTES, map_pages = align_up((pages + 63) / 64 * 8, HV_PAGE_BYTES) / HV_PAGE_BYTES;
    if (pages <= map_pages) return;
    spin_lock(&lock);
    struct range *r = &ranges[range_count++];
    *r = (struct range){ .base = base, .pages = pages, .free = pages - map_pages, .hint = map_pages, .used = (uint64_t *)base };
    memset(r->used, 0, map_pages * HV_PAGE_BYTES);
    mark(r, 0, map_pages, true);
    total += pages;
    available += r->free;
    spin_unlock(&lock);
}

/* First index >= from of a free aligned run, or r->pages. */
static uint64_t find_run(const struct range *r, uint64_t from, uint64_t count, uint64_t align_pages)
{
    uint64_t first_page = r->base / HV_PAGE_BYTES, i = from;
    for (;;) {
        i = align_up(first_page + i, align_pages) - first_page;
        if (i + count > r->pages) return r->pages;
        uint64_t n = 0;
        while (n < count) {
            if ((i + n) % 64 == 0 && n + 64 <= count && r->used[(i + n) / 64] == 0) {
                n += 64;
            } else if (!is_used(r, i + n)) {
                n++;
            } else {
                break;
            }
        }
        if (n == count) return i;
        i += n + 1;
        while (i < r->pages && i % 64 == 0 && r->used[i / 64] == ~0ull) i += 64;
    }
}

void *page_alloc(uint64_t count, uint64_t align_pages)
{
    void *at = NULL;
    if (!count) return NULL;
    spin_lock(&lock);
    if (fail_countdown && --fail_countdown == 0) {
        spin_unlock(&lock);
        return NULL;
    }
    for (unsigned n = 0; n < range_count && !at; n++) {
        struct range *r = &ranges[n];
        if (r->free < count) continue;
        uint64_t i = find_run(r, r->hint, count, align_pages);
        if (i >= r->pages) i = find_run(r, 0, count, align_pages);
        if (i >= r->pages) continue;
        mark(r, i, count, true);
        r->free -= count;
        r->hint = i + count;
        available -= count;
        at = (void *)(r->base + i * HV_PAGE_BYTES);
    }
    spin_unlock(&lock);
    return at;
}

void page_free(void *at, uint64_t count)
{
    if (!at) return;
    uintptr_t a = (uintptr_t)at;
    spin_lock(&lock);
    for (unsigned n = 0; n < range_count; n++) {
        struct range *r = &ranges[n];
        if (a < r->base || a >= r->base + r->pages * HV_PAGE_BYTES) continue;
        uint64_t i = (a - r->base) / HV_PAGE_BYTES;
        ASSERT(i + count <= r->pages && is_used(r, i) && is_used(r, i + count - 1));
        mark(r, i, count, false);
        r->free += count;
        if (i < r->hint) r->hint = i;
        available += count;
        spin_unlock(&lock);
        return;
    }
    spin_unlock(&lock);
    panic("page_free: %p is no page of ours", at);
}

uint64_t page_total(void)     { return __atomic_load_n(&total, __ATOMIC_RELAXED); }
uint64_t page_available(void) { return __atomic_load_n(&available, __ATOMIC_RELAXED); }

uint64_t page_fail_at(uint64_t n)
{
    spin_lock(&lock);
    uint64_t left = fail_countdown;
    fail_countdown = n;
    spin_unlock(&lock);
    return left;
}
