// SPDX-License-Identifier: Apache-2.0
/* hv/isa/riscv64/mmu.c and pmp.c through the MMU's own doors: page-table matrices, A/D policies, superpages, PMP, flushes. */
#include "test/unit/riscv64_hart.h"

static struct hart h;

enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128 };
#define TABLE(n)  (RAM + 0x100000 + (n) * 0x1000ull)         /* page tables */
#define FRAME     (RAM + 0x10000)                            /* the page that is mapped */
#define PTE(gpa, flags) ((gpa) >> 12 << 10 | (flags))

/* Opens PMP to S and U, in the entry that nothing else here uses. */
static void open_pmp(void)
{
    csr_put(&h, PMPADDR0 + 15, (1ull << 54) - 1);
    csr_put(&h, PMPCFG2, (uint64_t)(RV_PMP_NAPOT << 3 | RV_PMP_R | RV_PMP_W | RV_PMP_X) << 56);
}

/* `levels` tables that map va to one leaf at `leaf_level` (0: 4 KiB). Returns the leaf's address. */
static uint64_t map(unsigned levels, uint64_t va, unsigned leaf_level, uint64_t leaf)
{
    for (unsigned level = levels - 1;; level--) {
        uint64_t at = TABLE(levels - 1 - level) + 8 * (va >> (12 + 9 * level) & 511);
        if (level == leaf_level) {
            ram_put(&h, at, leaf);
            return at;
        }
        ram_put(&h, at, PTE(TABLE(levels - level), V));
    }
}

static void translate_with(unsigned levels, uint16_t asid, enum rv_privilege p)
{
    hart_privilege(&h, RV_M);
    csr_put(&h, SATP, (uint64_t)(RV_SV39 + levels - 3) << 60 | (uint64_t)asid << 44 | TABLE(0) >> 12);
    hart_privilege(&h, p);
}

static void start(bool svadu)
{
    hart_start(&h, svadu);
    open_pmp();
}

/* FAULT_NONE, or the kind of fault; *gpa when it went well. */
static enum fault_kind try(uint64_t va, enum access_type how, uint64_t *gpa, struct fault *why)
{
    struct translation t;
    *why = (struct fault){ .kind = FAULT_NONE };
    if (mmu_translate_fault(&h.v.mmu, guest_addr_make(va), how, &t, why)) {
        if (gpa) {
            *gpa = t.gpa.v;
        }
        return FAULT_NONE;
    }
    return why->kind;
}
static bool may(uint64_t va, enum access_type how)
{
    struct fault why;
    enum fault_kind k = try(va, how, NULL, &why);
    CHECK(k == FAULT_NONE || k == FAULT_PAGE);
    return k == FAULT_NONE;
}

TEST(R110_bare_mode_translates_to_the_same_number)
{
    struct fault why;
    uint64_t gpa = 0;
    start(true);
    CHECK_EQ_U64(try(RAM + 0x123, ACCESS_READ, &gpa, &why), FAULT_NONE);
    CHECK_EQ_U64(gpa, RAM + 0x123);
    hart_privilege(&h, RV_U);
    CHECK_EQ_U64(try(RAM + 0x456, ACCESS_EXECUTE, &gpa, &why), FAULT_NONE);
    CHECK_EQ_U64(gpa, RAM + 0x456);
    hart_end(&h);
}

TEST(R110_sv39_sv48_and_sv57_map_pages_of_every_size)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        for (unsigned leaf_level = 0; leaf_level < levels; leaf_level++) {
            uint64_t size = 1ull << (12 + 9 * leaf_level), va = (1ull << (11 + 9 * levels)) - size, gpa = 0;   /* top of the lower half */
            uint64_t frame = leaf_level ? align_down(RAM, size) : FRAME, at = leaf_level ? RAM - frame + 0x3123 : 0x123;
            struct fault why;
            if (at >= size) {
                at = 0x3123;
            }
            start(true);
            map(levels, va, leaf_level, PTE(frame, V | R | W | X | A | D));
            translate_with(levels, 0, RV_S);
            CHECK_EQ_U64(try(va + at, ACCESS_READ, &gpa, &why), FAULT_NONE);
            CHECK_EQ_U64(gpa, frame + at);
            CHECK_EQ_U64(try(va + at, ACCESS_WRITE, &gpa, &why), FAULT_NONE);
            CHECK_EQ_U64(try(va + at, ACCESS_EXECUTE, &gpa, &why), FAULT_NONE);
            hart_end(&h);
        }
    }
}

TEST(R75_R76_addresses_that_are_no_sign_extension_page_fault)
{
    for (unsigned levels = 3; levels <= 5; levels++) {
        uint64_t bad = 1ull << (11 + 9 * levels);
        struct fault why;
        start(true);
        map(levels, 0, 0, PTE(FRAME, V | R | A));
        translate_with(levels, 0, RV_S);
        CHECK(may(0x10, ACCESS_READ));
        CHECK_EQ_U64(try(bad + 0x10, ACCESS_READ, NULL, &why), FAULT_PAGE);
        CHECK_EQ_U64(why.page.addr.v, bad + 0x10);
        CHECK_EQ_U64(try(1ull << 63 | 0x10, ACCESS_READ, NULL, &why), FAULT_PAGE);
        hart_end(&h);
    }
}

/* Every leaf of R, W, X and U, from U and from S with and without SUM and MXR, for each kind of access. */
TEST(R69_R70_R71_R72_page_permission_matrix)
{
    for (unsigned bits = 0; bits < 16; bits++) {
        for (unsigned who = 0; who < 8; who++) {
            bool r = bits & 1, w = bits & 2, x = bits & 4, u = bits & 8, is_user = who & 1, sum = who & 2, mxr = who & 4;
            bool is_lawful = (r || x) && !(w && !r), reach = is_lawful && (is_user ? u : !u || sum);
            start(true);
            map(3, 0x4000, 0, PTE(FRAME, V | A | D | bits << 1));
            csr_put(&h, MSTATUS, (sum ? RV_SUM : 0u) | (mxr ? RV_MXR : 0u));
            translate_with(3, 0, is_user ? RV_U : RV_S);
            CHECK_EQ_U64(may(0x4000, ACCESS_READ), reach && (r || (mxr && x)));
            CHECK_EQ_U64(may(0x4000, ACCESS_WRITE), reach && w);
            CHECK_EQ_U64(may(0x4000, ACCESS_ATOMIC), reach && w);
            CHECK_EQ_U64(may(0x4000, ACCESS_EXECUTE), is_lawful && x && u == is_user);
            hart_end(&h);
        }
    }
}

TEST(R77_R78_R79_a_page_fault_says_how_and_by_whom)
{
    static const enum access_type kinds[] = { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE, ACCESS_ATOMIC };
    for (unsigned i = 0; i < 4; i++) {
        for (unsigned is_user = 0; is_user < 2; is_user++) {
            struct fault why;
            start(true);
            translate_with(3, 0, is_user ? RV_U : RV_S);
            CHECK_EQ_U64(try(0x4008, kinds[i], NULL, &why), FAULT_PAGE);
            CHECK_EQ_U64(why.page.addr.v, 0x4008);
            CHECK_EQ_U64(why.page.access_type, kinds[i]);
            CHECK_EQ_U64(why.page.is_write, kinds[i] == ACCESS_WRITE || kinds[i] == ACCESS_ATOMIC);
            CHECK_EQ_U64(why.page.is_user, is_user);
            hart_end(&h);
        }
    }
}

TEST(R70_svadu_sets_a_and_d_and_never_writes_silently)
{
    uint64_t at;
    start(true);
    at = map(3, 0x4000, 0, PTE(FRAME, V | R | W));
    translate_with(3, 0, RV_S);
    CHECK(may(0x4000, ACCESS_READ));
    CHECK_EQ_U64(ram_get(&h, at), PTE(FRAME, V | R | W | A));
    CHECK(may(0x4000, ACCESS_WRITE));                                   /* through the TLB entry of the read: D still gets set */
    CHECK_EQ_U64(ram_get(&h, at), PTE(FRAME, V | R | W | A | D));
    hart_end(&h);
}

TEST(R70_svade_page_faults_on_a_clear_a_or_d)
{
    static const struct { unsigned flags; bool read, write; } rows[] =
        { { 0, false, false }, { A, true, false }, { D, false, false }, { A | D, true, true } };
    for (unsigned i = 0; i < 4; i++) {
        start(false);
        uint64_t pte = PTE(FRAME, V | R | W | X | rows[i].flags), at = map(3, 0x4000, 0, pte);
        translate_with(3, 0, RV_S);
        CHECK_EQ_U64(may(0x4000, ACCESS_READ), rows[i].read);
        CHECK_EQ_U64(may(0x4000, ACCESS_EXECUTE), rows[i].read);
        CHECK_EQ_U64(may(0x4000, ACCESS_WRITE), rows[i].write);
        CHECK_EQ_U64(may(0x4000, ACCESS_ATOMIC), rows[i].write);
        CHECK_EQ_U64(ram_get(&h, at), pte);
        hart_end(&h);
    }
}

TEST(R70_firmware_may_turn_svadu_off)
{
    start(true);
    uint64_t at = map(3, 0x4000, 0, PTE(FRAME, V | R | W));
    csr_clear(&h, MENVCFG, RV_ENVCFG_ADUE);
    translate_with(3, 0, RV_S);
    CHECK(!may(0x4000, ACCESS_READ));
    CHECK_EQ_U64(ram_get(&h, at), PTE(FRAME, V | R | W));
    hart_end(&h);
}

TEST(a_denied_access_leaves_a_and_d_alone)
{
    start(true);
    uint64_t at = map(3, 0x4000, 0, PTE(FRAME, V | R));
    translate_with(3, 0, RV_S);
    CHECK(!may(0x4000, ACCESS_WRITE));
    CHECK_EQ_U64(ram_get(&h, at), PTE(FRAME, V | R));
    hart_end(&h);
}

TEST(misaligned_superpages_and_reserved_bits_page_fault)
{
    static const uint64_t reserved[] = { 1ull << 54, 1ull << 60, 1ull << 61, 1ull << 62, 1ull << 63 };
    for (unsigned i = 0; i < ARRAY_COUNT(reserved); i++) {
        start(true);
        map(3, 0x4000, 0, PTE(FRAME, V | R | A) | reserved[i]);
        translate_with(3, 0, RV_S);
        CHECK(!may(0x4000, ACCESS_READ));
        hart_end(&h);
    }
    for (unsigned level = 1; level < 3; level++) {
        start(true);
        map(3, 0, level, PTE(RAM + 0x1000, V | R | A));
        translate_with(3, 0, RV_S);
        CHECK(!may(0, ACCESS_READ));
        hart_end(&h);
    }
    static const unsigned in_pointer[] = { A, D, U };
    for (unsigned i = 0; i < 3; i++) {
        start(true);
        map(3, 0x4000, 0, PTE(FRAME, V | R | A));
        ram_put(&h, TABLE(0), PTE(TABLE(1), V | in_pointer[i]));
        translate_with(3, 0, RV_S);
        CHECK(!may(0x4000, ACCESS_READ));
        hart_end(&h);
    }
    start(true);
    map(3, 0x4000, 0, PTE(TABLE(4), V));                                /* a pointer where only a leaf may stand */
    translate_with(3, 0, RV_S);
    CHECK(!may(0x4000, ACCESS_READ));
    hart_end(&h);
}

TEST(R83_a_page_table_outside_of_ram_is_an_access_fault)
{
    struct fault why;
    start(true);
    csr_put(&h, SATP, 8ull << 60 | 0x1000);
    hart_privilege(&h, RV_S);
    CHECK_EQ_U64(try(0x4000, ACCESS_WRITE, NULL, &why), FAULT_BUS);
    CHECK_EQ_U64(why.bus.va.v, 0x4000);
    CHECK_EQ_U64(why.bus.access_type, ACCESS_WRITE);
    hart_end(&h);
}

TEST(mprv_moves_machine_modes_data_accesses_only)
{
    uint64_t gpa = 0;
    struct fault why;
    start(true);
    map(3, 0x4000, 0, PTE(FRAME, V | R | W | U | A | D));
    csr_put(&h, SATP, 8ull << 60 | TABLE(0) >> 12);
    csr_put(&h, MSTATUS, RV_MPRV | RV_U << RV_MPP_SHIFT);
    CHECK_EQ_U64(try(0x4010, ACCESS_READ, &gpa, &why), FAULT_NONE);
    CHECK_EQ_U64(gpa, FRAME + 0x10);
    CHECK_EQ_U64(try(RAM, ACCESS_EXECUTE, &gpa, &why), FAULT_NONE);     /* fetches stay machine mode's */
    CHECK_EQ_U64(gpa, RAM);
    csr_put(&h, MSTATUS, RV_MPRV | RV_S << RV_MPP_SHIFT);
    CHECK(!may(0x4010, ACCESS_READ));                                   /* a user page, and SUM is off */
    csr_put(&h, MSTATUS, RV_MPRV | RV_SUM | RV_S << RV_MPP_SHIFT);
    CHECK(may(0x4010, ACCESS_READ));
    csr_put(&h, MSTATUS, (uint64_t)(RV_MPRV | RV_M << RV_MPP_SHIFT));
    CHECK_EQ_U64(try(0x4010, ACCESS_READ, &gpa, &why), FAULT_NONE);
    CHECK_EQ_U64(gpa, 0x4010);
    hart_end(&h);
}

/* ---- flushes ---- */

#define SFENCE(rs1, rs2) (0x12000073u | (rs1) << 15 | (rs2) << 20)

TEST(R116_sfence_vma_maps_to_the_flushes)
{
    static const struct { uint32_t opcode; uint64_t at, asid; bool page, other_page, global_page; } rows[] = {
        { SFENCE(0, 0), 0,      0, true,  true,  true },
        { SFENCE(0, 1), 0,      7, true,  true,  false },
        { SFENCE(0, 1), 0,      8, false, false, false },
        { SFENCE(1, 0), 0x4000, 0, true,  false, false },
        { SFENCE(1, 1), 0x4000, 7, true,  false, false },
        { SFENCE(1, 1), 0x4000, 8, false, false, false },
        { SFENCE(1, 0), 0x6000, 0, false, false, true },
        { SFENCE(1, 1), 0x6000, 7, false, false, false },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t a, b, g;
        struct fault why;
        start(true);
        map(3, 0x4000, 0, PTE(FRAME, V | R | A));
        map(3, 0x5000, 0, PTE(FRAME, V | R | A));
        map(3, 0x6000, 0, PTE(FRAME, V | R | A | G));
        translate_with(3, 7, RV_S);
        for (uint64_t va = 0x4000; va < 0x7000; va += 0x1000) {
            CHECK_EQ_U64(try(va, ACCESS_READ, &a, &why), FAULT_NONE);
            CHECK_EQ_U64(a, FRAME);
        }
        map(3, 0x4000, 0, PTE(FRAME + 0x1000, V | R | A));
        map(3, 0x5000, 0, PTE(FRAME + 0x1000, V | R | A));
        map(3, 0x6000, 0, PTE(FRAME + 0x1000, V | R | A | G));
        CHECK_EQ_U64(try(0x4000, ACCESS_READ, &a, &why), FAULT_NONE);
        CHECK_EQ_U64(a, FRAME);                                         /* the old mapping until the flush */
        CHECK(hart_system(&h, &RV_HELPER_SFENCE, rows[i].opcode, rows[i].at, rows[i].asid, NULL));
        CHECK_EQ_U64(try(0x4000, ACCESS_READ, &a, &why), FAULT_NONE);
        CHECK_EQ_U64(try(0x5000, ACCESS_READ, &b, &why), FAULT_NONE);
        CHECK_EQ_U64(try(0x6000, ACCESS_READ, &g, &why), FAULT_NONE);
        CHECK_EQ_U64(a, FRAME + (rows[i].page ? 0x1000 : 0));
        CHECK_EQ_U64(b, FRAME + (rows[i].other_page ? 0x1000 : 0));
        CHECK_EQ_U64(g, FRAME + (rows[i].global_page ? 0x1000 : 0));
        hart_end(&h);
    }
}

TEST(address_spaces_keep_apart_and_share_global_pages)
{
    uint64_t gpa = 0;
    struct fault why;
    start(true);
    map(3, 0x4000, 0, PTE(FRAME, V | R | A));
    map(3, 0x6000, 0, PTE(FRAME, V | R | A | G));
    translate_with(3, 1, RV_S);
    CHECK(may(0x4000, ACCESS_READ) && may(0x6000, ACCESS_READ));
    map(3, 0x4000, 0, 0);
    map(3, 0x6000, 0, 0);
    translate_with(3, 2, RV_S);
    CHECK(!may(0x4000, ACCESS_READ));
    CHECK(may(0x6000, ACCESS_READ));
    translate_with(3, 1, RV_S);
    CHECK_EQ_U64(try(0x4000, ACCESS_READ, &gpa, &why), FAULT_NONE);     /* its entry was kept under ASID 1 */
    hart_end(&h);
}

/* ---- PMP ---- */

static void pmp(unsigned n, uint64_t addr, unsigned cfg)
{
    csr_put(&h, PMPADDR0 + n, addr);
    unsigned csr = n < 8 ? PMPCFG0 : PMPCFG2, shift = n % 8 * 8;
    csr_put(&h, csr, (csr_get(&h, csr) & ~(0xffull << shift)) | (uint64_t)cfg << shift);
}
static uint64_t napot(uint64_t base, uint64_t size) { return base >> 2 | ((size >> 3) - 1); }
enum { TOR = RV_PMP_TOR << 3, NA4 = RV_PMP_NA4 << 3, NAPOT = RV_PMP_NAPOT << 3, ALL = RV_PMP_R | RV_PMP_W | RV_PMP_X };

static unsigned pmp_perms(uint64_t at, unsigned size, bool is_machine)
{
    unsigned granule;
    return rv_pmp_perms(csrs_of(&h), at, size, is_machine, &granule);
}

TEST(pmp_without_a_match_closes_s_and_u_and_leaves_m_open)
{
    struct fault why;
    hart_start(&h, true);
    CHECK_EQ_U64(try(RAM, ACCESS_READ, NULL, &why), FAULT_NONE);
    hart_privilege(&h, RV_S);
    CHECK_EQ_U64(try(RAM, ACCESS_READ, NULL, &why), FAULT_BUS);
    CHECK_EQ_U64(try(RAM, ACCESS_EXECUTE, NULL, &why), FAULT_BUS);
    CHECK_EQ_U64(why.bus.access_type, ACCESS_EXECUTE);
    hart_end(&h);
}

TEST(pmp_ranges_of_every_kind)
{
    hart_start(&h, true);
    pmp(0, RAM >> 2, 0);
    pmp(1, (RAM + 0x2000) >> 2, TOR | RV_PMP_R);                        /* [RAM, RAM+0x2000) */
    pmp(2, (RAM + 0x3000) >> 2, NA4 | RV_PMP_W | RV_PMP_R);             /* 4 bytes */
    pmp(3, napot(RAM + 0x4000, 0x1000), NAPOT | RV_PMP_X);
    CHECK_EQ_U64(pmp_perms(RAM, 4, false), PERM_READ);
    CHECK_EQ_U64(pmp_perms(RAM + 0x1ffc, 4, false), PERM_READ);
    CHECK_EQ_U64(pmp_perms(RAM + 0x1ffc, 8, false), 0);                 /* half of it is outside */
    CHECK_EQ_U64(pmp_perms(RAM - 4, 4, false), 0);
    CHECK_EQ_U64(pmp_perms(RAM + 0x3000, 4, false), PERM_READ | PERM_WRITE);
    CHECK_EQ_U64(pmp_perms(RAM + 0x3000, 8, false), 0);
    CHECK_EQ_U64(pmp_perms(RAM + 0x3004, 4, false), 0);
    CHECK_EQ_U64(pmp_perms(RAM + 0x4000, 8, false), PERM_EXECUTE);
    CHECK_EQ_U64(pmp_perms(RAM + 0x4ff8, 8, false), PERM_EXECUTE);
    CHECK_EQ_U64(pmp_perms(RAM + 0x5000, 8, false), 0);
    CHECK_EQ_U64(pmp_perms(RAM + 0x3000, 8, true), 0);                  /* partly matched: no, even in machine mode */
    CHECK_EQ_U64(pmp_perms(RAM, 8, true), PERM_READ | PERM_WRITE | PERM_EXECUTE);
    hart_end(&h);
}

TEST(the_lowest_matching_pmp_entry_decides)
{
    hart_start(&h, true);
    pmp(0, napot(RAM, 0x1000), NAPOT);
    pmp(1, napot(RAM, 0x100000), NAPOT | ALL);
    CHECK_EQ_U64(pmp_perms(RAM + 8, 8, false), 0);
    CHECK_EQ_U64(pmp_perms(RAM + 0x1000, 8, false), PERM_READ | PERM_WRITE | PERM_EXECUTE);
    hart_end(&h);
}

TEST(locked_pmp_entries_bind_machine_mode_and_cannot_be_written)
{
    hart_start(&h, true);
    pmp(0, RAM >> 2, 0);
    pmp(1, (RAM + 0x1000) >> 2, TOR | RV_PMP_R | RV_PMP_L);
    CHECK_EQ_U64(pmp_perms(RAM, 8, true), PERM_READ);
    csr_put(&h, PMPADDR0 + 1, 0);
    CHECK_EQ_U64(csr_get(&h, PMPADDR0 + 1), (RAM + 0x1000) >> 2);
    csr_put(&h, PMPADDR0, 0);                                           /* the base of a locked TOR entry */
    CHECK_EQ_U64(csr_get(&h, PMPADDR0), RAM >> 2);
    csr_put(&h, PMPCFG0, 0);
    CHECK_EQ_U64(csr_get(&h, PMPCFG0), (uint64_t)(TOR | RV_PMP_R | RV_PMP_L) << 8);
    struct fault why;
    CHECK_EQ_U64(try(RAM, ACCESS_WRITE, NULL, &why), FAULT_BUS);
    hart_end(&h);
}

TEST(pmp_fields_hold_only_lawful_values)
{
    hart_start(&h, true);
    csr_put(&h, PMPADDR0, ~0ull);
    CHECK_EQ_U64(csr_get(&h, PMPADDR0), (1ull << 54) - 1);
    csr_put(&h, PMPCFG0, RV_PMP_W | 0x60);                              /* W without R, and reserved bits */
    CHECK_EQ_U64(csr_get(&h, PMPCFG0), 0);
    hart_end(&h);
}

TEST(pmp_guards_page_tables_and_their_updates)
{
    struct fault why;
    start(true);
    uint64_t at = map(3, 0x4000, 0, PTE(FRAME, V | R | W));
    pmp(0, napot(TABLE(2), 0x1000), NAPOT | RV_PMP_R);                  /* the last table: readable only */
    translate_with(3, 0, RV_S);
    CHECK_EQ_U64(try(0x4000, ACCESS_READ, NULL, &why), FAULT_BUS);      /* A cannot be set there */
    CHECK_EQ_U64(why.bus.va.v, 0x4000);
    CHECK_EQ_U64(ram_get(&h, at), PTE(FRAME, V | R | W));
    ram_put(&h, at, PTE(FRAME, V | R | W | A | D));
    CHECK(may(0x4000, ACCESS_WRITE));
    hart_privilege(&h, RV_M);
    pmp(0, napot(TABLE(1), 0x1000), NAPOT);
    hart_privilege(&h, RV_S);
    CHECK_EQ_U64(try(0x4000, ACCESS_READ, NULL, &why), FAULT_BUS);
    hart_end(&h);
}

TEST(a_page_that_pmp_splits_is_never_cached)
{
    uint64_t v;
    struct fault why;
    hart_start(&h, true);
    pmp(0, napot(RAM, 16), NAPOT | ALL);
    hart_privilege(&h, RV_S);
    CHECK(mmu_load(&h.v.mmu, guest_addr_make(RAM + 8), 8, &v, &why));
    CHECK(!mmu_load(&h.v.mmu, guest_addr_make(RAM + 16), 8, &v, &why));
    CHECK_EQ_U64(why.kind, FAULT_BUS);
    CHECK(mmu_load(&h.v.mmu, guest_addr_make(RAM), 8, &v, &why));
    unsigned granule;
    CHECK_EQ_U64(rv_pmp_perms(csrs_of(&h), RAM, 1, false, &granule), 7);
    CHECK_EQ_U64(granule, 4);
    hart_end(&h);
}

TEST(changing_pmp_takes_effect_at_once)
{
    struct fault why;
    start(true);
    hart_privilege(&h, RV_S);
    CHECK_EQ_U64(try(RAM, ACCESS_READ, NULL, &why), FAULT_NONE);
    hart_privilege(&h, RV_M);
    pmp(0, napot(RAM, 0x1000), NAPOT);
    hart_privilege(&h, RV_S);
    CHECK_EQ_U64(try(RAM, ACCESS_READ, NULL, &why), FAULT_BUS);
    hart_end(&h);
}
