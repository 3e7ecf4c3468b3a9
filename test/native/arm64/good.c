// SPDX-License-Identifier: Apache-2.0
/* What real-time systems do and Linux does not: the physical timer by its own counter, WFE, interrupts that nest deeper than there
 * are list registers, ends apart from priority drops and in any order. A program that comes back has seen what it should. */
#include "test/native/arm64/guest.h"

static volatile bool is_due;

static void ptimer(unsigned intid)
{
    if (intid != 30) return;
    WRITE(cntp_ctl_el0, 0);
    is_due = true;
}

static void timers(void)
{
    uint64_t hz = READ(cntfrq_el0), slack = hz / 1000;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t before = READ(cntvct_el0), physical = READ(cntpct_el0), after = READ(cntvct_el0);
        if (before > physical + slack || physical > after + slack) fail("the two counters differ");
    }
    gic_on();
    gic_enable(30);
    on_interrupt = ptimer;
    interrupts_on();
    for (unsigned i = 0; i < 20; i++) {
        uint64_t at = READ(cntpct_el0) + hz / 500;
        is_due = false;
        if (i & 1) WRITE(cntp_tval_el0, hz / 500);
        else WRITE(cntp_cval_el0, at);
        WRITE(cntp_ctl_el0, 1);
        while (!is_due) wait_for_interrupt();
        if (READ(cntpct_el0) + slack < at) fail("the physical timer came early");
    }
    interrupts_off();
    uint64_t before = interrupts;
    WRITE(cntp_tval_el0, hz / 500);
    WRITE(cntp_ctl_el0, 1);
    while (!(READ(cntp_ctl_el0) & 4)) wait_for_interrupt();                /* wakes, and is not taken */
    if (interrupts != before) fail("an interrupt while they were masked");
    WRITE(cntp_ctl_el0, 3);
    interrupts_on();
    if (interrupts != before) fail("an interrupt of a masked timer");
    interrupts_off();
    for (unsigned i = 0; i < 1000; i++) __asm__ volatile("sev\n\twfe\n\tsevl\n\twfe" : : : "memory");
}

/* ---- each interrupt is interrupted by the next ---- */
enum { LEVELS = 8 };
static volatile unsigned depth, deepest, ended;

static void nest(unsigned intid)
{
    uint64_t elr = READ(elr_el1), spsr = READ(spsr_el1);
    if (++depth > deepest) deepest = depth;
    if (intid + 1 < LEVELS) send_sgi_to_self(intid + 1);
    interrupts_on();
    while (ended < LEVELS - 1 - intid) __asm__ volatile("" : : : "memory");
    interrupts_off();
    WRITE(elr_el1, elr);
    WRITE(spsr_el1, spsr);
    depth--;
    ended++;
}

static void nested(void)
{
    gic_on();
    for (unsigned i = 0; i < LEVELS; i++) {
        gic_enable(i);
        gic_set_priority(i, (uint8_t)(0xe0 - 0x18 * i));
    }
    on_interrupt = nest;
    for (unsigned round = 0; round < 50; round++) {
        deepest = ended = 0;
        interrupts_on();
        send_sgi_to_self(0);
        while (ended < LEVELS) __asm__ volatile("" : : : "memory");
        interrupts_off();
        if (deepest != LEVELS) fail("they did not nest");
    }
}

/* ---- EOI drops the priority, DIR ends; in an order that nobody expects ---- */
static volatile unsigned taken;

static void take(unsigned intid) { taken |= 1u << intid; }

static void end_apart(unsigned intid)
{
    if (gic_version() == 3) WRITE(S3_0_C12_C11_1, intid);
    else put32(GICC + 0x1000, intid);
}

static void apart(void)
{
    gic_on();
    if (gic_version() == 3) WRITE(S3_0_C12_C12_4, READ(S3_0_C12_C12_4) | 2);
    else put32(GICC, 1 | 1 << 9);
    for (unsigned i = 0; i < LEVELS; i++) gic_enable(i);
    on_interrupt = take;
    interrupts_on();
    for (unsigned round = 0; round < 50; round++) {
        taken = 0;
        for (unsigned i = 0; i < LEVELS; i++) send_sgi_to_self(i);
        while (taken != (1u << LEVELS) - 1) __asm__ volatile("" : : : "memory");
        for (unsigned i = 0; i < LEVELS; i++) end_apart(round & 1 ? LEVELS - 1 - i : i * 3 % LEVELS);
    }
}

const struct program good_programs[] = { { "timers", timers }, { "nested", nested }, { "apart", apart }, { 0, 0 } };
