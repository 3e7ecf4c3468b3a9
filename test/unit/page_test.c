// SPDX-License-Identifier: Apache-2.0
/* The page allocator and the heap over it. The pool is the whole program's, so counts are compared, never assumed. */
#include "hv/base/bits.h"
#include "hv/core/heap.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

TEST(pages_come_aligned_and_go_back)
{
    test_pages();
    uint64_t before = page_available();
    for (uint64_t align = 1; align <= 512; align *= 2) {
        void *p = page_alloc(3, align);
        CHECK(p && !((uintptr_t)p & (align * HV_PAGE_BYTES - 1)));
        CHECK_EQ_U64(page_available(), before - 3);
        page_free(p, 3);
        CHECK_EQ_U64(page_available(), before);
    }
}

TEST(pages_runs_never_overlap)
{
    enum { RUNS = 200 };
    static struct { uint8_t *at; uint64_t count; } run[RUNS];
    test_pages();
    memset(run, 0, sizeof run);
    uint64_t before = page_available();
    for (unsigned step = 0; step < 5000; step++) {
        unsigned i = (unsigned)(test_random() % RUNS);
        if (run[i].at) {
            for (uint64_t n = 0; n < run[i].count; n++) CHECK(run[i].at[n * HV_PAGE_BYTES] == (uint8_t)i);
            page_free(run[i].at, run[i].count);
            run[i].at = NULL;
        } else {
            run[i].count = 1 + test_random() % 70;
            run[i].at = page_alloc(run[i].count, 1ull << test_random() % 5);
            CHECK(run[i].at);
            for (uint64_t n = 0; n < run[i].count; n++) run[i].at[n * HV_PAGE_BYTES] = (uint8_t)i;
        }
    }
    for (unsigned i = 0; i < RUNS; i++) if (run[i].at) page_free(run[i].at, run[i].count);
    CHECK_EQ_U64(page_available(), before);
}

TEST(pages_more_than_there_are_is_null_and_costs_nothing)
{
    test_pages();
    uint64_t before = page_available();
    CHECK(!page_alloc(page_total() + 1, 1));
    CHECK(!page_alloc(0, 1));
    CHECK(!page_alloc(UINT64_MAX / 2, 1));
    CHECK_EQ_U64(page_available(), before);
    page_free(NULL, 5);
}

TEST(pages_the_nth_allocation_can_be_made_to_fail)
{
    test_pages();
    page_fail_at(2);
    void *first = page_alloc(1, 1), *second = page_alloc(1, 1), *third = page_alloc(1, 1);
    page_fail_at(0);
    CHECK(first && !second && third);
    page_free(first, 1);
    page_free(third, 1);
}

TEST(heap_objects_are_cleared_aligned_and_apart)
{
    enum { OBJECTS = 300 };
    static struct { uint8_t *at; size_t size; } o[OBJECTS];
    test_pages();
    memset(o, 0, sizeof o);
    uint64_t before = heap_used_bytes();
    for (unsigned step = 0; step < 20000; step++) {
        unsigned i = (unsigned)(test_random() % OBJECTS);
        if (o[i].at) {
            for (size_t n = 0; n < o[i].size; n++) CHECK(o[i].at[n] == (uint8_t)(i + 1));
            heap_free(o[i].at);
            o[i].at = NULL;
        } else {
            o[i].size = test_random() % 8 ? 1 + test_random() % 1024 : 1 + test_random() % 20000;
            o[i].at = heap_alloc(o[i].size);
            CHECK(o[i].at && !((uintptr_t)o[i].at & 15));
            if (o[i].size >= HV_PAGE_BYTES) CHECK(!((uintptr_t)o[i].at & (HV_PAGE_BYTES - 1)));
            for (size_t n = 0; n < o[i].size; n++) CHECK(!o[i].at[n]);
            memset(o[i].at, (int)i + 1, o[i].size);
        }
    }
    for (unsigned i = 0; i < OBJECTS; i++) heap_free(o[i].at);
    CHECK_EQ_U64(heap_used_bytes(), before);
    heap_free(NULL);
}

TEST(heap_without_pages_is_null_not_a_crash)
{
    test_pages();
    page_fail_at(1);
    CHECK(!heap_alloc(100000));
    page_fail_at(0);
    CHECK(!heap_alloc((size_t)page_total() * HV_PAGE_BYTES * 2));
}

TEST(heap_gives_whole_free_pages_back)
{
    enum { OBJECTS = 1000 };
    static void *at[OBJECTS];
    static const size_t sizes[] = { 1, 32, 48, 64, 200, 1000, 1024, 5000 };
    test_pages();
    uint64_t pages = page_available(), bytes = heap_used_bytes();
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (unsigned i = 0; i < OBJECTS; i++) CHECK((at[i] = heap_alloc(sizes[s])));
        CHECK(pages - page_available() >= OBJECTS * sizes[s] / HV_PAGE_BYTES);
        for (unsigned i = 0; i < OBJECTS; i += 2) heap_free(at[i]);          /* every page keeps some */
        CHECK(sizes[s] > 1024 || pages - page_available() >= OBJECTS * sizes[s] / HV_PAGE_BYTES);
        for (unsigned i = 0; i < OBJECTS; i += 2) CHECK((at[i] = heap_alloc(sizes[s])));
        for (unsigned i = OBJECTS; i-- > 0;) heap_free(at[i]);
        CHECK_EQ_U64(page_available(), pages);
        CHECK_EQ_U64(heap_used_bytes(), bytes);
    }
}

TEST(heap_fails_when_a_test_says_so_and_only_then)
{
    test_pages();
    uint64_t bytes = heap_used_bytes();
    heap_fail_at(3);
    void *a = heap_alloc(100), *b = heap_alloc(5000), *c = heap_alloc(100), *d = heap_alloc(100);
    CHECK(a && b && !c && d);
    heap_free(a), heap_free(b), heap_free(d);
    heap_fail_at(1);
    heap_fail_at(0);
    CHECK((a = heap_alloc(1)));
    heap_free(a);
    CHECK_EQ_U64(heap_used_bytes(), bytes);
}
