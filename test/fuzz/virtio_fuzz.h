// SPDX-License-Identifier: Apache-2.0
/* A hostile virtio driver. One case is one seed: a device of some kind before a disk that fails and delays at random, and
 * a few hundred steps of a driver that half the time keeps the rules and half the time lies: sizes, places, descriptors,
 * loops, indices, registers, resets, and (when asked) another vCPU that scribbles over rings and buffers meanwhile.
 * What must hold: no sanitizer speaks; what no descriptor may name stays as it was (ROM, the witness range, a read-only
 * disk, an overlay's base); no queue has more out than the device keeps; and after a reset by the rules it works. */
#pragma once
#include <pthread.h>
#include "drivers/virt/virtio_blk.h"
#include "drivers/virt/virtio_console.h"
#include "drivers/virt/virtio_net.h"
#include "drivers/virt/virtio_rng.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"
#include "test/unit/block_faulty.h"
#include "test/unit/virtio_guest.h"

#define FUZZ_WITNESS       0x90000000ull
#define FUZZ_WITNESS_BYTES 65536u
#define FUZZ_IN_FLIGHT     33u                              /* the block device's pool, and one between its hands */
#define FUZZ_TABLES        (GUEST_RAM + MIB(1))             /* indirect tables */
#define FUZZ_BUFFERS       (GUEST_RAM + MIB(2) - 65536)     /* across host chunks */

enum fuzz_kind { FUZZ_BLK, FUZZ_BLK_RO, FUZZ_BLK_OVERLAY, FUZZ_CONSOLE, FUZZ_RNG, FUZZ_NET, FUZZ_NET_MANY, FUZZ_KINDS };
struct fuzz {
    struct guest g;
    enum fuzz_kind kind;
    struct faulty *disk;
    struct block *overlay;
    struct net_switch lan;                                  /* the card's, and a neighbour's who hears and answers */
    struct net_port *port, *neighbour;
    struct ring ring[VIRTIO_MAX_QUEUES];
    uint64_t seed, random, scribbles;
    uint32_t stop;                                          /* atomic: for the scribbler */
    uint32_t heard;
};

/* Another source of choices than the seed, while it has any: an input. */
static uint64_t (*fuzz_lead)(unsigned bytes);
static size_t (*fuzz_lead_left)(void);
static inline void virtio_fuzz_lead(uint64_t (*number)(unsigned bytes), size_t (*left)(void))
{
    fuzz_lead = number;
    fuzz_lead_left = left;
}

static inline uint64_t fuzz_next(uint64_t *state)
{
    if (fuzz_lead && fuzz_lead_left()) {
        uint64_t led = fuzz_lead(2);
        return led & 0x8000 ? led * 0x9e3779b97f4a7c15u : led;
    }
    uint64_t z = *state += 0x9e3779b97f4a7c15u;             /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline uint64_t fuzz_below(struct fuzz *f, uint64_t n) { return fuzz_next(&f->random) % n; }
static inline bool     fuzz_one_in(struct fuzz *f, uint64_t n) { return fuzz_below(f, n) == 0; }

static inline void fuzz_hear(void *ctx, const char *text, size_t length)
{
    struct fuzz *f = ctx;
    (void)text;
    f->heard += (uint32_t)length;
}
static inline bool fuzz_is_net(const struct fuzz *f) { return f->kind == FUZZ_NET || f->kind == FUZZ_NET_MANY; }
static inline bool fuzz_hear_frame(void *ctx, const struct net_frame *frame)
{
    struct fuzz *f = ctx;
    CHECK(net_frame_is_sound(frame) && !frame->has_partial_sum);
    f->heard++;
    return true;
}
static inline bool fuzz_entropy(void *out, size_t size_bytes)
{
    static uint32_t count;
    memset(out, 0x3c, size_bytes);
    return ++count % 50;                                    /* now and then it is dry */
}

/* ---- what a liar writes ---- */
static inline uint64_t fuzz_address(struct fuzz *f)
{
    static const uint64_t odd[] = { 0, 1, GUEST_MMIO, GUEST_MMIO + 0x100, GUEST_ROM, GUEST_ROM + 4090, GUEST_RAM - 1, GUEST_RAM - 16,
                                    GUEST_RAM_END - 1, GUEST_RAM_END - 16, GUEST_RAM_END, UINT64_MAX, 0ull - 16, 0ull - 4096, 1ull << 63,
                                    1ull << 32, 0xffffffffull };
    if (fuzz_one_in(f, 40)) return odd[fuzz_below(f, ARRAY_COUNT(odd))];
    if (fuzz_one_in(f, 20)) return GUEST_RAM + fuzz_below(f, 0x20000);                 /* the rings themselves */
    return FUZZ_BUFFERS + fuzz_below(f, MIB(4));
}
static inline uint32_t fuzz_length(struct fuzz *f)
{
    static const uint32_t odd[] = { 0, UINT32_MAX, 0x80000000u, 0xfffffff0u, (uint32_t)GUEST_RAM_BYTES, 0x200001 };
    static const uint32_t usual[] = { 1, 16, 512, 4096, 513, 17, 1024, 20, 65536 };
    if (fuzz_one_in(f, 60)) return odd[fuzz_below(f, ARRAY_COUNT(odd))];
    return fuzz_one_in(f, 5) ? 1 + (uint32_t)fuzz_below(f, 8192) : usual[fuzz_below(f, ARRAY_COUNT(usual))];
}
static inline void fuzz_chain(struct fuzz *f, uint64_t table, unsigned size, unsigned head)
{
    unsigned n = head % size, left = 1 + (unsigned)fuzz_below(f, fuzz_one_in(f, 10) ? size + 1 : 5);
    bool is_write = fuzz_one_in(f, 4);
    for (; left; left--) {
        uint16_t next = (uint16_t)(fuzz_one_in(f, 40) ? fuzz_below(f, 65536) : (n + 1) % size), flags = 0;
        uint64_t at = fuzz_address(f);
        uint32_t length = fuzz_length(f);
        if (left > 1) flags |= DESC_NEXT;
        if (left == 1 || fuzz_one_in(f, 3)) is_write = true;
        if (is_write && !fuzz_one_in(f, 40)) flags |= DESC_WRITE;
        if (fuzz_one_in(f, 100)) flags ^= (uint16_t)fuzz_below(f, 65536);
        if (n == head % size && !is_write && fuzz_one_in(f, 2)) length = 16;           /* a block request's header */
        if (flags == (DESC_WRITE) && fuzz_one_in(f, 2)) length = 1;                    /* and its status */
        descriptor_at(&f->g, table, n, at, length, flags, next);
        if (length >= 16 && !is_write && gmem_is_ram(&f->g.gmem, guest_phys_addr_make(at), 16)) {
            static const uint32_t types[] = { 0, 0, 0, 1, 1, 1, 4, 8, 11, 13, 2, 14, UINT32_MAX };
            uint8_t header[16] = { 0 };
            uint64_t sector = fuzz_one_in(f, 10) ? fuzz_next(&f->random) : fuzz_below(f, FAULTY_SECTORS + 2);
            store_le32(header, types[fuzz_below(f, ARRAY_COUNT(types))]);
            store_le64(header + 8, sector);
            (void)vm_failed(gmem_write_bulk(&f->g.gmem, guest_phys_addr_make(at), header, sizeof header));
        }
        n = (n + 1) % size;
    }
}
static inline void fuzz_offer(struct fuzz *f)
{
    struct ring *r = &f->ring[fuzz_below(f, fuzz_is_net(f) ? VIRTIO_MAX_QUEUES : f->kind == FUZZ_CONSOLE ? 2 : 1)];
    unsigned size = r->size && r->size <= 256 ? r->size : 8;
    for (uint64_t n = 1 + fuzz_below(f, fuzz_one_in(f, 8) ? size : 3); n; n--) {
        uint16_t head = (uint16_t)fuzz_below(f, size);
        if (fuzz_one_in(f, 3)) {
            uint64_t table = FUZZ_TABLES + fuzz_below(f, 64) * 4096;
            unsigned entries = fuzz_one_in(f, 30) ? 300 : 16;
            fuzz_chain(f, table, fuzz_one_in(f, 30) ? 256 : 16, 0);
            descriptor_at(&f->g, r->desc, head, table, fuzz_one_in(f, 40) ? fuzz_length(f) : entries * 16, DESC_INDIRECT, 0);
        } else {
            fuzz_chain(f, r->desc, size, head);
        }
        if (fuzz_one_in(f, 60)) head = (uint16_t)fuzz_next(&f->random);
        put16(&f->g, r->driver + 4 + 2 * (uint64_t)(r->avail++ % size), head);
    }
    if (fuzz_one_in(f, 60)) r->avail = (uint16_t)fuzz_next(&f->random);
    put16(&f->g, r->driver + 2, r->avail);
    if (fuzz_one_in(f, 4)) put16(&f->g, r->driver + 4 + 2 * size, (uint16_t)fuzz_next(&f->random));      /* used_event */
    if (!fuzz_one_in(f, 5)) notify_ring(r);
}

/* ---- the driver's life ---- */
static inline void fuzz_release(struct fuzz *f)
{
    while (f->disk && faulty_release(f->disk, fuzz_one_in(f, 4))) {}
}
static inline void fuzz_start(struct fuzz *f, bool by_the_rules)
{
    uint64_t features = VIRTIO_F_VERSION_1 | (offered(&f->g) & fuzz_next(&f->random));
    fuzz_release(f);
    if (!by_the_rules && fuzz_one_in(f, 20)) features = fuzz_next(&f->random);
    if (!negotiate(&f->g, features)) CHECK(!by_the_rules);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        ring_place(&f->ring[i], &f->g, i, (uint16_t)(1u << fuzz_below(f, 9)));
        if (!by_the_rules && fuzz_one_in(f, 30)) f->ring[i].size = (uint16_t)fuzz_next(&f->random);
        struct ring lie = f->ring[i];
        if (!by_the_rules && fuzz_one_in(f, 30)) lie.desc = fuzz_address(f);
        if (!by_the_rules && fuzz_one_in(f, 30)) lie.driver = fuzz_address(f);
        if (!by_the_rules && fuzz_one_in(f, 30)) lie.device = fuzz_address(f);
        ring_enable(&lie);
    }
    if (by_the_rules || !fuzz_one_in(f, 20)) drive(&f->g);
}
static inline void fuzz_register(struct fuzz *f)
{
    unsigned size = 1u << fuzz_below(f, 4);
    uint64_t offset = fuzz_below(f, fuzz_one_in(f, 4) ? VIRTIO_SLOT_BYTES : 0x150) & ~(uint64_t)(size - 1);
    if (fuzz_one_in(f, 2)) size = 4, offset &= ~3ull;
    if (offset == VIRTIO_MMIO_STATUS || offset == VIRTIO_MMIO_QUEUE_READY) fuzz_release(f);      /* or a reset waits a second */
    if (fuzz_one_in(f, 2)) access_read(&f->g, offset, size);
    else access_write(&f->g, offset, size, fuzz_one_in(f, 2) ? fuzz_below(f, 4) : fuzz_next(&f->random));
}
/* The neighbour sends, in its own name. */
static inline void fuzz_neighbour(struct fuzz *f)
{
    struct net_frame frame;
    for (unsigned i = 0; i < sizeof frame.data; i++) frame.data[i] = (uint8_t)(i * 7);
    memcpy(frame.data, fuzz_one_in(f, 3) ? "\xff\xff\xff\xff\xff\xff" : fuzz_one_in(f, 5) ? "\1\2\3\4\5\6" : "\2\0\0\0\0\1", 6);
    memcpy(frame.data + 6, "\2\0\0\0\0\2", 6);
    if (fuzz_one_in(f, 4)) store_le16(frame.data + 12, 0x81), store_le16(frame.data + 14, (uint16_t)fuzz_next(&f->random));
    frame.length = 14 + (uint32_t)fuzz_below(f, NET_FRAME_MOST - 12);
    frame.has_partial_sum = fuzz_one_in(f, 4);
    frame.sum_start = (uint16_t)fuzz_below(f, 1600), frame.sum_offset = (uint16_t)fuzz_below(f, 30);
    net_send(f->neighbour, &frame);
}
static inline void fuzz_host(struct fuzz *f)
{
    static const char text[300] = "typed";
    if (f->disk) {
        f->disk->is_keeping = fuzz_one_in(f, 2);
        f->disk->fail_at = (unsigned)fuzz_below(f, 10);
        for (uint64_t n = fuzz_below(f, 10); n; n--) (void)faulty_release(f->disk, fuzz_one_in(f, 4));
    }
    if (f->kind == FUZZ_CONSOLE) (void)virtio_console_input(f->g.region.dev, text, fuzz_below(f, sizeof text));
    for (uint64_t n = fuzz_is_net(f) ? fuzz_below(f, 20) : 0; n; n--) fuzz_neighbour(f);
    timer_run_due();
}
static inline void fuzz_scribble(struct fuzz *f, uint64_t *random)
{
    uint64_t z = fuzz_next(random), at = z & 1 ? GUEST_RAM + (z >> 8) % 0x20000 : FUZZ_TABLES + (z >> 8) % MIB(1);
    uint8_t *p = gmem_slice(&f->g.gmem, guest_phys_addr_make(at), 1, ACCESS_WRITE);
    __atomic_store_n(p, (uint8_t)(z >> 56), __ATOMIC_RELAXED);
}
static inline void *fuzz_scribbler(void *arg)
{
    struct fuzz *f = arg;
    uint64_t random = ~f->seed;
    while (!__atomic_load_n(&f->stop, __ATOMIC_ACQUIRE)) {
        fuzz_scribble(f, &random);
        if (++f->scribbles % 64 == 0) arch_cpu_relax();
    }
    return NULL;
}

/* ---- what must hold ---- */
static inline void fuzz_check(struct fuzz *f)
{
    const struct virtio_device *d = f->g.region.dev;
    for (unsigned i = 0; i < d->ops->queue_count; i++) {
        const struct virtq *q = &d->queue[i];
        if (q->is_ready && !q->broken) CHECK((uint16_t)(q->next_avail - q->next_used) <= FUZZ_IN_FLIGHT);
    }
    CHECK(!(d->status & VIRTIO_NEEDS_RESET) || !virtio_is_live(d));
}
static inline void fuzz_check_end(struct fuzz *f)
{
    const uint8_t *witness = ram(&f->g, FUZZ_WITNESS, FUZZ_WITNESS_BYTES), *rom = ram(&f->g, GUEST_ROM, 4096);
    for (unsigned i = 0; i < FUZZ_WITNESS_BYTES; i++) CHECK(witness[i] == (uint8_t)(i * 13 + 5));
    for (unsigned i = 0; i < 4096; i++) CHECK(rom[i] == (uint8_t)(i * 11 + 3));
    if (f->kind == FUZZ_BLK_RO || f->kind == FUZZ_BLK_OVERLAY)
        for (unsigned i = 0; i < sizeof f->disk->data; i += 64) CHECK(f->disk->data[i] == i / BLOCK_SECTOR_BYTES % 251 + 1);
}
/* After a reset a driver that keeps the rules is served, whatever went before. */
static inline void fuzz_check_works(struct fuzz *f)
{
    struct ring *r = &f->ring[f->kind == FUZZ_CONSOLE || fuzz_is_net(f)];
    const uint64_t at = FUZZ_BUFFERS;
    uint32_t before = f->heard;
    if (f->disk) f->disk->is_keeping = false, f->disk->fail_at = 0;
    fuzz_start(f, true);
    CHECK(!is_broken(&f->g));
    if (r->size < 4) ring_place(r, &f->g, r->index, 4), set_reg(&f->g, VIRTIO_MMIO_QUEUE_SEL, r->index),
                     set_reg(&f->g, VIRTIO_MMIO_QUEUE_READY, 0), ring_enable(r);
    if (f->disk) {
        put32(&f->g, at, 0);
        put64(&f->g, at + 8, 9);
        *(uint8_t *)ram(&f->g, at + 1024, 1) = 0xee;
        descriptor(r, 0, at, 16, DESC_NEXT, 1);
        descriptor(r, 1, at + 512, 512, DESC_NEXT | DESC_WRITE, 2);
        descriptor(r, 2, at + 1024, 1, DESC_WRITE, 0);
    } else if (fuzz_is_net(f)) {
        uint8_t *p = ram(&f->g, at, 12 + 60);
        memset(p, 0, 12 + 60);
        memcpy(p + 12, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
        descriptor(r, 0, at, 12 + 60, 0, 0);
    } else {
        descriptor(r, 0, at, 16, f->kind == FUZZ_CONSOLE ? 0 : DESC_WRITE, 0);
    }
    offer(r, 0);
    for (unsigned i = 0; !used_count(r) && i < 1000000; i++) timer_run_due();          /* a dry rng tries again later */
    CHECK(used(r, NULL) == 0 && !is_broken(&f->g));
    if (f->disk) CHECK(*(uint8_t *)ram(&f->g, at + 1024, 1) == 0);
    if (f->kind == FUZZ_CONSOLE) CHECK(f->heard - before >= 16);
    if (fuzz_is_net(f)) CHECK(f->heard - before >= 1);
}

static inline struct net_port *fuzz_port(struct fuzz *f, uint8_t last, bool is_ours)
{
    struct net_port_config c = { .name = "fuzz", .mac = { 2, 0, 0, 0, 0, last }, .is_trunk = f->seed & 8, .has_any_mac = is_ours && f->seed & 16 };
    struct net_port *p;
    CHECK(!vm_failed(net_port_create(&f->lan, &c, &p)));
    return p;
}
static inline void fuzz_create(struct fuzz *f)
{
    struct virtio_slot s = guest_slot(&f->g);
    struct vm_error e;
    if (f->kind <= FUZZ_BLK_OVERLAY) {
        f->disk = faulty_new();
        f->disk->block.is_read_only = f->kind != FUZZ_BLK;
        if (f->kind == FUZZ_BLK_OVERLAY) CHECK(!vm_failed(block_overlay_create(&f->disk->block, &f->overlay)));
        e = virtio_blk_create(&s, f->overlay ? f->overlay : &f->disk->block, &f->g.region);
    } else if (fuzz_is_net(f)) {
        f->port = fuzz_port(f, 1, true);
        f->neighbour = fuzz_port(f, 2, false);
        net_port_open(f->neighbour, fuzz_hear_frame, f);
        e = virtio_net_create(&s, f->port, f->kind == FUZZ_NET ? 1 : 4, &f->g.region);
    } else {
        e = f->kind == FUZZ_CONSOLE ? virtio_console_create(&s, f, fuzz_hear, &f->g.region)
                                    : virtio_rng_create(&s, fuzz_entropy, &f->g.region);
        if (vm_failed(e) && f->kind == FUZZ_RNG) e = virtio_rng_create(&s, fuzz_entropy, &f->g.region);
    }
    CHECK(!vm_failed(e));
}

static inline void virtio_fuzz_case(uint64_t seed, unsigned steps, bool has_scribbler)
{
    static struct fuzz f;
    pthread_t scribbler;
    uint64_t heap_was = heap_used_bytes();
    memset(&f, 0, sizeof f);
    f.seed = f.random = seed;
    f.kind = (enum fuzz_kind)(seed % FUZZ_KINDS);
    guest_init(&f.g);
    CHECK(!vm_failed(gmem_add(&f.g.gmem, guest_phys_addr_make(FUZZ_WITNESS), FUZZ_WITNESS_BYTES, GMEM_RAM)));
    uint8_t *witness = ram(&f.g, FUZZ_WITNESS, FUZZ_WITNESS_BYTES), *rom = ram(&f.g, GUEST_ROM, 4096);
    for (unsigned i = 0; i < FUZZ_WITNESS_BYTES; i++) witness[i] = (uint8_t)(i * 13 + 5);
    for (unsigned i = 0; i < 4096; i++) rom[i] = (uint8_t)(i * 11 + 3);
    fuzz_create(&f);
    fuzz_start(&f, false);
    if (has_scribbler) CHECK(!pthread_create(&scribbler, NULL, fuzz_scribbler, &f));
    for (unsigned i = 0; i < steps; i++) {
        uint64_t what = fuzz_below(&f, 100);
        if (what < 60) fuzz_offer(&f);
        else if (what < 70) fuzz_register(&f);
        else if (what < 90) fuzz_host(&f);
        else if (what < 94) fuzz_start(&f, fuzz_one_in(&f, 2));
        else if (is_broken(&f.g)) fuzz_start(&f, fuzz_one_in(&f, 2));
        else fuzz_scribble(&f, &f.random);
        fuzz_check(&f);
    }
    if (has_scribbler) {
        __atomic_store_n(&f.stop, 1, __ATOMIC_RELEASE);
        pthread_join(scribbler, NULL);
    }
    fuzz_release(&f);
    fuzz_check_works(&f);
    fuzz_check_end(&f);
    guest_end(&f.g);
    net_port_destroy(f.port);
    net_port_destroy(f.neighbour);
    if (f.overlay) block_destroy(f.overlay);
    free(f.disk);
    CHECK_EQ_U64(heap_used_bytes(), heap_was);
}
