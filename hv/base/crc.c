// SPDX-License-Identifier: Apache-2.0
/* Reflected CRCs, four bits at a time: 64 bytes of table each, and fast enough for what is read at boot. */
#include "hv/base/crc.h"

/* Row i: i shifted four times through the polynomial, 0xedb88320 and 0x82f63b78. */
static const uint32_t ieee[16] = {
    0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
    0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
};
static const uint32_t castagnoli[16] = {
    0x00000000u, 0x105ec76fu, 0x20bd8edeu, 0x30e349b1u, 0x417b1dbcu, 0x5125dad3u, 0x61c69362u, 0x7198540du,
    0x82f63b78u, 0x92a8fc17u, 0xa24bb5a6u, 0xb21572c9u, 0xc38d26c4u, 0xd3d3e1abu, 0xe330a81au, 0xf36e6f75u,
};

static uint32_t crc(const uint32_t *table, uint32_t before, const uint8_t *p, size_t n)
{
    uint32_t c = ~before;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        c = c >> 4 ^ table[c & 15];
        c = c >> 4 ^ table[c & 15];
    }
    return ~c;
}

uint32_t crc32(uint32_t before, const void *bytes, size_t n)  { return crc(ieee, before, bytes, n); }
uint32_t crc32c(uint32_t before, const void *bytes, size_t n) { return crc(castagnoli, before, bytes, n); }
