// SPDX-License-Identifier: Apache-2.0
/* The copy-on-write overlay, before bases that are quick, slow, failing or on another thread. */
#include "drivers/virt/virtio_blk.h"
#include "hv/core/page.h"
#include "test/unit/block_faulty.h"
#include "test/unit/disk.h"
#include "test/unit/virtio_guest.h"
#include <pthread.h>

static uint8_t data[256 * 512], want[256 * 512];
static struct faulty *f;
static struct block *o;

static void start(void)
{
    test_pages();
    f = faulty_new();
    CHECK(!vm_failed(block_overlay_create(&f->block, &o)));
}
static void end(void)
{
    block_destroy(o);
    CHECK(f->is_destroyed);                                             /* it owned its base */
    free(f);
}

TEST(overlay_has_the_size_of_its_base_and_can_be_written_even_if_that_cannot)
{
    test_pages();
    f = faulty_new();
    f->block.is_read_only = true;
    CHECK(!vm_failed(block_overlay_create(&f->block, &o)));
    CHECK(o->sector_count == FAULTY_SECTORS && !o->is_read_only && o->has_discard);
    disk_pattern(want, 5, 1, 1);
    CHECK(disk_ok(o, BLOCK_WRITE, 5, 1, want) && disk_ok(o, BLOCK_READ, 5, 1, data) && !memcmp(data, want, 512));
    CHECK(f->asked[BLOCK_WRITE] == 0 && f->data[5 * 512] == 6);
    end();
}

TEST(overlay_agrees_with_an_array_and_never_touches_its_base)
{
    start();
    uint8_t *model = malloc(sizeof f->data), *before = malloc(sizeof f->data);
    CHECK(model && before);
    memcpy(model, f->data, sizeof f->data);
    memcpy(before, f->data, sizeof f->data);
    disk_compare(o, model, 6000, true);
    CHECK(!memcmp(before, f->data, sizeof f->data));
    CHECK(f->asked[BLOCK_READ] == f->count);
    free(model);
    free(before);
    end();
}

TEST(overlay_reads_mixed_ranges_sector_by_sector_right)
{
    start();
    memset(want, 0xc1, 512);
    CHECK(disk_ok(o, BLOCK_WRITE, 30, 1, want));
    memset(want, 0xc2, 512);
    CHECK(disk_ok(o, BLOCK_WRITE, 33, 1, want) && disk_ok(o, BLOCK_WRITE_ZEROES, 35, 2, NULL));
    CHECK(disk_ok(o, BLOCK_READ, 28, 12, data));
    static const uint8_t first[12] = { 29, 30, 0xc1, 32, 33, 0xc2, 35, 0, 0, 38, 39, 40 };
    for (unsigned i = 0; i < 12 * 512; i++) CHECK_EQ_U64(data[i], first[i / 512]);
    CHECK_EQ_U64(f->asked[BLOCK_READ], 4);                              /* 28-29, 31-32, 34, 37-39 */
    end();
}

TEST(overlay_writes_need_no_reads_from_the_base)
{
    start();
    f->fails_all = true;
    CHECK(disk_ok(o, BLOCK_WRITE, 3, 1, want) && disk_ok(o, BLOCK_WRITE_ZEROES, 7, 9, NULL) && disk_ok(o, BLOCK_READ, 7, 9, data));
    CHECK_EQ_U64(f->count, 0);
    end();
}

TEST(overlay_discarded_sectors_read_as_zeroes_and_their_memory_comes_back)
{
    start();
    CHECK(disk_ok(o, BLOCK_DISCARD, 0, 1, NULL));                       /* the table's page */
    uint64_t was = page_available();
    memset(want, 0x77, sizeof want);
    CHECK(disk_ok(o, BLOCK_WRITE, 32, 256, want) && page_available() < was);
    CHECK(disk_ok(o, BLOCK_DISCARD, 32, 255, NULL));
    CHECK(page_available() < was);                                      /* one sector of the last chunk is still needed */
    CHECK(disk_ok(o, BLOCK_DISCARD, 287, 1, NULL));
    CHECK_EQ_U64(page_available(), was);
    CHECK(disk_ok(o, BLOCK_READ, 32, 256, data));
    for (unsigned i = 0; i < 256 * 512; i++) CHECK_EQ_U64(data[i], 0);
    CHECK(disk_ok(o, BLOCK_WRITE, 40, 1, want) && disk_ok(o, BLOCK_READ, 39, 3, data) && data[0] == 0 && data[512] == 0x77 && data[1024] == 0);
    end();
}

TEST(overlay_passes_on_its_bases_errors_and_lives_on)
{
    start();
    f->fail_at = 2;
    CHECK(disk_ok(o, BLOCK_READ, 0, 8, data));
    CHECK_EQ_U64(disk_ask(o, BLOCK_READ, 0, 8, data).kind, VM_DEVICE_IO_FAILED);
    for (unsigned i = 0; i < 20; i++) {                                 /* more than it has operations */
        f->fail_at = 1;
        CHECK(!disk_ok(o, BLOCK_READ, i, 8, data));
    }
    CHECK(disk_ok(o, BLOCK_READ, 0, 8, data) && data[7 * 512] == 8);
    end();
}

TEST(overlay_without_memory_fails_the_write_and_keeps_what_it_has)
{
    start();
    memset(want, 0x31, 512);
    CHECK(disk_ok(o, BLOCK_WRITE, 100, 1, want));
    page_fail_at(1);
    CHECK_EQ_U64(disk_ask(o, BLOCK_WRITE, 2000, 1, want).kind, VM_CORE_RESOURCE_EXHAUSTED);
    page_fail_at(0);
    CHECK(disk_ok(o, BLOCK_READ, 100, 1, data) && data[0] == 0x31);
    CHECK(disk_ok(o, BLOCK_READ, 2000, 1, data) && data[0] == (uint8_t)(2000 % 251 + 1));
    page_fail_at(1);
    CHECK(disk_ok(o, BLOCK_WRITE, 101, 1, want));                       /* in a chunk that is there */
    page_fail_at(0);
    CHECK(disk_ok(o, BLOCK_WRITE, 2000, 1, want) && disk_ok(o, BLOCK_READ, 2000, 1, data) && data[0] == 0x31);
    end();
}

TEST(overlay_reads_into_thousands_of_tiny_pieces)
{
    enum { SECTORS = 5, COUNT = SECTORS * 512 };
    static struct block_piece piece[COUNT];
    static uint8_t sparse[2 * COUNT];
    struct disk_answer a;
    start();
    memset(want, 0x99, 512);
    CHECK(disk_ok(o, BLOCK_WRITE, 12, 1, want));
    struct block_request r = disk_request(BLOCK_READ, 10, SECTORS, &a);
    memset(sparse, 0xee, sizeof sparse);
    for (unsigned i = 0; i < COUNT; i++) piece[i] = (struct block_piece){ &sparse[2 * i], 1 };
    r.piece = piece;
    r.piece_count = COUNT;
    block_submit(o, &r);
    CHECK(a.count == 1 && !vm_failed(a.result));
    for (unsigned i = 0; i < COUNT; i++) CHECK(sparse[2 * i] == (i / 512 == 2 ? 0x99 : 11 + i / 512) && sparse[2 * i + 1] == 0xee);
    CHECK(f->asked[BLOCK_READ] > 2);                                    /* more parts than the write made */
    end();
}

TEST(overlay_that_gets_no_memory_is_not_made_and_leaves_the_base)
{
    struct faulty *base = faulty_new();
    bool is_made = false;
    test_pages();
    for (unsigned n = 1; !is_made; n++) {
        CHECK(n < 100);
        page_fail_at(n);
        struct vm_error e = block_overlay_create(&base->block, &o);
        page_fail_at(0);
        is_made = !vm_failed(e);
        if (!is_made) CHECK(e.kind == VM_CORE_RESOURCE_EXHAUSTED && !base->is_destroyed);
        else CHECK(n > 1);
    }
    block_destroy(o);
    free(base);
}

TEST(overlay_lets_more_reads_wait_than_it_has_operations)
{
    enum { COUNT = 40 };
    static uint8_t out[COUNT][4 * 512];
    struct disk_answer a[COUNT];
    struct block_request r[COUNT];
    struct block_piece piece[COUNT];
    start();
    CHECK(disk_ok(o, BLOCK_WRITE_ZEROES, 2, 1, NULL));                  /* reads of two parts */
    f->is_keeping = true;
    for (unsigned i = 0; i < COUNT; i++) {
        r[i] = disk_request(BLOCK_READ, i, 4, &a[i]);
        piece[i] = (struct block_piece){ out[i], sizeof out[i] };
        r[i].piece = &piece[i];
        r[i].piece_count = 1;
        block_submit(o, &r[i]);
    }
    CHECK_EQ_U64(f->kept_count, 8);
    while (faulty_release(f, false)) {}
    for (unsigned i = 0; i < COUNT; i++) {
        CHECK(a[i].count == 1 && !vm_failed(a[i].result));
        for (unsigned s = 0; s < 4; s++) CHECK_EQ_U64(out[i][s * 512], i + s == 2 ? 0 : (i + s) % 251 + 1);
    }
    end();
}

enum { READS = 5000 };
static void *be_the_base(void *arg)
{
    unsigned *left = arg;
    while (__atomic_load_n(left, __ATOMIC_ACQUIRE)) {
        if (!faulty_release(f, false)) arch_cpu_relax();
    }
    return NULL;
}

TEST(overlay_works_over_a_base_on_another_thread)
{
    pthread_t base;
    unsigned left = 1;
    start();
    memset(want, 0, 512);
    for (uint64_t s = 0; s < FAULTY_SECTORS; s += 3) CHECK(disk_ok(o, BLOCK_WRITE, s, 1, want));
    f->is_keeping = true;
    CHECK(!pthread_create(&base, NULL, be_the_base, &left));
    for (unsigned i = 0; i < READS; i++) {
        struct disk_answer a;
        uint64_t sector = test_random() % (FAULTY_SECTORS - 16);
        struct block_piece piece = { data, 16 * 512 };
        struct block_request r = disk_request(BLOCK_READ, sector, 16, &a);
        r.piece = &piece;
        r.piece_count = 1;
        block_submit(o, &r);
        while (!__atomic_load_n(&a.count, __ATOMIC_ACQUIRE)) arch_cpu_relax();
        for (unsigned s = 0; s < 16; s++) CHECK_EQ_U64(data[s * 512 + 511], (sector + s) % 3 ? (sector + s) % 251 + 1 : 0);
    }
    __atomic_store_n(&left, 0, __ATOMIC_RELEASE);
    pthread_join(base, NULL);
    end();
}

TEST(overlay_keeps_the_guests_data_when_its_device_and_machine_begin_anew)
{
    struct guest g;
    struct ring r;
    const uint64_t at = GUEST_RAM + MIB(1);
    start();
    for (unsigned life = 0; life < 3; life++) {
        guest_init(&g);
        struct virtio_slot s = guest_slot(&g);
        CHECK(!vm_failed(virtio_blk_create(&s, o, &g.region)));
        CHECK(negotiate(&g, VIRTIO_F_VERSION_1));
        ring_place(&r, &g, 0, 8);
        ring_enable(&r);
        drive(&g);
        for (unsigned is_write = 0; is_write < 2; is_write++) {
            put32(&g, at, is_write);
            put64(&g, at + 8, 77);
            descriptor(&r, 0, at, 16, DESC_NEXT, 1);
            descriptor(&r, 1, at + 512, 512, (uint16_t)(DESC_NEXT | (is_write ? 0 : DESC_WRITE)), 2);
            descriptor(&r, 2, at + 2048, 1, DESC_WRITE, 0);
            if (is_write) memset(ram(&g, at + 512, 512), (int)(0xa0 + life), 512);
            offer(&r, 0);
            CHECK(used(&r, NULL) == 0 && *(uint8_t *)ram(&g, at + 2048, 1) == 0);
            if (!is_write) CHECK_EQ_U64(*(uint8_t *)ram(&g, at + 512 + 511, 1), life ? 0xa0 + life - 1 : 78);
        }
        guest_end(&g);                                                  /* device and RAM go, the disk stays */
    }
    CHECK_EQ_U64(f->data[77 * 512], 78);
    end();
}
