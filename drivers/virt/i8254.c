// SPDX-License-Identifier: Apache-2.0
/* 8254; see i8254.h. Intel 8254 data sheet. What a counter shows is computed from when it was loaded, not counted. BCD counts as
 * binary. */
#include "drivers/virt/i8254.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define HZ        1193182ull
#define NS_PER_S  1000000000ull
#define PAUSED_NS 10000000
#define LEAST_PERIOD_NS 100000
enum { LOW_BYTE = 1, HIGH_BYTE = 2, BOTH_BYTES = 3 };

struct counter {
    uint32_t reload;                        /* 1..65536; 0: not loaded */
    uint64_t start_ns;                      /* of the guest's clock: when the count began */
    uint16_t latched;
    uint8_t  mode, access, status, write_low;
    bool     has_latched, has_status, is_high_next_read, is_high_next_write, gate;
};
struct pit {
    struct spinlock     lock;
    struct i8254_config config;
    struct timer        timer;
    struct counter      counter[3];
    uint8_t             speaker;            /* port 61H, bits 1 and 0 */
};

static uint64_t ticks_of(uint64_t ns)   { return ns / NS_PER_S * HZ + ns % NS_PER_S * HZ / NS_PER_S; }
static uint64_t ns_of(uint64_t ticks)   { return ticks / HZ * NS_PER_S + (ticks % HZ * NS_PER_S + HZ - 1) / HZ; }
static uint64_t now_ns(struct pit *p)   { return p->config.now_ns(p->config.ctx); }
static bool is_periodic(const struct counter *c) { return c->mode == 2 || c->mode == 3; }

static uint64_t passed(struct pit *p, const struct counter *c) { return ticks_of(now_ns(p) - c->start_ns); }

static uint16_t count_of(struct pit *p, const struct counter *c)
{
    if (!c->reload) return 0;
    uint64_t t = passed(p, c);
    if (c->mode == 3) return (uint16_t)(c->reload - 2 * t % c->reload);
    if (c->mode == 2) return (uint16_t)(c->reload - t % c->reload);
    return (uint16_t)(c->reload - t);
}

static bool output_of(struct pit *p, const struct counter *c)
{
    if (!c->reload) return c->mode != 0;
    uint64_t t = passed(p, c);
    switch (c->mode) {
    case 0: case 1: return t >= c->reload;
    case 2:         return t % c->reload != c->reload - 1;
    case 3:         return t % c->reload < (c->reload + 1) / 2;
    }
    return t != c->reload;
}

/* Lock held: counter 0's wire, and the host's timer for its next rising edge. */
static void update(struct pit *p)
{
    struct counter *c = &p->counter[0];
    if (!c->reload) {
        irq_line_set(&p->config.out, c->mode != 0);
        timer_arm(&p->timer, UINT64_MAX);
        return;
    }
    uint64_t t = passed(p, c), next = UINT64_MAX;
    if (is_periodic(c)) next = (t / c->reload + 1) * c->reload;
    else if (t < c->reload) next = c->reload;
    if (is_periodic(c)) irq_line_set(&p->config.out, true);          /* the low half is nobody's business */
    else irq_line_set(&p->config.out, output_of(p, c));
    if (next == UINT64_MAX) {
        timer_arm(&p->timer, UINT64_MAX);
        return;
    }
    uint64_t host_now = arch_time_ns(), host_ns = p->config.deadline_ns(p->config.ctx, c->start_ns + ns_of(next));
    if (host_ns <= host_now) host_ns = host_now + PAUSED_NS;
    if (is_periodic(c) && host_ns < host_now + LEAST_PERIOD_NS) host_ns = host_now + LEAST_PERIOD_NS;
    timer_arm(&p->timer, host_ns);
}

static void fire(void *arg)
{
    struct pit *p = arg;
    spin_lock(&p->lock);
    if (is_periodic(&p->counter[0])) irq_line_set(&p->config.out, false);     /* so that there is an edge */
    update(p);
    spin_unlock(&p->lock);
}

static void load(struct pit *p, unsigned n, uint16_t value)
{
    struct counter *c = &p->counter[n];
    c->reload = value ? value : 0x10000;
    c->start_ns = now_ns(p);
    if (n) return;
    irq_line_set(&p->config.out, false);
    update(p);
}

static void latch(struct pit *p, struct counter *c)
{
    if (c->has_latched) return;
    c->latched = count_of(p, c);
    c->has_latched = true;
}

static void write_control(struct pit *p, uint8_t v)
{
    if (v >> 6 == 3) {                      /* read-back */
        for (unsigned n = 0; n < 3; n++) {
            struct counter *c = &p->counter[n];
            if (!(v >> (n + 1) & 1)) continue;
            if (!(v & 0x20)) latch(p, c);
            if (v & 0x10 || c->has_status) continue;
            c->status = (uint8_t)((output_of(p, c) ? 0x80 : 0) | (c->reload ? 0 : 0x40) | c->access << 4 | c->mode << 1);
            c->has_status = true;
        }
        return;
    }
    struct counter *c = &p->counter[v >> 6];
    if (!(v >> 4 & 3)) {
        latch(p, c);
        return;
    }
    uint8_t mode = v >> 1 & 7;
    c->access = v >> 4 & 3;
    c->mode = mode > 5 ? mode - 4 : mode;
    c->reload = 0;
    c->has_latched = c->has_status = c->is_high_next_read = c->is_high_next_write = false;
    if (c == &p->counter[0]) update(p);
}

static void write_counter(struct pit *p, unsigned n, uint8_t v)
{
    struct counter *c = &p->counter[n];
    if (c->access == BOTH_BYTES && !c->is_high_next_write) {
        c->write_low = v;
        c->is_high_next_write = true;
        return;
    }
    c->is_high_next_write = false;
    if (c->access == LOW_BYTE) load(p, n, v);
    else load(p, n, (uint16_t)(v << 8 | (c->access == BOTH_BYTES ? c->write_low : 0)));
}

static uint8_t read_counter(struct pit *p, unsigned n)
{
    struct counter *c = &p->counter[n];
    if (c->has_status) {
        c->has_status = false;
        return c->status;
    }
    uint16_t v = c->has_latched ? c->latched : count_of(p, c);
    bool is_high = c->access == HIGH_BYTE || (c->access == BOTH_BYTES && c->is_high_next_read);
    if (c->access == BOTH_BYTES) c->is_high_next_read = !c->is_high_next_read;
    if (is_high || c->access != BOTH_BYTES) c->has_latched = false;
    return (uint8_t)(is_high ? v >> 8 : v);
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct pit *p = dev;
    (void)size_bytes;
    spin_lock(&p->lock);
    *out = offset == 3 ? 0 : read_counter(p, (unsigned)offset);
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct pit *p = dev;
    (void)size_bytes;
    spin_lock(&p->lock);
    if (offset == 3) write_control(p, (uint8_t)value);
    else write_counter(p, (unsigned)offset, (uint8_t)value);
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

/* Bit 0: counter 2's gate, bit 1: speaker, bit 4: the refresh toggles, bit 5: counter 2's output. */
static struct vm_error read_61(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct pit *p = dev;
    (void)offset, (void)size_bytes;
    spin_lock(&p->lock);
    *out = p->speaker | (now_ns(p) / 15085 & 1) << 4 | (uint64_t)output_of(p, &p->counter[2]) << 5;
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

static struct vm_error write_61(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct pit *p = dev;
    struct counter *c = &p->counter[2];
    (void)offset, (void)size_bytes;
    spin_lock(&p->lock);
    bool gate = value & 1;
    if (gate && !(p->speaker & 1) && (c->mode == 1 || c->mode == 5 || is_periodic(c))) c->start_ns = now_ns(p);    /* a trigger */
    p->speaker = value & 3;
    spin_unlock(&p->lock);
    return VM_SUCCESS;
}

static void reset(void *dev)
{
    struct pit *p = dev;
    spin_lock(&p->lock);
    for (unsigned n = 0; n < 3; n++) p->counter[n] = (struct counter){ .mode = 3, .access = BOTH_BYTES };
    p->speaker = 0;
    spin_unlock(&p->lock);
    timer_cancel_sync(&p->timer);
    irq_line_set(&p->config.out, false);
}

/* The wire's other end may be gone already. */
static void destroy(void *dev)
{
    timer_cancel_sync(&((struct pit *)dev)->timer);
    heap_free(dev);
}

static const struct mmio_ops pit_ops = { .name = "i8254", .read = read, .write = write, .reset = reset, .destroy = destroy };
static const struct mmio_ops port_61_ops = { .name = "port-61h", .read = read_61, .write = write_61 };

struct vm_error i8254_create(const struct i8254_config *c, struct mmio_region out[I8254_REGIONS])
{
    struct pit *p = heap_alloc(sizeof *p);
    if (!p) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a timer");
    p->config = *c;
    timer_init(&p->timer, fire, p);
    reset(p);
    out[I8254_COUNTERS] = (struct mmio_region){ .base = { c->ports + 0x40 }, .size_bytes = 4, .min_access_bytes = 1, .max_access_bytes = 1,
                                                .ops = &pit_ops, .dev = p };
    out[I8254_PORT_61] = (struct mmio_region){ .base = { c->ports + 0x61 }, .size_bytes = 1, .min_access_bytes = 1, .max_access_bytes = 1,
                                               .ops = &port_61_ops, .dev = p };
    return VM_SUCCESS;
}
