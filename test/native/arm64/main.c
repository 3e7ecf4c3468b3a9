// SPDX-License-Identifier: Apache-2.0
/* Console, interrupts and the choice of a program. */
#include "test/native/arm64/guest.h"

volatile uint64_t faults, interrupts, last_intid;
void (*volatile on_interrupt)(unsigned intid);
static unsigned version = 3;
static uint64_t seed = 88172645463325252ull;

void print(const char *text)
{
    for (; *text; text++) put32(UART, (uint8_t)*text);
}

void print_decimal(uint64_t value)
{
    char text[21];
    unsigned n = sizeof text - 1;
    text[n] = 0;
    do text[--n] = (char)('0' + value % 10);
    while ((value /= 10));
    print(text + n);
}

void print_number(const char *what, uint64_t value)
{
    print(what);
    print(" ");
    print_decimal(value);
    print("\n");
}

uint64_t random_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

void fail(const char *what)
{
    print("FAIL: ");
    print(what);
    print("\n");
    power_off();
}

void power_off(void)
{
    smc_call(0x84000008, 0, 0, 0, false);
    for (;;) wait_for_interrupt();
}

/* ---- interrupts ---- */
unsigned gic_version(void) { return version; }

void gic_enable(unsigned intid)
{
    uint64_t base = version == 3 ? GICR + 0x10000 : GICD;
    if (intid < 32) put32(base + 0x100, 1u << intid);
    else put32(GICD + 0x100 + intid / 32 * 4, 1u << intid % 32);
    gic_set_priority(intid, 0x80);
}

void gic_set_priority(unsigned intid, uint8_t priority)
{
    uint64_t base = version == 3 && intid < 32 ? GICR + 0x10000 : GICD;
    *(volatile uint8_t *)(base + 0x400 + intid) = priority;
}

void gic_on(void)
{
    if (version == 3) {
        put32(GICR + 0x14, 0);
        put32(GICR + 0x10080, ~0u);
        put32(GICD, 0x12);
        WRITE(S3_0_C12_C12_5, 7);
        WRITE(S3_0_C4_C6_0, 0xff);
        WRITE(S3_0_C12_C12_7, 1);
    } else {
        put32(GICD, 1);
        put32(GICC + 4, 0xff);
        put32(GICC, 1);
    }
}

void send_sgi_to_self(unsigned sgi)
{
    if (version == 3) WRITE(S3_0_C12_C11_5, 1ull << (READ(mpidr_el1) & 15) | (uint64_t)sgi << 24);
    else put32(GICD + 0xf00, 2u << 24 | sgi);
}

void interrupts_on(void)  { __asm__ volatile("msr daifclr, #2" : : : "memory"); }
void interrupts_off(void) { __asm__ volatile("msr daifset, #2" : : : "memory"); }

void interrupt_exception(void);
void interrupt_exception(void)
{
    uint64_t token = version == 3 ? READ(S3_0_C12_C12_0) : get32(GICC + 0xc);
    unsigned intid = token & 0x3ff;
    if (intid >= 1020) return;
    interrupts++;
    last_intid = intid;
    if (on_interrupt) on_interrupt(intid);
    if (version == 3) WRITE(S3_0_C12_C12_1, token);
    else put32(GICC + 0x10, (uint32_t)token);
}

/* Data aborts and what is undefined: the next instruction. A fetch that failed: back to the caller, whose address is in x30. */
void synchronous_exception(uint64_t *saved);
void synchronous_exception(uint64_t *saved)
{
    uint64_t class = READ(esr_el1) >> 26;
    (void)saved;
    faults++;
    WRITE(elr_el1, READ(elr_el1) + (class == 0x15 ? 0 : 4));
}

/* ---- the command line ---- */

/* "run=" in the device tree's strings: the tree is small, and nobody else writes that word. */
static const char *wanted(const char *dtb)
{
    uint32_t size = __builtin_bswap32(get32((uint64_t)dtb + 4));
    for (uint32_t i = 0; i + 4 < size && i < 0x10000; i++) {
        if (dtb[i] == 'r' && dtb[i + 1] == 'u' && dtb[i + 2] == 'n' && dtb[i + 3] == '=') return dtb + i + 4;
    }
    return "";
}

static bool has_word(const char *dtb, const char *word)
{
    uint32_t size = __builtin_bswap32(get32((uint64_t)dtb + 4));
    for (uint32_t i = 0; i < size && i < 0x10000; i++) {
        uint32_t n = 0;
        while (word[n] && dtb[i + n] == word[n]) n++;
        if (!word[n]) return true;
    }
    return false;
}

static bool is_name(const char *text, const char *name)
{
    while (*name && *text == *name) text++, name++;
    return !*name && (!*text || *text == ' ');
}

static void run(const struct program *p, const char *name)
{
    for (; p->name; p++) {
        if (!is_name(name, p->name)) continue;
        print(p->name);
        print(" begins\n");
        p->run();
        print(p->name);
        print(" OK\n");
        power_off();
    }
}

void guest_main(const char *dtb);
void guest_main(const char *dtb)
{
    const char *name = wanted(dtb);
    if (!has_word(dtb, "arm,gic-v3")) version = 2;
    run(hostile_programs, name);
    run(good_programs, name);
    run(bench_programs, name);
    print("no such program\n");
    power_off();
}
