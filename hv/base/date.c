// SPDX-License-Identifier: Apache-2.0
/* Calendar fields to seconds; see date.h. */
#include "hv/base/date.h"

/* Days since 1970-01-01; months counted from March, so that the leap day comes last. */
static uint64_t days(unsigned year, unsigned month, unsigned day)
{
    unsigned m = (month + 9) % 12, y = year - (month <= 2);
    return y * 365ull + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

uint64_t date_seconds(const struct date *d)
{
    if (d->year < 1970 || d->month < 1 || d->month > 12 || d->day < 1 || d->day > 31) return 0;
    if (d->hour > 23 || d->minute > 59 || d->second > 60) return 0;
    return days(d->year, d->month, d->day) * 86400 + d->hour * 3600u + d->minute * 60u + d->second;
}
