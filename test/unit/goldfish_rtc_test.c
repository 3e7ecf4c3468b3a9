// SPDX-License-Identifier: Apache-2.0
/* The real-time clock as rtc-goldfish and QEMU's virt know it: drivers/virt/goldfish_rtc.h. Time itself is never judged
 * more closely than that it moves forwards. */
#include "drivers/virt/goldfish_rtc.h"
#include "test/unit/chip.h"

enum { TIME_LOW = 0, TIME_HIGH = 4, ALARM_LOW = 8, ALARM_HIGH = 12, IRQ_ENABLED = 16, CLEAR_ALARM = 20, ALARM_STATUS = 24,
       CLEAR_INTERRUPT = 28 };
#define START_S  1700000000ull
#define NS_PER_S 1000000000ull
#define HOUR_NS  (3600 * NS_PER_S)

static struct mmio_region r;
static struct wire irq;

static uint64_t wall(void)                       { return START_S; }
static uint32_t in(uint64_t at)                  { return (uint32_t)chip_read(&r, at, 4); }
static void     put(uint64_t at, uint32_t v)     { chip_write(&r, at, 4, v); }
static uint64_t time_ns(void)
{
    uint32_t low = in(TIME_LOW);
    return (uint64_t)in(TIME_HIGH) << 32 | low;
}
static void set_time(uint64_t ns)
{
    put(TIME_HIGH, (uint32_t)(ns >> 32));
    put(TIME_LOW, (uint32_t)ns);
}
static void set_alarm(uint64_t ns)
{
    put(ALARM_HIGH, (uint32_t)(ns >> 32));
    put(ALARM_LOW, (uint32_t)ns);
}
static void start(void)
{
    chip_pages();
    irq = (struct wire){ 0 };
    CHECK(!vm_failed(goldfish_rtc_create(guest_phys_addr_make(0x101000), wire_line(&irq), wall, &r)));
}
static void end(void) { r.ops->destroy(r.dev); }

TEST(rtc_begins_with_the_hosts_wall_clock_and_runs)
{
    start();
    uint64_t first = time_ns();
    CHECK(first >= START_S * NS_PER_S && first < START_S * NS_PER_S + HOUR_NS);
    CHIP_WAIT(time_ns() != first);
    CHECK(time_ns() > first);
    end();
}

TEST(rtc_high_word_belongs_to_the_low_word_read_before)
{
    start();
    set_time(0x1ffffffffull);
    in(TIME_LOW);                                                       /* 2^33 is about to come, or has */
    uint32_t high = in(TIME_HIGH);
    set_time(5ull << 32);
    CHECK_EQ_U64(in(TIME_HIGH), high);                                  /* latched */
    in(TIME_LOW);
    CHECK_EQ_U64(in(TIME_HIGH), 5);
    end();
}

TEST(rtc_can_be_set_forwards_and_back)
{
    start();
    set_time(START_S * NS_PER_S + 1000 * HOUR_NS);
    uint64_t now = time_ns();
    CHECK(now >= START_S * NS_PER_S + 1000 * HOUR_NS && now < START_S * NS_PER_S + 1001 * HOUR_NS);
    set_time(HOUR_NS);
    now = time_ns();
    CHECK(now >= HOUR_NS && now < 2 * HOUR_NS);
    end();
}

TEST(rtc_alarm_in_the_past_rings_at_once_if_enabled)
{
    start();
    set_alarm(START_S * NS_PER_S - 1);
    CHECK(in(ALARM_STATUS) == 0 && !irq.level);                         /* rang, unheard */
    put(IRQ_ENABLED, 1);
    CHECK(irq.level && in(IRQ_ENABLED) == 1);
    put(CLEAR_INTERRUPT, 1);
    CHECK(!irq.level);
    set_alarm(0);
    CHECK(irq.level);
    put(IRQ_ENABLED, 0);
    CHECK(!irq.level);
    end();
}

TEST(rtc_alarm_rings_when_its_time_comes)
{
    start();
    put(IRQ_ENABLED, 1);
    uint64_t at = time_ns() + 5000000;
    set_alarm(at);
    CHECK(((uint64_t)in(ALARM_HIGH) << 32 | in(ALARM_LOW)) == at);
    CHIP_WAIT(irq.level);
    CHECK(irq.level && in(ALARM_STATUS) == 0 && time_ns() >= at);
    end();
}

TEST(rtc_alarm_waits_can_be_cleared_and_follows_the_clock)
{
    start();
    put(IRQ_ENABLED, 1);
    set_alarm(time_ns() + HOUR_NS);
    timer_run_due();
    CHECK(in(ALARM_STATUS) == 1 && !irq.level);
    put(CLEAR_ALARM, 1);
    CHECK(in(ALARM_STATUS) == 0);
    set_alarm(time_ns() + HOUR_NS);
    set_time(time_ns() + 2 * HOUR_NS);                                  /* past the alarm */
    CHECK(irq.level && in(ALARM_STATUS) == 0);
    put(CLEAR_INTERRUPT, 1);
    set_alarm(UINT64_MAX);                                              /* never, but lawful */
    CHECK(in(ALARM_STATUS) == 1 && !irq.level);
    end();
}

TEST(rtc_reset_restores_the_clock_and_silences_the_alarm)
{
    start();
    set_time(HOUR_NS);
    put(IRQ_ENABLED, 1);
    set_alarm(0);
    CHECK(irq.level);
    set_alarm(time_ns() + HOUR_NS);
    r.ops->reset(r.dev);
    CHECK(!irq.level && in(ALARM_STATUS) == 0 && in(IRQ_ENABLED) == 0 && in(ALARM_LOW) == 0 && time_ns() >= START_S * NS_PER_S);
    end();
}

TEST(rtc_of_a_host_without_a_clock_begins_in_1970)
{
    chip_pages();
    CHECK(!vm_failed(goldfish_rtc_create(guest_phys_addr_make(0x101000), wire_line(&irq), NULL, &r)));
    CHECK(time_ns() < HOUR_NS);
    end();
}

TEST(rtc_stands_any_access)
{
    start();
    for (uint64_t at = 32; at < GOLDFISH_RTC_BYTES; at += 4) CHECK_EQ_U64(in(at), 0);
    chip_torture(&r, 100000);
    end();
}
