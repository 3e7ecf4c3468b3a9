// SPDX-License-Identifier: Apache-2.0
/* A read-only disk over bytes that already lie in memory: an image of the bundle. A last half sector reads as zeroes.
 * Served inside submit; the bytes never change, so there is nothing to lock. */
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/core/heap.h"

struct image_disk { struct block block; const char *data; uint64_t size_bytes; };

static struct image_disk *disk_of(struct block *b) { return CONTAINER_OF(b, struct image_disk, block); }

static void submit(struct block *b, struct block_request *r)
{
    static const char zeroes[BLOCK_SECTOR_BYTES];
    struct image_disk *d = disk_of(b);
    struct piece_cursor cursor = piece_cursor_of(r);
    if (r->verb == BLOCK_READ) {                                          /* the only other verb here is FLUSH */
        uint64_t at = r->at * BLOCK_SECTOR_BYTES, want = (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES;
        uint64_t have = at < d->size_bytes ? d->size_bytes - at : 0;
        if (have > want) have = want;
        pieces_copy(&cursor, (void *)(uintptr_t)(d->data + at), have, false);
        pieces_copy(&cursor, (void *)(uintptr_t)zeroes, want - have, false);
    }
    r->done(r, VM_SUCCESS);
}

static void destroy(struct block *b) { heap_free(disk_of(b)); }

static const struct block_ops image_ops = { .name = "image", .submit = submit, .destroy = destroy };

struct vm_error block_image_create(const void *data, uint64_t size_bytes, struct block **out)
{
    if (!data || !size_bytes || size_bytes > UINT64_MAX / 2) return vm_error_because(VM_DEVICE_CONFIG, "the disk's image is empty");
    struct image_disk *d = heap_alloc(sizeof *d);
    if (!d) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a disk");
    d->block = (struct block){ .ops = &image_ops, .sector_count = (size_bytes + BLOCK_SECTOR_BYTES - 1) / BLOCK_SECTOR_BYTES,
                               .is_read_only = true, .serial = "hospes-image" };
    d->data = data;
    d->size_bytes = size_bytes;
    *out = &d->block;
    return VM_SUCCESS;
}
