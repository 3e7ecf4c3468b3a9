// SPDX-License-Identifier: Apache-2.0
/* Split rings seen from the device, without a device: drivers/virt/virtq.h. */
#include "drivers/virt/virtq.h"
#include "test/unit/virtio_guest.h"

#define SIZE 8u
#define DATA (GUEST_RAM + MIB(1))

static struct guest g;
static struct ring r;
static struct virtq q;
static struct virtq_chain chain;

static void start_with(bool has_indirect, bool has_event_idx)
{
    guest_init(&g);
    ring_place(&r, &g, 0, SIZE);
    q = (struct virtq){ .gmem = &g.gmem, .descriptors = r.desc, .driver = r.driver, .device = r.device, .size = SIZE,
                        .has_indirect = has_indirect, .has_event_idx = has_event_idx };
    CHECK(virtq_start(&q));
}
static void start(void) { start_with(false, false); }
static void end(void)   { guest_end(&g); }

static void is_refused(const char *why)
{
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_BROKEN);
    CHECK_STR(q.broken, why);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_BROKEN);                  /* and stays so */
    virtq_push(&q, 0, 1);
    CHECK_EQ_U64(used_count(&r), 0);                                    /* and writes nothing any more */
    end();
}

TEST(queue_sizes_are_powers_of_two_up_to_256)
{
    static const struct { uint32_t size; bool is_lawful; } cases[] = {
        { 0, false }, { 1, true }, { 2, true }, { 3, false }, { 128, true }, { 255, false }, { 256, true }, { 257, false },
        { 512, false }, { 32768, false }, { 65536, false }, { UINT32_MAX, false } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        virtq_reset(&q);
        q.descriptors = r.desc, q.driver = r.driver, q.device = r.device, q.size = cases[i].size;
        CHECK(virtq_start(&q) == cases[i].is_lawful);
        CHECK(q.is_ready == cases[i].is_lawful);
    }
    end();
}

TEST(areas_must_be_aligned_and_wholly_in_ram_and_the_used_one_writable)
{
    start();
    const uint64_t last = GUEST_RAM_END - 16 * SIZE;
    const struct { uint64_t descriptors, driver, device; bool is_lawful; } cases[] = {
        { r.desc, r.driver, r.device, true },
        { r.desc + 8, r.driver, r.device, false },  { r.desc, r.driver + 1, r.device, false }, { r.desc, r.driver, r.device + 2, false },
        { r.desc, r.driver + 2, r.device + 4, true },
        { last, r.driver, r.device, true },         { last + 16, r.driver, r.device, false },
        { r.desc, GUEST_RAM_END - 6 - 2 * SIZE, r.device, true }, { r.desc, GUEST_RAM_END - 4 - 2 * SIZE, r.device, false },
        { r.desc, r.driver, GUEST_RAM_END - 8 - 8 * SIZE, true }, { r.desc, r.driver, GUEST_RAM_END - 4 - 8 * SIZE, false },
        { GUEST_ROM, r.driver, r.device, true },    { r.desc, GUEST_ROM, r.device, true },     { r.desc, r.driver, GUEST_ROM, false },
        { GUEST_MMIO, r.driver, r.device, false },  { r.desc, GUEST_MMIO, r.device, false },   { r.desc, r.driver, GUEST_MMIO, false },
        { 0, r.driver, r.device, false },           { r.desc, 0, r.device, false },            { r.desc, r.driver, 0, false },
        { 0ull - 16, r.driver, r.device, false },   { r.desc, 0ull - 2, r.device, false },     { r.desc, r.driver, 0ull - 4, false },
        { GUEST_RAM - 16, r.driver, r.device, false } };
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        virtq_reset(&q);
        q.descriptors = cases[i].descriptors;
        q.driver = cases[i].driver, q.device = cases[i].device, q.size = SIZE;
        if (virtq_start(&q) != cases[i].is_lawful) test_fail(__FILE__, __LINE__, "case %u", i);
    }
    end();
}

TEST(an_empty_queue_gives_nothing_and_a_queue_not_ready_takes_nothing)
{
    start();
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    virtq_stop(&q);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    virtq_push(&q, 0, 1);
    CHECK(used_count(&r) == 0 && !virtq_wants_interrupt(&q));
    end();
}

TEST(a_chain_comes_with_readable_segments_before_writable_ones)
{
    start();
    descriptor(&r, 3, DATA, 16, DESC_NEXT, 1);
    descriptor(&r, 1, DATA + 100, 7, DESC_NEXT, 7);
    descriptor(&r, 7, DATA + 4096, 512, DESC_NEXT | DESC_WRITE, 0);
    descriptor(&r, 0, DATA + 9000, 1, DESC_WRITE, 5);
    offer_quietly(&r, 3);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK(chain.head == 3 && chain.readable_count == 2 && chain.writable_count == 2);
    CHECK(chain.readable_bytes == 23 && chain.writable_bytes == 513);
    CHECK(chain.segment[1].at.v == DATA + 100 && chain.segment[1].size_bytes == 7);
    CHECK(chain.segment[3].at.v == DATA + 9000 && chain.segment[3].size_bytes == 1);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    end();
}

TEST(bytes_are_copied_across_segments_and_host_chunks)
{
    char text[40];
    const uint64_t edge = GUEST_RAM + MIB(2);
    start();
    memcpy(ram(&g, DATA, 4), "abcd", 4);
    memcpy(ram(&g, edge - 3, 3), "efg", 3);
    memcpy(ram(&g, edge, 3), "hij", 3);
    descriptor(&r, 0, DATA, 4, DESC_NEXT, 1);
    descriptor(&r, 1, edge - 3, 6, DESC_NEXT, 2);
    descriptor(&r, 2, DATA + 64, 2, DESC_NEXT | DESC_WRITE, 3);
    descriptor(&r, 3, edge - 1, 3, DESC_WRITE, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK(virtq_chain_read(&g.gmem, &chain, 0, text, 10) && !memcmp(text, "abcdefghij", 10));
    CHECK(virtq_chain_read(&g.gmem, &chain, 6, text, 2) && !memcmp(text, "gh", 2));
    CHECK(!virtq_chain_read(&g.gmem, &chain, 0, text, 11) && !virtq_chain_read(&g.gmem, &chain, 10, text, 1));
    CHECK(virtq_chain_write(&g.gmem, &chain, 1, "WXYZ", 4));
    CHECK(((char *)ram(&g, DATA + 64, 2))[1] == 'W' && *(char *)ram(&g, edge - 1, 1) == 'X' && !memcmp(ram(&g, edge, 2), "YZ", 2));
    CHECK(!virtq_chain_write(&g.gmem, &chain, 2, "WXYZ", 4));
    CHECK(virtq_chain_read(&g.gmem, &chain, 10, text, 0) && virtq_chain_write(&g.gmem, &chain, 5, text, 0));
    end();
}

TEST(the_free_running_indices_wrap_at_65536)
{
    start();
    for (unsigned i = 0; i < 65536 + 3 * SIZE; i++) {
        uint32_t length;
        descriptor(&r, i % SIZE, DATA, 1, DESC_WRITE, 0);
        offer_quietly(&r, (uint16_t)(i % SIZE));
        CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
        CHECK_EQ_U64(chain.head, i % SIZE);
        virtq_push(&q, chain.head, i);
        CHECK(virtq_wants_interrupt(&q));
        CHECK(used(&r, &length) == i % SIZE && length == i);
    }
    CHECK_EQ_U64(get16(&g, r.device + 2), 3 * SIZE);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    end();
}

TEST(a_full_ring_is_lawful_and_one_more_is_not)
{
    start();
    descriptor(&r, 0, DATA, 1, DESC_WRITE, 0);
    for (unsigned i = 0; i < SIZE; i++) offer_quietly(&r, 0);
    for (unsigned i = 0; i < SIZE; i++) CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    r.avail = (uint16_t)(r.avail + SIZE);
    is_refused("more available than the queue holds");
}

TEST(an_avail_index_that_jumps_back_breaks_the_queue)
{
    start();
    descriptor(&r, 0, DATA, 1, DESC_WRITE, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    r.avail = (uint16_t)-2;                                             /* offer makes it 65535 */
    is_refused("more available than the queue holds");
}

TEST(a_head_beyond_the_table_breaks_the_queue)
{
    start();
    put16(&g, r.driver + 4, SIZE);
    put16(&g, r.driver + 2, 1);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_BROKEN);
    CHECK_STR(q.broken, "descriptor index");
    end();
}

TEST(a_next_beyond_the_table_breaks_the_queue)
{
    start();
    descriptor(&r, 0, DATA, 1, DESC_NEXT, SIZE);
    is_refused("descriptor index");
}

TEST(a_descriptor_that_is_its_own_next_breaks_the_queue)
{
    start();
    descriptor(&r, 0, DATA, 1, DESC_NEXT, 0);
    is_refused("descriptor loop");
}

TEST(a_loop_through_all_descriptors_breaks_the_queue)
{
    start();
    for (unsigned i = 0; i < SIZE; i++) descriptor(&r, i, DATA, 1, DESC_NEXT, (uint16_t)((i + 1) % SIZE));
    is_refused("descriptor loop");
}

TEST(a_chain_as_long_as_the_queue_is_lawful)
{
    start();
    for (unsigned i = 0; i < SIZE; i++) descriptor(&r, i, DATA, 1, i + 1 < SIZE ? DESC_NEXT : 0, (uint16_t)(i + 1));
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK_EQ_U64(chain.readable_count, SIZE);
    end();
}

TEST(a_readable_descriptor_after_a_writable_one_breaks_the_queue)
{
    start();
    descriptor(&r, 0, DATA, 1, DESC_NEXT | DESC_WRITE, 1);
    descriptor(&r, 1, DATA, 1, 0, 0);
    is_refused("readable buffer after a writable one");
}

TEST(a_descriptor_of_length_zero_breaks_the_queue)
{
    start();
    descriptor(&r, 0, DATA, 0, 0, 0);
    is_refused("empty buffer");
}

TEST(a_descriptor_of_4_gib_less_one_byte_breaks_the_queue_unless_ram_is_as_long)
{
    start();
    descriptor(&r, 0, DATA, UINT32_MAX, 0, 0);
    is_refused("buffer outside RAM");
}

TEST(a_chain_may_name_the_same_ram_many_times)
{
    start();
    for (unsigned i = 0; i < SIZE; i++) descriptor(&r, i, GUEST_RAM, (uint32_t)GUEST_RAM_BYTES, i + 1 < SIZE ? DESC_NEXT : 0, (uint16_t)(i + 1));
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);                   /* the same 8 MiB eight times: odd, not wrong */
    CHECK_EQ_U64(chain.readable_bytes, SIZE * GUEST_RAM_BYTES);
    virtq_reset(&q);
    ring_place(&r, &g, 0, 256);
    q = (struct virtq){ .gmem = &g.gmem, .descriptors = GUEST_RAM + MIB(1), .driver = r.driver, .device = r.device, .size = 256,
                        .has_indirect = true };
    CHECK(virtq_start(&q));
    r.desc = q.descriptors;
    for (unsigned i = 0; i < 256; i++) descriptor(&r, i, GUEST_RAM, (uint32_t)GUEST_RAM_BYTES, i < 255 ? DESC_NEXT : 0, (uint16_t)(i + 1));
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);                   /* 2 GiB: lawful */
    CHECK_EQ_U64(chain.readable_bytes, 256 * GUEST_RAM_BYTES);
    end();
}

TEST(the_sum_of_lengths_does_not_overflow)
{
    struct guest *w = &g;
    guest_init(w);
    gmem_free(&w->gmem);
    CHECK(!vm_failed(gmem_add(&w->gmem, guest_phys_addr_make(GUEST_RAM), MIB(32), GMEM_RAM)));
    ring_place(&r, w, 0, 256);
    q = (struct virtq){ .gmem = &w->gmem, .descriptors = r.desc, .driver = r.driver, .device = r.device, .size = 256 };
    CHECK(virtq_start(&q));
    for (unsigned i = 0; i < 200; i++) descriptor(&r, i, GUEST_RAM, MIB(32), i < 199 ? DESC_NEXT : 0, (uint16_t)(i + 1));
    is_refused("chain over 4 GiB");                                     /* 6.25 GiB in sum */
}

TEST(a_buffer_whose_address_and_length_overflow_breaks_the_queue)
{
    static const struct { uint64_t at; uint32_t size_bytes; } bad[] = {
        { UINT64_MAX, 2 }, { UINT64_MAX, 1 }, { 0ull - 4096, 8192 }, { 0ull - 4096, 4096 }, { UINT64_MAX - 100, UINT32_MAX } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        start();
        descriptor(&r, 0, bad[i].at, bad[i].size_bytes, DESC_WRITE, 0);
        is_refused("buffer outside RAM");
    }
}

TEST(a_buffer_in_or_across_anything_but_ram_breaks_the_queue)
{
    static const struct { uint64_t at; uint32_t size_bytes; uint16_t flags; } bad[] = {
        { 0, 1, 0 },                        { GUEST_MMIO, 4, 0 },           { GUEST_MMIO, 4, DESC_WRITE },
        { GUEST_RAM - 1, 2, 0 },            { GUEST_RAM_END - 1, 2, 0 },    { GUEST_RAM_END, 1, DESC_WRITE },
        { GUEST_ROM, 1, DESC_WRITE },       { GUEST_ROM + 4095, 2, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        start();
        descriptor(&r, 0, bad[i].at, bad[i].size_bytes, bad[i].flags, 0);
        is_refused("buffer outside RAM");
    }
}

TEST(a_buffer_to_be_read_may_lie_in_rom)
{
    start();
    descriptor(&r, 0, GUEST_ROM, 4096, 0, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    end();
}

/* ---- indirect tables ---- */
#define TABLE (DATA + 0x1008)                                           /* 2.7.5.3: no alignment asked */

TEST(an_indirect_table_is_followed_and_its_own_write_flag_ignored)
{
    start_with(true, false);
    descriptor_at(&g, TABLE, 0, DATA, 16, DESC_NEXT, 2);
    descriptor_at(&g, TABLE, 2, DATA + 64, 5, DESC_WRITE, 0);
    descriptor(&r, 4, TABLE, 3 * 16, DESC_INDIRECT | DESC_WRITE, 0);
    offer_quietly(&r, 4);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK(chain.head == 4 && chain.readable_bytes == 16 && chain.writable_bytes == 5);
    end();
}

TEST(direct_descriptors_may_come_before_an_indirect_table)
{
    start_with(true, false);
    descriptor_at(&g, TABLE, 0, DATA + 64, 5, DESC_WRITE, 0);
    descriptor(&r, 0, DATA, 16, DESC_NEXT, 1);
    descriptor(&r, 1, TABLE, 16, DESC_INDIRECT, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK(chain.readable_count == 1 && chain.writable_count == 1);
    end();
}

TEST(an_indirect_table_may_lie_across_host_chunks)
{
    const uint64_t table = GUEST_RAM + MIB(2) - 24;
    start_with(true, false);
    descriptor_at(&g, table, 0, DATA, 1, DESC_NEXT, 1);
    put64(&g, table + 16, DATA + 1);
    put32(&g, table + 24, 2);
    put16(&g, table + 28, DESC_WRITE);
    put16(&g, table + 30, 0);
    descriptor(&r, 0, table, 32, DESC_INDIRECT, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK(chain.readable_bytes == 1 && chain.writable_bytes == 2);
    end();
}

TEST(an_indirect_table_without_the_feature_breaks_the_queue)
{
    start();
    descriptor(&r, 0, TABLE, 16, DESC_INDIRECT, 0);
    is_refused("indirect descriptor without the feature");
}

TEST(an_indirect_table_within_an_indirect_table_breaks_the_queue)
{
    start_with(true, false);
    descriptor_at(&g, TABLE, 0, TABLE, 16, DESC_INDIRECT, 0);
    descriptor(&r, 0, TABLE, 16, DESC_INDIRECT, 0);
    is_refused("indirect descriptor in an indirect table");
}

TEST(an_indirect_descriptor_with_a_next_breaks_the_queue)
{
    start_with(true, false);
    descriptor(&r, 0, TABLE, 16, DESC_INDIRECT | DESC_NEXT, 1);
    is_refused("indirect descriptor with a next one");
}

TEST(an_indirect_table_of_no_or_broken_size_breaks_the_queue)
{
    static const uint32_t sizes[] = { 0, 1, 15, 17, UINT32_MAX };
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        start_with(true, false);
        descriptor(&r, 0, TABLE, sizes[i], DESC_INDIRECT, 0);
        is_refused("indirect table size");
    }
}

TEST(an_indirect_table_outside_ram_breaks_the_queue)
{
    static const uint64_t at[] = { 0, GUEST_MMIO, GUEST_RAM_END, GUEST_RAM_END - 8, GUEST_RAM - 8, UINT64_MAX, 0ull - 16, 0ull - 8 };
    for (unsigned i = 0; i < ARRAY_COUNT(at); i++) {
        start_with(true, false);
        descriptor(&r, 0, at[i], 32, DESC_INDIRECT, 0);
        is_refused("descriptor table outside RAM");
    }
}

TEST(a_loop_in_an_indirect_table_breaks_the_queue)
{
    start_with(true, false);
    descriptor_at(&g, TABLE, 0, DATA, 1, DESC_NEXT, 1);
    descriptor_at(&g, TABLE, 1, DATA, 1, DESC_NEXT, 0);
    descriptor(&r, 0, TABLE, 32, DESC_INDIRECT, 0);
    is_refused("descriptor loop");
}

TEST(a_chain_through_a_huge_indirect_table_is_cut_at_256_buffers)
{
    start_with(true, false);
    for (unsigned i = 0; i < 1000; i++) descriptor_at(&g, TABLE, i, DATA, 1, DESC_NEXT, (uint16_t)(i + 1));
    descriptor(&r, 0, TABLE, 65536 * 16, DESC_INDIRECT, 0);
    is_refused("chain too long");
}

TEST(an_indirect_chain_may_be_longer_than_the_queue)
{
    start_with(true, false);
    for (unsigned i = 0; i < 256; i++) descriptor_at(&g, TABLE, i, DATA, 1, i < 255 ? DESC_NEXT : 0, (uint16_t)(i + 1));
    descriptor(&r, 0, TABLE, 256 * 16, DESC_INDIRECT, 0);
    offer_quietly(&r, 0);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK_EQ_U64(chain.readable_count, 256);
    end();
}

/* ---- who must be told ---- */
TEST(no_interrupt_without_a_push_and_one_for_many)
{
    start();
    CHECK(!virtq_wants_interrupt(&q));
    virtq_push(&q, 0, 1);
    virtq_push(&q, 1, 1);
    CHECK(virtq_wants_interrupt(&q));
    CHECK(!virtq_wants_interrupt(&q));
    end();
}

TEST(the_no_interrupt_flag_counts_without_event_idx_and_only_then)
{
    start();
    put16(&g, r.driver, 1);
    virtq_push(&q, 0, 1);
    CHECK(!virtq_wants_interrupt(&q));
    put16(&g, r.driver, 0);
    virtq_push(&q, 0, 1);
    CHECK(virtq_wants_interrupt(&q));
    end();
    start_with(false, true);
    put16(&g, r.driver, 1);
    virtq_push(&q, 0, 1);
    CHECK(virtq_wants_interrupt(&q));                                   /* used_event is 0: wants the first */
    end();
}

TEST(with_event_idx_an_interrupt_comes_when_used_event_is_passed)
{
    start_with(false, true);
    for (unsigned i = 0; i < 70000; i++) {
        uint16_t event = (uint16_t)(i / 5 * 5 + 3);                     /* every fifth */
        put16(&g, used_event_at(&r), event);
        virtq_push(&q, 0, 1);
        if (virtq_wants_interrupt(&q) != ((uint16_t)i == event)) test_fail(__FILE__, __LINE__, "push %u", i);
    }
    put16(&g, used_event_at(&r), (uint16_t)(70000 + 1));
    for (unsigned i = 0; i < 3; i++) virtq_push(&q, 0, 1);              /* passed in the middle of a batch */
    CHECK(virtq_wants_interrupt(&q));
    end();
}

TEST(with_event_idx_an_empty_pop_asks_for_the_next_notification)
{
    start_with(false, true);
    put16(&g, avail_event_at(&r), 0x7777);
    descriptor(&r, 0, DATA, 1, DESC_WRITE, 0);
    for (unsigned i = 0; i < 3; i++) offer_quietly(&r, 0);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
        CHECK_EQ_U64(get16(&g, avail_event_at(&r)), 0x7777);            /* busy: no notifications, please */
    }
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_EMPTY);
    CHECK_EQ_U64(get16(&g, avail_event_at(&r)), 3);
    end();
}

TEST(a_chain_put_back_comes_again)
{
    start();
    descriptor(&r, 2, DATA, 1, DESC_WRITE, 0);
    offer_quietly(&r, 2);
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    virtq_unpop(&q);
    chain.head = 99;
    CHECK_EQ_U64(virtq_pop(&q, &chain), VIRTQ_CHAIN);
    CHECK_EQ_U64(chain.head, 2);
    end();
}

TEST(stopping_and_resetting_a_queue_begins_a_new_epoch)
{
    start();
    uint32_t was = q.epoch;
    virtq_stop(&q);
    CHECK(q.epoch != was && q.size == SIZE);
    was = q.epoch;
    virtq_reset(&q);
    CHECK(q.epoch != was && q.size == 0 && q.gmem == &g.gmem);
    end();
}
