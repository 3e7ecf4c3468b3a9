// SPDX-License-Identifier: Apache-2.0
/* virtio-net: queues 0, 2, ... receive, 1, 3, ... send, and the last one has commands. A frame to send is copied out of the
 * ring under the lock, its chain given back at once, and sent with no lock held by one thread at a time (is_pumping, whose
 * `out` is). A frame that came is copied into the guest's buffers by whoever sent it, or waits in a fixed queue. All else
 * belongs to the device's lock. Section numbers: virtio 1.2. */
#include "drivers/virt/virtio_net.h"
#include "drivers/virt/virtio_mmio.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/percpu.h"

#define DEVICE_ID   1
#define WAITING     64u                    /* frames that wait for buffers */
#define MERGE_MOST  64u                    /* buffers of one frame */
#define FILTER_MOST 64u                    /* addresses of the table; with more, all pass */

/* 5.1.3 feature bits */
#define F_CSUM          (1ull << 0)
#define F_GUEST_CSUM    (1ull << 1)
#define F_MTU           (1ull << 3)
#define F_MAC           (1ull << 5)
#define F_MRG_RXBUF     (1ull << 15)
#define F_STATUS        (1ull << 16)
#define F_CTRL_VQ       (1ull << 17)
#define F_CTRL_RX       (1ull << 18)
#define F_CTRL_VLAN     (1ull << 19)
#define F_CTRL_RX_EXTRA (1ull << 20)
#define F_MQ            (1ull << 22)
#define F_CTRL_MAC_ADDR (1ull << 23)

/* 5.1.4 */
enum { CONFIG_MAC = 0, CONFIG_STATUS = 6, CONFIG_PAIRS = 8, CONFIG_MTU = 10, CONFIG_BYTES = 12 };
#define LINK_UP 1u

/* 5.1.6 struct virtio_net_hdr, with num_buffers */
enum { HDR_FLAGS = 0, HDR_GSO_TYPE = 1, HDR_CSUM_START = 6, HDR_CSUM_OFFSET = 8, HDR_BUFFERS = 10, HDR_BYTES = 12 };
#define HDR_NEEDS_CSUM 1u

/* 5.1.6.5: class, command, data; then the answer */
enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_MQ = 4 };
enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST, RX_COUNT };
enum { MAC_TABLE_SET = 0, MAC_ADDR_SET = 1 };
enum { VLAN_ADD = 0, VLAN_DEL = 1 };
enum { MQ_PAIRS_SET = 0 };
enum { ACK_OK = 0, ACK_ERR = 1 };
#define COMMAND_BYTES 2u

struct mac_list { bool is_all; unsigned count; uint8_t mac[FILTER_MOST][NET_MAC_BYTES]; };
struct virtio_net {
    struct virtio_device device;
    struct net_port     *port;
    unsigned             pairs_most, pairs;
    uint32_t             active;                    /* atomic: pumps at work; drain waits for 0 */
    bool                 is_pumping;
    bool                 mode[RX_COUNT];            /* 5.1.6.5.1 */
    struct mac_list      unicast, multicast;
    uint8_t              vlan[4096 / 8];            /* bits; with CTRL_VLAN */
    struct net_queue     waiting;
    struct net_frame     out;                       /* the pumper's */
    struct virtq_chain   first, next, sent, command;
};

static struct virtio_net *net_of(struct virtio_device *d) { return CONTAINER_OF(d, struct virtio_net, device); }

/* 5.1.2: receiveq 2n, transmitq 2n + 1, the control queue behind all pairs there may be */
static unsigned control_queue(const struct virtio_net *n) { return n->device.accepted & F_MQ ? 2 * n->pairs_most : 2; }

/* ---- what the guest wants to hear (5.1.6.5.1, 5.1.6.5.3); lock held ---- */
static bool is_listed(const struct mac_list *l, const uint8_t *mac)
{
    if (l->is_all) return true;
    for (unsigned i = 0; i < l->count; i++) {
        if (net_same_mac(l->mac[i], mac)) return true;
    }
    return false;
}

static bool is_wanted(const struct virtio_net *n, const struct net_frame *f)
{
    const uint8_t *to = f->data;
    uint16_t vlan = net_frame_vlan(f);
    if (n->device.accepted & F_CTRL_VLAN && vlan && !(n->vlan[vlan / 8] & 1u << vlan % 8)) return false;
    if (n->mode[RX_PROMISC]) return true;
    if (net_is_broadcast(to)) return !n->mode[RX_NOBCAST];
    if (net_is_group(to)) return !n->mode[RX_NOMULTI] && (n->mode[RX_ALLMULTI] || is_listed(&n->multicast, to));
    if (n->mode[RX_NOUNI]) return false;
    return n->mode[RX_ALLUNI] || net_same_mac(n->device.config + CONFIG_MAC, to) || is_listed(&n->unicast, to);
}

/* ---- to the guest; lock held ---- */
static void make_header(const struct net_frame *f, uint8_t *h)
{
    memset(h, 0, HDR_BYTES);
    store_le16(h + HDR_BUFFERS, 1);
    if (!f->has_partial_sum) return;
    h[HDR_FLAGS] = HDR_NEEDS_CSUM;
    store_le16(h + HDR_CSUM_START, f->sum_start);
    store_le16(h + HDR_CSUM_OFFSET, f->sum_offset);
}

/* Header and frame lie behind each other; the part from `from` goes into the chain. */
static bool fill(struct virtio_net *n, const struct virtq_chain *c, const uint8_t *header, const struct net_frame *f, uint32_t from, uint32_t bytes)
{
    uint32_t head = from < HDR_BYTES ? HDR_BYTES - from : 0;
    if (head && !virtq_chain_write(n->device.gmem, c, 0, header + from, head)) return false;
    return virtq_chain_write(n->device.gmem, c, head, f->data + (from + head - HDR_BYTES), bytes - head);
}

static bool refuse_buffers(struct virtio_net *n)
{
    virtio_break(&n->device, "receive buffers too small");
    return true;
}

/* False: the guest has no buffers for it yet. */
static bool deliver(struct virtio_net *n, const struct net_frame *f)
{
    struct virtio_device *d = &n->device;
    struct { uint16_t head; uint32_t bytes; } used[MERGE_MOST];
    uint8_t header[HDR_BYTES];
    unsigned queue = n->pairs > 1 ? net_frame_flow(f) % n->pairs * 2 : 0, count = 0;
    uint32_t all = HDR_BYTES + f->length, done = 0;
    make_header(f, header);
    while (done < all) {
        struct virtq_chain *c = count ? &n->next : &n->first;
        if (count == MERGE_MOST) return refuse_buffers(n);
        enum virtq_pop p = virtio_pop(d, queue, c);
        if (p == VIRTQ_BROKEN) return true;
        if (p == VIRTQ_EMPTY) {
            for (; count; count--) virtq_unpop(&d->queue[queue]);
            return false;
        }
        uint32_t bytes = c->writable_bytes < all - done ? c->writable_bytes : all - done;
        if (!bytes || (!done && bytes < HDR_BYTES) || (bytes < all && !(d->accepted & F_MRG_RXBUF))) return refuse_buffers(n);
        if (!fill(n, c, header, f, done, bytes)) return refuse_buffers(n);
        used[count].head = c->head;
        used[count++].bytes = bytes;
        done += bytes;
    }
    store_le16(header + HDR_BUFFERS, (uint16_t)count);
    if (count > 1 && !virtq_chain_write(d->gmem, &n->first, HDR_BUFFERS, header + HDR_BUFFERS, 2)) return refuse_buffers(n);
    for (unsigned i = 0; i < count; i++) virtio_push(d, queue, used[i].head, used[i].bytes);
    virtio_interrupt(d, queue);
    return true;
}

static void deliver_waiting(struct virtio_net *n)
{
    const struct net_frame *f;
    while ((f = net_queue_first(&n->waiting)) && virtio_is_live(&n->device) && deliver(n, f)) net_queue_drop_first(&n->waiting);
}

/* A net_receive_fn: no lock held, any thread. */
static bool receive(void *ctx, const struct net_frame *f)
{
    struct virtio_net *n = ctx;
    bool has_room = true;
    spin_lock(&n->device.lock);
    if (!virtio_is_live(&n->device)) has_room = false;
    else if (is_wanted(n, f) && (n->waiting.count || !deliver(n, f))) has_room = net_queue_push(&n->waiting, f);
    spin_unlock(&n->device.lock);
    return has_room;
}

/* ---- from the guest ---- */
/* Lock held. False: no frame that we offered to take (5.1.6.2). */
static bool copy_out(struct virtio_net *n, const struct virtq_chain *c)
{
    uint8_t h[HDR_BYTES];
    struct net_frame *f = &n->out;
    if (c->readable_bytes < HDR_BYTES + NET_HEADER_BYTES || c->readable_bytes > HDR_BYTES + NET_FRAME_MOST) return false;
    f->length = c->readable_bytes - HDR_BYTES;
    if (!virtq_chain_read(n->device.gmem, c, 0, h, sizeof h) || !virtq_chain_read(n->device.gmem, c, HDR_BYTES, f->data, f->length)) return false;
    f->has_partial_sum = h[HDR_FLAGS] & HDR_NEEDS_CSUM;
    f->sum_start = load_le16(h + HDR_CSUM_START);
    f->sum_offset = load_le16(h + HDR_CSUM_OFFSET);
    return !h[HDR_GSO_TYPE] && (!f->has_partial_sum || n->device.accepted & F_CSUM);
}

/* Lock held on entry and on return; released while the frame is on its way. */
static void send_chain(struct virtio_net *n, unsigned queue)
{
    struct virtio_device *d = &n->device;
    bool is_frame = copy_out(n, &n->sent);
    virtio_push(d, queue, n->sent.head, 0);
    virtio_interrupt(d, queue);
    if (!is_frame) n->out.length = 0;                          /* the switch counts it as refused */
    spin_unlock(&d->lock);
    net_send(n->port, &n->out);
    spin_lock(&d->lock);
}

/* Lock held. The queues take turns, a frame each; false: all are empty. */
static bool send_one_each(struct virtio_net *n, unsigned *budget)
{
    bool has_sent = false;
    for (unsigned i = 0; i < n->pairs && *budget; i++) {
        if (virtio_pop(&n->device, 2 * i + 1, &n->sent) != VIRTQ_CHAIN) continue;
        send_chain(n, 2 * i + 1);
        has_sent = true;
        (*budget)--;
    }
    return has_sent;
}

static void pump(struct virtio_net *n)
{
    struct virtio_device *d = &n->device;
    __atomic_fetch_add(&n->active, 1, __ATOMIC_ACQUIRE);
    spin_lock(&d->lock);
    if (!n->is_pumping) {
        unsigned budget = VIRTIO_NOTIFY_CHAINS;
        uint64_t wait_ns = 0;
        n->is_pumping = true;
        do {
            wait_ns = net_wait_ns(n->port);                    /* device before switch */
        } while (!wait_ns && budget && send_one_each(n, &budget));
        if (wait_ns || !budget) virtio_breathe(d, wait_ns > VIRTIO_BREATH_NS ? wait_ns : VIRTIO_BREATH_NS);
        n->is_pumping = false;
    }
    spin_unlock(&d->lock);
    __atomic_fetch_sub(&n->active, 1, __ATOMIC_RELEASE);       /* pairs with the acquire in drain */
}

/* ---- commands (5.1.6.5); lock held ---- */
static bool command_read(const struct virtio_net *n, uint32_t at, void *out, uint32_t bytes)
{
    return virtq_chain_read(n->device.gmem, &n->command, COMMAND_BYTES + at, out, bytes);
}

static bool set_mode(struct virtio_net *n, unsigned which)
{
    uint8_t on;
    uint64_t need = which <= RX_ALLMULTI ? F_CTRL_RX : F_CTRL_RX_EXTRA;
    if (which >= RX_COUNT || !(n->device.accepted & need) || !command_read(n, 0, &on, sizeof on)) return false;
    n->mode[which] = on;
    return true;
}

/* 5.1.6.5.2.1: how many, then so many addresses. *at goes on behind them. */
static bool read_list(const struct virtio_net *n, uint32_t *at, struct mac_list *out)
{
    uint8_t raw[4];
    if (!command_read(n, *at, raw, sizeof raw)) return false;
    uint64_t count = load_le32(raw), end = (uint64_t)*at + sizeof raw + count * NET_MAC_BYTES;
    if (end > n->command.readable_bytes - COMMAND_BYTES) return false;
    out->is_all = count > FILTER_MOST;
    out->count = out->is_all ? 0 : (unsigned)count;
    if (out->count && !command_read(n, *at + sizeof raw, out->mac, out->count * NET_MAC_BYTES)) return false;
    *at = (uint32_t)end;
    return true;
}

static bool set_macs(struct virtio_net *n, unsigned command)
{
    uint8_t mac[NET_MAC_BYTES];
    uint32_t at = 0;
    if (command == MAC_ADDR_SET && n->device.accepted & F_CTRL_MAC_ADDR) {
        if (!command_read(n, 0, mac, sizeof mac) || net_is_group(mac)) return false;
        memcpy(n->device.config + CONFIG_MAC, mac, sizeof mac);
        return true;
    }
    if (command != MAC_TABLE_SET || !(n->device.accepted & F_CTRL_RX)) return false;
    return read_list(n, &at, &n->unicast) && read_list(n, &at, &n->multicast);
}

static bool set_vlan(struct virtio_net *n, unsigned command)
{
    uint8_t raw[2];
    if (!(n->device.accepted & F_CTRL_VLAN) || command > VLAN_DEL || !command_read(n, 0, raw, sizeof raw)) return false;
    unsigned vlan = load_le16(raw);
    if (vlan > NET_VLAN_MOST) return false;
    if (command == VLAN_ADD) n->vlan[vlan / 8] |= (uint8_t)(1u << vlan % 8);
    else n->vlan[vlan / 8] &= (uint8_t)~(1u << vlan % 8);
    return true;
}

static bool set_pairs(struct virtio_net *n, unsigned command)
{
    uint8_t raw[2];
    if (!(n->device.accepted & F_MQ) || command != MQ_PAIRS_SET || !command_read(n, 0, raw, sizeof raw)) return false;
    unsigned pairs = load_le16(raw);
    if (!pairs || pairs > n->pairs_most) return false;
    n->pairs = pairs;
    return true;
}

static bool obey(struct virtio_net *n)
{
    uint8_t head[COMMAND_BYTES];
    if (!virtq_chain_read(n->device.gmem, &n->command, 0, head, sizeof head)) return false;
    switch (head[0]) {
    case CLASS_RX:   return set_mode(n, head[1]);
    case CLASS_MAC:  return set_macs(n, head[1]);
    case CLASS_VLAN: return set_vlan(n, head[1]);
    case CLASS_MQ:   return set_pairs(n, head[1]);
    default:         return false;
    }
}

static void serve_commands(struct virtio_net *n, unsigned queue)
{
    unsigned budget = VIRTIO_NOTIFY_CHAINS;
    while (budget && virtio_pop(&n->device, queue, &n->command) == VIRTQ_CHAIN) {
        if (n->command.readable_bytes < COMMAND_BYTES || !n->command.writable_bytes) {
            virtio_break(&n->device, "command without header or answer");
            return;
        }
        uint8_t ack = obey(n) ? ACK_OK : ACK_ERR;
        bool is_written = virtq_chain_write(n->device.gmem, &n->command, 0, &ack, sizeof ack);
        virtio_push(&n->device, queue, n->command.head, is_written);
        budget--;
    }
    if (!budget) virtio_breathe(&n->device, VIRTIO_BREATH_NS);
    virtio_interrupt(&n->device, queue);
}

static void notify(struct virtio_device *d, unsigned queue)
{
    struct virtio_net *n = net_of(d);
    bool is_control;
    spin_lock(&d->lock);
    is_control = d->accepted & F_CTRL_VQ && queue == control_queue(n);
    if (is_control) serve_commands(n, queue);
    else if (queue % 2 == 0) deliver_waiting(n);
    spin_unlock(&d->lock);
    if (queue % 2) pump(n);
}

/* ---- life ---- */
/* 5.1.6.5.1: who cannot say what it wants gets all. */
static void negotiated(struct virtio_device *d)
{
    struct virtio_net *n = net_of(d);
    n->mode[RX_PROMISC] = !(d->accepted & F_CTRL_RX) || !(d->accepted & F_CTRL_VQ);
    net_port_take_partial_sums(n->port, d->accepted & F_GUEST_CSUM);
}

static void reset(struct virtio_device *d)
{
    struct virtio_net *n = net_of(d);
    memset(n->mode, 0, sizeof n->mode);
    memset(n->vlan, 0, sizeof n->vlan);
    n->unicast = n->multicast = (struct mac_list){ .count = 0 };
    n->pairs = 1;
    memcpy(d->config + CONFIG_MAC, n->port->config.mac, NET_MAC_BYTES);
    net_queue_clear(&n->waiting);
    net_port_take_partial_sums(n->port, false);
}

static bool drain(struct virtio_device *d)
{
    struct virtio_net *n = net_of(d);
    uint64_t end_ns = arch_time_ns() + VIRTIO_DRAIN_NS;
    while (__atomic_load_n(&n->active, __ATOMIC_ACQUIRE)) {    /* pairs with pump */
        if (arch_time_ns() > end_ns) return false;
        percpu_service();
        arch_cpu_relax();
    }
    return true;
}

static void destroy(struct virtio_device *d)
{
    struct virtio_net *n = net_of(d);
    net_port_close(n->port);
    net_queue_destroy(&n->waiting);
    heap_free(n);
}

static const struct virtio_ops net_ops = { .name = "net", .device_id = DEVICE_ID, .queue_count = VIRTIO_MAX_QUEUES, .notify = notify,
                                           .negotiated = negotiated, .drain = drain, .reset = reset, .destroy = destroy };

struct vm_error virtio_net_create(const struct virtio_slot *s, struct net_port *port, unsigned pairs, struct mmio_region *out)
{
    struct virtio_net *n = heap_alloc(sizeof *n);
    if (!n || !net_queue_create(&n->waiting, WAITING)) {
        heap_free(n);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for virtio net");
    }
    uint64_t features = F_CSUM | F_GUEST_CSUM | F_MTU | F_MAC | F_MRG_RXBUF | F_STATUS | F_CTRL_VQ | F_CTRL_RX | F_CTRL_VLAN | F_CTRL_RX_EXTRA;
    if (pairs > 1) features |= F_MQ;
    if (port->config.has_any_mac) features |= F_CTRL_MAC_ADDR;
    virtio_init(&n->device, &net_ops, s, features);
    n->port = port;
    n->pairs_most = pairs;
    n->pairs = 1;
    n->device.config_bytes = CONFIG_BYTES;
    memcpy(n->device.config + CONFIG_MAC, port->config.mac, NET_MAC_BYTES);
    store_le16(n->device.config + CONFIG_STATUS, LINK_UP);
    store_le16(n->device.config + CONFIG_PAIRS, (uint16_t)pairs);
    store_le16(n->device.config + CONFIG_MTU, NET_MTU);
    virtio_mmio_region(&n->device, s, out);
    net_port_open(port, receive, n);
    return VM_SUCCESS;
}
