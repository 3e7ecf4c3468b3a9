// SPDX-License-Identifier: Apache-2.0
/* A bare riscv64 guest of several harts on the real interpreter: 4 MiB of RAM at 0x80000000, a power switch, no board. What
 * the tests of the engine's contract, of statistics and of parallel harts stand on. */
#pragma once
#include "hv/isa/riscv64/state.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"
#include "test/unit/engine.h"
#include "test/unit/rv_asm.h"

#define GUEST_RAM      0x80000000ull
#define GUEST_RAM_SIZE MIB(4)
#define GUEST_HARTS    4
#define GUEST_POWER    0x00100000ull            /* a store ends the guest */
#define GUEST_HANDLER  (GUEST_RAM + 0x1000)     /* mtvec: j . */
#define GUEST_CODE     (GUEST_RAM + 0x10000)
#define GUEST_DATA     (GUEST_RAM + 0x100000)

struct guest { struct vcpu v[GUEST_HARTS]; unsigned harts; struct gmem gmem; struct mmio_bus bus; struct guest_clock clock; uint64_t power_value; };

static inline struct vm_error guest_power_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0x12345678;
    return VM_SUCCESS;
}
static inline struct vm_error guest_power_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct guest *g = dev;
    (void)offset, (void)size_bytes;
    g->power_value = value;
    for (unsigned i = 0; i < g->harts; i++) vcpu_ask(&g->v[i], VCPU_REQUEST_EXIT);
    return VM_SUCCESS;
}
static const struct mmio_ops GUEST_POWER_OPS = { "power", guest_power_read, guest_power_write, NULL, NULL, NULL };

/* Words into RAM, as a loader puts them there: every hart looks at its code again. */
static inline void guest_load(struct guest *g, uint64_t at, const uint32_t *words, unsigned count)
{
    CHECK(!vm_failed(gmem_load(&g->gmem, guest_phys_addr_make(at), words, 4ull * count)));
    for (unsigned i = 0; i < g->harts; i++) vcpu_code_changed(&g->v[i], guest_phys_addr_make(0), UINT64_MAX);
}
#define GUEST_LOAD(g, at, ...) do { const uint32_t w_[] = { __VA_ARGS__ }; guest_load(g, at, w_, ARRAY_COUNT(w_)); } while (0)

/* Power-on, and RAM as it was. */
static inline void guest_reset(struct guest *g)
{
    for (unsigned i = 0; i < g->harts; i++) {
        rv_reset(&g->v[i]);
        rv_set_svadu(&g->v[i], true);
        rv_csrs(&g->v[i])->mtvec = GUEST_HANDLER;
        vcpu_set_pc(&g->v[i], guest_addr_make(GUEST_CODE));
        g->v[i].request = g->v[i].pins = 0;
    }
    GUEST_LOAD(g, GUEST_HANDLER, rv_j(0));
}
static inline void guest_start(struct guest *g, unsigned harts)
{
    test_pages();
    memset(g, 0, sizeof *g);
    g->harts = harts;
    gmem_init(&g->gmem);
    mmio_init(&g->bus);
    g->clock = (struct guest_clock){ .frequency_hz = 10000000, .offset_ns = 1000, .stopped_at_ns = 1000 + 100000 };      /* stands still */
    CHECK(!vm_failed(gmem_add(&g->gmem, guest_phys_addr_make(GUEST_RAM), GUEST_RAM_SIZE, GMEM_RAM)));
    CHECK(!vm_failed(mmu_map_mmio(&g->bus, &(struct mmio_region){ .base = { GUEST_POWER }, .size_bytes = 4096, .min_access_bytes = 1,
                                                                  .max_access_bytes = 8, .ops = &GUEST_POWER_OPS, .dev = g })));
    for (unsigned i = 0; i < harts; i++) {
        struct vcpu *v = &g->v[i];
        *v = (struct vcpu){ .id = i, .isa = &RISCV64_ISA, .clock = &g->clock, .deadline_ns = UINT64_MAX };
        CHECK(!vm_failed(mmu_init(&v->mmu, &g->gmem, &g->bus, RISCV64_ISA.walk, v)));
        v->mmu.code_changed = vcpu_code_changed;
        CHECK(!vm_failed(TEST_ENGINE.vcpu_init(v)));
        v->engine = &TEST_ENGINE;
    }
    guest_reset(g);
}
static inline void guest_end(struct guest *g)
{
    for (unsigned i = 0; i < g->harts; i++) {
        TEST_ENGINE.vcpu_destroy(&g->v[i]);
        mmu_destroy(&g->v[i].mmu);
    }
    mmio_destroy(&g->bus);
    gmem_free(&g->gmem);
}
static inline uint64_t guest_peek(struct guest *g, uint64_t at)
{
    uint64_t value;
    CHECK(!vm_failed(gmem_read_bulk(&g->gmem, guest_phys_addr_make(at), &value, 8)));
    return value;
}
static inline void guest_poke(struct guest *g, uint64_t at, uint64_t value)
{
    CHECK(!vm_failed(gmem_write_bulk(&g->gmem, guest_phys_addr_make(at), &value, 8)));
}
static inline uint64_t guest_reg(const struct vcpu *v, const char *name)
{
    uint64_t value = 0;
    int reg = vcpu_find_reg(v, name);
    CHECK(reg >= 0 && !vm_failed(vcpu_get_reg(v, (unsigned)reg, &value)));
    return value;
}
/* Writing control registers asks the run loop to arm its timer; here is none. */
static inline void guest_set_reg(struct vcpu *v, const char *name, uint64_t value)
{
    uint32_t asked = v->request;
    int reg = vcpu_find_reg(v, name);
    CHECK(reg >= 0 && !vm_failed(vcpu_set_reg(v, (unsigned)reg, value)));
    v->request = (v->request & ~(uint32_t)VCPU_REQUEST_HOST) | asked;
}
/* Pages of RAM under Sv39, by 4 KiB leaves in one table at RAM + 2 MiB and its two parents; GUEST_RAM maps to itself. */
#define GUEST_ROOT   (GUEST_RAM + 0x200000)
#define GUEST_LEAVES (GUEST_ROOT + 0x2000)
enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_G = 32, PTE_A = 64, PTE_D = 128 };
static inline uint64_t guest_pte(uint64_t gpa, unsigned bits) { return gpa >> 12 << 10 | bits; }
static inline void guest_map(struct guest *g, uint64_t va, uint64_t gpa, unsigned bits)       /* va in RAM's first 2 MiB */
{
    guest_poke(g, GUEST_LEAVES + 8 * ((va - GUEST_RAM) >> 12), guest_pte(gpa, bits));
}
static inline void guest_paging(struct guest *g, struct vcpu *v)                              /* and S-mode */
{
    struct rv_csrs *c = rv_csrs(v);
    c->pmpaddr[0] = (1ull << 54) - 1;
    c->pmpcfg[0] = RV_PMP_NAPOT << 3 | 7;
    rv_pmp_sync(v);
    guest_poke(g, GUEST_ROOT + 8 * 2, guest_pte(GUEST_ROOT + 0x1000, PTE_V));
    guest_poke(g, GUEST_ROOT + 0x1000, guest_pte(GUEST_LEAVES, PTE_V));
    for (uint64_t page = 0; page < 512; page++) {
        guest_map(g, GUEST_RAM + page * 0x1000, GUEST_RAM + page * 0x1000, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D);
    }
    c->satp = 8ull << 60 | GUEST_ROOT >> 12;
    c->privilege = RV_S;
    rv_sync(v);
}
