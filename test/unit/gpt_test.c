// SPDX-License-Identifier: Apache-2.0
/* Partition tables: drivers/block/gpt.h, good ones and every kind of lie; and parts of disks. */
#include "drivers/block/gpt.h"
#include "test/unit/block_faulty.h"
#include "test/unit/disk.h"
#include "test/unit/gpt_table.h"
#include "test/unit/pages.h"

static struct faulty *f;
static struct gpt g;
static const struct gpt_row good[] = { { 64, 127, "boot" }, { 0, 0, NULL }, { 128, 128, "one" }, { 1000, FAULTY_SECTORS - 34, "rest" } };

static void start(void)
{
    test_pages();
    f = faulty_new();
    memset(f->data, 0, sizeof f->data);
    gpt_make(f->data, FAULTY_SECTORS, good, ARRAY_COUNT(good));
}
static struct vm_error look(void) { return gpt_read(&f->block, &g); }
static void check_good(void)
{
    CHECK(g.count == 3 && g.partition[0].number == 1 && g.partition[0].first == 64 && g.partition[0].count == 64);
    CHECK(g.partition[1].number == 3 && g.partition[1].count == 1 && gpt_find(&g, 4)->first == 1000 && !gpt_find(&g, 2) && !gpt_find(&g, 0));
    CHECK_STR(g.partition[0].name, "boot");
}

TEST(gpt_lists_partitions_by_their_entry_with_place_and_name)
{
    start();
    CHECK(!vm_failed(look()) && !g.primary_fault);
    check_good();
    free(f);
}

TEST(gpt_uses_the_backup_when_the_primary_is_broken_and_says_why)
{
    static const uint32_t broken[] = { 512, 512 + 16, 512 + 44, 2 * 512 + 40, 512 + 88 };
    for (unsigned i = 0; i < ARRAY_COUNT(broken); i++) {
        start();
        f->data[broken[i]] ^= 0x40;
        CHECK(!vm_failed(look()) && g.primary_fault && *g.primary_fault);
        check_good();
        f->data[(FAULTY_SECTORS - 1) * 512 + 20 + i] ^= 1;           /* and then that one too */
        f->data[(FAULTY_SECTORS - 1) * 512 + 16] ^= 1;
        struct vm_error e = look();
        CHECK(vm_failed(e) && !g.count && e.reason && *e.reason);
        free(f);
    }
}

TEST(gpt_of_a_disk_without_one_is_not_found)
{
    start();
    memset(f->data, 0, sizeof f->data);
    CHECK(look().kind == VM_DEVICE_NOT_FOUND);
    f->block.sector_count = 3;
    CHECK(look().kind == VM_DEVICE_NOT_FOUND);
    f->block.sector_count = FAULTY_SECTORS;
    f->fails_all = true;
    CHECK(look().kind == VM_DEVICE_IO_FAILED);
    free(f);
}

/* What a header or entry says, with right checksums in both copies; all of it must be refused. */
static const struct { const char *what; bool is_entry; unsigned at, bytes; uint64_t value; const char *why; } lies[] = {
    { "header of 0 bytes",            false, 12, 4, 0,                        "unknown kind" },
    { "header of 4 GiB",              false, 12, 4, 0xffffffff,               "unknown kind" },
    { "another revision",             false, 8,  4, 0x20000,                  "unknown kind" },
    { "is elsewhere",                 false, 24, 8, 7,                        "elsewhere" },
    { "entries in sector 0",          false, 72, 8, 0,                        "outside" },
    { "entries beyond the end",       false, 72, 8, FAULTY_SECTORS - 3,       "outside" },
    { "entries at 2^64 - 1",          false, 72, 8, UINT64_MAX,               "outside" },
    { "entries among the partitions", false, 72, 8, 500,                      "among" },
    { "no entries",                   false, 80, 4, 0,                        "entries" },
    { "2^32 - 1 entries",             false, 80, 4, 0xffffffff,               "entries" },
    { "entries of 0 bytes",           false, 84, 4, 0,                        "entries" },
    { "entries of 136 bytes",         false, 84, 4, 136,                      "entries" },
    { "entries of 2 GiB",             false, 84, 4, 0x80000000,               "entries" },
    { "usable from 0",                false, 40, 8, 0,                        "outside" },
    { "usable up to the end",         false, 48, 8, FAULTY_SECTORS,           "outside" },
    { "usable up to 2^64 - 1",        false, 48, 8, UINT64_MAX,               "outside" },
    { "usable backwards",             false, 48, 8, 30,                       "outside" },
    { "a partition in the header",    true,  32, 8, 1,                        "outside" },
    { "a partition backwards",        true,  40, 8, 63,                       "outside" },
    { "a partition beyond the end",   true,  40, 8, FAULTY_SECTORS,           "outside" },
    { "a partition up to 2^64 - 1",   true,  40, 8, UINT64_MAX,               "outside" },
    { "partitions overlap by one",    true,  40, 8, 128,                      "overlap" },
    { "a partition around another",   true,  40, 8, 900,                      "overlap" },
};

TEST(gpt_tables_that_lie_are_refused_with_a_reason)
{
    for (unsigned i = 0; i < ARRAY_COUNT(lies); i++) {
        start();
        for (unsigned copy = 0; copy < 2; copy++) {
            uint64_t own = copy ? FAULTY_SECTORS - 1 : 1;
            uint8_t *h = f->data + own * 512, *at = (lies[i].is_entry ? f->data + load_le64(h + 72) * 512 : h) + lies[i].at;
            memcpy(at, &lies[i].value, lies[i].bytes);
            if (lies[i].is_entry) {
                gpt_seal(f->data, own);
            } else {
                store_le32(h + 16, 0);
                store_le32(h + 16, crc32(0, h, load_le32(h + 12) <= 512 ? load_le32(h + 12) : 92));
            }
        }
        struct vm_error e = look();
        if (e.kind != VM_DEVICE_CONFIG || !strstr(e.reason, lies[i].why))
            test_fail(__FILE__, __LINE__, "%s: kind %d, \"%s\"", lies[i].what, (int)e.kind, e.reason);
        free(f);
    }
}

TEST(gpt_random_damage_is_a_table_a_refusal_and_never_more)
{
    unsigned refused = 0;
    for (unsigned round = 0; round < 400; round++) {
        start();
        for (unsigned n = 1 + (unsigned)(test_random() % 6); n; n--) {
            uint64_t own = test_random() & 1 ? FAULTY_SECTORS - 1 : 1;
            uint8_t *h = f->data + own * 512;
            if (test_random() & 1) h[test_random() % 92] = (uint8_t)test_random();
            else h[(own == 1 ? 512 : -32 * 512) + (int)(test_random() % 512)] = (uint8_t)test_random();
            if (test_random() & 1) {                                 /* checksums that fit the damage */
                store_le32(h + 16, 0);
                store_le32(h + 16, crc32(0, h, load_le32(h + 12) <= 512 ? load_le32(h + 12) : 92));
            }
        }
        bool is_refused = vm_failed(look());
        refused += is_refused;
        for (unsigned i = 0; !is_refused && i < g.count; i++)
            CHECK(g.partition[i].count && g.partition[i].first >= 2 && g.partition[i].first + g.partition[i].count < FAULTY_SECTORS);
        free(f);
    }
    CHECK(refused > 20 && refused < 400);
}

TEST(a_part_of_a_disk_is_that_part_and_nothing_else)
{
    static uint8_t data[4 * 512];
    struct block *part, *inner;
    test_pages();
    f = faulty_new();
    CHECK(vm_failed(block_part_create(&f->block, FAULTY_SECTORS - 3, 4, false, NULL, NULL, &part)));
    CHECK(vm_failed(block_part_create(&f->block, 5, 0, false, NULL, NULL, &part)));
    CHECK(vm_failed(block_part_create(&f->block, UINT64_MAX, 2, false, NULL, NULL, &part)));
    CHECK(!vm_failed(block_part_create(&f->block, 100, 50, false, NULL, NULL, &part)) && part->sector_count == 50 && part->has_discard);
    CHECK(!vm_failed(block_part_create(part, 10, 5, true, NULL, NULL, &inner)));
    CHECK(disk_ok(part, BLOCK_READ, 49, 1, data) && data[0] == 149 % 251 + 1);
    CHECK(!disk_ok(part, BLOCK_READ, 49, 2, data) && !disk_ok(part, BLOCK_READ, 50, 1, data));
    CHECK(disk_ok(inner, BLOCK_READ, 4, 1, data) && data[0] == 114 % 251 + 1 && !disk_ok(inner, BLOCK_READ, 5, 1, data));
    CHECK(!disk_ok(inner, BLOCK_WRITE, 0, 1, data));
    memset(data, 0xee, sizeof data);
    unsigned flushes = f->asked[BLOCK_FLUSH];
    CHECK(disk_ok(part, BLOCK_WRITE, 0, 1, data) && f->data[100 * 512] == 0xee && f->data[99 * 512] == 100 && f->data[101 * 512] == 102);
    CHECK(disk_ok(part, BLOCK_FLUSH, 0, 0, NULL) && f->asked[BLOCK_FLUSH] == flushes + 1);
    CHECK(disk_ok(part, BLOCK_DISCARD, 1, 2, NULL) && !f->data[101 * 512] && !f->data[102 * 512] && f->data[103 * 512]);
    block_destroy(inner);
    block_destroy(part);
    CHECK(!f->is_destroyed);
    free(f);
}
