// SPDX-License-Identifier: Apache-2.0
/* The registers of a guest's GIC; see gic.h. Names and offsets: IHI 0048B table 4-1, IHI 0069 tables 12-25 and 12-27, 12-29. */
#include "drivers/virt/gic_state.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

enum {
    CTLR = 0x000, TYPER = 0x004, IIDR = 0x008, WAKER = 0x014, IGROUPR = 0x080, ISENABLER = 0x100, ICENABLER = 0x180, ISPENDR = 0x200,
    ICPENDR = 0x280, ISACTIVER = 0x300, ICACTIVER = 0x380, IPRIORITYR = 0x400, ITARGETSR = 0x800, ICFGR = 0xc00, ICFGR_END = 0xd00,
    SGIR = 0xf00, CPENDSGIR = 0xf10, SPENDSGIR = 0xf20, SGI_END = 0xf30, V2_PIDR2 = 0xfe8, IROUTER = 0x6100, IROUTER_END = 0x6000 + 8 * GIC_IRQS,
    V3_PIDR2 = 0xffe8, SGI_FRAME = 0x10000,
};
#define IIDR_VALUE 0x43bu                    /* Arm; product and revision 0 */
#define CTLR_ARE   (1u << 4)
#define CTLR_DS    (1u << 6)

/* One 32-bit word of a bitmap register, of INTIDs from `first`. All in this section: lock held. */
enum bitmap { GROUP, SET_ENABLE, CLEAR_ENABLE, SET_PENDING, CLEAR_PENDING, SET_ACTIVE, CLEAR_ACTIVE };

static bool bit_of(const struct gic_irq *irq, enum bitmap what)
{
    switch (what) {
    case GROUP:                                return irq->is_group1;
    case SET_ENABLE:  case CLEAR_ENABLE:       return irq->is_enabled;
    case SET_PENDING: case CLEAR_PENDING:      return gic_irq_is_pending(irq);
    case SET_ACTIVE:  case CLEAR_ACTIVE:       return irq->is_active;
    }
    return false;
}

static void write_bit(struct gic *g, unsigned cpu, struct gic_irq *irq, enum bitmap what, uint32_t intid, bool bit)
{
    bool is_v2_sgi = g->config.version == 2 && intid < 16;
    switch (what) {
    case GROUP:         if (g->config.version == 3) irq->is_group1 = bit; break;
    case SET_ENABLE:    if (bit) irq->is_enabled = true; break;
    case CLEAR_ENABLE:  if (bit && !is_v2_sgi) irq->is_enabled = false; break;
    case SET_PENDING:   if (bit && !is_v2_sgi) irq->latch = true; break;
    case CLEAR_PENDING:
        if (bit && !is_v2_sgi) irq->latch = irq->is_latch_loaded = false;
        gic_call_out(g, irq);
        break;
    case SET_ACTIVE:
        if (bit && !irq->is_active) irq->active_on = (uint8_t)cpu;
        if (bit) irq->is_active = true;
        break;
    case CLEAR_ACTIVE:
        if (bit) irq->is_active = false, irq->is_deactivated = true;
        gic_call_out(g, irq);
        break;
    }
}

static uint32_t read_bitmap(struct gic *g, unsigned cpu, enum bitmap what, uint32_t first)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < 32 && first + i < GIC_IRQS; i++) {
        const struct gic_irq *irq = gic_irq_of(g, cpu, first + i);
        v |= (uint32_t)bit_of(irq, what) << i;
        if (what >= SET_PENDING) gic_call_out(g, irq);       /* what another vCPU has loaded is known when it comes out: who polls sees it then */
    }
    return v;
}

static void write_bitmap(struct gic *g, unsigned cpu, enum bitmap what, uint32_t first, uint32_t v)
{
    for (uint32_t i = 0; i < 32 && first + i < GIC_IRQS; i++) {
        if (what != GROUP && !(v >> i & 1)) continue;
        write_bit(g, cpu, gic_irq_of(g, cpu, first + i), what, first + i, v >> i & 1);
        gic_update(g, cpu, first + i, GIC_NOBODY);
    }
}

/* GICD_ICFGR: two bits each, the upper one says edge. SGIs are edges; the PPIs of this machine are levels. */
static uint32_t read_config(struct gic *g, unsigned cpu, uint32_t first)
{
    uint32_t v = 0;
    for (uint32_t i = 0; i < 16 && first + i < GIC_IRQS; i++) v |= (first + i < 16 || gic_irq_of(g, cpu, first + i)->is_edge ? 2u : 0) << 2 * i;
    return v;
}

static void write_config(struct gic *g, uint32_t first, uint32_t v)
{
    for (uint32_t i = 0; i < 16 && first + i < GIC_IRQS; i++) {
        if (first + i < GIC_PRIVATE) continue;
        gic_irq_of(g, 0, first + i)->is_edge = v >> (2 * i + 1) & 1;
        gic_update(g, 0, first + i, GIC_NOBODY);
    }
}

/* Bytes: priorities (the lower bits are not there) and GICv2's targets. */
static uint8_t read_byte(struct gic *g, unsigned cpu, uint64_t offset)
{
    uint32_t intid = (uint32_t)(offset & 0x3ff);
    if (intid >= GIC_IRQS) return 0;
    const struct gic_irq *irq = gic_irq_of(g, cpu, intid);
    if (offset < ITARGETSR) return irq->priority;
    return g->config.version == 3 ? 0 : intid < GIC_PRIVATE ? (uint8_t)(1u << cpu) : irq->targets;
}

static void write_byte(struct gic *g, unsigned cpu, uint64_t offset, uint8_t v)
{
    uint32_t intid = (uint32_t)(offset & 0x3ff);
    if (intid >= GIC_IRQS) return;
    struct gic_irq *irq = gic_irq_of(g, cpu, intid);
    if (offset < ITARGETSR) irq->priority = v & 0xf8;
    else if (g->config.version == 2 && intid >= GIC_PRIVATE) irq->targets = v & (uint8_t)((1u << g->config.cpu_count) - 1);
    gic_update(g, cpu, intid, GIC_NOBODY);
}

/* ---- GICv2's SGIs ---- */
static void send_v2(struct gic *g, unsigned self, uint32_t v)
{
    uint32_t filter = v >> 24 & 3, mask = filter == 0 ? v >> 16 & 0xff : filter == 1 ? ~(1u << self) : 1u << self;
    for (unsigned i = 0; i < g->config.cpu_count; i++) {
        if (!(mask >> i & 1) || filter == 3) continue;
        g->cpu[i].irq[v & 15].sources |= (uint8_t)(1u << self);
        gic_update(g, i, v & 15, GIC_NOBODY);
    }
}

static uint8_t sgi_sources(struct gic *g, unsigned cpu, uint64_t offset) { return g->cpu[cpu].irq[offset & 15].sources; }

static void write_sgi_sources(struct gic *g, unsigned cpu, uint64_t offset, uint8_t v)
{
    struct gic_irq *irq = &g->cpu[cpu].irq[offset & 15];
    if (offset < SPENDSGIR) irq->sources &= (uint8_t)~v;
    else irq->sources |= v & (uint8_t)((1u << g->config.cpu_count) - 1);
    gic_update(g, cpu, (uint32_t)offset & 15, GIC_NOBODY);
}

/* ---- the registers that distributor and redistributor share ---- */
static bool is_bytes(const struct gic *g, uint64_t offset)
{
    return (offset >= IPRIORITYR && offset < ICFGR) || (g->config.version == 2 && offset >= CPENDSGIR && offset < SGI_END);
}

static uint64_t read_shared(struct gic *g, unsigned cpu, uint64_t offset)
{
    if (offset >= IGROUPR && offset < IPRIORITYR) return read_bitmap(g, cpu, (enum bitmap)((offset - IGROUPR) / 0x80), (uint32_t)(offset & 0x7c) * 8);
    if (offset >= ICFGR && offset < ICFGR_END) return read_config(g, cpu, (uint32_t)(offset - ICFGR) * 4);
    return 0;
}

static void write_shared(struct gic *g, unsigned cpu, uint64_t offset, uint32_t v)
{
    if (offset >= IGROUPR && offset < IPRIORITYR) write_bitmap(g, cpu, (enum bitmap)((offset - IGROUPR) / 0x80), (uint32_t)(offset & 0x7c) * 8, v);
    else if (offset >= ICFGR && offset < ICFGR_END) write_config(g, (uint32_t)(offset - ICFGR) * 4, v);
}

static uint64_t read_bytes(struct gic *g, unsigned cpu, uint64_t offset, unsigned size_bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < size_bytes; i++) {
        v |= (uint64_t)(offset >= CPENDSGIR ? sgi_sources(g, cpu, offset + i) : read_byte(g, cpu, offset + i)) << 8 * i;
    }
    return v;
}

static void write_bytes(struct gic *g, unsigned cpu, uint64_t offset, unsigned size_bytes, uint64_t v)
{
    for (unsigned i = 0; i < size_bytes; i++) {
        if (offset >= CPENDSGIR) write_sgi_sources(g, cpu, offset + i, (uint8_t)(v >> 8 * i));
        else write_byte(g, cpu, offset + i, (uint8_t)(v >> 8 * i));
    }
}

/* ---- the distributor ---- */
static bool is_router(const struct gic *g, uint64_t offset) { return g->config.version == 3 && offset >= IROUTER && offset < IROUTER_END; }
/* With affinity routing the private ones are the redistributors'. */
static bool is_elsewhere(const struct gic *g, uint64_t offset)
{
    bool is_bitmap = offset >= IGROUPR && offset < IPRIORITYR && !(offset & 0x7c);
    bool is_private = is_bitmap || (offset >= IPRIORITYR && offset < IPRIORITYR + GIC_PRIVATE) || (offset >= ICFGR && offset < ICFGR + 8);
    return g->config.version == 3 && is_private;
}

static uint64_t read_distributor(struct gic *g, unsigned cpu, uint64_t offset)
{
    bool is_v3 = g->config.version == 3;
    switch (offset) {
    case CTLR:     return is_v3 ? g->ctlr | CTLR_ARE | CTLR_DS : g->ctlr;
    case TYPER:    return (GIC_IRQS / 32 - 1) | (is_v3 ? 9u << 19 | 1u << 25 : (g->config.cpu_count - 1) << 5);      /* IDbits 10; No1N */
    case IIDR:     return IIDR_VALUE;
    case V2_PIDR2: return is_v3 ? 0 : 0x2b;
    case V3_PIDR2: return is_v3 ? 0x3b : 0;
    }
    return read_shared(g, cpu, offset);
}

static void write_distributor(struct gic *g, unsigned cpu, uint64_t offset, uint32_t v)
{
    bool is_v3 = g->config.version == 3;
    if (offset == CTLR) {
        g->ctlr = v & (is_v3 ? GICD_ENABLE_GROUP0 | GICD_ENABLE_GROUP1 : GICD_ENABLE_GROUP0);
        gic_update_all(g);
        return;
    }
    if (offset == SGIR && !is_v3) {
        send_v2(g, cpu, v);
        return;
    }
    write_shared(g, cpu, offset, v);
}

static unsigned accessor(const struct gic *g)
{
    unsigned cpu = g->config.accessor(g->config.ctx);
    return cpu < g->config.cpu_count ? cpu : 0;
}

static struct vm_error distributor_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct gic *g = dev;
    unsigned cpu = accessor(g);
    spin_lock(&g->lock);
    if (is_elsewhere(g, offset)) *out = 0;
    else if (is_bytes(g, offset)) *out = read_bytes(g, cpu, offset, size_bytes);
    else if (size_bytes < 4) *out = 0;                       /* the others are words */
    else if (is_router(g, offset)) *out = g->spi[(offset - IROUTER) / 8].route >> 8 * (offset & 4);
    else *out = read_distributor(g, cpu, offset);
    spin_unlock(&g->lock);
    return VM_SUCCESS;
}

static void write_route(struct gic *g, uint64_t offset, unsigned size_bytes, uint64_t v)
{
    uint32_t n = (uint32_t)(offset - IROUTER) / 8;
    uint64_t *route = &g->spi[n].route, shift = 8 * (offset & 4);
    if (size_bytes == 8) *route = v;
    else *route = (*route & ~(0xffffffffull << shift)) | (v & 0xffffffff) << shift;
    gic_update(g, 0, GIC_PRIVATE + n, GIC_NOBODY);
}

static struct vm_error distributor_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct gic *g = dev;
    unsigned cpu = accessor(g);
    spin_lock(&g->lock);
    bool is_word = size_bytes >= 4;
    if (is_bytes(g, offset) && !is_elsewhere(g, offset)) write_bytes(g, cpu, offset, size_bytes, value);
    else if (is_router(g, offset) && is_word) write_route(g, offset, size_bytes, value);
    else if (is_word && !is_elsewhere(g, offset)) write_distributor(g, cpu, offset, (uint32_t)value);
    spin_unlock(&g->lock);
    return VM_SUCCESS;
}

/* ---- redistributors: two frames of 64 KiB each ---- */
static uint64_t redistributor_type(const struct gic *g, unsigned cpu)
{
    uint64_t m = g->config.mpidr(cpu), affinity = bits64(m, 39, 32) << 24 | bits64(m, 23, 0);
    return affinity << 32 | (uint64_t)cpu << 8 | (cpu + 1 == g->config.cpu_count ? 1u << 4 : 0);
}

static uint64_t read_redistributor(struct gic *g, unsigned cpu, uint64_t offset, unsigned size_bytes)
{
    if (offset >= SGI_FRAME) {
        uint64_t in_frame = offset - SGI_FRAME;
        if (in_frame >= IPRIORITYR && in_frame < IPRIORITYR + GIC_PRIVATE) return read_bytes(g, cpu, in_frame, size_bytes);
        bool is_private = (in_frame < IPRIORITYR && !(in_frame & 0x7c)) || (in_frame >= ICFGR && in_frame < ICFGR + 8);
        return is_private && size_bytes >= 4 ? read_shared(g, cpu, in_frame) : 0;
    }
    switch (offset) {
    case 0x008 + 4: return redistributor_type(g, cpu) >> 32;
    case WAKER:     return g->cpu[cpu].is_asleep ? 6 : 0;
    case V3_PIDR2:  return 0x3b;
    }
    return 0;
}

static struct vm_error redistributor_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct gic *g = dev;
    unsigned cpu = (unsigned)(offset / GICR_BYTES);
    uint64_t in_frame = offset % GICR_BYTES;
    spin_lock(&g->lock);
    if (in_frame == 0x004) *out = IIDR_VALUE;                /* GICR_IIDR, GICR_TYPER */
    else if (in_frame == 0x008) *out = redistributor_type(g, cpu);
    else *out = read_redistributor(g, cpu, in_frame, size_bytes);
    spin_unlock(&g->lock);
    return VM_SUCCESS;
}

static struct vm_error redistributor_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct gic *g = dev;
    unsigned cpu = (unsigned)(offset / GICR_BYTES);
    uint64_t in_frame = offset % GICR_BYTES - SGI_FRAME;
    spin_lock(&g->lock);
    if (offset % GICR_BYTES < SGI_FRAME) {
        if (offset % GICR_BYTES == WAKER) g->cpu[cpu].is_asleep = value & 2;
    } else if (in_frame >= IPRIORITYR && in_frame < IPRIORITYR + GIC_PRIVATE) {
        write_bytes(g, cpu, in_frame, size_bytes, value);
    } else if (in_frame < IPRIORITYR && !(in_frame & 0x7c) && size_bytes >= 4) {
        write_shared(g, cpu, in_frame, (uint32_t)value);
    }
    spin_unlock(&g->lock);
    return VM_SUCCESS;
}

/* ---- life ---- */
/* The wires keep their levels: they are the devices', which reset on their own. */
static void reset_irq(struct gic *g, struct gic_irq *irq, uint32_t intid)
{
    bool line = irq->line && intid >= GIC_PRIVATE;
    memset(irq, 0, sizeof *irq);
    irq->line = line;
    irq->targets = 1;
    irq->is_enabled = g->config.version == 2 && intid < 16;
}

static void reset(void *dev)
{
    struct gic *g = dev;
    spin_lock(&g->lock);
    g->ctlr = 0;
    for (unsigned cpu = 0; cpu < g->config.cpu_count; cpu++) {
        for (uint32_t i = 0; i < GIC_PRIVATE; i++) {
            reset_irq(g, &g->cpu[cpu].irq[i], i);
            g->cpu[cpu].irq[i].ready_on = (uint8_t)cpu;
        }
        memset(g->cpu[cpu].ready, 0, sizeof g->cpu[cpu].ready);
        memset(g->cpu[cpu].due, 0, sizeof g->cpu[cpu].due);
        g->cpu[cpu].is_asleep = true;
    }
    for (uint32_t i = 0; i < GIC_SPIS; i++) reset_irq(g, &g->spi[i], GIC_PRIVATE + i);
    gic_update_all(g);
    spin_unlock(&g->lock);
}

static void destroy(void *dev) { heap_free(dev); }

struct mmio_region gic_distributor(struct gic *g, guest_phys_addr base)
{
    static const struct mmio_ops ops = { .name = "gicd", .read = distributor_read, .write = distributor_write, .reset = reset, .destroy = destroy };
    reset(g);
    return (struct mmio_region){ .base = base, .size_bytes = g->config.version == 2 ? 0x1000 : GICD_BYTES, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &ops, .dev = g };
}

struct mmio_region gic_redistributors(struct gic *g, guest_phys_addr base)
{
    static const struct mmio_ops ops = { .name = "gicr", .read = redistributor_read, .write = redistributor_write };
    return (struct mmio_region){ .base = base, .size_bytes = (uint64_t)GICR_BYTES * g->config.cpu_count, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &ops, .dev = g };
}
