// SPDX-License-Identifier: Apache-2.0
/* What a bench kernel is: one pure function of its scale that returns a checksum, the same on every
 * machine. The full size has scale 8, the small one (for interpreters) scale 1. No libc, no globals beyond
 * the kernel's own. */
#ifndef BENCH_H
#define BENCH_H
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

u64 bench_kernel(u32 scale);

static inline u64 bench_mix(u64 hash, u64 value)             /* order matters, every bit matters */
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static inline u64 bench_random(u64 *state)                   /* xorshift64 */
{
    u64 x = *state;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return *state = x;
}
#endif
