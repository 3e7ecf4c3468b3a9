// SPDX-License-Identifier: Apache-2.0
/* virtio-console between a guest's rings and a host that types and listens: drivers/virt/virtio_console.h; virtio 1.2, 5.3. */
#include "drivers/virt/virtio_console.h"
#include "hv/core/timer.h"
#include "test/unit/virtio_guest.h"

#define DATA (GUEST_RAM + MIB(1))
enum { RX, TX };

static struct guest g;
static struct ring rx, tx;
static char *heard;
static size_t heard_count, heard_room;
static bool types_back;

static void *console(void) { return g.region.dev; }
static void hear(void *ctx, const char *text, size_t length)
{
    CHECK(ctx == &g);
    for (size_t i = 0; i < length; i++, heard_count++) if (heard_count < heard_room) heard[heard_count] = text[i];
    if (types_back) (void)virtio_console_input(console(), text, length);        /* law 2: no lock is held */
}
static void create(void)
{
    guest_init(&g);
    struct virtio_slot s = guest_slot(&g);
    heard_count = 0;
    heard_room = MIB(4);
    heard = malloc(heard_room);
    types_back = false;
    CHECK(heard && !vm_failed(virtio_console_create(&s, &g, hear, &g.region)));
}
static void start_driver(void)
{
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    ring_place(&rx, &g, RX, 8);
    ring_place(&tx, &g, TX, 256);
    ring_enable(&rx);
    ring_enable(&tx);
    drive(&g);
}
static void start(void)
{
    create();
    start_driver();
}
static void end(void)
{
    guest_end(&g);
    free(heard);
}
static void send(const char *text)
{
    memcpy(ram(&g, DATA, strlen(text)), text, strlen(text));
    descriptor(&tx, 0, DATA, (uint32_t)strlen(text), 0, 0);
    offer(&tx, 0);
}

TEST(console_is_one_port_with_emergency_write_and_no_size)
{
    create();
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_DEVICE_ID), 3);
    CHECK_EQ_U64(offered(&g) & 0xffffff, 1u << 2);
    CHECK(config32(&g, 0) == 0 && config32(&g, 4) == 1 && config32(&g, 8) == 0);
    end();
}

TEST(console_sends_what_the_guest_writes_and_says_so)
{
    uint32_t length;
    start();
    send("hello");
    CHECK(heard_count == 5 && !memcmp(heard, "hello", 5));
    CHECK(used(&tx, &length) == 0 && length == 0 && g.line);
    end();
}

TEST(console_sends_a_chain_of_buffers_in_order)
{
    start();
    memcpy(ram(&g, DATA, 6), "abcdef", 6);
    descriptor(&tx, 0, DATA + 4, 2, DESC_NEXT, 1);
    descriptor(&tx, 1, DATA, 3, DESC_NEXT, 2);
    descriptor(&tx, 2, DATA + 3, 1, 0, 0);
    offer(&tx, 0);
    CHECK(heard_count == 6 && !memcmp(heard, "efabcd", 6));
    end();
}

TEST(console_sends_a_long_buffer_whole_in_turns)
{
    enum { SIZE = 300000 };
    start();
    for (uint32_t i = 0; i < SIZE; i++) *(uint8_t *)ram(&g, DATA + i, 1) = (uint8_t)(i % 253);
    descriptor(&tx, 0, DATA, SIZE, 0, 0);
    descriptor(&tx, 1, DATA, 1, 0, 0);
    offer_quietly(&tx, 0);
    offer_quietly(&tx, 1);
    notify_ring(&tx);
    CHECK(heard_count == 65536 && used_count(&tx) == 0);
    for (uint64_t end_ns = arch_time_ns() + 10000000000ull; used_count(&tx) < 2 && arch_time_ns() < end_ns;) timer_run_due();
    CHECK(heard_count == SIZE + 1 && used_count(&tx) == 2);
    for (uint32_t i = 0; i < SIZE; i++) CHECK((uint8_t)heard[i] == i % 253);
    end();
}

TEST(console_forgets_a_half_sent_buffer_at_a_reset_and_at_the_queues_stop)
{
    start();
    descriptor(&tx, 0, DATA, 300000, 0, 0);
    offer(&tx, 0);
    CHECK_EQ_U64(heard_count, 65536);
    start_driver();
    send("new");
    CHECK(heard_count == 65536 + 3 && used_count(&tx) == 1);
    descriptor(&tx, 0, DATA, 300000, 0, 0);
    offer(&tx, 0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, TX);
    set_reg(&g, VIRTIO_MMIO_QUEUE_READY, 0);
    ring_place(&tx, &g, TX, 256);
    ring_enable(&tx);
    heard_count = 0;
    send("again");
    CHECK(heard_count == 5 && used_count(&tx) == 1);
    end();
}

TEST(console_gives_back_a_transmit_buffer_that_is_only_writable_unread)
{
    start();
    descriptor(&tx, 0, DATA, 5, DESC_WRITE, 0);
    offer(&tx, 0);
    CHECK(heard_count == 0 && used_count(&tx) == 1 && !is_broken(&g));
    end();
}

TEST(console_delivers_what_is_typed_into_the_guests_buffers)
{
    uint32_t length;
    start();
    descriptor(&rx, 0, DATA, 4, DESC_WRITE, 0);
    descriptor(&rx, 1, DATA + 100, 64, DESC_WRITE, 0);
    offer(&rx, 0);
    offer(&rx, 1);
    CHECK(used_count(&rx) == 0 && !g.line);
    CHECK_EQ_U64(virtio_console_input(console(), "typed text", 10), 10);
    CHECK(used(&rx, &length) == 0 && length == 4 && used(&rx, &length) == 1 && length == 6 && g.line);
    CHECK(!memcmp(ram(&g, DATA, 4), "type", 4) && !memcmp(ram(&g, DATA + 100, 6), "d text", 6));
    end();
}

TEST(console_keeps_256_typed_bytes_for_a_guest_that_has_no_buffers_yet)
{
    char text[300];
    uint32_t length;
    start();
    for (unsigned i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 26);
    CHECK_EQ_U64(virtio_console_room(console()), 256);
    CHECK_EQ_U64(virtio_console_input(console(), text, sizeof text), 256);
    CHECK(virtio_console_room(console()) == 0 && virtio_console_input(console(), "x", 1) == 0);
    descriptor(&rx, 0, DATA, 100, DESC_WRITE, 0);
    offer(&rx, 0);
    CHECK(used(&rx, &length) == 0 && length == 100 && virtio_console_room(console()) == 100);
    descriptor(&rx, 0, DATA + 100, 1000, DESC_WRITE, 0);
    offer(&rx, 0);
    CHECK(used(&rx, &length) == 0 && length == 156);
    CHECK(!memcmp(ram(&g, DATA, 256), text, 256));
    end();
}

TEST(console_takes_typed_bytes_before_there_is_a_driver_and_drops_them_at_a_reset)
{
    create();
    CHECK_EQ_U64(virtio_console_input(console(), "early", 5), 5);
    start_driver();                                                     /* begins with a reset */
    descriptor(&rx, 0, DATA, 16, DESC_WRITE, 0);
    offer(&rx, 0);
    CHECK_EQ_U64(used_count(&rx), 0);
    end();
}

TEST(console_needs_a_reset_after_a_receive_buffer_that_cannot_be_written)
{
    start();
    descriptor(&rx, 0, DATA, 16, 0, 0);
    offer(&rx, 0);
    CHECK(!is_broken(&g));                                              /* nobody has looked at it */
    CHECK_EQ_U64(virtio_console_input(console(), "x", 1), 1);
    CHECK(is_broken(&g) && g.line && used_count(&rx) == 0);
    end();
}

TEST(console_emergency_write_needs_no_driver)
{
    create();
    access_write(&g, 0x108, 4, 'X');
    access_write(&g, 0x108, 1, 'Y');
    access_write(&g, 0x108, 2, 'Z');                                    /* not how the field is written */
    access_write(&g, 0x10a, 1, 'Z');
    CHECK(heard_count == 2 && heard[0] == 'X' && heard[1] == 'Y');
    CHECK_EQ_U64(config32(&g, 8), 0);
    end();
}

TEST(console_may_hear_itself)
{
    uint32_t length;
    start();
    types_back = true;
    descriptor(&rx, 0, DATA + 64, 16, DESC_WRITE, 0);
    offer(&rx, 0);
    send("echo");
    CHECK(used(&rx, &length) == 0 && length == 4 && !memcmp(ram(&g, DATA + 64, 4), "echo", 4));
    access_write(&g, 0x108, 4, '!');
    descriptor(&rx, 0, DATA + 64, 16, DESC_WRITE, 0);
    offer(&rx, 0);
    CHECK(used(&rx, &length) == 0 && length == 1);
    end();
}
