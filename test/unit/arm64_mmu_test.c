// SPDX-License-Identifier: Apache-2.0
/* The walk of an arm64 guest's own tables, as debuggers and the decoder use it: hv/isa/arm64/mmu.c. Sections are the Arm ARM's. */
#include "test/unit/arm64_world.h"

#define TABLES (RAM + MIB(4))
#define PAGES  (RAM + MIB(8))
#define VALID  1ull
#define TABLE  3ull
#define PAGE   3ull
#define BLOCK  1ull
#define USER   (1ull << 6)                                  /* AP[1] */
#define RO     (1ull << 7)                                  /* AP[2] */
#define PXN    (1ull << 53)
#define UXN    (1ull << 54)
enum { R = PERM_READ, W = PERM_WRITE, X = PERM_EXECUTE };

struct granule { unsigned bits, tg0, tg1; };
static const struct granule granules[] = { { 12, 0, 2 }, { 14, 2, 1 }, { 16, 1, 3 } };

static uint64_t next_table;

/* Tables on the way to `at` in a half of `input_bits`, down to an entry that maps (1 << leaf_bits): the entry is `leaf`, all tables
 * on the way carry `table_bits` too. Returns the root. */
static uint64_t map(struct world *w, const struct granule *g, unsigned input_bits, uint64_t at, unsigned leaf_bits, uint64_t leaf, uint64_t table_bits)
{
    unsigned stride = g->bits - 3, shift = g->bits;
    while (shift + stride < input_bits) shift += stride;
    uint64_t root = next_table, table = root;
    next_table += 1ull << 16;
    for (;; shift -= stride) {
        unsigned top = shift + stride < input_bits ? shift + stride : input_bits;
        uint64_t entry = table + 8 * bits64(at, top - 1, shift);
        if (shift == leaf_bits) {
            ram_put64(w, entry, leaf);
            return root;
        }
        ram_put64(w, entry, next_table | TABLE | table_bits);
        table = next_table;
        next_table += 1ull << 16;
    }
}

static struct world *start(void)
{
    next_table = TABLES;
    struct world *w = world_start(3, NULL);
    frame_of(w)->sctlr_el1 |= 1;
    return w;
}
static void regime(struct world *w, bool is_upper, const struct granule *g, unsigned input_bits, uint64_t root)
{
    struct arm64_frame *f = frame_of(w);
    if (is_upper) {
        f->ttbr1_el1 = root;
        f->tcr_el1 = (f->tcr_el1 & ~(0x3full << 16 | 3ull << 30)) | (uint64_t)(64 - input_bits) << 16 | (uint64_t)g->tg1 << 30;
    } else {
        f->ttbr0_el1 = root;
        f->tcr_el1 = (f->tcr_el1 & ~(0x3full | 3ull << 14)) | (uint64_t)(64 - input_bits) | (uint64_t)g->tg0 << 14;
    }
}
static uint64_t where(struct world *w, uint64_t at)         /* UINT64_MAX: nowhere */
{
    guest_phys_addr gpa;
    return arm64_peek(&w->v[0], guest_addr_make(at), &gpa) ? gpa.v : UINT64_MAX;
}
static unsigned rights(struct world *w, uint64_t at) { return arm64_rights(&w->v[0], guest_addr_make(at)); }

TEST(arm64_walk_with_the_mmu_off_is_the_address_itself)
{
    struct world *w = start();
    frame_of(w)->sctlr_el1 &= ~1ull;
    CHECK(where(w, RAM + 5) == RAM + 5 && where(w, 0xffffffffffff0000) == 0xffffffffffff0000 && rights(w, RAM) == (R | W | X));
    world_end(w);
}

TEST(arm64_walk_of_every_granule_and_size_of_both_halves)
{
    for (unsigned g = 0; g < ARRAY_COUNT(granules); g++) {
        for (unsigned input = 25; input <= 48; input++) {
            for (unsigned is_upper = 0; is_upper < 2; is_upper++) {
                struct world *w = start();
                uint64_t low = test_random() & ((1ull << input) - 1), at = is_upper ? low | ~0ull << input : low;
                uint64_t page_mask = (1ull << granules[g].bits) - 1;
                regime(w, is_upper, &granules[g], input, map(w, &granules[g], input, low, granules[g].bits, PAGES | PAGE, 0));
                CHECK_EQ_U64(where(w, at), PAGES | (at & page_mask));
                CHECK_EQ_U64(where(w, at ^ (1ull << (input - 1))), UINT64_MAX);          /* another entry: nothing there */
                if (input < 48) CHECK_EQ_U64(where(w, at ^ 1ull << input), UINT64_MAX);  /* outside of both halves */
                world_end(w);
            }
        }
    }
}

TEST(arm64_walk_blocks_where_the_granule_has_them)
{
    static const struct { unsigned granule, leaf; bool is_there; } rows[] = {
        { 0, 12, true }, { 0, 21, true }, { 0, 30, true }, { 0, 39, false }, { 1, 14, true }, { 1, 25, true }, { 1, 36, false }, { 2, 16, true }, { 2, 29, true }, { 2, 42, false } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct world *w = start();
        const struct granule *g = &granules[rows[i].granule];
        uint64_t at = 0x0000123456789abcull & ((1ull << 48) - 1), mask = (1ull << rows[i].leaf) - 1;
        uint64_t leaf = rows[i].leaf == g->bits ? PAGES | PAGE : (0x0000ffffffffffffull & ~mask) | BLOCK;
        regime(w, false, g, 48, map(w, g, 48, at, rows[i].leaf, leaf, 0));
        uint64_t base = rows[i].leaf == g->bits ? PAGES : 0x0000ffffffffffffull & ~mask;
        CHECK_EQ_U64(where(w, at), rows[i].is_there ? base | (at & mask) : UINT64_MAX);
        world_end(w);
    }
}

TEST(arm64_walk_refuses_what_is_no_table)
{
    struct world *w = start();
    const struct granule *g = &granules[0];
    uint64_t root = map(w, g, 39, 0x1000, 12, PAGES | PAGE, 0);
    regime(w, false, g, 39, root);
    CHECK_EQ_U64(where(w, 0x1008), PAGES + 8);
    ram_put64(w, root + 0x20008, PAGES | BLOCK);                            /* reserved at the last level */
    CHECK_EQ_U64(where(w, 0x1008), UINT64_MAX);
    ram_put64(w, root + 0x20008, PAGES | 2);
    CHECK_EQ_U64(where(w, 0x1008), UINT64_MAX);
    ram_put64(w, root, (RAM + MEMORY) | TABLE);                             /* a table outside RAM */
    CHECK_EQ_U64(where(w, 0x1008), UINT64_MAX);
    ram_put64(w, root, ARM64_UART_BASE | TABLE);
    CHECK_EQ_U64(where(w, 0x1008), UINT64_MAX);
    ram_put64(w, root, root | TABLE);                                       /* a table that is its own */
    ram_put64(w, root + 8, root | TABLE);
    CHECK_EQ_U64(where(w, 0x1008), root + 8);
    frame_of(w)->ttbr0_el1 = 0xfffffffff000;
    CHECK_EQ_U64(where(w, 0x1008), UINT64_MAX);
    world_end(w);
}

TEST(arm64_walk_obeys_tcr)
{
    struct world *w = start();
    const struct granule *g = &granules[0];
    regime(w, false, g, 39, map(w, g, 39, 0x1000, 12, PAGES | PAGE, 0));
    regime(w, true, g, 39, map(w, g, 39, 0x1000, 12, (PAGES + 0x1000) | PAGE, 0));
    uint64_t tcr = frame_of(w)->tcr_el1, high = 0xffffff8000001000;
    CHECK(where(w, 0x1000) == PAGES && where(w, high) == PAGES + 0x1000);
    frame_of(w)->tcr_el1 = tcr | 1 << 7;                                    /* EPD0 */
    CHECK(where(w, 0x1000) == UINT64_MAX && where(w, high) == PAGES + 0x1000);
    frame_of(w)->tcr_el1 = tcr | 1 << 23;                                   /* EPD1 */
    CHECK(where(w, 0x1000) == PAGES && where(w, high) == UINT64_MAX);
    frame_of(w)->tcr_el1 = tcr;
    CHECK(where(w, 0xab00000000001000) == UINT64_MAX && where(w, 0xabffff8000001000) == UINT64_MAX);
    frame_of(w)->tcr_el1 = tcr | 1ull << 37;                                /* TBI0: bit 55 says which half */
    CHECK(where(w, 0xab00000000001000) == PAGES && where(w, 0xabffff8000001000) == UINT64_MAX);
    frame_of(w)->tcr_el1 = tcr | 1ull << 38;                                /* TBI1 */
    CHECK(where(w, 0xab00000000001000) == UINT64_MAX && where(w, 0xabffff8000001000) == PAGES + 0x1000);
    frame_of(w)->tcr_el1 = (tcr & ~0x3full) | 15;                           /* more than 48 bits, fewer than 25 */
    CHECK_EQ_U64(where(w, 0x1000), UINT64_MAX);
    frame_of(w)->tcr_el1 = (tcr & ~0x3full) | 40;
    CHECK_EQ_U64(where(w, 0x1000), UINT64_MAX);
    frame_of(w)->tcr_el1 = tcr | 3ull << 14;                                /* TG0: reserved */
    CHECK_EQ_U64(where(w, 0x1000), UINT64_MAX);
    frame_of(w)->tcr_el1 = tcr & ~(3ull << 30);                             /* TG1: reserved */
    CHECK_EQ_U64(where(w, high), UINT64_MAX);
    world_end(w);
}

TEST(arm64_rights_are_those_of_the_leaf_at_this_level)
{
    static const struct { uint64_t leaf; unsigned el1, el0; } rows[] = {    /* table D8-50, without PAN and WXN */
        { 0, R | W | X, X }, { USER, R | W, R | W | X }, { RO, R | X, X }, { RO | USER, R | X, R | X },
        { PXN, R | W, X }, { UXN, R | W | X, 0 }, { UXN | PXN | USER, R | W, R | W }, { RO | USER | PXN, R, R | X }, { RO | USER | UXN, R | X, R },
        { RO | UXN | PXN, R, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct world *w = start();
        regime(w, false, &granules[0], 39, map(w, &granules[0], 39, 0x1000, 12, PAGES | PAGE | rows[i].leaf, 0));
        CHECK_EQ_U64(rights(w, 0x1000), rows[i].el1);
        frame_of(w)->pstate = 0;
        CHECK_EQ_U64(rights(w, 0x1000), rows[i].el0);
        CHECK_EQ_U64(rights(w, 0x2000), 0);
        world_end(w);
    }
}

TEST(arm64_rights_of_tables_take_away)
{
    static const struct { uint64_t table; unsigned el1, el0; } rows[] = {   /* the leaf alone: everything at EL0, R and W at EL1 */
        { 0, R | W, R | W | X }, { 1ull << 62, R | X, R | X }, { 1ull << 61, R | W | X, X }, { 1ull << 60, R | W, R | W }, { 1ull << 62 | 1ull << 59, R, R | X },
        { 3ull << 61, R | X, X } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct world *w = start();
        regime(w, false, &granules[0], 39, map(w, &granules[0], 39, 0x1000, 12, PAGES | PAGE | USER, rows[i].table));
        CHECK_EQ_U64(rights(w, 0x1000), rows[i].el1);
        frame_of(w)->tcr_el1 |= 1ull << 41;                                 /* HPD0: they do not count */
        CHECK_EQ_U64(rights(w, 0x1000), rows[0].el1);
        frame_of(w)->tcr_el1 &= ~(1ull << 41);
        frame_of(w)->pstate = 0;
        CHECK_EQ_U64(rights(w, 0x1000), rows[i].el0);
        world_end(w);
    }
}

TEST(arm64_walk_through_the_mmu_says_which_fault)
{
    struct world *w = start();
    uint64_t v = 0;
    regime(w, false, &granules[0], 39, map(w, &granules[0], 39, 0x1000, 12, PAGES | PAGE | RO | PXN, 0));
    ram_put64(w, PAGES + 8, 0x1122334455667788);
    struct translation t;
    struct fault why;
    CHECK(mmu_translate_fault(&w->v[0].mmu, guest_addr_make(0x1008), ACCESS_READ, &t, &why) && t.gpa.v == PAGES + 8 && t.page_bits < 12);
    CHECK(!mmu_translate_fault(&w->v[0].mmu, guest_addr_make(0x1008), ACCESS_WRITE, &t, &why) && why.kind == FAULT_PAGE);
    CHECK(!mmu_translate_fault(&w->v[0].mmu, guest_addr_make(0x1008), ACCESS_EXECUTE, &t, &why));
    /* Tables may change without a word to us: nothing is kept. */
    ram_put64(w, frame_of(w)->ttbr0_el1 + 0x20008, (PAGES + 0x1000) | PAGE);
    CHECK(mmu_translate_fault(&w->v[0].mmu, guest_addr_make(0x1008), ACCESS_WRITE, &t, &why) && t.gpa.v == PAGES + 0x1008);
    (void)v;
    world_end(w);
}

TEST(arm64_walk_stands_any_tables)
{
    struct world *w = start();
    for (uint64_t at = TABLES; at < TABLES + MIB(1); at += 8) {             /* half of them lead on within themselves */
        uint64_t v = test_random();
        ram_put64(w, at, test_random() & 1 ? (TABLES | (v & 0xff000) | TABLE | (v & 0x7ull << 59)) : v);
    }
    for (unsigned i = 0; i < 100000; i++) {
        frame_of(w)->tcr_el1 = test_random() & test_random();
        if (test_random() & 1) frame_of(w)->tcr_el1 = (frame_of(w)->tcr_el1 & ~(0x3full | 0x3full << 16 | 3ull << 30 | 1ull << 7 | 1ull << 23)) | 16 | 16ull << 16 | 2ull << 30;
        frame_of(w)->ttbr0_el1 = test_random() & 1 ? TABLES + (test_random() & 0xffff8) : test_random();
        frame_of(w)->ttbr1_el1 = TABLES;
        frame_of(w)->pstate = test_random() & 1 ? 0 : ARM64_PSTATE_EL1H;
        uint64_t at = test_random() >> test_random() % 48;
        if (test_random() & 1) at = ~at;
        CHECK(!(rights(w, at) & ~(unsigned)(R | W | X)));
        CHECK(where(w, at) != UINT64_MAX || rights(w, at) == 0);
    }
    world_end(w);
}
