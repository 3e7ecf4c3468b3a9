// SPDX-License-Identifier: Apache-2.0
/* Wall time: the CMOS clock (MC146818), read once at boot by the boot core; from then on the TSC counts. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/date.h"

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH = 8, YEAR = 9, STATUS_A = 10, STATUS_B = 11 };
#define UPDATING  0x80u                                  /* in STATUS_A */
#define BINARY    0x04u                                  /* in STATUS_B */
#define HOURS_24  0x02u

struct reading { uint8_t second, minute, hour, day, month, year, century; };

static uint64_t wall_at_start_s, read_at_ns;

static uint8_t cmos(uint8_t index)
{
    x86_64_out8(0x70, index);
    return x86_64_in8(0x71);
}

static bool read_once(struct reading *r)
{
    unsigned tries = 100000;
    while (cmos(STATUS_A) & UPDATING) {
        if (!--tries) return false;                      /* no clock: the bus reads all ones */
    }
    uint8_t century = x86_64_platform.century_index;
    *r = (struct reading){ cmos(SECONDS), cmos(MINUTES), cmos(HOURS), cmos(DAY), cmos(MONTH), cmos(YEAR), century ? cmos(century) : 0 };
    return true;
}

static unsigned from_bcd(uint8_t v)       { return (v >> 4) * 10u + (v & 15u); }

void x86_64_clock_init(void)
{
    struct reading a, b;
    unsigned tries = 10;
    if (x86_64_platform.has_no_cmos_clock) return;
    do {
        if (!tries-- || !read_once(&a) || !read_once(&b)) return;
    } while (a.second != b.second || a.minute != b.minute || a.hour != b.hour || a.day != b.day || a.month != b.month || a.year != b.year);

    uint8_t status = cmos(STATUS_B);
    bool is_afternoon = !(status & HOURS_24) && a.hour & 0x80;
    a.hour &= 0x7f;
    uint8_t *field[] = { &a.second, &a.minute, &a.hour, &a.day, &a.month, &a.year, &a.century };
    for (unsigned i = 0; i < ARRAY_COUNT(field) && !(status & BINARY); i++) *field[i] = (uint8_t)from_bcd(*field[i]);
    unsigned hour = status & HOURS_24 ? a.hour : a.hour % 12 + (is_afternoon ? 12u : 0);
    unsigned year = a.year + (a.century >= 19 && a.century <= 30 ? a.century * 100u : a.year < 70 ? 2000u : 1900u);
    wall_at_start_s = date_seconds(&(struct date){ year, a.month, a.day, hour, a.minute, a.second });
    read_at_ns = arch_time_ns();
}

uint64_t arch_wall_time_s(void)
{
    return wall_at_start_s ? wall_at_start_s + (arch_time_ns() - read_at_ns) / 1000000000 : 0;
}
