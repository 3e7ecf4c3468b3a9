// SPDX-License-Identifier: Apache-2.0
/* The GIC as its specifications draw it, without list registers: of each interrupt whether it is pending and active, by the rules
 * alone. Random steps are done to both, the chip and this; after each one nothing may be lost, doubled or in the wrong place.
 *
 * A vCPU that was called comes out before anything else happens, as a kick is quick: what the chip may do late, it does in time. */
#pragma once
#include "test/unit/gic_rig.h"

/* Few interrupts, so that they meet: software ones, timers, wires on both sides of a register's border. */
static const uint32_t MODEL_INTIDS[] = { 0, 1, 15, 27, 30, 32, 33, 48, 63, 64, 127 };
#define MODEL_IRQS ARRAY_COUNT(MODEL_INTIDS)

struct model_irq {
    bool    enabled, edge, group1, line, latch, active;
    uint8_t priority, sources;
    unsigned target, active_on;
};
/* [cpu][n]; a shared one is that of cpu 0 */
static struct { struct model_irq irq[RIG_CPUS][MODEL_IRQS]; bool group0_on, group1_on; } model;

static inline bool model_is_private(unsigned n)  { return MODEL_INTIDS[n] < 32; }
static inline bool model_is_sgi(unsigned n)      { return MODEL_INTIDS[n] < 16; }
static inline bool model_is_v2_sgi(unsigned n)   { return model_is_sgi(n) && rig.version == 2; }
static inline struct model_irq *model_of(unsigned cpu, unsigned n) { return &model.irq[model_is_private(n) ? cpu : 0][n]; }
static inline unsigned model_index(uint32_t intid)
{
    for (unsigned n = 0; n < MODEL_IRQS; n++) {
        if (MODEL_INTIDS[n] == intid) return n;
    }
    test_fail(__FILE__, __LINE__, "INTID %u out of nowhere", intid);
}

static inline bool model_pending(const struct model_irq *i, unsigned n)
{
    if (model_is_v2_sgi(n)) return i->sources != 0;
    return i->latch || (i->line && !i->edge && !model_is_sgi(n));
}
static inline bool model_open(const struct model_irq *i) { return i->enabled && (i->group1 ? model.group1_on : model.group0_on); }
/* Does it concern this vCPU: as its target, or as the one that is at it. */
static inline bool model_is_here(unsigned cpu, unsigned n)
{
    const struct model_irq *i = model_of(cpu, n);
    return model_is_private(n) || (i->active ? i->active_on == cpu : i->target == cpu);
}
static inline bool model_is_elsewhere(unsigned cpu, unsigned n)          /* in another vCPU's list registers */
{
    for (unsigned c = 0; c < rig.cpus; c++) {
        if (c != cpu && !model_is_private(n) && rig_lr(c, MODEL_INTIDS[n])) return true;
    }
    return false;
}
static inline bool model_due(unsigned cpu, unsigned n)
{
    const struct model_irq *i = model_of(cpu, n);
    return model_is_here(cpu, n) && !model_is_elsewhere(cpu, n) && !i->active && model_open(i) && model_pending(i, n);
}

static inline void model_start(unsigned version, unsigned cpus, unsigned lrs)
{
    rig_start(version, cpus, lrs);
    memset(&model, 0, sizeof model);
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        for (unsigned n = 0; n < MODEL_IRQS; n++) model.irq[cpu][n].enabled = model_is_v2_sgi(n);
}

/* ---- judging ---- */
static inline uint32_t model_rank(unsigned cpu, unsigned n)
{
    const struct model_irq *i = model_of(cpu, n);
    return (i->active ? 1u << 24 : 0) + ((uint32_t)i->priority << 12) + MODEL_INTIDS[n];
}
/* What waits, then what is active; but the highest of the active ones, which may be handled just now, before all. */
static inline bool model_is_before(unsigned cpu, unsigned a, unsigned b)
{
    unsigned top = MODEL_IRQS;
    for (unsigned n = 0; n < MODEL_IRQS; n++) {
        bool is_mine = model_of(cpu, n)->active && model_is_here(cpu, n) && !model_is_elsewhere(cpu, n);
        if (is_mine && (top == MODEL_IRQS || model_rank(cpu, n) < model_rank(cpu, top))) top = n;
    }
    return b != top && (a == top || model_rank(cpu, a) < model_rank(cpu, b));
}

/* What was loaded just now is what should be: the first of all that concern it, in the right state. */
static inline void model_check_load(unsigned cpu)
{
    unsigned wanted = 0, before;
    for (unsigned n = 0; n < MODEL_IRQS; n++) {
        const struct model_irq *i = model_of(cpu, n);
        bool is_pending = model_open(i) && model_pending(i, n);
        if (!model_is_here(cpu, n) || model_is_elsewhere(cpu, n) || !(i->active || is_pending)) {
            if (rig_lr(cpu, MODEL_INTIDS[n])) test_fail(__FILE__, __LINE__, "vCPU %u: INTID %u has no business here", cpu, MODEL_INTIDS[n]);
            continue;
        }
        wanted++;
        before = 0;
        for (unsigned k = 0; k < MODEL_IRQS; k++) {
            const struct model_irq *other = model_of(cpu, k);
            bool counts = model_is_here(cpu, k) && !model_is_elsewhere(cpu, k) && (other->active || (model_open(other) && model_pending(other, k)));
            before += counts && model_is_before(cpu, k, n);
        }
        const uint64_t *lr = rig_lr(cpu, MODEL_INTIDS[n]);
        if ((lr != NULL) != (before < rig.lrs)) test_fail(__FILE__, __LINE__, "vCPU %u: INTID %u, %u before it, loaded %d", cpu, MODEL_INTIDS[n], before, lr != NULL);
        if (!lr) continue;
        /* a level, or a GICv2 software interrupt, is never both: its second time is told at the end of the first */
        bool may_be_both = (i->edge || model_is_sgi(n)) && !model_is_v2_sgi(n);
        CHECK_EQ_U64(*lr & ARM64_LR_ACTIVE, i->active ? ARM64_LR_ACTIVE : 0);
        CHECK_EQ_U64(*lr & ARM64_LR_PENDING, is_pending && (!i->active || may_be_both) ? ARM64_LR_PENDING : 0);
        CHECK_EQ_U64(*lr >> ARM64_LR_PRIORITY & 255, i->priority);
        CHECK_EQ_U64(*lr & ARM64_LR_GROUP1, i->group1 ? ARM64_LR_GROUP1 : 0);
        if (is_pending && !(*lr & ARM64_LR_PENDING)) CHECK(*lr & ARM64_LR_EOI);
        if (model_is_v2_sgi(n) && *lr & ARM64_LR_PENDING) CHECK(i->sources >> rig_source(*lr) & 1);
    }
    CHECK_EQ_U64(rig.cpu[cpu].count, wanted < rig.lrs ? wanted : rig.lrs);
    CHECK_EQ_U64(rig.cpu[cpu].wants_room, wanted > rig.lrs);
}

/* Nothing waits for a vCPU that does not know. */
static inline void model_check(void)
{
    for (unsigned cpu = 0; cpu < rig.cpus; cpu++) {
        bool is_due = false;
        for (unsigned n = 0; n < MODEL_IRQS; n++) {
            bool due = model_due(cpu, n);
            if (due && rig.cpu[cpu].is_in) {
                const uint64_t *lr = rig_lr(cpu, MODEL_INTIDS[n]);
                if (lr ? !(*lr & ARM64_LR_PENDING) : !rig.cpu[cpu].wants_room) test_fail(__FILE__, __LINE__, "vCPU %u does not see INTID %u", cpu, MODEL_INTIDS[n]);
            }
            is_due |= due;
        }
        if (!rig.cpu[cpu].is_in) CHECK_EQ_U64(gic_is_pending(rig.g, cpu), is_due);
    }
}

static inline void model_check_registers(unsigned cpu, unsigned n)
{
    const struct model_irq *i = model_of(cpu, n);
    if (model_is_elsewhere(cpu, n)) return;
    CHECK_EQ_U64(rig_get_bit(cpu, GIC_ENABLE, MODEL_INTIDS[n]), i->enabled);
    CHECK_EQ_U64(rig_get_bit(cpu, GIC_SETPEND, MODEL_INTIDS[n]), model_pending(i, n));
    CHECK_EQ_U64(rig_get_bit(cpu, GIC_CLRACTIVE, MODEL_INTIDS[n]), i->active);
}

/* ---- steps ---- */
static inline void model_guest_step(unsigned cpu)                        /* in the guest, without leaving it */
{
    uint64_t *lr = rig_best(cpu);
    if (lr && test_random() & 1) {
        unsigned n = model_index(rig_intid(*lr)), source = rig_source(*lr);
        struct model_irq *i = model_of(cpu, n);
        CHECK_EQ_U64(rig_ack(cpu), MODEL_INTIDS[n]);
        /* Only of a level may less be left than its list register says: its wire may have fallen. */
        if (i->edge || model_is_sgi(n)) CHECK(model_pending(i, n) && model_open(i));
        if (model_is_v2_sgi(n)) CHECK(i->sources >> source & 1);
        i->sources &= (uint8_t)~(1u << source);
        i->latch = false;
        i->active = true;
        i->active_on = cpu;
        return;
    }
    for (unsigned k = 0; k < rig.cpu[cpu].count; k++) {
        uint64_t l = rig.cpu[cpu].lr[(k + cpu) % rig.cpu[cpu].count];
        if (!(l & ARM64_LR_ACTIVE)) continue;
        unsigned n = model_index(rig_intid(l));
        rig_eoi(cpu, MODEL_INTIDS[n]);
        model_of(cpu, n)->active = false;
        return;
    }
}

static inline void model_send(unsigned from, unsigned n)
{
    unsigned list = (unsigned)test_random() & ((1u << rig.cpus) - 1);
    bool is_all_others = test_random() % 4 == 0;
    if (is_all_others) list = ((1u << rig.cpus) - 1) & ~(1u << from);
    if (rig.version == 2) {
        rig_put(from, GICD_SGIR, is_all_others ? 1u << 24 | MODEL_INTIDS[n] : list << 16 | MODEL_INTIDS[n]);
    } else if (is_all_others) {
        gic_send_sgi(rig.g, from, 1ull << 40 | (uint64_t)MODEL_INTIDS[n] << 24);
    } else {
        for (unsigned cluster = 0; cluster < 2; cluster++)
            gic_send_sgi(rig.g, from, (uint64_t)cluster << 16 | (uint64_t)MODEL_INTIDS[n] << 24 | (list >> 4 * cluster & 15));
    }
    for (unsigned cpu = 0; cpu < rig.cpus; cpu++) {
        if (!(list >> cpu & 1)) continue;
        if (rig.version == 2) model_of(cpu, n)->sources |= (uint8_t)(1u << from);
        else model_of(cpu, n)->latch = true;
    }
}

static inline void model_wire(unsigned cpu, unsigned n, bool level)
{
    struct model_irq *i = model_of(cpu, n);
    if (model_is_sgi(n)) return;
    if (model_is_private(n)) gic_set_ppi(rig.g, cpu, MODEL_INTIDS[n], level);
    else rig_line(MODEL_INTIDS[n], level);
    if (i->edge && level && !i->line) i->latch = true;
    i->line = level;
}

/* A register, written by `cpu`, which is out. */
static inline void model_register(unsigned cpu, unsigned n)
{
    struct model_irq *i = model_of(cpu, n);
    uint32_t intid = MODEL_INTIDS[n];
    unsigned v = (unsigned)test_random();
    bool is_loaded = model_is_elsewhere(cpu, n);
    switch (test_random() % 12) {
    case 0:
    case 1: rig_put_bit(cpu, GIC_ENABLE, intid), i->enabled = true; break;
    case 2:
        rig_put_bit(cpu, GIC_DISABLE, intid);
        if (!model_is_v2_sgi(n)) i->enabled = false;
        break;
    case 3:
        rig_put_bit(cpu, GIC_SETPEND, intid);
        if (!model_is_v2_sgi(n)) i->latch = true;
        break;
    case 4:
        rig_put_bit(cpu, GIC_CLRPEND, intid);
        if (!model_is_v2_sgi(n)) i->latch = false;
        break;
    case 5:
        if (is_loaded) break;                                           /* whose state is the CPU's */
        rig_put_bit(cpu, GIC_SETACTIVE, intid);
        if (!i->active) i->active_on = cpu;
        i->active = true;
        break;
    case 6: rig_put_bit(cpu, GIC_CLRACTIVE, intid), i->active = false; break;
    case 7: rig_priority(cpu, intid, (uint8_t)v), i->priority = (uint8_t)(v & 0xf8); break;
    case 8:
        if (model_is_private(n)) break;
        i->target = v % rig.cpus;
        rig.self = cpu;
        rig_route(intid, i->target);
        break;
    case 9:
        if (model_is_private(n) || i->enabled || is_loaded) break;      /* unpredictable otherwise: IHI 0048, 4.3.13 */
        rig_edge(intid, v & 1), i->edge = v & 1;
        break;
    case 10:
        rig_group(cpu, intid, v & 1);
        if (rig.version == 3) i->group1 = v & 1;
        break;
    case 11:
        v |= test_random() & 1 ? 3 : 0;                                 /* mostly on */
        rig_put(cpu, GICD_CTLR, v);
        model.group0_on = v & 1;
        model.group1_on = rig.version == 3 && v & 2;
        break;
    }
}

static inline void model_leave_if_called(void)
{
    for (unsigned again = 1; again;) {
        again = 0;
        for (unsigned cpu = 0; cpu < rig.cpus; cpu++) {
            if (!rig.cpu[cpu].is_in || !rig.cpu[cpu].is_called) continue;
            rig_leave(cpu);                                             /* which may call others */
            again = 1;
        }
    }
}

static inline void model_step(void)
{
    unsigned cpu = (unsigned)(test_random() % rig.cpus), n = (unsigned)(test_random() % MODEL_IRQS);
    switch (test_random() % 8) {
    case 0:
    case 1:
        if (!rig.cpu[cpu].is_in) {
            rig_enter(cpu);
            model_check_load(cpu);
        }
        break;
    case 2: rig_leave(cpu); break;
    case 3:
    case 4: if (rig.cpu[cpu].is_in) model_guest_step(cpu); break;
    case 5: model_wire(cpu, n, test_random() & 1); break;
    case 6:
        rig_leave(cpu);
        model_register(cpu, n);
        break;
    case 7:
        rig_leave(cpu);
        if (model_is_sgi(n)) model_send(cpu, n);
        else model_check_registers(cpu, n);
        break;
    }
    model_leave_if_called();
    model_check();
}
