// SPDX-License-Identifier: Apache-2.0
/* States of interrupts and the way to list registers and back; see gic.h. What is in list registers is the CPU's until the
 * vCPU comes out: it is not ready meanwhile, for nobody. A pending edge goes along into the list register, so that one that comes
 * while the guest handles the last is a new one. IHI 0048B 1.4.2 and 5.2; IHI 0069 4.1 and chapter 6. */
#include "drivers/virt/gic_state.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define SGIS 16u
#define AFFINITY 0xff00ffffffull

struct gic_irq *gic_irq_of(struct gic *g, unsigned cpu, uint32_t intid)
{
    return intid < GIC_PRIVATE ? &g->cpu[cpu].irq[intid] : &g->spi[intid - GIC_PRIVATE];
}

bool gic_irq_is_pending(const struct gic_irq *irq) { return irq->latch || irq->sources || (irq->line && !irq->is_edge); }

unsigned gic_cpu_of_route(const struct gic *g, uint64_t route)
{
    for (unsigned i = 0; i < g->config.cpu_count; i++) {
        if ((g->config.mpidr(i) & AFFINITY) == (route & AFFINITY)) return i;
    }
    return GIC_NOBODY;
}

/* Whom an SPI would interrupt. One of several targets is as good as another. */
static unsigned target_of(const struct gic *g, const struct gic_irq *irq)
{
    if (irq->is_active) return irq->active_on;
    if (g->config.version == 2) return irq->targets ? (unsigned)__builtin_ctz(irq->targets) : GIC_NOBODY;
    return irq->route & bit64(31) ? 0 : gic_cpu_of_route(g, irq->route);
}

static void set_bit(uint64_t *map, uint32_t intid, bool is_set)
{
    uint64_t bit = bit64(intid % 64), *word = &map[intid / 64];
    __atomic_store_n(word, is_set ? *word | bit : *word & ~bit, __ATOMIC_RELEASE);
}

static bool is_any(const uint64_t *map)
{
    uint64_t any = 0;
    for (unsigned w = 0; w < GIC_IRQS / 64; w++) any |= __atomic_load_n(&map[w], __ATOMIC_ACQUIRE);
    return any != 0;
}

static bool is_open(const struct gic *g, const struct gic_irq *irq)
{
    return irq->is_enabled && g->ctlr & (irq->is_group1 ? GICD_ENABLE_GROUP1 : GICD_ENABLE_GROUP0);
}

/* The vCPU that has it in a list register will not see by itself that it came again, was switched off or has moved: it may have
 * handled the last one without leaving the guest. It has to come out. A level needs none of that, its end makes it come out. */
static bool is_outdated(const struct gic_irq *irq, bool is_on, unsigned to)
{
    return irq->is_loaded && (irq->latch || irq->sources || !is_on || to != irq->loaded_on);
}

void gic_update(struct gic *g, unsigned cpu, uint32_t intid, unsigned self)
{
    struct gic_irq *irq = gic_irq_of(g, cpu, intid);
    unsigned to = intid < GIC_PRIVATE ? cpu : target_of(g, irq);
    bool is_on = is_open(g, irq), is_pending = is_on && gic_irq_is_pending(irq);
    bool is_ready = !irq->is_loaded && (irq->is_active || is_pending), is_due = is_pending && !irq->is_loaded && !irq->is_active;
    struct gic_cpu *was = &g->cpu[irq->ready_on];
    bool was_due = was->due[intid / 64] >> intid % 64 & 1 && irq->ready_on == to;
    set_bit(was->ready, intid, false);
    set_bit(was->due, intid, false);
    if (is_outdated(irq, is_on, to) && irq->loaded_on != self) g->config.notify(g->config.ctx, irq->loaded_on);
    if (to == GIC_NOBODY) return;
    irq->ready_on = (uint8_t)to;
    set_bit(g->cpu[to].ready, intid, is_ready);
    set_bit(g->cpu[to].due, intid, is_due);
    if (is_due && !was_due && to != self) g->config.notify(g->config.ctx, to);
}

void gic_call_out(struct gic *g, const struct gic_irq *irq)
{
    if (irq->is_loaded) g->config.notify(g->config.ctx, irq->loaded_on);
}

void gic_update_all(struct gic *g)
{
    for (unsigned cpu = 0; cpu < g->config.cpu_count; cpu++) {
        for (uint32_t i = 0; i < GIC_PRIVATE; i++) gic_update(g, cpu, i, GIC_NOBODY);
    }
    for (uint32_t i = GIC_PRIVATE; i < GIC_IRQS; i++) gic_update(g, 0, i, GIC_NOBODY);
}

/* ---- wires ---- */
static void set_line(struct gic *g, unsigned cpu, uint32_t intid, bool level)
{
    struct gic_irq *irq = gic_irq_of(g, cpu, intid);
    spin_lock(&g->lock);
    bool is_new = level && !irq->line;
    irq->line = level;
    if (is_new && irq->is_edge) irq->latch = true;
    gic_update(g, cpu, intid, GIC_NOBODY);
    spin_unlock(&g->lock);
}

void gic_set_spi(void *gic, uint32_t intid, bool level)
{
    if (intid >= GIC_PRIVATE && intid < GIC_IRQS) set_line(gic, 0, intid, level);
}

/* The vCPU itself, mostly: it asks each time it comes out. */
void gic_set_ppi(struct gic *g, unsigned cpu, uint32_t intid, bool level)
{
    if (__atomic_load_n(&g->cpu[cpu].irq[intid].line, __ATOMIC_RELAXED) != level) set_line(g, cpu, intid, level);
}

/* ---- SGIs ---- */
/* `self`, which sends, is out of its guest and loads before it goes back: nobody has to tell it. */
static void send(struct gic *g, unsigned cpu, uint32_t sgi, unsigned self)
{
    g->cpu[cpu].irq[sgi].latch = true;
    gic_update(g, cpu, sgi, self);
}

/* IHI 0069, ICC_SGI1R_EL1: Aff3, Aff2, Aff1 name a cluster; a range of 16 and a list of targets in it; or all but the sender. */
void gic_send_sgi(struct gic *g, unsigned self, uint64_t v)
{
    uint32_t sgi = (uint32_t)bits64(v, 27, 24);
    uint64_t cluster = bits64(v, 55, 48) << 32 | bits64(v, 39, 32) << 16 | bits64(v, 23, 16) << 8, range = bits64(v, 47, 44);
    spin_lock(&g->lock);
    for (unsigned i = 0; i < g->config.cpu_count; i++) {
        uint64_t m = g->config.mpidr(i) & AFFINITY, aff0 = m & 0xff;
        bool is_named = (m & ~0xffull) == cluster && aff0 / 16 == range && v >> aff0 % 16 & 1;
        if (v & bit64(40) ? i != self : is_named) send(g, i, sgi, self);
    }
    spin_unlock(&g->lock);
}

/* ---- list registers ---- */
/* Smaller keys first: what waits, then what is active, each by priority, then by INTID. Active ones whose priority has been dropped
 * (EOImode 1) must not keep others out. */
struct candidate { uint32_t intid, key; };

static unsigned collect(struct gic *g, unsigned cpu, struct candidate *out)
{
    unsigned n = 0;
    for (unsigned w = 0; w < GIC_IRQS / 64; w++) {
        for (uint64_t map = g->cpu[cpu].ready[w]; map; map &= map - 1) {
            uint32_t intid = 64 * w + (uint32_t)__builtin_ctzll(map);
            const struct gic_irq *irq = gic_irq_of(g, cpu, intid);
            out[n++] = (struct candidate){ intid, (irq->is_active ? 2u : 1u) << 24 | (uint32_t)irq->priority << 16 | intid };
        }
    }
    return n;
}

static void best_first(struct candidate *c, unsigned count, unsigned wanted)
{
    for (unsigned i = 0; i < wanted; i++) {
        unsigned best = i;
        for (unsigned n = i + 1; n < count; n++) {
            if (c[n].key < c[best].key) best = n;
        }
        struct candidate t = c[i];
        c[i] = c[best];
        c[best] = t;
    }
}

/* The active one that will end first, whatever waits: its end must find it in a list register. */
static void running_first(struct gic *g, unsigned cpu, struct candidate *c, unsigned count)
{
    struct candidate *first = NULL;
    for (unsigned i = 0; i < count; i++) {
        if (gic_irq_of(g, cpu, c[i].intid)->is_active && (!first || c[i].key < first->key)) first = &c[i];
    }
    if (first) first->key = 0;
}

static uint64_t to_list_register(struct gic *g, struct gic_irq *irq, uint32_t intid, bool is_on)
{
    uint64_t lr = intid | (uint64_t)irq->priority << ARM64_LR_PRIORITY | (irq->is_group1 ? ARM64_LR_GROUP1 : 0);
    bool is_sgi = intid < SGIS, is_level = !irq->is_edge && !is_sgi;
    if (irq->is_active) lr |= ARM64_LR_ACTIVE | (uint64_t)irq->active_source << ARM64_LR_SOURCE;
    if (is_level) lr |= ARM64_LR_EOI;                        /* its wire may be high still when it is done */
    bool may_be_both = !is_level && !(is_sgi && g->config.version == 2);
    if (!is_on || !gic_irq_is_pending(irq) || (irq->is_active && !may_be_both)) {
        if (gic_irq_is_pending(irq)) lr |= ARM64_LR_EOI;
        return lr;
    }
    lr |= ARM64_LR_PENDING;
    if (irq->sources) {
        unsigned source = (unsigned)__builtin_ctz(irq->sources);
        irq->sources &= (uint8_t)~(1u << source);
        lr |= (uint64_t)source << ARM64_LR_SOURCE;
        if (irq->sources) lr |= ARM64_LR_EOI;
    }
    irq->is_latch_loaded = irq->latch;
    irq->latch = false;
    return lr;
}

static NOINLINE unsigned load(struct gic *g, unsigned cpu, uint64_t *lr, unsigned cap, bool *wants_room)
{
    struct candidate found[GIC_IRQS];
    unsigned n = 0;
    spin_lock(&g->lock);
    unsigned count = collect(g, cpu, found);
    if (count > cap) {                                       /* each end tells: the next may have to come in */
        running_first(g, cpu, found, count);
        best_first(found, count, cap);
        *wants_room = true;
    }
    for (; n < count && n < cap; n++) {
        struct gic_irq *irq = gic_irq_of(g, cpu, found[n].intid);
        irq->is_latch_loaded = irq->is_deactivated = false;
        lr[n] = to_list_register(g, irq, found[n].intid, is_open(g, irq)) | (*wants_room ? ARM64_LR_EOI : 0);
        irq->is_loaded = true;
        irq->loaded_on = (uint8_t)cpu;
        set_bit(g->cpu[cpu].ready, found[n].intid, false);
        set_bit(g->cpu[cpu].due, found[n].intid, false);
    }
    spin_unlock(&g->lock);
    return n;
}

unsigned gic_load(struct gic *g, unsigned cpu, uint64_t *lr, unsigned cap, bool *wants_room)
{
    *wants_room = false;
    return is_any(g->cpu[cpu].ready) ? load(g, cpu, lr, cap, wants_room) : 0;
}

void gic_save(struct gic *g, unsigned cpu, const uint64_t *lr, unsigned count)
{
    if (!count) return;
    spin_lock(&g->lock);
    for (unsigned i = 0; i < count; i++) {
        uint32_t intid = (uint32_t)(lr[i] & ARM64_LR_INTID);
        struct gic_irq *irq = gic_irq_of(g, cpu, intid);
        bool is_untaken = lr[i] & ARM64_LR_PENDING;
        irq->is_loaded = false;
        irq->is_active = lr[i] & ARM64_LR_ACTIVE && !irq->is_deactivated;
        irq->active_on = (uint8_t)cpu;
        irq->active_source = (uint8_t)(lr[i] >> ARM64_LR_SOURCE & 7);
        if (is_untaken && irq->is_latch_loaded) irq->latch = true;
        if (is_untaken && intid < SGIS && g->config.version == 2) irq->sources |= (uint8_t)(1u << irq->active_source);
        gic_update(g, cpu, intid, cpu);
    }
    spin_unlock(&g->lock);
}

static void end(struct gic *g, unsigned cpu, uint32_t intid)
{
    struct gic_irq *irq = gic_irq_of(g, cpu, intid);
    if (!irq->is_active || irq->active_on != cpu) return;
    irq->is_active = false;
    gic_update(g, cpu, intid, cpu);
}

void gic_deactivate(struct gic *g, unsigned cpu, uint32_t intid)
{
    if (intid >= GIC_IRQS) return;
    spin_lock(&g->lock);
    end(g, cpu, intid);
    spin_unlock(&g->lock);
}

/* Which ones, nobody knows: of the active ones those that come last, which had no place. Once all have ended that is right again. */
void gic_deactivate_unlisted(struct gic *g, unsigned cpu, unsigned count)
{
    struct candidate found[GIC_IRQS];
    spin_lock(&g->lock);
    unsigned n = collect(g, cpu, found);
    best_first(found, n, n);
    while (n && count) {
        if (!gic_irq_of(g, cpu, found[--n].intid)->is_active) continue;
        end(g, cpu, found[n].intid);
        count--;
    }
    spin_unlock(&g->lock);
}

/* Without the lock: who makes one due afterwards says so. */
bool gic_is_pending(const struct gic *g, unsigned cpu) { return is_any(g->cpu[cpu].due); }

/* ---- life ---- */
struct vm_error gic_create(const struct gic_config *c, struct gic **out)
{
    unsigned most = c->version == 2 ? GIC_V2_CPUS : GIC_MAX_CPUS;
    if ((c->version != 2 && c->version != 3) || !c->cpu_count || c->cpu_count > most) return vm_error_because(VM_DEVICE_CONFIG, "a GIC of this kind cannot be");
    struct gic *g = heap_alloc(sizeof *g + c->cpu_count * sizeof g->cpu[0]);
    if (!g) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a GIC");
    g->config = *c;
    *out = g;
    return VM_SUCCESS;
}
