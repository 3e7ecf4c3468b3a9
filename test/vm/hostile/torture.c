// SPDX-License-Identifier: Apache-2.0
/* Part after part, chosen at random, each ended by a reset: its own, or the operator's where a part has no end. torture:1 is
 * another choice each time; the number that a part is told with does the same again (torture:NUMBER). */
#include "hostile.h"

#define RTC 0x00101000ull

/* Timers in the past, and a flood of interrupts to itself and the other hart. */
static void interrupts(uint64_t hart)
{
    csr_set("mstatus", 8);
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t r = random_u64();
        csr_write("mie", 0x88);                             /* each interrupt switches them off: else there were no end */
        store(CLINT + 4 * (r & 3), 2, r >> 8 & 1);
        if (r & 0x100000) store(CLINT + 0x4000 + 8 * (r & 1), 3, r >> 40 & 1 ? 0 : r);
        if ((r & 0xff00) == 0) store(CLINT + 4 * hart, 2, 1), store(CLINT + 0x4000 + 8 * hart, 3, 0);
    }
}

/* Atomics of every size at every place: misaligned, across pages, in devices and beyond RAM. */
static void atomics(uint64_t hart)
{
    static const uint64_t places[] = { RAM + 0x500000, RAM + 0x500ffc, RAM + RAM_BYTES - 4, RAM + RAM_BYTES, UART, CLINT, PLIC, VIRTIO, 0, ~0ull - 3 };
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t r = random_u64(), at = places[r % (sizeof places / sizeof *places)] + (r >> 32 & 7);
        switch (r >> 60 & 3) {
        case 0: __asm__ volatile("lr.w t0, (%0); sc.w t0, t0, (%0)" ::"r"(at) : "t0", "t5", "t6", "memory"); break;
        case 1: __asm__ volatile("lr.d t0, (%0); sc.d t0, t0, (%0)" ::"r"(at) : "t0", "t5", "t6", "memory"); break;
        case 2: __asm__ volatile("amomaxu.w t0, %1, (%0)" ::"r"(at), "r"(r) : "t0", "t5", "t6", "memory"); break;
        default: __asm__ volatile("amoswap.d t0, %1, (%0)" ::"r"(at), "r"(r) : "t0", "t5", "t6", "memory"); break;
        }
    }
    (void)hart;
}

static const struct { const char *name; program *run; } parts[] = {
    { "csrs", all_csrs },   { "page-tables", page_tables }, { "jumps", jumps_to_devices }, { "mmio", mmio_storm },
    { "rings", ring_garbage }, { "rewritten", rewritten_code }, { "unfenced", rewritten_unfenced }, { "interrupts", interrupts },
    { "atomics", atomics }, { "sleep", sleep_for_ever },    { "ipi-storm", ipi_storm },    { "timer-past", timer_past },
    { "pmp", pmp_games },
};
enum { PARTS = sizeof parts / sizeof *parts };

static void print_number(uint64_t n)
{
    char text[24], *at = text + sizeof text;
    *--at = 0, *--at = '\n';
    do *--at = (char)('0' + n % 10); while (n /= 10);
    *--at = ' ';
    print(at);
}

static volatile uint32_t chosen;                            /* part + 1; loaded anew by each reset */

void torture(uint64_t hart)
{
    if (hart == 0) {
        /* The clock goes on over resets, whatever a part has made of it. */
        uint64_t number = seed != 1 ? seed : *(volatile uint32_t *)RTC * 0x9e3779b97f4a7c15u + csr_read("mcycle");
        reseed(number);
        uint32_t part = (uint32_t)(random_u64() % PARTS);
        print("torture: ");
        print(parts[part].name);
        print_number(number);
        __atomic_store_n(&chosen, part + 1, __ATOMIC_RELEASE);
    }
    uint32_t part;
    while (!(part = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE))) {}
    if (part <= PARTS) parts[part - 1].run(hart);
    if (hart == 0) finish(0x7777);
    for (;;) __asm__ volatile("wfi");
}
