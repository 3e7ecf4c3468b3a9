// SPDX-License-Identifier: Apache-2.0
/* The machine's virtio disks; see virtio_blk_host.h. Every slot owns a fixed run of descriptors, so what the device returns
 * is checked by one division and can name nothing but a slot in flight. A request larger than a slot's descriptors is served
 * by one command after the other. Everything belongs to `lock`, but DMA memory, which the device changes at will: it is
 * read once and checked. `done` is called without the lock; in interrupt context nothing happens here. */
#include "drivers/host/virtio_blk_host.h"
#include "drivers/block/pieces.h"
#include "hv/arch/spin.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/device.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"
#include "hv/core/page.h"
#include "hv/core/timer.h"

#define QUEUE_SIZE_MOST  256u
#define SLOT_DESCRIPTORS 16u
#define SLOTS_MOST       (QUEUE_SIZE_MOST / SLOT_DESCRIPTORS)
#define COMMAND_SECTORS  32768u
#define BOUNCE_SECTORS   (HV_PAGE_BYTES / BLOCK_SECTOR_BYTES)
#define POLL_NS          500000ull                        /* of a device without interrupts */
#define LOOK_NS          1000000000ull                    /* for lost interrupts and time-outs */
#define LOST_MOST        3u                               /* answers found without an interrupt: then the line is dead */
#define FIRST_ANSWER_NS  2000000000ull

enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_DISCARD = 13, F_WRITE_ZEROES = 14 };
enum { CONFIG_CAPACITY = 0, CONFIG_SIZE_MAX = 8, CONFIG_SEG_MAX = 12, CONFIG_BLK_SIZE = 20, CONFIG_DISCARD_SECTORS = 36,
       CONFIG_ZEROES_SECTORS = 48, CONFIG_ZEROES_UNMAP = 56 };
enum { TYPE_IN = 0, TYPE_OUT = 1, TYPE_FLUSH = 4, TYPE_GET_ID = 8, TYPE_DISCARD = 11, TYPE_WRITE_ZEROES = 13 };
enum { ANSWER_OK = 0, ANSWER_UNSUPPORTED = 2, ANSWER_NONE = 0xff, ID_BYTES = 20, ZEROES_UNMAP = 1 };
enum { DESCRIPTOR_NEXT = 1, DESCRIPTOR_WRITE = 2 };

/* 2.7: the rings. */
struct descriptor { uint64_t address; uint32_t length; uint16_t flags, next; };
struct driver_ring { uint16_t flags, index, ring[]; };
struct used_element { uint32_t id, length; };
struct device_ring { uint16_t flags, index; struct used_element ring[]; };
/* What a slot's command shares with the device. */
struct command {
    struct { uint32_t type, reserved; uint64_t sector; } header;
    struct { uint64_t sector; uint32_t count, flags; } range;
    uint8_t answer;
};
_Static_assert(sizeof(struct descriptor) == 16 && sizeof(struct used_element) == 8, "2.7.5, 2.7.8");

struct slot {
    struct block_request *parent;                         /* NULL: the slot is free */
    struct piece_cursor   cursor;
    uint64_t at, left;                                    /* sectors */
    uint32_t now;                                         /* sectors of the command in flight */
    bool     is_bounced;
    uint64_t deadline_ns;
};
struct disk {
    struct block           block;
    struct virtio_host     device;
    struct spinlock        lock;
    struct device_service  service;
    struct timer           timer;
    bool                   is_watched, is_broken, can_flush, can_zero, zeroes_unmap;
    uint64_t               timeout_ns, dma_pages;
    uint32_t               size_max, segments, discard_sectors, zeroes_sectors;
    uint16_t               queue_size, per_slot, slots, driver_index, device_index;
    unsigned               in_flight, lost;
    struct block_request  *waiting, **waiting_tail;
    struct slot            slot[SLOTS_MOST];
    /* DMA memory */
    struct descriptor     *descriptor;
    struct driver_ring    *driver_ring;
    volatile struct device_ring *device_ring;
    struct command        *command;
    uint8_t               *bounce, *zeroes;
};
/* Requests that have ended while the lock was held. */
struct ended { struct block_request *request[SLOTS_MOST * 2]; struct vm_error result[SLOTS_MOST * 2]; unsigned count; };

static struct disk *disk_of(struct block *b) { return CONTAINER_OF(b, struct disk, block); }

static struct vm_error failed(const char *why) { return vm_error_because(VM_DEVICE_IO_FAILED, why); }

/* ---- commands; lock held ---- */
static void describe(struct disk *d, unsigned slot, unsigned n, const void *at, uint32_t length, uint16_t flags)
{
    unsigned i = slot * d->per_slot + n;
    d->descriptor[i] = (struct descriptor){ (uint64_t)(uintptr_t)at, length, flags, (uint16_t)(flags & DESCRIPTOR_NEXT ? i + 1 : 0) };
}

/* Header, n data descriptors that are in place, answer; and off. */
static void send(struct disk *d, unsigned slot, uint32_t type, uint64_t sector, unsigned n)
{
    struct command *c = &d->command[slot];
    c->header.type = type;
    c->header.reserved = 0;
    c->header.sector = sector;
    *(volatile uint8_t *)&c->answer = ANSWER_NONE;
    describe(d, slot, 0, &c->header, sizeof c->header, DESCRIPTOR_NEXT);
    describe(d, slot, n + 1, &c->answer, 1, DESCRIPTOR_WRITE);
    d->driver_ring->ring[d->driver_index & (d->queue_size - 1)] = (uint16_t)(slot * d->per_slot);
    arch_dma_barrier();                                   /* 2.7.13.2: the entry before its index */
    *(volatile uint16_t *)&d->driver_ring->index = ++d->driver_index;
    arch_dma_barrier();                                   /* and that before the bell */
    d->in_flight++;
    d->device.ops->notify(&d->device, 0);
}

/* How many bytes of the list, whole sectors, fit into the slot's descriptors; with `slot` they are written there. */
static uint64_t gather(struct disk *d, struct piece_cursor *c, uint64_t want, int slot, uint16_t flags, unsigned *count)
{
    uint64_t sum = 0, n;
    unsigned k = 0;
    for (; sum < want && k < d->segments; k++, sum += n) {
        void *at = piece_next(c, want - sum < d->size_max ? want - sum : d->size_max, &n);
        if (!at) break;
        if (slot >= 0) describe(d, (unsigned)slot, k + 1, at, (uint32_t)n, flags);
    }
    *count = k;
    return sum & ~(uint64_t)(BLOCK_SECTOR_BYTES - 1);
}

static void send_data(struct disk *d, unsigned slot)
{
    struct slot *s = &d->slot[slot];
    bool is_read = s->parent->verb == BLOCK_READ;
    uint16_t flags = (uint16_t)(DESCRIPTOR_NEXT | (is_read ? DESCRIPTOR_WRITE : 0));
    uint32_t sectors = s->left < COMMAND_SECTORS ? (uint32_t)s->left : COMMAND_SECTORS;
    struct piece_cursor trial = s->cursor;
    unsigned n;
    uint64_t bytes = gather(d, &trial, (uint64_t)sectors * BLOCK_SECTOR_BYTES, -1, 0, &n);
    s->is_bounced = !bytes;                               /* pieces so small that no sector fits: through a page of ours */
    if (s->is_bounced) {
        uint32_t most = d->size_max < HV_PAGE_BYTES ? 1 : BOUNCE_SECTORS;
        void *page = d->bounce + slot * HV_PAGE_BYTES;
        s->now = sectors < most ? sectors : most;
        if (!is_read) pieces_copy(&s->cursor, page, (uint64_t)s->now * BLOCK_SECTOR_BYTES, true);
        describe(d, slot, 1, page, s->now * BLOCK_SECTOR_BYTES, flags);
        n = 1;
    } else {
        s->now = (uint32_t)(bytes / BLOCK_SECTOR_BYTES);
        gather(d, &s->cursor, bytes, (int)slot, flags, &n);
    }
    send(d, slot, is_read ? TYPE_IN : TYPE_OUT, s->at, n);
}

static void send_range(struct disk *d, unsigned slot, uint32_t type, uint32_t most, uint32_t flags)
{
    struct slot *s = &d->slot[slot];
    struct command *c = &d->command[slot];
    s->now = s->left < most ? (uint32_t)s->left : most;
    c->range.sector = s->at;
    c->range.count = s->now;
    c->range.flags = flags;
    describe(d, slot, 1, &c->range, sizeof c->range, DESCRIPTOR_NEXT);
    send(d, slot, type, 0, 1);
}

/* For a device that cannot: writes of one page of zeroes, over and over. */
static void send_zeroes(struct disk *d, unsigned slot)
{
    struct slot *s = &d->slot[slot];
    uint32_t each = d->size_max < HV_PAGE_BYTES ? 1 : BOUNCE_SECTORS, part;
    unsigned n = 0;
    for (s->now = 0; n < d->segments && s->now < s->left; n++, s->now += part) {
        part = s->left - s->now < each ? (uint32_t)(s->left - s->now) : each;
        describe(d, slot, n + 1, d->zeroes, part * BLOCK_SECTOR_BYTES, DESCRIPTOR_NEXT);
    }
    send(d, slot, TYPE_OUT, s->at, n);
}

static void go_on(struct disk *d, unsigned slot)
{
    struct slot *s = &d->slot[slot];
    s->deadline_ns = arch_time_ns() + d->timeout_ns;
    s->is_bounced = false;
    switch (s->parent->verb) {
    case BLOCK_READ: case BLOCK_WRITE:
        send_data(d, slot);
        return;
    case BLOCK_FLUSH:
        s->now = 0;
        send(d, slot, TYPE_FLUSH, 0, 0);
        return;
    case BLOCK_DISCARD:
        send_range(d, slot, TYPE_DISCARD, d->discard_sectors, 0);
        return;
    case BLOCK_WRITE_ZEROES:
        if (d->can_zero) send_range(d, slot, TYPE_WRITE_ZEROES, d->zeroes_sectors, s->parent->may_unmap && d->zeroes_unmap ? ZEROES_UNMAP : 0);
        else send_zeroes(d, slot);
        return;
    }
}

static void start(struct disk *d, unsigned slot, struct block_request *r)
{
    d->slot[slot] = (struct slot){ .parent = r, .cursor = piece_cursor_of(r), .at = r->at, .left = r->sector_count };
    go_on(d, slot);
    if (d->is_watched) return;
    d->is_watched = true;
    timer_arm(&d->timer, arch_time_ns() + (d->device.has_irq ? LOOK_NS : POLL_NS));
}

static void end_request(struct ended *e, struct block_request *r, struct vm_error result)
{
    e->request[e->count] = r;
    e->result[e->count++] = result;
}

static void call_done(struct ended *e)
{
    for (unsigned i = 0; i < e->count; i++) e->request[i]->done(e->request[i], e->result[i]);
    e->count = 0;
}

/* A command has been answered. */
static void answered(struct disk *d, unsigned slot, struct ended *e)
{
    struct slot *s = &d->slot[slot];
    struct block_request *r = s->parent;
    uint8_t answer = *(volatile uint8_t *)&d->command[slot].answer;
    d->in_flight--;
    if (answer == ANSWER_OK) {
        if (s->is_bounced && r->verb == BLOCK_READ) pieces_copy(&s->cursor, d->bounce + slot * HV_PAGE_BYTES, (uint64_t)s->now * BLOCK_SECTOR_BYTES, false);
        s->at += s->now;
        s->left -= s->now;
        if (s->left) {
            go_on(d, slot);
            return;
        }
    }
    end_request(e, r, answer == ANSWER_OK            ? VM_SUCCESS
                      : answer == ANSWER_UNSUPPORTED ? vm_error_because(VM_DEVICE_UNSUPPORTED_OPERATION, "the host's disk does not do that")
                                                     : failed("the host's disk reports an error"));
    s->parent = NULL;
    if (!d->waiting) return;
    r = d->waiting;
    d->waiting = r->next;
    if (!d->waiting) d->waiting_tail = &d->waiting;
    start(d, slot, r);
}

/* Takes what the device has returned, as long as there is room in *e. NULL, or what it lied about. */
static const char *reap(struct disk *d, struct ended *e)
{
    while (e->count < ARRAY_COUNT(e->request)) {
        uint16_t fresh = (uint16_t)(d->device_ring->index - d->device_index);
        if (!fresh) return NULL;
        if (fresh > d->in_flight) return "returns more than it was given";
        arch_dma_barrier();                               /* 2.7.14: the index before its entries */
        uint32_t id = d->device_ring->ring[d->device_index++ & (d->queue_size - 1)].id;
        if (id >= d->queue_size || id % d->per_slot || id / d->per_slot >= d->slots || !d->slot[id / d->per_slot].parent)
            return "returns what it was not given";
        answered(d, id / d->per_slot, e);
    }
    return NULL;
}

/* ---- the end of a device; no lock held ---- */
static void fail_all(struct disk *d)
{
    struct ended e = { .count = 0 };
    spin_lock(&d->lock);
    for (unsigned i = 0; i < d->slots; i++) {
        if (d->slot[i].parent) end_request(&e, d->slot[i].parent, failed("the host's disk does not answer"));
        d->slot[i].parent = NULL;
    }
    struct block_request *rest = d->waiting;
    d->waiting = NULL;
    d->waiting_tail = &d->waiting;
    d->in_flight = 0;
    spin_unlock(&d->lock);
    call_done(&e);
    for (struct block_request *r = rest, *next; r; r = next) {
        next = r->next;
        r->done(r, failed("the host's disk does not answer"));
    }
}

/* From here on nobody but this function touches the device or the slots. */
static void give_up(struct disk *d, const char *why)
{
    log_error("host disk %s %s: it is given up", d->device.name, why);
    bool is_reset = virtio_host_reset(&d->device);
    d->device.ops->stop_dma(&d->device);
    if (!is_reset) log_error("host disk %s does not let itself be reset", d->device.name);
    fail_all(d);
}

/* True: the device had something. */
static bool serve_until(struct disk *d, uint64_t now_ns)
{
    struct ended e = { .count = 0 };
    const char *wrong = NULL;
    bool had_some = false;
    do {
        spin_lock(&d->lock);
        if (!d->is_broken) {
            uint16_t before = d->device_index;
            wrong = reap(d, &e);
            had_some |= d->device_index != before;
            for (unsigned i = 0; now_ns && !wrong && i < d->slots; i++) {
                if (d->slot[i].parent && d->slot[i].deadline_ns < now_ns) wrong = "does not answer";
            }
            if (now_ns && !wrong && d->device.ops->status(&d->device) & VIRTIO_NEEDS_RESET) wrong = "asks to be reset";
            d->is_broken = wrong;
        }
        spin_unlock(&d->lock);
        bool is_full = e.count == ARRAY_COUNT(e.request);
        call_done(&e);
        if (!is_full) break;
    } while (!wrong);
    if (wrong) give_up(d, wrong);
    return had_some;
}

static void serve(void *arg)
{
    struct disk *d = arg;
    __atomic_store_n(&d->device.has_news, 0, __ATOMIC_RELEASE);
    serve_until(d, 0);
}

static void look(void *arg)
{
    struct disk *d = arg;
    bool is_told = __atomic_load_n(&d->device.has_news, __ATOMIC_ACQUIRE);            /* pairs with virtio_host_interrupt */
    bool is_lost = serve_until(d, arch_time_ns()) && d->device.has_irq && !is_told;
    if (is_lost && ++d->lost == LOST_MOST) log_notice("host disk %s: its interrupts do not arrive: it is polled", d->device.name);
    spin_lock(&d->lock);
    if (d->lost == LOST_MOST) d->device.has_irq = false;
    d->is_watched = d->in_flight && !d->is_broken;
    if (d->is_watched) timer_arm(&d->timer, arch_time_ns() + (d->device.has_irq ? LOOK_NS : POLL_NS));
    spin_unlock(&d->lock);
}

/* ---- the disk ---- */
static int free_slot(const struct disk *d)
{
    for (unsigned i = 0; i < d->slots; i++) {
        if (!d->slot[i].parent) return (int)i;
    }
    return -1;
}

static void submit(struct block *b, struct block_request *r)
{
    struct disk *d = disk_of(b);
    if (r->verb == BLOCK_FLUSH && !d->can_flush) {        /* 5.2.6.2: then every write is safe when it is answered */
        r->done(r, VM_SUCCESS);
        return;
    }
    spin_lock(&d->lock);
    bool is_broken = d->is_broken;
    int slot = is_broken ? -1 : free_slot(d);
    if (slot >= 0) {
        start(d, (unsigned)slot, r);
    } else if (!is_broken) {
        r->next = NULL;
        *d->waiting_tail = r;
        d->waiting_tail = &r->next;
    }
    spin_unlock(&d->lock);
    if (is_broken) r->done(r, failed("the host's disk was given up"));
}

static void free_disk(struct disk *d)
{
    if (d->descriptor) page_free(d->descriptor, d->dma_pages);
    heap_free(d);
}

static void destroy(struct block *b)
{
    struct disk *d = disk_of(b);
    spin_lock(&d->lock);
    bool was_broken = d->is_broken;
    d->is_broken = true;
    spin_unlock(&d->lock);
    timer_cancel_sync(&d->timer);
    if (!was_broken && !virtio_host_reset(&d->device)) d->device.ops->stop_dma(&d->device);
    fail_all(d);
    device_service_remove(&d->service);
    free_disk(d);
}

static const struct block_ops host_ops = { .name = "virtio-blk", .submit = submit, .destroy = destroy };

/* ---- the start ---- */
static bool lay_out(struct disk *d)
{
    uint64_t table = d->queue_size * sizeof(struct descriptor), driver = sizeof(struct driver_ring) + d->queue_size * 2u + 2;
    uint64_t device = sizeof(struct device_ring) + d->queue_size * sizeof(struct used_element) + 2, commands = d->slots * sizeof(struct command);
    uint64_t driver_at = table, device_at = align_up(driver_at + driver, 16), command_at = align_up(device_at + device, 16);
    uint64_t bounce_at = align_up(command_at + commands, HV_PAGE_BYTES), end = bounce_at + (d->slots + 1ull) * HV_PAGE_BYTES;
    d->dma_pages = end / HV_PAGE_BYTES;
    uint8_t *at = page_alloc(d->dma_pages, 1);
    if (!at) return false;
    memset(at, 0, end);
    d->descriptor = (struct descriptor *)at;
    d->driver_ring = (struct driver_ring *)(at + driver_at);
    d->device_ring = (struct device_ring *)(at + device_at);
    d->command = (struct command *)(at + command_at);
    d->bounce = at + bounce_at;
    d->zeroes = d->bounce + d->slots * HV_PAGE_BYTES;
    return true;
}

static bool has(uint64_t features, unsigned bit) { return features >> bit & 1; }

static uint32_t limit(struct disk *d, uint64_t features, unsigned bit, unsigned offset, uint32_t most)
{
    uint32_t v = has(features, bit) ? (uint32_t)virtio_host_config(&d->device, offset, 4) : most;
    return v && v < most ? v : most;
}

static void read_config(struct disk *d, uint64_t f)
{
    uint32_t segments = d->per_slot - 2u;
    d->block.sector_count = virtio_host_config(&d->device, CONFIG_CAPACITY, 8);
    d->block.is_read_only = has(f, F_RO);
    d->block.has_discard = has(f, F_DISCARD) && !d->block.is_read_only;
    d->can_flush = has(f, F_FLUSH);
    d->can_zero = has(f, F_WRITE_ZEROES);
    d->zeroes_unmap = virtio_host_config(&d->device, CONFIG_ZEROES_UNMAP, 1);
    d->size_max = limit(d, f, F_SIZE_MAX, CONFIG_SIZE_MAX, 1u << 30);
    d->segments = limit(d, f, F_SEG_MAX, CONFIG_SEG_MAX, segments);
    d->discard_sectors = limit(d, f, F_DISCARD, CONFIG_DISCARD_SECTORS, 1u << 21);
    d->zeroes_sectors = limit(d, f, F_WRITE_ZEROES, CONFIG_ZEROES_SECTORS, 1u << 21);
}

/* GET_ID, before anybody else: waited for here. */
static bool read_serial(struct disk *d)
{
    describe(d, 0, 1, d->bounce, ID_BYTES, DESCRIPTOR_NEXT | DESCRIPTOR_WRITE);
    send(d, 0, TYPE_GET_ID, 0, 1);
    for (uint64_t end_ns = arch_time_ns() + FIRST_ANSWER_NS; d->device_ring->index == d->device_index;) {
        if (arch_time_ns() > end_ns) return false;
        arch_cpu_relax();
    }
    arch_dma_barrier();
    d->device_index++;
    d->in_flight--;
    if (d->device_ring->index != d->device_index || d->device_ring->ring[0].id) return false;
    if (d->command[0].answer != ANSWER_OK) return true;   /* it has none */
    for (unsigned i = 0; i < ID_BYTES && d->bounce[i]; i++) d->block.serial[i] = (char)(d->bounce[i] >= ' ' && d->bounce[i] < 0x7f ? d->bounce[i] : '?');
    return true;
}

static const char *bring_up(struct disk *d)
{
    uint64_t f;
    if (!virtio_host_start(&d->device, bit64(F_SIZE_MAX) | bit64(F_SEG_MAX) | bit64(F_RO) | bit64(F_BLK_SIZE) | bit64(F_FLUSH) |
                                       bit64(F_DISCARD) | bit64(F_WRITE_ZEROES), &f)) return "it refuses our features";
    uint32_t queue = d->device.ops->queue_max(&d->device, 0);
    if (queue > QUEUE_SIZE_MOST) queue = QUEUE_SIZE_MOST;
    if (queue < 4) return "its queue is too small";
    d->queue_size = (uint16_t)bit64(log2_floor(queue));
    d->per_slot = (uint16_t)(d->queue_size < SLOT_DESCRIPTORS ? d->queue_size : SLOT_DESCRIPTORS);
    d->slots = (uint16_t)(d->queue_size / d->per_slot);
    read_config(d, f);
    if (!d->block.sector_count || d->block.sector_count > UINT64_MAX / 2 / BLOCK_SECTOR_BYTES) return "it has no size";
    if (has(f, F_BLK_SIZE) && virtio_host_config(&d->device, CONFIG_BLK_SIZE, 4) > BLOCK_SECTOR_BYTES) return "its sectors are larger than 512 bytes";
    if (d->size_max < BLOCK_SECTOR_BYTES) return "its pieces are smaller than a sector";
    if (!lay_out(d)) return "no memory for it";
    d->device.ops->connect(&d->device);
    if (!d->device.ops->queue_start(&d->device, 0, d->queue_size, (uint64_t)(uintptr_t)d->descriptor, (uint64_t)(uintptr_t)d->driver_ring,
                                    (uint64_t)(uintptr_t)d->device_ring)) return "it refuses its queue";
    d->device.ops->set_status(&d->device, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    return read_serial(d) ? NULL : "it does not answer";
}

struct vm_error virtio_blk_host_create(const struct virtio_host *device, uint64_t timeout_ns, struct block **out)
{
    struct disk *d = heap_alloc(sizeof *d);
    if (!d) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a disk");
    d->device = *device;
    d->block.ops = &host_ops;
    d->timeout_ns = timeout_ns;
    d->waiting_tail = &d->waiting;
    timer_init(&d->timer, look, d);
    const char *wrong = bring_up(d);
    if (wrong) {
        virtio_host_reset(&d->device);
        d->device.ops->stop_dma(&d->device);
        /* An interrupt that is connected keeps its device: the struct stays. */
        if (!d->device.has_irq) free_disk(d);
        return vm_error_because(VM_DEVICE_INIT_FAILED, wrong);
    }
    log_debug("host disk %s: %u requests at once, %s", d->device.name, d->slots, d->device.has_irq ? "interrupts" : "polled");
    d->service = (struct device_service){ .serve = serve, .arg = d };
    device_service_add(&d->service);
    *out = &d->block;
    return VM_SUCCESS;
}
