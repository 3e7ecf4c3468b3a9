// SPDX-License-Identifier: Apache-2.0
/* Round trips out of the guest, in ticks of the counter: with QEMU's -icount shift=4 and its 62.5 MHz one tick is one instruction. */
#include "test/native/arm64/guest.h"

enum { ROUNDS = 1000 };

static uint64_t start;
static void begin(void)                { start = READ(cntvct_el0); }
static void end(const char *what)      { print_number(what, (READ(cntvct_el0) - start) / ROUNDS); }

static void quiet_timer(unsigned intid)
{
    if (intid == 27) WRITE(cntv_ctl_el0, 0);
}

static void trips(void)
{
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) __asm__ volatile("" : : : "memory");
    end("BENCH loop");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) smc_call(0x84000000, 0, 0, 0, false);
    end("BENCH hypercall");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)READ(id_aa64pfr0_el1);
    end("BENCH sysreg");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)get32(UART + 0x18);
    end("BENCH mmio-uart");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)get32(GICD + 8);
    end("BENCH mmio-gicd");
    gic_on();
    gic_enable(1);
    gic_enable(27);
    on_interrupt = quiet_timer;
    interrupts_on();
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t before = interrupts;
        send_sgi_to_self(1);
        while (interrupts == before) __asm__ volatile("" : : : "memory");
    }
    end("BENCH ipi");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t before = interrupts;
        WRITE(cntv_tval_el0, 0);
        WRITE(cntv_ctl_el0, 1);
        while (interrupts == before) __asm__ volatile("" : : : "memory");
    }
    end("BENCH timer");
    interrupts_off();
}

/* Work that needs nobody: with us and without us the same. */
static void work(void)
{
    uint64_t sum = 0;
    begin();
    for (unsigned i = 0; i < 20000000; i++) sum += random_number() >> (i & 31);
    print_number("BENCH work-ticks", READ(cntvct_el0) - start);
    print_number("sum", sum);
}

const struct program bench_programs[] = { { "trips", trips }, { "work", work }, { 0, 0 } };
