// SPDX-License-Identifier: Apache-2.0
/* Size classes of powers of two carved from pages; larger objects are page runs with a header page-aligned away.
 * See heap.h. A class page starts with its header, so free needs no size. */
#include "hv/core/heap.h"
#include "hv/arch/spin.h"
#include "hv/base/assert.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/page.h"

#define CLASS_MIN_BITS 5
#define CLASS_MAX_BITS 10                      /* up to 1 KiB; beyond: whole pages */
#define LARGE_SLOTS    4096

struct free_object { struct free_object *next; };
struct class_page { uint32_t magic, class_bits; uint64_t pad; };
#define CLASS_MAGIC 0x68656170u

static struct free_object *free_list[CLASS_MAX_BITS + 1];
static struct { void *at; uint64_t pages; } large[LARGE_SLOTS];
static uint64_t used_bytes;
static struct spinlock lock;

static void *alloc_large(size_t size_bytes)
{
    uint64_t pages = align_up(size_bytes, HV_PAGE_BYTES) / HV_PAGE_BYTES;
    void *at = page_alloc(pages, 1);
    if (!at) return NULL;
    spin_lock(&lock);
    for (unsigned i = 0; i < LARGE_SLOTS; i++) {
        if (large[i].at) continue;
        large[i].at = at;
        large[i].pages = pages;
        used_bytes += pages * HV_PAGE_BYTES;
        spin_unlock(&lock);
        return memset(at, 0, pages * HV_PAGE_BYTES);
    }
    spin_unlock(&lock);
    page_free(at, pages);
    return NULL;
}

static bool refill(unsigned bits)
{
    struct class_page *p = page_alloc(1, 1);
    if (!p) return false;
    *p = (struct class_page){ CLASS_MAGIC, bits, 0 };
    size_t step = (size_t)1 << bits, first = step > sizeof *p ? step : sizeof *p;
    for (size_t at = first; at + step <= HV_PAGE_BYTES; at += step) {
        struct free_object *f = (struct free_object *)((char *)p + at);
        f->next = free_list[bits];
        free_list[bits] = f;
    }
    return true;
}

void *heap_alloc(size_t size_bytes)
{
    if (size_bytes > (1u << CLASS_MAX_BITS)) return alloc_large(size_bytes);
    unsigned bits = CLASS_MIN_BITS;
    while ((1u << bits) < size_bytes) bits++;
    spin_lock(&lock);
    if (!free_list[bits] && !refill(bits)) {
        spin_unlock(&lock);
        return NULL;
    }
    struct free_object *f = free_list[bits];
    free_list[bits] = f->next;
    used_bytes += 1u << bits;
    spin_unlock(&lock);
    return memset(f, 0, 1u << bits);
}

void heap_free(void *at)
{
    if (!at) return;
    spin_lock(&lock);
    if (((uintptr_t)at & (HV_PAGE_BYTES - 1)) == 0) {
        for (unsigned i = 0; i < LARGE_SLOTS; i++) {
            if (large[i].at != at) continue;
            uint64_t pages = large[i].pages;
            large[i].at = NULL;
            used_bytes -= pages * HV_PAGE_BYTES;
            spin_unlock(&lock);
            page_free(at, pages);
            return;
        }
        spin_unlock(&lock);
        panic("heap_free: %p is no object of ours", at);
    }
    struct class_page *p = (struct class_page *)align_down((uintptr_t)at, HV_PAGE_BYTES);
    ASSERT(p->magic == CLASS_MAGIC);
    struct free_object *f = at;
    f->next = free_list[p->class_bits];
    free_list[p->class_bits] = f;
    used_bytes -= 1u << p->class_bits;
    spin_unlock(&lock);
}

uint64_t heap_used_bytes(void) { return __atomic_load_n(&used_bytes, __ATOMIC_RELAXED); }
