// SPDX-License-Identifier: Apache-2.0
/* Size classes of powers of two carved from pages; larger objects are page runs with a header page-aligned away.
 * See heap.h. A class page starts with its header, so free needs no size. */
#include "hv/core/heap.h"
#include "hv/arch/spin.h"
#include "hv/base/assert.h"
#include "hv/base/bits.h"
#include "hv/base/list.h"
#include "hv/base/string.h"
#include "hv/core/page.h"

#define CLASS_MIN_BITS 5
#define CLASS_MAX_BITS 10                      /* up to 1 KiB; beyond: whole pages */
#define LARGE_SLOTS    4096

struct free_object { struct free_object *next; };
/* In its class's list as long as it has a free object; given back when it has no other. */
struct class_page { uint32_t magic, class_bits; uint64_t used; struct free_object *free; struct list link; };
#define CLASS_MAGIC 0x68656170u

static struct list with_room[CLASS_MAX_BITS + 1];
static struct { void *at; uint64_t pages; } large[LARGE_SLOTS];
static uint64_t used_bytes, fail_countdown;
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

/* A page with a free object of the class; NULL: there is none. */
static struct class_page *page_with_room(unsigned bits)
{
    struct list *pages = &with_room[bits];
    if (!pages->next) list_init(pages);
    if (!list_is_empty(pages)) return CONTAINER_OF(pages->next, struct class_page, link);
    struct class_page *p = page_alloc(1, 1);
    if (!p) return NULL;
    *p = (struct class_page){ .magic = CLASS_MAGIC, .class_bits = bits };
    size_t step = (size_t)1 << bits, first = step > sizeof *p ? step : align_up(sizeof *p, 16);
    for (size_t at = first; at + step <= HV_PAGE_BYTES; at += step) {
        struct free_object *f = (struct free_object *)((char *)p + at);
        f->next = p->free;
        p->free = f;
    }
    list_add_tail(pages, &p->link);
    return p;
}

static bool must_fail(void)
{
    spin_lock(&lock);
    bool must = fail_countdown && --fail_countdown == 0;
    spin_unlock(&lock);
    return must;
}

void *heap_alloc(size_t size_bytes)
{
    if (__atomic_load_n(&fail_countdown, __ATOMIC_RELAXED) && must_fail()) return NULL;
    if (size_bytes > (1u << CLASS_MAX_BITS)) return alloc_large(size_bytes);
    unsigned bits = CLASS_MIN_BITS;
    while ((1u << bits) < size_bytes) bits++;
    spin_lock(&lock);
    struct class_page *p = page_with_room(bits);
    if (!p) {
        spin_unlock(&lock);
        return NULL;
    }
    struct free_object *f = p->free;
    p->free = f->next;
    p->used++;
    if (!p->free) list_remove(&p->link);
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
    if (!p->free) list_add_tail(&with_room[p->class_bits], &p->link);
    f->next = p->free;
    p->free = f;
    used_bytes -= 1u << p->class_bits;
    if (!--p->used) {
        list_remove(&p->link);
        p->magic = 0;
        page_free(p, 1);
    }
    spin_unlock(&lock);
}

uint64_t heap_used_bytes(void) { return __atomic_load_n(&used_bytes, __ATOMIC_RELAXED); }

uint64_t heap_fail_at(uint64_t n)
{
    spin_lock(&lock);
    uint64_t left = fail_countdown;
    fail_countdown = n;
    spin_unlock(&lock);
    return left;
}
