// SPDX-License-Identifier: Apache-2.0
/* BLAKE2s; sections are those of RFC 7693. */
#include "hv/base/blake2s.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

/* 2.6 */
static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

/* 2.7 */
static const uint8_t order[10][16] = {
    {  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15 }, { 14, 10,  4,  8,  9, 15, 13,  6,  1, 12,  0,  2, 11,  7,  5,  3 },
    { 11,  8, 12,  0,  5,  2, 15, 13, 10, 14,  3,  6,  7,  1,  9,  4 }, {  7,  9,  3,  1, 13, 12, 11, 14,  2,  6,  5, 10,  4,  0, 15,  8 },
    {  9,  0,  5,  7,  2,  4, 10, 15, 14,  1, 11, 12,  6,  8,  3, 13 }, {  2, 12,  6, 10,  0, 11,  8,  3,  4, 13,  7,  5, 15, 14,  1,  9 },
    { 12,  5,  1, 15, 14, 13,  4, 10,  0,  7,  6,  3,  9,  2,  8, 11 }, { 13, 11,  7, 14, 12,  1,  3,  9,  5,  0, 15,  4,  8,  6,  2, 10 },
    {  6, 15, 14,  9, 11,  3,  0,  8, 12,  2, 13,  7,  1,  4, 10,  5 }, { 10,  2,  8,  4,  7,  6,  1,  5, 15, 11,  9, 14,  3, 12, 13,  0 },
};

static uint32_t rotate_right(uint32_t v, unsigned n) { return v >> n | v << (32 - n); }

/* 3.1 */
static void mix(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 7);
}

/* 3.2 */
static void compress(struct blake2s *b, bool is_last)
{
    uint32_t v[16], m[16];
    for (unsigned i = 0; i < 16; i++) m[i] = load_le32(b->block + 4 * i);
    for (unsigned i = 0; i < 8; i++) v[i] = b->h[i], v[8 + i] = start[i];
    v[12] ^= (uint32_t)b->hashed_bytes;
    v[13] ^= (uint32_t)(b->hashed_bytes >> 32);
    if (is_last) v[14] = ~v[14];
    for (unsigned round = 0; round < 10; round++) {
        const uint8_t *s = order[round];
        for (unsigned i = 0; i < 4; i++) mix(v, i, 4 + i, 8 + i, 12 + i, m[s[2 * i]], m[s[2 * i + 1]]);
        for (unsigned i = 0; i < 4; i++) {
            mix(v, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, m[s[8 + 2 * i]], m[s[9 + 2 * i]]);
        }
    }
    for (unsigned i = 0; i < 8; i++) b->h[i] ^= v[i] ^ v[8 + i];
    b->block_bytes = 0;
}

void blake2s_init(struct blake2s *b)
{
    *b = (struct blake2s){ .hashed_bytes = 0 };
    memcpy(b->h, start, sizeof start);
    b->h[0] ^= 0x01010000 ^ BLAKE2S_BYTES;               /* 3.3: no key */
}

/* The last block is treated otherwise, so a full one waits for more. */
void blake2s_update(struct blake2s *b, const void *data, size_t size_bytes)
{
    const uint8_t *p = data;
    while (size_bytes) {
        if (b->block_bytes == sizeof b->block) {
            b->hashed_bytes += sizeof b->block;
            compress(b, false);
        }
        size_t n = sizeof b->block - b->block_bytes;
        if (n > size_bytes) n = size_bytes;
        memcpy(b->block + b->block_bytes, p, n);
        b->block_bytes += (unsigned)n;
        p += n;
        size_bytes -= n;
    }
}

void blake2s_final(struct blake2s *b, uint8_t out[BLAKE2S_BYTES])
{
    b->hashed_bytes += b->block_bytes;
    memset(b->block + b->block_bytes, 0, sizeof b->block - b->block_bytes);
    compress(b, true);
    for (unsigned i = 0; i < 8; i++) store_le32(out + 4 * i, b->h[i]);
}
