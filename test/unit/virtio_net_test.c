// SPDX-License-Identifier: Apache-2.0
/* virtio-net between a guest's rings and a port of the switch: drivers/virt/virtio_net.h; virtio 1.2, 5.1. */
#include "drivers/virt/virtio_net.h"
#include "hv/core/heap.h"
#include "hv/core/timer.h"
#include "test/unit/virtio_guest.h"

#define IN  (GUEST_RAM + MIB(1))
#define OUT (GUEST_RAM + MIB(2))
#define CMD (GUEST_RAM + MIB(3))
enum { RX, TX, CTRL, HDR = 12 };
#define CSUM        (1ull << 0)
#define GUEST_CSUM  (1ull << 1)
#define MRG         (1ull << 15)
#define CTRL_VQ     (1ull << 17)
#define CTRL_RX     (1ull << 18)
#define CTRL_VLAN   (1ull << 19)
#define CTRL_EXTRA  (1ull << 20)
#define MQ          (1ull << 22)
#define CTRL_MAC    (1ull << 23)

static struct net_switch lan;
static struct guest g;
static struct net_port *port, *peer;
static struct net_port_config config;
static struct ring rx, tx, ctrl;
static struct net_frame heard, f;
static unsigned heard_count;
static uint64_t heap_was;
static const uint8_t ours[6] = { 2, 0, 0, 0, 0, 1 }, theirs[6] = { 2, 0, 0, 0, 0, 2 }, everybody[6] = { 255, 255, 255, 255, 255, 255 };

static bool hear(void *ctx, const struct net_frame *frame)
{
    (void)ctx;
    heard = *frame;
    heard_count++;
    return true;
}
static void create(unsigned pairs)
{
    struct net_port_config c = { .name = "peer", .is_trunk = true, .has_any_mac = true };
    heap_was = heap_used_bytes();
    guest_init(&g);
    memset(&lan, 0, sizeof lan);
    memcpy(c.mac, theirs, 6);
    CHECK(!vm_failed(net_port_create(&lan, &c, &peer)));
    net_port_open(peer, hear, NULL);
    config.name = "guest.0";
    memcpy(config.mac, ours, 6);
    CHECK(!vm_failed(net_port_create(&lan, &config, &port)));
    struct virtio_slot s = guest_slot(&g);
    CHECK(!vm_failed(virtio_net_create(&s, port, pairs, &g.region)));
    heard_count = 0;
}
static void start_driver(uint64_t features)
{
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1 | features));
    ring_place(&rx, &g, RX, 128);
    ring_place(&tx, &g, TX, 256);
    ring_place(&ctrl, &g, CTRL, 16);
    ring_enable(&rx);
    ring_enable(&tx);
    ring_enable(&ctrl);
    drive(&g);
}
static void start(uint64_t features)
{
    memset(&config, 0, sizeof config);
    create(1);
    start_driver(features);
}
static void end(void)
{
    guest_end(&g);
    net_port_destroy(port);
    net_port_destroy(peer);
    CHECK_EQ_U64(heap_used_bytes(), heap_was);
}
/* A frame of so many bytes for the peer at OUT, behind a header of zeroes. */
static uint8_t *write_out(uint32_t length)
{
    uint8_t *p = ram(&g, OUT, HDR + length);
    memset(p, 0, HDR);
    memcpy(p + HDR, theirs, 6);
    memcpy(p + HDR + 6, ours, 6);
    for (uint32_t i = 12; i < length; i++) p[HDR + i] = (uint8_t)i;
    return p;
}
static void send_out(uint32_t length)
{
    descriptor(&tx, 0, OUT, HDR + length, 0, 0);
    offer(&tx, 0);
}
static void from_peer(const uint8_t *to, uint32_t length)
{
    memset(&f, 0, sizeof f);
    memcpy(f.data, to, 6);
    memcpy(f.data + 6, theirs, 6);
    for (uint32_t i = 12; i < length; i++) f.data[i] = (uint8_t)i;
    f.length = length;
    net_send(peer, &f);
}
static void give_buffer(unsigned n, uint64_t at, uint32_t bytes)
{
    descriptor(&rx, n, at, bytes, DESC_WRITE, 0);
    offer(&rx, (uint16_t)n);
}
/* A command and its answer; -1: none. */
static int command(unsigned class, unsigned what, const void *data, uint32_t bytes)
{
    uint8_t *p = ram(&g, CMD, 2 + bytes + 1), *ack = ram(&g, CMD + 4096, 1);
    p[0] = (uint8_t)class, p[1] = (uint8_t)what, *ack = 0xee;
    memcpy(p + 2, data, bytes);
    descriptor(&ctrl, 0, CMD, 2 + bytes, DESC_NEXT, 1);
    descriptor(&ctrl, 1, CMD + 4096, 1, DESC_WRITE, 0);
    offer(&ctrl, 0);
    if (!used_count(&ctrl)) return -1;
    (void)used(&ctrl, NULL);
    return *ack;
}
static int mode(unsigned what, bool on)
{
    uint8_t byte = on;
    return command(0, what, &byte, 1);
}
static unsigned gets(const uint8_t *to)
{
    unsigned before = used_count(&rx);
    static unsigned n;
    give_buffer(n++ % 8, IN, 2048);
    from_peer(to, 60);
    unsigned got = used_count(&rx) - before;
    if (!got) from_peer(everybody, 60);                                  /* the buffer is used up in any case */
    return got;
}

TEST(net_says_its_address_link_and_mtu)
{
    memset(&config, 0, sizeof config);
    create(1);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_DEVICE_ID), 1);
    CHECK_EQ_U64(offered(&g) & 0xffffff, CSUM | GUEST_CSUM | 1 << 3 | 1 << 5 | MRG | 1 << 16 | CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_EXTRA);
    for (unsigned i = 0; i < 6; i++) CHECK(config8(&g, i) == ours[i]);
    CHECK(config8(&g, 6) == 1 && config8(&g, 8) == 1 && config32(&g, 8) >> 16 == 1500);
    end();
    config.has_any_mac = true;
    create(4);
    CHECK((offered(&g) & (MQ | CTRL_MAC)) == (MQ | CTRL_MAC) && config8(&g, 8) == 4);
    end();
}

TEST(net_sends_a_frame_without_its_header_and_gives_the_buffer_back)
{
    uint32_t length;
    start(0);
    write_out(100);
    send_out(100);
    CHECK(heard_count == 1 && heard.length == 100 && !heard.has_partial_sum && !memcmp(heard.data, ram(&g, OUT + HDR, 100), 100));
    CHECK(used(&tx, &length) == 0 && length == 0 && g.line);
    descriptor(&tx, 0, OUT, 5, DESC_NEXT, 1);                             /* in pieces, the header too */
    descriptor(&tx, 1, OUT + 5, 10, DESC_NEXT, 2);
    descriptor(&tx, 2, OUT + 15, HDR + 100 - 15, 0, 0);
    offer(&tx, 0);
    CHECK(heard_count == 2 && heard.length == 100 && !memcmp(heard.data, ram(&g, OUT + HDR, 100), 100));
    write_out(1514);
    send_out(1514);
    CHECK(heard_count == 3 && heard.length == 1514);
    end();
}

TEST(net_drops_and_counts_what_is_no_frame_and_goes_on)
{
    static const uint32_t lengths[] = { 0, 13, NET_FRAME_MOST, NET_FRAME_MOST + 1, 60000, MIB(3) };
    start(CSUM);
    write_out(1514);
    for (unsigned i = 0; i < ARRAY_COUNT(lengths); i++) send_out(lengths[i]);
    ram(&g, OUT, 1);
    write_out(60)[1] = 1;                                                 /* TSO, which we did not offer */
    send_out(60);
    uint8_t *h = write_out(60);
    h[0] = 1, h[6] = 50, h[8] = 20;                                       /* a checksum outside the frame */
    send_out(60);
    h[6] = 0xff, h[7] = 0xff, h[8] = 0xff, h[9] = 0xff;
    send_out(60);
    CHECK(!heard_count && used_count(&tx) == ARRAY_COUNT(lengths) + 3 && !is_broken(&g));
    CHECK_EQ_U64(net_port_counters(port).refused, ARRAY_COUNT(lengths) + 3);
    descriptor(&tx, 0, OUT, 5, 0, 0);                                     /* not even a header */
    offer(&tx, 0);
    descriptor(&tx, 0, OUT, 2000, DESC_WRITE, 0);
    offer(&tx, 0);
    write_out(60);
    send_out(60);
    CHECK(heard_count == 1 && !is_broken(&g));
    end();
}

TEST(net_leaves_a_checksum_to_the_switch_only_when_that_was_agreed)
{
    start(CSUM);
    uint8_t *h = write_out(60);
    h[0] = 1, h[6] = 34, h[8] = 16;
    send_out(60);
    CHECK(heard_count == 1 && !heard.has_partial_sum && memcmp(heard.data, h + HDR, 60));
    start_driver(0);
    send_out(60);
    CHECK(heard_count == 1 && net_port_counters(port).refused == 1);
    end();
}

TEST(net_delivers_a_frame_behind_a_header_that_counts_buffers)
{
    uint32_t length;
    start(0);
    give_buffer(0, IN, 2048);
    from_peer(ours, 300);
    CHECK(used(&rx, &length) == 0 && length == HDR + 300 && g.line);
    CHECK(get16(&g, IN + 10) == 1 && get16(&g, IN) == 0 && !memcmp(ram(&g, IN + HDR, 300), f.data, 300));
    end();
}

TEST(net_spreads_a_frame_over_buffers_when_they_may_be_merged)
{
    uint32_t length;
    start(MRG);
    for (unsigned i = 0; i < 4; i++) give_buffer(i, IN + 1000 * i, 200);
    from_peer(ours, 500);
    CHECK_EQ_U64(used_count(&rx), 3);
    CHECK(used(&rx, &length) == 0 && length == 200 && used(&rx, &length) == 1 && length == 200 && used(&rx, &length) == 2 && length == HDR + 500 - 400);
    CHECK(get16(&g, IN + 10) == 3 && !memcmp(ram(&g, IN + HDR, 188), f.data, 188) && !memcmp(ram(&g, IN + 1000, 200), f.data + 188, 200) &&
          !memcmp(ram(&g, IN + 2000, 112), f.data + 388, 112));
    from_peer(ours, 500);                                                 /* one buffer is left: it waits */
    CHECK(used_count(&rx) == 0);
    give_buffer(0, IN, 200);
    CHECK(used_count(&rx) == 0);
    give_buffer(1, IN + 1000, 200);
    CHECK(used_count(&rx) == 3 && used(&rx, NULL) == 3 && used(&rx, NULL) == 0 && used(&rx, NULL) == 1 && get16(&g, IN + 3000 + 10) == 3);
    end();
}

TEST(net_needs_a_reset_after_buffers_that_hold_nothing)
{
    start(0);
    give_buffer(0, IN, 100);
    from_peer(ours, 300);
    CHECK(is_broken(&g) && used_count(&rx) == 0);
    start_driver(MRG);
    give_buffer(0, IN, 11);                                               /* less than the header */
    from_peer(ours, 300);
    CHECK(is_broken(&g));
    start_driver(MRG);
    descriptor(&rx, 0, IN, 100, 0, 0);
    offer(&rx, 0);
    from_peer(ours, 300);
    CHECK(is_broken(&g));
    start_driver(MRG);
    for (unsigned i = 0; i < 128; i++) give_buffer(i, IN + 64 * i, i ? 1 : 12);
    from_peer(ours, 300);
    CHECK(is_broken(&g));
    start_driver(0);
    give_buffer(0, IN, 2048);
    from_peer(ours, 300);
    CHECK(!is_broken(&g) && used_count(&rx) == 1);
    end();
}

TEST(net_keeps_64_frames_for_a_guest_that_has_no_buffers_and_loses_the_rest)
{
    start(0);
    for (unsigned i = 0; i < 100; i++) from_peer(ours, 60 + i);
    CHECK(net_port_counters(port).received_frames == 64 && net_port_counters(port).lost == 36);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t length;
        give_buffer(i, IN, 2048);
        CHECK(used(&rx, &length) == i && length == HDR + 60 + i);
    }
    give_buffer(64, IN, 2048);
    CHECK(used_count(&rx) == 0);
    from_peer(ours, 60);
    CHECK(used(&rx, NULL) == 64);
    from_peer(ours, 60);
    start_driver(0);                                                      /* a reset forgets what waits */
    give_buffer(0, IN, 2048);
    CHECK(used_count(&rx) == 0);
    end();
}

TEST(net_loses_what_comes_before_there_is_a_driver)
{
    memset(&config, 0, sizeof config);
    create(1);
    from_peer(ours, 60);
    CHECK(net_port_counters(port).lost == 1);
    end();
}

TEST(net_hands_a_partial_checksum_on_to_a_guest_that_takes_it)
{
    start(GUEST_CSUM);
    for (unsigned round = 0; round < 2; round++) {
        give_buffer(0, IN, 2048);
        from_peer(ours, 0);
        memcpy(f.data, ours, 6), memcpy(f.data + 6, theirs, 6);
        f.length = 60, f.has_partial_sum = true, f.sum_start = 34, f.sum_offset = 16;
        net_send(peer, &f);
        const uint8_t *h = ram(&g, IN, HDR);
        if (!round) CHECK(h[0] == 1 && h[6] == 34 && h[8] == 16);
        else CHECK(h[0] == 0 && h[6] == 0 && h[8] == 0);
        start_driver(0);
    }
    end();
}

TEST(net_filters_by_address_as_the_guest_says)
{
    static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 }, other[6] = { 2, 5, 5, 5, 5, 5 };
    uint8_t table[4 + 6 + 4 + 6] = { 1 };
    start(0);
    CHECK(gets(ours) && gets(group) && gets(other) && gets(everybody));   /* who cannot say gets all */
    CHECK(mode(0, true) == -1);                                           /* and is not listened to */
    start_driver(CTRL_VQ | CTRL_RX | CTRL_EXTRA);
    CHECK(gets(ours) && !gets(group) && !gets(other) && gets(everybody));
    CHECK(mode(0, true) == 0 && gets(group) && gets(other) && mode(0, false) == 0 && !gets(other));
    CHECK(mode(1, true) == 0 && gets(group) && !gets(other) && mode(1, false) == 0);
    CHECK(mode(2, true) == 0 && gets(other) && !gets(group) && mode(2, false) == 0);
    memcpy(table + 4, other, 6), table[10] = 1, memcpy(table + 14, group, 6);
    CHECK(command(1, 0, table, sizeof table) == 0 && gets(other) && gets(group));
    CHECK(mode(3, true) == 0 && !gets(group) && mode(3, false) == 0);
    CHECK(mode(4, true) == 0 && !gets(ours) && mode(4, false) == 0);
    CHECK(command(1, 0, table, sizeof table - 1) == 1);                   /* a list longer than the command */
    memset(table, 0xff, 4);
    CHECK(command(1, 0, table, sizeof table) == 1 && command(1, 0, table, 3) == 1 && command(1, 7, table, 8) == 1);
    CHECK(mode(6, true) == 1 && command(9, 0, table, 1) == 1 && command(0, 0, table, 0) == 1 && !is_broken(&g));
    end();
}

TEST(net_takes_an_address_list_too_long_for_it_as_all_of_them)
{
    static uint8_t table[4 + 65 * 6 + 4];
    static const uint8_t other[6] = { 2, 5, 5, 5, 5, 5 };
    start(CTRL_VQ | CTRL_RX);
    table[0] = 65;
    CHECK(!gets(other) && command(1, 0, table, sizeof table) == 0 && gets(other));
    start_driver(CTRL_VQ | CTRL_RX);
    CHECK(!gets(other));
    end();
}

TEST(net_filters_by_vlan_when_that_was_agreed)
{
    uint8_t five[2] = { 5, 0 }, most[2] = { 0xff, 0x0f };
    memset(&config, 0, sizeof config);
    config.is_trunk = true;
    create(1);
    for (unsigned round = 0; round < 3; round++) {
        start_driver(round ? CTRL_VQ | CTRL_VLAN : 0);
        if (round) CHECK(command(2, 0, most, 2) == 1 && command(2, 2, five, 2) == 1 && command(2, 0, five, 1) == 1);
        if (round == 2) CHECK(command(2, 0, five, 2) == 0);
        give_buffer(0, IN, 2048);
        from_peer(ours, 0);
        memcpy(f.data, ours, 6), memcpy(f.data + 6, theirs, 6), f.length = 60;
        CHECK(net_frame_tag(&f, 5));
        net_send(peer, &f);
        CHECK(used_count(&rx) == (round != 1));
        if (round != 1) CHECK(!memcmp(ram(&g, IN + HDR + 12, 4), "\x81\0\0\5", 4));
    }
    CHECK(command(2, 1, five, 2) == 0);
    end();
}

TEST(net_takes_another_address_only_where_the_port_may)
{
    static const uint8_t other[6] = { 2, 6, 6, 6, 6, 6 };
    start(CTRL_VQ | CTRL_RX);
    CHECK_EQ_U64(command(1, 1, other, 6), 1);
    end();
    config.has_any_mac = true;
    create(1);
    start_driver(CTRL_VQ | CTRL_RX | CTRL_MAC);
    CHECK(command(1, 1, everybody, 6) == 1 && command(1, 1, other, 5) == 1 && command(1, 1, other, 6) == 0 && config8(&g, 1) == 6);
    CHECK(gets(other) && !gets(ours));
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ_U64(config8(&g, 1), 0);
    end();
}

TEST(net_needs_a_reset_after_a_command_without_answer)
{
    start(CTRL_VQ);
    descriptor(&ctrl, 0, CMD, 16, 0, 0);
    offer(&ctrl, 0);
    CHECK(is_broken(&g));
    start_driver(CTRL_VQ);
    descriptor(&ctrl, 0, CMD, 16, DESC_WRITE, 0);
    offer(&ctrl, 0);
    CHECK(is_broken(&g));
    end();
}

TEST(net_with_several_queues_keeps_a_flow_in_one_and_sends_from_all)
{
    struct ring more[8];
    uint8_t pairs[2] = { 4, 0 }, none[2] = { 0, 0 }, five[2] = { 5, 0 };
    unsigned hit = 0;
    memset(&config, 0, sizeof config);
    create(4);
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1 | CTRL_VQ | MQ));
    for (unsigned i = 0; i < 8; i++) ring_place(&more[i], &g, i, 64), ring_enable(&more[i]);
    ring_place(&ctrl, &g, 8, 16);
    ring_enable(&ctrl);
    drive(&g);
    for (unsigned i = 0; i < 64; i++) {
        for (unsigned q = 0; q < 8; q += 2) {
            descriptor(&more[q], i, IN + 2048 * i, 2048, DESC_WRITE, 0);
            offer(&more[q], (uint16_t)i);
        }
    }
    for (unsigned i = 0; i < 32; i++) from_peer(ours, 60);
    CHECK(used_count(&more[0]) == 32 && command(4, 0, none, 2) == 1 && command(4, 0, five, 2) == 1 && command(4, 1, pairs, 2) == 1);
    CHECK_EQ_U64(command(4, 0, pairs, 2), 0);
    for (unsigned flow = 0; flow < 32; flow++) {
        from_peer(ours, 0);
        memcpy(f.data, ours, 6), memcpy(f.data + 6, theirs, 6);
        f.length = 60, f.data[12] = 8, f.data[14] = 0x45, f.data[23] = 17, f.data[35] = (uint8_t)flow;
        net_send(peer, &f);
    }
    for (unsigned q = 2; q < 8; q += 2) hit += used_count(&more[q]) > 0;
    CHECK(used_count(&more[0]) + used_count(&more[2]) + used_count(&more[4]) + used_count(&more[6]) == 64 && hit >= 2);
    write_out(60);
    for (unsigned q = 1; q < 8; q += 2) {
        descriptor(&more[q], 0, OUT, HDR + 60, 0, 0);
        offer(&more[q], 0);
        CHECK(used_count(&more[q]) == 1);
    }
    CHECK_EQ_U64(heard_count, 4);
    end();
}

TEST(net_breathes_at_the_ports_rate_and_loses_nothing)
{
    memset(&config, 0, sizeof config);
    config.rate_bytes = 60000;
    create(1);
    start_driver(0);
    write_out(60);
    for (unsigned i = 0; i < 200; i++) {
        descriptor(&tx, i, OUT, HDR + 60, 0, 0);
        offer_quietly(&tx, (uint16_t)i);
    }
    notify_ring(&tx);
    for (uint64_t end_ns = arch_time_ns() + 60000000000ull; heard_count < 200 && arch_time_ns() < end_ns;) timer_run_due();
    CHECK(heard_count == 200 && net_port_counters(port).refused == 0 && used_count(&tx) == 200);
    end();
}

TEST(net_of_two_guests_is_one_net_and_a_destroyed_card_is_off_it)
{
    start(MRG);
    give_buffer(0, IN, 2048);
    from_peer(everybody, 60);
    CHECK(used_count(&rx) == 1);
    g.region.ops->destroy(g.region.dev);
    g.region.ops = NULL;
    from_peer(ours, 60);
    CHECK(net_port_counters(port).received_frames == 1 && net_port_counters(port).lost == 0);
    end();
}
