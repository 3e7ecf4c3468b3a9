// SPDX-License-Identifier: Apache-2.0
/* Local APIC (xAPIC or x2APIC), I/O APICs, and the 8259s that must be silent (SDM 10; 82093AA). A local APIC belongs to
 * its core; the I/O APIC is written by the boot core at boot only. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"

#define MSR_APIC_BASE 0x1bu
#define BASE_ENABLE   (1u << 11)
#define BASE_X2       (1u << 10)

/* Offsets of xAPIC registers; as x2APIC MSRs they are 0x800 + offset / 16. */
enum { ID = 0x20, TPR = 0x80, EOI = 0xb0, SVR = 0xf0, ESR = 0x280, ICR_LOW = 0x300, ICR_HIGH = 0x310, LVT_TIMER = 0x320,
       LVT_LINT0 = 0x350, LVT_LINT1 = 0x360, LVT_ERROR = 0x370, TIMER_INITIAL = 0x380, TIMER_CURRENT = 0x390, TIMER_DIVIDE = 0x3e0 };
#define LVT_MASKED       (1u << 16)
#define LVT_TSC_DEADLINE (2u << 17)
#define ICR_PENDING      (1u << 12)
#define ICR_ASSERT       (1u << 14)
#define ICR_LEVEL        (1u << 15)
enum { DELIVER_FIXED = 0 << 8, DELIVER_NMI = 4 << 8, DELIVER_INIT = 5 << 8, DELIVER_SIPI = 6 << 8 };

static bool is_x2;
static uint64_t mmio;

static uint32_t apic_read(unsigned reg)
{
    return is_x2 ? (uint32_t)x86_64_rdmsr(0x800 + reg / 16) : *(volatile uint32_t *)(mmio + reg);
}

static void apic_write(unsigned reg, uint32_t v)
{
    if (is_x2) x86_64_wrmsr(0x800 + reg / 16, v);
    else *(volatile uint32_t *)(mmio + reg) = v;
}

bool x86_64_apic_is_x2(void)     { return is_x2; }
void x86_64_apic_eoi(void)       { apic_write(EOI, 0); }

uint32_t x86_64_apic_own_id(void) { return is_x2 ? apic_read(ID) : apic_read(ID) >> 24; }

/* 8259A: both to vectors of their own, then everything masked; a spurious one may still come. */
static void silence_8259(void)
{
    static const struct { uint8_t port, value; } step[] = {
        { 0x20, 0x11 }, { 0xa0, 0x11 }, { 0x21, X86_64_VECTOR_LEGACY }, { 0xa1, X86_64_VECTOR_LEGACY + 8 },
        { 0x21, 4 },    { 0xa1, 2 },    { 0x21, 1 },    { 0xa1, 1 },    { 0x21, 0xff }, { 0xa1, 0xff },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(step); i++) x86_64_out8(step[i].port, step[i].value);
}

void x86_64_apic_init(void)
{
    uint64_t base = x86_64_rdmsr(MSR_APIC_BASE);
    silence_8259();
    is_x2 = base & BASE_X2 || x86_64_cpuid(1, 0).c >> 21 & 1;
    mmio = base & 0x000ffffffffff000ull;
    if (!is_x2) x86_64_map(mmio, HV_PAGE_BYTES, X86_64_DEVICE);
    for (unsigned i = 0; i < x86_64_platform.ioapic_count; i++) x86_64_map(x86_64_platform.ioapic[i].base, HV_PAGE_BYTES, X86_64_DEVICE);
}

void x86_64_apic_init_cpu(void)
{
    uint64_t base = x86_64_rdmsr(MSR_APIC_BASE);
    if (!(base & BASE_ENABLE)) x86_64_wrmsr(MSR_APIC_BASE, base |= BASE_ENABLE);
    if (is_x2 && !(base & BASE_X2)) x86_64_wrmsr(MSR_APIC_BASE, base | BASE_X2);    /* SDM 10.12.5: xAPIC first */
    apic_write(TPR, 0);
    apic_write(LVT_TIMER, LVT_MASKED);
    apic_write(LVT_LINT0, LVT_MASKED);
    apic_write(LVT_LINT1, DELIVER_NMI);
    apic_write(LVT_ERROR, X86_64_VECTOR_APIC_ERROR);
    apic_write(ESR, 0);
    apic_write(SVR, 1u << 8 | X86_64_VECTOR_SPURIOUS);
    apic_write(EOI, 0);
    x86_64_self()->apic_id = x86_64_apic_own_id();
}

/* Two writes on an xAPIC, so with interrupts held off: an interrupt's handler may send too. */
static void send(uint32_t apic_id, uint32_t command)
{
    if (is_x2) {
        __asm__ volatile("mfence\n\tlfence" : : : "memory");       /* SDM 10.12.3: the write does not serialise */
        x86_64_wrmsr(0x800 + ICR_LOW / 16, (uint64_t)apic_id << 32 | command);
        return;
    }
    uint64_t flags = x86_64_irq_save();
    for (unsigned i = 0; i < 1000000 && apic_read(ICR_LOW) & ICR_PENDING; i++) arch_cpu_relax();
    apic_write(ICR_HIGH, apic_id << 24);
    apic_write(ICR_LOW, command);
    x86_64_irq_restore(flags);
}

void x86_64_apic_send_vector(uint32_t apic_id, unsigned vector) { send(apic_id, DELIVER_FIXED | ICR_ASSERT | vector); }
void x86_64_apic_send_nmi(uint32_t apic_id)                     { send(apic_id, DELIVER_NMI | ICR_ASSERT); }
void x86_64_apic_send_sipi(uint32_t apic_id, uint64_t page)     { send(apic_id, DELIVER_SIPI | ICR_ASSERT | (uint32_t)(page >> 12)); }
void x86_64_apic_send_init(uint32_t apic_id)
{
    send(apic_id, DELIVER_INIT | ICR_LEVEL | ICR_ASSERT);
    send(apic_id, DELIVER_INIT | ICR_LEVEL);              /* de-assert: for the oldest; newer ones ignore it */
}

void x86_64_apic_timer_mode(bool tsc_deadline)
{
    apic_write(TIMER_DIVIDE, 0xb);                        /* by 1 */
    apic_write(LVT_TIMER, X86_64_VECTOR_TIMER | (tsc_deadline ? LVT_TSC_DEADLINE : 0));
    __asm__ volatile("mfence" : : : "memory");            /* SDM 10.5.4.1: before the first write of the deadline */
}
void     x86_64_apic_timer_start(uint32_t ticks) { apic_write(TIMER_INITIAL, ticks); }
uint32_t x86_64_apic_timer_left(void)            { return apic_read(TIMER_CURRENT); }

/* Device interrupts, connected at boot: vector X86_64_VECTOR_DEVICE + n is line n. Devices that share a level line share
 * its vector. */
#define NO_GSI ~0u                                        /* the vector of a message */
static struct { uint32_t gsi; unsigned line; void (*quiet)(void *arg); void *arg; } device[32];
static unsigned device_count, line_count;

static uint32_t ioapic_read(uint64_t base, unsigned reg)
{
    *(volatile uint32_t *)base = reg;
    return *(volatile uint32_t *)(base + 0x10);
}

static void ioapic_write(uint64_t base, unsigned reg, uint32_t v)
{
    *(volatile uint32_t *)base = reg;
    *(volatile uint32_t *)(base + 0x10) = v;
}

/* The line's number, or -1: there are too many. */
static int connect(uint32_t gsi, void (*quiet)(void *arg), void *arg)
{
    if (device_count == ARRAY_COUNT(device)) return -1;
    unsigned line = line_count;
    for (unsigned i = 0; gsi != NO_GSI && i < device_count; i++) {
        if (device[i].gsi == gsi) line = device[i].line;
    }
    if (line == line_count) line_count++;
    device[device_count].gsi = gsi;
    device[device_count].line = line;
    device[device_count].quiet = quiet;
    device[device_count].arg = arg;
    __atomic_store_n(&device_count, device_count + 1, __ATOMIC_RELEASE);   /* its interrupts come to this core only */
    return (int)line;
}

bool arch_irq_connect(const struct arch_line *l, void (*quiet)(void *arg), void *arg)
{
    const struct x86_64_platform *p = &x86_64_platform;
    for (unsigned i = 0; i < p->ioapic_count; i++) {
        uint64_t base = p->ioapic[i].base;
        unsigned pins = (unsigned)bits64(ioapic_read(base, 1), 23, 16) + 1;
        if (l->number < p->ioapic[i].first_gsi || l->number - p->ioapic[i].first_gsi >= pins) continue;
        uint32_t id = x86_64_cpus[0].apic_id;
        if (id > 0xff) return false;                      /* would need interrupt remapping */
        int line = connect(l->number, quiet, arg);
        if (line < 0) return false;
        unsigned pin = l->number - p->ioapic[i].first_gsi;
        ioapic_write(base, 0x11 + 2 * pin, id << 24);
        ioapic_write(base, 0x10 + 2 * pin, (X86_64_VECTOR_DEVICE + (unsigned)line) | (l->is_low ? 1u << 13 : 0) | (l->is_level ? 1u << 15 : 0));
        return true;
    }
    return false;
}

bool x86_64_irq_connect(unsigned isa_irq, void (*quiet)(void *arg), void *arg)
{
    const struct x86_64_platform *p = &x86_64_platform;
    if (isa_irq >= ARRAY_COUNT(p->isa_irq)) return false;
    struct arch_line l = { p->isa_irq[isa_irq].gsi, p->isa_irq[isa_irq].is_level, p->isa_irq[isa_irq].is_low };
    return arch_irq_connect(&l, quiet, arg);
}

/* SDM 11.11: fixed delivery to one local APIC, edge. */
bool arch_msi_connect(void (*quiet)(void *arg), void *arg, uint64_t *address, uint32_t *data)
{
    uint32_t id = x86_64_cpus[0].apic_id;
    int line = id > 0xff ? -1 : connect(NO_GSI, quiet, arg);
    if (line < 0) return false;
    *address = 0xfee00000u | id << 12;
    *data = X86_64_VECTOR_DEVICE + (unsigned)line;
    return true;
}

void x86_64_device_interrupt(unsigned vector)
{
    unsigned line = vector - X86_64_VECTOR_DEVICE, count = __atomic_load_n(&device_count, __ATOMIC_ACQUIRE);
    uint32_t gsi = NO_GSI;
    bool is_ours = false;
    for (unsigned i = 0; i < count; i++) {
        if (device[i].line != line) continue;
        device[i].quiet(device[i].arg);
        gsi = device[i].gsi;
        is_ours = true;
    }
    x86_64_apic_eoi();
    if (is_ours) x86_64_upcall(ARCH_IRQ_DEVICE, gsi);
}
