// SPDX-License-Identifier: Apache-2.0
/* hv/base/crc.h, against the check values of the catalogue of CRC algorithms ("123456789"). */
#include "hv/base/crc.h"
#include "test/harness/test.h"

TEST(crcs_give_their_check_values_and_go_on)
{
    static const char digits[] = "123456789";
    CHECK_EQ_U64(crc32(0, digits, 9), 0xcbf43926);
    CHECK_EQ_U64(crc32c(0, digits, 9), 0xe3069283);
    CHECK(crc32(0, digits, 0) == 0 && crc32c(0, digits, 0) == 0);
    for (unsigned n = 0; n <= 9; n++) CHECK(crc32(crc32(0, digits, n), digits + n, 9 - n) == 0xcbf43926 && crc32c(crc32c(0, digits, n), digits + n, 9 - n) == 0xe3069283);
}
