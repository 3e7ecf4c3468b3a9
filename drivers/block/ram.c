// SPDX-License-Identifier: Apache-2.0
/* A disk in host memory, all of it taken at creation, zero at first. Requests are served inside submit, on the caller's
 * core; the data have no lock, since overlapping requests in flight have no order on any disk. */
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"

#define CHUNK_BITS  21                     /* runs of 2 MiB: large ones need not exist */
#define CHUNK_BYTES (1ull << CHUNK_BITS)

struct ram_disk { struct block block; uint64_t size_bytes, chunk_count; void *chunk[]; };

static struct ram_disk *disk_of(struct block *b) { return CONTAINER_OF(b, struct ram_disk, block); }

static uint64_t chunk_pages(const struct ram_disk *d, uint64_t i)
{
    uint64_t left = d->size_bytes - (i << CHUNK_BITS);
    return align_up(left < CHUNK_BYTES ? left : CHUNK_BYTES, HV_PAGE_BYTES) / HV_PAGE_BYTES;
}

static void submit(struct block *b, struct block_request *r)
{
    struct ram_disk *d = disk_of(b);
    struct piece_cursor cursor = piece_cursor_of(r);
    uint64_t at = r->at * BLOCK_SECTOR_BYTES, left = (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES;
    if (r->verb == BLOCK_FLUSH) left = 0;
    for (uint64_t n; left; at += n, left -= n) {
        uint64_t offset = at & (CHUNK_BYTES - 1);
        char *p = (char *)d->chunk[at >> CHUNK_BITS] + offset;
        n = CHUNK_BYTES - offset < left ? CHUNK_BYTES - offset : left;
        if (r->verb == BLOCK_READ || r->verb == BLOCK_WRITE) pieces_copy(&cursor, p, n, r->verb == BLOCK_WRITE);
        else memset(p, 0, n);
    }
    r->done(r, VM_SUCCESS);
}

static void destroy(struct block *b)
{
    struct ram_disk *d = disk_of(b);
    for (uint64_t i = 0; i < d->chunk_count && d->chunk[i]; i++) page_free(d->chunk[i], chunk_pages(d, i));
    heap_free(d);
}

static const struct block_ops ram_ops = { .name = "ram", .submit = submit, .destroy = destroy };

struct vm_error block_ram_create(uint64_t size_bytes, struct block **out)
{
    if (!size_bytes || size_bytes > UINT64_MAX / 2) return vm_error_because(VM_DEVICE_CONFIG, "a RAM disk has a size");
    uint64_t size = align_up(size_bytes, BLOCK_SECTOR_BYTES), chunks = (size + CHUNK_BYTES - 1) >> CHUNK_BITS;
    if (chunks > page_total()) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a RAM disk");
    struct ram_disk *d = heap_alloc(sizeof *d + chunks * sizeof d->chunk[0]);
    if (!d) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a RAM disk");
    d->block = (struct block){ .ops = &ram_ops, .sector_count = size / BLOCK_SECTOR_BYTES, .has_discard = true, .serial = "hospes-ram" };
    d->size_bytes = size;
    d->chunk_count = chunks;
    for (uint64_t i = 0; i < chunks; i++) {
        d->chunk[i] = page_alloc(chunk_pages(d, i), 1);
        if (!d->chunk[i]) {
            destroy(&d->block);
            return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a RAM disk");
        }
        memset(d->chunk[i], 0, chunk_pages(d, i) * HV_PAGE_BYTES);
    }
    *out = &d->block;
    return VM_SUCCESS;
}
