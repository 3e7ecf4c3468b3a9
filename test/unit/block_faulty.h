// SPDX-License-Identifier: Apache-2.0
/* A disk that misbehaves on command: it fails the n-th request, keeps requests until told, counts what it is asked. The
 * data lie in memory. Its lock guards the list of kept requests, since tests complete them from other threads. */
#pragma once
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/arch/spin.h"
#include "test/harness/test.h"

#define FAULTY_SECTORS 4096u
#define FAULTY_VERBS   (BLOCK_WRITE_ZEROES + 1)

struct faulty {
    struct block block;
    uint8_t data[FAULTY_SECTORS * BLOCK_SECTOR_BYTES];
    unsigned count, asked[FAULTY_VERBS];
    unsigned fail_at;                                       /* the n-th request from now on fails; 0: none */
    bool fails_all, is_keeping, is_destroyed;
    struct block_request last;                              /* a copy */
    struct spinlock lock;
    struct block_request *kept;                             /* the newest first */
    unsigned kept_count;
};

static inline void faulty_serve(struct faulty *f, struct block_request *r, bool fails)
{
    struct piece_cursor c = piece_cursor_of(r);
    uint8_t *at = f->data + r->at * BLOCK_SECTOR_BYTES;
    uint64_t size = (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES;
    if (fails) {
        r->done(r, vm_error_because(VM_DEVICE_IO_FAILED, "as told"));
        return;
    }
    if (r->verb == BLOCK_READ || r->verb == BLOCK_WRITE) pieces_copy(&c, at, size, r->verb == BLOCK_WRITE);
    else if (r->verb != BLOCK_FLUSH) memset(at, 0, size);
    r->done(r, VM_SUCCESS);
}

static inline void faulty_submit(struct block *b, struct block_request *r)
{
    struct faulty *f = CONTAINER_OF(b, struct faulty, block);
    spin_lock(&f->lock);
    f->count++;
    f->asked[r->verb]++;
    f->last = *r;
    bool fails = f->fails_all || (f->fail_at && --f->fail_at == 0), keeps = f->is_keeping;
    if (keeps) {
        r->next = f->kept;
        f->kept = r;
        f->kept_count++;
    }
    spin_unlock(&f->lock);
    if (!keeps) faulty_serve(f, r, fails);
}
/* Serves the newest of the kept requests; false: none is kept. Any thread. */
static inline bool faulty_release(struct faulty *f, bool fails)
{
    spin_lock(&f->lock);
    struct block_request *r = f->kept;
    if (r) {
        f->kept = r->next;
        f->kept_count--;
    }
    spin_unlock(&f->lock);
    if (r) faulty_serve(f, r, fails);
    return r;
}
static inline void faulty_destroy(struct block *b) { CONTAINER_OF(b, struct faulty, block)->is_destroyed = true; }
static const struct block_ops faulty_ops = { "faulty", faulty_submit, faulty_destroy };

static inline struct faulty *faulty_new(void)
{
    struct faulty *f = calloc(1, sizeof *f);
    CHECK(f);
    f->block = (struct block){ .ops = &faulty_ops, .sector_count = FAULTY_SECTORS, .has_discard = true, .serial = "faulty-0123456789abc" };
    for (unsigned i = 0; i < FAULTY_SECTORS; i++) memset(f->data + i * BLOCK_SECTOR_BYTES, (int)(i % 251 + 1), BLOCK_SECTOR_BYTES);
    return f;
}
