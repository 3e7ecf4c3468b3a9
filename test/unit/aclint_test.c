// SPDX-License-Identifier: Apache-2.0
/* Software interrupts and timers of the harts, before a clock that the test moves: drivers/virt/aclint.h. */
#include "drivers/virt/aclint.h"
#include "test/unit/chip.h"

#define HARTS    3u
#define MTIMECMP 0x4000u
#define MTIME    0xbff8u

static struct mmio_region a;
static struct wire software[HARTS], output[HARTS];
static uint64_t now;                                        /* ticks; they stand still unless the test moves them */

static uint64_t clock_ticks(void *ctx)                      { CHECK(ctx == &now); return now; }
static void     clock_shift(void *ctx, uint64_t by)         { CHECK(ctx == &now); now += by; }
/* Due at once for the timer room, so that it asks the chip again; the chip looks at the ticks. */
static uint64_t clock_deadline_ns(void *ctx, uint64_t ticks) { (void)ctx; return ticks > 1ull << 60 ? UINT64_MAX : 1; }

static void start(void)
{
    struct irq_line msip[HARTS], mtip[HARTS];
    chip_pages();
    memset(software, 0, sizeof software);
    memset(output, 0, sizeof output);
    now = 1000;
    for (unsigned i = 0; i < HARTS; i++) msip[i] = wire_line(&software[i]), mtip[i] = wire_line(&output[i]);
    const struct aclint_config c = { { 0x2000000 }, HARTS, { &now, clock_ticks, clock_deadline_ns, clock_shift }, msip, mtip };
    CHECK(!vm_failed(aclint_create(&c, &a)));
}
static void end(void) { a.ops->destroy(a.dev); }
static uint64_t in(uint64_t at, unsigned size)              { return chip_read(&a, at, size); }
static void     put(uint64_t at, unsigned size, uint64_t v) { chip_write(&a, at, size, v); }

TEST(clint_msip_is_one_bit_a_hart_and_its_wire)
{
    start();
    for (unsigned h = 0; h < HARTS; h++) {
        put(4 * h, 4, UINT32_MAX);
        CHECK(in(4 * h, 4) == 1 && software[h].level);
        put(4 * h, 4, 0xfffffffe);
        CHECK(in(4 * h, 4) == 0 && !software[h].level);
    }
    put(4 * HARTS, 4, 1);
    CHECK(in(4 * HARTS, 4) == 0 && in(0x3ffc, 4) == 0);
    put(0, 8, 0x100000001);                                             /* the words are 32 bits wide */
    CHECK(in(0, 8) == 0 && !software[0].level && !software[1].level);
    end();
}

TEST(clint_timer_is_due_from_its_tick_on_and_not_before)
{
    start();
    CHECK_EQ_U64(in(MTIMECMP, 8), UINT64_MAX);
    put(MTIMECMP, 8, 1001);
    CHECK(!output[0].level);
    timer_run_due();
    CHECK(!output[0].level);                                            /* the clock has not moved */
    now = 1001;
    CHIP_WAIT(output[0].level);
    CHECK(output[0].level && !output[1].level);
    put(MTIMECMP, 8, 1001);
    CHECK(output[0].level);
    put(MTIMECMP, 8, 1002);
    CHECK(!output[0].level);
    put(MTIMECMP, 8, 0);
    CHECK(output[0].level);
    put(MTIMECMP, 8, UINT64_MAX);
    CHECK(!output[0].level);
    end();
}

TEST(clint_mtimecmp_may_be_written_in_halves)
{
    start();
    put(MTIMECMP + 8, 4, 5);                                            /* the low one of hart 1 */
    CHECK(in(MTIMECMP + 8, 8) == 0xffffffff00000005 && !output[1].level);
    put(MTIMECMP + 12, 4, 0);
    CHECK(in(MTIMECMP + 8, 8) == 5 && output[1].level && in(MTIMECMP + 8, 4) == 5 && in(MTIMECMP + 12, 4) == 0);
    put(MTIMECMP + 12, 4, UINT32_MAX);
    CHECK(!output[1].level && in(MTIMECMP + 12, 4) == UINT32_MAX);
    end();
}

TEST(clint_mtime_is_the_guests_clock_and_may_be_written)
{
    start();
    now = 0x123456789abcdef0;
    CHECK(in(MTIME, 8) == now && in(MTIME, 4) == 0x9abcdef0 && in(MTIME + 4, 4) == 0x12345678);
    put(MTIME, 8, 500);
    CHECK(now == 500 && in(MTIME, 8) == 500);
    put(MTIMECMP, 8, 600);
    put(MTIMECMP + 8, 8, 400);
    CHECK(!output[0].level && output[1].level);
    put(MTIME, 8, 600);                                                 /* forwards: due */
    CHECK(output[0].level && output[1].level);
    put(MTIME, 4, 300);                                                 /* back: not due any more */
    CHECK(!output[0].level && !output[1].level && now == 300);
    put(MTIME + 4, 4, 1);
    CHECK(output[0].level && now == 0x10000012c);
    end();
}

TEST(clint_offsets_of_harts_that_do_not_exist_read_0)
{
    start();
    put(MTIMECMP + 8 * HARTS, 8, 0);
    CHECK(in(MTIMECMP + 8 * HARTS, 8) == 0 && in(MTIME - 8, 8) == 0 && in(0xc000, 8) == 0 && in(0xfff8, 8) == 0);
    end();
}

TEST(clint_reset_clears_mtime_and_lowers_every_wire)
{
    start();
    put(0, 4, 1);
    put(MTIMECMP, 8, 0);
    CHECK(software[0].level && output[0].level);
    a.ops->reset(a.dev);
    CHECK(!software[0].level && !output[0].level && in(0, 4) == 0 && in(MTIME, 8) == 0 && in(MTIMECMP, 8) == UINT64_MAX);
    end();
}

TEST(clint_refuses_no_harts_and_more_than_64)
{
    struct mmio_region r;
    struct aclint_config c = { .hart_count = 0 };
    CHECK_EQ_U64(aclint_create(&c, &r).kind, VM_DEVICE_CONFIG);
    c.hart_count = 65;
    CHECK_EQ_U64(aclint_create(&c, &r).kind, VM_DEVICE_CONFIG);
    CHECK_EQ_U64(sswi_create(guest_phys_addr_make(0), 0, NULL, &r).kind, VM_DEVICE_CONFIG);
}

TEST(clint_stands_any_access)
{
    start();
    chip_torture(&a, 200000);
    end();
}

TEST(sswi_raises_the_supervisors_wire_and_reads_0)
{
    struct wire ssip[HARTS] = { { 0 } };
    struct irq_line line[HARTS];
    struct mmio_region s;
    chip_pages();
    for (unsigned i = 0; i < HARTS; i++) line[i] = wire_line(&ssip[i]);
    CHECK(!vm_failed(sswi_create(guest_phys_addr_make(0x2f00000), HARTS, line, &s)));
    chip_write(&s, 4, 4, 0xfffffffe);
    CHECK(!ssip[1].level);
    chip_write(&s, 4, 4, 1);
    CHECK(ssip[1].level && !ssip[0].level && !ssip[2].level && chip_read(&s, 4, 4) == 0);
    chip_write(&s, 4, 4, 0);
    CHECK(ssip[1].level);                                               /* the hart itself clears it */
    chip_torture(&s, 20000);
    s.ops->destroy(s.dev);
}
