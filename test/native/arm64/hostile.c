// SPDX-License-Identifier: Apache-2.0
/* What a guest must not do. A program that comes back has met its end; the others go on until they are stopped. */
#include "test/native/arm64/guest.h"

static void for_ever(void)
{
    for (;;) __asm__ volatile("" : : : "memory");
}

static void spin(void)                                    /* with interrupts off: nobody but a host's timer gets through */
{
    interrupts_off();
    for_ever();
}

static void sleep(void)                                   /* nothing is there to wake it */
{
    for (;;) wait_for_interrupt();
}

static void calls(void)
{
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t function = i % 3 ? random_number() : 0x84000000u + random_number() % 64;
        if ((uint32_t)(function & ~0x40000000u) == 0x84000008 || (uint32_t)(function & ~0x40000000u) == 0x84000009) continue;   /* not yet */
        if ((uint32_t)(function & ~0x40000000u) == 0x84000012 || (uint32_t)(function & ~0x40000000u) == 0x84000002) continue;
        if ((uint32_t)(function & ~0x40000000u) == 0x84000001) continue;                                                 /* it would sleep */
        smc_call(function, random_number(), random_number(), random_number(), i & 1);
    }
}

static void wild_memory(void)                             /* of all that 40 bits can say */
{
    uint64_t before = faults;
    for (unsigned i = 0; i < 4000; i++) {
        uint64_t at = random_number() & (i & 1 ? 0xffffffff8ull : 0xfffffffff8ull);
        if (at - RAM < 0x10000000) continue;
        if (i & 2) *(volatile uint64_t *)at = i;
        else (void)*(volatile uint64_t *)at;
    }
    print_number("aborts", faults - before);
}

static void wild_jumps(void)
{
    /* The abort's address is the target: the handler comes back 4 bytes further, where it faults again. */
    WRITE(vbar_el1, 0x7f00000000ull);
    ((void (*)(void))0x7e00000000ull)();
}

static void undefined(void)
{
    uint64_t before = faults;
    for (unsigned i = 0; i < 1000; i++) {
        __asm__ volatile("udf #0");
        __asm__ volatile("mrs xzr, S3_4_C1_C1_0");        /* HCR_EL2 */
        __asm__ volatile("msr S3_6_C1_C1_0, xzr");        /* SCR_EL3 */
        __asm__ volatile("mrs xzr, S3_0_C11_C2_7");
        __asm__ volatile("msr S3_1_C15_C7_3, xzr");
        (void)READ(id_aa64pfr0_el1);
        (void)READ(S3_0_C0_C7_7);
        WRITE(actlr_el1, random_number());
        WRITE(mdscr_el1, random_number());
        WRITE(cntp_cval_el0, random_number());
        WRITE(cntp_ctl_el0, random_number());
        __asm__ volatile("dc cisw, %0" : : "r"(random_number()));
    }
    print_number("undefined", faults - before);
}

static void gic_registers(void)
{
    gic_on();
    interrupts_on();
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t at = (random_number() & 1 ? GICD : gic_version() == 3 ? GICR : GICC) + (random_number() & 0x1fffc);
        if (gic_version() == 2) at &= ~0x1f000ull;
        switch (random_number() & 7) {
        case 0: *(volatile uint8_t *)(at + (random_number() & 3)) = (uint8_t)random_number(); break;
        case 1: *(volatile uint16_t *)at = (uint16_t)random_number(); break;
        case 2: *(volatile uint64_t *)(at & ~7ull) = random_number(); break;
        case 3: (void)*(volatile uint64_t *)(at & ~7ull); break;
        case 4: (void)*(volatile uint8_t *)at; break;
        case 5: (void)get32(at); break;
        default: put32(at, (uint32_t)random_number()); break;
        }
    }
    interrupts_off();
}

static void sgi_storm(void)
{
    gic_on();
    for (unsigned sgi = 0; sgi < 16; sgi++) gic_enable(sgi);
    interrupts_on();
    for (unsigned i = 0; i < 20000; i++) send_sgi_to_self(i & 15);
    interrupts_off();
    print_number("interrupts", interrupts > 1000);
}

static void again(unsigned intid) { send_sgi_to_self(intid); }

static void sgi_loop(void)                                /* each handler asks for the next: nothing else ever runs */
{
    gic_on();
    gic_enable(1);
    on_interrupt = again;
    interrupts_on();
    send_sgi_to_self(1);
    for_ever();
}

static void call_storm(void)                              /* nothing but hypercalls, interrupts off */
{
    interrupts_off();
    for (;;) smc_call(0x84000000, 0, 0, 0, false);
}

static void nothing_done(unsigned intid) { (void)intid; }

static void device_storm(void)                            /* a device's level that nobody lowers: the PL011 can always send */
{
    gic_on();
    gic_enable(33);
    if (gic_version() == 3) *(volatile uint64_t *)(GICD + 0x6000 + 8 * 33) = 0;
    on_interrupt = nothing_done;
    put32(UART + 0x30, 0x301);
    put32(UART + 0x38, 1 << 5);
    put32(UART, '\n');
    interrupts_on();
    for_ever();
}

static void timer_always_due(void)                        /* its level never falls */
{
    gic_on();
    gic_enable(27);
    WRITE(cntv_cval_el0, 0);
    WRITE(cntv_ctl_el0, 1);
    interrupts_on();
    for_ever();
}

static void quiet_timer(unsigned intid)
{
    if (intid == 27) WRITE(cntv_ctl_el0, 0);
}

static void timer_storm(void)
{
    on_interrupt = quiet_timer;
    gic_on();
    gic_enable(27);
    interrupts_on();
    while (interrupts < 1500) {
        uint64_t before = interrupts;
        WRITE(cntv_tval_el0, random_number() & 0xff);
        WRITE(cntv_ctl_el0, 1);
        while (interrupts == before) __asm__ volatile("" : : : "memory");
    }
    interrupts_off();
}

static void reset_storm(void) { smc_call(0x84000009, 0, 0, 0, false); }

static uint64_t table[512] __attribute__((aligned(4096)));

static void own_tables(uint64_t base)
{
    WRITE(mair_el1, 0xff);
    WRITE(tcr_el1, 16 | 1ull << 23);
    WRITE(ttbr0_el1, base);
    WRITE(vbar_el1, 0);
    WRITE(sctlr_el1, READ(sctlr_el1) | 1);                /* what comes next is fetched through them */
    for_ever();
}

static void tables_in_themselves(void)
{
    for (unsigned i = 0; i < 512; i++) table[i] = (uint64_t)table | 3;
    own_tables((uint64_t)table);
}

static void tables_in_devices(void) { own_tables(GICD); }
static void tables_nowhere(void)    { own_tables(0x7000000000ull); }

static void odd_accesses(void)                            /* every device, every width, also those the CPU does not describe */
{
    static const uint64_t base[] = { UART, 0x09010000, VIRTIO, VIRTIO + 0xc00, VIRTIO + 0xe00, GICD, 0x00000000, 0x04000000 };
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t at = base[random_number() % 8] + (random_number() & 0xff8), other;
        if (at < UART + 8 && at >= UART) continue;        /* not onto the console */
        switch (random_number() % 8) {
        case 0: __asm__ volatile("ldp %0, %1, [%2]" : "=r"(other), "=r"(other) : "r"(at) : "memory"); break;
        case 1: __asm__ volatile("stp xzr, xzr, [%0]" : : "r"(at) : "memory"); break;
        case 2: __asm__ volatile("ldr %w0, [%1], #4" : "=&r"(other), "+r"(at) : : "memory"); break;
        case 3: __asm__ volatile("str wzr, [%0, #8]!" : "+r"(at) : : "memory"); break;
        case 4: __asm__ volatile("ldrsb %0, [%1]" : "=r"(other) : "r"(at + 1) : "memory"); break;
        case 5: __asm__ volatile("ldr q0, [%0]" : : "r"(at) : "memory", "v0"); break;
        case 6: __asm__ volatile("ldxr %0, [%1]" : "=r"(other) : "r"(at) : "memory"); break;
        default: __asm__ volatile("dc civac, %0" : : "r"(at) : "memory"); break;
        }
    }
}

/* The legacy-free virtio-mmio registers: queues wherever nobody has memory. */
static void rings(void)
{
    for (unsigned i = 0; i < 2000; i++) {
        uint64_t dev = VIRTIO + (uint64_t[]){ 0, 0xc00, 0xe00 }[i % 3];
        put32(dev + 0x70, 0);
        put32(dev + 0x70, 3);
        put32(dev + 0x24, 1);
        put32(dev + 0x20, 1);
        put32(dev + 0x70, 11);
        put32(dev + 0x30, i & 1);
        put32(dev + 0x38, 1u << random_number() % 9);
        for (unsigned r = 0x80; r <= 0xa4; r += 4) put32(dev + r, (uint32_t)random_number() & (i & 4 ? ~0u : 0x400fffffu));
        put32(dev + 0x44, 1);
        put32(dev + 0x70, 15);
        put32(dev + 0x50, i & 1);
    }
}

static uint8_t stacks[8][4096] __attribute__((aligned(16)));
static volatile uint32_t arrived;

void secondary_main(void);
void secondary_main(void)
{
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    smc_call(0x84000002, 0, 0, 0, false);                 /* off again */
    for (;;) wait_for_interrupt();
}

static void cores(void)                                   /* on and off, and starts that cannot be */
{
    for (unsigned i = 0; i < 400; i++) {
        uint64_t which = random_number() & 7, wild = random_number() & 15;
        smc_call(0xc4000003, wild ? which : random_number(), wild == 1 ? random_number() : (uint64_t)secondary_entry, (uint64_t)stacks[which & 7] + 4096, false);
        smc_call(0xc4000004, which, random_number() & 3, 0, false);
    }
    print_number("cores came up", arrived != 0);
}

const struct program hostile_programs[] = {
    { "spin", spin }, { "sleep", sleep }, { "calls", calls }, { "wild-memory", wild_memory }, { "wild-jumps", wild_jumps }, { "undefined", undefined },
    { "gic-registers", gic_registers }, { "sgi-storm", sgi_storm }, { "sgi-loop", sgi_loop }, { "timer-always-due", timer_always_due },
    { "timer-storm", timer_storm }, { "reset-storm", reset_storm }, { "tables-in-themselves", tables_in_themselves },
    { "tables-in-devices", tables_in_devices }, { "tables-nowhere", tables_nowhere }, { "odd-accesses", odd_accesses }, { "rings", rings },
    { "cores", cores }, { "call-storm", call_storm }, { "device-storm", device_storm }, { 0, 0 },
};
