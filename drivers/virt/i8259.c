// SPDX-License-Identifier: Apache-2.0
/* 8259A; see i8259.h. Intel 8259A data sheet; names of registers and command words are its own. Every mode but buffered and
 * MCS-80. */
#include "drivers/virt/i8259.h"
#include "hv/core/heap.h"

#define CASCADE 2u

struct pic {
    uint8_t irr, isr, imr, levels, edges_are_levels, base, icw_step, icw1, lowest;
    bool    reads_isr, is_auto_eoi, rotates, is_special_mask, polls;
};
struct pics { struct spinlock lock; struct irq_line out; bool is_up; struct pic pic[2]; };

/* By priority: n places behind the lowest. */
static unsigned input_at(const struct pic *p, unsigned n) { return (p->lowest + 1u + n) & 7; }

/* The input to serve now, or -1: lock held. */
static int pending(const struct pic *p)
{
    uint8_t asks = p->irr & (uint8_t)~p->imr, masks = p->is_special_mask ? p->imr : 0;
    for (unsigned n = 0; n < 8; n++) {
        unsigned i = input_at(p, n);
        if (p->isr >> i & 1 && !(masks >> i & 1)) return -1;
        if (asks >> i & 1) return (int)i;
    }
    return -1;
}

static void set_level(struct pic *p, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);
    bool was = p->levels & bit;
    p->levels = (uint8_t)(level ? p->levels | bit : p->levels & ~bit);
    if (p->edges_are_levels & bit) p->irr = (uint8_t)(level ? p->irr | bit : p->irr & ~bit);
    else if (level && !was) p->irr |= bit;
    else if (!level) p->irr &= (uint8_t)~bit;
}

/* The wires from slave to master to CPU. */
static void update(struct pics *s)
{
    set_level(&s->pic[0], CASCADE, pending(&s->pic[1]) >= 0);
    s->is_up = pending(&s->pic[0]) >= 0;
    irq_line_set(&s->out, s->is_up);
}

static void set_input(void *sink, uint32_t n, bool level)
{
    struct pics *s = sink;
    spin_lock(&s->lock);
    set_level(&s->pic[n / 8], n % 8, level);
    update(s);
    spin_unlock(&s->lock);
}

struct irq_line i8259_line(void *pics, unsigned input) { return (struct irq_line){ set_input, pics, input }; }

bool i8259_is_waiting(void *pics) { return __atomic_load_n(&((struct pics *)pics)->is_up, __ATOMIC_RELAXED); }

/* The vector's low bits: 7 without an interrupt, the spurious one. */
static unsigned take(struct pic *p)
{
    int i = pending(p);
    if (i < 0) return 7;
    uint8_t bit = (uint8_t)(1u << i);
    if (!(p->edges_are_levels & bit)) p->irr &= (uint8_t)~bit;
    if (!p->is_auto_eoi) p->isr |= bit;
    else if (p->rotates) p->lowest = (uint8_t)i;
    return (unsigned)i;
}

uint8_t i8259_acknowledge(void *pics)
{
    struct pics *s = pics;
    spin_lock(&s->lock);
    bool is_slave = pending(&s->pic[0]) == CASCADE;
    unsigned n = take(&s->pic[0]), vector = s->pic[0].base + n;
    if (is_slave) vector = s->pic[1].base + take(&s->pic[1]);
    update(s);
    spin_unlock(&s->lock);
    return (uint8_t)vector;
}

static void end(struct pic *p, unsigned i, bool rotates)
{
    p->isr &= (uint8_t)~(1u << i);
    if (rotates) p->lowest = (uint8_t)i;
}

static void write_command(struct pic *p, uint8_t v)
{
    if (v & 0x10) {                         /* ICW1 */
        p->icw1 = v;
        p->icw_step = 2;
        p->imr = p->isr = p->irr = 0;
        p->lowest = 7;
        p->reads_isr = p->is_auto_eoi = p->rotates = p->is_special_mask = p->polls = false;
        return;
    }
    if (v & 0x08) {                         /* OCW3 */
        if (v & 2) p->reads_isr = v & 1;
        if (v & 0x40) p->is_special_mask = v & 0x20;
        p->polls = v & 4;
        return;
    }
    unsigned level = v & 7;
    bool rotates = v & 0x80;
    switch (v >> 5) {                       /* OCW2 */
    case 0: case 4:
        p->rotates = rotates;
        break;
    case 1: case 5:
        for (unsigned n = 0; n < 8; n++) {
            if (!(p->isr >> input_at(p, n) & 1)) continue;
            end(p, input_at(p, n), rotates);
            break;
        }
        break;
    case 3: case 7:
        end(p, level, rotates);
        break;
    case 6:
        p->lowest = (uint8_t)level;
        break;
    }
}

static void write_data(struct pic *p, uint8_t v)
{
    switch (p->icw_step) {
    case 2:
        p->base = v & 0xf8;
        p->icw_step = p->icw1 & 2 ? (p->icw1 & 1 ? 4 : 0) : 3;
        break;
    case 3:
        p->icw_step = p->icw1 & 1 ? 4 : 0;
        break;
    case 4:
        p->is_auto_eoi = v & 2;
        p->icw_step = 0;
        break;
    default:
        p->imr = v;
    }
}

static struct vm_error read_one(struct pics *s, unsigned which, uint64_t offset, uint64_t *out)
{
    struct pic *p = &s->pic[which];
    spin_lock(&s->lock);
    if (p->polls) {                         /* a poll is an acknowledge */
        int i = pending(p);
        p->polls = false;
        *out = i < 0 ? 0 : 0x80u | take(p);
        update(s);
    } else {
        *out = offset ? p->imr : p->reads_isr ? p->isr : p->irr;
    }
    spin_unlock(&s->lock);
    return VM_SUCCESS;
}

static struct vm_error write_one(struct pics *s, unsigned which, uint64_t offset, uint64_t value)
{
    spin_lock(&s->lock);
    if (offset) write_data(&s->pic[which], (uint8_t)value);
    else write_command(&s->pic[which], (uint8_t)value);
    update(s);
    spin_unlock(&s->lock);
    return VM_SUCCESS;
}

static struct vm_error read_master(void *dev, uint64_t offset, unsigned n, uint64_t *out) { (void)n; return read_one(dev, 0, offset, out); }
static struct vm_error read_slave(void *dev, uint64_t offset, unsigned n, uint64_t *out)  { (void)n; return read_one(dev, 1, offset, out); }
static struct vm_error write_master(void *dev, uint64_t offset, unsigned n, uint64_t v)   { (void)n; return write_one(dev, 0, offset, v); }
static struct vm_error write_slave(void *dev, uint64_t offset, unsigned n, uint64_t v)    { (void)n; return write_one(dev, 1, offset, v); }

static struct vm_error read_edges(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct pics *s = dev;
    (void)size_bytes;
    *out = s->pic[offset & 1].edges_are_levels;
    return VM_SUCCESS;
}

static struct vm_error write_edges(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct pics *s = dev;
    (void)size_bytes;
    spin_lock(&s->lock);
    s->pic[offset & 1].edges_are_levels = (uint8_t)value & (offset & 1 ? 0xde : 0xf8);
    spin_unlock(&s->lock);
    return VM_SUCCESS;
}

static void reset(void *dev)
{
    struct pics *s = dev;
    spin_lock(&s->lock);
    for (unsigned i = 0; i < 2; i++) s->pic[i] = (struct pic){ .lowest = 7, .imr = 0xff };
    update(s);
    spin_unlock(&s->lock);
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops master_ops = { .name = "i8259", .read = read_master, .write = write_master, .reset = reset, .destroy = destroy };
static const struct mmio_ops slave_ops = { .name = "i8259-slave", .read = read_slave, .write = write_slave };
static const struct mmio_ops edges_ops = { .name = "i8259-edges", .read = read_edges, .write = write_edges };

struct vm_error i8259_create(const struct i8259_config *c, struct mmio_region out[I8259_REGIONS])
{
    static const struct { uint16_t port; const struct mmio_ops *ops; } at[] = {
        [I8259_MASTER] = { 0x20, &master_ops }, [I8259_SLAVE] = { 0xa0, &slave_ops }, [I8259_EDGES] = { 0x4d0, &edges_ops },
    };
    struct pics *s = heap_alloc(sizeof *s);
    if (!s) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for interrupt controllers");
    s->out = c->out;
    reset(s);
    for (unsigned i = 0; i < I8259_REGIONS; i++) {
        out[i] = (struct mmio_region){ .base = { c->ports + at[i].port }, .size_bytes = 2, .min_access_bytes = 1, .max_access_bytes = 1,
                                       .ops = at[i].ops, .dev = s };
    }
    return VM_SUCCESS;
}
