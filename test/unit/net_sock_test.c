// SPDX-License-Identifier: Apache-2.0
/* The switch's port that ends in a socket: drivers/net/hosted/sock.h. Two switches, or one and a peer who lies. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include "drivers/net/hosted/sock.h"
#include "hv/base/bits.h"
#include "hv/core/heap.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

static struct net_switch here, there;
static struct net_port *left, *right;
static struct net_frame f, heard;
static uint32_t heard_count;
static const uint8_t left_mac[6] = { 2, 0, 0, 0, 0, 1 }, right_mac[6] = { 2, 0, 0, 0, 0, 2 };

static bool hear(void *ctx, const struct net_frame *frame)
{
    (void)ctx;
    heard = *frame;
    __atomic_fetch_add(&heard_count, 1, __ATOMIC_RELEASE);
    return true;
}
static bool hear_nothing(void *ctx, const struct net_frame *frame) { (void)ctx, (void)frame; return true; }
static void start(void)
{
    struct net_port_config c = { .name = "left" };
    test_pages();
    memset(&here, 0, sizeof here), memset(&there, 0, sizeof there);
    memcpy(c.mac, left_mac, 6);
    CHECK(!vm_failed(net_port_create(&here, &c, &left)));
    memcpy(c.mac, right_mac, 6);
    CHECK(!vm_failed(net_port_create(&there, &c, &right)));
    net_port_open(left, hear_nothing, NULL);
    net_port_open(right, hear, NULL);
    __atomic_store_n(&heard_count, 0, __ATOMIC_RELEASE);
}
static void end(void)
{
    net_port_destroy(left);
    net_port_destroy(right);
}
static void say(uint32_t length)
{
    memset(&f, 0, sizeof f);
    memcpy(f.data, right_mac, 6), memcpy(f.data + 6, left_mac, 6);
    for (uint32_t i = 12; i < length; i++) f.data[i] = (uint8_t)(i * 3);
    f.length = length;
    net_send(left, &f);
}
static uint32_t count(void) { return __atomic_load_n(&heard_count, __ATOMIC_ACQUIRE); }
/* Sends until something of it has come; a minute at most. */
static bool gets_through(uint32_t length)
{
    uint32_t before = count();
    for (unsigned i = 0; i < 6000 && count() == before; i++) {
        say(length);
        usleep(10000);
    }
    return count() != before;
}
TEST(net_sock_joins_two_switches_by_a_stream_and_again)
{
    struct net_sock *a, *b;
    char peer[32];
    start();
    CHECK(!vm_failed(net_sock_create(&here, "listen:0", &a)));
    snprintf(peer, sizeof peer, "connect:%u", net_sock_port(a));
    for (unsigned round = 0; round < 2; round++) {
        CHECK(!vm_failed(net_sock_create(&there, peer, &b)));
        CHECK(gets_through(60 + round));
        net_sock_destroy(b);                                             /* its thread has ended: `heard` stands still */
        CHECK(heard.length == 60 + round && !memcmp(heard.data, f.data, heard.length));
    }
    net_sock_destroy(a);
    end();
}

TEST(net_sock_joins_two_switches_by_datagrams)
{
    struct net_sock *a, *b;
    char one[32], two[32];
    start();
    CHECK(!vm_failed(net_sock_create(&here, "listen:0", &a)));            /* two ports that are free */
    CHECK(!vm_failed(net_sock_create(&there, "listen:0", &b)));
    snprintf(one, sizeof one, "udp:%u:%u", net_sock_port(a), net_sock_port(b));
    snprintf(two, sizeof two, "udp:%u:%u", net_sock_port(b), net_sock_port(a));
    net_sock_destroy(a), net_sock_destroy(b);
    CHECK(!vm_failed(net_sock_create(&here, one, &a)) && !vm_failed(net_sock_create(&there, two, &b)));
    CHECK(gets_through(1514));
    net_sock_destroy(b);
    CHECK(heard.length == 1514 && !memcmp(heard.data, f.data, 1514));
    net_sock_destroy(a);
    end();
}

TEST(net_sock_refuses_what_names_no_socket)
{
    static const char *const bad[] = { "", "listen", "listen:", "listen:65536", "listen:-1", "connect:0", "connect:x", "udp:1", "udp::1", "udp:1:",
                                       "udp:0:1", "tcp:1", "listen:123456789012345678901234567890" };
    struct net_sock *s = NULL;
    start();
    uint64_t was = heap_used_bytes();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) CHECK(vm_failed(net_sock_create(&here, bad[i], &s)) && !s);
    CHECK_EQ_U64(heap_used_bytes(), was);
    end();
}

TEST(net_sock_drops_a_peer_that_breaks_the_framing_and_takes_the_next)
{
    static const uint8_t lies[][12] = { { 0xff, 0xff, 0xff, 0xff }, { 0, 0, 6, 0 }, { 0, 1, 0, 0 } };
    uint8_t whole[4 + 60] = { 0, 0, 0, 60 }, tiny[4 + 60 + 8] = { 0, 0, 0, 0, 0, 0, 0, 1, 0x55 };
    struct net_sock *s;
    char byte;
    start();
    CHECK(!vm_failed(net_sock_create(&there, "listen:0", &s)));
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(net_sock_port(s)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    memcpy(whole + 4, right_mac, 6), memcpy(whole + 10, left_mac, 6);
    for (unsigned i = 0; i <= ARRAY_COUNT(lies); i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        CHECK(fd >= 0 && !connect(fd, (const struct sockaddr *)&to, sizeof to));
        if (i < ARRAY_COUNT(lies)) {
            CHECK(write(fd, lies[i], sizeof lies[i]) == sizeof lies[i]);
            CHECK(recv(fd, &byte, 1, 0) <= 0);                           /* hung up */
        } else {                                                         /* frames that are none, then one in pieces */
            memcpy(tiny + 9, whole, sizeof tiny - 9);
            CHECK(write(fd, tiny, 9) == 9);
            for (unsigned n = 0; n < sizeof whole; n++) CHECK(write(fd, whole + n, 1) == 1);
            for (unsigned n = 0; n < 6000 && !count(); n++) usleep(10000);
            CHECK(count() == 1 && heard.length == 60 && !memcmp(heard.data, whole + 4, 60));
        }
        close(fd);
    }
    net_sock_destroy(s);
    end();
}
