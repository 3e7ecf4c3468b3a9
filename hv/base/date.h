// SPDX-License-Identifier: Apache-2.0
/* Dates of clocks that count in calendar fields. */
#pragma once
#include "hv/base/types.h"

struct date { unsigned year, month, day, hour, minute, second; };       /* Gregorian, UTC; month and day from 1 on */

/* Seconds since 1970-01-01; 0: a field is out of range, or the year is before 1970. */
uint64_t date_seconds(const struct date *d);
