// SPDX-License-Identifier: Apache-2.0
/* Calendar fields to seconds since 1970, before the C library's own. */
#include "hv/base/date.h"
#include "test/harness/test.h"
#include <time.h>

TEST(dates_are_seconds_as_the_c_library_has_them)
{
    for (unsigned i = 0; i < 20000; i++) {
        time_t t = (time_t)(test_random() % 16725225600u);       /* until 2500 */
        struct tm f;
        gmtime_r(&t, &f);
        const struct date d = { (unsigned)f.tm_year + 1900, (unsigned)f.tm_mon + 1, (unsigned)f.tm_mday, (unsigned)f.tm_hour, (unsigned)f.tm_min, (unsigned)f.tm_sec };
        CHECK_EQ_U64(date_seconds(&d), t);
    }
}

TEST(dates_that_are_none_are_nothing)
{
    const struct date bad[] = { { 1969, 12, 31, 23, 59, 59 }, { 2020, 0, 1, 0, 0, 0 }, { 2020, 13, 1, 0, 0, 0 }, { 2020, 1, 0, 0, 0, 0 },
                                { 2020, 1, 32, 0, 0, 0 }, { 2020, 1, 1, 24, 0, 0 }, { 2020, 1, 1, 0, 60, 0 }, { 2020, 1, 1, 0, 0, 61 } };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) CHECK_EQ_U64(date_seconds(&bad[i]), 0);
}
