// SPDX-License-Identifier: Apache-2.0
/* A guest's side of virtio for unit tests: 8 MiB of RAM and 4 KiB of ROM, one device behind its registers (no bus), a
 * driver that negotiates, builds rings in that RAM and can lie about everything. Single thread unless a test says so. */
#pragma once
#include "drivers/virt/virtio_mmio.h"
#include "hv/base/bits.h"
#include "hv/core/percpu.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

#define GUEST_RAM       0x80000000ull
#define GUEST_RAM_BYTES MIB(8)
#define GUEST_RAM_END   (GUEST_RAM + GUEST_RAM_BYTES)
#define GUEST_ROM       0x20000000ull
#define GUEST_MMIO      0x10001000ull                       /* where the device is: no RAM */
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_INDIRECT = 4 };

struct guest {
    struct gmem gmem;
    struct mmio_region region;
    bool line;                                              /* the interrupt wire */
    unsigned raises;                                        /* how often it went up */
};
/* A queue as the driver sees it; queue n lies at GUEST_RAM + n * 64 KiB. */
struct ring { struct guest *g; unsigned index; uint16_t size, avail, seen; uint64_t desc, driver, device; };

static inline void guest_line(void *sink, uint32_t pin, bool level)
{
    struct guest *g = sink;
    (void)pin;
    if (level && !g->line) g->raises++;
    g->line = level;
}
static inline struct virtio_slot guest_slot(struct guest *g)
{
    return (struct virtio_slot){ .base = { GUEST_MMIO }, .gmem = &g->gmem, .irq = { guest_line, g, 0 } };
}
static inline void guest_init(struct guest *g)
{
    test_pages();
    percpu_init(0);
    memset(g, 0, sizeof *g);
    gmem_init(&g->gmem);
    CHECK(!vm_failed(gmem_add(&g->gmem, guest_phys_addr_make(GUEST_RAM), GUEST_RAM_BYTES, GMEM_RAM)));
    CHECK(!vm_failed(gmem_add(&g->gmem, guest_phys_addr_make(GUEST_ROM), 4096, GMEM_ROM)));
}
static inline void guest_end(struct guest *g)
{
    if (g->region.ops && g->region.ops->destroy) g->region.ops->destroy(g->region.dev);
    gmem_free(&g->gmem);
}

/* ---- RAM ---- */
static inline void *ram(struct guest *g, uint64_t at, size_t size_bytes)
{
    void *p = gmem_slice(&g->gmem, guest_phys_addr_make(at), size_bytes, ACCESS_READ);
    CHECK(p);
    return p;
}
static inline void     put16(struct guest *g, uint64_t at, uint16_t v) { store_le16(ram(g, at, 2), v); }
static inline uint16_t get16(struct guest *g, uint64_t at)             { return load_le16(ram(g, at, 2)); }
static inline void     put32(struct guest *g, uint64_t at, uint32_t v) { store_le32(ram(g, at, 4), v); }
static inline uint32_t get32(struct guest *g, uint64_t at)             { return load_le32(ram(g, at, 4)); }
static inline void     put64(struct guest *g, uint64_t at, uint64_t v) { store_le64(ram(g, at, 8), v); }

/* ---- registers ---- */
static inline uint64_t access_read(struct guest *g, uint64_t offset, unsigned size_bytes)
{
    uint64_t v = 0x5a5a5a5a5a5a5a5a;
    CHECK(!vm_failed(g->region.ops->read(g->region.dev, offset, size_bytes, &v)));
    return v;
}
static inline void access_write(struct guest *g, uint64_t offset, unsigned size_bytes, uint64_t v)
{
    CHECK(!vm_failed(g->region.ops->write(g->region.dev, offset, size_bytes, v)));
}
static inline uint32_t reg(struct guest *g, uint64_t offset)                   { return (uint32_t)access_read(g, offset, 4); }
static inline void     set_reg(struct guest *g, uint64_t offset, uint32_t v)   { access_write(g, offset, 4, v); }
static inline uint32_t status(struct guest *g)                                 { return reg(g, VIRTIO_MMIO_STATUS); }
static inline bool     is_broken(struct guest *g)                              { return status(g) & VIRTIO_NEEDS_RESET; }
static inline uint8_t  config8(struct guest *g, unsigned offset)  { return (uint8_t)access_read(g, VIRTIO_MMIO_CONFIG + offset, 1); }
static inline uint32_t config32(struct guest *g, unsigned offset) { return (uint32_t)access_read(g, VIRTIO_MMIO_CONFIG + offset, 4); }

static inline uint64_t offered(struct guest *g)
{
    set_reg(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    uint64_t high = reg(g, VIRTIO_MMIO_DEVICE_FEATURES);
    set_reg(g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return high << 32 | reg(g, VIRTIO_MMIO_DEVICE_FEATURES);
}
static inline void accept(struct guest *g, uint64_t features)
{
    set_reg(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    set_reg(g, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
    set_reg(g, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    set_reg(g, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
}
/* Reset, ACKNOWLEDGE, DRIVER, features; false: the device refused them. */
static inline bool negotiate(struct guest *g, uint64_t features)
{
    set_reg(g, VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ_U64(status(g), 0);
    set_reg(g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE);
    set_reg(g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    accept(g, features);
    set_reg(g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    return status(g) & VIRTIO_FEATURES_OK;
}
static inline void drive(struct guest *g) { set_reg(g, VIRTIO_MMIO_STATUS, status(g) | VIRTIO_DRIVER_OK); }
static inline void acknowledge(struct guest *g) { set_reg(g, VIRTIO_MMIO_INTERRUPT_ACK, reg(g, VIRTIO_MMIO_INTERRUPT_STATUS)); }

/* ---- rings ---- */
static inline void ring_place(struct ring *r, struct guest *g, unsigned index, uint16_t size)
{
    uint64_t at = GUEST_RAM + index * 0x10000;
    *r = (struct ring){ .g = g, .index = index, .size = size, .desc = at, .driver = at + 0x4000, .device = at + 0x8000 };
    memset(ram(g, at, 0x10000), 0, 0x10000);
}
/* Tells the device where the queue is and starts it. */
static inline void ring_enable(struct ring *r)
{
    const uint64_t areas[] = { r->desc, r->driver, r->device };
    const uint32_t low[] = { VIRTIO_MMIO_QUEUE_DESC_LOW, VIRTIO_MMIO_QUEUE_DRIVER_LOW, VIRTIO_MMIO_QUEUE_DEVICE_LOW };
    set_reg(r->g, VIRTIO_MMIO_QUEUE_SEL, r->index);
    set_reg(r->g, VIRTIO_MMIO_QUEUE_NUM, r->size);
    for (unsigned i = 0; i < 3; i++) {
        set_reg(r->g, low[i], (uint32_t)areas[i]);
        set_reg(r->g, low[i] + 4, (uint32_t)(areas[i] >> 32));
    }
    set_reg(r->g, VIRTIO_MMIO_QUEUE_READY, 1);
}
static inline void descriptor_at(struct guest *g, uint64_t table, unsigned n, uint64_t at, uint32_t size_bytes, uint16_t flags, uint16_t next)
{
    put64(g, table + 16 * n, at);
    put32(g, table + 16 * n + 8, size_bytes);
    put16(g, table + 16 * n + 12, flags);
    put16(g, table + 16 * n + 14, next);
}
static inline void descriptor(struct ring *r, unsigned n, uint64_t at, uint32_t size_bytes, uint16_t flags, uint16_t next)
{
    descriptor_at(r->g, r->desc, n, at, size_bytes, flags, next);
}
static inline void offer_quietly(struct ring *r, uint16_t head)
{
    put16(r->g, r->driver + 4 + 2 * (uint64_t)(r->avail % r->size), head);
    put16(r->g, r->driver + 2, ++r->avail);
}
static inline void notify_ring(struct ring *r) { set_reg(r->g, VIRTIO_MMIO_QUEUE_NOTIFY, r->index); }
static inline void offer(struct ring *r, uint16_t head)
{
    offer_quietly(r, head);
    notify_ring(r);
}
/* How many used entries the driver has not looked at. */
static inline unsigned used_count(struct ring *r) { return (uint16_t)(get16(r->g, r->device + 2) - r->seen); }
/* The next used entry's id, and its length. */
static inline uint32_t used(struct ring *r, uint32_t *length)
{
    CHECK(used_count(r) > 0);
    uint64_t at = r->device + 4 + 8 * (uint64_t)(r->seen++ % r->size);
    if (length) *length = get32(r->g, at + 4);
    return get32(r->g, at);
}
static inline uint64_t used_event_at(const struct ring *r)  { return r->driver + 4 + 2 * (uint64_t)r->size; }
static inline uint64_t avail_event_at(const struct ring *r) { return r->device + 4 + 8 * (uint64_t)r->size; }
