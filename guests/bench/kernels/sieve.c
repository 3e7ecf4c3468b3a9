// SPDX-License-Identifier: Apache-2.0
/* sieve: Eratosthenes over 1 MiB of bytes: strided stores, no arithmetic to speak of. */
#include "guests/bench/bench.h"

enum { ROUNDS = 34, SIZE = 1 << 20 };

static u8 composite[SIZE];

u64 bench_kernel(u32 scale)
{
    u64 hash = 0;
    for (u32 round = 0; round < scale * ROUNDS; round++) {
        u32 count = 0;
        for (u32 i = 0; i < SIZE; i++) {
            composite[i] = i < 2 + round % 2;
        }
        for (u32 i = 2; i * i < SIZE; i++) {
            if (!composite[i]) {
                for (u32 j = i * i; j < SIZE; j += i) {
                    composite[j] = 1;
                }
            }
        }
        for (u32 i = 0; i < SIZE; i++) {
            count += !composite[i];
        }
        hash = bench_mix(hash, count);
    }
    return hash;
}
