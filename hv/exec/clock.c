// SPDX-License-Identifier: Apache-2.0
/* The guest's clock; see vcpu.h. Ticks = (host time - offset) * frequency, split so that nothing overflows. */
#include "hv/exec/vcpu.h"

#define NS_PER_S 1000000000ull

static uint64_t guest_ns(const struct guest_clock *c)
{
    uint64_t stopped = __atomic_load_n(&c->stopped_at_ns, __ATOMIC_ACQUIRE);
    return (stopped ? stopped : arch_time_ns()) - __atomic_load_n(&c->offset_ns, __ATOMIC_ACQUIRE);
}

uint64_t guest_clock_ticks(const struct guest_clock *c)
{
    uint64_t ns = guest_ns(c);
    return ns / NS_PER_S * c->frequency_hz + ns % NS_PER_S * c->frequency_hz / NS_PER_S;
}

uint64_t guest_clock_deadline_ns(const struct guest_clock *c, uint64_t ticks)
{
    uint64_t s = ticks / c->frequency_hz, rest = ticks % c->frequency_hz, ns, sum;
    /* Rounded up: at the deadline the tick has come. */
    if (__builtin_mul_overflow(s, NS_PER_S, &ns)) return UINT64_MAX;
    if (__builtin_add_overflow(ns, (rest * NS_PER_S + c->frequency_hz - 1) / c->frequency_hz, &ns)) return UINT64_MAX;
    return __builtin_add_overflow(ns, c->offset_ns, &sum) ? UINT64_MAX : sum;
}

void guest_clock_start(struct guest_clock *c, uint64_t frequency_hz)
{
    *c = (struct guest_clock){ .frequency_hz = frequency_hz, .offset_ns = arch_time_ns() };
}

void guest_clock_pause(struct guest_clock *c)
{
    uint64_t now = arch_time_ns();
    if (!c->stopped_at_ns) __atomic_store_n(&c->stopped_at_ns, now ? now : 1, __ATOMIC_RELEASE);
}

void guest_clock_resume(struct guest_clock *c)
{
    if (!c->stopped_at_ns) return;
    __atomic_store_n(&c->offset_ns, c->offset_ns + (arch_time_ns() - c->stopped_at_ns), __ATOMIC_RELEASE);
    __atomic_store_n(&c->stopped_at_ns, 0, __ATOMIC_RELEASE);
}
