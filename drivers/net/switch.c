// SPDX-License-Identifier: Apache-2.0
/* The switch; see switch.h. A frame is judged, its sender learned and its receivers chosen under the lock; each of them is
 * counted as busy there, so that it stays while the frame is handed over outside. Inside the switch frames have no tag. */
#include "drivers/net/switch.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define WAYS     8u                              /* places of the table where one address may be */
#define NS_PER_S 1000000000ull
#define TYPE_AT  12u
_Static_assert(NET_MACS_MOST % WAYS == 0, "whole sets");

static void count(uint64_t *word, uint64_t by) { __atomic_fetch_add(word, by, __ATOMIC_RELAXED); }

/* ---- learned addresses; lock held ---- */
static struct net_mac *set_of(struct net_switch *s, const uint8_t *mac, uint16_t vlan)
{
    uint32_t h = 0x811c9dc5u ^ vlan;
    for (unsigned i = 0; i < NET_MAC_BYTES; i++) h = (h ^ mac[i]) * 0x01000193u;
    return &s->mac[(h ^ h >> 16) % (NET_MACS_MOST / WAYS) * WAYS];
}

static void forget(struct net_mac *m)
{
    m->port->macs--;
    m->port = NULL;
}

static struct net_mac *find_learned(struct net_switch *s, const uint8_t *mac, uint16_t vlan, uint64_t now_ns)
{
    struct net_mac *set = set_of(s, mac, vlan);
    for (unsigned i = 0; i < WAYS; i++) {
        if (!set[i].port || set[i].vlan != vlan || !net_same_mac(set[i].mac, mac)) continue;
        if (now_ns - set[i].heard_ns < NET_AGE_NS) return &set[i];
        forget(&set[i]);
        return NULL;
    }
    return NULL;
}

/* A port at its bound gives its own oldest address of the set for a new one, or learns none: then its frames are flooded. */
static void learn_new(struct net_switch *s, struct net_port *p, const uint8_t *mac, uint16_t vlan, uint64_t now_ns)
{
    struct net_mac *set = set_of(s, mac, vlan), *place = NULL;
    bool is_full = !p->config.is_trusted && p->macs >= NET_MACS_EACH;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].port && now_ns - set[i].heard_ns >= NET_AGE_NS) forget(&set[i]);
        if (is_full ? set[i].port != p : set[i].port && set[i].port != p) continue;
        if (!place || (place->port && (!set[i].port || set[i].heard_ns < place->heard_ns))) place = &set[i];
    }
    if (!place) return;
    if (place->port) forget(place);
    *place = (struct net_mac){ .port = p, .vlan = vlan, .heard_ns = now_ns };
    memcpy(place->mac, mac, NET_MAC_BYTES);
    p->macs++;
}

static struct net_port *port_of_mac(struct net_switch *s, const uint8_t *mac)
{
    for (unsigned i = 0; i < NET_PORTS_MOST; i++) {
        if (s->port[i] && net_same_mac(s->port[i]->config.mac, mac)) return s->port[i];
    }
    return NULL;
}

/* False: the address is somebody else's. */
static bool learn(struct net_switch *s, struct net_port *p, const uint8_t *mac, uint16_t vlan, uint64_t now_ns)
{
    struct net_port *owner = port_of_mac(s, mac);
    if (owner) return owner == p;
    if (!p->config.has_any_mac && !p->config.is_trusted) return false;
    struct net_mac *m = find_learned(s, mac, vlan, now_ns);
    if (m && m->port != p) {
        if (m->port->config.is_trusted && !p->config.is_trusted) return false;
        forget(m);
        m = NULL;
    }
    if (m) m->heard_ns = now_ns;
    else learn_new(s, p, mac, vlan, now_ns);
    return true;
}

/* ---- rates: a port that may send n bytes a second pays for each with time; lock held ---- */
static uint64_t wait_ns(const struct net_port *p, uint64_t now_ns)
{
    return p->free_at_ns > now_ns + NET_BURST_NS ? p->free_at_ns - NET_BURST_NS - now_ns : 0;
}

static bool pay(struct net_port *p, uint32_t bytes, uint64_t now_ns)
{
    if (!p->config.rate_bytes) return true;
    if (wait_ns(p, now_ns)) return false;
    if (p->free_at_ns < now_ns) p->free_at_ns = now_ns;
    p->free_at_ns += bytes * NS_PER_S / p->config.rate_bytes;
    return true;
}

uint64_t net_wait_ns(struct net_port *p)
{
    spin_lock(&p->owner->lock);
    uint64_t ns = wait_ns(p, arch_time_ns());
    spin_unlock(&p->owner->lock);
    return ns;
}

/* ---- from one port to others ---- */
/* The frame's VLAN, its tag taken off; false: it may not come in (802.1Q, 8.6.2). */
static bool admit(const struct net_port *p, struct net_frame *f, uint16_t *vlan)
{
    *vlan = p->config.vlan;
    if (!net_frame_is_tagged(f)) return load_be16(f->data + TYPE_AT) != 0x8100;
    uint16_t tag = net_frame_vlan(f);
    if (tag && tag != p->config.vlan && (!p->config.is_trunk || tag > NET_VLAN_MOST)) return false;
    if (tag) *vlan = tag;
    return net_frame_untag(f);
}

static bool is_member(const struct net_port *p, uint16_t vlan) { return p->config.is_trunk || p->config.vlan == vlan; }
static bool wants_tag(const struct net_port *p, uint16_t vlan) { return p->config.vlan != vlan; }

/* Lock held: who gets it, each counted as busy. */
static unsigned choose(struct net_switch *s, const struct net_port *from, const uint8_t *mac, uint16_t vlan, uint64_t now_ns,
                       struct net_port *to[])
{
    struct net_port *one = NULL;
    unsigned n = 0;
    if (!net_is_group(mac)) {
        one = port_of_mac(s, mac);
        struct net_mac *m = one ? NULL : find_learned(s, mac, vlan, now_ns);
        if (m) one = m->port;
    }
    for (unsigned i = 0; i < NET_PORTS_MOST; i++) {
        struct net_port *p = s->port[i];
        if (!p || p == from || !p->is_open || !is_member(p, vlan) || (one && p != one)) continue;
        __atomic_fetch_add(&p->deliveries, 1, __ATOMIC_ACQUIRE);
        to[n++] = p;
    }
    return n;
}

static void hand_over(struct net_port *p, const struct net_frame *f)
{
    if (p->receive(p->ctx, f)) {
        count(&p->count.received_frames, 1);
        count(&p->count.received_bytes, f->length);
    } else {
        count(&p->count.lost, 1);
    }
    __atomic_fetch_sub(&p->deliveries, 1, __ATOMIC_RELEASE);   /* pairs with the acquire in net_port_close */
}

/* The frame changes from turn to turn, never back: as it is, then with its checksum, then with a tag too. */
enum turn { TURN_AS_IS, TURN_SUMMED, TURN_TAGGED, TURNS };
static enum turn turn_of(const struct net_port *p, const struct net_frame *f, uint16_t vlan)
{
    if (wants_tag(p, vlan)) return TURN_TAGGED;
    return f->has_partial_sum && !__atomic_load_n(&p->takes_partial_sums, __ATOMIC_RELAXED) ? TURN_SUMMED : TURN_AS_IS;
}

static void hand_to_all(struct net_port *const to[], unsigned n, struct net_frame *f, uint16_t vlan)
{
    uint8_t turn[NET_PORTS_MOST];
    for (unsigned i = 0; i < n; i++) turn[i] = turn_of(to[i], f, vlan);
    for (enum turn t = TURN_AS_IS; t < TURNS; t++) {
        bool is_ready = false;
        for (unsigned i = 0; i < n; i++) {
            if (turn[i] != t) continue;
            if (!is_ready && t != TURN_AS_IS) net_frame_complete(f);
            if (!is_ready && t == TURN_TAGGED && !net_frame_tag(f, vlan)) f->length = 0;
            is_ready = true;
            if (f->length) hand_over(to[i], f);
            else count(&to[i]->count.lost, 1), __atomic_fetch_sub(&to[i]->deliveries, 1, __ATOMIC_RELEASE);
        }
    }
}

void net_send(struct net_port *from, struct net_frame *f)
{
    struct net_switch *s = from->owner;
    struct net_port *to[NET_PORTS_MOST];
    uint64_t now_ns = arch_time_ns();
    uint32_t bytes = f->length;
    uint16_t vlan = 0;
    unsigned n = 0;
    bool is_lawful = net_frame_is_sound(f) && admit(from, f, &vlan) && f->length <= NET_HEADER_BYTES + NET_MTU &&
                     !net_is_group(f->data + NET_MAC_BYTES);
    spin_lock(&s->lock);
    is_lawful = is_lawful && from->is_open && pay(from, bytes, now_ns) && learn(s, from, f->data + NET_MAC_BYTES, vlan, now_ns);
    if (is_lawful) n = choose(s, from, f->data, vlan, now_ns, to);
    spin_unlock(&s->lock);
    count(is_lawful ? &from->count.sent_frames : &from->count.refused, 1);
    if (is_lawful) count(&from->count.sent_bytes, bytes);
    hand_to_all(to, n, f, vlan);
}

/* ---- ports ---- */
static const char *place(struct net_switch *s, struct net_port *p)
{
    unsigned at = 0;
    if (port_of_mac(s, p->config.mac)) return "net: another port has this MAC address (give mac= to one of them)";
    while (at < NET_PORTS_MOST && s->port[at]) at++;
    if (at == NET_PORTS_MOST) return "net: the switch has no port left";
    p->index = at;
    s->port[at] = p;
    for (unsigned i = 0; i < NET_MACS_MOST; i++) {            /* what others were heard to say in its name */
        if (s->mac[i].port && net_same_mac(s->mac[i].mac, p->config.mac)) forget(&s->mac[i]);
    }
    return NULL;
}

struct vm_error net_port_create(struct net_switch *s, const struct net_port_config *c, struct net_port **out)
{
    struct net_port *p = heap_alloc(sizeof *p);
    if (!p) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a network port");
    p->owner = s;
    p->config = *c;
    hv_snprintf(p->name, sizeof p->name, "%s", c->name);
    p->config.name = p->name;
    spin_lock(&s->lock);
    const char *why = place(s, p);
    spin_unlock(&s->lock);
    if (why) {
        heap_free(p);
        return vm_error_because(VM_DEVICE_CONFIG, why);
    }
    *out = p;
    return VM_SUCCESS;
}

void net_port_open(struct net_port *p, net_receive_fn *receive, void *ctx)
{
    spin_lock(&p->owner->lock);
    p->receive = receive;
    p->ctx = ctx;
    p->is_open = true;
    spin_unlock(&p->owner->lock);
}

void net_port_close(struct net_port *p)
{
    spin_lock(&p->owner->lock);
    p->is_open = false;                                        /* nobody chooses it any more; who has chosen it still calls */
    spin_unlock(&p->owner->lock);
    while (__atomic_load_n(&p->deliveries, __ATOMIC_ACQUIRE)) arch_cpu_relax();
}

void net_port_destroy(struct net_port *p)
{
    if (!p) return;
    struct net_switch *s = p->owner;
    net_port_close(p);
    spin_lock(&s->lock);
    for (unsigned i = 0; i < NET_MACS_MOST; i++) {
        if (s->mac[i].port == p) forget(&s->mac[i]);
    }
    s->port[p->index] = NULL;
    spin_unlock(&s->lock);
    heap_free(p);
}

void net_port_take_partial_sums(struct net_port *p, bool takes) { __atomic_store_n(&p->takes_partial_sums, takes, __ATOMIC_RELAXED); }

struct net_counters net_port_counters(const struct net_port *p)
{
    struct net_counters c;
    const uint64_t *from = (const uint64_t *)&p->count;
    uint64_t *to = (uint64_t *)&c;
    for (unsigned i = 0; i < sizeof c / sizeof *to; i++) to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    return c;
}

bool net_port_view(struct net_switch *s, unsigned index, struct net_port_view *out)
{
    spin_lock(&s->lock);
    const struct net_port *p = s->port[index];
    if (p) {
        *out = (struct net_port_view){ .vlan = p->config.vlan, .is_trunk = p->config.is_trunk, .count = net_port_counters(p) };
        memcpy(out->name, p->name, sizeof out->name);
        memcpy(out->mac, p->config.mac, sizeof out->mac);
    }
    spin_unlock(&s->lock);
    return p != NULL;
}

unsigned net_learned(struct net_switch *s)
{
    unsigned n = 0;
    spin_lock(&s->lock);
    for (unsigned i = 0; i < NET_MACS_MOST; i++) n += s->mac[i].port != NULL;
    spin_unlock(&s->lock);
    return n;
}
