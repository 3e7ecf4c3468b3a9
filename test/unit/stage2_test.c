// SPDX-License-Identifier: Apache-2.0
/* Stage-2 tables, walked by a reader of our own (Arm ARM D8.2, D8.3, 4 KiB granule, 39 bits, start at level 1). */
#include "hv/arch/aarch64/stage2.h"
#include "hv/base/bits.h"
#include "test/harness/test.h"

static unsigned published, tables, tables_left = UINT32_MAX;

void stage2_publish(void) { published++; }                  /* this process has no such walker */

static void *table_alloc(uint64_t count, uint64_t align_pages)
{
    CHECK(count == 1 && align_pages == 1);
    if (!tables_left) return NULL;
    tables_left--;
    tables++;
    void *at = aligned_alloc(4096, 4096);
    memset(at, 0xff, 4096);                                 /* whoever had it before */
    return at;
}
static void table_free(void *at, uint64_t count)
{
    CHECK_EQ_U64(count, 1);
    tables--;
    free(at);
}
static const struct hw_memory memory = { table_alloc, table_free };
static struct stage2 s;

static void start(void)
{
    tables = 0;
    tables_left = UINT32_MAX;
    CHECK(stage2_init(&s, &memory) && tables == 1);
}
static void end(void)
{
    stage2_destroy(&s);
    CHECK(tables == 0 && !s.root);
}

/* As the CPU does it. -> the leaf's descriptor, 0: fault; *size_bytes, *to: of the byte. */
static uint64_t walk(uint64_t at, uint64_t *size_bytes, uint64_t *to)
{
    const uint64_t *table = s.root;
    for (unsigned level = 1; level <= 3; level++) {
        unsigned shift = level == 1 ? 30 : level == 2 ? 21 : 12;
        uint64_t d = table[at >> shift & 511];
        if (!(d & 1)) return 0;
        if (level == 3 ? !(d & 2) : 0) return 0;            /* reserved */
        if (level < 3 && d & 2) {
            table = (const uint64_t *)(d & 0xfffffffff000);
            continue;
        }
        *size_bytes = bit64(shift);
        CHECK_EQ_U64(d & 0xfffffffff000 & (*size_bytes - 1), 0);
        *to = (d & 0xfffffffff000) | (at & (*size_bytes - 1));
        return d;
    }
    return 0;
}
static uint64_t where(uint64_t at)                          /* UINT64_MAX: nowhere */
{
    uint64_t size, to = 0;
    return walk(at, &size, &to) ? to : UINT64_MAX;
}
static uint64_t size_at(uint64_t at)
{
    uint64_t size = 0, to;
    return walk(at, &size, &to) ? size : 0;
}

TEST(stage2_is_empty_at_first)
{
    start();
    CHECK(where(0) == UINT64_MAX && where(0x40000000) == UINT64_MAX && where(bit64(39) - 1) == UINT64_MAX);
    end();
}

TEST(stage2_maps_by_the_largest_pieces_that_fit_both_sides)
{
    start();
    unsigned before = published;
    CHECK(stage2_map(&s, GIB(1) - MIB(2) - 0x3000, GIB(8) - MIB(2) - 0x3000, GIB(2) + MIB(4) + 0x8000, STAGE2_RAM));
    CHECK(published == before + 1);
    CHECK_EQ_U64(size_at(GIB(1) - MIB(2) - 0x1000), 0x1000);
    CHECK_EQ_U64(size_at(GIB(1) - 1), MIB(2));
    CHECK_EQ_U64(size_at(GIB(1)), GIB(1));
    CHECK_EQ_U64(size_at(GIB(3) - 1), GIB(1));
    CHECK_EQ_U64(size_at(GIB(3)), MIB(2));
    CHECK_EQ_U64(size_at(GIB(3) + MIB(2)), 0x1000);
    for (uint64_t at = GIB(1) - MIB(2) - 0x3000; at < GIB(3) + MIB(2) + 0x5000; at += 0x1000 * 7) CHECK_EQ_U64(where(at), at + GIB(7));
    CHECK(where(GIB(1) - MIB(2) - 0x3001) == UINT64_MAX && where(GIB(3) + MIB(2) + 0x5000) == UINT64_MAX);
    end();
}

TEST(stage2_sides_that_are_not_aligned_alike_are_mapped_by_pages)
{
    start();
    CHECK(stage2_map(&s, MIB(2), MIB(4) + 0x1000, MIB(4), STAGE2_RAM));
    for (uint64_t at = MIB(2); at < MIB(6); at += 0x1000) CHECK(size_at(at) == 0x1000 && where(at + 5) == at + MIB(2) + 0x1005);
    end();
}

TEST(stage2_attributes_are_those_of_the_kind)
{
    static const struct { enum stage2_kind kind; uint64_t memattr, access, share, never; } rows[] = {
        { STAGE2_RAM, 15, 3, 3, 0 }, { STAGE2_ROM, 15, 1, 3, 0 }, { STAGE2_DEVICE, 1, 3, 0, 2 } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        static const uint64_t sizes[] = { 0x1000, MIB(2), GIB(1) };
        for (unsigned n = 0; n < 3; n++) {
            uint64_t size, to;
            start();
            CHECK(stage2_map(&s, GIB(1), GIB(2), sizes[n], rows[i].kind));
            uint64_t d = walk(GIB(1), &size, &to);
            CHECK(size == sizes[n] && (d >> 2 & 15) == rows[i].memattr && (d >> 6 & 3) == rows[i].access && (d >> 8 & 3) == rows[i].share);
            CHECK(d >> 10 & 1 && d >> 53 == rows[i].never);             /* AF; XN[1:0], and nothing above */
            end();
        }
    }
}

TEST(stage2_what_is_mapped_already_stays)
{
    start();
    CHECK(stage2_map(&s, MIB(2), MIB(64), MIB(2), STAGE2_ROM));
    CHECK(stage2_map(&s, MIB(4) + 0x1000, MIB(128), 0x1000, STAGE2_RAM));
    CHECK(stage2_map(&s, 0, GIB(1), MIB(8), STAGE2_RAM));
    CHECK(where(0) == GIB(1) && where(MIB(2)) == MIB(64) && where(MIB(4) - 1) == MIB(66) - 1 && where(MIB(4)) == GIB(1) + MIB(4) && where(MIB(4) + 0x1000) == MIB(128)
          && where(MIB(4) + 0x2000) == GIB(1) + MIB(4) + 0x2000 && where(MIB(8) - 1) == GIB(1) + MIB(8) - 1 && where(MIB(8)) == UINT64_MAX);
    unsigned n = tables;
    CHECK(stage2_map(&s, 0, GIB(1), MIB(8), STAGE2_RAM) && tables == n);
    end();
}

TEST(stage2_refuses_what_is_no_page_or_past_the_guests_space)
{
    const struct { uint64_t at, host, size; } bad[] = { { 1, 0, 0x1000 }, { 0, 1, 0x1000 }, { 0, 0, 0xfff }, { bit64(39), 0, 0x1000 }, { bit64(39) - 0x1000, 0, 0x2000 },
                                                               { 0, 0, bit64(39) + 0x1000 }, { UINT64_MAX - 0xfff, 0, 0x1000 }, { UINT64_MAX - 0xfff, 0, 0x2000 } };
    start();
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) CHECK(!stage2_map(&s, bad[i].at, bad[i].host, bad[i].size, STAGE2_RAM));
    CHECK_EQ_U64(tables, 1);
    CHECK(stage2_map(&s, bit64(39) - 0x1000, 0x5000, 0x1000, STAGE2_RAM) && where(bit64(39) - 1) == 0x5fff);
    CHECK(stage2_map(&s, 0, 0, 0, STAGE2_RAM));
    end();
}

TEST(stage2_without_memory_for_a_table_says_so_and_can_go_on_later)
{
    for (unsigned n = 0; n < 3; n++) {
        start();
        tables_left = n;
        CHECK_EQ_U64(stage2_map(&s, MIB(1), MIB(1), 0x1000, STAGE2_RAM), n >= 2);
        tables_left = UINT32_MAX;
        CHECK(stage2_map(&s, MIB(1), MIB(1), 0x1000, STAGE2_RAM) && where(MIB(1)) == MIB(1) && tables == 3);
        end();
    }
    tables_left = 0;
    CHECK(!stage2_init(&s, &memory));
    stage2_destroy(&s);
}

TEST(stage2_clear_takes_all_back_but_the_root)
{
    start();
    for (unsigned i = 0; i < 20; i++) CHECK(stage2_map(&s, GIB(i), GIB(i) + 0x1000, MIB(2) + 0x3000, STAGE2_RAM));
    CHECK(tables > 20);
    stage2_clear(&s);
    CHECK(tables == 1 && where(0) == UINT64_MAX && where(GIB(19)) == UINT64_MAX);
    CHECK(stage2_map(&s, GIB(3), GIB(5), GIB(1), STAGE2_RAM) && where(GIB(3)) == GIB(5));
    end();
}

/* Chunks in any order, as faults give them, against a plain list. */
TEST(stage2_agrees_with_a_list_through_random_chunks)
{
    enum { CHUNKS = 64 };
    for (unsigned round = 0; round < 20; round++) {
        uint64_t host[CHUNKS] = { 0 };
        start();
        for (unsigned n = 0; n < CHUNKS; n++) {
            unsigned i = (unsigned)(test_random() % CHUNKS);
            uint64_t h = GIB(4) + (test_random() % 256) * MIB(2) + (test_random() & 1 ? 0x1000 : 0);
            CHECK(stage2_map(&s, GIB(1) + i * MIB(2), h, MIB(2), STAGE2_RAM));
            if (!host[i]) host[i] = h;
        }
        for (unsigned i = 0; i < CHUNKS; i++) {
            for (uint64_t at = 0; at < MIB(2); at += 0x1000 * 33) CHECK_EQ_U64(where(GIB(1) + i * MIB(2) + at), host[i] ? host[i] + at : UINT64_MAX);
        }
        end();
    }
}
