// SPDX-License-Identifier: Apache-2.0
/* A GIC before its bus, and the vCPUs' interfaces as far as they are list registers: what the CPU would do with them while its guest
 * runs. A vCPU is out (nothing loaded) or in. Single thread. */
#pragma once
#include "drivers/virt/gic.h"
#include "test/unit/chip.h"

#define RIG_CPUS 8

enum { GICD_CTLR = 0x000, GICD_TYPER = 0x004, GICD_IIDR = 0x008, GIC_GROUP = 0x080, GIC_ENABLE = 0x100, GIC_DISABLE = 0x180, GIC_SETPEND = 0x200,
       GIC_CLRPEND = 0x280, GIC_SETACTIVE = 0x300, GIC_CLRACTIVE = 0x380, GIC_PRIORITY = 0x400, GIC_TARGETS = 0x800, GIC_CONFIG = 0xc00,
       GICD_SGIR = 0xf00, GIC_CPENDSGI = 0xf10, GIC_SPENDSGI = 0xf20, GICD_ROUTER = 0x6000, GICR_SGI = 0x10000 };

struct rig {
    struct gic        *g;
    struct mmio_region d, r;
    unsigned           version, cpus, lrs, self;         /* self: who accesses registers */
    struct rig_cpu { uint64_t lr[ARM64_MAX_LRS]; unsigned count; bool is_in, wants_room, is_called; unsigned calls; } cpu[RIG_CPUS];
};
static struct rig rig;

static inline void rig_notify(void *ctx, unsigned cpu)
{
    struct rig *t = ctx;
    CHECK(cpu < t->cpus);
    t->cpu[cpu].is_called = true;
    t->cpu[cpu].calls++;
}
static inline unsigned rig_accessor(void *ctx)    { return ((struct rig *)ctx)->self; }
static inline uint64_t rig_mpidr(unsigned cpu)    { return cpu % 4 | cpu / 4 << 8; }      /* two clusters of four */

static inline void rig_start(unsigned version, unsigned cpus, unsigned lrs)
{
    chip_pages();
    rig = (struct rig){ .version = version, .cpus = cpus, .lrs = lrs };
    const struct gic_config c = { version, cpus, &rig, rig_notify, rig_accessor, rig_mpidr };
    CHECK(!vm_failed(gic_create(&c, &rig.g)));
    rig.d = gic_distributor(rig.g, guest_phys_addr_make(0x08000000));
    if (version == 3) rig.r = gic_redistributors(rig.g, guest_phys_addr_make(0x080a0000));
}
static inline void rig_end(void) { rig.d.ops->destroy(rig.d.dev); }

/* ---- a vCPU comes and goes ---- */
static inline void rig_enter(unsigned cpu)
{
    struct rig_cpu *c = &rig.cpu[cpu];
    CHECK(!c->is_in);
    c->is_called = false;
    c->count = gic_load(rig.g, cpu, c->lr, rig.lrs, &c->wants_room);
    CHECK(c->count <= rig.lrs);
    c->is_in = true;
}
static inline void rig_leave(unsigned cpu)
{
    struct rig_cpu *c = &rig.cpu[cpu];
    if (!c->is_in) return;
    c->is_in = false;
    gic_save(rig.g, cpu, c->lr, c->count);
    c->count = 0;
}
/* What its guest would be interrupted by: the pending list register of the lowest priority value. NULL: nothing. */
static inline uint64_t *rig_best(unsigned cpu)
{
    struct rig_cpu *c = &rig.cpu[cpu];
    uint64_t *best = NULL;
    for (unsigned n = 0; n < c->count; n++) {
        if (!(c->lr[n] & ARM64_LR_PENDING) || c->lr[n] & ARM64_LR_ACTIVE) continue;
        if (!best || (c->lr[n] >> ARM64_LR_PRIORITY & 255) < (*best >> ARM64_LR_PRIORITY & 255)) best = &c->lr[n];
    }
    return best;
}
static inline uint32_t rig_intid(uint64_t lr)  { return (uint32_t)(lr & ARM64_LR_INTID); }
static inline unsigned rig_source(uint64_t lr) { return (unsigned)(lr >> ARM64_LR_SOURCE & 7); }
static inline uint64_t *rig_lr(unsigned cpu, uint32_t intid)
{
    for (unsigned n = 0; n < rig.cpu[cpu].count; n++) {
        if (rig_intid(rig.cpu[cpu].lr[n]) == intid) return &rig.cpu[cpu].lr[n];
    }
    return NULL;
}
/* Acknowledges; 1023: nothing there. */
static inline uint32_t rig_ack(unsigned cpu)
{
    uint64_t *lr = rig_best(cpu);
    if (!lr) return 1023;
    *lr = (*lr & ~ARM64_LR_PENDING) | ARM64_LR_ACTIVE;
    return rig_intid(*lr);
}
/* Deactivates. The end that was asked to be told of, or room that was wanted, makes it come out. */
static inline void rig_eoi(unsigned cpu, uint32_t intid)
{
    struct rig_cpu *c = &rig.cpu[cpu];
    uint64_t *lr = rig_lr(cpu, intid);
    CHECK(lr && *lr & ARM64_LR_ACTIVE);
    *lr &= ~ARM64_LR_ACTIVE;
    unsigned used = 0;
    for (unsigned n = 0; n < c->count; n++) used += (c->lr[n] & (ARM64_LR_PENDING | ARM64_LR_ACTIVE)) != 0;
    bool is_end_told = *lr & ARM64_LR_EOI && !(*lr & ARM64_LR_PENDING);
    if (is_end_told || (c->wants_room && used < 2)) c->is_called = true;
}

/* ---- registers, as `cpu` accesses them; private ones where its version has them ---- */
static inline uint32_t rig_get(unsigned cpu, uint64_t at)
{
    rig.self = cpu;
    return (uint32_t)chip_read(&rig.d, at, 4);
}
static inline void rig_put(unsigned cpu, uint64_t at, uint32_t v)
{
    rig.self = cpu;
    chip_write(&rig.d, at, 4, v);
}
static inline struct mmio_region *rig_place(unsigned cpu, uint32_t intid, uint64_t *at)
{
    rig.self = cpu;
    if (rig.version == 2 || intid >= GIC_PRIVATE) return &rig.d;
    *at += (uint64_t)GICR_BYTES * cpu + GICR_SGI;
    return &rig.r;
}
static inline void rig_put_bit(unsigned cpu, uint64_t bank, uint32_t intid)
{
    uint64_t at = bank + intid / 32 * 4;
    struct mmio_region *r = rig_place(cpu, intid, &at);
    chip_write(r, at, 4, 1u << intid % 32);
}
static inline bool rig_get_bit(unsigned cpu, uint64_t bank, uint32_t intid)
{
    uint64_t at = bank + intid / 32 * 4;
    struct mmio_region *r = rig_place(cpu, intid, &at);
    return chip_read(r, at, 4) >> intid % 32 & 1;
}
static inline void rig_group(unsigned cpu, uint32_t intid, bool is_group1)
{
    uint64_t at = GIC_GROUP + intid / 32 * 4;
    struct mmio_region *r = rig_place(cpu, intid, &at);
    uint64_t bit = 1u << intid % 32, was = chip_read(r, at, 4);
    chip_write(r, at, 4, is_group1 ? was | bit : was & ~bit);
}
static inline void rig_priority(unsigned cpu, uint32_t intid, uint8_t v)
{
    uint64_t at = GIC_PRIORITY + intid;
    struct mmio_region *r = rig_place(cpu, intid, &at);
    chip_write(r, at, 1, v);
}
static inline void rig_edge(uint32_t intid, bool is_edge)
{
    uint64_t at = GIC_CONFIG + intid / 16 * 4;
    uint32_t bit = 2u << intid % 16 * 2, was = rig_get(0, at);
    rig_put(0, at, is_edge ? was | bit : was & ~bit);
}
static inline void rig_route(uint32_t intid, unsigned cpu)
{
    if (rig.version == 2) chip_write(&rig.d, GIC_TARGETS + intid, 1, 1u << cpu);
    else chip_write(&rig.d, GICD_ROUTER + 8 * (uint64_t)intid, 8, rig_mpidr(cpu));
}
/* All groups on, and this interrupt. */
static inline void rig_open(unsigned cpu, uint32_t intid)
{
    rig_put(cpu, GICD_CTLR, 3);
    rig_put_bit(cpu, GIC_ENABLE, intid);
}
static inline void rig_line(uint32_t intid, bool level) { gic_set_spi(rig.g, intid, level); }
