// SPDX-License-Identifier: Apache-2.0
/* The PLIC; see plic.h. Gateways are level-triggered: a source becomes pending when its wire is high and it is not claimed,
 * and stays so, whatever the wire does, until somebody claims it; one that is high at its completion is pending again. All
 * state belongs to the chip's lock; outputs change under it (they set atomic pins). RISC-V PLIC specification 1.0.0,
 * chapters 3 to 9. */
#include "drivers/virt/plic.h"
#include "hv/base/bits.h"
#include "hv/core/heap.h"

/* Chapter 3, memory map */
#define PENDING_AT     0x1000u
#define ENABLE_AT      0x2000u
#define ENABLE_STRIDE  0x80u
#define CONTEXT_AT     0x200000u
#define CONTEXT_STRIDE 0x1000u
#define THRESHOLD      0u
#define CLAIM          4u

#define PRIORITY_MASK  7u                  /* seven levels; 0 never interrupts */
#define WORDS          (PLIC_MAX_SOURCES / 32)

struct context { struct irq_line output; uint32_t enable[WORDS]; uint8_t threshold; bool is_raised; };
struct plic {
    struct spinlock lock;
    unsigned        source_count, word_count, context_count;
    uint32_t        level[WORDS], pending[WORDS], claimed[WORDS];
    uint8_t         priority[PLIC_MAX_SOURCES];
    struct context  context[];
};

/* All below: lock held. */
static bool test(const uint32_t *map, uint32_t source) { return map[source / 32] >> (source % 32) & 1; }
static void set(uint32_t *map, uint32_t source, bool on)
{
    uint32_t bit = 1u << (source % 32);
    map[source / 32] = on ? map[source / 32] | bit : map[source / 32] & ~bit;
}

/* The pending, enabled source of the highest priority above `above`; of equals the lowest number. 0: none. */
static uint32_t best(const struct plic *p, const struct context *c, uint8_t above)
{
    uint32_t found = 0;
    for (unsigned w = 0; w < p->word_count; w++) {
        for (uint32_t map = p->pending[w] & c->enable[w]; map; map &= map - 1) {
            uint32_t source = w * 32 + (uint32_t)__builtin_ctz(map);
            if (p->priority[source] > above) {
                found = source;
                above = p->priority[source];
            }
        }
    }
    return found;
}

static void update_context(struct plic *p, struct context *c)
{
    bool raised = best(p, c, c->threshold) != 0;
    if (raised == c->is_raised) return;
    c->is_raised = raised;
    irq_line_set(&c->output, raised);
}

static void update(struct plic *p)
{
    for (unsigned i = 0; i < p->context_count; i++) update_context(p, &p->context[i]);
}

static void set_pending(struct plic *p, uint32_t source, bool is_pending)
{
    set(p->pending, source, is_pending);
    for (unsigned i = 0; i < p->context_count; i++) {
        if (test(p->context[i].enable, source)) update_context(p, &p->context[i]);
    }
}

static void gate(struct plic *p, uint32_t source)
{
    if (test(p->level, source) && !test(p->claimed, source) && !test(p->pending, source)) set_pending(p, source, true);
}

static uint32_t claim(struct plic *p, struct context *c)
{
    uint32_t source = best(p, c, 0);                           /* the threshold does not stand in a claim's way (chapter 8) */
    if (source) {
        set(p->claimed, source, true);
        set_pending(p, source, false);
    }
    return source;
}

static void complete(struct plic *p, struct context *c, uint32_t source)
{
    if (!source || source >= p->source_count || !test(c->enable, source)) return;        /* chapter 9: ignored */
    set(p->claimed, source, false);
    gate(p, source);
}

/* ---- registers ---- */
/* Context and register of an offset into the context area; NULL: there is none. */
static struct context *context_at(struct plic *p, uint64_t offset, uint32_t *reg)
{
    uint64_t n = (offset - CONTEXT_AT) / CONTEXT_STRIDE;
    *reg = (uint32_t)(offset % CONTEXT_STRIDE);
    return n < p->context_count ? &p->context[n] : NULL;
}

static uint32_t *enable_at(struct plic *p, uint64_t offset)
{
    uint64_t n = (offset - ENABLE_AT) / ENABLE_STRIDE, word = (offset - ENABLE_AT) % ENABLE_STRIDE / 4;
    return n < p->context_count && word < p->word_count ? &p->context[n].enable[word] : NULL;
}

static uint32_t read_register(struct plic *p, uint64_t offset)
{
    uint32_t reg;
    if (offset < PENDING_AT) return offset / 4 < p->source_count ? p->priority[offset / 4] : 0;
    if (offset < ENABLE_AT) return (offset - PENDING_AT) / 4 < p->word_count ? p->pending[(offset - PENDING_AT) / 4] : 0;
    if (offset < CONTEXT_AT) {
        const uint32_t *enable = enable_at(p, offset);
        return enable ? *enable : 0;
    }
    struct context *c = context_at(p, offset, &reg);
    if (!c) return 0;
    return reg == THRESHOLD ? c->threshold : reg == CLAIM ? claim(p, c) : 0;
}

/* Bits of sources that exist, in word w; source 0 does not. */
static uint32_t existing(const struct plic *p, uint64_t w)
{
    uint64_t left = p->source_count - 32 * w;
    return (left >= 32 ? ~0u : (1u << left) - 1) & (w ? ~0u : ~1u);
}

static void write_register(struct plic *p, uint64_t offset, uint32_t v)
{
    uint32_t reg;
    if (offset < PENDING_AT) {
        uint64_t source = offset / 4;
        if (source && source < p->source_count) p->priority[source] = v & PRIORITY_MASK;
    } else if (offset < ENABLE_AT) {
        return;                                                /* pending bits are read-only */
    } else if (offset < CONTEXT_AT) {
        uint32_t *enable = enable_at(p, offset);
        if (enable) *enable = v & existing(p, (offset - ENABLE_AT) % ENABLE_STRIDE / 4);
    } else {
        struct context *c = context_at(p, offset, &reg);
        if (c && reg == THRESHOLD) c->threshold = v & PRIORITY_MASK;
        if (c && reg == CLAIM) {
            complete(p, c, v);
            return;
        }
    }
    update(p);
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct plic *p = dev;
    (void)size_bytes;
    spin_lock(&p->lock);
    *out = read_register(p, offset);
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct plic *p = dev;
    (void)size_bytes;
    spin_lock(&p->lock);
    write_register(p, offset, (uint32_t)value);
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

void plic_set_source(void *plic, uint32_t source, bool level)
{
    struct plic *p = plic;
    if (!source || source >= p->source_count) return;
    spin_lock(&p->lock);
    if (test(p->level, source) != level) {
        set(p->level, source, level);
        gate(p, source);
    }
    spin_unlock(&p->lock);
}

/* ---- life ---- */
/* The wires keep their levels: they are the devices', which reset on their own. */
static void reset(void *dev)
{
    struct plic *p = dev;
    spin_lock(&p->lock);
    for (unsigned s = 0; s < p->source_count; s++) p->priority[s] = 0;
    for (unsigned w = 0; w < p->word_count; w++) {
        p->claimed[w] = 0;
        p->pending[w] = p->level[w];
        for (unsigned i = 0; i < p->context_count; i++) p->context[i].enable[w] = 0;
    }
    for (unsigned i = 0; i < p->context_count; i++) p->context[i].threshold = 0;
    update(p);
    spin_unlock(&p->lock);
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops plic_ops = { .name = "plic", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error plic_create(const struct plic_config *c, struct mmio_region *out)
{
    if (c->source_count < 2 || c->source_count > PLIC_MAX_SOURCES || !c->context_count || c->context_count > PLIC_MAX_CONTEXTS ||
        c->size_bytes < PLIC_BYTES(c->context_count)) return vm_error_because(VM_DEVICE_CONFIG, "a PLIC of this size cannot be");
    struct plic *p = heap_alloc(sizeof *p + c->context_count * sizeof p->context[0]);
    if (!p) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a PLIC");
    p->source_count = c->source_count;
    p->word_count = (c->source_count + 31) / 32;
    p->context_count = c->context_count;
    for (unsigned i = 0; i < c->context_count; i++) p->context[i].output = c->output[i];
    *out = (struct mmio_region){ .base = c->base, .size_bytes = c->size_bytes, .min_access_bytes = 4, .max_access_bytes = 4,
                                 .ops = &plic_ops, .dev = p };
    return VM_SUCCESS;
}
