// SPDX-License-Identifier: Apache-2.0
/* A disk with a write cache, whose power may fail: it keeps a journal of all writes and flushes, and shows what a cut after
 * any of them may have left. What was written before the last flush is there; of the rest each sector is there or not, one
 * of them torn at any byte. */
#pragma once
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "test/harness/test.h"

struct power_write { uint64_t sector; uint32_t count; uint8_t *data; };      /* count 0: a flush */
struct power_disk {
    struct block block;
    uint8_t *data;                                          /* as without a cut */
    struct power_write *journal;
    unsigned journal_count, journal_room;
    unsigned fail_at;                                       /* the n-th request from now on fails, and all after it; 0: none */
    bool is_destroyed;
};

static inline void power_note(struct power_disk *d, uint64_t sector, uint32_t count)
{
    if (d->journal_count == d->journal_room) {
        d->journal_room = d->journal_room ? 2 * d->journal_room : 64;
        d->journal = realloc(d->journal, d->journal_room * sizeof *d->journal);
        CHECK(d->journal);
    }
    struct power_write *w = &d->journal[d->journal_count++];
    *w = (struct power_write){ sector, count, count ? malloc(count * 512u) : NULL };
    if (count) memcpy(w->data, d->data + sector * 512, count * 512u);
}

static inline void power_submit(struct block *b, struct block_request *r)
{
    struct power_disk *d = CONTAINER_OF(b, struct power_disk, block);
    struct piece_cursor c = piece_cursor_of(r);
    if (d->fail_at && (d->fail_at == 1 || --d->fail_at == 1)) {
        r->done(r, vm_error_because(VM_DEVICE_IO_FAILED, "as told"));
        return;
    }
    if (r->verb == BLOCK_READ) pieces_copy(&c, d->data + r->at * 512, r->sector_count * 512ull, false);
    else if (r->verb == BLOCK_WRITE) pieces_copy(&c, d->data + r->at * 512, r->sector_count * 512ull, true);
    else if (r->verb != BLOCK_FLUSH) memset(d->data + r->at * 512, 0, r->sector_count * 512ull);
    if (r->verb != BLOCK_READ) power_note(d, r->at, r->sector_count);
    r->done(r, VM_SUCCESS);
}

static inline void power_destroy(struct block *b) { CONTAINER_OF(b, struct power_disk, block)->is_destroyed = true; }
static const struct block_ops power_ops = { "power", power_submit, power_destroy };

/* `image` is copied; NULL: zeroes. */
static inline struct power_disk *power_new(uint32_t sectors, const uint8_t *image)
{
    struct power_disk *d = calloc(1, sizeof *d);
    CHECK(d && (d->data = calloc(sectors, 512)));
    d->block = (struct block){ .ops = &power_ops, .sector_count = sectors, .has_discard = true };
    if (image) memcpy(d->data, image, sectors * 512ull);
    return d;
}

static inline void power_free(struct power_disk *d)
{
    for (unsigned i = 0; i < d->journal_count; i++) free(d->journal[i].data);
    free(d->journal);
    free(d->data);
    free(d);
}

/* Moves `image` on over one entry of the journal whose end a flush has made safe. */
static inline void power_apply(uint8_t *image, const struct power_write *w)
{
    if (w->count) memcpy(image + w->sector * 512, w->data, w->count * 512ull);
}

/* Into `out`: what a cut after `count` entries may have left, when `image` is what was safe at entry `safe`. The `mode`:
 * 0: everything arrived; 1: nothing did; else by chance, in any order, sector by sector, one of them torn. */
static inline void power_cut(const struct power_disk *d, const uint8_t *image, unsigned safe, unsigned count, unsigned mode, uint8_t *out)
{
    memcpy(out, image, d->block.sector_count * 512);
    for (unsigned i = safe; mode != 1 && i < count; i++) {
        const struct power_write *w = &d->journal[i];
        unsigned torn = mode ? (unsigned)(test_random() % (w->count + 1)) : w->count;
        for (unsigned k = 0; k < w->count; k++) {
            unsigned n = mode == 0 || (k != torn && test_random() & 1) ? 512 : k == torn ? (unsigned)(test_random() % 512) : 0;
            bool is_tail = k == torn && test_random() & 1;
            if (is_tail) memcpy(out + (w->sector + k) * 512 + 512 - n, w->data + k * 512 + 512 - n, n);
            else memcpy(out + (w->sector + k) * 512, w->data + k * 512, n);
        }
    }
}
