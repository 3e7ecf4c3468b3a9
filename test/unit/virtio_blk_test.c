// SPDX-License-Identifier: Apache-2.0
/* virtio-blk before a disk that does what the test wants: drivers/virt/virtio_blk.h; virtio 1.2, section 5.2. */
#include "drivers/virt/virtio_blk.h"
#include "hv/core/timer.h"
#include "test/unit/block_faulty.h"
#include "test/unit/virtio_guest.h"
#include <pthread.h>

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_GET_LIFETIME = 10, T_DISCARD = 11, T_WRITE_ZEROES = 13, T_SECURE_ERASE = 14 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2, S_NONE = 0xee };
enum { SEG_MAX = 2, RO = 5, BLK_SIZE = 6, FLUSH = 9, TOPOLOGY = 10, CONFIG_WCE = 11, DISCARD = 13, WRITE_ZEROES = 14 };
#define BIT(n)  (1ull << (n))
#define ALL     (BIT(SEG_MAX) | BIT(BLK_SIZE) | BIT(FLUSH) | BIT(TOPOLOGY) | BIT(CONFIG_WCE) | BIT(DISCARD) | BIT(WRITE_ZEROES))
#define HEADER  (GUEST_RAM + MIB(1))
#define STATUS  (HEADER + 0x1800)
#define DATA    (GUEST_RAM + MIB(2) - 4096)                 /* across host chunks, if long enough */

static struct guest g;
static struct ring r;
static struct faulty *f;

static void create(bool is_read_only, bool has_discard)
{
    guest_init(&g);
    f = faulty_new();
    f->block.is_read_only = is_read_only;
    f->block.has_discard = has_discard;
    struct virtio_slot s = guest_slot(&g);
    CHECK(!vm_failed(virtio_blk_create(&s, &f->block, &g.region)));
}
static void start_driver(uint64_t features, uint16_t size)
{
    CHECK(negotiate(&g, VIRTIO_F_VERSION_1 | features));
    ring_place(&r, &g, 0, size);
    ring_enable(&r);
    drive(&g);
}
static void start_with(uint64_t features)
{
    create(false, true);
    start_driver(features, 256);
}
static void start(void) { start_with(ALL); }
static void end(void)
{
    guest_end(&g);
    free(f);
}

static void put_header(uint64_t at, uint32_t type, uint64_t sector)
{
    put32(&g, at, type);
    put32(&g, at + 4, 0);
    put64(&g, at + 8, sector);
}
/* Descriptors n, n + 1, n + 2: header, data, status. */
static void put_request(unsigned n, uint32_t type, uint64_t sector, uint64_t data, uint32_t size_bytes)
{
    bool is_in = type == T_IN || type == T_GET_ID;
    uint64_t header = HEADER + n * 32, at = STATUS + 0x10000 + n;
    put_header(header, type, sector);
    *(uint8_t *)ram(&g, at, 1) = S_NONE;
    descriptor(&r, n, header, 16, DESC_NEXT, (uint16_t)(size_bytes ? n + 1 : n + 2));
    descriptor(&r, n + 1, data, size_bytes, (uint16_t)(DESC_NEXT | (is_in ? DESC_WRITE : 0)), (uint16_t)(n + 2));
    descriptor(&r, n + 2, at, 1, DESC_WRITE, 0);
}
static uint8_t status_of(unsigned n) { return *(uint8_t *)ram(&g, STATUS + 0x10000 + n, 1); }

/* One request that is over when notify returns; its status, and in last_length what the used ring said. */
static uint32_t last_length;
static uint8_t request(uint32_t type, uint64_t sector, uint32_t size_bytes)
{
    put_request(0, type, sector, DATA, size_bytes);
    offer(&r, 0);
    CHECK_EQ_U64(used(&r, &last_length), 0);
    CHECK(!is_broken(&g));
    return status_of(0);
}
static uint8_t range(uint32_t type, uint64_t sector, uint32_t count, uint32_t flags, uint32_t size_bytes)
{
    put64(&g, DATA, sector);
    put32(&g, DATA + 8, count);
    put32(&g, DATA + 12, flags);
    return request(type, 0, size_bytes);
}
static void fill_data(uint32_t size_bytes, unsigned seed)
{
    for (uint32_t i = 0; i < size_bytes; i++) *(uint8_t *)ram(&g, DATA + i, 1) = (uint8_t)(i * 7 + seed);
}
static bool data_is(const uint8_t *want, uint32_t size_bytes)
{
    for (uint32_t i = 0; i < size_bytes; i++)
        if (*(uint8_t *)ram(&g, DATA + i, 1) != want[i]) return false;
    return true;
}

/* ---- what is offered ---- */
TEST(blk_offers_what_the_disk_can_do)
{
    create(false, true);
    CHECK((offered(&g) & 0xffffff) == ALL);
    end();
    create(false, false);
    CHECK((offered(&g) & 0xffffff) == (ALL & ~BIT(DISCARD)));
    end();
    create(true, true);
    CHECK((offered(&g) & 0xffffff) == ((ALL & ~BIT(DISCARD) & ~BIT(WRITE_ZEROES)) | BIT(RO)));
    end();
}

TEST(blk_configuration_gives_capacity_in_sectors_and_the_limits)
{
    create(false, true);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_DEVICE_ID), 2);
    CHECK(access_read(&g, 0x100, 8) == FAULTY_SECTORS && config32(&g, 0) == FAULTY_SECTORS && config32(&g, 4) == 0);
    CHECK_EQ_U64(config32(&g, 8), 0);                                   /* size_max: not offered */
    CHECK_EQ_U64(config32(&g, 12), 254);
    CHECK_EQ_U64(config32(&g, 20), 512);
    CHECK(config8(&g, 24) == 3 && config8(&g, 25) == 0);                /* 4 KiB physical sectors, aligned */
    CHECK_EQ_U64(config8(&g, 32), 1);                                   /* write-back */
    CHECK(config32(&g, 36) == 131072 && config32(&g, 40) == 1 && config32(&g, 44) == 8);
    CHECK(config32(&g, 48) == 131072 && config32(&g, 52) == 1 && config8(&g, 56) == 1);
    end();
    create(true, true);
    for (unsigned at = 36; at < 60; at += 4) CHECK_EQ_U64(config32(&g, at), 0);         /* no discards, no zeroes */
    end();
}

/* ---- transfers ---- */
TEST(blk_reads_and_writes_the_sectors_that_were_asked_for)
{
    start();
    CHECK_EQ_U64(request(T_IN, 7, 1024), S_OK);
    CHECK(last_length == 1025 && data_is(f->data + 7 * 512, 1024));
    fill_data(12288, 3);
    CHECK_EQ_U64(request(T_OUT, 100, 12288), S_OK);
    CHECK_EQ_U64(last_length, 1);
    CHECK(data_is(f->data + 100 * 512, 12288));
    CHECK(f->data[100 * 512 - 1] == 100 && f->data[124 * 512] == 125);  /* and no others */
    CHECK(f->asked[BLOCK_READ] == 1 && f->asked[BLOCK_WRITE] == 1 && f->asked[BLOCK_FLUSH] == 0);
    end();
}

TEST(blk_serves_the_last_sector_and_refuses_the_one_behind_it)
{
    start();
    CHECK_EQ_U64(request(T_IN, FAULTY_SECTORS - 1, 512), S_OK);
    static const struct { uint64_t sector; uint32_t size_bytes; } bad[] = {
        { FAULTY_SECTORS, 512 }, { FAULTY_SECTORS - 1, 1024 }, { UINT64_MAX, 512 }, { UINT64_MAX - 1, 2048 }, { 1ull << 55, 512 },
        { (1ull << 55) - 1, 1024 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        CHECK_EQ_U64(request(T_IN, bad[i].sector, bad[i].size_bytes), S_IOERR);
        CHECK_EQ_U64(last_length, 0);
        CHECK_EQ_U64(request(T_OUT, bad[i].sector, bad[i].size_bytes), S_IOERR);
    }
    CHECK_EQ_U64(f->count, 1);                                          /* the disk never saw them */
    end();
}

TEST(blk_refuses_data_that_are_no_whole_sectors)
{
    static const uint32_t sizes[] = { 0, 1, 511, 513, 1000 };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        CHECK_EQ_U64(request(T_IN, 0, sizes[i]), S_IOERR);
        CHECK_EQ_U64(request(T_OUT, 0, sizes[i]), S_IOERR);
    }
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(blk_takes_as_many_segments_as_it_says_in_seg_max)
{
    start();
    put_header(HEADER, T_IN, 10);
    descriptor(&r, 0, HEADER, 16, DESC_NEXT, 1);
    for (unsigned i = 0; i < 254; i++) descriptor(&r, 1 + i, GUEST_RAM + MIB(3) + i * 0x1000, 512, DESC_NEXT | DESC_WRITE, (uint16_t)(2 + i));
    descriptor(&r, 255, STATUS, 1, DESC_WRITE, 0);
    offer(&r, 0);
    used(&r, &last_length);
    CHECK(last_length == 254 * 512 + 1 && *(uint8_t *)ram(&g, STATUS, 1) == S_OK);
    for (unsigned i = 0; i < 254; i++) CHECK(!memcmp(ram(&g, GUEST_RAM + MIB(3) + i * 0x1000, 512), f->data + (10 + i) * 512, 512));
    end();
}

TEST(blk_does_not_care_how_header_data_and_status_are_framed)
{
    start_with(ALL | VIRTIO_F_INDIRECT_DESC);
    put_header(HEADER, T_OUT, 33);                                      /* header in three pieces, data from the third on */
    fill_data(2048, 9);
    uint8_t *next = ram(&g, HEADER + 16, 512);
    for (unsigned i = 0; i < 512; i++) next[i] = (uint8_t)(200 + i);
    const uint64_t table = HEADER + 0x2000;
    descriptor_at(&g, table, 0, HEADER, 3, DESC_NEXT, 1);
    descriptor_at(&g, table, 1, HEADER + 3, 9, DESC_NEXT, 2);
    descriptor_at(&g, table, 2, HEADER + 12, 4 + 511, DESC_NEXT, 3);
    descriptor_at(&g, table, 3, HEADER + 527, 1, DESC_NEXT, 4);
    descriptor_at(&g, table, 4, STATUS, 1, DESC_WRITE, 0);
    descriptor(&r, 0, table, 5 * 16, DESC_INDIRECT, 0);
    offer(&r, 0);
    CHECK(used(&r, NULL) == 0 && *(uint8_t *)ram(&g, STATUS, 1) == S_OK);
    CHECK(!memcmp(f->data + 33 * 512, next, 512));
    put_header(HEADER, T_IN, 33);                                       /* status as the last byte of the data's buffer */
    descriptor_at(&g, table, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor_at(&g, table, 1, HEADER + 0x800, 513, DESC_WRITE, 0);
    descriptor(&r, 0, table, 2 * 16, DESC_INDIRECT, 0);
    ((uint8_t *)ram(&g, HEADER + 0x800, 513))[512] = S_NONE;
    offer(&r, 0);
    CHECK(used(&r, &last_length) == 0 && last_length == 513);
    CHECK(!memcmp(ram(&g, HEADER + 0x800, 513), f->data + 33 * 512, 512) && ((uint8_t *)ram(&g, HEADER + 0x800, 513))[512] == S_OK);
    end();
}

TEST(blk_works_on_a_queue_of_two_with_indirect_tables)
{
    create(false, true);
    start_driver(ALL | VIRTIO_F_INDIRECT_DESC, 2);
    for (unsigned i = 0; i < 1000; i++) {
        put_header(HEADER, T_IN, i);
        descriptor_at(&g, HEADER + 0x2000, 0, HEADER, 16, DESC_NEXT, 1);
        descriptor_at(&g, HEADER + 0x2000, 1, DATA, 512, DESC_NEXT | DESC_WRITE, 2);
        descriptor_at(&g, HEADER + 0x2000, 2, STATUS, 1, DESC_WRITE, 0);
        descriptor(&r, i % 2, HEADER + 0x2000, 48, DESC_INDIRECT, 0);
        offer(&r, (uint16_t)(i % 2));
        CHECK(used(&r, NULL) == i % 2 && data_is(f->data + i * 512, 512));
    }
    end();
}

TEST(blk_accepts_buffers_that_overlap)
{
    start();
    put_header(HEADER, T_IN, 5);
    descriptor(&r, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor(&r, 1, HEADER, 512, DESC_NEXT | DESC_WRITE, 2);          /* over the header */
    descriptor(&r, 2, HEADER, 512, DESC_NEXT | DESC_WRITE, 3);          /* and again */
    descriptor(&r, 3, r.device, 1, DESC_WRITE, 0);                      /* status into the used ring's flags */
    offer(&r, 0);
    CHECK(used(&r, NULL) == 0 && *(uint8_t *)ram(&g, HEADER, 1) == 7 && !is_broken(&g));
    end();
}

/* ---- read-only ---- */
TEST(blk_refuses_writes_to_a_read_only_disk_with_ioerr_and_keeps_the_data)
{
    create(true, true);
    start_driver(BIT(RO) | BIT(FLUSH), 256);
    fill_data(512, 1);
    CHECK_EQ_U64(request(T_OUT, 7, 512), S_IOERR);
    CHECK_EQ_U64(f->data[7 * 512], 8);
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 0, 16), S_UNSUPP);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0, 16), S_UNSUPP);
    CHECK_EQ_U64(f->count, 0);
    CHECK_EQ_U64(request(T_IN, 7, 512), S_OK);
    CHECK_EQ_U64(request(T_FLUSH, 0, 0), S_OK);
    end();
}

TEST(blk_refuses_writes_to_a_read_only_disk_even_if_the_driver_did_not_accept_ro)
{
    create(true, true);
    start_driver(0, 256);
    CHECK_EQ_U64(request(T_OUT, 7, 512), S_IOERR);
    CHECK_EQ_U64(f->count, 0);
    end();
}

/* ---- caches ---- */
TEST(blk_flush_reaches_the_disk)
{
    start();
    CHECK_EQ_U64(request(T_FLUSH, 0, 0), S_OK);
    CHECK(f->asked[BLOCK_FLUSH] == 1 && f->count == 1 && last_length == 1);
    CHECK(request(T_FLUSH, UINT64_MAX, 0) == S_OK && f->last.sector == 0);          /* it has no place */
    f->fail_at = 1;
    CHECK_EQ_U64(request(T_FLUSH, 0, 0), S_IOERR);
    end();
}

TEST(blk_flushes_after_each_change_when_the_driver_cannot_flush)
{
    start_with(BIT(DISCARD) | BIT(WRITE_ZEROES));
    CHECK_EQ_U64(request(T_OUT, 0, 512), S_OK);
    CHECK(f->asked[BLOCK_FLUSH] == 1 && f->last.verb == BLOCK_FLUSH);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0, 16), S_OK);
    CHECK_EQ_U64(f->asked[BLOCK_FLUSH], 2);
    CHECK_EQ_U64(request(T_IN, 0, 512), S_OK);
    CHECK_EQ_U64(f->asked[BLOCK_FLUSH], 2);
    f->fail_at = 2;                                                     /* the write is well, its flush is not */
    CHECK_EQ_U64(request(T_OUT, 0, 512), S_IOERR);
    end();
}

TEST(blk_lets_the_driver_choose_write_through)
{
    start_with(BIT(FLUSH) | BIT(CONFIG_WCE));
    CHECK_EQ_U64(config8(&g, 32), 1);
    CHECK(request(T_OUT, 0, 512) == S_OK && f->asked[BLOCK_FLUSH] == 0);
    access_write(&g, 0x120, 1, 0);
    CHECK_EQ_U64(config8(&g, 32), 0);
    CHECK(request(T_OUT, 0, 512) == S_OK && f->asked[BLOCK_FLUSH] == 1);
    access_write(&g, 0x120, 1, 1);
    CHECK(request(T_OUT, 0, 512) == S_OK && f->asked[BLOCK_FLUSH] == 1);
    access_write(&g, 0x120, 1, 0);
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);
    CHECK_EQ_U64(config8(&g, 32), 1);                                   /* a reset restores it */
    end();
}

TEST(blk_write_cache_is_off_and_fixed_when_wce_is_accepted_without_flush_or_not_at_all)
{
    start_with(BIT(CONFIG_WCE));
    CHECK_EQ_U64(config8(&g, 32), 0);
    CHECK(request(T_OUT, 0, 512) == S_OK && f->asked[BLOCK_FLUSH] == 1);
    end();
    start_with(BIT(FLUSH));
    access_write(&g, 0x120, 1, 0);
    CHECK_EQ_U64(config8(&g, 32), 1);
    CHECK(request(T_OUT, 0, 512) == S_OK && f->asked[BLOCK_FLUSH] == 0);
    end();
}

TEST(blk_configuration_takes_no_other_writes)
{
    start();
    for (unsigned at = 0; at < 64; at++) if (at != 32) access_write(&g, 0x100 + at, 1, 0x55);
    access_write(&g, 0x120, 4, 0);
    access_write(&g, 0x120, 2, 0);
    CHECK(config32(&g, 0) == FAULTY_SECTORS && config32(&g, 12) == 254 && config8(&g, 32) == 1);
    end();
}

/* ---- the other requests ---- */
TEST(blk_get_id_gives_the_serial_padded_to_20_bytes_or_as_much_as_fits)
{
    static const char id[21] = "faulty-0123456789abc";
    start();
    CHECK_EQ_U64(request(T_GET_ID, 0, 20), S_OK);
    CHECK(last_length == 21 && data_is((const uint8_t *)id, 20));
    memset(f->block.serial, 0, sizeof f->block.serial);
    strcpy(f->block.serial, "abc");
    fill_data(40, 1);
    CHECK_EQ_U64(request(T_GET_ID, 0, 40), S_OK);
    CHECK_EQ_U64(last_length, 20);                                      /* bytes 20 to 39 were not written */
    CHECK(data_is((const uint8_t *)"abc\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
    CHECK_EQ_U64(request(T_GET_ID, 0, 2), S_OK);
    CHECK(last_length == 3 && data_is((const uint8_t *)"ab", 2));
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(blk_answers_unsupp_to_requests_it_does_not_know)
{
    static const uint32_t types[] = { 2, 3, 5, 7, 9, T_GET_LIFETIME, 12, T_SECURE_ERASE, 15, 100, UINT32_MAX, 0x80000000u | T_IN };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(types); i++) CHECK_EQ_U64(request(types[i], 0, 512), S_UNSUPP);
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(blk_discard_and_write_zeroes_reach_the_disk_with_their_range)
{
    start();
    CHECK_EQ_U64(range(T_DISCARD, 16, 8, 0, 16), S_OK);
    CHECK(f->last.verb == BLOCK_DISCARD && f->last.sector == 16 && f->last.sector_count == 8);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 30, 3, 0, 16), S_OK);
    CHECK(f->last.verb == BLOCK_WRITE_ZEROES && f->last.sector == 30 && f->last.sector_count == 3 && !f->last.may_unmap);
    CHECK(f->data[30 * 512 - 1] == 30 && f->data[30 * 512] == 0 && f->data[33 * 512 - 1] == 0 && f->data[33 * 512] == 34);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 40, 1, 1, 16), S_OK);
    CHECK(f->last.may_unmap);
    end();
}

TEST(blk_refuses_ranges_with_unknown_flags_or_more_than_one_of_them_with_unsupp)
{
    start();
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 1, 16), S_UNSUPP);              /* 5.2.6.2: unmap on a discard */
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 2, 16), S_UNSUPP);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 2, 16), S_UNSUPP);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0x80000001, 16), S_UNSUPP);
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 0, 32), S_UNSUPP);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0, 17), S_UNSUPP);
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(blk_refuses_ranges_that_are_short_empty_too_long_or_beyond_the_end_with_ioerr)
{
    start();
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 0, 15), S_IOERR);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0, 0), S_IOERR);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 0, 0, 16), S_IOERR);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, FAULTY_SECTORS, 1, 0, 16), S_IOERR);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, FAULTY_SECTORS - 1, 2, 0, 16), S_IOERR);
    CHECK_EQ_U64(range(T_DISCARD, UINT64_MAX, 8, 0, 16), S_IOERR);
    CHECK_EQ_U64(range(T_DISCARD, 0, UINT32_MAX, 0, 16), S_IOERR);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 131073, 0, 16), S_IOERR);
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(blk_refuses_ranges_over_its_limit_on_a_disk_that_is_longer)
{
    guest_init(&g);
    f = faulty_new();
    f->block.sector_count = 1u << 20;
    f->fails_all = true;                                                /* it has not so many */
    struct virtio_slot s = guest_slot(&g);
    CHECK(!vm_failed(virtio_blk_create(&s, &f->block, &g.region)));
    start_driver(ALL, 256);
    CHECK(range(T_WRITE_ZEROES, 0, 131073, 0, 16) == S_IOERR && range(T_DISCARD, 0, 131073, 0, 16) == S_IOERR && f->count == 0);
    CHECK(range(T_WRITE_ZEROES, 0, 131072, 0, 16) == S_IOERR && f->count == 1);
    end();
}

TEST(blk_discards_only_when_that_was_negotiated)
{
    start_with(BIT(FLUSH));
    CHECK_EQ_U64(range(T_DISCARD, 0, 8, 0, 16), S_UNSUPP);
    CHECK_EQ_U64(range(T_WRITE_ZEROES, 0, 8, 0, 16), S_UNSUPP);
    end();
}

/* ---- malformed requests ---- */
static void breaks(void)
{
    offer(&r, 0);
    CHECK(is_broken(&g) && g.line && used_count(&r) == 0);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
    set_reg(&g, VIRTIO_MMIO_STATUS, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    put_request(3, T_IN, 7, DATA, 512);
    offer(&r, 3);
    CHECK(is_broken(&g) && used_count(&r) == 0);                        /* the driver cannot wish it away */
    CHECK_EQ_U64(f->count, 0);
    start_driver(ALL, 256);                                             /* but a reset heals it */
    CHECK_EQ_U64(request(T_IN, 7, 512), S_OK);
    end();
}

TEST(blk_needs_a_reset_after_a_request_without_a_whole_header)
{
    start();
    descriptor(&r, 0, HEADER, 15, DESC_NEXT, 1);
    descriptor(&r, 1, DATA, 513, DESC_WRITE, 0);
    breaks();
}

TEST(blk_needs_a_reset_after_a_request_without_a_status_byte)
{
    start();
    descriptor(&r, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor(&r, 1, DATA, 512, 0, 0);
    breaks();
}

TEST(blk_needs_a_reset_after_a_request_of_writable_buffers_only)
{
    start();
    descriptor(&r, 0, HEADER, 16, DESC_WRITE | DESC_NEXT, 1);
    descriptor(&r, 1, DATA, 513, DESC_WRITE, 0);
    breaks();
}

TEST(blk_that_needs_a_reset_is_dead_for_what_was_in_flight_too)
{
    start();
    f->is_keeping = true;
    put_request(0, T_IN, 1, DATA, 512);
    offer(&r, 0);
    descriptor(&r, 3, HEADER, 8, 0, 0);
    offer(&r, 3);
    CHECK(is_broken(&g) && faulty_release(f, false));
    CHECK(used_count(&r) == 0 && status_of(0) == S_NONE);
    CHECK_EQ_U64(reg(&g, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_INTERRUPT_CONFIG);
    f->is_keeping = false;
    start_driver(ALL, 256);
    CHECK_EQ_U64(request(T_IN, 7, 512), S_OK);
    end();
}

TEST(blk_never_writes_to_a_readable_buffer)
{
    start();
    put_header(HEADER, T_IN, 7);
    descriptor(&r, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor(&r, 1, DATA, 512, DESC_NEXT, 2);                         /* a read whose buffer is only readable */
    descriptor(&r, 2, STATUS, 1, DESC_WRITE, 0);
    fill_data(512, 77);
    uint8_t was[512];
    memcpy(was, ram(&g, DATA, 512), 512);
    offer(&r, 0);
    CHECK(used(&r, NULL) == 0 && *(uint8_t *)ram(&g, STATUS, 1) == S_IOERR && data_is(was, 512) && f->count == 0);
    end();
}

TEST(blk_does_not_write_the_disk_from_writable_buffers)
{
    start();
    put_header(HEADER, T_OUT, 7);
    descriptor(&r, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor(&r, 1, DATA, 513, DESC_WRITE, 0);
    offer(&r, 0);
    CHECK(used(&r, &last_length) == 0 && last_length == 0);
    CHECK(*(uint8_t *)ram(&g, DATA + 512, 1) == S_IOERR && f->count == 0);
    end();
}

/* ---- disks that fail, and disks that take their time ---- */
TEST(blk_tells_the_guest_ioerr_when_the_disk_fails_and_goes_on)
{
    start();
    f->fails_all = true;
    for (unsigned i = 0; i < 100; i++) {
        CHECK_EQ_U64(request(i & 1 ? T_OUT : T_IN, i, 512), S_IOERR);
        CHECK_EQ_U64(last_length, i & 1 ? 1 : 0);                       /* nothing before the status byte is sure */
    }
    f->fails_all = false;
    CHECK_EQ_U64(request(T_IN, 9, 512), S_OK);
    CHECK(!is_broken(&g));
    end();
}

TEST(blk_completes_requests_in_whatever_order_the_disk_does)
{
    start();
    f->is_keeping = true;
    for (unsigned i = 0; i < 3; i++) {
        put_request(i * 3, T_IN, i, GUEST_RAM + MIB(4) + i * 4096, 512);
        offer(&r, (uint16_t)(i * 3));
    }
    CHECK(used_count(&r) == 0 && !g.line && f->kept_count == 3);
    for (unsigned i = 3; i--;) {
        CHECK(faulty_release(f, i == 1));
        CHECK(used(&r, NULL) == i * 3 && status_of(i * 3) == (i == 1 ? S_IOERR : S_OK));
    }
    CHECK(g.line && !memcmp(ram(&g, GUEST_RAM + MIB(4) + 8192, 512), f->data + 1024, 512));
    end();
}

TEST(blk_waits_for_its_disk_when_the_guest_offers_more_than_it_keeps_in_flight)
{
    enum { COUNT = 80 };
    start_with(ALL | VIRTIO_F_EVENT_IDX);
    f->is_keeping = true;
    for (unsigned i = 0; i < COUNT; i++) {
        put_request(i * 3, T_IN, i, GUEST_RAM + MIB(4) + i * 4096, 512);
        offer_quietly(&r, (uint16_t)(i * 3));
    }
    notify_ring(&r);                                                    /* once */
    CHECK_EQ_U64(f->kept_count, 32);
    unsigned released = 0;
    while (faulty_release(f, false)) {
        released++;
        CHECK(f->kept_count <= 32);
    }
    CHECK(released == COUNT && used_count(&r) == COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(status_of(i * 3) == S_OK);
        CHECK(!memcmp(ram(&g, GUEST_RAM + MIB(4) + i * 4096, 512), f->data + i * 512, 512));
    }
    end();
}

TEST(blk_breathes_after_128_chains_and_then_goes_on_without_another_notification)
{
    create(false, true);
    start_driver(ALL | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX, 256);
    put_header(HEADER, T_IN, 1);
    descriptor_at(&g, HEADER + 0x2000, 0, HEADER, 16, DESC_NEXT, 1);
    descriptor_at(&g, HEADER + 0x2000, 1, DATA, 513, DESC_WRITE, 0);
    for (unsigned i = 0; i < 256; i++) {
        descriptor(&r, i, HEADER + 0x2000, 32, DESC_INDIRECT, 0);
        offer_quietly(&r, (uint16_t)i);
    }
    notify_ring(&r);
    CHECK_EQ_U64(used_count(&r), 128);
    for (uint64_t end_ns = arch_time_ns() + 10000000000ull; used_count(&r) < 256 && arch_time_ns() < end_ns;) timer_run_due();
    CHECK_EQ_U64(used_count(&r), 256);
    end();
}

/* ---- resets with requests in flight ---- */
/* The disk answers on its own thread, once the queue is no more in use. */
static void *answer_too_late(void *arg)
{
    struct virtio_device *d = g.region.dev;
    (void)arg;
    for (bool is_stopped = false; !is_stopped; arch_cpu_relax()) {
        spin_lock(&d->lock);
        is_stopped = !d->queue[0].is_ready;
        spin_unlock(&d->lock);
    }
    while (faulty_release(f, false)) {}
    return NULL;
}
static void stop_in_flight(uint32_t how)
{
    pthread_t disk;
    start();
    f->is_keeping = true;
    for (unsigned i = 0; i < 3; i++) {
        put_request(i * 3, T_IN, i, DATA, 512);
        offer(&r, (uint16_t)(i * 3));
    }
    CHECK(!pthread_create(&disk, NULL, answer_too_late, NULL));
    set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
    set_reg(&g, how, 0);
    CHECK(f->kept_count == 0 && !is_broken(&g));                        /* it has waited */
    pthread_join(disk, NULL);
    CHECK(used_count(&r) == 0 && !g.line);
    for (unsigned i = 0; i < 3; i++) CHECK_EQ_U64(status_of(i * 3), S_NONE);
    f->is_keeping = false;
    start_driver(ALL, 256);
    CHECK_EQ_U64(request(T_IN, 7, 512), S_OK);
    end();
}

TEST(blk_reset_waits_for_what_is_in_flight_and_tells_the_guest_nothing_of_it)      { stop_in_flight(VIRTIO_MMIO_STATUS); }
TEST(blk_queue_stop_waits_for_what_is_in_flight_and_tells_the_guest_nothing_of_it) { stop_in_flight(VIRTIO_MMIO_QUEUE_READY); }

TEST(blk_destroyed_with_requests_in_flight_waits_for_their_ends)
{
    pthread_t disk;
    start();
    f->is_keeping = true;
    for (unsigned i = 0; i < 3; i++) {
        put_request(i * 3, T_IN, i, DATA, 512);
        offer(&r, (uint16_t)(i * 3));
    }
    CHECK(f->kept_count == 3);
    CHECK(!pthread_create(&disk, NULL, answer_too_late, NULL));
    g.region.ops->destroy(g.region.dev);
    CHECK(f->kept_count == 0);
    g.region.ops = NULL;                                                /* it is gone: not once more */
    pthread_join(disk, NULL);
    end();
}

TEST(blk_requests_that_are_never_answered_hold_up_no_others)
{
    start();
    f->is_keeping = true;
    put_request(0, T_IN, 1, DATA, 512);
    offer(&r, 0);
    f->is_keeping = false;
    for (unsigned i = 0; i < 300; i++) {                                /* more than the ring and the pool have */
        put_request(3, T_IN, 7, DATA + 4096, 512);
        offer(&r, 3);
        CHECK(used_count(&r) == i + 1 && status_of(3) == S_OK && status_of(0) == S_NONE);
    }
    CHECK(faulty_release(f, true));
    CHECK(used_count(&r) == 301 && status_of(0) == S_IOERR);
    end();
}

TEST(blk_reset_does_not_wait_for_ever_and_a_stale_answer_stays_out_of_the_new_ring)
{
    start();
    f->is_keeping = true;
    put_request(0, T_IN, 1, DATA, 512);
    put_request(3, T_IN, 1, DATA, 512);
    offer(&r, 0);
    set_reg(&g, VIRTIO_MMIO_STATUS, 0);                                 /* gives up after VIRTIO_DRAIN_NS */
    CHECK_EQ_U64(status(&g), VIRTIO_NEEDS_RESET);
    CHECK(faulty_release(f, false));
    CHECK(used_count(&r) == 0 && status_of(0) == S_NONE && !g.line);
    start_driver(ALL, 256);
    CHECK_EQ_U64(status(&g), VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    f->is_keeping = false;
    CHECK_EQ_U64(request(T_IN, 7, 512), S_OK);
    end();
}

TEST(blk_queue_that_was_stopped_and_started_does_not_see_the_old_queues_answers)
{
    start();
    f->is_keeping = true;
    put_request(0, T_IN, 1, DATA, 512);
    offer(&r, 0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_SEL, 0);
    set_reg(&g, VIRTIO_MMIO_QUEUE_READY, 0);                            /* the disk does not answer in time */
    CHECK(is_broken(&g));
    ring_place(&r, &g, 0, 256);
    ring_enable(&r);
    CHECK(faulty_release(f, false));
    CHECK_EQ_U64(used_count(&r), 0);
    end();
}

/* ---- threads ---- */
enum { THREAD_REQUESTS = 20000 };
static void *be_the_disk(void *arg)
{
    unsigned done = 0;
    (void)arg;
    while (done < THREAD_REQUESTS) {
        if (faulty_release(f, false)) done++;
        else arch_cpu_relax();
    }
    return NULL;
}

TEST(blk_survives_a_disk_on_another_core_and_answers_each_request_once)
{
    enum { SLOTS = 64 };
    pthread_t disk;
    bool is_busy[SLOTS] = { false };
    unsigned sent = 0, back = 0;
    start();
    f->is_keeping = true;
    CHECK(!pthread_create(&disk, NULL, be_the_disk, NULL));
    while (back < THREAD_REQUESTS) {
        unsigned slot = sent % SLOTS;
        if (sent < THREAD_REQUESTS && !is_busy[slot]) {
            is_busy[slot] = true;
            put_request(slot * 3, T_IN, sent % FAULTY_SECTORS, GUEST_RAM + MIB(4) + slot * 4096, 512);
            put16(&g, r.driver + 4 + 2 * (uint64_t)(r.avail % r.size), (uint16_t)(slot * 3));
            __atomic_store_n((uint16_t *)ram(&g, r.driver + 2, 2), ++r.avail, __ATOMIC_RELEASE);
            notify_ring(&r);
            sent++;
        }
        uint16_t now = __atomic_load_n((uint16_t *)ram(&g, r.device + 2, 2), __ATOMIC_ACQUIRE);
        for (; r.seen != now; back++) {
            uint32_t id = get32(&g, r.device + 4 + 8 * (uint64_t)(r.seen++ % r.size));
            CHECK(id % 3 == 0 && id / 3 < SLOTS && is_busy[id / 3] && status_of(id) == S_OK);
            is_busy[id / 3] = false;
        }
        if (sent - back == SLOTS) arch_cpu_relax();
    }
    pthread_join(disk, NULL);
    CHECK(!is_broken(&g) && f->asked[BLOCK_READ] == THREAD_REQUESTS);
    end();
}
