// SPDX-License-Identifier: Apache-2.0
/* Local APICs; see lapic.h. Everything of a CPU's belongs to its own lock; two are never held at once. */
#include "drivers/virt/lapic.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"

#define NS_PER_S  1000000000ull
#define PAUSED_NS 10000000                 /* the host's time of a tick to come is past: the guest's clock stands; look again */
#define LEAST_PERIOD_NS 100000             /* a guest's shorter period costs the host no more than this */

enum lapic_register {
    ID = 0x20, VERSION = 0x30, TPR = 0x80, APR = 0x90, PPR = 0xa0, EOI = 0xb0, LDR = 0xd0, DFR = 0xe0, SVR = 0xf0, ISR = 0x100, TMR = 0x180,
    IRR = 0x200, ESR = 0x280, ICR_LOW = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320, LVT_THERMAL = 0x330, LVT_COUNTER = 0x340, LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360, LVT_ERROR = 0x370, TIMER_INITIAL = 0x380, TIMER_CURRENT = 0x390, TIMER_DIVIDE = 0x3e0, SELF_IPI = 0x3f0,
};
#define MSR_TSC_DEADLINE 0x6e0u
#define SVR_ENABLE   (1u << 8)
#define LVT_MASKED   (1u << 16)
#define LVT_MODE     (3u << 17)
#define LVT_PERIODIC (1u << 17)
#define LVT_DEADLINE (2u << 17)
#define ICR_LOGICAL  (1u << 11)
#define ICR_ASSERT   (1u << 14)
#define ICR_LEVEL    (1u << 15)
#define ERROR_SEND_ILLEGAL    (1u << 5)
#define ERROR_RECEIVE_ILLEGAL (1u << 6)

/* Vectors; `used`: bit n for word n, which is not zero. */
struct vectors { uint32_t word[8], used; };

struct lapics;
struct lapic {
    struct lapics  *all;
    struct spinlock lock;
    struct timer    timer;
    struct irq_line news, nmi;
    unsigned        cpu;
    bool            is_on, is_x2;
    struct vectors  irr, isr;
    uint32_t        tmr[8];
    uint32_t        tpr, ldr, dfr, svr, esr, esr_latched, icr_high, lvt[6], divide;
    uint64_t        icr, initial;
    uint64_t        start_ns;              /* of the guest's clock: when the count began */
    uint64_t        tsc_deadline;          /* 0: none */
    uint64_t        inits;                 /* how often the CPU was initialised */
};
struct lapics { struct lapic_config config; struct lapic cpu[]; };

static uint64_t scale(uint64_t v, uint64_t by, uint64_t per) { return (uint64_t)((unsigned __int128)v * by / per); }

static int highest(const struct vectors *set)
{
    if (!set->used) return -1;
    unsigned n = log2_floor(set->used);
    return (int)(32 * n + log2_floor(set->word[n]));
}
static void add_vector(struct vectors *set, unsigned n)
{
    set->word[n / 32] |= 1u << n % 32;
    set->used |= 1u << n / 32;
}
static void remove_vector(struct vectors *set, unsigned n)
{
    set->word[n / 32] &= ~(1u << n % 32);
    if (!set->word[n / 32]) set->used &= ~(1u << n / 32);
}
static bool has_bit(const uint32_t *set, unsigned n)  { return set[n / 32] >> n % 32 & 1; }
static void set_bit(uint32_t *set, unsigned n)        { set[n / 32] |= 1u << n % 32; }
static void clear_bit(uint32_t *set, unsigned n)      { set[n / 32] &= ~(1u << n % 32); }

static uint32_t ppr(const struct lapic *l)
{
    int in_service = highest(&l->isr);
    uint32_t isr_class = in_service < 0 ? 0 : (uint32_t)in_service & 0xf0;
    return (l->tpr & 0xf0) >= isr_class ? l->tpr : isr_class;
}

/* Lock held. */
static void request(struct lapic *l, unsigned vector, bool is_level)
{
    if (!l->is_on || !(l->svr & SVR_ENABLE)) return;
    if (vector < 16) {
        l->esr |= ERROR_RECEIVE_ILLEGAL;
        return;
    }
    add_vector(&l->irr, vector);
    if (is_level) set_bit(l->tmr, vector);
    else clear_bit(l->tmr, vector);
    irq_line_set(&l->news, true);
}

/* ---- the timer; lock held ---- */
static unsigned divider_shift(const struct lapic *l)
{
    unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);
    return (code + 1) & 7;
}

static uint64_t ticks_since(const struct lapic *l, uint64_t now_ns)
{
    return scale(now_ns - l->start_ns, l->all->config.timer_hz, NS_PER_S) >> divider_shift(l);
}
/* Rounded up: then the tick has come. */
static uint64_t tick_ns(const struct lapic *l, uint64_t ticks)
{
    return scale(ticks << divider_shift(l), NS_PER_S, l->all->config.timer_hz) + 1;
}

static uint32_t lvt_mode(const struct lapic *l) { return l->lvt[0] & LVT_MODE; }

static void expire(struct lapic *l)
{
    if (!(l->lvt[0] & LVT_MASKED)) request(l, l->lvt[0] & 0xff, false);
}

/* What is due is delivered, and the host's timer is set for what comes next. */
static void look_at_clock(struct lapic *l)
{
    const struct lapic_config *c = &l->all->config;
    uint64_t now = c->now_ns(c->ctx), due_ns = UINT64_MAX;
    if (lvt_mode(l) == LVT_DEADLINE) {
        if (l->tsc_deadline) due_ns = scale(l->tsc_deadline, NS_PER_S, c->tsc_hz) + 1;
        if (l->tsc_deadline && due_ns <= now) {
            l->tsc_deadline = 0;
            due_ns = UINT64_MAX;
            expire(l);
        }
    } else if (l->initial) {
        uint64_t passed = ticks_since(l, now);
        if (passed >= l->initial) {
            if (lvt_mode(l) == LVT_PERIODIC) {               /* rounds that were missed are one interrupt */
                l->start_ns += tick_ns(l, passed / l->initial * l->initial) - 1;
            } else {
                l->initial = 0;
            }
            expire(l);
        }
        if (l->initial) due_ns = l->start_ns + tick_ns(l, l->initial);
    }
    if (due_ns == UINT64_MAX) {
        timer_arm(&l->timer, UINT64_MAX);
        return;
    }
    uint64_t host_now = arch_time_ns(), host_ns = c->deadline_ns(c->ctx, due_ns);
    if (host_ns <= host_now) host_ns = host_now + PAUSED_NS;
    if (lvt_mode(l) == LVT_PERIODIC && host_ns < host_now + LEAST_PERIOD_NS) host_ns = host_now + LEAST_PERIOD_NS;
    timer_arm(&l->timer, host_ns);
}

static void fire(void *arg)
{
    struct lapic *l = arg;
    spin_lock(&l->lock);
    look_at_clock(l);
    spin_unlock(&l->lock);
}

static uint32_t current_count(const struct lapic *l)
{
    const struct lapic_config *c = &l->all->config;
    if (!l->initial || lvt_mode(l) == LVT_DEADLINE) return 0;
    uint64_t passed = ticks_since(l, c->now_ns(c->ctx));
    if (lvt_mode(l) == LVT_PERIODIC) return (uint32_t)(l->initial - passed % l->initial);
    return passed >= l->initial ? 0 : (uint32_t)(l->initial - passed);
}

/* ---- sending; no lock held ---- */
static bool matches(struct lapic *l, const struct lapic_message *m)
{
    bool is_match;
    if (!m->is_logical) return m->destination == 0xffffffffu || m->destination == l->cpu || (m->destination == 0xff && !l->is_x2);
    spin_lock(&l->lock);
    if (l->is_x2) is_match = m->destination >> 16 == l->cpu / 16 && m->destination & 1u << l->cpu % 16;
    else if (l->dfr >> 28 == 0xf) is_match = m->destination & l->ldr >> 24;                    /* flat */
    else is_match = (m->destination >> 4 == l->ldr >> 28 || m->destination >> 4 == 15) && m->destination & l->ldr >> 24 & 15;
    spin_unlock(&l->lock);
    return is_match || m->destination == 0xffffffffu;
}

static void deliver(struct lapic *l, const struct lapic_message *m)
{
    const struct lapic_config *c = &l->all->config;
    switch (m->delivery) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        spin_lock(&l->lock);
        request(l, m->vector, m->is_level);
        spin_unlock(&l->lock);
        break;
    case LAPIC_NMI:
        irq_line_set(&l->nmi, true);
        break;
    case LAPIC_INIT:
    case LAPIC_START_UP:
        c->start(c->ctx, l->cpu, m->delivery == LAPIC_INIT, m->vector);
        break;
    case LAPIC_EXTERNAL:
        irq_line_set(&l->news, true);
        break;
    case LAPIC_SMI:
    case LAPIC_REMOTE_READ:
        break;
    }
}

void lapic_send(void *lapics, const struct lapic_message *m)
{
    struct lapics *a = lapics;
    for (unsigned i = 0; i < a->config.count; i++) {
        if (!matches(&a->cpu[i], m)) continue;
        deliver(&a->cpu[i], m);
        if (m->delivery == LAPIC_LOWEST) return;             /* all are the same to us */
    }
}

/* The command register was written: destination and command, by shorthand or address (SDM 11.6.1). */
static void send_command(struct lapics *a, struct lapic *from, uint32_t destination, uint32_t command)
{
    enum { NO_SHORTHAND, SELF, ALL, OTHERS };
    unsigned shorthand = command >> 18 & 3;
    struct lapic_message m = { destination, command & ICR_LOGICAL, (enum lapic_delivery)(command >> 8 & 7), (uint8_t)command, false };
    if (m.delivery == LAPIC_INIT && command & ICR_LEVEL && !(command & ICR_ASSERT)) return;    /* de-assert: nothing to do */
    if (m.delivery <= LAPIC_LOWEST && m.vector < 16) {
        spin_lock(&from->lock);
        from->esr |= ERROR_SEND_ILLEGAL;
        spin_unlock(&from->lock);
        return;
    }
    if (shorthand == NO_SHORTHAND) {
        lapic_send(a, &m);
        return;
    }
    for (unsigned i = 0; i < a->config.count; i++) {
        bool is_self = i == from->cpu;
        if (shorthand == SELF ? is_self : shorthand == ALL || !is_self) deliver(&a->cpu[i], &m);
    }
}

/* ---- registers ---- */
static struct lapic *of(void *lapics, unsigned cpu) { return &((struct lapics *)lapics)->cpu[cpu]; }

static uint32_t read_locked(struct lapic *l, unsigned offset)
{
    if (offset >= ISR && offset < ESR) {
        const uint32_t *set = offset < TMR ? l->isr.word : offset < IRR ? l->tmr : l->irr.word;
        return set[offset / 16 % 8];
    }
    if (offset >= LVT_TIMER && offset <= LVT_ERROR) return l->lvt[(offset - LVT_TIMER) / 16];
    switch (offset) {
    case ID:            return l->is_x2 ? l->cpu : l->cpu << 24;
    case VERSION:       return LAPIC_VERSION;
    case TPR:           return l->tpr;
    case PPR:           return ppr(l);
    case LDR:           return l->is_x2 ? l->cpu / 16 << 16 | 1u << l->cpu % 16 : l->ldr;
    case DFR:           return l->dfr;
    case SVR:           return l->svr;
    case ESR:           return l->esr_latched;
    case ICR_LOW:       return (uint32_t)l->icr;
    case ICR_HIGH:      return l->icr_high;
    case TIMER_INITIAL: return lvt_mode(l) == LVT_DEADLINE ? 0 : (uint32_t)l->initial;
    case TIMER_CURRENT: return current_count(l);
    case TIMER_DIVIDE:  return l->divide;
    }
    return 0;
}

uint32_t lapic_read(void *lapics, unsigned cpu, unsigned offset)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    uint32_t v = read_locked(l, offset & 0xff0);
    spin_unlock(&l->lock);
    return v;
}

/* Lock held; the vector whose end I/O APICs have to hear of, or -1. */
static int end_of_interrupt(struct lapic *l)
{
    int vector = highest(&l->isr);
    if (vector < 0) return -1;
    remove_vector(&l->isr, (unsigned)vector);
    return has_bit(l->tmr, (unsigned)vector) ? vector : -1;
}

static void write_lvt(struct lapic *l, unsigned n, uint32_t value)
{
    static const uint32_t kept[6] = { 0x710ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };
    uint32_t before = l->lvt[n];
    l->lvt[n] = (value & kept[n]) | (l->svr & SVR_ENABLE ? 0 : LVT_MASKED);
    if (n) return;
    if ((before ^ value) & LVT_DEADLINE) {                   /* SDM 11.5.4.1: a change of mode disarms */
        l->initial = 0;
        l->tsc_deadline = 0;
    }
    look_at_clock(l);
}

static void write_svr(struct lapic *l, uint32_t value)
{
    l->svr = value & 0x1ff;
    for (unsigned i = 0; i < 6 && !(value & SVR_ENABLE); i++) l->lvt[i] |= LVT_MASKED;
}

static void start_count(struct lapic *l, uint32_t value)
{
    const struct lapic_config *c = &l->all->config;
    if (lvt_mode(l) == LVT_DEADLINE) return;
    l->initial = value;
    l->start_ns = c->now_ns(c->ctx);
    look_at_clock(l);
}

void lapic_write(void *lapics, unsigned cpu, unsigned offset, uint32_t value)
{
    struct lapics *a = lapics;
    struct lapic *l = of(lapics, cpu);
    int ended = -1;
    bool sends = false;
    offset &= 0xff0;
    spin_lock(&l->lock);
    if (offset >= LVT_TIMER && offset <= LVT_ERROR) {
        write_lvt(l, (offset - LVT_TIMER) / 16, value);
    } else {
        switch (offset) {
        case TPR:           l->tpr = value & 0xff;                                  break;
        case EOI:           ended = end_of_interrupt(l);                             break;
        case LDR:           if (!l->is_x2) l->ldr = value & 0xff000000u;             break;
        case DFR:           if (!l->is_x2) l->dfr = value | 0x0fffffffu;             break;
        case SVR:           write_svr(l, value);                                     break;
        case ESR:           l->esr_latched = l->esr; l->esr = 0;                     break;
        case ICR_HIGH:      l->icr_high = value & 0xff000000u;                       break;
        case ICR_LOW:       l->icr = value & 0xccfff; sends = true;                  break;
        case TIMER_INITIAL: start_count(l, value);                                   break;
        case TIMER_DIVIDE:  l->divide = value & 0xb; look_at_clock(l);            break;
        }
    }
    uint32_t destination = l->icr_high >> 24;
    spin_unlock(&l->lock);
    if (sends) send_command(a, l, destination, value);
    if (ended >= 0 && a->config.end_of_interrupt) a->config.end_of_interrupt(a->config.ctx, (uint8_t)ended);
}

bool lapic_read_msr(void *lapics, unsigned cpu, uint32_t msr, uint64_t *out)
{
    struct lapic *l = of(lapics, cpu);
    if (msr == MSR_TSC_DEADLINE) {
        spin_lock(&l->lock);
        *out = lvt_mode(l) == LVT_DEADLINE ? l->tsc_deadline : 0;
        spin_unlock(&l->lock);
        return true;
    }
    unsigned offset = (msr - 0x800) * 16;
    if (!l->is_x2 || offset > TIMER_DIVIDE || offset == ICR_HIGH || offset == DFR || offset == EOI || offset == APR) return false;
    if (offset == ICR_LOW) {
        *out = l->icr;
        return true;
    }
    *out = lapic_read(lapics, cpu, offset);
    return true;
}

bool lapic_write_msr(void *lapics, unsigned cpu, uint32_t msr, uint64_t value)
{
    struct lapics *a = lapics;
    struct lapic *l = of(lapics, cpu);
    if (msr == MSR_TSC_DEADLINE) {
        spin_lock(&l->lock);
        if (lvt_mode(l) == LVT_DEADLINE) {
            l->tsc_deadline = value;
            look_at_clock(l);
        }
        spin_unlock(&l->lock);
        return true;
    }
    unsigned offset = (msr - 0x800) * 16;
    bool is_read_only = offset == ID || offset == VERSION || offset == PPR || offset == LDR || (offset >= ISR && offset < ESR) || offset == TIMER_CURRENT;
    if (!l->is_x2 || offset > SELF_IPI || is_read_only || offset == ICR_HIGH || offset == DFR || offset == APR) return false;
    if (offset == ICR_LOW) {
        l->icr = value & 0xffffffff000ccfffull;
        send_command(a, l, (uint32_t)(value >> 32), (uint32_t)value);
        return true;
    }
    if (offset == SELF_IPI) {
        send_command(a, l, cpu, (uint32_t)(value & 0xff));
        return true;
    }
    if (value >> 32 || ((offset == EOI || offset == ESR) && value)) return false;
    lapic_write(lapics, cpu, offset, (uint32_t)value);
    return true;
}

void lapic_set_base(void *lapics, unsigned cpu, bool is_on, bool is_x2)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    l->is_on = is_on;
    l->is_x2 = is_x2;
    spin_unlock(&l->lock);
}

/* ---- delivery ---- */
int32_t lapic_next(void *lapics, unsigned cpu, bool *blocked)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    int vector = highest(&l->irr);
    bool is_held = vector >= 0 && ((uint32_t)vector & 0xf0) <= (ppr(l) & 0xf0);
    spin_unlock(&l->lock);
    if (blocked) *blocked = is_held && ((uint32_t)vector & 0xf0) <= (l->tpr & 0xf0);
    return is_held ? -1 : vector;
}

void lapic_accept(void *lapics, unsigned cpu, uint8_t vector)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    remove_vector(&l->irr, vector);
    add_vector(&l->isr, vector);
    spin_unlock(&l->lock);
}

bool lapic_lend(void *lapics, unsigned cpu, struct lapic_vectors *out)
{
    struct lapic *l = of(lapics, cpu);
    uint32_t any = 0;
    spin_lock(&l->lock);
    for (unsigned i = 0; i < 8; i++) {
        any |= (out->irr[i] = l->irr.word[i]) | (out->isr[i] = l->isr.word[i]);
        out->ends[i] = l->tmr[i] & (out->irr[i] | out->isr[i]);
    }
    l->irr = l->isr = (struct vectors){ .used = 0 };
    out->inits = l->inits;
    spin_unlock(&l->lock);
    return any;
}

void lapic_return(void *lapics, unsigned cpu, const struct lapic_vectors *v)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    for (unsigned i = 0; i < 8 && v->inits == l->inits; i++) {
        l->irr.word[i] |= v->irr[i];
        l->isr.word[i] |= v->isr[i];
        if (l->irr.word[i]) l->irr.used |= 1u << i;
        if (l->isr.word[i]) l->isr.used |= 1u << i;
    }
    spin_unlock(&l->lock);
}

void lapic_ended(void *lapics, uint8_t vector)
{
    const struct lapics *a = lapics;
    if (a->config.end_of_interrupt) a->config.end_of_interrupt(a->config.ctx, vector);
}

uint8_t lapic_cr8(void *lapics, unsigned cpu) { return (uint8_t)(of(lapics, cpu)->tpr >> 4); }

void lapic_set_cr8(void *lapics, unsigned cpu, uint8_t value)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    l->tpr = (uint32_t)(value & 15) << 4;
    spin_unlock(&l->lock);
}

bool lapic_takes_external(void *lapics, unsigned cpu)
{
    const struct lapic *l = of(lapics, cpu);
    if (!l->is_on) return true;                              /* the wire goes straight to the core */
    return !(l->lvt[3] & LVT_MASKED) && (l->lvt[3] >> 8 & 7) == LAPIC_EXTERNAL && l->svr & SVR_ENABLE;
}

/* ---- life ---- */
void lapic_init_cpu(void *lapics, unsigned cpu)
{
    struct lapic *l = of(lapics, cpu);
    spin_lock(&l->lock);
    l->irr = l->isr = (struct vectors){ .used = 0 };
    memset(l->tmr, 0, sizeof l->tmr);
    l->tpr = l->ldr = l->esr = l->esr_latched = l->icr_high = l->divide = 0;
    l->icr = l->initial = l->start_ns = l->tsc_deadline = 0;
    l->dfr = ~0u;
    l->svr = 0xff;
    l->inits++;
    for (unsigned i = 0; i < 6; i++) l->lvt[i] = LVT_MASKED;
    timer_cancel(&l->timer);
    spin_unlock(&l->lock);
}

static void reset(void *dev)
{
    struct lapics *a = dev;
    for (unsigned i = 0; i < a->config.count; i++) {
        struct lapic *l = &a->cpu[i];
        lapic_init_cpu(a, i);                                /* nothing arms the timer again */
        timer_cancel_sync(&l->timer);
        lapic_set_base(a, i, true, false);
    }
}

static void destroy(void *dev)
{
    reset(dev);
    heap_free(dev);
}

/* Nobody knows which CPU this would be: the vCPU's own code is before the bus. */
static struct vm_error no_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0;
    return VM_SUCCESS;
}
static struct vm_error no_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)dev, (void)offset, (void)size_bytes, (void)value;
    return VM_SUCCESS;
}

static const struct mmio_ops lapic_ops = { .name = "lapic", .read = no_read, .write = no_write, .reset = reset, .destroy = destroy };

struct vm_error lapic_create(const struct lapic_config *c, struct mmio_region *out)
{
    if (!c->count || c->count > LAPIC_MAX_CPUS) return vm_error_because(VM_DEVICE_CONFIG, "there are 1 to 64 local APICs");
    struct lapics *a = heap_alloc(sizeof *a + c->count * sizeof a->cpu[0]);
    if (!a) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for local APICs");
    a->config = *c;
    a->config.news = a->config.nmi = NULL;
    for (unsigned i = 0; i < c->count; i++) {
        struct lapic *l = &a->cpu[i];
        l->all = a;
        l->cpu = i;
        l->news = c->news[i];
        l->nmi = c->nmi[i];
        timer_init(&l->timer, fire, l);
        lapic_init_cpu(a, i);
        l->is_on = true;
    }
    *out = (struct mmio_region){ .base = { LAPIC_BASE }, .size_bytes = LAPIC_BYTES, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &lapic_ops, .dev = a };
    return VM_SUCCESS;
}
