// SPDX-License-Identifier: Apache-2.0
/* What every disk's requests go through: the checks that the disks then rely on. No state; any thread. See block.h. */
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/base/string.h"

static struct vm_error refuse(const char *why) { return vm_error_because(VM_DEVICE_UNSUPPORTED_OPERATION, why); }
static struct vm_error bad(const char *why)    { return vm_error_because(VM_CORE_INVALID_PARAMETER, why); }

static bool list_is_whole(const struct block_request *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < r->piece_count; i++) {
        if (!r->piece[i].at && r->piece[i].size_bytes) return false;
        sum += r->piece[i].size_bytes;
    }
    return sum == (uint64_t)r->sector_count * BLOCK_SECTOR_BYTES;
}

static struct vm_error check(const struct block *b, const struct block_request *r)
{
    static const struct { bool has_range, has_data, is_write; } needs[] = {
        [BLOCK_READ]         = { true,  true,  false },
        [BLOCK_WRITE]        = { true,  true,  true  },
        [BLOCK_FLUSH]        = { false, false, false },
        [BLOCK_DISCARD]      = { true,  false, true  },
        [BLOCK_WRITE_ZEROES] = { true,  false, true  },
    };
    if (r->verb >= sizeof needs / sizeof needs[0]) return refuse("no such request");
    if (needs[r->verb].is_write && b->is_read_only) return refuse("the disk is read-only");
    if (r->verb == BLOCK_DISCARD && !b->has_discard) return refuse("the disk cannot discard");
    if (needs[r->verb].has_data ? !list_is_whole(r) : r->piece_count != 0) return bad("the data's length is not the request's");
    if (!needs[r->verb].has_range) return VM_SUCCESS;
    if (!r->sector_count) return bad("the request is empty");
    if (r->sector > b->sector_count || r->sector_count > b->sector_count - r->sector) return bad("beyond the end of the disk");
    return VM_SUCCESS;
}

void block_submit(struct block *b, struct block_request *r)
{
    struct vm_error e = check(b, r);
    r->at = r->sector;
    if (vm_failed(e)) r->done(r, e);
    else b->ops->submit(b, r);
}

void block_destroy(struct block *b)
{
    if (b) b->ops->destroy(b);
}

void pieces_copy(struct piece_cursor *c, void *at, uint64_t size_bytes, bool to_disk)
{
    uint64_t n;
    for (uint64_t done = 0; done < size_bytes; done += n) {
        void *piece = piece_next(c, size_bytes - done, &n);
        if (!piece) return;
        if (to_disk) memcpy((char *)at + done, piece, n);
        else memcpy(piece, (const char *)at + done, n);
    }
}
