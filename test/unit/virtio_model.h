// SPDX-License-Identifier: Apache-2.0
/* A virtio disk of the machine as a model: registers of the MMIO transport, one queue, and all the ways to lie. It works
 * inside the bell's write, so tests need no other thread. */
#pragma once
#include "drivers/host/virtio_blk_host.h"
#include "hv/base/bits.h"
#include "test/harness/test.h"

enum { MODEL_SECTORS = 4096, MODEL_MOST = 1024 };
enum model_lie { MODEL_HONEST, MODEL_SILENT, MODEL_ERROR, MODEL_UNSUPPORTED, MODEL_MUTE, MODEL_BAD_ID, MODEL_NOT_A_HEAD, MODEL_FREE_HEAD,
                 MODEL_TWICE, MODEL_INDEX_RUNS_AWAY, MODEL_NEEDS_RESET, MODEL_LIES };

struct model {
    uint32_t magic, version, id, queue_max, ready;
    uint64_t features, accepted;
    uint32_t features_half, accept_half, queue_size;
    uint8_t  status, config[256];
    uint64_t ring[3];                                       /* descriptors, driver, device */
    uint16_t seen;
    bool     refuses_features, never_resets;
    enum model_lie lie;
    unsigned count, most_at_once, largest_chain, resets;
    unsigned asked[16];
    uint8_t  data[MODEL_SECTORS * 512];
};

static inline void model_push(struct model *m, uint32_t id, uint32_t length, unsigned by)
{
    uint8_t *used = (uint8_t *)m->ring[2];
    uint16_t index = load_le16(used + 2);
    store_le32(used + 4 + 8 * (index % m->queue_size), id);
    store_le32(used + 8 + 8 * (index % m->queue_size), length);
    __atomic_store_n((uint16_t *)(used + 2), (uint16_t)(index + by), __ATOMIC_RELEASE);
}

/* Serves the chain; its answer. Everything that the specification demands of a driver is checked. */
static inline void model_serve(struct model *m, uint16_t head)
{
    const uint8_t *d = (const uint8_t *)m->ring[0] + 16 * head, *header = NULL;
    uint64_t at = 0;
    uint32_t type = 0, length = 0, total = 0;
    unsigned n = 0;
    for (;; n++) {
        uint16_t flags = load_le16(d + 12);
        uint8_t *p = (uint8_t *)load_le64(d);
        length = load_le32(d + 8);
        CHECK(p && n < m->queue_size);
        if (!n) {
            header = p;
            CHECK(length == 16 && !(flags & 2));
            type = load_le32(header);
            at = load_le64(header + 8) * 512;
        } else if (!(flags & 1)) {
            CHECK(length == 1 && flags & 2);
            bool fits = type > 1 || (total % 512 == 0 && total && at <= sizeof m->data);
            CHECK(fits);
            if (m->lie != MODEL_MUTE) *p = m->lie == MODEL_ERROR ? 1 : m->lie == MODEL_UNSUPPORTED ? 2 : 0;
            break;
        } else if (type == 0 || type == 1) {
            CHECK(at + length <= sizeof m->data && !(flags & 2) == (type == 1));
            if (type == 0) memcpy(p, m->data + at, length);
            else memcpy(m->data + at, p, length);
            at += length, total += length;
        } else if (type == 8) {
            CHECK(length == 20 && flags & 2);
            memcpy(p, "model-serial\0\0\0\0\0\0\0\0", 20);
        } else {
            CHECK(length == 16 && (type == 11 || type == 13));
            uint64_t sector = load_le64(p), count = load_le32(p + 8);
            CHECK(count && sector + count <= MODEL_SECTORS && count <= load_le32(m->config + (type == 11 ? 36 : 48)));
            memset(m->data + sector * 512, 0, count * 512);
        }
        CHECK(load_le16(d + 14) < m->queue_size);
        d = (const uint8_t *)m->ring[0] + 16 * load_le16(d + 14);
    }
    CHECK(type < 16);
    m->asked[type]++;
    if (n + 1 > m->largest_chain) m->largest_chain = n + 1;
}

static inline void model_bell(struct model *m)
{
    const uint8_t *driver = (const uint8_t *)m->ring[1];
    uint16_t index = __atomic_load_n((const uint16_t *)(driver + 2), __ATOMIC_ACQUIRE);
    unsigned waiting = (uint16_t)(index - m->seen);
    CHECK(waiting <= m->queue_size && m->status & VIRTIO_DRIVER_OK);
    if (waiting > m->most_at_once) m->most_at_once = waiting;
    if (m->lie == MODEL_SILENT) return;
    for (; m->seen != index; m->seen++) {
        uint16_t head = load_le16(driver + 4 + 2 * (m->seen % m->queue_size));
        CHECK(head < m->queue_size);
        m->count++;
        model_serve(m, head);
        switch (m->lie) {
        case MODEL_BAD_ID:          model_push(m, 0x10000, 1, 1); break;
        case MODEL_NOT_A_HEAD:      model_push(m, head + 1u, 1, 1); break;
        case MODEL_FREE_HEAD:       model_push(m, (head + 16u) % m->queue_size, 1, 1); break;
        case MODEL_TWICE:           model_push(m, head, 1, 1), model_push(m, head, 1, 1); break;
        case MODEL_INDEX_RUNS_AWAY: model_push(m, head, 1, 1000); break;
        default:                    model_push(m, head, 1, 1); break;
        }
        if (m->lie == MODEL_NEEDS_RESET) m->status |= VIRTIO_NEEDS_RESET;
    }
}

static inline uint32_t model_get(void *ctx, uintptr_t at, unsigned bytes)
{
    struct model *m = ctx;
    uint32_t v = 0;
    if (at >= 0x100) {
        CHECK(at + bytes <= 0x200);
        memcpy(&v, m->config + at - 0x100, bytes);
        return v;
    }
    CHECK(bytes == 4);
    switch (at) {
    case 0x00: return m->magic;
    case 0x04: return m->version;
    case 0x08: return m->id;
    case 0x10: return m->features_half < 2 ? (uint32_t)(m->features >> 32 * m->features_half) : 0;
    case 0x34: return m->queue_max;
    case 0x44: return m->ready;
    case 0x70: return m->status;
    default:   return 0;
    }
}

static inline void model_put(void *ctx, uintptr_t at, unsigned bytes, uint32_t v)
{
    struct model *m = ctx;
    CHECK(bytes == 4 && at < 0x100);
    switch (at) {
    case 0x14: m->features_half = v; break;
    case 0x20: m->accepted = (m->accepted & ~(0xffffffffull << 32 * m->accept_half)) | (uint64_t)v << 32 * m->accept_half; break;
    case 0x24: m->accept_half = v & 1; break;
    case 0x38: m->queue_size = v; CHECK(v && v <= m->queue_max && is_power_of_two(v)); break;
    case 0x44: m->ready = v; break;
    case 0x50: model_bell(m); break;
    case 0x70:
        if (!v && m->never_resets) break;
        if (!v) m->resets++, m->ready = 0, m->seen = 0;
        m->status = (uint8_t)(m->refuses_features ? v & ~8u : v);
        break;
    case 0x80: case 0x90: case 0xa0: m->ring[(at - 0x80) / 16] = (m->ring[(at - 0x80) / 16] & ~0xffffffffull) | v; break;
    case 0x84: case 0x94: case 0xa4: m->ring[(at - 0x84) / 16] = (uint32_t)m->ring[(at - 0x84) / 16] | (uint64_t)v << 32; break;
    default: break;
    }
}

static const struct register_ops MODEL_REGISTERS = { model_get, model_put };

#define MODEL_FEATURES (VIRTIO_F_VERSION_1 | 1ull << 2 | 1ull << 9 | 1ull << 13 | 1ull << 14 | 1ull << 28 | 1ull << 29)
static inline struct model *model_new(void)
{
    struct model *m = calloc(1, sizeof *m);
    CHECK(m);
    *m = (struct model){ .magic = 0x74726976, .version = 2, .id = VIRTIO_ID_BLOCK, .queue_max = MODEL_MOST, .features = MODEL_FEATURES };
    store_le64(m->config, MODEL_SECTORS);
    store_le32(m->config + 12, 126);
    store_le32(m->config + 36, 100);
    store_le32(m->config + 48, 100);
    m->config[56] = 1;
    return m;
}
static inline bool model_open(struct model *m, struct virtio_host *v, const char **why)
{
    const struct registers r = { &MODEL_REGISTERS, m, 0 };
    const struct arch_line line = { 0 };
    return virtio_mmio_open(&r, &line, v, why);
}
