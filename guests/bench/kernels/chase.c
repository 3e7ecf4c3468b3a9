// SPDX-License-Identifier: Apache-2.0
/* chase: one cycle through 16 MiB of 64-byte nodes in random order, followed link by link: caches and TLBs
 * miss. */
#include "guests/bench/bench.h"

enum { STEPS = 360000, NODES = 1 << 18 };

static struct node {
    u32 next, value;
    u8 padding[56];
} nodes[NODES];

u64 bench_kernel(u32 scale)
{
    u64 seed = 7, hash = 0;
    for (u32 i = 0; i < NODES; i++) {
        nodes[i].next = i;
        nodes[i].value = i * 2654435761u;
    }
    for (u32 i = NODES - 1; i; i--) {                        /* Sattolo: a single cycle */
        u32 j = (u32)(bench_random(&seed) % i), swap = nodes[i].next;
        nodes[i].next = nodes[j].next;
        nodes[j].next = swap;
    }
    u32 at = 0;
    for (u32 i = 0; i < scale * STEPS; i++) {
        hash += nodes[at].value;
        at = nodes[at].next;
    }
    return bench_mix(hash, at);
}
