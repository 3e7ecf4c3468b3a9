// SPDX-License-Identifier: Apache-2.0
/* The real-time clock as its manual (DDI 0224) and rtc-pl031 know it: drivers/virt/pl031.h. Time itself is never judged more closely
 * than that it moves forwards. */
#include "drivers/virt/pl031.h"
#include "test/unit/chip.h"

enum { NOW = 0x00, MATCH = 0x04, LOAD = 0x08, CONTROL = 0x0c, MASK = 0x10, RAW = 0x14, MASKED = 0x18, CLEAR = 0x1c };
#define START_S 1700000000u
#define HOUR_S  3600u

static struct mmio_region r;
static struct wire irq;

static uint64_t wall(void)                   { return START_S; }
static uint32_t in(unsigned at)              { return (uint32_t)chip_read(&r, at, 4); }
static void     put(unsigned at, uint32_t v) { chip_write(&r, at, 4, v); }
static void start(void)
{
    chip_pages();
    irq = (struct wire){ 0 };
    CHECK(!vm_failed(pl031_create(guest_phys_addr_make(0x09010000), wire_line(&irq), wall, &r)));
}
static void end(void) { r.ops->destroy(r.dev); }

TEST(pl031_begins_with_the_hosts_wall_clock_and_runs)
{
    start();
    uint32_t first = in(NOW);
    CHECK(first - START_S < HOUR_S && in(CONTROL) == 1 && in(MASK) == 0 && in(RAW) == 0 && !irq.level);
    CHIP_WAIT(in(NOW) != first);
    CHECK(in(NOW) > first);
    put(NOW, 5), put(CONTROL, 0);                                       /* it cannot be stopped: 3.3.4 */
    CHECK(in(NOW) > first && in(CONTROL) == 1);
    end();
}

TEST(pl031_says_which_primecell_it_is)
{
    static const uint8_t id[] = { 0x31, 0x10, 0x04, 0x00, 0x0d, 0xf0, 0x05, 0xb1 };
    start();
    for (unsigned i = 0; i < 8; i++) CHECK_EQ_U64(in(0xfe0 + 4 * i), id[i]);
    end();
}

TEST(pl031_can_be_set_forwards_and_back_as_often_as_one_likes)
{
    start();
    put(LOAD, START_S + 1000 * HOUR_S);
    CHECK(in(LOAD) == START_S + 1000 * HOUR_S && in(NOW) - (START_S + 1000 * HOUR_S) < HOUR_S);
    for (unsigned i = 0; i < 100; i++) {                                /* each time almost all the way around */
        put(LOAD, 100 * HOUR_S - i);
        CHECK(in(NOW) - (100 * HOUR_S - i) < HOUR_S);
        put(LOAD, UINT32_MAX - HOUR_S);
        CHECK(in(NOW) - (UINT32_MAX - HOUR_S) < HOUR_S);
    }
    end();
}

TEST(pl031_alarm_rings_when_the_clock_is_there)
{
    start();
    put(MASK, 1);
    uint32_t at = in(NOW) + 1;
    put(MATCH, at);
    CHECK(in(MATCH) == at);
    CHIP_WAIT(irq.level);
    CHECK(irq.level && in(RAW) == 1 && in(MASKED) == 1 && in(NOW) >= at);
    put(CLEAR, 0);
    CHECK(irq.level);
    put(CLEAR, 1);
    CHECK(!irq.level && in(RAW) == 0);
    end();
}

TEST(pl031_alarm_for_this_very_second_rings_at_once)
{
    start();
    put(MASK, 1);
    do put(MATCH, in(NOW));                                             /* unless the second ends in between */
    while (in(MATCH) != in(NOW));
    CHIP_WAIT(irq.level);
    CHECK(irq.level);
    put(CLEAR, 1);
    put(MATCH, 77 * HOUR_S);
    CHECK(!irq.level);
    put(LOAD, 77 * HOUR_S);                                             /* the clock is set to it */
    CHECK(irq.level);
    end();
}

TEST(pl031_alarm_that_is_masked_waits)
{
    start();
    put(MATCH, in(NOW) + 1);
    CHIP_WAIT(in(RAW));
    CHECK(in(RAW) == 1 && in(MASKED) == 0 && !irq.level);
    put(MASK, 1);
    CHECK(irq.level && in(MASKED) == 1 && in(MASK) == 1);
    put(MASK, 0);
    CHECK(!irq.level);
    end();
}

TEST(pl031_alarm_in_the_past_does_not_ring_and_one_moves_with_the_clock)
{
    start();
    put(MASK, 1);
    put(MATCH, in(NOW) - HOUR_S);
    timer_run_due();
    CHECK(!irq.level && in(RAW) == 0);
    put(MATCH, in(NOW) + HOUR_S);
    timer_run_due();
    CHECK(!irq.level);
    put(LOAD, in(MATCH) - 1);
    CHIP_WAIT(irq.level);
    CHECK(irq.level);
    end();
}

TEST(pl031_reset_silences_the_alarm_and_the_clock_runs_on)
{
    start();
    put(LOAD, HOUR_S);
    put(MASK, 1);
    put(MATCH, HOUR_S + 2 * HOUR_S);
    put(LOAD, 3 * HOUR_S);
    CHECK(irq.level);
    r.ops->reset(r.dev);
    CHECK(!irq.level && in(RAW) == 0 && in(MASK) == 0 && in(MATCH) == 0 && in(LOAD) == 0 && in(NOW) - 3 * HOUR_S < HOUR_S);
    end();
}

TEST(pl031_of_a_host_without_a_clock_begins_in_1970)
{
    chip_pages();
    CHECK(!vm_failed(pl031_create(guest_phys_addr_make(0x09010000), wire_line(&irq), NULL, &r)));
    CHECK(in(NOW) < HOUR_S);
    end();
}

TEST(pl031_stands_any_access)
{
    start();
    for (unsigned at = 0x20; at < 0xfe0; at += 4) CHECK_EQ_U64(in(at), 0);
    chip_torture(&r, 100000);
    end();
}
