// SPDX-License-Identifier: Apache-2.0
/* The switch: ports that send and receive frames, VLANs, learned addresses, counters. Any core, any thread; a call takes the
 * switch's lock for as long as it looks things up, and copies with no lock held. The contract of a port:
 * 1. receive() is called with no lock held, from whatever thread sends, for one port perhaps by several at a time. It copies
 *    what it keeps, returns soon, and does not send.
 * 2. Between net_port_open's return and net_port_close's it may be called at any time, and never afterwards.
 * 3. Who sends holds no lock. The frame is the sender's memory, and may come back changed.
 * A port's owner is not trusted unless it is_trusted: a frame must come from the port's own address, with no VLAN but its
 * own, and so fast as it may. IEEE 802.1Q; 8.7 learning, 8.8 ageing. */
#pragma once
#include "drivers/net/frame.h"
#include "hv/arch/spin.h"
#include "hv/base/error.h"

#define NET_PORTS_MOST  32u
#define NET_NAME_BYTES  40u
#define NET_VLAN_MOST   4094u
#define NET_MACS_MOST   256u                     /* learned, of all ports */
#define NET_MACS_EACH   16u                      /* of one port that is not trusted */
#define NET_AGE_NS      300000000000ull          /* an address that was not heard for so long is forgotten */
#define NET_BURST_NS    20000000ull              /* so much of its rate a port may send at once */

struct net_port_config {
    const char *name;                            /* copied */
    uint8_t     mac[NET_MAC_BYTES];              /* the owner's; no other port of the switch has it */
    uint16_t    vlan;                            /* of its frames without a tag, 0 to NET_VLAN_MOST */
    bool        is_trunk;                        /* tags of any VLAN come and go */
    bool        has_any_mac;                     /* may speak for other addresses too, which are learned */
    bool        is_trusted;                      /* what it was heard to speak for, others may not claim; the outside */
    uint64_t    rate_bytes;                      /* a second that it may send; 0: any */
};
struct net_counters {
    uint64_t sent_frames, sent_bytes;            /* by the port's owner */
    uint64_t received_frames, received_bytes;
    uint64_t refused;                            /* sent by it against the rules */
    uint64_t lost;                               /* for it, but it had no room */
};

typedef bool net_receive_fn(void *ctx, const struct net_frame *f);     /* false: no room */
struct net_switch;
struct net_port {
    struct net_switch *owner;                    /* constant, as is config */
    struct net_port_config config;
    char            name[NET_NAME_BYTES];
    unsigned        index;
    bool            is_open;                     /* guarded by the switch, as are macs and free_at_ns */
    net_receive_fn *receive;                     /* constant while it is open or delivered to, as is ctx */
    void           *ctx;
    unsigned        macs;                        /* learned from it */
    uint64_t        free_at_ns;                  /* when what it sent is paid for */
    uint32_t        deliveries;                  /* atomic: receive() calls under way; close waits for 0 */
    uint32_t        takes_partial_sums;          /* atomic: leave checksums to it */
    struct net_counters count;                   /* atomic words */
};
struct net_mac { struct net_port *port; uint8_t mac[NET_MAC_BYTES]; uint16_t vlan; uint64_t heard_ns; };   /* port NULL: free */
/* All zero is a switch without ports. */
struct net_switch {
    struct spinlock  lock;
    struct net_port *port[NET_PORTS_MOST];
    struct net_mac   mac[NET_MACS_MOST];
};

/* A closed port: it sends and receives nothing. Its memory is the heap's until net_port_destroy, which closes it. */
NODISCARD struct vm_error net_port_create(struct net_switch *s, const struct net_port_config *c, struct net_port **out);
void net_port_destroy(struct net_port *p);       /* NULL is fine */
void net_port_open(struct net_port *p, net_receive_fn *receive, void *ctx);
void net_port_close(struct net_port *p);         /* waits for receive() calls under way */
/* Whether receive() may get frames whose checksum is left to it. */
void net_port_take_partial_sums(struct net_port *p, bool takes);
/* To whom it belongs in the switch. What a port may not send is counted and dropped. */
void net_send(struct net_port *from, struct net_frame *f);
/* How long the port must wait until it may send again; 0: now. A frame sent too soon is refused. */
uint64_t net_wait_ns(struct net_port *p);
struct net_counters net_port_counters(const struct net_port *p);
/* A port as it is now, for people. */
struct net_port_view { char name[NET_NAME_BYTES]; uint8_t mac[NET_MAC_BYTES]; uint16_t vlan; bool is_trunk; struct net_counters count; };
/* The port with this index, below NET_PORTS_MOST; false: there is none. */
bool net_port_view(struct net_switch *s, unsigned index, struct net_port_view *out);
/* How many addresses are known by learning. */
unsigned net_learned(struct net_switch *s);
