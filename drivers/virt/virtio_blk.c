// SPDX-License-Identifier: Apache-2.0
/* virtio-blk: requests go from the ring into a fixed pool, from there to the disk with guest RAM itself as scatter list,
 * and back when the disk says so, in any order. One thread at a time pumps (is_pumping), with no lock while it submits;
 * the chain under parse is the pumper's. All else belongs to the device's lock. Section numbers: virtio 1.2. */
#include "drivers/virt/virtio_blk.h"
#include "drivers/virt/virtio_mmio.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/percpu.h"

#define DEVICE_ID        2
#define POOL             32
#define SEGMENTS         254u              /* what seg_max says: a queue's worth less header and status */
#define PIECES           320               /* more than SEGMENTS: a buffer may lie across host chunks */
#define MAX_ZERO_SECTORS 131072u           /* 64 MiB: bounds the work of one discard or write-zeroes */

/* 5.2.3 feature bits */
#define F_SEG_MAX      (1ull << 2)
#define F_RO           (1ull << 5)
#define F_BLK_SIZE     (1ull << 6)
#define F_FLUSH        (1ull << 9)
#define F_TOPOLOGY     (1ull << 10)
#define F_CONFIG_WCE   (1ull << 11)
#define F_DISCARD      (1ull << 13)
#define F_WRITE_ZEROES (1ull << 14)

/* 5.2.4 offsets in struct virtio_blk_config */
enum { CONFIG_CAPACITY = 0, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20, CONFIG_PHYSICAL_EXP = 24, CONFIG_MIN_IO = 26,
       CONFIG_OPT_IO = 28, CONFIG_WRITEBACK = 32, CONFIG_MAX_DISCARD = 36, CONFIG_DISCARD_SEGMENTS = 40,
       CONFIG_DISCARD_ALIGNMENT = 44, CONFIG_MAX_ZEROES = 48, CONFIG_ZEROES_SEGMENTS = 52, CONFIG_MAY_UNMAP = 56,
       CONFIG_BYTES = 60 };

/* 5.2.6 */
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
#define HEADER_BYTES  16u
#define RANGE_BYTES   16u                  /* struct virtio_blk_discard_write_zeroes */
#define ID_BYTES      20u
#define RANGE_UNMAP   1u
_Static_assert(HEADER_BYTES == 4 + 4 + 8, "5.2.6: type, reserved, sector");

struct disk_request {
    struct block_request block;
    struct virtio_blk   *owner;
    struct disk_request *next_free;
    guest_phys_addr      status_at;
    uint32_t             room_bytes;       /* before the status byte */
    uint32_t             data_bytes;       /* of them, written when all goes well */
    uint16_t             head;
    struct block_piece   piece[PIECES];
};
struct virtio_blk {
    struct virtio_device device;
    struct block        *disk;
    uint32_t             active;           /* atomic: requests in flight and pumps at work; drain waits for 0 */
    bool                 is_pumping, is_stalled;
    struct disk_request *free;
    struct virtq_chain   chain;
    struct disk_request  pool[POOL];
};

static struct virtio_blk *blk_of(struct virtio_device *d) { return CONTAINER_OF(d, struct virtio_blk, device); }

static void enter(struct virtio_blk *b) { __atomic_fetch_add(&b->active, 1, __ATOMIC_ACQUIRE); }
static void leave(struct virtio_blk *b) { __atomic_fetch_sub(&b->active, 1, __ATOMIC_RELEASE); }   /* pairs with the acquire in drain */

/* 5.2.5, 5.2.6.2: without CONFIG_WCE a driver that cannot flush gets write-through. */
static bool is_write_back(const struct virtio_blk *b)
{
    if (!(b->device.accepted & F_FLUSH)) return false;
    return !(b->device.accepted & F_CONFIG_WCE) || b->device.config[CONFIG_WRITEBACK];
}

/* ---- from chain to request; lock held ---- */
static bool add_piece(struct disk_request *r, void *at, uint32_t size_bytes)
{
    struct block_piece *last = r->block.piece_count ? &r->piece[r->block.piece_count - 1] : NULL;
    if (last && (char *)last->at + last->size_bytes == at && last->size_bytes <= UINT32_MAX - size_bytes) {
        last->size_bytes += size_bytes;
        return true;
    }
    if (r->block.piece_count == PIECES) return false;
    r->piece[r->block.piece_count++] = (struct block_piece){ at, size_bytes };
    return true;
}

/* The guest's RAM of `count` segments, without the first skip_bytes and of the length size_bytes. */
static bool add_pieces(struct virtio_blk *b, struct disk_request *r, const struct virtq_segment *s, unsigned count,
                       uint32_t skip_bytes, uint32_t size_bytes, enum access_type how)
{
    for (unsigned i = 0; i < count && size_bytes; i++) {
        uint32_t skip = skip_bytes < s[i].size_bytes ? skip_bytes : s[i].size_bytes;
        uint32_t left = s[i].size_bytes - skip;
        guest_phys_addr at = guest_phys_addr_wrapping_add(s[i].at, skip);
        skip_bytes -= skip;
        if (left > size_bytes) left = size_bytes;
        size_bytes -= left;
        while (left) {
            uint64_t n;
            void *p = gmem_span(b->device.gmem, at, left, how, &n);
            if (!p || !add_piece(r, p, (uint32_t)n)) return false;
            at = guest_phys_addr_wrapping_add(at, n);
            left -= (uint32_t)n;
        }
    }
    return size_bytes == 0;
}

/* The rest is one function per type: S_OK and r->block filled in for the disk, or a status to answer with at once. */
#define SUBMIT (-1)
static int make_transfer(struct virtio_blk *b, struct disk_request *r, uint32_t size_bytes, bool is_write)
{
    const struct virtq_chain *c = &b->chain;
    if (!size_bytes || size_bytes % BLOCK_SECTOR_BYTES) return S_IOERR;
    r->block.verb = is_write ? BLOCK_WRITE : BLOCK_READ;
    r->block.sector_count = size_bytes / BLOCK_SECTOR_BYTES;
    bool ok = is_write ? add_pieces(b, r, c->segment, c->readable_count, HEADER_BYTES, size_bytes, ACCESS_READ)
                       : add_pieces(b, r, c->segment + c->readable_count, c->writable_count, 0, size_bytes, ACCESS_WRITE);
    return ok ? SUBMIT : S_IOERR;
}

static int make_range(struct virtio_blk *b, struct disk_request *r, uint32_t size_bytes, bool is_discard)
{
    uint8_t raw[RANGE_BYTES];
    if (!(b->device.accepted & (is_discard ? F_DISCARD : F_WRITE_ZEROES))) return S_UNSUPP;
    if (size_bytes > sizeof raw) return S_UNSUPP;                                 /* one range is all we offered */
    if (!virtq_chain_read(b->device.gmem, &b->chain, HEADER_BYTES, raw, sizeof raw)) return S_IOERR;
    uint32_t count = load_le32(raw + 8), flags = load_le32(raw + 12);
    if (flags & ~(is_discard ? 0 : RANGE_UNMAP)) return S_UNSUPP;                 /* 5.2.6.2 */
    if (count > MAX_ZERO_SECTORS) return S_IOERR;
    r->block.verb = is_discard ? BLOCK_DISCARD : BLOCK_WRITE_ZEROES;
    r->block.sector = load_le64(raw);
    r->block.sector_count = count;
    r->block.may_unmap = flags & RANGE_UNMAP;
    return SUBMIT;
}

static int answer_id(struct virtio_blk *b, struct disk_request *r, uint32_t room_bytes)
{
    char id[ID_BYTES] = "";
    uint32_t n = room_bytes < ID_BYTES ? room_bytes : ID_BYTES;
    memcpy(id, b->disk->serial, strnlen(b->disk->serial, ID_BYTES));
    r->data_bytes = n;
    return virtq_chain_write(b->device.gmem, &b->chain, 0, id, n) ? S_OK : S_IOERR;
}

static int make_flush(struct disk_request *r)
{
    r->block.verb = BLOCK_FLUSH;
    r->block.sector = 0;                                       /* whatever the header said */
    return SUBMIT;
}

static int make_request(struct virtio_blk *b, struct disk_request *r)
{
    uint8_t header[HEADER_BYTES];
    uint32_t data_out = b->chain.readable_bytes - HEADER_BYTES, data_in = r->room_bytes;
    if (!virtq_chain_read(b->device.gmem, &b->chain, 0, header, sizeof header)) return S_IOERR;
    uint32_t type = load_le32(header);
    r->data_bytes = type == T_IN ? data_in : 0;
    r->block.sector = load_le64(header + 8);
    switch (type) {
    case T_IN:           return make_transfer(b, r, data_in, false);
    case T_OUT:          return b->disk->is_read_only ? S_IOERR : make_transfer(b, r, data_out, true);
    case T_FLUSH:        return make_flush(r);
    case T_GET_ID:       return answer_id(b, r, data_in);
    case T_DISCARD:      return make_range(b, r, data_out, true);
    case T_WRITE_ZEROES: return make_range(b, r, data_out, false);
    default:             return S_UNSUPP;
    }
}

/* ---- completion ---- */
/* Lock held. */
static void answer(struct virtio_blk *b, struct disk_request *r, uint8_t status)
{
    /* Else the memory is not ours any more. What a stop or a reset leaves in flight finds a broken device (virtio_mmio.c). */
    if (virtio_is_live(&b->device) && b->device.queue[0].is_ready) {
        uint8_t *at = gmem_slice(b->device.gmem, r->status_at, 1, ACCESS_WRITE);
        if (at) __atomic_store_n(at, status, __ATOMIC_RELAXED);
        /* 2.7.8.2: so many bytes from the start are written; the status byte counts when nothing is missing before it */
        uint32_t n = status == S_OK ? r->data_bytes : 0;
        virtio_push(&b->device, 0, r->head, n == r->room_bytes ? n + 1 : n);
        virtio_interrupt(&b->device, 0);
    }
    r->next_free = b->free;
    b->free = r;
}

static void pump(struct virtio_blk *b);

static void done(struct block_request *block, struct vm_error result)
{
    struct disk_request *r = block->ctx;
    struct virtio_blk *b = r->owner;
    bool is_change = block->verb != BLOCK_READ && block->verb != BLOCK_FLUSH;
    spin_lock(&b->device.lock);
    if (!vm_failed(result) && is_change && !is_write_back(b)) {
        spin_unlock(&b->device.lock);
        r->block = (struct block_request){ .verb = BLOCK_FLUSH, .done = done, .ctx = r };
        block_submit(b->disk, &r->block);
        return;
    }
    if (vm_failed(result) && log_allowed(&b->device.log, 4)) {
        char text[96];
        vm_error_format(text, sizeof text, &result);
        log_notice("virtio blk: %s", text);
    }
    answer(b, r, vm_failed(result) ? S_IOERR : S_OK);
    bool go_on = b->is_stalled;
    spin_unlock(&b->device.lock);
    if (go_on) pump(b);
    leave(b);
}

/* ---- the pump ---- */
static struct disk_request *take_free(struct virtio_blk *b)
{
    struct disk_request *r = b->free;
    b->free = r->next_free;
    r->head = b->chain.head;
    r->room_bytes = b->chain.writable_bytes - 1;
    r->data_bytes = 0;
    r->block = (struct block_request){ .piece = r->piece, .done = done, .ctx = r };
    return r;
}

/* Lock held on entry and on return; released while the disk has the word. */
static void serve_chain(struct virtio_blk *b)
{
    const struct virtq_chain *c = &b->chain;
    if (c->readable_bytes < HEADER_BYTES || !c->writable_bytes) {
        virtio_break(&b->device, "request without header or status");
        return;
    }
    const struct virtq_segment *last = &c->segment[c->readable_count + c->writable_count - 1];
    struct disk_request *r = take_free(b);
    r->status_at = guest_phys_addr_wrapping_add(last->at, last->size_bytes - 1);
    int status = make_request(b, r);
    if (status != SUBMIT) {
        answer(b, r, (uint8_t)status);
        return;
    }
    enter(b);
    spin_unlock(&b->device.lock);
    block_submit(b->disk, &r->block);
    spin_lock(&b->device.lock);
}

static void pump(struct virtio_blk *b)
{
    enter(b);
    spin_lock(&b->device.lock);
    if (!b->is_pumping) {
        b->is_pumping = true;
        unsigned budget = VIRTIO_NOTIFY_CHAINS;
        for (;;) {
            b->is_stalled = !b->free;                          /* a completion goes on with the ring then */
            if (b->is_stalled || virtio_pop(&b->device, 0, &b->chain) != VIRTQ_CHAIN) break;
            serve_chain(b);
            if (!--budget) {
                virtio_breathe(&b->device, VIRTIO_BREATH_NS);
                break;
            }
        }
        b->is_pumping = false;
    }
    spin_unlock(&b->device.lock);
    leave(b);
}

static void notify(struct virtio_device *d, unsigned queue)
{
    (void)queue;
    pump(blk_of(d));
}

/* ---- life ---- */
static void config_write(struct virtio_device *d, unsigned offset, unsigned size_bytes, uint64_t value)
{
    if (offset == CONFIG_WRITEBACK && size_bytes == 1 && d->accepted & F_CONFIG_WCE) d->config[CONFIG_WRITEBACK] = value & 1;
}

/* 5.2.5.2: a driver that can choose but not flush starts with write-through. */
static void negotiated(struct virtio_device *d) { d->config[CONFIG_WRITEBACK] = (d->accepted & F_FLUSH) != 0; }

static bool drain(struct virtio_device *d)
{
    struct virtio_blk *b = blk_of(d);
    uint64_t end_ns = arch_time_ns() + VIRTIO_DRAIN_NS;
    while (__atomic_load_n(&b->active, __ATOMIC_ACQUIRE)) {    /* pairs with leave */
        if (arch_time_ns() > end_ns) return false;
        percpu_service();                                      /* completions may be this core's work */
        arch_cpu_relax();
    }
    return true;
}

static void reset(struct virtio_device *d)   { d->config[CONFIG_WRITEBACK] = 1; }
static void destroy(struct virtio_device *d) { heap_free(blk_of(d)); }

static const struct virtio_ops blk_ops = { .name = "blk", .device_id = DEVICE_ID, .queue_count = 1, .notify = notify,
                                           .config_write = config_write, .negotiated = negotiated, .drain = drain, .reset = reset,
                                           .destroy = destroy };

static void make_config(uint8_t *c, const struct block *disk)
{
    store_le64(c + CONFIG_CAPACITY, disk->sector_count);
    store_le32(c + CONFIG_SEG_MAX, SEGMENTS);
    store_le32(c + CONFIG_BLK_SIZE, BLOCK_SECTOR_BYTES);
    c[CONFIG_PHYSICAL_EXP] = 3;                                /* 4096 bytes are written best at once */
    store_le16(c + CONFIG_MIN_IO, 8);
    c[CONFIG_WRITEBACK] = 1;
    if (disk->is_read_only) return;
    if (disk->has_discard) {
        store_le32(c + CONFIG_MAX_DISCARD, MAX_ZERO_SECTORS);
        store_le32(c + CONFIG_DISCARD_SEGMENTS, 1);
        store_le32(c + CONFIG_DISCARD_ALIGNMENT, 8);
    }
    store_le32(c + CONFIG_MAX_ZEROES, MAX_ZERO_SECTORS);
    store_le32(c + CONFIG_ZEROES_SEGMENTS, 1);
    c[CONFIG_MAY_UNMAP] = disk->has_discard;
}

struct vm_error virtio_blk_create(const struct virtio_slot *s, struct block *disk, struct mmio_region *out)
{
    struct virtio_blk *b = heap_alloc(sizeof *b);
    if (!b) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for virtio blk");
    uint64_t features = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE;
    features |= disk->is_read_only ? F_RO : F_WRITE_ZEROES;
    if (disk->has_discard && !disk->is_read_only) features |= F_DISCARD;
    virtio_init(&b->device, &blk_ops, s, features);
    b->disk = disk;
    for (unsigned i = 0; i < POOL; i++) {
        b->pool[i].owner = b;
        b->pool[i].next_free = b->free;
        b->free = &b->pool[i];
    }
    b->device.config_bytes = CONFIG_BYTES;
    make_config(b->device.config, disk);
    virtio_mmio_region(&b->device, s, out);
    return VM_SUCCESS;
}
