// SPDX-License-Identifier: Apache-2.0
/* Starting and stopping the other cores (SDM 8.4.4: INIT, then start-up IPIs). One at a time takes the trampoline: the
 * core whose APIC ID is in x86_64_ap_wanted claims it atomically, so one that was given up and comes late halts. Boot core
 * only, but arch_stop_others. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define NOBODY UINT32_MAX
#define PATIENCE_NS 1000000000ull
#define ROUNDS 16
#define SKEW_WORTH_A_WORD_NS 1000

extern const uint8_t x86_64_trampoline[], x86_64_trampoline_end[], x86_64_trampoline_root[], x86_64_trampoline_has_nx[];
NORETURN void x86_64_ap_main(unsigned cpu);

/* Read by trampoline.S. */
uint32_t x86_64_ap_wanted = NOBODY;                      /* atomic: the new core takes it by putting NOBODY */
uint64_t x86_64_ap_stack;
uint32_t x86_64_ap_cpu;

uint32_t x86_64_is_stopping;

static void (*ap_entry)(unsigned cpu);
/* A game of ball for the TSCs: the boot core asks by `ask`, the new one answers in `answer` with its TSC. */
static struct { uint32_t ask, answer; uint64_t tsc; } ball;

void x86_64_place_trampoline(uint64_t page)
{
    uint32_t root = (uint32_t)x86_64_root_table();
    uint8_t has_nx = x86_64_cpuid_if(0x80000001, 0).d >> 20 & 1, *at = (uint8_t *)page;
    memcpy(at, x86_64_trampoline, (size_t)(x86_64_trampoline_end - x86_64_trampoline));
    memcpy(at + (x86_64_trampoline_root - x86_64_trampoline), &root, sizeof root);
    memcpy(at + (x86_64_trampoline_has_nx - x86_64_trampoline), &has_nx, sizeof has_nx);
}

/* On the boot core: how far the other's TSC is ahead, by the exchange that took least time; and half of that time. */
static int64_t measure_skew(uint64_t *doubt)
{
    uint64_t shortest = UINT64_MAX;
    int64_t skew = 0;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        uint64_t from = x86_64_tsc();
        __atomic_store_n(&ball.ask, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&ball.answer, __ATOMIC_ACQUIRE) != round) arch_cpu_relax();
        uint64_t to = x86_64_tsc();
        if (to - from >= shortest) continue;
        shortest = to - from;
        skew = (int64_t)(ball.tsc - (from + (to - from) / 2));
    }
    *doubt = shortest / 2;
    return skew;
}

static void play_along(void)
{
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        while (__atomic_load_n(&ball.ask, __ATOMIC_ACQUIRE) != round) arch_cpu_relax();
        ball.tsc = x86_64_tsc();
        __atomic_store_n(&ball.answer, round, __ATOMIC_RELEASE);
    }
}

NORETURN void x86_64_ap_main(unsigned cpu)
{
    x86_64_load_descriptors(cpu);
    x86_64_features_on();
    x86_64_apic_init_cpu();
    x86_64_timer_init_cpu();
    play_along();
    while (!__atomic_load_n(&x86_64_cpus[cpu].is_running, __ATOMIC_ACQUIRE)) arch_cpu_relax();    /* its skew is known */
    __asm__ volatile("sti" : : : "memory");
    ap_entry(cpu);
    arch_halt();
}

static bool is_claimed(void) { return __atomic_load_n(&x86_64_ap_wanted, __ATOMIC_ACQUIRE) == NOBODY; }

static bool start(unsigned cpu)
{
    uint32_t id = x86_64_platform.cpu_apic_id[cpu];
    x86_64_ap_cpu = cpu;
    x86_64_ap_stack = x86_64_slot(cpu) + X86_64_STACK_TO;
    ball.ask = ball.answer = 0;
    x86_64_cpus[cpu].apic_id = id;
    __atomic_store_n(&x86_64_ap_wanted, id, __ATOMIC_RELEASE);       /* pairs with the claim in trampoline.S */
    for (unsigned attempt = 0; attempt < 2 && !is_claimed(); attempt++) {
        x86_64_apic_send_sipi(id, x86_64_platform.trampoline);
        uint64_t until = arch_time_ns() + (attempt ? PATIENCE_NS : 2000000);
        while (!is_claimed() && arch_time_ns() < until) arch_cpu_relax();
    }
    uint32_t expected = id;
    if (__atomic_compare_exchange_n(&x86_64_ap_wanted, &expected, NOBODY, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) return false;

    uint64_t doubt, hz = x86_64_tsc_hz();
    int64_t skew = measure_skew(&doubt);
    uint64_t size = (uint64_t)(skew < 0 ? -skew : skew), size_ns = size < hz ? size * 1000000000 / hz : UINT64_MAX;
    if (size > doubt) {                                   /* more than the measurement can explain */
        x86_64_cpus[cpu].skew_ticks = skew;
        if (size_ns > SKEW_WORTH_A_WORD_NS) x86_64_report("core %u: TSC is off by %ld ticks: corrected", cpu, (long)skew);
    }
    __atomic_store_n(&x86_64_cpus[cpu].is_running, true, __ATOMIC_RELEASE);
    return true;
}

void arch_start_cpus(void (*entry)(unsigned cpu))
{
    struct x86_64_platform *p = &x86_64_platform;
    ap_entry = entry;
    for (unsigned cpu = 1; cpu < p->cpu_count; cpu++) x86_64_apic_send_init(p->cpu_apic_id[cpu]);
    x86_64_delay_us(10000);
    for (unsigned cpu = 1; cpu < p->cpu_count;) {
        if (start(cpu)) {
            cpu++;
            continue;
        }
        x86_64_report("the core with APIC ID %u did not start: going on without it", p->cpu_apic_id[cpu]);
        p->cpu_count--;
        for (unsigned i = cpu; i < p->cpu_count; i++) p->cpu_apic_id[i] = p->cpu_apic_id[i + 1];
    }
}

void arch_stop_others(void)
{
    __atomic_store_n(&x86_64_is_stopping, 1, __ATOMIC_RELEASE);      /* pairs with the NMI's handler */
    for (unsigned cpu = 0; cpu < x86_64_platform.cpu_count; cpu++) {
        if (cpu != arch_cpu_id() && __atomic_load_n(&x86_64_cpus[cpu].is_running, __ATOMIC_ACQUIRE)) {
            x86_64_apic_send_nmi(x86_64_cpus[cpu].apic_id);
        }
    }
}
