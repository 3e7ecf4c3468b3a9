// SPDX-License-Identifier: Apache-2.0
/* The Goldfish RTC; see goldfish_rtc.h. Time is the monotonic clock plus an offset that starts as the wall clock and that the
 * guest may move. All state belongs to the device's lock. Android's GOLDFISH-VIRTUAL-HARDWARE, section "Goldfish RTC". */
#include "drivers/virt/goldfish_rtc.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define NS_PER_S 1000000000ull

enum { TIME_LOW = 0x00, TIME_HIGH = 0x04, ALARM_LOW = 0x08, ALARM_HIGH = 0x0c, IRQ_ENABLED = 0x10, CLEAR_ALARM = 0x14,
       ALARM_STATUS = 0x18, CLEAR_INTERRUPT = 0x1c };

struct rtc {
    struct spinlock lock;
    struct irq_line irq;
    struct timer    timer;
    uint64_t        start_offset_ns, offset_ns;        /* wall = monotonic + offset */
    uint64_t        alarm_ns;
    uint32_t        time_high;                         /* latched by a read of TIME_LOW */
    bool            is_alarm_set, is_irq_enabled, is_irq_pending;
};

/* All below: lock held. */
static uint64_t now_ns(const struct rtc *r) { return arch_time_ns() + r->offset_ns; }
static uint64_t with_low(uint64_t word, uint32_t v)  { return (word & ~0xffffffffull) | v; }
static uint64_t with_high(uint64_t word, uint32_t v) { return (word & 0xffffffffull) | (uint64_t)v << 32; }

static void update(struct rtc *r) { irq_line_set(&r->irq, r->is_irq_pending && r->is_irq_enabled); }

static void clear_alarm(struct rtc *r)
{
    r->is_alarm_set = false;
    timer_cancel(&r->timer);
}

static void check_alarm(struct rtc *r)
{
    uint64_t now = now_ns(r);
    if (!r->is_alarm_set) return;
    if (r->alarm_ns > now) {
        uint64_t deadline_ns;
        if (__builtin_add_overflow(arch_time_ns(), r->alarm_ns - now, &deadline_ns)) deadline_ns = UINT64_MAX;
        timer_arm(&r->timer, deadline_ns);
        return;
    }
    clear_alarm(r);
    r->is_irq_pending = true;
    update(r);
}

static void set_time(struct rtc *r, uint64_t now, uint64_t wanted)
{
    r->offset_ns += wanted - now;
    check_alarm(r);
}

static void fire(void *arg)
{
    struct rtc *r = arg;
    spin_lock(&r->lock);
    check_alarm(r);
    spin_unlock(&r->lock);
}

static uint32_t read_register(struct rtc *r, uint64_t offset)
{
    uint64_t now;
    switch (offset) {
    case TIME_LOW:
        now = now_ns(r);
        r->time_high = (uint32_t)(now >> 32);
        return (uint32_t)now;
    case TIME_HIGH:    return r->time_high;
    case ALARM_LOW:    return (uint32_t)r->alarm_ns;
    case ALARM_HIGH:   return (uint32_t)(r->alarm_ns >> 32);
    case IRQ_ENABLED:  return r->is_irq_enabled;
    case ALARM_STATUS: return r->is_alarm_set;
    default:           return 0;
    }
}

static void write_register(struct rtc *r, uint64_t offset, uint32_t v)
{
    uint64_t now = now_ns(r);
    switch (offset) {
    case TIME_LOW:   set_time(r, now, with_low(now, v));          break;
    case TIME_HIGH:  set_time(r, now, with_high(now, v));         break;
    case ALARM_HIGH: r->alarm_ns = with_high(r->alarm_ns, v);     break;        /* counts with the low half */
    case ALARM_LOW:
        r->alarm_ns = with_low(r->alarm_ns, v);
        r->is_alarm_set = true;
        check_alarm(r);
        break;
    case IRQ_ENABLED:
        r->is_irq_enabled = v & 1;
        update(r);
        break;
    case CLEAR_ALARM: clear_alarm(r);                             break;
    case CLEAR_INTERRUPT:
        r->is_irq_pending = false;
        update(r);
        break;
    default:                                                      break;
    }
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct rtc *r = dev;
    (void)size_bytes;
    spin_lock(&r->lock);
    *out = read_register(r, offset);
    spin_unlock(&r->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct rtc *r = dev;
    (void)size_bytes;
    spin_lock(&r->lock);
    write_register(r, offset, (uint32_t)value);
    spin_unlock(&r->lock);
    return VM_SUCCESS;
}

static void reset(void *dev)
{
    struct rtc *r = dev;
    spin_lock(&r->lock);
    clear_alarm(r);
    spin_unlock(&r->lock);
    timer_cancel_sync(&r->timer);
    spin_lock(&r->lock);
    r->offset_ns = r->start_offset_ns;
    r->alarm_ns = 0;
    r->time_high = 0;
    r->is_irq_enabled = r->is_irq_pending = false;
    update(r);
    spin_unlock(&r->lock);
}

static void destroy(void *dev)
{
    struct rtc *r = dev;
    timer_cancel_sync(&r->timer);
    heap_free(r);
}

static const struct mmio_ops rtc_ops = { .name = "goldfish-rtc", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error goldfish_rtc_create(guest_phys_addr base, struct irq_line irq, uint64_t (*wall_time_s)(void), struct mmio_region *out)
{
    struct rtc *r = heap_alloc(sizeof *r);
    if (!r) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an RTC");
    r->irq = irq;
    r->start_offset_ns = r->offset_ns = (wall_time_s ? wall_time_s() : 0) * NS_PER_S - arch_time_ns();
    timer_init(&r->timer, fire, r);
    *out = (struct mmio_region){ .base = base, .size_bytes = GOLDFISH_RTC_BYTES, .min_access_bytes = 4, .max_access_bytes = 4,
                                 .ops = &rtc_ops, .dev = r };
    return VM_SUCCESS;
}
