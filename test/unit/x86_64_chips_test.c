// SPDX-License-Identifier: Apache-2.0
/* The PC's interrupt chips and timers, before a clock that the test moves: local APIC, I/O APIC, 8259, 8254, CMOS clock; and the
 * debug console. */
#include "drivers/virt/cmos.h"
#include "drivers/virt/debugcon.h"
#include "drivers/virt/i8254.h"
#include "drivers/virt/i8259.h"
#include "drivers/virt/ioapic.h"
#include "test/unit/chip.h"

#define CPUS 4u
static struct mmio_region r[4];
static struct wire news[CPUS], nmi[CPUS], out;
static uint64_t now;
static struct { unsigned count, cpu, page; bool is_init; } start;
static struct { unsigned count; uint8_t vector; } ended;
static void *lapic, *ioapic;

static uint64_t now_ns(void *ctx)                       { (void)ctx; return now; }
static uint64_t deadline_ns(void *ctx, uint64_t ns)     { (void)ctx; return ns > 1ull << 60 ? UINT64_MAX : 1; }
static void start_cpu(void *ctx, unsigned cpu, bool is_init, unsigned page)
{
    (void)ctx;
    start.count++;
    start.cpu = cpu;
    start.is_init = is_init;
    start.page = page;
}
static void end_of_interrupt(void *ctx, uint8_t vector)
{
    (void)ctx;
    ended.count++;
    ended.vector = vector;
    if (ioapic) ioapic_end(ioapic, vector);
}
static void send(void *ctx, const struct lapic_message *m) { (void)ctx; lapic_send(lapic, m); }

static void begin(void)
{
    struct irq_line a[CPUS], b[CPUS];
    chip_pages();
    memset(news, 0, sizeof news);
    memset(nmi, 0, sizeof nmi);
    memset(&out, 0, sizeof out);
    memset(&start, 0, sizeof start);
    memset(&ended, 0, sizeof ended);
    now = 1000000;
    for (unsigned i = 0; i < CPUS; i++) a[i] = wire_line(&news[i]), b[i] = wire_line(&nmi[i]);
    const struct lapic_config c = { .count = CPUS, .now_ns = now_ns, .deadline_ns = deadline_ns, .timer_hz = 1000000000, .tsc_hz = 2000000000,
                                    .news = a, .nmi = b, .start = start_cpu, .end_of_interrupt = end_of_interrupt };
    CHECK(!vm_failed(lapic_create(&c, &r[0])));
    lapic = r[0].dev;
    ioapic = NULL;
    for (unsigned i = 0; i < CPUS; i++) lapic_write(lapic, i, 0xf0, 0x1ff);
}
static void finish(void)
{
    if (ioapic) r[1].ops->destroy(ioapic);
    r[0].ops->destroy(lapic);
}

#define GET(cpu, at)    lapic_read(lapic, cpu, at)
#define PUT(cpu, at, v) lapic_write(lapic, cpu, at, v)

TEST(lapic_delivers_by_priority_and_ends_in_order)
{
    begin();
    PUT(0, 0x300, 0x40 | 1 << 18);                          /* to itself */
    PUT(0, 0x300, 0x81 | 1 << 18);
    CHECK(lapic_next(lapic, 0, NULL) == 0x81 && news[0].level);
    lapic_accept(lapic, 0, 0x81);
    CHECK(lapic_next(lapic, 0, NULL) == -1 && GET(0, 0xa0) == 0x80);
    PUT(0, 0x300, 0x92 | 1 << 18);
    CHECK(lapic_next(lapic, 0, NULL) == 0x92);              /* a higher class goes between */
    lapic_accept(lapic, 0, 0x92);
    PUT(0, 0xb0, 0);
    CHECK(GET(0, 0xa0) == 0x80);
    PUT(0, 0xb0, 0);
    CHECK(lapic_next(lapic, 0, NULL) == 0x40 && !ended.count);
    finish();
}

TEST(lapic_tpr_and_cr8_hold_back)
{
    bool blocked;
    begin();
    PUT(0, 0x300, 0x40 | 1 << 18);
    lapic_set_cr8(lapic, 0, 4);
    CHECK(lapic_next(lapic, 0, &blocked) == -1 && blocked && GET(0, 0x80) == 0x40);
    PUT(0, 0x80, 0x3f);
    CHECK(lapic_next(lapic, 0, &blocked) == 0x40 && !blocked && lapic_cr8(lapic, 0) == 3);
    finish();
}

TEST(lapic_addresses_reach_whom_they_name)
{
    begin();
    PUT(0, 0x310, 2u << 24);
    PUT(0, 0x300, 0x50);
    CHECK(lapic_next(lapic, 2, NULL) == 0x50 && lapic_next(lapic, 1, NULL) == -1);
    PUT(0, 0x300, 0x51 | 3 << 18);                          /* all others */
    CHECK(lapic_next(lapic, 1, NULL) == 0x51 && lapic_next(lapic, 3, NULL) == 0x51 && lapic_next(lapic, 0, NULL) == -1);
    for (unsigned i = 0; i < CPUS; i++) PUT(i, 0xd0, 1u << (24 + i));
    PUT(0, 0x310, 9u << 24);
    PUT(0, 0x300, 0x60 | 1 << 11);                          /* logical, flat: 0 and 3 */
    CHECK(lapic_next(lapic, 0, NULL) == 0x60 && lapic_next(lapic, 3, NULL) == 0x60 && lapic_next(lapic, 2, NULL) == 0x51);
    PUT(0, 0x310, 1u << 24);
    PUT(0, 0x300, 4 << 8);
    CHECK(nmi[1].level && !nmi[0].level);
    PUT(0, 0x300, 0x05);                                    /* an illegal vector */
    PUT(0, 0x280, 0);
    CHECK(GET(0, 0x280) & 1 << 5);
    finish();
}

TEST(lapic_init_and_start_up_are_told)
{
    begin();
    PUT(0, 0x310, 3u << 24);
    PUT(0, 0x300, 5 << 8 | 1 << 14);
    CHECK(start.count == 1 && start.is_init && start.cpu == 3);
    PUT(0, 0x300, 5 << 8 | 1 << 15);                        /* the old de-assert */
    CHECK(start.count == 1);
    PUT(0, 0x300, 6 << 8 | 0x9a);
    CHECK(start.count == 2 && !start.is_init && start.page == 0x9a);
    finish();
}

TEST(lapic_timer_one_shot_periodic_and_by_the_tsc)
{
    begin();
    PUT(0, 0x3e0, 0xb);
    PUT(0, 0x320, 0x30);
    PUT(0, 0x380, 1000);
    now += 400;
    CHECK(GET(0, 0x390) == 600 && lapic_next(lapic, 0, NULL) == -1);
    now += 601;
    CHIP_WAIT(lapic_next(lapic, 0, NULL) == 0x30);
    CHECK(lapic_next(lapic, 0, NULL) == 0x30 && GET(0, 0x390) == 0);
    lapic_accept(lapic, 0, 0x30);
    PUT(0, 0xb0, 0);
    PUT(0, 0x320, 0x31 | 1 << 17);
    PUT(0, 0x380, 1000);
    for (unsigned n = 0; n < 3; n++) {
        now += 1001;
        CHIP_WAIT(lapic_next(lapic, 0, NULL) == 0x31);
        CHECK(lapic_next(lapic, 0, NULL) == 0x31);
        lapic_accept(lapic, 0, 0x31);
        PUT(0, 0xb0, 0);
    }
    uint64_t v;
    PUT(0, 0x320, 0x32 | 2 << 17);
    CHECK(lapic_write_msr(lapic, 0, 0x6e0, (now + 500) * 2) && lapic_read_msr(lapic, 0, 0x6e0, &v) && v == (now + 500) * 2);
    CHECK(lapic_next(lapic, 0, NULL) == -1);
    now += 501;
    CHIP_WAIT(lapic_next(lapic, 0, NULL) == 0x32);
    CHECK(lapic_read_msr(lapic, 0, 0x6e0, &v) && v == 0);
    finish();
}

TEST(lapic_in_x2apic_mode_is_in_msrs)
{
    uint64_t v;
    begin();
    CHECK(!lapic_read_msr(lapic, 1, 0x802, &v));
    lapic_set_base(lapic, 1, true, true);
    CHECK(lapic_read_msr(lapic, 1, 0x802, &v) && v == 1 && !lapic_read_msr(lapic, 1, 0x80e, &v));
    CHECK(lapic_write_msr(lapic, 1, 0x830, 2ull << 32 | 0x70) && lapic_next(lapic, 2, NULL) == 0x70);
    CHECK(lapic_write_msr(lapic, 1, 0x83f, 0x71) && lapic_next(lapic, 1, NULL) == 0x71);
    CHECK(!lapic_write_msr(lapic, 1, 0x802, 5) && !lapic_write_msr(lapic, 1, 0x80b, 1) && lapic_write_msr(lapic, 1, 0x80b, 0));
    finish();
}

/* ---- I/O APIC ---- */
TEST(lapic_lends_its_vectors_and_takes_them_back)
{
    struct lapic_vectors v;
    begin();
    CHECK(!lapic_lend(lapic, 0, &v));
    const struct lapic_message level = { 0, false, LAPIC_FIXED, 0x41, true }, edge = { 0, false, LAPIC_FIXED, 0x52, false };
    lapic_send(lapic, &level);
    lapic_accept(lapic, 0, 0x41);
    lapic_send(lapic, &edge);
    CHECK(lapic_lend(lapic, 0, &v) && v.isr[2] == 2 && v.irr[2] == 1u << 18 && v.ends[2] == 2);
    CHECK(lapic_next(lapic, 0, NULL) == -1);
    const struct lapic_message late = { 0, false, LAPIC_FIXED, 0x60, false };
    lapic_send(lapic, &late);                               /* kept here meanwhile */
    v.isr[2] = 1u << 18;                                    /* the CPU ended the one and took the other */
    v.irr[2] = 0;
    lapic_return(lapic, 0, &v);
    CHECK(lapic_next(lapic, 0, NULL) == 0x60 && GET(0, 0x120) == 1u << 18 && GET(0, 0x220) == 0 && GET(0, 0x230) == 1);
    CHECK(lapic_lend(lapic, 0, &v));
    lapic_init_cpu(lapic, 0);
    lapic_return(lapic, 0, &v);
    CHECK(lapic_next(lapic, 0, NULL) == -1 && GET(0, 0x120) == 0);
    lapic_ended(lapic, 0x41);
    CHECK(ended.count == 1 && ended.vector == 0x41);
    finish();
}

static void begin_ioapic(void)
{
    begin();
    const struct ioapic_config c = { { IOAPIC_BASE }, 0, NULL, send };
    CHECK(!vm_failed(ioapic_create(&c, &r[1])));
    ioapic = r[1].dev;
}
static void route(unsigned input, uint32_t low, uint32_t cpu)
{
    chip_write(&r[1], 0, 4, 0x11 + 2 * input);
    chip_write(&r[1], 0x10, 4, cpu << 24);
    chip_write(&r[1], 0, 4, 0x10 + 2 * input);
    chip_write(&r[1], 0x10, 4, low);
}

TEST(ioapic_sends_edges_once_and_levels_until_they_fall)
{
    begin_ioapic();
    struct irq_line edge = ioapic_line(ioapic, 4), level = ioapic_line(ioapic, 17);
    irq_line_set(&edge, true);
    CHECK(lapic_next(lapic, 1, NULL) == -1);                /* masked at first */
    irq_line_set(&edge, false);
    route(4, 0x44, 1);
    irq_line_set(&edge, true);
    CHECK(lapic_next(lapic, 1, NULL) == 0x44);
    lapic_accept(lapic, 1, 0x44);
    PUT(1, 0xb0, 0);
    irq_line_set(&edge, true);
    CHECK(lapic_next(lapic, 1, NULL) == -1 && !ended.count);
    route(17, 0x55 | 1 << 15, 2);
    irq_line_set(&level, true);
    lapic_accept(lapic, 2, 0x55);
    CHECK(lapic_next(lapic, 2, NULL) == -1);
    PUT(2, 0xb0, 0);
    CHECK(ended.count == 1 && ended.vector == 0x55 && lapic_next(lapic, 2, NULL) == 0x55);       /* still up: again */
    lapic_accept(lapic, 2, 0x55);
    irq_line_set(&level, false);
    PUT(2, 0xb0, 0);
    CHECK(lapic_next(lapic, 2, NULL) == -1);
    finish();
}

TEST(apics_stand_any_access)
{
    begin_ioapic();
    chip_torture(&r[1], 20000);
    for (unsigned n = 0; n < 20000; n++) {
        uint64_t v = test_random();
        unsigned cpu = (unsigned)(test_random() % CPUS), at = (unsigned)(test_random() % 0x1000);
        if (test_random() & 1) PUT(cpu, at, (uint32_t)v);
        else (void)GET(cpu, at);
        lapic_set_base(lapic, cpu, test_random() & 1, test_random() & 1);
        (void)lapic_write_msr(lapic, cpu, 0x800 + (uint32_t)(v & 0xff), v);
        struct irq_line line = ioapic_line(ioapic, (unsigned)(v % IOAPIC_INPUTS));
        irq_line_set(&line, v >> 40 & 1);
        int vector = lapic_next(lapic, cpu, NULL);
        CHECK(vector == -1 || (vector >= 16 && vector < 256));
        if (vector >= 0) lapic_accept(lapic, cpu, (uint8_t)vector);
        now += v & 0xffff;
        timer_run_due();
    }
    finish();
}

/* ---- 8259 ---- */
static void *pics;
static void begin_pics(void)
{
    static const struct { unsigned region, offset, value; } words[] = {
        { 0, 0, 0x11 }, { 1, 0, 0x11 }, { 0, 1, 0x20 }, { 1, 1, 0x28 }, { 0, 1, 4 }, { 1, 1, 2 }, { 0, 1, 1 }, { 1, 1, 1 }, { 0, 1, 0 }, { 1, 1, 0 },
    };
    chip_pages();
    memset(&out, 0, sizeof out);
    const struct i8259_config c = { 0, wire_line(&out) };
    CHECK(!vm_failed(i8259_create(&c, r)));
    pics = r[0].dev;
    for (unsigned n = 0; n < ARRAY_COUNT(words); n++) chip_write(&r[words[n].region], words[n].offset, 1, words[n].value);
}

TEST(i8259_cascades_nests_and_ends)
{
    begin_pics();
    struct irq_line four = i8259_line(pics, 4), twelve = i8259_line(pics, 12), zero = i8259_line(pics, 0);
    irq_line_set(&four, true);
    CHECK(out.level && i8259_is_waiting(pics));
    irq_line_set(&twelve, true);
    CHECK(i8259_acknowledge(pics) == 0x2c);                 /* through input 2, before 4 */
    CHECK(!out.level);
    irq_line_set(&zero, true);
    CHECK(out.level && i8259_acknowledge(pics) == 0x20);
    chip_write(&r[0], 0, 1, 0x20);
    CHECK(!out.level);
    chip_write(&r[1], 0, 1, 0x20);
    chip_write(&r[0], 0, 1, 0x20);
    CHECK(out.level && i8259_acknowledge(pics) == 0x24);
    chip_write(&r[0], 0, 1, 0x0b);
    CHECK_EQ_U64(chip_read(&r[0], 0, 1), 0x10);             /* ISR */
    chip_write(&r[0], 0, 1, 0x64);                          /* a specific end */
    chip_write(&r[0], 1, 1, 0xff);
    irq_line_set(&four, false);
    irq_line_set(&four, true);
    CHECK(!out.level);
    for (unsigned i = 0; i < I8259_REGIONS; i++) chip_torture(&r[i], 5000);
    r[0].ops->destroy(pics);
}

/* ---- 8254 ---- */
TEST(i8254_counts_the_guests_clock)
{
    begin();
    const struct i8254_config c = { 0, wire_line(&out), NULL, now_ns, deadline_ns };
    CHECK(!vm_failed(i8254_create(&c, r + 2)));
    chip_write(&r[2], 3, 1, 0xb0);                          /* counter 2, mode 0 */
    chip_write(&r[3], 0, 1, 1);
    chip_write(&r[2], 2, 1, 0xff);
    chip_write(&r[2], 2, 1, 0xff);
    CHECK(!(chip_read(&r[3], 0, 1) & 0x20));
    now += 1000000;                                         /* 1193 ticks */
    chip_write(&r[2], 3, 1, 0x80);
    uint64_t low = chip_read(&r[2], 2, 1);
    CHECK_EQ_U64(low | chip_read(&r[2], 2, 1) << 8, 0xffff - 1193);
    now += 60000000;
    CHECK(chip_read(&r[3], 0, 1) & 0x20);
    chip_write(&r[2], 3, 1, 0x34);                          /* counter 0, every 1000 ticks */
    chip_write(&r[2], 0, 1, 1000 & 255);
    chip_write(&r[2], 0, 1, 1000 >> 8);
    unsigned raises = out.raises;
    now += 838100;
    CHIP_WAIT(out.raises > raises);
    CHECK(out.raises > raises);
    chip_torture(&r[2], 5000);
    r[2].ops->destroy(r[2].dev);
    finish();
}

/* ---- CMOS clock ---- */
static uint64_t wall = 1709210096;                          /* 2024-02-29 12:34:56 UTC */
static uint64_t wall_time_s(void) { return wall; }
static uint64_t cmos_read(unsigned at)
{
    chip_write(&r[0], 0, 1, at);
    return chip_read(&r[0], 1, 1);
}
static void cmos_write(unsigned at, unsigned v)
{
    chip_write(&r[0], 0, 1, at);
    chip_write(&r[0], 1, 1, v);
}

TEST(cmos_tells_and_takes_the_time)
{
    chip_pages();
    memset(&out, 0, sizeof out);
    const struct cmos_config c = { 0, wire_line(&out), wall_time_s, MIB(128), 3 };
    CHECK(!vm_failed(cmos_create(&c, r)));
    CHECK(cmos_read(0) == 0x56 && cmos_read(2) == 0x34 && cmos_read(4) == 0x12 && cmos_read(7) == 0x29 && cmos_read(8) == 2);
    CHECK(cmos_read(9) == 0x24 && cmos_read(0x32) == 0x20 && cmos_read(6) == 5);
    cmos_write(11, 6);                                      /* binary */
    CHECK(cmos_read(2) == 34);
    cmos_write(11, 4);                                      /* 12 hours */
    CHECK(cmos_read(4) == (12 | 0x80));
    cmos_write(11, 0x80 | 6);
    cmos_write(4, 13);
    CHECK(cmos_read(4) == 13);
    cmos_write(11, 6);
    CHECK(cmos_read(4) == 13 && cmos_read(2) == 34);
    wall += 60;
    CHECK(cmos_read(2) == 35);
    wall -= 60;
    CHECK(cmos_read(0x5f) == 2 && cmos_read(0x34) + 256 * cmos_read(0x35) == 112 * 16);
    chip_torture(&r[0], 20000);
    r[0].ops->destroy(r[0].dev);
}

static char said[4];
static void say(void *ctx, const char *text, size_t length)
{
    CHECK(length == 1);
    strncat(ctx, text, 1);
}

TEST(debugcon_is_found_and_written)
{
    chip_pages();
    const struct debugcon_config c = { .ctx = said, .write = say };
    CHECK(!vm_failed(debugcon_create(&c, &r[0])));
    CHECK(r[0].size_bytes == 1 && chip_read(&r[0], 0, 1) == 0xe9);
    chip_write(&r[0], 0, 1, 'o');
    chip_write(&r[0], 0, 1, 'k');
    CHECK(!strcmp(said, "ok"));
    r[0].ops->destroy(r[0].dev);
}
