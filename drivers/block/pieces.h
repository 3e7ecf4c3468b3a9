// SPDX-License-Identifier: Apache-2.0
/* Walking a request's scatter list, for disks whose data lie in memory. A cursor is its caller's. */
#pragma once
#include "drivers/block/block.h"

/* A position in a request's list of pieces. */
struct piece_cursor { const struct block_piece *piece; unsigned left; uint32_t offset; };

static inline struct piece_cursor piece_cursor_of(const struct block_request *r)
{
    return (struct piece_cursor){ r->piece, r->piece_count, 0 };
}
/* Up to want_bytes of the list that are contiguous; their count in *length. NULL when the list is at its end. */
static inline void *piece_next(struct piece_cursor *c, uint64_t want_bytes, uint64_t *length)
{
    while (c->left && c->offset == c->piece->size_bytes) {
        c->piece++;
        c->left--;
        c->offset = 0;
    }
    if (!c->left) return NULL;
    uint64_t n = c->piece->size_bytes - c->offset;
    *length = n < want_bytes ? n : want_bytes;
    void *at = (char *)c->piece->at + c->offset;
    c->offset += (uint32_t)*length;
    return at;
}
/* Moves bytes between the list and memory at `at`, on from where the cursor stands. The list is long enough. */
void pieces_copy(struct piece_cursor *c, void *at, uint64_t size_bytes, bool to_disk);
