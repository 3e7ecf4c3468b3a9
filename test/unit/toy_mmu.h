// SPDX-License-Identifier: Apache-2.0
/* A toy guest for MMU tests: page tables are a flat array of entries, [ASID][page], that cover the lowest and the highest
 * 4 MiB of the address space. Context bit 0 is user mode. `walks` counts, so that tests see what the TLB saved.
 * RAM: 4 MiB at 0x10000 less its first page's worth of tricks, ROM: 8 KiB at 0x8000000, a device at 0x9000000. */
#pragma once
#include "hv/mmu/mmu.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

#define TOY_PAGES   2048u
#define TOY_ASIDS   8u
#define TOY_RAM     0x40000000ull
#define TOY_RAM_SIZE MIB(6)
#define TOY_ROM     0x8000000ull
#define TOY_DEVICE  0x9000000ull
#define TOY_NOTHING 0xa000000ull
#define TOY_TOP     (0ull - MIB(4))          /* the highest 4 MiB */
enum { TOY_USER = 1 };                       /* context bit */

struct toy_pte { bool present, r, w, x, d, user, global; uint8_t page_bits, same_bits, sub_bits; uint64_t gpa; };
struct toy_dev { uint64_t reads, writes, value, polls, resets, destroys; bool refuses; };
struct toy {
    struct gmem gmem;
    struct mmio_bus bus;
    struct mmu mmu;
    struct toy_pte pte[TOY_ASIDS][TOY_PAGES];
    struct toy_dev dev;
    bool hardware_dirty;                     /* the walker sets D; else it faults */
    uint64_t walks;
};

static inline struct toy_pte *toy_pte(struct toy *t, unsigned asid, uint64_t va)
{
    if (va >= MIB(4) && va < TOY_TOP) return NULL;
    return &t->pte[asid % TOY_ASIDS][va >> 12 & (TOY_PAGES - 1)];
}

/* What the tables say, without any TLB. */
static inline bool toy_walk_tables(struct toy *t, unsigned asid, guest_addr at, enum access_type how, unsigned context,
                                   struct translation *out, struct fault *why)
{
    struct toy_pte *p = toy_pte(t, asid, at.v);
    bool is_user = context & TOY_USER, writes = access_is_write(how);
    *why = fault_page(at, how, is_user);
    if (!p || !p->present || (is_user && !p->user)) return false;
    if ((how == ACCESS_READ || how == ACCESS_ATOMIC) && !p->r) return false;
    if (how == ACCESS_EXECUTE && !p->x) return false;
    if (writes && !p->w) return false;
    if (writes && !p->d) {
        if (!t->hardware_dirty) return false;
        p->d = true;
    }
    unsigned perms = (p->r ? PERM_READ : 0u) | (p->w && p->d ? PERM_WRITE : 0u) | (p->x ? PERM_EXECUTE : 0u);
    *out = (struct translation){ .gpa = { p->gpa | (at.v & 4095) }, .page_bits = p->sub_bits ? p->sub_bits : p->page_bits,
                                 .perms = (uint8_t)perms, .is_global = p->global, .same_bits = p->same_bits };
    return true;
}

static inline bool toy_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why)
{
    struct toy *t = m->owner;
    t->walks++;
    return toy_walk_tables(t, m->asid, at, how, context, out, why);
}

static inline struct vm_error toy_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct toy_dev *d = dev;
    (void)size_bytes;
    d->reads++;
    *out = d->value + offset;
    return d->refuses ? vm_error_because(VM_DEVICE_BUSY, "toy") : VM_SUCCESS;
}
static inline struct vm_error toy_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct toy_dev *d = dev;
    (void)offset;
    (void)size_bytes;
    d->writes++;
    d->value = value;
    return d->refuses ? vm_error_because(VM_DEVICE_IO_FAILED, "toy") : VM_SUCCESS;
}
static inline void toy_poll(void *dev, uint64_t now_ns)  { (void)now_ns; ((struct toy_dev *)dev)->polls++; }
static inline void toy_reset(void *dev)                  { ((struct toy_dev *)dev)->resets++; }
static inline void toy_destroy_dev(void *dev)            { ((struct toy_dev *)dev)->destroys++; }
static const struct mmio_ops TOY_DEV = { "toy", toy_read, toy_write, toy_poll, toy_reset, toy_destroy_dev };

/* Maps page va -> gpa in one ASID: readable, writable, executable, dirty, for users too. */
static inline struct toy_pte *toy_map(struct toy *t, unsigned asid, uint64_t va, uint64_t gpa)
{
    struct toy_pte *p = toy_pte(t, asid, va);
    *p = (struct toy_pte){ true, true, true, true, true, true, false, 12, 0, 0, gpa };
    return p;
}

static inline void toy_start(struct toy *t)
{
    test_pages();
    memset(t, 0, sizeof *t);
    gmem_init(&t->gmem);
    mmio_init(&t->bus);
    CHECK(!vm_failed(gmem_add(&t->gmem, guest_phys_addr_make(TOY_RAM), TOY_RAM_SIZE, GMEM_RAM)));
    CHECK(!vm_failed(gmem_add(&t->gmem, guest_phys_addr_make(TOY_ROM), 8192, GMEM_ROM)));
    CHECK(!vm_failed(mmu_map_mmio(&t->bus, &(struct mmio_region){ .base = { TOY_DEVICE }, .size_bytes = 4096, .min_access_bytes = 1,
                                                                  .max_access_bytes = 8, .ops = &TOY_DEV, .dev = &t->dev })));
    CHECK(!vm_failed(mmu_init(&t->mmu, &t->gmem, &t->bus, toy_walk, t)));
}

static inline void toy_end(struct toy *t)
{
    mmu_destroy(&t->mmu);
    mmio_destroy(&t->bus);
    gmem_free(&t->gmem);
}
