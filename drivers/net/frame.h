// SPDX-License-Identifier: Apache-2.0
/* drivers/net: frames and the switch that carries them between ports. A frame is copied from its sender into each receiver's
 * own memory: nobody waits for somebody else's buffers, and a receiver that sleeps costs nobody but itself.
 *
 * This header: one Ethernet frame, IEEE 802.3 and 802.1Q; and a fixed number of them in a queue. Whoever owns the memory
 * guards it. */
#pragma once
#include "hv/base/types.h"

#define NET_HEADER_BYTES 14u                    /* destination, source, type */
#define NET_TAG_BYTES    4u                     /* 802.1Q */
#define NET_MTU          1500u
#define NET_FRAME_MOST   (NET_HEADER_BYTES + NET_TAG_BYTES + NET_MTU)
#define NET_MAC_BYTES    6u

struct net_frame {
    uint32_t length;                            /* of data: NET_HEADER_BYTES to NET_FRAME_MOST */
    uint16_t sum_start, sum_offset;             /* with has_partial_sum: the sum of data[sum_start...] belongs at sum_start + sum_offset */
    bool     has_partial_sum;                   /* what lies there is the pseudo header's sum alone */
    uint8_t  data[NET_FRAME_MOST];
};

static inline bool net_is_group(const uint8_t *mac)   { return mac[0] & 1; }
bool net_is_broadcast(const uint8_t *mac);
bool net_same_mac(const uint8_t *a, const uint8_t *b);
/* The tag's VLAN, 0 to 4095; 0 without a tag. */
uint16_t net_frame_vlan(const struct net_frame *f);
bool     net_frame_is_tagged(const struct net_frame *f);
/* Takes the tag off, if there is one. False: there is nothing behind it. */
NODISCARD bool net_frame_untag(struct net_frame *f);
/* Puts a tag on a frame that has none. False: it would be too long. */
NODISCARD bool net_frame_tag(struct net_frame *f, uint16_t vlan);
/* Length and the place of a partial checksum are lawful. */
NODISCARD bool net_frame_is_sound(const struct net_frame *f);
/* Sums up what the sender left to us; a sound frame. RFC 1071. */
void net_frame_complete(struct net_frame *f);
/* The same number for all frames of one flow in either direction; addresses and ports of IPv4 and IPv6, else MACs. */
uint32_t net_frame_flow(const struct net_frame *f);

/* The oldest first. All zero: without room. */
struct net_queue { struct net_frame *frame; unsigned room, from, count; };
/* False: no memory. */
NODISCARD bool net_queue_create(struct net_queue *q, unsigned room);
void           net_queue_destroy(struct net_queue *q);
NODISCARD bool net_queue_push(struct net_queue *q, const struct net_frame *f);     /* copies; false: full */
const struct net_frame *net_queue_first(const struct net_queue *q);                /* NULL: empty */
void           net_queue_drop_first(struct net_queue *q);
void           net_queue_clear(struct net_queue *q);
