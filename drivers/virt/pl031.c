// SPDX-License-Identifier: Apache-2.0
/* The PL031; see pl031.h. Time is the monotonic clock plus an offset, which starts as the wall clock and which a write to RTCLR
 * moves. All state belongs to the device's lock. Names are those of DDI 0224C, chapter 3. */
#include "drivers/virt/pl031.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define NS_PER_S 1000000000ull

enum { RTCDR = 0x00, RTCMR = 0x04, RTCLR = 0x08, RTCCR = 0x0c, RTCIMSC = 0x10, RTCRIS = 0x14, RTCMIS = 0x18, RTCICR = 0x1c, ID = 0xfe0 };

struct rtc {
    struct spinlock lock;
    struct irq_line irq;
    struct timer    timer;
    uint64_t        offset_ns;       /* wall = monotonic + offset, in ns; modulo 2^32 seconds */
    uint32_t        match_s, load_s;
    bool            is_masked, is_pending;
};

/* All below: lock held. */
static uint32_t now_s(const struct rtc *r) { return (uint32_t)((arch_time_ns() + r->offset_ns) / NS_PER_S); }

static void update(struct rtc *r) { irq_line_set(&r->irq, r->is_pending && !r->is_masked); }

/* The alarm comes when the counter is the match value, not later: 2^32 seconds around are as good as never. */
static void arm(struct rtc *r)
{
    uint64_t now_ns = arch_time_ns(), wall_ns = now_ns + r->offset_ns;
    uint32_t in_s = r->match_s - (uint32_t)(wall_ns / NS_PER_S);
    timer_cancel(&r->timer);
    if (!in_s) r->is_pending = true;
    else if (in_s < 1u << 31) timer_arm(&r->timer, now_ns + in_s * NS_PER_S - wall_ns % NS_PER_S);
}

/* The part of the second that has passed stays. */
static void set(struct rtc *r, uint32_t to_s)
{
    uint64_t now_ns = arch_time_ns();
    r->offset_ns = to_s * NS_PER_S + (now_ns + r->offset_ns) % NS_PER_S - now_ns;
    r->load_s = to_s;
    arm(r);
}

static void fire(void *arg)
{
    struct rtc *r = arg;
    spin_lock(&r->lock);
    r->is_pending = true;
    update(r);
    spin_unlock(&r->lock);
}

static uint32_t read_register(const struct rtc *r, uint64_t offset)
{
    static const uint8_t id[8] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    if (offset >= ID) return id[(offset - ID) / 4 & 7];
    switch (offset) {
    case RTCDR:   return now_s(r);
    case RTCMR:   return r->match_s;
    case RTCLR:   return r->load_s;
    case RTCCR:   return 1;
    case RTCIMSC: return !r->is_masked;
    case RTCRIS:  return r->is_pending;
    case RTCMIS:  return r->is_pending && !r->is_masked;
    }
    return 0;
}

static void write_register(struct rtc *r, uint64_t offset, uint32_t v)
{
    switch (offset) {
    case RTCMR:
        r->match_s = v;
        arm(r);
        break;
    case RTCLR: set(r, v); break;
    case RTCIMSC: r->is_masked = !(v & 1); break;
    case RTCICR:  if (v & 1) r->is_pending = false; break;
    }
    update(r);
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct rtc *r = dev;
    (void)size_bytes;
    spin_lock(&r->lock);
    *out = read_register(r, offset & ~3ull);
    spin_unlock(&r->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct rtc *r = dev;
    (void)size_bytes;
    spin_lock(&r->lock);
    write_register(r, offset & ~3ull, (uint32_t)value);
    spin_unlock(&r->lock);
    return VM_SUCCESS;
}

/* The clock itself runs on, as one with a battery does. */
static void reset(void *dev)
{
    struct rtc *r = dev;
    timer_cancel_sync(&r->timer);
    spin_lock(&r->lock);
    r->match_s = r->load_s = 0;
    r->is_masked = true;
    r->is_pending = false;
    update(r);
    spin_unlock(&r->lock);
}

static void destroy(void *dev)
{
    struct rtc *r = dev;
    timer_cancel_sync(&r->timer);
    heap_free(r);
}

static const struct mmio_ops rtc_ops = { .name = "pl031", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error pl031_create(guest_phys_addr base, struct irq_line irq, uint64_t (*wall_time_s)(void), struct mmio_region *out)
{
    struct rtc *r = heap_alloc(sizeof *r);
    if (!r) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an RTC");
    r->irq = irq;
    r->offset_ns = (wall_time_s ? wall_time_s() : 0) * NS_PER_S - arch_time_ns();
    timer_init(&r->timer, fire, r);
    reset(r);
    *out = (struct mmio_region){ .base = base, .size_bytes = PL031_BYTES, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &rtc_ops, .dev = r };
    return VM_SUCCESS;
}
