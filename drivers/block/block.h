// SPDX-License-Identifier: Apache-2.0
/* A disk behind a guest's disk: RAM, an image in the bundle, a copy-on-write overlay, a file (hosted), a disk of the host's
 * own (drivers/host), a part of one.
 * Asynchronous by contract: `done` may come before submit returns, or later on another core or (hosted) a thread of the
 * disk's own; never with a lock held.
 * Every request ends: a disk whose hardware does not answer says Device(IO_FAILED) after a time of its own. */
#pragma once
#include "hv/base/error.h"

#define BLOCK_SECTOR_BYTES 512u

enum block_verb { BLOCK_READ, BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES };
/* Scatter list: total length of the pieces is sector_count * 512 for READ and WRITE, empty otherwise. */
struct block_piece { void *at; uint32_t size_bytes; };
struct block_request {
    enum block_verb     verb;
    uint64_t            sector;
    uint32_t            sector_count;
    const struct block_piece *piece;
    unsigned            piece_count;
    bool                may_unmap;   /* WRITE_ZEROES: the sectors need not keep their place */
    void              (*done)(struct block_request *r, struct vm_error result);
    void               *ctx;
    uint64_t            at;          /* the disk's: `sector` as the disk that serves the request counts, below partitions */
    struct block_request *next;      /* the disk's while in flight */
};
struct block;
struct block_ops {
    const char *name;
    void      (*submit)(struct block *b, struct block_request *r);    /* range and writability are checked by block_submit */
    void      (*destroy)(struct block *b);
};
struct block { const struct block_ops *ops; uint64_t sector_count; bool is_read_only, has_discard; char serial[21]; };

/* Checks range, read-only and emptiness, then submits; failures complete through done as well. */
void block_submit(struct block *b, struct block_request *r);
void block_destroy(struct block *b);                                  /* NULL is fine */

/* Submits and waits; the core does the host's other work meanwhile. Not with a lock held, nor in interrupt context. `data`:
 * count sectors for READ and WRITE, NULL otherwise. */
NODISCARD struct vm_error block_ask(struct block *b, enum block_verb verb, uint64_t sector, uint32_t count, void *data);

/* Makers. Sizes are rounded up to whole sectors; data pointers must outlive the disk. */
NODISCARD struct vm_error block_ram_create(uint64_t size_bytes, struct block **out);
NODISCARD struct vm_error block_image_create(const void *data, uint64_t size_bytes, struct block **out);       /* read-only */
NODISCARD struct vm_error block_overlay_create(struct block *base, struct block **out);   /* writes stay in memory; owns base */
NODISCARD struct vm_error block_file_create(const char *path, bool is_read_only, struct block **out);          /* hosted only */
/* Sectors first .. first + count - 1 of a disk that stays its owner's; `gone` (NULL: nobody) hears of its end. */
NODISCARD struct vm_error block_part_create(struct block *disk, uint64_t first, uint64_t count, bool is_read_only,
                                            void (*gone)(void *ctx), void *ctx, struct block **out);
