// SPDX-License-Identifier: Apache-2.0
/* MC146818; see cmos.h. Motorola MC146818 data sheet; where memory sizes are kept is PC firmware's custom. */
#include "drivers/virt/cmos.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

enum { SECONDS, SECONDS_ALARM, MINUTES, MINUTES_ALARM, HOURS, HOURS_ALARM, WEEKDAY, DAY, MONTH, YEAR, REG_A, REG_B, REG_C, REG_D, CENTURY = 0x32 };
#define UPDATE_CYCLE  0x80u                 /* in A */
#define SET           0x80u                 /* in B */
#define BINARY        0x04u
#define HOURS_24      0x02u
#define INTERRUPTS    0x70u                 /* periodic, alarm, update: same places in B and C */
#define ALARM         0x20u
#define UPDATE        0x10u
#define PERIODIC      0x40u
#define IRQF          0x80u
#define NS_PER_S      1000000000ull

struct cmos {
    struct spinlock    lock;
    struct cmos_config config;
    struct timer       timer;
    uint8_t            index, memory[128];
    int64_t            offset_s;            /* of the guest's time from the host's */
    uint64_t           ticked_ns;
};

static uint8_t bcd(unsigned v)       { return (uint8_t)(v / 10 << 4 | v % 10); }
static unsigned from_bcd(uint8_t v)  { return (v >> 4) * 10u + (v & 15u); }

struct date { unsigned second, minute, hour, weekday, day, month, year; };

/* Gregorian calendar; months counted from March, so that the leap day comes last. */
static struct date date_of(uint64_t s)
{
    uint64_t days = s / 86400 + 719468, era = days / 146097, doe = days % 146097;
    uint64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365, doy = doe - (365 * yoe + yoe / 4 - yoe / 100), m = (5 * doy + 2) / 153;
    unsigned month = (unsigned)(m < 10 ? m + 3 : m - 9);
    return (struct date){ (unsigned)(s % 60), (unsigned)(s / 60 % 60), (unsigned)(s / 3600 % 24), (unsigned)((s / 86400 + 4) % 7 + 1),
                          (unsigned)(doy - (153 * m + 2) / 5 + 1), month, (unsigned)(yoe + era * 400 + (month <= 2)) };
}
static uint64_t seconds_of(const struct date *d)
{
    unsigned m = (d->month + 9) % 12, y = d->year - (d->month <= 2);
    uint64_t days = y * 365ull + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + d->day - 1 - 719468;
    return days * 86400 + d->hour * 3600u + d->minute * 60u + d->second;
}

static uint8_t coded(const struct cmos *c, unsigned v) { return c->memory[REG_B] & BINARY ? (uint8_t)v : bcd(v); }
static unsigned decoded(const struct cmos *c, uint8_t v) { return c->memory[REG_B] & BINARY ? v : from_bcd(v); }

static uint8_t coded_hour(const struct cmos *c, unsigned h)
{
    if (c->memory[REG_B] & HOURS_24) return coded(c, h);
    return (uint8_t)(coded(c, h % 12 ? h % 12 : 12) | (h >= 12 ? 0x80 : 0));
}
static unsigned decoded_hour(const struct cmos *c, uint8_t v)
{
    if (c->memory[REG_B] & HOURS_24) return decoded(c, v);
    return decoded(c, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* Lock held: the time fields are what the clock says now, unless the guest holds them. */
static void refresh(struct cmos *c)
{
    if (c->memory[REG_B] & SET) return;
    const struct date d = date_of(c->config.wall_time_s() + (uint64_t)c->offset_s);
    c->memory[SECONDS] = coded(c, d.second);
    c->memory[MINUTES] = coded(c, d.minute);
    c->memory[HOURS] = coded_hour(c, d.hour);
    c->memory[WEEKDAY] = coded(c, d.weekday);
    c->memory[DAY] = coded(c, d.day);
    c->memory[MONTH] = coded(c, d.month);
    c->memory[YEAR] = coded(c, d.year % 100);
    c->memory[CENTURY] = coded(c, d.year / 100);
}

/* Lock held: the guest wrote a time; a field it cannot have meant leaves the clock as it is. */
static void set_clock(struct cmos *c)
{
    const struct date d = { decoded(c, c->memory[SECONDS]), decoded(c, c->memory[MINUTES]), decoded_hour(c, c->memory[HOURS]), 0,
                            decoded(c, c->memory[DAY]), decoded(c, c->memory[MONTH]),
                            decoded(c, c->memory[CENTURY]) * 100 + decoded(c, c->memory[YEAR]) };
    bool is_date = d.second < 60 && d.minute < 60 && d.hour < 24 && d.day >= 1 && d.day <= 31 && d.month >= 1 && d.month <= 12 && d.year >= 1970;
    if (is_date) c->offset_s = (int64_t)(seconds_of(&d) - c->config.wall_time_s());
}

static void update(struct cmos *c)
{
    bool is_up = c->memory[REG_C] & c->memory[REG_B] & INTERRUPTS;
    c->memory[REG_C] = (uint8_t)((c->memory[REG_C] & INTERRUPTS) | (is_up ? IRQF : 0));
    irq_line_set(&c->config.irq, is_up);
}

static bool is_alarm(const struct cmos *c)
{
    static const uint8_t pair[][2] = { { SECONDS, SECONDS_ALARM }, { MINUTES, MINUTES_ALARM }, { HOURS, HOURS_ALARM } };
    for (unsigned i = 0; i < 3; i++) {
        uint8_t wanted = c->memory[pair[i][1]];
        if (wanted < 0xc0 && wanted != c->memory[pair[i][0]]) return false;
    }
    return true;
}

/* Lock held. The periodic interrupt's rate is 32768 >> (code - 1); a host that serves it faster than 1 kHz would only heat. */
static uint64_t period_ns(const struct cmos *c)
{
    unsigned code = c->memory[REG_A] & 15;
    uint64_t hz = code < 3 ? (code ? 128u << (2 - code) : 0) : 32768u >> (code - 1);
    if (!(c->memory[REG_B] & PERIODIC) || !hz) return 0;
    return hz > 1000 ? 1000000 : NS_PER_S / hz;
}

static void arm(struct cmos *c)
{
    uint64_t period = period_ns(c);
    bool is_wanted = c->memory[REG_B] & (ALARM | UPDATE);
    timer_arm(&c->timer, period ? arch_time_ns() + period : is_wanted ? arch_time_ns() + NS_PER_S : UINT64_MAX);
}

static void fire(void *arg)
{
    struct cmos *c = arg;
    spin_lock(&c->lock);
    uint64_t now = arch_time_ns();
    if (period_ns(c)) c->memory[REG_C] |= PERIODIC;
    if (now - c->ticked_ns >= NS_PER_S - 1000000) {
        c->ticked_ns = now;
        refresh(c);
        c->memory[REG_C] |= UPDATE;
        if (is_alarm(c)) c->memory[REG_C] |= ALARM;
    }
    update(c);
    arm(c);
    spin_unlock(&c->lock);
}

static uint8_t read_register(struct cmos *c)
{
    uint8_t v;
    if (c->index <= YEAR || c->index == CENTURY) refresh(c);
    v = c->memory[c->index];
    if (c->index == REG_C) {
        c->memory[REG_C] = 0;
        update(c);
    }
    return c->index == REG_D ? 0x80 : v;    /* the battery is fine */
}

static void write_register(struct cmos *c, uint8_t v)
{
    unsigned i = c->index;
    if (i == REG_C || i == REG_D) return;
    bool is_time = (i <= YEAR && i != SECONDS_ALARM && i != MINUTES_ALARM && i != HOURS_ALARM) || i == CENTURY;
    if (is_time) refresh(c);
    bool was_set = c->memory[REG_B] & SET;
    if (i == REG_B && v & SET && !was_set) refresh(c);
    c->memory[i] = i == REG_A ? v & 0x7f : v;
    if (is_time && !was_set) set_clock(c);
    if (i == REG_B && was_set && !(v & SET)) set_clock(c);
    if (i == REG_A || i == REG_B) {
        update(c);
        arm(c);
    }
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct cmos *c = dev;
    (void)size_bytes;
    spin_lock(&c->lock);
    *out = offset ? read_register(c) : 0xff;
    spin_unlock(&c->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct cmos *c = dev;
    (void)size_bytes;
    spin_lock(&c->lock);
    if (offset) write_register(c, (uint8_t)value);
    else c->index = value & 0x7f;
    spin_unlock(&c->lock);
    return VM_SUCCESS;
}

static void put16(struct cmos *c, unsigned at, uint64_t v)
{
    if (v > 0xffff) v = 0xffff;
    c->memory[at] = (uint8_t)v;
    c->memory[at + 1] = (uint8_t)(v >> 8);
}

static void reset(void *dev)
{
    struct cmos *c = dev;
    uint64_t size = c->config.memory_size, low = size < GIB(3) ? size : GIB(3), high = size - low;
    timer_cancel_sync(&c->timer);
    spin_lock(&c->lock);
    c->index = 0;
    c->memory[REG_A] = 0x26;
    c->memory[REG_B] = HOURS_24;
    c->memory[REG_C] = 0;
    put16(c, 0x15, 640);
    put16(c, 0x17, low > MIB(1) ? (low - MIB(1)) / 1024 : 0);
    put16(c, 0x30, low > MIB(1) ? (low - MIB(1)) / 1024 : 0);
    put16(c, 0x34, low > MIB(16) ? (low - MIB(16)) / 65536 : 0);
    for (unsigned i = 0; i < 3; i++) c->memory[0x5b + i] = (uint8_t)(high >> (16 + 8 * i));
    c->memory[0x5f] = (uint8_t)(c->config.cpu_count - 1);
    irq_line_set(&c->config.irq, false);
    spin_unlock(&c->lock);
}

static void destroy(void *dev)
{
    timer_cancel_sync(&((struct cmos *)dev)->timer);
    heap_free(dev);
}

static const struct mmio_ops cmos_ops = { .name = "mc146818", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error cmos_create(const struct cmos_config *config, struct mmio_region *out)
{
    struct cmos *c = heap_alloc(sizeof *c);
    if (!c) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a clock");
    c->config = *config;
    timer_init(&c->timer, fire, c);
    reset(c);
    *out = (struct mmio_region){ .base = { config->ports + 0x70 }, .size_bytes = 2, .min_access_bytes = 1, .max_access_bytes = 1, .ops = &cmos_ops,
                                 .dev = c };
    return VM_SUCCESS;
}
