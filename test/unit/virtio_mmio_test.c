// SPDX-License-Identifier: Apache-2.0
/* What virtio-mmio does for any device: registers, negotiation, status, resets, broken rings. The device is a toy that
 * takes chains and gives them back. drivers/virt/virtio_mmio.h; virtio 1.2, sections 2, 3.1 and 4.2. */
#include "test/unit/virtio_guest.h"
#include <pthread.h>

#define TOY_FEATURES (1ull << 5 | 1ull << 9)
#define COMMON       (VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX)
#define DATA         (GUEST_RAM + MIB(1))

struct toy_virtio {
    struct virtio_device device;
    struct virtq_chain chain;
    unsigned notified[2], resets, negotiations, destroys, config_writes;
    uint64_t config_value;
    bool is_stuck;
};
static struct toy_virtio toy;
static struct guest g;
static struct ring r;

static void toy_notify(struct virtio_device *d, unsigned queue)
{
    struct toy_virtio *t = CONTAINER_OF(d, struct toy_virtio, device);
    spin_lock(&d->lock);
    t->notified[queue]++;
    while (virtio_pop(d, queue, &t->chain) == VIRTQ_CHAIN) virtio_push(d, queue, t->chain.head, 7);
    virtio_interrupt(d, queue);
    spin_unlock(&d->lock);
}
static void toy_config_write(struct virtio_device *d, unsigned offset, unsigned size_bytes, uint64_t value)
{
    struct toy_virtio *t = CONTAINER_OF(d, struct toy_virtio, device);
    t->config_writes++;
    t->config_value = value;
    (void)offset, (void)size_bytes;
}
static void toy_negotiated(struct virtio_device *d) { CONTAINER_OF(d, struct toy_virtio, device)->negotiations++; }
static bool toy_drain(struct virtio_device *d)      { return !CONTAINER_OF(d, struct toy_virtio, device)->is_stuck; }
static void toy_reset(struct virtio_device *d)      { CONTAINER_OF(d, struct toy_virtio, device)->resets++; }
static void toy_destroy(struct virtio_device *d)    { CONTAINER_OF(d, struct toy_virtio, device)->destroys++; }
static const struct virtio_ops toy_ops = { .name = "toy", .device_id = 42, .queue_count = 2, .notify = toy_notify,
                                           .config_write = toy_config_write, .negotiated = toy_negotiated, .drain = toy_drain,
                                           .reset = toy_reset, .destroy = toy_destroy };

static void start(void)
{
    guest_init(&g);
    memset(&toy, 0, sizeof toy);
    struct virtio_slot s = guest_slot(&g);
    virtio_init(&toy.device, &toy_ops, &s, TOY_FEATURES);
    toy.device.config_bytes = 12;
    for (unsigned i = 0; i < 12; i++) toy.device.config[i] = (uint8_t)(0xa0 + i);
    virtio_mmio_region(&toy.device, &s, &g.region);
}
static void start_live(uint64_t features)
{
    start();
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1 | features));
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    CHECK(reg(&g, VIRTIO_MMIO_QUEUE_READY) == 1);
    drive(&g);
}
static void end(void) { guest_end(&g); }

/* ---- registers ---- */
TEST(the_identity_is_virtio_mmio_version_2_and_nothing_older)
{
    start();
    CHECK_EQ_U64(reg(&g, 0), 0x74726976);
    CHECK_EQ_U64(reg(&g, 4), 2);
    CHECK_EQ_U64(reg(&g, 8), 42);
    CHECK_EQ_U64(reg(&g, 12), VIRTIO_MMIO_VENDOR);
    CHECK(offered(&g) == (TOY_FEATURES | COMMON));
    for (uint32_t legacy = 0x28; legacy <= 0x40; legacy += 4) {         /* GuestPageSize, QueueAlign, QueuePFN: not there */
        if (legacy == 0x30 || legacy == 0x34 || legacy == 0x38) continue;
        set_reg(&g, legacy, 4096);
        CHECK_EQ_U64(reg(&g, legacy), 0);
    }
    end();
}

TEST(features_are_two_words_and_no_more)
{
    start();
    for (uint32_t select = 2; select < 40; select++) {
        set_reg(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, select);
        CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_DEVICE_FEATURES), 0);
    }
    set_reg(&g, VIRTIO_MMIO_DEVICE_FEATURES_SEL, UINT32_MAX);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_DEVICE_FEATURES), 0);
    end();
}

TEST(registers_take_words_only_and_other_sizes_read_0_and_write_nothing)
{
    static const unsigned sizes[] = { 1, 2, 8 };
    start();
    set_reg(&g, VIRTIO_MMIO_STATUS, 3);
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        for (unsigned offset = 0; offset < VIRTIO_MMIO_CONFIG; offset += sizes[i]) {
            CHECK_EQ_U64(access_read(&g, offset, sizes[i]), 0);
            access_write(&g, offset, sizes[i], 0);
        }
    }
    CHECK_EQ_U64(status(&g), 3);
    end();
}

TEST(any_access_anywhere_in_the_window_is_harmless)
{
    start();
    for (unsigned round = 0; round < 200000; round++) {
        unsigned size = 1u << (test_random() & 3);
        uint64_t offset = test_random() % (round & 1 ? 0x1000 : 0x110) & ~(uint64_t)(size - 1);
        if (test_random() & 1) access_read(&g, offset, size);
        else access_write(&g, offset, size, test_random() >> (test_random() % 64));
    }
    end();
}

TEST(queues_that_do_not_exist_have_size_0_and_ignore_what_is_written)
{
    static const uint32_t none[] = { 2, 3, 31, 65536, UINT32_MAX };
    start();
    for (uint32_t n = 0; n < 2; n++) {
        set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, n);
        CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), 256);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(none); i++) {
        set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, none[i]);
        CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
        for (uint32_t at = VIRTIO_MMIO_QUEUE_NUM; at < VIRTIO_MMIO_SHM_SEL; at += 4)
            if (at != VIRTIO_MMIO_STATUS) set_reg(&g, at, 1);
        CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_QUEUE_READY), 0);
    }
    CHECK(!is_broken(&g));
    end();
}

TEST(there_is_no_shared_memory_and_no_queue_reset)
{
    start();
    for (uint32_t at = VIRTIO_MMIO_SHM_LEN_LOW; at <= VIRTIO_MMIO_SHM_BASE_HIGH; at += 4) CHECK_EQ_U64(reg(&g, at), UINT32_MAX);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_QUEUE_RESET), 0);
    end();
}

TEST(the_configuration_space_takes_every_size_and_ends_where_it_ends)
{
    start();
    CHECK_EQ_U64(access_read(&g, 0x100, 1), 0xa0);
    CHECK_EQ_U64(access_read(&g, 0x102, 2), 0xa3a2);
    CHECK_EQ_U64(access_read(&g, 0x104, 4), 0xa7a6a5a4);
    CHECK_EQ_U64(access_read(&g, 0x100, 8), 0xa7a6a5a4a3a2a1a0);
    CHECK_EQ_U64(access_read(&g, 0x108, 8), 0xabaaa9a8);                /* the rest reads 0 */
    CHECK_EQ_U64(access_read(&g, 0x10c, 4), 0);
    CHECK_EQ_U64(access_read(&g, 0xff8, 8), 0);
    access_write(&g, 0x108, 4, 5);
    CHECK(toy.config_writes == 1 && toy.config_value == 5);
    access_write(&g, 0x108, 8, 5);                                      /* crosses the end */
    access_write(&g, 0x10c, 1, 5);
    access_write(&g, 0xffc, 4, 5);
    CHECK_EQ_U64(toy.config_writes, 1);
    end();
}

TEST(an_empty_slot_has_device_id_0_and_swallows_writes)
{
    guest_init(&g);
    struct virtio_slot s = guest_slot(&g);
    virtio_mmio_empty(&s, &g.region);
    CHECK(reg(&g, 0) == 0x74726976 && reg(&g, 4) == 2 && reg(&g, 8) == 0);
    for (unsigned at = 0; at < 0x1000; at += 4) {
        set_reg(&g, at, UINT32_MAX);
        if (at >= 16) CHECK_EQ_U64(reg(&g, at), 0);
    }
    end();
}

/* ---- negotiation ---- */
TEST(features_ok_is_granted_to_any_subset_with_version_1)
{
    const uint64_t lawful[] = { VIRTIO_F_VERSION_1, COMMON, TOY_FEATURES | COMMON, VIRTIO_F_VERSION_1 | (1ull << 9) };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(lawful); i++) CHECK(negotiate(&g, lawful[i]));
    CHECK_EQ_U64(toy.negotiations, ARRAY_COUNT(lawful));
    end();
}

TEST(features_ok_is_refused_without_version_1_or_with_what_was_not_offered)
{
    start();
    CHECK(!negotiate(&g, 0));
    CHECK(!negotiate(&g, TOY_FEATURES | VIRTIO_F_INDIRECT_DESC));
    for (unsigned bit = 0; bit < 64; bit++) {
        if ((TOY_FEATURES | COMMON) >> bit & 1) continue;
        CHECK(!negotiate(&g, VIRTIO_F_VERSION_1 | 1ull << bit));
    }
    CHECK_EQ_U64(toy.negotiations, 0);
    drive(&g);                                                          /* against the rules: nothing comes alive */
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used_count(&r) == 0 && toy.notified[0] == 0);
    end();
}

TEST(a_refused_driver_may_ask_again_for_less)
{
    start();
    CHECK(!negotiate(&g, VIRTIO_F_VERSION_1 | 1));
    accept(&g, VIRTIO_F_VERSION_1);
    set_reg(&g, VIRTIO_MMIO_STATUS, status(&g) | VIRTIO_FEATURES_OK);
    CHECK(status(&g) & VIRTIO_FEATURES_OK);
    end();
}

TEST(features_are_fixed_once_they_are_ok)
{
    start();
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    accept(&g, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    CHECK_EQ_U64(toy.device.accepted, VIRTIO_F_VERSION_1);
    end();
}

TEST(a_queue_set_up_before_features_ok_still_uses_what_was_negotiated)
{
    start();
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    set_reg(&g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    accept(&g, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    set_reg(&g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    drive(&g);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK_EQ_U64(get16(&g, avail_event_at(&r)), 1);                     /* only a device with EVENT_IDX writes it */
    end();
}

TEST(nothing_is_served_before_driver_ok_and_then_what_already_lies_there)
{
    start();
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK_EQ_U64(used_count(&r), 0);
    drive(&g);
    CHECK_EQ_U64(used_count(&r), 1);                                    /* 3.1.1: buffers may be added before */
    CHECK(g.line && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_INTERRUPT_USED);
    end();
}

/* ---- interrupts ---- */
TEST(the_wire_is_up_until_every_cause_is_acknowledged)
{
    start_live(0);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    spin_lock(&toy.device.lock);
    virtio_config_changed(&toy.device);
    spin_unlock(&toy.device.lock);
    CHECK(g.line && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == 3);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_CONFIG_GENERATION), 1);
    set_reg(&g, VIRTIO_MMIO_INTERRUPT_ACK, 0);
    CHECK(g.line);
    set_reg(&g, VIRTIO_MMIO_INTERRUPT_ACK, 1);
    CHECK(g.line && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == 2);
    set_reg(&g, VIRTIO_MMIO_INTERRUPT_ACK, UINT32_MAX);
    CHECK(!g.line && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == 0);
    end();
}

TEST(notify_on_an_empty_queue_raises_no_interrupt)
{
    start_live(0);
    notify_ring(&r);
    CHECK(!g.line && toy.notified[0] == 2);                             /* the first was DRIVER_OK */
    end();
}

TEST(notifications_of_queues_that_do_not_exist_are_ignored)
{
    start_live(0);
    unsigned was = toy.notified[0] + toy.notified[1];
    set_reg(&g, VIRTIO_MMIO_QUEUE_NOTIFY, 2);
    set_reg(&g, VIRTIO_MMIO_QUEUE_NOTIFY, UINT32_MAX);
    CHECK_EQ_U64(toy.notified[0] + toy.notified[1], was);
    end();
}

/* ---- status and reset ---- */
TEST(writing_0_to_status_resets_everything_that_a_driver_set)
{
    start_live(VIRTIO_F_EVENT_IDX);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(g.line);
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);
    CHECK(!g.line && status(&g) == 0 && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == 0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
    CHECK(reg(&g, VIRTIO_MMIO_QUEUE_READY) == 0 && toy.device.queue[0].size == 0 && toy.device.accepted == 0);
    CHECK_EQ_U64(toy.resets, 1 + 1);
    uint16_t was = get16(&g, r.device + 2);
    offer(&r, 0);
    CHECK_EQ_U64(get16(&g, r.device + 2), was);                         /* a dead queue is not touched */
    end();
}

TEST(a_device_works_again_after_each_reset)
{
    start();
    for (unsigned i = 0; i < 5; i++) {
        CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
        ring_place(&r, &g, 0, (uint16_t)(1u << i));
        ring_enable(&r);
        drive(&g);
        descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
        offer(&r, 0);
        uint32_t length;
        CHECK(used(&r, &length) == 0 && length == 7);
    }
    end();
}

TEST(a_queue_in_use_does_not_move_and_one_that_is_stopped_may)
{
    start_live(0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_NUM, 4);
    set_reg(&g, VIRTIO_MMIO_QUEUE_DESC_LOW, 0);
    CHECK(toy.device.queue[0].size == 8 && toy.device.queue[0].descriptors == r.desc);
    set_reg(&g, VIRTIO_MMIO_QUEUE_READY, 0);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_QUEUE_READY), 0);
    ring_place(&r, &g, 0, 4);
    r.driver += 0x100;
    ring_enable(&r);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK_EQ_U64(used_count(&r), 1);
    end();
}

TEST(what_does_not_come_back_leaves_the_device_broken_until_a_later_reset)
{
    start_live(0);
    toy.is_stuck = true;
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ_U64(status(&g), VIRTIO_NEEDS_RESET);
    toy.is_stuck = false;
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ_U64(status(&g), 0);
    end();
    CHECK_EQ_U64(toy.destroys, 1);
}

/* ---- broken rings ---- */
TEST(a_broken_ring_sets_needs_reset_with_a_config_interrupt_and_kills_the_device_until_reset)
{
    start_live(0);
    struct ring other;
    ring_place(&other, &g, 1, 8);
    ring_enable(&other);
    descriptor(&r, 0, DATA, 4, DESC_NEXT, 0);                           /* a loop */
    offer(&r, 0);
    CHECK(is_broken(&g) && g.line);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);                          /* too late */
    offer(&r, 0);
    descriptor(&other, 0, DATA, 4, DESC_WRITE, 0);
    offer(&other, 0);
    CHECK(used_count(&r) == 0 && used_count(&other) == 0);
    set_reg(&g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    CHECK(is_broken(&g));                                               /* only a reset heals */
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    ring_place(&r, &g, 0, 8);
    ring_enable(&r);
    drive(&g);
    descriptor(&r, 0, DATA, 4, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used_count(&r) == 1 && !is_broken(&g));
    end();
}

TEST(a_ring_of_bad_size_or_place_breaks_the_device_when_it_is_made_ready)
{
    static const struct { uint16_t size; uint64_t desc, driver, device; } bad[] = {
        { 0, 0, 0, 0 }, { 3, 0, 0, 0 }, { 512, 0, 0, 0 }, { 8, GUEST_MMIO, 0, 0 }, { 8, 0, GUEST_MMIO, 0 },
        { 8, 0, 0, GUEST_MMIO }, { 8, 0, 0, GUEST_ROM }, { 8, 0, 0, GUEST_RAM_END - 4 }, { 8, GUEST_RAM + 1, 0, 0 },
        { 8, 0, 0, UINT64_MAX - 3 } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
        ring_place(&r, &g, 0, bad[i].size);
        if (bad[i].desc) r.desc = bad[i].desc;
        if (bad[i].driver) r.driver = bad[i].driver;
        if (bad[i].device) r.device = bad[i].device;
        ring_enable(&r);
        if (reg(&g, VIRTIO_MMIO_QUEUE_READY) || !is_broken(&g)) test_fail(__FILE__, __LINE__, "case %u", i);
    }
    end();
}

TEST(a_broken_device_gives_nothing_back)
{
    start_live(0);
    spin_lock(&toy.device.lock);
    virtio_break(&toy.device, "told so");
    virtio_push(&toy.device, 0, 0, 1);
    virtio_interrupt(&toy.device, 0);
    spin_unlock(&toy.device.lock);
    CHECK(used_count(&r) == 0 && reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS) == VIRTIO_INTERRUPT_CONFIG);
    end();
}

/* ---- threads ---- */
enum { THREAD_ROUNDS = 20000 };
static void *notify_often(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < THREAD_ROUNDS; i++) notify_ring(&r);
    return NULL;
}

TEST(two_vcpus_that_notify_at_once_get_each_chain_back_once)
{
    pthread_t other;
    unsigned back[256] = { 0 };
    start();
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
    ring_place(&r, &g, 0, 256);
    ring_enable(&r);
    drive(&g);
    for (unsigned i = 0; i < 256; i++) descriptor(&r, i, DATA, 4, DESC_WRITE, 0);
    CHECK(!pthread_create(&other, NULL, notify_often, NULL));
    for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
        uint64_t slot = r.driver + 4 + 2 * (uint64_t)(r.avail % 256);
        __atomic_store_n((uint16_t *)ram(&g, slot, 2), (uint16_t)(i % 256), __ATOMIC_RELAXED);
        __atomic_store_n((uint16_t *)ram(&g, r.driver + 2, 2), ++r.avail, __ATOMIC_RELEASE);
        notify_ring(&r);
        uint16_t done = __atomic_load_n((uint16_t *)ram(&g, r.device + 2, 2), __ATOMIC_ACQUIRE);
        while (r.seen != done) {
            uint32_t id = get32(&g, r.device + 4 + 8 * (uint64_t)(r.seen++ % 256));
            CHECK(id < 256);
            back[id]++;
        }
    }
    pthread_join(other, NULL);
    CHECK_EQ_U64(r.seen, (uint16_t)THREAD_ROUNDS);
    for (unsigned i = 0; i < 256; i++) CHECK_EQ_U64(back[i], THREAD_ROUNDS / 256 + (i < THREAD_ROUNDS % 256));
    CHECK(!is_broken(&g));
    end();
}
