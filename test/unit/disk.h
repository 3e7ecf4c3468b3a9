// SPDX-License-Identifier: Apache-2.0
/* Asking a disk for things in unit tests. */
#pragma once
#include "drivers/block/block.h"
#include "hv/arch/arch.h"
#include "test/harness/test.h"

struct disk_answer { struct vm_error result; uint32_t count; };      /* count: atomic, set last */

static inline void disk_done(struct block_request *r, struct vm_error result)
{
    struct disk_answer *a = r->ctx;
    a->result = result;
    __atomic_fetch_add(&a->count, 1, __ATOMIC_RELEASE);
}
static inline struct block_request disk_request(enum block_verb verb, uint64_t sector, uint32_t count, struct disk_answer *a)
{
    *a = (struct disk_answer){ .count = 0 };
    return (struct block_request){ .verb = verb, .sector = sector, .sector_count = count, .done = disk_done, .ctx = a };
}
/* The disk may complete it later, on a thread of its own. */
static inline struct vm_error disk_wait(struct disk_answer *a)
{
    for (uint64_t end_ns = arch_time_ns() + 30000000000ull; !__atomic_load_n(&a->count, __ATOMIC_ACQUIRE) && arch_time_ns() < end_ns;)
        arch_cpu_relax();
    CHECK_EQ_U64(a->count, 1);
    return a->result;
}
/* One request with one piece (none for FLUSH, DISCARD and WRITE_ZEROES), until it is over. */
static inline struct vm_error disk_ask(struct block *b, enum block_verb verb, uint64_t sector, uint32_t count, void *data)
{
    struct disk_answer a;
    struct block_piece piece = { data, count * BLOCK_SECTOR_BYTES };
    struct block_request r = disk_request(verb, sector, count, &a);
    r.piece = &piece;
    r.piece_count = verb == BLOCK_READ || verb == BLOCK_WRITE;
    block_submit(b, &r);
    return disk_wait(&a);
}
static inline bool disk_ok(struct block *b, enum block_verb verb, uint64_t sector, uint32_t count, void *data)
{
    return !vm_failed(disk_ask(b, verb, sector, count, data));
}
/* Bytes that no sector of another place or another round has. */
static inline void disk_pattern(uint8_t *out, uint64_t sector, uint32_t count, unsigned round)
{
    for (uint32_t i = 0; i < count * BLOCK_SECTOR_BYTES; i++)
        out[i] = (uint8_t)((sector + i / BLOCK_SECTOR_BYTES) * 31 + i * 7 + round * 101 + (i >> 8));
}
/* Compares random requests in random pieces with a flat array of the disk's size, which holds what the disk holds now. */
static inline void disk_compare(struct block *b, uint8_t *model, unsigned rounds, bool has_verbs)
{
    enum { MOST = 160, PIECES = 24 };
    uint8_t *data = malloc(MOST * BLOCK_SECTOR_BYTES);
    CHECK(data);
    for (unsigned round = 0; round < rounds; round++) {
        struct block_piece piece[PIECES];
        struct disk_answer a;
        uint64_t sector = test_random() % b->sector_count, left = b->sector_count - sector;
        uint32_t count = 1 + (uint32_t)(test_random() % (test_random() & 1 ? 3 : MOST)), size, at = 0;
        if (count > left) count = (uint32_t)left;
        enum block_verb verb = (enum block_verb)(test_random() % (has_verbs ? BLOCK_WRITE_ZEROES + 1 : BLOCK_FLUSH + 1));
        struct block_request r = disk_request(verb, verb == BLOCK_FLUSH ? 0 : sector, verb == BLOCK_FLUSH ? 0 : count, &a);
        size = count * BLOCK_SECTOR_BYTES;
        uint8_t *place = model + sector * BLOCK_SECTOR_BYTES;
        if (verb == BLOCK_READ || verb == BLOCK_WRITE) {
            for (unsigned n = 0; at < size; n++) {
                uint32_t piece_bytes = n + 1 == PIECES ? size - at : (uint32_t)(test_random() % (test_random() & 1 ? 8 : size - at + 1));
                if (piece_bytes > size - at) piece_bytes = size - at;
                piece[n] = (struct block_piece){ data + at, piece_bytes };
                at += piece_bytes;
                r.piece_count = n + 1;
            }
            r.piece = piece;
        }
        if (verb == BLOCK_WRITE) disk_pattern(data, sector, count, round);
        block_submit(b, &r);
        CHECK(!vm_failed(disk_wait(&a)));
        if (verb == BLOCK_READ) CHECK(!memcmp(data, place, size));
        if (verb == BLOCK_WRITE) memcpy(place, data, size);
        if (verb == BLOCK_DISCARD || verb == BLOCK_WRITE_ZEROES) memset(place, 0, size);     /* ours read as zeroes then */
    }
    free(data);
}
