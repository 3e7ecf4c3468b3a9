// SPDX-License-Identifier: Apache-2.0
/* CLINT and SSWI; see aclint.h. mtimecmp, msip and the lines' levels belong to the device's lock; a timer that fires looks
 * at the clock again, since the guest may have moved either meanwhile. RISC-V ACLINT specification 1.0-rc4, chapters 2-4. */
#include "drivers/virt/aclint.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define MSWI_END     0x4000u
#define MTIMECMP_AT  0x4000u
#define MTIME_AT     0xbff8u
#define PAUSED_NS    10000000              /* a deadline that came before its tick: the clock stands; look again */

struct aclint;
struct hart { struct aclint *owner; struct timer timer; struct irq_line software, output; uint64_t mtimecmp; bool msip; };
struct aclint {
    struct spinlock     lock;
    struct aclint_clock clock;
    unsigned            hart_count;
    struct hart         hart[];
};

/* Lock held: sets MTIP as the comparison says and arms the timer for its next change. */
static void compare(struct aclint *a, struct hart *h, uint64_t earliest_ns)
{
    bool is_due = a->clock.ticks(a->clock.ctx) >= h->mtimecmp;
    irq_line_set(&h->output, is_due);
    uint64_t deadline_ns = is_due ? UINT64_MAX : a->clock.deadline_ns(a->clock.ctx, h->mtimecmp);
    timer_arm(&h->timer, deadline_ns < earliest_ns ? earliest_ns : deadline_ns);       /* UINT64_MAX disarms */
}

static void fire(void *arg)
{
    struct hart *h = arg;
    spin_lock(&h->owner->lock);
    compare(h->owner, h, arch_time_ns() + PAUSED_NS);
    spin_unlock(&h->owner->lock);
}

/* The 64-bit register at an offset, for whole and half accesses: the value with `size_bytes` of it replaced. */
static uint64_t merge(uint64_t old, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    if (size_bytes == 8) return value;
    unsigned shift = offset & 4 ? 32 : 0;
    return (old & ~(0xffffffffull << shift)) | (value & 0xffffffffu) << shift;
}
static uint64_t part(uint64_t word, uint64_t offset, unsigned size_bytes)
{
    return size_bytes == 8 ? word : (uint32_t)(word >> (offset & 4 ? 32 : 0));
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct aclint *a = dev;
    uint64_t n = (offset - MTIMECMP_AT) / 8;
    *out = 0;
    spin_lock(&a->lock);
    if (offset < MSWI_END) {
        if (size_bytes == 4 && offset / 4 < a->hart_count) *out = a->hart[offset / 4].msip;
    } else if (offset >= MTIME_AT && offset < MTIME_AT + 8) {
        *out = part(a->clock.ticks(a->clock.ctx), offset, size_bytes);
    } else if (n < a->hart_count) {
        *out = part(a->hart[n].mtimecmp, offset, size_bytes);
    }
    spin_unlock(&a->lock);
    return VM_SUCCESS;
}

static void write_mtime(struct aclint *a, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    uint64_t now = a->clock.ticks(a->clock.ctx);
    a->clock.shift(a->clock.ctx, merge(now, offset, size_bytes, value) - now);
    for (unsigned i = 0; i < a->hart_count; i++) compare(a, &a->hart[i], 0);
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct aclint *a = dev;
    uint64_t n = (offset - MTIMECMP_AT) / 8;
    spin_lock(&a->lock);
    if (offset < MSWI_END) {
        if (size_bytes == 4 && offset / 4 < a->hart_count) {
            struct hart *h = &a->hart[offset / 4];
            h->msip = value & 1;
            irq_line_set(&h->software, h->msip);
        }
    } else if (offset >= MTIME_AT && offset < MTIME_AT + 8) {
        write_mtime(a, offset, size_bytes, value);
    } else if (n < a->hart_count) {
        a->hart[n].mtimecmp = merge(a->hart[n].mtimecmp, offset, size_bytes, value);
        compare(a, &a->hart[n], 0);
    }
    spin_unlock(&a->lock);
    return VM_SUCCESS;
}

/* mtime starts anew (chapter 3); nothing is due until somebody asks. */
static void reset(void *dev)
{
    struct aclint *a = dev;
    spin_lock(&a->lock);
    for (unsigned i = 0; i < a->hart_count; i++) a->hart[i].mtimecmp = UINT64_MAX;      /* no timer arms itself again */
    spin_unlock(&a->lock);
    for (unsigned i = 0; i < a->hart_count; i++) timer_cancel_sync(&a->hart[i].timer);
    spin_lock(&a->lock);
    a->clock.shift(a->clock.ctx, 0 - a->clock.ticks(a->clock.ctx));
    for (unsigned i = 0; i < a->hart_count; i++) {
        struct hart *h = &a->hart[i];
        h->msip = false;
        irq_line_set(&h->software, false);
        irq_line_set(&h->output, false);
    }
    spin_unlock(&a->lock);
}

static void destroy(void *dev)
{
    reset(dev);
    heap_free(dev);
}

static const struct mmio_ops aclint_ops = { .name = "aclint", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error aclint_create(const struct aclint_config *c, struct mmio_region *out)
{
    if (!c->hart_count || c->hart_count > ACLINT_MAX_HARTS) return vm_error_because(VM_DEVICE_CONFIG, "an ACLINT has 1 to 64 harts");
    struct aclint *a = heap_alloc(sizeof *a + c->hart_count * sizeof a->hart[0]);
    if (!a) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an ACLINT");
    a->clock = c->clock;
    a->hart_count = c->hart_count;
    for (unsigned i = 0; i < c->hart_count; i++) {
        struct hart *h = &a->hart[i];
        *h = (struct hart){ .owner = a, .software = c->software[i], .output = c->timer[i], .mtimecmp = UINT64_MAX };
        timer_init(&h->timer, fire, h);
    }
    *out = (struct mmio_region){ .base = c->base, .size_bytes = ACLINT_BYTES, .min_access_bytes = 4, .max_access_bytes = 8,
                                 .ops = &aclint_ops, .dev = a };
    return VM_SUCCESS;
}

/* ---- SSWI: chapter 4. No state but its wires. ---- */
struct sswi { unsigned hart_count; struct irq_line supervisor[]; };

static struct vm_error read_sswi(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0;
    return VM_SUCCESS;
}

static struct vm_error write_sswi(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    const struct sswi *s = dev;
    (void)size_bytes;
    if (value & 1 && offset / 4 < s->hart_count) irq_line_set(&s->supervisor[offset / 4], true);
    return VM_SUCCESS;
}

static void destroy_sswi(void *dev) { heap_free(dev); }

static const struct mmio_ops sswi_ops = { .name = "sswi", .read = read_sswi, .write = write_sswi, .destroy = destroy_sswi };

struct vm_error sswi_create(guest_phys_addr base, unsigned hart_count, const struct irq_line *supervisor, struct mmio_region *out)
{
    if (!hart_count || hart_count > ACLINT_MAX_HARTS) return vm_error_because(VM_DEVICE_CONFIG, "an SSWI has 1 to 64 harts");
    struct sswi *s = heap_alloc(sizeof *s + hart_count * sizeof s->supervisor[0]);
    if (!s) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an SSWI");
    s->hart_count = hart_count;
    for (unsigned i = 0; i < hart_count; i++) s->supervisor[i] = supervisor[i];
    *out = (struct mmio_region){ .base = base, .size_bytes = SSWI_BYTES, .min_access_bytes = 4, .max_access_bytes = 4,
                                 .ops = &sswi_ops, .dev = s };
    return VM_SUCCESS;
}
