// SPDX-License-Identifier: Apache-2.0
/* Frames and queues of them; see frame.h. Nothing here trusts a length that it has not compared. */
#include "drivers/net/frame.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

enum { TYPE_AT = 12, TYPE_VLAN = 0x8100, TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

bool net_same_mac(const uint8_t *a, const uint8_t *b) { return !memcmp(a, b, NET_MAC_BYTES); }

bool net_is_broadcast(const uint8_t *mac)
{
    static const uint8_t all[NET_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    return net_same_mac(mac, all);
}

/* ---- tags (802.1Q, 9.3) ---- */
bool net_frame_is_tagged(const struct net_frame *f)
{
    return f->length >= NET_HEADER_BYTES + NET_TAG_BYTES && load_be16(f->data + TYPE_AT) == TYPE_VLAN;
}

uint16_t net_frame_vlan(const struct net_frame *f) { return net_frame_is_tagged(f) ? load_be16(f->data + TYPE_AT + 2) & 0xfff : 0; }

static void store_be16(uint8_t *at, uint16_t v) { store_le16(at, __builtin_bswap16(v)); }

bool net_frame_untag(struct net_frame *f)
{
    if (!net_frame_is_tagged(f)) return load_be16(f->data + TYPE_AT) != TYPE_VLAN;
    if (f->has_partial_sum && f->sum_start < NET_HEADER_BYTES + NET_TAG_BYTES) return false;
    memmove(f->data + TYPE_AT, f->data + TYPE_AT + NET_TAG_BYTES, f->length - TYPE_AT - NET_TAG_BYTES);
    f->length -= NET_TAG_BYTES;
    if (f->has_partial_sum) f->sum_start -= NET_TAG_BYTES;
    return true;
}

bool net_frame_tag(struct net_frame *f, uint16_t vlan)
{
    if (f->length + NET_TAG_BYTES > NET_FRAME_MOST) return false;
    memmove(f->data + TYPE_AT + NET_TAG_BYTES, f->data + TYPE_AT, f->length - TYPE_AT);
    store_be16(f->data + TYPE_AT, TYPE_VLAN);
    store_be16(f->data + TYPE_AT + 2, vlan);
    f->length += NET_TAG_BYTES;
    if (f->has_partial_sum) f->sum_start += NET_TAG_BYTES;
    return true;
}

/* ---- checksums ---- */
bool net_frame_is_sound(const struct net_frame *f)
{
    if (f->length < NET_HEADER_BYTES || f->length > NET_FRAME_MOST) return false;
    return !f->has_partial_sum || (f->sum_start >= NET_HEADER_BYTES && (uint32_t)f->sum_start + f->sum_offset + 2 <= f->length);
}

void net_frame_complete(struct net_frame *f)
{
    uint32_t sum = 0, at = f->sum_start;
    if (!f->has_partial_sum) return;
    for (; at + 1 < f->length; at += 2) sum += load_be16(f->data + at);
    if (at < f->length) sum += (uint32_t)f->data[at] << 8;
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    uint16_t result = (uint16_t)~sum;
    store_be16(f->data + f->sum_start + f->sum_offset, result ? result : 0xffff);     /* RFC 768: 0 would say "none" */
    f->has_partial_sum = false;
}

/* ---- flows ---- */
static uint32_t mix(uint32_t h, const uint8_t *a, const uint8_t *b, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) h = (h ^ a[i] ^ b[i]) * 0x01000193u;         /* both directions alike */
    return h;
}

uint32_t net_frame_flow(const struct net_frame *f)
{
    const uint8_t *d = f->data;
    uint32_t h = 0x811c9dc5u, at = TYPE_AT + (net_frame_is_tagged(f) ? NET_TAG_BYTES : 0), ports = 0;
    unsigned protocol = 0;
    uint16_t type = at + 2 <= f->length ? load_be16(d + at) : 0;
    at += 2;
    if (type == TYPE_IPV4 && at + 20 <= f->length) {
        h = mix(h, d + at + 12, d + at + 16, 4);
        protocol = load_be16(d + at + 6) & 0x3fff ? 0 : d[at + 9];                    /* fragments have no ports */
        ports = at + 4 * (d[at] & 15u);
    } else if (type == TYPE_IPV6 && at + 40 <= f->length) {
        h = mix(h, d + at + 8, d + at + 24, 16);
        protocol = d[at + 6];
        ports = at + 40;
    } else {
        return mix(h, d, d + NET_MAC_BYTES, NET_MAC_BYTES);
    }
    if ((protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP) && ports + 4 <= f->length) h = mix(h, d + ports, d + ports + 2, 2);
    return h ^ h >> 15;
}

/* ---- queues ---- */
bool net_queue_create(struct net_queue *q, unsigned room)
{
    *q = (struct net_queue){ .frame = heap_alloc(sizeof *q->frame * room), .room = room };
    return q->frame != NULL;
}

void net_queue_destroy(struct net_queue *q)
{
    heap_free(q->frame);
    *q = (struct net_queue){ .room = 0 };
}

bool net_queue_push(struct net_queue *q, const struct net_frame *f)
{
    if (q->count == q->room || f->length > NET_FRAME_MOST) return false;
    struct net_frame *to = &q->frame[(q->from + q->count++) % q->room];
    memcpy(to, f, offsetof(struct net_frame, data) + f->length);
    return true;
}

const struct net_frame *net_queue_first(const struct net_queue *q) { return q->count ? &q->frame[q->from] : NULL; }

void net_queue_drop_first(struct net_queue *q)
{
    q->from = (q->from + 1) % q->room;
    q->count--;
}

void net_queue_clear(struct net_queue *q) { q->from = q->count = 0; }
