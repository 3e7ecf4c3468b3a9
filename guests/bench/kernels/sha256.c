// SPDX-License-Identifier: Apache-2.0
/* sha256: FIPS 180-4 over 4 KiB again and again, each digest seeding the next. The constants (fractions of
 * roots of primes) are computed, so that the source has no table to mistype. */
#include "guests/bench/bench.h"

enum { ROUNDS = 2900, BYTES = 4096 };

static u32 constants[64], initial[8];
static u8 data[BYTES];

/* The first 32 bits of the fraction of n^(1/power): floor(n^(1/power) * 2^32), by bisection. */
static u32 root_fraction(u32 n, u32 power)
{
    unsigned __int128 low = 0, high = (unsigned __int128)1 << 37;
    while (high - low > 1) {
        unsigned __int128 middle = (low + high) / 2, product = middle;
        for (u32 i = 1; i < power; i++) {
            product *= middle;
        }
        if (product < (unsigned __int128)n << 32 * power) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return (u32)low;
}

static void make_constants(void)
{
    for (u32 n = 2, found = 0; found < 64; n++) {
        u32 divisor = 2;
        while (n % divisor) {
            divisor++;
        }
        if (divisor == n) {
            if (found < 8) {
                initial[found] = root_fraction(n, 2);
            }
            constants[found++] = root_fraction(n, 3);
        }
    }
}

static inline u32 rotate(u32 x, u32 n)
{
    return x >> n | x << (32 - n);
}

static void block(u32 *h, const u8 *p)
{
    u32 w[64], s[8];
    for (u32 i = 0; i < 16; i++, p += 4) {
        w[i] = (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
    }
    for (u32 i = 16; i < 64; i++) {
        u32 s0 = rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3;
        u32 s1 = rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10;
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    for (u32 i = 0; i < 8; i++) {
        s[i] = h[i];
    }
    u32 a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], k = s[7];
    for (u32 i = 0; i < 64; i++) {
        u32 t1 =
            k + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + constants[i] + w[i];
        u32 t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        k = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += k;
}

static void digest(u32 *h)
{
    u8 tail[64] = {0x80};
    for (u32 i = 0; i < 8; i++) {
        h[i] = initial[i];
    }
    for (u32 at = 0; at < BYTES; at += 64) {
        block(h, data + at);
    }
    tail[62] = (u8)(BYTES * 8 >> 8), tail[61] = (u8)(BYTES * 8 >> 16);
    block(h, tail);
}

u64 bench_kernel(u32 scale)
{
    u32 h[8];
    u64 hash = 0;
    make_constants();
    for (u32 i = 0; i < BYTES; i++) {
        data[i] = (u8)i;
    }
    for (u32 round = 0; round < scale * ROUNDS; round++) {
        digest(h);
        for (u32 i = 0; i < 8; i++) {
            data[4 * i] = (u8)h[i];
            hash = bench_mix(hash, h[i]);
        }
    }
    return hash;
}
