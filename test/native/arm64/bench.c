// SPDX-License-Identifier: Apache-2.0
/* Round trips out of the guest and work within it, in ticks of the counter: with QEMU's -icount shift=4 and its 62.5 MHz one tick is
 * one instruction. */
#include "test/native/arm64/guest.h"

enum { ROUNDS = 1000 };

static uint64_t start;
static void begin(void) { start = READ(cntvct_el0); }
static void end(const char *what)
{
    uint64_t count = (READ(cntvct_el0) - start) / ROUNDS;
    print("trip ");
    print(what);
    print(" ");
    print_decimal(count);
    print(" instructions\n");
}

static void quiet_timer(unsigned intid)
{
    if (intid == 27) WRITE(cntv_ctl_el0, 0);
}

static void trips(void)
{
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) smc_call(0x84000000, 0, 0, 0, false);
    end("hypercall");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)READ(id_aa64pfr0_el1);
    end("sysreg");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)get32(UART + 0x18);
    end("mmio-uart");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)get32(GICD + 8);
    end("mmio-gicd");
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
    end("ipi");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t before = interrupts;
        WRITE(cntv_tval_el0, 0);
        WRITE(cntv_ctl_el0, 1);
        while (interrupts == before) __asm__ volatile("" : : : "memory");
    }
    end("timer");
    interrupts_off();
}

/* Work that needs nobody, with us and without us the same: arithmetic, and a walk over more pages than a TLB has places for. */
enum { ARITHMETIC = 20000000, WALKS = 3000000, MEMORY = RAM + (16 << 20), WORDS = 4 << 20 };

static void work(void)
{
    uint64_t *memory = (uint64_t *)MEMORY, sum = 0;
    for (unsigned i = 0; i < WORDS; i++) memory[i] = i;
    print("START\n");
    begin();
    for (unsigned i = 0; i < ARITHMETIC; i++) sum += random_number() >> (i & 31);
    for (unsigned i = 0; i < WALKS; i++) {
        uint64_t at = random_number() % WORDS;
        memory[at] += i;
        sum ^= memory[(at + WORDS / 2) % WORDS];
    }
    uint64_t count = READ(cntvct_el0) - start;
    print("END ");
    print_decimal(sum);
    print("\nwork took ");
    print_decimal(count);
    print(" instructions\n");
}

const struct program bench_programs[] = { { "trips", trips }, { "work", work }, { 0, 0 } };
