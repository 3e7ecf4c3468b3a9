// SPDX-License-Identifier: Apache-2.0
/* Cores: who they are, what they are, sleeping, waking. A core's own record is its owner's. See arch.h. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

#define MSR_EFER            0xc0000080u
#define MSR_FEATURE_CONTROL 0x3au
#define MSR_PAT             0x277u
#define PAT_WITH_WC         0x0007040600070106ull        /* as after reset, but entry 1: write-combining (SDM 11.12) */
#define MSR_VM_CR           0xc0010114u

struct x86_64_platform x86_64_platform;
struct x86_64_cpu x86_64_cpus[ARCH_MAX_CPUS] ALIGNED(64);

static arch_irq_fn *handler;
static x86_64_report_fn *report;

unsigned arch_cpu_count(void)             { return x86_64_platform.cpu_count; }
unsigned arch_cpu_id(void)                { return x86_64_self()->id; }
void     arch_cpu_relax(void)             { __asm__ volatile("pause" : : : "memory"); }
void     arch_dma_barrier(void)           { __asm__ volatile("mfence" : : : "memory"); }
void     arch_set_percpu(void *p)         { x86_64_self()->percpu = p; }
const char *arch_name(void)               { return "x86_64"; }
void     arch_irq_handler(arch_irq_fn *h) { __atomic_store_n(&handler, h, __ATOMIC_RELEASE); }

void *arch_percpu(void)
{
    void *p;
    __asm__ volatile("mov %%gs:8, %0" : "=r"(p));
    return p;
}

void x86_64_report_to(x86_64_report_fn *f) { report = f; }

void x86_64_report(const char *format, ...)
{
    char line[160];
    va_list args;
    va_start(args, format);
    hv_vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (report) report(line);
}

void x86_64_upcall(enum arch_irq what, uint32_t number)
{
    arch_irq_fn *h = __atomic_load_n(&handler, __ATOMIC_ACQUIRE);     /* pairs with arch_irq_handler */
    if (h) h(arch_cpu_id(), what, number);
}

/* SDM 2.5, 2.6. FP and SSE on (interrupt handlers do not touch them), everything that restrains ring 0 too. */
void x86_64_features_on(void)
{
    struct x86_64_cpuid one = x86_64_cpuid(1, 0), seven = x86_64_cpuid_if(7, 0);
    if (x86_64_cpuid_if(0x80000001, 0).d >> 20 & 1) x86_64_wrmsr(MSR_EFER, x86_64_rdmsr(MSR_EFER) | bit64(11));     /* NXE */
    uint64_t cr4 = bit64(5) | bit64(9) | bit64(10);      /* PAE, OSFXSR, OSXMMEXCPT */
    if (one.d >> 7 & 1)    cr4 |= bit64(6);              /* MCE: without it a machine check is a silent reset */
    if (one.d >> 13 & 1)   cr4 |= bit64(7);              /* PGE */
    if (one.c >> 26 & 1)   cr4 |= bit64(18);             /* OSXSAVE */
    if (seven.b >> 7 & 1)  cr4 |= bit64(20);             /* SMEP */
    if (seven.b >> 20 & 1) cr4 |= bit64(21);             /* SMAP */
    if (one.d >> 16 & 1)   x86_64_wrmsr(MSR_PAT, PAT_WITH_WC);
    if (seven.c >> 2 & 1)  cr4 |= bit64(11);             /* UMIP */
    X86_64_WRITE_CR(4, cr4);
    X86_64_WRITE_CR(0, bit64(31) | bit64(16) | bit64(5) | bit64(4) | bit64(1) | bit64(0));   /* PG, WP, NE, ET, MP, PE */
    if (cr4 & bit64(18)) {
        uint32_t supported = x86_64_cpuid_if(0xd, 0).a & 7;          /* x87, SSE, AVX */
        __asm__ volatile("xsetbv" : : "a"(supported | 1), "d"(0), "c"(0));
    }
    uint32_t mxcsr = 0x1f80;                              /* all exceptions masked */
    __asm__ volatile("fninit\n\tldmxcsr %0" : : "m"(mxcsr));
}

void x86_64_early(void)
{
    x86_64_load_descriptors(0);
    x86_64_features_on();
}

/* The boot core becomes number 0; a table that does not list it is not believed. */
static void put_self_first(struct x86_64_platform *p, uint32_t own_id)
{
    for (unsigned i = 0; i < p->cpu_count; i++) {
        if (p->cpu_apic_id[i] != own_id) continue;
        for (; i > 0; i--) p->cpu_apic_id[i] = p->cpu_apic_id[i - 1];
        p->cpu_apic_id[0] = own_id;
        return;
    }
    if (p->cpu_count) x86_64_report("firmware's tables do not list the boot core: going on with one");
    p->cpu_count = 1;
    p->cpu_apic_id[0] = own_id;
}

void x86_64_init(const struct x86_64_platform *platform)
{
    struct x86_64_platform *p = &x86_64_platform;
    *p = *platform;
    x86_64_apic_init();
    x86_64_apic_init_cpu();
    x86_64_power_init();
    put_self_first(p, x86_64_cpus[0].apic_id);
    if (!p->trampoline) p->cpu_count = 1;
    for (unsigned i = 1; i < p->cpu_count; i++) {         /* SDM 10.12.9: an xAPIC cannot name it */
        if (p->cpu_apic_id[i] <= 0xfe || x86_64_apic_is_x2()) continue;
        x86_64_report("APIC IDs from %u on need an x2APIC: going on with %u cores", p->cpu_apic_id[i], i);
        p->cpu_count = i;
    }
    x86_64_time_init();
    x86_64_timer_init_cpu();
    x86_64_clock_init();
    __atomic_store_n(&x86_64_cpus[0].is_running, true, __ATOMIC_RELEASE);
    __asm__ volatile("sti" : : : "memory");
}

void arch_kick(unsigned cpu) { x86_64_apic_send_vector(x86_64_cpus[cpu].apic_id, X86_64_VECTOR_KICK); }

/* STI takes effect after the HLT that follows it: nothing comes between the test and the sleep. */
void arch_idle(const uint32_t *attention)
{
    __asm__ volatile("cli" : : : "memory");
    if (__atomic_load_n(attention, __ATOMIC_SEQ_CST)) __asm__ volatile("sti" : : : "memory");
    else __asm__ volatile("sti\n\thlt" : : : "memory");
}

static bool has_rdrand(void) { return x86_64_cpuid(1, 0).c >> 30 & 1; }
static bool has_rdseed(void) { return x86_64_cpuid_if(7, 0).b >> 18 & 1; }

const char *arch_random_name(void) { return has_rdseed() ? "RDSEED" : has_rdrand() ? "RDRAND" : NULL; }

/* RDSEED runs dry when others ask too; RDRAND hardly ever, and is good enough then. */
bool arch_random_u64(uint64_t *out)
{
    uint64_t v;
    bool ok;
    for (unsigned i = 0; i < 100 && has_rdseed(); i++) {
        __asm__ volatile("rdseed %0" : "=r"(v), "=@ccc"(ok));
        if (ok) {
            *out = v;
            return true;
        }
        arch_cpu_relax();
    }
    for (unsigned i = 0; i < 10 && has_rdrand(); i++) {     /* SDM volume 1, 7.3.17.1 */
        __asm__ volatile("rdrand %0" : "=r"(v), "=@ccc"(ok));
        if (ok) {
            *out = v;
            return true;
        }
    }
    return false;
}

/* Why hardware virtualization is there or not: SDM 24.7, APM 15.4. */
static const char *virtualization(void)
{
    if (x86_64_cpuid(1, 0).c >> 5 & 1) {
        uint64_t control = x86_64_rdmsr(MSR_FEATURE_CONTROL);
        return (control & 5) == 1 ? "hardware virtualization off: VMX locked by firmware" : "VMX";
    }
    if (x86_64_cpuid_if(0x80000001, 0).c >> 2 & 1) {
        return x86_64_rdmsr(MSR_VM_CR) & 0x10 ? "hardware virtualization off: SVM disabled by firmware" : "SVM";
    }
    return "hardware virtualization off: this CPU has none";
}

const char *arch_description(char *out, size_t cap_bytes)
{
    char brand[49] = "";
    for (unsigned i = 0; i < 3; i++) {
        struct x86_64_cpuid c = x86_64_cpuid_if(0x80000002 + i, 0);
        memcpy(brand + 16 * i, &c, 16);
    }
    const char *name = brand;
    while (*name == ' ') name++;
    for (size_t n = strlen(name); n && name[n - 1] == ' '; n--) brand[(size_t)(name - brand) + n - 1] = 0;
    uint64_t khz = x86_64_tsc_hz() / 1000;
    hv_snprintf(out, cap_bytes, "x86-64 %s, %u core%s, %s, TSC %u.%02u MHz by %s, %s timer; %s", *name ? name : "CPU without a name",
                arch_cpu_count(), arch_cpu_count() == 1 ? "" : "s", x86_64_apic_is_x2() ? "x2APIC" : "xAPIC", (unsigned)(khz / 1000),
                (unsigned)(khz / 10 % 100), x86_64_tsc_source(), x86_64_timer_is_tsc_deadline() ? "TSC-deadline" : "APIC", virtualization());
    return out;
}
