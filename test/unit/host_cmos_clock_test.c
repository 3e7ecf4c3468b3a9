// SPDX-License-Identifier: Apache-2.0
/* The PC's CMOS clock, before a model of its registers. */
#if defined(__x86_64__)
#include "hv/arch/x86_64/x86_64.h"
#include "test/harness/test.h"

static uint8_t cmos_register[128], selected;
static unsigned reads, updating_reads, ticks_at_read;
static bool is_gone;

static void fake_out8(uint16_t port, uint8_t v) { if (port == 0x70) selected = v & 0x7f; }
static uint8_t fake_in8(uint16_t port)
{
    if (port != 0x71 || is_gone) return 0xff;
    reads++;
    if (ticks_at_read && reads == ticks_at_read) {       /* 59 -> 00, and the minute with it, in the midst of a reading */
        cmos_register[0] = 0x00;
        cmos_register[2] = 0x31;
    }
    if (selected == 10 && updating_reads) return updating_reads--, 0x80;
    return cmos_register[selected];
}

struct x86_64_platform x86_64_platform;
#define x86_64_out8      fake_out8
#define x86_64_in8       fake_in8
#define arch_wall_time_s cmos_wall_time_s
uint64_t cmos_wall_time_s(void);
#include "hv/arch/x86_64/clock.c"

enum { IN_BINARY = 4, IN_24_HOURS = 2, AFTERNOON = 0x80 };

static uint64_t read_clock(uint8_t status, uint8_t year, uint8_t month, uint8_t day, uint8_t hour, uint8_t minute, uint8_t second)
{
    const uint8_t all[] = { second, 0, minute, 0, hour, 0, 1, day, month, year, 0x26, status };
    memcpy(cmos_register, all, sizeof all);
    wall_at_start_s = reads = 0;
    x86_64_clock_init();
    return wall_at_start_s;
}

static void start(void)
{
    x86_64_platform = (struct x86_64_platform){ 0 };
    is_gone = false;
    updating_reads = ticks_at_read = 0;
}

#define AT_2031 1927857906ull                            /* 2031-02-03 04:05:06 UTC */

TEST(cmos_clock_is_read_in_bcd_and_binary_in_12_and_24_hours)
{
    start();
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 5, 6), AT_2031);
    CHECK_EQ_U64(read_clock(IN_24_HOURS | IN_BINARY, 31, 2, 3, 4, 5, 6), AT_2031);
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 0x16, 5, 6), AT_2031 + 12 * 3600);
    CHECK_EQ_U64(read_clock(0, 0x31, 2, 3, 4, 5, 6), AT_2031);
    CHECK_EQ_U64(read_clock(0, 0x31, 2, 3, 4 | AFTERNOON, 5, 6), AT_2031 + 12 * 3600);
    CHECK_EQ_U64(read_clock(0, 0x31, 2, 3, 0x12, 5, 6), AT_2031 - 4 * 3600);                 /* twelve at night is 0 */
    CHECK_EQ_U64(read_clock(IN_BINARY, 31, 2, 3, 12 | AFTERNOON, 5, 6), AT_2031 + 8 * 3600);  /* twelve at noon is 12 */
}

TEST(cmos_clock_takes_the_century_where_firmware_says)
{
    start();
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59), 946684799);    /* 1999 */
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x00, 0x02, 0x29, 0, 0, 0), 951782400);
    x86_64_platform.century_index = 0x32;
    cmos_register[0x32] = 0x21;
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x00, 0x03, 0x01, 0, 0, 0), 4107542400ull);          /* 2100 has no leap day */
    cmos_register[0x32] = 0xff;                          /* nonsense: as without */
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 5, 6), AT_2031);
}

TEST(cmos_clock_that_ticks_during_the_reading_is_read_again)
{
    start();
    updating_reads = 50;
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 5, 6), AT_2031);
    for (unsigned at = 1; at < 40; at++) {
        start();
        ticks_at_read = at;
        uint64_t got = read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 0x30, 0x59), before = AT_2031 + 25 * 60 + 53;
        CHECK(got == before || got == before + 1);
    }
}

TEST(cmos_clock_that_is_not_there_or_says_nonsense_is_none)
{
    start();
    is_gone = true;
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 5, 6), 0);
    start();
    x86_64_platform.has_no_cmos_clock = true;
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 4, 5, 6), 0);
    start();
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 0x13, 3, 4, 5, 6), 0);
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 0, 4, 5, 6), 0);
    CHECK_EQ_U64(read_clock(IN_24_HOURS, 0x31, 2, 3, 0x24, 5, 6), 0);
    CHECK_EQ_U64(cmos_wall_time_s(), 0);
}
#endif
