// SPDX-License-Identifier: Apache-2.0
/* The clock (TSC, scaled) and each core's timer (TSC deadline, or the local APIC's counter). The scale is found at boot:
 * from CPUID, else measured against a chip of known speed. Each core corrects its TSC by the skew found at its start.
 * Constants after boot; a core's deadline is its own. SDM 17.17, 10.5.4; ACPI 4.8.3.3; 8254; IA-PC HPET 1.0a. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"

#define MSR_TSC_DEADLINE 0x6e0u
#define NS_PER_S   1000000000ull
#define MAX_WAIT_NS NS_PER_S                             /* of one programming; longer waits are split */
#define FRACTION   32

static uint64_t tsc_hz, tsc_start, ns_scale, tsc_scale;  /* ns = tsc * ns_scale >> 32, tsc = ns * tsc_scale >> 32 */
static uint64_t apic_scale;                              /* timer ticks = ns * apic_scale >> 32 */
static bool has_deadline;
static const char *source;

uint64_t    x86_64_tsc_hz(void)                  { return tsc_hz; }
const char *x86_64_tsc_source(void)              { return source; }
bool        x86_64_timer_is_tsc_deadline(void)   { return has_deadline; }

static uint64_t scale(uint64_t v, uint64_t by)   { return (uint64_t)(((unsigned __int128)v * by) >> FRACTION); }

static uint64_t own_ticks(void)                  { return x86_64_tsc() - (uint64_t)x86_64_self()->skew_ticks - tsc_start; }

uint64_t arch_time_ns(void)
{
    uint64_t ticks = own_ticks();
    return (int64_t)ticks < 0 ? 0 : scale(ticks, ns_scale);
}

uint64_t arch_ticks(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | (uint64_t)high << 32;
}
uint64_t arch_ticks_ns(uint64_t ticks) { return scale(ticks, ns_scale); }

uint64_t x86_64_ticks_at(uint64_t ns) { return scale(ns, tsc_scale) + tsc_start + (uint64_t)x86_64_self()->skew_ticks; }

void x86_64_delay_us(uint64_t us)
{
    uint64_t from = x86_64_tsc(), ticks = us * (tsc_hz / 1000000 + 1);
    while (x86_64_tsc() - from < ticks) arch_cpu_relax();
}

/* Chips that count at a known speed. */
static uint64_t pm_timer_read(void)
{
    return x86_64_in32((uint16_t)x86_64_platform.pm_timer_port);
}
static uint64_t hpet_read(void)
{
    return *(volatile uint64_t *)(x86_64_platform.hpet + 0xf0);
}
static uint64_t pit_read(void)
{
    x86_64_out8(0x43, 0x00);                             /* latch counter 0 */
    unsigned low = x86_64_in8(0x40);
    return 0xffff - (low | (unsigned)x86_64_in8(0x40) << 8);      /* it counts down */
}

static uint64_t pm_timer_start(void)             { return x86_64_platform.pm_timer_port ? 3579545 : 0; }
static uint64_t hpet_start(void)
{
    uint64_t base = x86_64_platform.hpet;
    if (!base) return 0;
    x86_64_map(base, HV_PAGE_BYTES, X86_64_DEVICE);
    uint64_t period_fs = *(volatile uint64_t *)base >> 32;
    if (period_fs == 0 || period_fs > 100000000) return 0;       /* IA-PC HPET 2.3.4 */
    *(volatile uint64_t *)(base + 0x10) |= 1;
    return 1000000000000000ull / period_fs;
}
static uint64_t pit_start(void)
{
    x86_64_out8(0x43, 0x34);                             /* counter 0, both bytes, rate generator, binary */
    x86_64_out8(0x40, 0);
    x86_64_out8(0x40, 0);
    return 1193182;
}

static const struct reference {
    const char *name;
    uint64_t  (*start)(void);                            /* its speed in Hz, 0: not there */
    uint64_t  (*read)(void);
    unsigned    width_bits;
} references[] = {
    { "HPET",     hpet_start,     hpet_read,     32 },
    { "PM timer", pm_timer_start, pm_timer_read, 24 },
    { "PIT",      pit_start,      pit_read,      16 },
};

struct moment { uint64_t count, tsc; };

/* Of a few readings, the one that took least time: interruptions from below (SMM, a busy emulator) show as long ones. */
static struct moment read_both(const struct reference *r)
{
    struct moment best = { 0, 0 };
    uint64_t shortest = UINT64_MAX;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t before = x86_64_tsc(), count = r->read(), after = x86_64_tsc();
        if (after - before >= shortest) continue;
        shortest = after - before;
        best = (struct moment){ count, before + (after - before) / 2 };
    }
    return best;
}

/* 0: it does not count. */
static uint64_t measure_once(const struct reference *r)
{
    uint64_t hz = r->start(), mask = bit64(r->width_bits) - 1;
    if (!hz) return 0;
    struct moment from = read_both(r);
    uint64_t wanted = hz / 40;                           /* 25 ms: less than half the PIT's turn */
    for (unsigned i = 0; ((r->read() - from.count) & mask) < wanted; i++) {
        if (i > 1000000) return 0;
        arch_cpu_relax();
    }
    struct moment to = read_both(r);
    uint64_t counted = (to.count - from.count) & mask;
    return counted ? (uint64_t)((unsigned __int128)(to.tsc - from.tsc) * hz / counted) : 0;
}

/* A pause longer than the counter's turn (the PIT's is 55 ms) looks like a fast TSC: two results must agree. */
static uint64_t measure(const struct reference *r)
{
    uint64_t last = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t hz = measure_once(r), apart = hz > last ? hz - last : last - hz;
        if (!hz) return 0;
        if (apart <= hz / 500) return hz / 2 + last / 2;
        last = hz;
    }
    x86_64_report("the %s does not measure the TSC twice the same: taking the last result", r->name);
    return last;
}

static uint64_t hz_by_cpuid(void)
{
    struct x86_64_cpuid crystal = x86_64_cpuid_if(0x15, 0), core = x86_64_cpuid_if(0x16, 0);
    if (crystal.a && crystal.b && crystal.c) return (uint64_t)crystal.c * crystal.b / crystal.a;
    if (crystal.a && crystal.b && core.a & 0xffff) return (core.a & 0xffff) * 1000000ull;
    return 0;
}

static void set_hz(uint64_t hz)
{
    tsc_hz = hz;
    ns_scale = (NS_PER_S << FRACTION) / hz;
    tsc_scale = (uint64_t)(((unsigned __int128)hz << FRACTION) / NS_PER_S);
}

void x86_64_time_init(void)
{
    uint64_t hz = hz_by_cpuid();
    source = "CPUID";
    for (unsigned i = 0; i < ARRAY_COUNT(references) && !hz; i++) {
        hz = measure(&references[i]);
        source = references[i].name;
    }
    if (!hz) {
        x86_64_report("no chip tells the speed of the TSC: taking 1 GHz");
        source = "guess";
        hz = NS_PER_S;
    }
    set_hz(hz);
    tsc_start = x86_64_tsc();
    has_deadline = x86_64_cpuid(1, 0).c >> 24 & 1;

    if (!has_deadline) {
        x86_64_apic_timer_mode(false);
        uint64_t flags = x86_64_irq_save(), from = x86_64_tsc(), ticks = hz / 100;
        x86_64_apic_timer_start(UINT32_MAX);
        while (x86_64_tsc() - from < ticks) arch_cpu_relax();
        uint64_t counted = UINT32_MAX - x86_64_apic_timer_left(), took = x86_64_tsc() - from;
        x86_64_apic_timer_start(0);
        x86_64_irq_restore(flags);
        uint64_t apic_hz = (uint64_t)((unsigned __int128)counted * hz / took);
        apic_scale = (uint64_t)(((unsigned __int128)apic_hz << FRACTION) / NS_PER_S);
    }
}

void x86_64_timer_init_cpu(void)
{
    x86_64_self()->deadline_ns = UINT64_MAX;
    x86_64_apic_timer_mode(has_deadline);
}

static void program(uint64_t deadline_ns)
{
    uint64_t now = arch_time_ns(), wait = deadline_ns > now ? deadline_ns - now : 0;
    if (deadline_ns == UINT64_MAX) {
        if (has_deadline) x86_64_wrmsr(MSR_TSC_DEADLINE, 0);
        else x86_64_apic_timer_start(0);
        return;
    }
    if (wait > MAX_WAIT_NS) wait = MAX_WAIT_NS;
    if (has_deadline) {
        x86_64_wrmsr(MSR_TSC_DEADLINE, x86_64_tsc() + scale(wait, tsc_scale) + 1);
    } else {
        uint64_t ticks = scale(wait, apic_scale) + 1;
        x86_64_apic_timer_start(ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks);
    }
}

/* The deadline is stored before the chip is programmed: an interrupt in between finds the new one and re-arms for it. */
void arch_timer_set(uint64_t deadline_ns)
{
    __atomic_store_n(&x86_64_self()->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    program(deadline_ns);
}

void x86_64_timer_interrupt(void)
{
    uint64_t deadline = __atomic_load_n(&x86_64_self()->deadline_ns, __ATOMIC_RELAXED);
    if (deadline == UINT64_MAX) return;
    if (arch_time_ns() < deadline) {                      /* one part of a long wait is over */
        program(deadline);
        return;
    }
    __atomic_store_n(&x86_64_self()->deadline_ns, UINT64_MAX, __ATOMIC_RELAXED);
    x86_64_upcall(ARCH_IRQ_TIMER, 0);
}
