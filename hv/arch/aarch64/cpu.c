// SPDX-License-Identifier: Apache-2.0
/* Cores: who they are, starting, sleeping, waking, stopping. A core's own record is its owner's; `started` is written by
 * the starting core. See arch.h; DEN0022 for PSCI, Arm ARM for the registers. */
#include "hv/arch/aarch64/bcm2835.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"

bool aarch64_at_el2, aarch64_from_el3;
struct aarch64_cpu aarch64_cpus[ARCH_MAX_CPUS];

static struct aarch64_platform platform;
static arch_irq_fn *handler;
static void (*secondary_entry)(unsigned cpu);
struct aarch64_start aarch64_starts[ARCH_MAX_CPUS] ALIGNED(64);
static uint32_t arrived[ARCH_MAX_CPUS], given_up[ARCH_MAX_CPUS];
static bool has_rndr;
static aarch64_report_fn *report;

static struct aarch64_cpu *self(void)     { return (struct aarch64_cpu *)AARCH64_READ_EL(tpidr); }

void aarch64_report_to(aarch64_report_fn *f) { report = f; }

unsigned arch_cpu_count(void)             { return platform.cpu_count; }
unsigned arch_cpu_id(void)                { return self() ? self()->id : 0; }
void     arch_cpu_relax(void)             { __asm__ volatile("yield" : : : "memory"); }
void     arch_dma_barrier(void)           { aarch64_dsb(); }
void     arch_set_percpu(void *p)         { self()->percpu = p; }
void    *arch_percpu(void)                { return self()->percpu; }
const char *arch_name(void)               { return "aarch64"; }
void     arch_irq_handler(arch_irq_fn *h) { __atomic_store_n(&handler, h, __ATOMIC_RELEASE); }
void     arch_kick(unsigned cpu)          { aarch64_irq_send(cpu, AARCH64_SGI_KICK); }

void aarch64_upcall(enum arch_irq what, uint32_t number)
{
    arch_irq_fn *h = __atomic_load_n(&handler, __ATOMIC_ACQUIRE);     /* pairs with arch_irq_handler */
    if (h) h(arch_cpu_id(), what, number);
}

static void become(unsigned cpu)
{
    aarch64_cpus[cpu].id = cpu;
    AARCH64_WRITE_EL(tpidr, &aarch64_cpus[cpu]);
    aarch64_irq_init_cpu(cpu);
    aarch64_timer_init_cpu();
    __asm__ volatile("msr daifclr, #6" : : : "memory");   /* SError and IRQ */
}

static void forget_cpu(unsigned cpu)
{
    platform.cpu_count--;
    for (unsigned i = cpu; i < platform.cpu_count; i++) {
        platform.cpu_mpidr[i] = platform.cpu_mpidr[i + 1];
        platform.cpu_release[i] = platform.cpu_release[i + 1];
    }
}

/* Leaves only cores that something can start. */
static void forget_unreachable_cpus(void)
{
    for (unsigned cpu = platform.cpu_count - 1; cpu > 0; cpu--) {
        bool has_psci = platform.psci != AARCH64_PSCI_NONE;
        bool is_there = platform.cpu_release[cpu] ? !aarch64_from_el3
                                                  : has_psci && (!platform.is_cpu_count_most || aarch64_psci_has_cpu(platform.cpu_mpidr[cpu]));
        if (!is_there) forget_cpu(cpu);
    }
}

void aarch64_init(const struct aarch64_platform *p)
{
    platform = *p;
    has_rndr = bits64(AARCH64_READ(id_aa64isar0_el1), 63, 60) != 0;
    aarch64_psci_init(aarch64_from_el3 ? AARCH64_PSCI_NONE : p->psci);
    bcm2835_pm_init(p->bcm2835_pm);
    bcm2835_rng_init(p->bcm2835_rng);
    forget_unreachable_cpus();
    aarch64_timer_init(&platform);
    aarch64_irq_init(&platform);
    aarch64_guests_init(&platform);
    become(0);
}

NORETURN void aarch64_secondary_main(unsigned cpu)
{
    if (__atomic_load_n(&given_up[cpu], __ATOMIC_ACQUIRE)) arch_halt();   /* pairs with the release in arch_start_cpus */
    become(cpu);
    __atomic_store_n(&arrived[cpu], 1, __ATOMIC_RELEASE);  /* pairs with the acquire in arch_start_cpus */
    secondary_entry(cpu);
    arch_halt();
}

/* The other core reads it before its caches are on. */
void aarch64_clean_to_memory(const void *from, size_t size_bytes)
{
    uint64_t line = 4ull << (AARCH64_READ(ctr_el0) >> 16 & 15), at = align_down((uint64_t)from, line);
    for (; at < (uint64_t)from + size_bytes; at += line) __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
    aarch64_dsb();
}

/* -> 0, or PSCI's refusal */
static int64_t start(unsigned cpu)
{
    struct aarch64_start *s = &aarch64_starts[cpu];
    aarch64_paging_registers(s);
    aarch64_stacks(cpu, s);
    if (platform.cpu_release[cpu]) {
        aarch64_pen_release(s, platform.cpu_mpidr[cpu]);
        return 0;
    }
    aarch64_clean_to_memory(s, sizeof *s);
    return aarch64_psci_cpu_on(platform.cpu_mpidr[cpu], (uint64_t)aarch64_secondary_entry, (uint64_t)s);
}

/* A core that firmware refuses leaves the list, so that numbers stay dense; one that never arrives ends it. */
void arch_start_cpus(void (*entry)(unsigned cpu))
{
    const uint64_t patience_ns = 2000000000;
    secondary_entry = entry;
    for (unsigned cpu = 1; cpu < platform.cpu_count;) {
        char line[80];
        int64_t refused = start(cpu);
        if (refused) {
            hv_snprintf(line, sizeof line, "core 0x%lx refused to start: PSCI %ld", (unsigned long)platform.cpu_mpidr[cpu], (long)refused);
            if (report) report(line);
            forget_cpu(cpu);
            continue;
        }
        uint64_t until = arch_time_ns() + patience_ns;
        while (!__atomic_load_n(&arrived[cpu], __ATOMIC_ACQUIRE) && arch_time_ns() < until) arch_cpu_relax();
        if (!__atomic_load_n(&arrived[cpu], __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&given_up[cpu], 1, __ATOMIC_RELEASE);
            hv_snprintf(line, sizeof line, "core 0x%lx did not arrive: going on with %u", (unsigned long)platform.cpu_mpidr[cpu], cpu);
            if (report) report(line);
            platform.cpu_count = cpu;
        }
        cpu++;
    }
}

void arch_idle(const uint32_t *attention)
{
    __asm__ volatile("msr daifset, #2" : : : "memory");
    if (!__atomic_load_n(attention, __ATOMIC_SEQ_CST)) {
        __asm__ volatile("dsb sy\n\twfi" : : : "memory");  /* a pending interrupt ends it although masked */
    }
    __asm__ volatile("msr daifclr, #2\n\tisb" : : : "memory");
}

const char *arch_random_name(void) { return has_rndr ? "RNDR" : platform.bcm2835_rng ? "the BCM2835's generator" : NULL; }

bool arch_random_u64(uint64_t *out)
{
    if (!has_rndr) return bcm2835_rng_read(out);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t v, ok;
        __asm__ volatile("mrs %0, S3_3_C2_C4_0\n\tcset %1, ne" : "=r"(v), "=r"(ok) : : "cc");   /* RNDR: Z means none now */
        if (ok) {
            *out = v;
            return true;
        }
    }
    return false;
}

void arch_stop_others(void)
{
    for (unsigned cpu = 0; cpu < platform.cpu_count; cpu++) {
        if (cpu != arch_cpu_id() && arrived[cpu] | (cpu == 0)) aarch64_irq_send(cpu, AARCH64_SGI_STOP);
    }
}

NORETURN void arch_halt(void)
{
    __asm__ volatile("msr daifset, #15" : : : "memory");
    for (;;) __asm__ volatile("wfi");
}

/* MIDR_EL1: implementer and part (Arm's list of core numbers). */
static const struct { uint16_t part; const char *name; } arm_parts[] = {
    { 0xd03, "Cortex-A53" },  { 0xd04, "Cortex-A35" },  { 0xd05, "Cortex-A55" },  { 0xd07, "Cortex-A57" },
    { 0xd08, "Cortex-A72" },  { 0xd09, "Cortex-A73" },  { 0xd0a, "Cortex-A75" },  { 0xd0b, "Cortex-A76" },
    { 0xd0c, "Neoverse-N1" }, { 0xd40, "Neoverse-V1" }, { 0xd49, "Neoverse-N2" }, { 0xd4f, "Neoverse-V2" },
};

const char *arch_description(char *out, size_t cap_bytes)
{
    uint64_t midr = AARCH64_READ(midr_el1);
    char part[40];
    hv_snprintf(part, sizeof part, "implementer 0x%x part 0x%x", (unsigned)bits64(midr, 31, 24), (unsigned)bits64(midr, 15, 4));
    const char *name = part;
    for (size_t i = 0; i < ARRAY_COUNT(arm_parts); i++) {
        if (bits64(midr, 31, 24) == 0x41 && bits64(midr, 15, 4) == arm_parts[i].part) name = arm_parts[i].name;
    }
    hv_snprintf(out, cap_bytes, "AArch64 %s r%up%u on %s, %u core%s, %s, timer %u.%02u MHz%s; %s", name, (unsigned)bits64(midr, 23, 20),
                (unsigned)bits64(midr, 3, 0), platform.board, platform.cpu_count, platform.cpu_count == 1 ? "" : "s", aarch64_irq_name(),
                aarch64_timer_hz() / 1000000, aarch64_timer_hz() / 10000 % 100, has_rndr ? ", RNDR" : "",
                aarch64_at_el2 ? "running at EL2" : "hardware virtualization off: started at EL1");
    return out;
}
