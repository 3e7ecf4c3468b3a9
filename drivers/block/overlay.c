// SPDX-License-Identifier: Apache-2.0
/* A writable disk over one that stays as it is: what the guest writes lies in memory, in chunks of 16 KiB made at the
 * first write; what it discards or zeroes costs nothing and gives chunks back. A per-sector map says whose each sector is,
 * so a write never has to read the base. Table and chunks belong to the lock; reads of the base go on without it, in a
 * pool of operations, and requests that find the pool empty wait in line. */
#include "drivers/block/block.h"
#include "drivers/block/pieces.h"
#include "hv/arch/spin.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"

#define CHUNK_SECTORS 32u
#define CHUNK_BYTES   (CHUNK_SECTORS * BLOCK_SECTOR_BYTES)
#define CHUNK_PAGES   (CHUNK_BYTES / HV_PAGE_BYTES)
#define LEAF_CHUNKS   (HV_PAGE_BYTES / sizeof(struct chunk))
#define OPS           8
#define OP_PIECES     BLOCK_SECTOR_BYTES          /* however small the pieces, one sector always fits */
#define RESERVE_SHARE 16                          /* of all pages, this part is not for overlays */

/* Bit n is sector n. ours: not the base's. zero: ours, and reads as zeroes whatever lies in data; a part of ours. */
struct chunk { uint8_t *data; uint32_t ours, zero; };
_Static_assert(sizeof(struct chunk) == 16 && CHUNK_SECTORS == 32, "a page of chunks; a map is a word");

/* A read in progress: at most one request to the base at a time. */
enum phase { PHASE_SUBMITTING, PHASE_WAITING, PHASE_DONE };
struct operation {
    struct overlay      *disk;
    struct operation    *next_free;
    struct block_request *parent;
    struct block_request sub;
    struct piece_cursor  cursor;
    uint64_t             at, left;                /* sectors */
    uint32_t             phase;                   /* atomic: who goes on, the submitter or the completion */
    struct vm_error      result;
    struct block_piece   piece[OP_PIECES];
};
struct overlay {
    struct block          block;
    struct block         *base;
    struct spinlock       lock;
    struct operation     *free_op;
    struct block_request *waiting, **waiting_tail;
    struct operation     *ops;
    uint64_t              leaf_count;
    struct chunk         *leaf[];                 /* NULL: all of it is the base's */
};

static struct overlay *disk_of(struct block *b) { return CONTAINER_OF(b, struct overlay, block); }

/* The bits of `count` sectors from `first` on. */
static uint32_t mask_of(unsigned first, unsigned count) { return (uint32_t)((((uint64_t)1 << count) - 1) << first); }

static bool may_allocate(void) { return page_available() > page_total() / RESERVE_SHARE; }

/* ---- the table; lock held ---- */
static struct chunk *find(struct overlay *o, uint64_t chunk)
{
    struct chunk *leaf = o->leaf[chunk / LEAF_CHUNKS];
    return leaf ? &leaf[chunk % LEAF_CHUNKS] : NULL;
}

static struct chunk *find_or_make(struct overlay *o, uint64_t chunk)
{
    struct chunk **leaf = &o->leaf[chunk / LEAF_CHUNKS];
    if (!*leaf) {
        *leaf = may_allocate() ? page_alloc(1, 1) : NULL;
        if (!*leaf) return NULL;
        memset(*leaf, 0, HV_PAGE_BYTES);
    }
    return &(*leaf)[chunk % LEAF_CHUNKS];
}

static bool put(struct overlay *o, uint64_t chunk, unsigned first, unsigned count, struct piece_cursor *from)
{
    struct chunk *c = find_or_make(o, chunk);
    if (!c) return false;
    if (!c->data) c->data = may_allocate() ? page_alloc(CHUNK_PAGES, 1) : NULL;
    if (!c->data) return false;
    pieces_copy(from, c->data + first * BLOCK_SECTOR_BYTES, (uint64_t)count * BLOCK_SECTOR_BYTES, true);
    c->ours |= mask_of(first, count);
    c->zero &= ~mask_of(first, count);
    return true;
}

static bool put_zeroes(struct overlay *o, uint64_t chunk, unsigned first, unsigned count)
{
    struct chunk *c = find_or_make(o, chunk);
    if (!c) return false;
    c->ours |= mask_of(first, count);
    c->zero |= mask_of(first, count);
    if (c->data && c->zero == c->ours) {          /* nothing in it is read any more */
        page_free(c->data, CHUNK_PAGES);
        c->data = NULL;
    }
    return true;
}

/* ---- writing: all in memory, at once ---- */
static void change(struct overlay *o, struct block_request *r)
{
    struct piece_cursor cursor = piece_cursor_of(r);
    uint64_t at = r->at, left = r->sector_count;
    bool ok = true;
    for (unsigned n; ok && left; at += n, left -= n) {
        unsigned first = (unsigned)(at % CHUNK_SECTORS);
        n = CHUNK_SECTORS - first < left ? CHUNK_SECTORS - first : (unsigned)left;
        spin_lock(&o->lock);
        ok = r->verb == BLOCK_WRITE ? put(o, at / CHUNK_SECTORS, first, n, &cursor) : put_zeroes(o, at / CHUNK_SECTORS, first, n);
        spin_unlock(&o->lock);
    }
    r->done(r, ok ? VM_SUCCESS : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory left for what is written to the overlay"));
}

/* ---- reading ---- */
static void fill_zeroes(struct piece_cursor *to, uint64_t size_bytes)
{
    uint64_t n;
    for (uint64_t done = 0; done < size_bytes; done += n) {
        void *at = piece_next(to, size_bytes - done, &n);
        if (!at) return;
        memset(at, 0, n);
    }
}

/* How many of the next sectors in this chunk are alike, and what they are. */
enum owner { OWNER_BASE, OWNER_ZERO, OWNER_DATA };
static enum owner look(const struct chunk *c, unsigned first, unsigned limit, unsigned *count)
{
    if (!c) return *count = limit, OWNER_BASE;
    bool is_ours = c->ours >> first & 1, is_zero = c->zero >> first & 1;
    unsigned n = 1;
    while (n < limit && (c->ours >> (first + n) & 1) == is_ours && (c->zero >> (first + n) & 1) == is_zero) n++;
    *count = n;
    return !is_ours ? OWNER_BASE : is_zero ? OWNER_ZERO : OWNER_DATA;
}

/* Copies what is ours; returns how many sectors from op->at on are the base's (0: the read is complete). */
static uint64_t copy_ours(struct operation *op)
{
    struct overlay *o = op->disk;
    uint64_t base_count = 0;
    while (op->left > base_count) {
        uint64_t at = op->at + base_count, left = op->left - base_count;
        unsigned first = (unsigned)(at % CHUNK_SECTORS), n;
        spin_lock(&o->lock);
        struct chunk *c = find(o, at / CHUNK_SECTORS);
        enum owner who = look(c, first, CHUNK_SECTORS - first < left ? CHUNK_SECTORS - first : (unsigned)left, &n);
        if (who == OWNER_DATA && !base_count)
            pieces_copy(&op->cursor, c->data + first * BLOCK_SECTOR_BYTES, (uint64_t)n * BLOCK_SECTOR_BYTES, false);
        spin_unlock(&o->lock);
        if (who == OWNER_BASE) {
            base_count += n;
        } else if (base_count) {
            break;
        } else {
            if (who == OWNER_ZERO) fill_zeroes(&op->cursor, (uint64_t)n * BLOCK_SECTOR_BYTES);
            op->at += n;
            op->left -= n;
        }
    }
    return base_count;
}

/* Adds one sector's pieces to op->piece, joined to the last one where they touch; false: no room for all of them. */
static bool add_sector(struct operation *op, unsigned *count)
{
    struct piece_cursor saved = op->cursor;
    unsigned n = *count, saved_count = *count;
    uint32_t saved_size = n ? op->piece[n - 1].size_bytes : 0;
    uint64_t length;
    for (uint32_t done = 0; done < BLOCK_SECTOR_BYTES; done += (uint32_t)length) {
        char *at = piece_next(&op->cursor, BLOCK_SECTOR_BYTES - done, &length);
        struct block_piece *last = n ? &op->piece[n - 1] : NULL;
        if (last && (char *)last->at + last->size_bytes == at && last->size_bytes <= UINT32_MAX - length) {
            last->size_bytes += (uint32_t)length;
        } else if (n < OP_PIECES) {
            op->piece[n++] = (struct block_piece){ at, (uint32_t)length };
        } else {
            op->cursor = saved;
            if (saved_count) op->piece[saved_count - 1].size_bytes = saved_size;
            return false;
        }
    }
    *count = n;
    return true;
}

static void base_done(struct block_request *sub, struct vm_error result);

static void make_sub(struct operation *op, uint64_t sector_count)
{
    unsigned pieces = 0;
    uint32_t sectors = 0;
    while (sectors < sector_count && add_sector(op, &pieces)) sectors++;
    op->sub = (struct block_request){ .verb = BLOCK_READ, .sector = op->at, .sector_count = sectors, .piece = op->piece,
                                      .piece_count = pieces, .done = base_done, .ctx = op };
}

/* Goes on until the base keeps a request, and from read to read while others wait. Not recursive: a base that completes
 * inside submit only leaves word in `phase`. */
static void go_on(struct operation *op)
{
    struct overlay *o = op->disk;
    for (;;) {
        uint64_t base_count = vm_failed(op->result) ? 0 : copy_ours(op);
        if (base_count) {
            make_sub(op, base_count);
            __atomic_store_n(&op->phase, PHASE_SUBMITTING, __ATOMIC_RELEASE);
            block_submit(o->base, &op->sub);
            if (__atomic_exchange_n(&op->phase, PHASE_WAITING, __ATOMIC_ACQ_REL) != PHASE_DONE) return;   /* pairs with base_done */
            continue;
        }
        op->parent->done(op->parent, op->result);
        spin_lock(&o->lock);
        struct block_request *next = o->waiting;
        if (next) {
            o->waiting = next->next;
            if (!o->waiting) o->waiting_tail = &o->waiting;
        } else {
            op->next_free = o->free_op;
            o->free_op = op;
        }
        spin_unlock(&o->lock);
        if (!next) return;
        op->parent = next;
        op->cursor = piece_cursor_of(next);
        op->at = next->at;
        op->left = next->sector_count;
        op->result = VM_SUCCESS;
    }
}

static void base_done(struct block_request *sub, struct vm_error result)
{
    struct operation *op = sub->ctx;
    op->result = result;
    op->at += sub->sector_count;
    op->left -= sub->sector_count;
    if (__atomic_exchange_n(&op->phase, PHASE_DONE, __ATOMIC_ACQ_REL) == PHASE_WAITING) go_on(op);       /* pairs with go_on */
}

static void read_sectors(struct overlay *o, struct block_request *r)
{
    spin_lock(&o->lock);
    struct operation *op = o->free_op;
    if (op) {
        o->free_op = op->next_free;
    } else {
        r->next = NULL;
        *o->waiting_tail = r;
        o->waiting_tail = &r->next;
    }
    spin_unlock(&o->lock);
    if (!op) return;
    op->parent = r;
    op->cursor = piece_cursor_of(r);
    op->at = r->at;
    op->left = r->sector_count;
    op->result = VM_SUCCESS;
    go_on(op);
}

static void submit(struct block *b, struct block_request *r)
{
    switch (r->verb) {
    case BLOCK_READ:
        read_sectors(disk_of(b), r);
        return;
    case BLOCK_FLUSH:
        r->done(r, VM_SUCCESS);
        return;
    case BLOCK_WRITE: case BLOCK_DISCARD: case BLOCK_WRITE_ZEROES:
        change(disk_of(b), r);
        return;
    }
}

static void destroy(struct block *b)
{
    struct overlay *o = disk_of(b);
    for (uint64_t i = 0; i < o->leaf_count; i++) {
        if (!o->leaf[i]) continue;
        for (unsigned n = 0; n < LEAF_CHUNKS; n++) if (o->leaf[i][n].data) page_free(o->leaf[i][n].data, CHUNK_PAGES);
        page_free(o->leaf[i], 1);
    }
    block_destroy(o->base);
    heap_free(o->ops);
    heap_free(o);
}

static const struct block_ops overlay_ops = { .name = "overlay", .submit = submit, .destroy = destroy };

struct vm_error block_overlay_create(struct block *base, struct block **out)
{
    uint64_t leaves = base->sector_count / (LEAF_CHUNKS * CHUNK_SECTORS) + 1;
    if (leaves > page_total()) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an overlay's table");
    struct overlay *o = heap_alloc(sizeof *o + leaves * sizeof o->leaf[0]);
    struct operation *ops = heap_alloc(OPS * sizeof *ops);
    if (!o || !ops) {
        heap_free(o);
        heap_free(ops);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an overlay");
    }
    o->block = (struct block){ .ops = &overlay_ops, .sector_count = base->sector_count, .has_discard = true, .serial = "hospes-overlay" };
    o->base = base;
    o->ops = ops;
    o->leaf_count = leaves;
    o->waiting_tail = &o->waiting;
    for (unsigned i = 0; i < OPS; i++) {
        ops[i].disk = o;
        ops[i].next_free = o->free_op;
        o->free_op = &ops[i];
    }
    *out = &o->block;
    return VM_SUCCESS;
}
