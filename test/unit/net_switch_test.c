// SPDX-License-Identifier: Apache-2.0
/* Frames and the switch: drivers/net/frame.h, drivers/net/switch.h. */
#include <pthread.h>
#include "drivers/net/switch.h"
#include "hv/base/bits.h"
#include "hv/core/heap.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"
#include <string.h>

enum { HOSTS = 4 };
static struct net_switch lan;
static struct host { struct net_port *port; struct net_frame last; unsigned heard; bool is_full; } host[HOSTS];
static struct net_frame f;
static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };

static bool hear(void *ctx, const struct net_frame *frame)
{
    struct host *h = ctx;
    if (h->is_full) return false;
    h->last = *frame;
    h->heard++;
    return true;
}
static struct net_port_config usual(unsigned n) { return (struct net_port_config){ .name = "host", .mac = { 2, 0, 0, 0, 0, (uint8_t)n } }; }
static void join(unsigned n, struct net_port_config c)
{
    host[n] = (struct host){ .heard = 0 };
    CHECK(!vm_failed(net_port_create(&lan, &c, &host[n].port)));
    net_port_open(host[n].port, hear, &host[n]);
}
static void start(void)
{
    test_pages();
    memset(&lan, 0, sizeof lan);
    for (unsigned i = 0; i < HOSTS; i++) join(i, usual(i));
}
static void end(void)
{
    for (unsigned i = 0; i < HOSTS; i++) net_port_destroy(host[i].port);
    CHECK_EQ_U64(net_learned(&lan), 0);
}
static void rejoin(unsigned n, struct net_port_config c)
{
    net_port_destroy(host[n].port);
    join(n, c);
}
static void frame(const uint8_t *to, const uint8_t *from, uint32_t length)
{
    memset(&f, 0, sizeof f);
    memcpy(f.data, to, 6);
    memcpy(f.data + 6, from, 6);
    for (uint32_t i = 12; i < length; i++) f.data[i] = (uint8_t)i;
    f.length = length;
}
static const uint8_t *mac(unsigned n) { return host[n].port->config.mac; }
static void send(unsigned from, unsigned to)
{
    frame(mac(to), mac(from), 60);
    net_send(host[from].port, &f);
}
static struct net_counters counters(unsigned n) { return net_port_counters(host[n].port); }

/* ---- frames ---- */
TEST(net_frame_tag_goes_on_and_off_and_the_checksums_place_moves_along)
{
    start();
    frame(mac(1), mac(0), 100);
    f.has_partial_sum = true, f.sum_start = 34, f.sum_offset = 6;
    struct net_frame before = f;
    CHECK(!net_frame_is_tagged(&f) && net_frame_vlan(&f) == 0 && net_frame_tag(&f, 77));
    CHECK(net_frame_is_tagged(&f) && net_frame_vlan(&f) == 77 && f.length == 104 && f.sum_start == 38 && f.data[12] == 0x81 && f.data[15] == 77);
    CHECK(net_frame_untag(&f) && f.length == 100 && f.sum_start == 34 && !memcmp(f.data, before.data, 100));
    f.length = NET_FRAME_MOST - 3;
    CHECK(!net_frame_tag(&f, 1));
    end();
}

TEST(net_frame_completes_a_partial_checksum_by_the_rules)
{
    memset(&f, 0, sizeof f);
    static const uint8_t segment[] = { 0x00, 0x07, 0x12, 0x34, 0x00, 0x0b, 0xab, 0xcd, 'a', 'b', 'c' };      /* UDP, its pseudo header's sum 0xabcd */
    memcpy(f.data + 34, segment, sizeof segment);
    f.length = 34 + sizeof segment, f.has_partial_sum = true, f.sum_start = 34, f.sum_offset = 6;
    CHECK(net_frame_is_sound(&f));
    net_frame_complete(&f);
    /* 0x0007 + 0x1234 + 0x000b + 0xabcd + 0x6162 + 0x6300 = 0x18275 -> 0x8276, turned over */
    CHECK(!f.has_partial_sum && load_be16(f.data + 40) == 0x7d89);
    memset(f.data + 34, 0, sizeof segment);
    f.data[40] = f.data[41] = 0xff, f.has_partial_sum = true;
    net_frame_complete(&f);
    CHECK_EQ_U64(load_be16(f.data + 40), 0xffff);                       /* never 0: that would be "no checksum" */
}

TEST(net_frame_is_sound_only_with_lawful_length_and_checksum)
{
    static const struct { uint32_t length; bool has_sum; uint16_t start, offset; bool is_sound; } cases[] = {
        { 13, false, 0, 0, false }, { 14, false, 0, 0, true }, { NET_FRAME_MOST, false, 9999, 9999, true }, { NET_FRAME_MOST + 1, false, 0, 0, false },
        { 60, true, 13, 0, false }, { 60, true, 14, 44, true }, { 60, true, 14, 45, false }, { 60, true, 58, 0, true }, { 60, true, 59, 0, false },
        { 60, true, 65535, 65535, false }, { 0, false, 0, 0, false }, { UINT32_MAX, false, 0, 0, false },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        f.length = cases[i].length, f.has_partial_sum = cases[i].has_sum, f.sum_start = cases[i].start, f.sum_offset = cases[i].offset;
        CHECK(net_frame_is_sound(&f) == cases[i].is_sound);
    }
}

TEST(net_frame_flow_is_the_same_in_both_directions_and_tells_ports_apart)
{
    static const uint8_t to[6] = { 2, 0, 0, 0, 0, 9 }, from[6] = { 2, 0, 0, 0, 0, 8 };
    for (unsigned six = 0; six < 2; six++) {
        unsigned ports = six ? 54 : 34, addresses = six ? 22 : 26, bytes = six ? 16 : 4;
        frame(to, from, 80);
        f.data[12] = six ? 0x86 : 8, f.data[13] = six ? 0xdd : 0;
        f.data[14] = 0x45, f.data[20] = f.data[21] = 0;
        f.data[six ? 20 : 23] = 6;
        uint32_t one = net_frame_flow(&f);
        struct net_frame back = f;
        memcpy(back.data + addresses, f.data + addresses + bytes, bytes), memcpy(back.data + addresses + bytes, f.data + addresses, bytes);
        memcpy(back.data + ports, f.data + ports + 2, 2), memcpy(back.data + ports + 2, f.data + ports, 2);
        CHECK_EQ_U64(net_frame_flow(&back), one);
        f.data[ports] ^= 1;
        CHECK(net_frame_flow(&f) != one);
    }
    for (f.length = 14; f.length < 80; f.length++) (void)net_frame_flow(&f);          /* the sanitizers look on */
}

TEST(net_queue_gives_frames_back_in_order_and_takes_no_more_than_its_room)
{
    struct net_queue q;
    test_pages();
    CHECK(net_queue_create(&q, 3));
    for (unsigned round = 0; round < 5; round++) {
        for (uint8_t i = 0; i < 3; i++) {
            f.length = 14 + i, f.data[0] = i, f.has_partial_sum = i == 1;
            CHECK(net_queue_push(&q, &f));
        }
        CHECK(!net_queue_push(&q, &f));
        for (uint8_t i = 0; i < 3; i++) {
            const struct net_frame *got = net_queue_first(&q);
            CHECK(got && got->length == 14u + i && got->data[0] == i && got->has_partial_sum == (i == 1));
            net_queue_drop_first(&q);
        }
        CHECK(!net_queue_first(&q) && net_queue_push(&q, &f));
        net_queue_drop_first(&q);
    }
    net_queue_destroy(&q);
}

/* ---- the switch ---- */
TEST(net_switch_takes_a_frame_to_the_port_it_is_for_and_a_broadcast_to_all_others)
{
    start();
    send(0, 2);
    CHECK(host[2].heard == 1 && !host[0].heard && !host[1].heard && !host[3].heard && host[2].last.length == 60 && host[2].last.data[59] == 59);
    frame(everybody, mac(1), 60);
    net_send(host[1].port, &f);
    CHECK(host[0].heard == 1 && host[1].heard == 0 && host[2].heard == 2 && host[3].heard == 1);
    send(3, 3);
    CHECK_EQ_U64(host[3].heard, 1);                                     /* nothing comes back to its sender */
    CHECK(counters(0).sent_frames == 1 && counters(0).sent_bytes == 60 && counters(2).received_frames == 2 && counters(2).received_bytes == 120);
    end();
}

TEST(net_switch_refuses_what_is_no_frame_and_counts_it)
{
    static const uint32_t lengths[] = { 0, 13, NET_FRAME_MOST + 1, UINT32_MAX, NET_FRAME_MOST };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) {
        frame(mac(1), mac(0), 60);
        f.length = lengths[i];                                           /* the last: too long without a tag */
        net_send(host[0].port, &f);
    }
    frame(mac(1), everybody, 60);
    net_send(host[0].port, &f);
    frame(mac(1), mac(0), 60);
    f.data[12] = 0x81, f.data[13] = 0, f.length = 16;                    /* half a tag */
    net_send(host[0].port, &f);
    CHECK(!host[1].heard && counters(0).refused == 7 && counters(0).sent_frames == 0);
    end();
}

TEST(net_switch_lets_nobody_speak_in_anothers_name)
{
    static const uint8_t stranger[6] = { 2, 9, 9, 9, 9, 9 };
    start();
    frame(mac(1), mac(2), 60);
    net_send(host[0].port, &f);
    frame(mac(1), stranger, 60);
    net_send(host[0].port, &f);
    CHECK(!host[1].heard && counters(0).refused == 2);
    struct net_port_config any = usual(0);
    any.has_any_mac = true;
    rejoin(0, any);
    frame(mac(1), stranger, 60);
    net_send(host[0].port, &f);
    CHECK(host[1].heard == 1 && net_learned(&lan) == 1);
    frame(mac(1), mac(2), 60);
    net_send(host[0].port, &f);
    CHECK(host[1].heard == 1 && counters(0).refused == 1);               /* not even then */
    frame(stranger, mac(1), 60);
    net_send(host[1].port, &f);
    CHECK(host[0].heard == 1 && !host[2].heard && !host[3].heard);       /* learned */
    end();
}

TEST(net_switch_floods_what_it_has_not_learned_and_no_more_once_it_has)
{
    uint8_t far[6] = { 2, 7, 7, 7, 7, 7 };
    start();
    struct net_port_config up = usual(3);
    up.is_trusted = true;
    rejoin(3, up);
    frame(far, mac(0), 60);
    net_send(host[0].port, &f);
    CHECK(host[1].heard == 1 && host[2].heard == 1 && host[3].heard == 1);
    frame(mac(0), far, 60);
    net_send(host[3].port, &f);
    frame(far, mac(0), 60);
    net_send(host[0].port, &f);
    CHECK(host[1].heard == 1 && host[2].heard == 1 && host[3].heard == 2 && host[0].heard == 1);
    struct net_port_config any = usual(1);
    any.has_any_mac = true;
    rejoin(1, any);
    frame(mac(0), far, 60);
    net_send(host[1].port, &f);                                          /* claims what lives behind the uplink */
    CHECK(counters(1).refused == 1 && host[0].heard == 1);
    end();
}

TEST(net_switch_remembers_a_bounded_number_of_addresses_and_forgets_old_ones)
{
    start();
    struct net_port_config any = usual(0);
    any.has_any_mac = true;
    rejoin(0, any);
    for (unsigned i = 0; i < 5000; i++) {
        uint8_t from[6] = { 2, 3, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 1 };
        frame(mac(1), from, 60);
        net_send(host[0].port, &f);
    }
    CHECK(host[1].heard == 5000 && net_learned(&lan) <= NET_MACS_EACH && net_learned(&lan) > 0);
    for (unsigned i = 0; i < NET_MACS_MOST; i++) lan.mac[i].heard_ns -= NET_AGE_NS;
    for (unsigned i = 0; i < NET_MACS_MOST; i++) {
        if (!lan.mac[i].port) continue;
        uint8_t to[6];
        memcpy(to, lan.mac[i].mac, 6);
        host[2].heard = 0;
        frame(to, mac(1), 60);
        net_send(host[1].port, &f);
        CHECK_EQ_U64(host[2].heard, 1);                                  /* flooded again */
    }
    CHECK_EQ_U64(net_learned(&lan), 0);
    end();
}

TEST(net_switch_keeps_vlans_apart_and_tags_for_trunks_alone)
{
    start();
    struct net_port_config c = usual(1);
    c.vlan = 5;
    rejoin(1, c);
    c = usual(2), c.vlan = 5;
    rejoin(2, c);
    c = usual(3), c.is_trunk = true;
    rejoin(3, c);
    frame(everybody, mac(0), 60);
    net_send(host[0].port, &f);
    CHECK(!host[1].heard && !host[2].heard && host[3].heard == 1 && host[3].last.length == 60);
    send(0, 1);
    CHECK(!host[1].heard);                                               /* even who knows the address */
    frame(everybody, mac(1), 60);
    f.has_partial_sum = true, f.sum_start = 20, f.sum_offset = 2;
    net_send(host[1].port, &f);
    CHECK(!host[0].heard && host[2].heard == 1 && host[2].last.length == 60 && host[3].heard == 2);
    CHECK(host[3].last.length == 64 && net_frame_vlan(&host[3].last) == 5 && !host[3].last.has_partial_sum);
    frame(mac(2), mac(3), 60);
    CHECK(net_frame_tag(&f, 5));
    net_send(host[3].port, &f);
    CHECK(host[2].heard == 2 && host[2].last.length == 60 && !host[0].heard);
    frame(mac(2), mac(0), 60);
    CHECK(net_frame_tag(&f, 5));
    net_send(host[0].port, &f);                                          /* hops into a VLAN that is not its own */
    CHECK(host[2].heard == 2 && counters(0).refused == 1);
    frame(mac(3), mac(0), 60);
    CHECK(net_frame_tag(&f, 0));
    net_send(host[0].port, &f);                                          /* 802.1Q, 9.6: priority alone */
    CHECK(host[3].heard == 3 && host[3].last.length == 60);
    end();
}

TEST(net_switch_sums_up_only_for_who_wants_it)
{
    start();
    net_port_take_partial_sums(host[1].port, true);
    frame(everybody, mac(0), 60);
    f.has_partial_sum = true, f.sum_start = 20, f.sum_offset = 2;
    net_send(host[0].port, &f);
    CHECK(host[1].last.has_partial_sum && host[1].last.sum_start == 20 && !host[2].last.has_partial_sum && !host[3].last.has_partial_sum);
    CHECK(memcmp(host[1].last.data, host[2].last.data, 60) && !memcmp(host[2].last.data, host[3].last.data, 60));
    end();
}

TEST(net_switch_counts_what_a_port_has_no_room_for_as_lost)
{
    start();
    host[1].is_full = true;
    for (unsigned i = 0; i < 10; i++) send(0, 1);
    CHECK(counters(1).lost == 10 && counters(1).received_frames == 0 && counters(0).sent_frames == 10);
    end();
}

TEST(net_switch_holds_a_port_to_its_rate)
{
    start();
    struct net_port_config c = usual(0);
    c.rate_bytes = 1;                                                    /* a frame of 60 bytes a minute */
    rejoin(0, c);
    for (unsigned i = 0; i < 10; i++) send(0, 1);
    CHECK(counters(0).sent_frames == 1 && counters(0).refused == 9 && host[1].heard == 1);
    CHECK(net_wait_ns(host[0].port) > 1000000000 && net_wait_ns(host[0].port) <= 60000000000);
    c.rate_bytes = 60000;                                                /* a frame a millisecond */
    rejoin(0, c);
    uint64_t from_ns = arch_time_ns();
    for (unsigned i = 0; i < 100; i++) {
        while (net_wait_ns(host[0].port)) arch_cpu_relax();
        send(0, 1);
    }
    CHECK(arch_time_ns() - from_ns > 50000000);                          /* 100 frames are 100 ms, a burst less */
    CHECK(net_wait_ns(host[1].port) == 0);
    end();
}

TEST(net_switch_has_32_ports_each_with_its_own_address)
{
    struct net_port *p[NET_PORTS_MOST] = { NULL }, *one_more = NULL;
    struct net_port_config c = usual(1);
    start();
    CHECK(vm_failed(net_port_create(&lan, &c, &one_more)));
    for (unsigned i = HOSTS; i < NET_PORTS_MOST; i++) {
        c = usual(i);
        CHECK(!vm_failed(net_port_create(&lan, &c, &p[i])));
    }
    c = usual(100);
    CHECK(vm_failed(net_port_create(&lan, &c, &one_more)) && !one_more);
    frame(everybody, mac(0), 60);
    net_send(host[0].port, &f);                                          /* the closed ones hear nothing */
    CHECK_EQ_U64(host[1].heard, 1);
    for (unsigned i = HOSTS; i < NET_PORTS_MOST; i++) net_port_destroy(p[i]);
    end();
}

/* ---- ports come and go while others send ---- */
static uint32_t stop;
static bool hear_alive(void *ctx, const struct net_frame *frame)
{
    uint64_t *life = ctx;
    CHECK(*life == 0x11fe && frame->length == 60);
    return true;
}
static void *sender(void *arg)
{
    unsigned n = (unsigned)(uintptr_t)arg;
    struct net_frame mine;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        memset(&mine, 0, sizeof mine);
        memcpy(mine.data, everybody, 6);
        memcpy(mine.data + 6, mac(n), 6);
        mine.length = 60;
        net_send(host[n].port, &mine);
    }
    return NULL;
}
TEST(net_port_hears_nothing_after_it_was_closed_whoever_sends_meanwhile)
{
    pthread_t thread[2];
    start();
    for (unsigned i = 0; i < HOSTS; i++) host[i].is_full = true;
    __atomic_store_n(&stop, 0, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 2; i++) CHECK(!pthread_create(&thread[i], NULL, sender, (void *)(uintptr_t)i));
    for (unsigned i = 0; i < 2000; i++) {
        struct net_port_config c = usual(50);
        struct net_port *p;
        uint64_t *life = malloc(sizeof *life);
        *life = 0x11fe;
        CHECK(!vm_failed(net_port_create(&lan, &c, &p)));
        net_port_open(p, hear_alive, life);
        net_port_close(p);
        free(life);
        net_port_destroy(p);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 2; i++) pthread_join(thread[i], NULL);
    end();
}
