// SPDX-License-Identifier: Apache-2.0
/* ChaCha20's block function; sections are those of RFC 8439. No table and no branch depends on the key. */
#include "hv/base/chacha20.h"
#include "hv/base/bits.h"

static uint32_t rotate_left(uint32_t v, unsigned n) { return v << n | v >> (32 - n); }

/* 2.1 */
static void quarter_round(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b, *d = rotate_left(*d ^ *a, 16);
    *c += *d, *b = rotate_left(*b ^ *c, 12);
    *a += *b, *d = rotate_left(*d ^ *a, 8);
    *c += *d, *b = rotate_left(*b ^ *c, 7);
}

void chacha20_block(const uint8_t key[CHACHA20_KEY_BYTES], uint32_t counter, const uint32_t nonce[3], uint8_t out[CHACHA20_BLOCK_BYTES])
{
    uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, s[16];
    for (unsigned i = 0; i < 8; i++) start[4 + i] = load_le32(key + 4 * i);
    start[12] = counter;
    for (unsigned i = 0; i < 3; i++) start[13 + i] = nonce[i];
    for (unsigned i = 0; i < 16; i++) s[i] = start[i];
    for (unsigned i = 0; i < 10; i++) {                  /* a round of columns and one of diagonals */
        for (unsigned k = 0; k < 4; k++) quarter_round(&s[k], &s[4 + k], &s[8 + k], &s[12 + k]);
        for (unsigned k = 0; k < 4; k++) quarter_round(&s[k], &s[4 + (k + 1) % 4], &s[8 + (k + 2) % 4], &s[12 + (k + 3) % 4]);
    }
    for (unsigned i = 0; i < 16; i++) store_le32(out + 4 * i, s[i] + start[i]);
}
