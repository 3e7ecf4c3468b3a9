// SPDX-License-Identifier: Apache-2.0
/* A run of a disk's sectors as a disk of its own. Requests were checked against it and go on to the disk below as they
 * are, only their place moves. No state that changes. */
#include "drivers/block/block.h"
#include "hv/core/heap.h"

struct part { struct block block; struct block *disk; uint64_t first; void (*gone)(void *ctx); void *ctx; };

static void submit(struct block *b, struct block_request *r)
{
    struct part *p = CONTAINER_OF(b, struct part, block);
    r->at += p->first;
    p->disk->ops->submit(p->disk, r);
}

static void destroy(struct block *b)
{
    struct part *p = CONTAINER_OF(b, struct part, block);
    if (p->gone) p->gone(p->ctx);
    heap_free(p);
}

static const struct block_ops part_ops = { .name = "part", .submit = submit, .destroy = destroy };

struct vm_error block_part_create(struct block *disk, uint64_t first, uint64_t count, bool is_read_only,
                                  void (*gone)(void *ctx), void *ctx, struct block **out)
{
    if (!count || first > disk->sector_count || count > disk->sector_count - first)
        return vm_error_because(VM_CORE_INVALID_PARAMETER, "the part is empty or beyond the end of the disk");
    if (!is_read_only && disk->is_read_only) return vm_error_because(VM_DEVICE_CONFIG, "the disk is read-only: add ,ro");
    struct part *p = heap_alloc(sizeof *p);
    if (!p) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a disk");
    p->block = (struct block){ .ops = &part_ops, .sector_count = count, .is_read_only = is_read_only,
                               .has_discard = disk->has_discard && !is_read_only };
    __builtin_memcpy(p->block.serial, disk->serial, sizeof p->block.serial);
    p->disk = disk;
    p->first = first;
    p->gone = gone;
    p->ctx = ctx;
    *out = &p->block;
    return VM_SUCCESS;
}
