// SPDX-License-Identifier: Apache-2.0
/* What every disk promises, and the two simple ones, RAM and image: drivers/block/block.h. */
#include "hv/core/page.h"
#include "test/unit/block_faulty.h"
#include "test/unit/disk.h"
#include "test/unit/pages.h"

static uint8_t data[64 * 512], model[4097 * 512];

TEST(block_submit_refuses_before_the_disk_is_asked)
{
    struct faulty *f = faulty_new();
    struct block_piece piece = { data, 1024 }, null = { NULL, 512 };
    struct disk_answer a;
    const struct {
        enum block_verb verb; uint64_t sector; uint32_t count; const struct block_piece *piece; unsigned piece_count;
    } bad[] = {
        { BLOCK_READ, 0, 0, NULL, 0 },                          { BLOCK_READ, FAULTY_SECTORS - 1, 2, &piece, 1 },
        { BLOCK_READ, FAULTY_SECTORS, 2, &piece, 1 },           { BLOCK_READ, UINT64_MAX, 2, &piece, 1 },
        { BLOCK_READ, 0, 1, &piece, 1 },                        { BLOCK_READ, 0, 3, &piece, 1 },
        { BLOCK_WRITE, 0, 2, NULL, 0 },                         { BLOCK_WRITE, 0, 1, &null, 1 },
        { BLOCK_FLUSH, 0, 0, &piece, 1 },                       { BLOCK_DISCARD, 0, 2, &piece, 1 },
        { BLOCK_DISCARD, 0, 0, NULL, 0 },                       { BLOCK_WRITE_ZEROES, FAULTY_SECTORS, 1, NULL, 0 },
        { BLOCK_WRITE_ZEROES, 1, UINT32_MAX, NULL, 0 },         { (enum block_verb)5, 0, 1, NULL, 0 },
        { (enum block_verb)-1, 0, 1, NULL, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct block_request r = disk_request(bad[i].verb, bad[i].sector, bad[i].count, &a);
        r.piece = bad[i].piece;
        r.piece_count = bad[i].piece_count;
        block_submit(&f->block, &r);
        if (a.count != 1 || !vm_failed(a.result)) test_fail(__FILE__, __LINE__, "case %u", i);
    }
    CHECK_EQ_U64(f->count, 0);
    f->block.is_read_only = true;
    CHECK_EQ_U64(disk_ask(&f->block, BLOCK_WRITE, 0, 1, data).kind, VM_DEVICE_UNSUPPORTED_OPERATION);
    CHECK_EQ_U64(disk_ask(&f->block, BLOCK_DISCARD, 0, 1, NULL).kind, VM_DEVICE_UNSUPPORTED_OPERATION);
    CHECK(disk_ok(&f->block, BLOCK_READ, 0, 1, data) && disk_ok(&f->block, BLOCK_FLUSH, 0, 0, NULL));
    f->block.is_read_only = f->block.has_discard = false;
    CHECK_EQ_U64(disk_ask(&f->block, BLOCK_DISCARD, 0, 1, NULL).kind, VM_DEVICE_UNSUPPORTED_OPERATION);
    block_destroy(&f->block);
    CHECK(f->is_destroyed);
    block_destroy(NULL);
    free(f);
}

TEST(block_ram_disk_begins_as_zeroes_and_gives_every_page_back)
{
    struct block *b;
    test_pages();
    uint64_t was = page_available();
    CHECK(!vm_failed(block_ram_create(MIB(5) + 1, &b)));
    CHECK(b->sector_count == MIB(5) / 512 + 1 && !b->is_read_only && b->has_discard && page_available() < was);
    CHECK(disk_ok(b, BLOCK_READ, b->sector_count - 1, 1, data));
    for (unsigned i = 0; i < 512; i++) CHECK_EQ_U64(data[i], 0);
    block_destroy(b);
    CHECK_EQ_U64(page_available(), was);
}

TEST(block_ram_disk_agrees_with_an_array)
{
    struct block *b;
    test_pages();
    memset(model, 0, sizeof model);
    CHECK(!vm_failed(block_ram_create(sizeof model, &b)));              /* 2 MiB and a sector: two chunks */
    CHECK_EQ_U64(b->sector_count, sizeof model / 512);
    disk_compare(b, model, 4000, true);
    block_destroy(b);
}

TEST(block_ram_disk_has_a_size_and_fits_the_host)
{
    struct block *b;
    test_pages();
    uint64_t was = 0;
    for (unsigned round = 0; round < 2; round++) {                      /* the heap may grow in the first */
        was = page_available();
        CHECK_EQ_U64(block_ram_create(0, &b).kind, VM_DEVICE_CONFIG);
        CHECK_EQ_U64(block_ram_create(UINT64_MAX, &b).kind, VM_DEVICE_CONFIG);
        CHECK_EQ_U64(block_ram_create(1ull << 62, &b).kind, VM_CORE_RESOURCE_EXHAUSTED);
        CHECK_EQ_U64(block_ram_create((page_total() - 1) * HV_PAGE_BYTES, &b).kind, VM_CORE_RESOURCE_EXHAUSTED);
        page_fail_at(3);
        CHECK_EQ_U64(block_ram_create(MIB(8), &b).kind, VM_CORE_RESOURCE_EXHAUSTED);
        page_fail_at(0);
    }
    CHECK_EQ_U64(page_available(), was);                                /* a failure keeps nothing */
}

TEST(block_image_reads_its_bytes_and_zeroes_behind_them)
{
    struct block *b;
    test_pages();
    disk_pattern(model, 0, 4, 1);
    CHECK(!vm_failed(block_image_create(model, 3 * 512 + 100, &b)));
    CHECK(b->sector_count == 4 && b->is_read_only);
    memset(data, 0xff, sizeof data);
    CHECK(disk_ok(b, BLOCK_READ, 0, 4, data));
    CHECK(!memcmp(data, model, 3 * 512 + 100));
    for (unsigned i = 3 * 512 + 100; i < 4 * 512; i++) CHECK_EQ_U64(data[i], 0);
    CHECK(data[4 * 512] == 0xff && !disk_ok(b, BLOCK_READ, 4, 1, data));
    CHECK(!disk_ok(b, BLOCK_WRITE, 0, 1, data) && disk_ok(b, BLOCK_FLUSH, 0, 0, NULL));
    block_destroy(b);
    CHECK_EQ_U64(block_image_create(model, 0, &b).kind, VM_DEVICE_CONFIG);
    CHECK_EQ_U64(block_image_create(NULL, 5, &b).kind, VM_DEVICE_CONFIG);
}
