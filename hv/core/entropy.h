// SPDX-License-Identifier: Apache-2.0
/* Random bytes for guests (and for us): a pool that is seeded from what this machine has, in this order: the CPU's own
 * source, devices, a seed from firmware or loader; and only when none of these gives anything, timing jitter. A reader
 * gets the key stream of ChaCha20 under a key that is replaced with every read (so an old output cannot be computed from a
 * later state); seeds are mixed in by BLAKE2s. Own locks; any core, not in interrupt context. */
#pragma once
#include "hv/arch/spin.h"

#define ENTROPY_MAX_SOURCES 4u
#define ENTROPY_KEY_BYTES   32u

/* False: nothing to be had now. */
typedef bool entropy_fill_fn(void *ctx, void *out, size_t size_bytes);
struct entropy_source { const char *name; entropy_fill_fn *fill; void *ctx; bool is_tested, is_dead; };

/* One is enough; tests make their own. Everything belongs to the lock. */
struct entropy_pool {
    struct spinlock lock;
    uint8_t  key[ENTROPY_KEY_BYTES];
    struct entropy_source source[ENTROPY_MAX_SOURCES];
    unsigned source_count;
    const char *given;                                   /* who gave a seed of enough bytes; NULL: nobody */
    uint64_t (*now)(void);                               /* a clock, the finer the better */
    bool     is_seeded, is_hopeless, has_jitter;
    uint64_t seeded_ns, read_bytes;                      /* read since the last seed */
};

/* Seeds in order of these calls; false: no place. */
bool entropy_pool_source(struct entropy_pool *p, const char *name, entropy_fill_fn *fill, void *ctx);
/* Bytes from outside. They count as a source from 32 on; fewer are mixed in all the same. */
void entropy_pool_give(struct entropy_pool *p, const char *name, const void *data, size_t size_bytes);
/* Seeds the pool when it is not yet, or again when it is time. False: this machine has no randomness at all. */
bool entropy_pool_read(struct entropy_pool *p, void *out, size_t size_bytes);
/* "RDSEED, virtio-rng", for the log; seeds the pool. */
const char *entropy_pool_describe(struct entropy_pool *p, char *out, size_t cap_bytes);

/* The machine's: the same on the one pool, whose first source is the CPU's. */
bool entropy_source(const char *name, entropy_fill_fn *fill, void *ctx);
void entropy_give(const char *name, const void *data, size_t size_bytes);
bool entropy_read(void *out, size_t size_bytes);
const char *entropy_describe(char *out, size_t cap_bytes);
