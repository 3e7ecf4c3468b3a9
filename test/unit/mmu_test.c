// SPDX-License-Identifier: Apache-2.0
/* Translation, the two TLB levels, the slow access paths and the API's edge: hv/mmu/mmu.h, on the toy guest. */
#include "test/unit/toy_mmu.h"

static struct toy t;
static struct fault why;
static guest_addr ga(uint64_t v) { return guest_addr_make(v); }

static bool translates(uint64_t va, enum access_type how, uint64_t *gpa)
{
    struct translation out;
    bool ok = mmu_translate_fault(&t.mmu, ga(va), how, &out, &why);
    if (ok && gpa) *gpa = out.gpa.v;
    return ok;
}
static uint64_t load(uint64_t va, unsigned size)
{
    uint64_t v = 0;
    CHECK(mmu_load(&t.mmu, ga(va), size, &v, &why));
    return v;
}
static void store(uint64_t va, unsigned size, uint64_t v) { CHECK(mmu_store(&t.mmu, ga(va), size, v, &why)); }
static void poke(uint64_t gpa, uint64_t v) { CHECK(!vm_failed(gmem_load(&t.gmem, guest_phys_addr_make(gpa), &v, 8))); }
static uint64_t peek(uint64_t gpa)
{
    uint64_t v;
    CHECK(!vm_failed(gmem_read_bulk(&t.gmem, guest_phys_addr_make(gpa), &v, 8)));
    return v;
}
/* What an engine's inline probe would find. */
static bool hits(uint64_t va, enum access_type how)
{
    const struct tlb_entry *e = &(how == ACCESS_EXECUTE ? t.mmu.tlb_fetch : t.mmu.tlb_data)[va >> 12 & (MMU_TLB_ENTRIES - 1)];
    return (how == ACCESS_READ ? e->read : how == ACCESS_WRITE ? e->write : e->execute) == (va & ~4095ull);
}

/* ---- permissions ---- */

TEST(R69_read_needs_r)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM)->r = false;
    CHECK(!translates(0x1000, ACCESS_READ, NULL) && why.kind == FAULT_PAGE && why.page.access_type == ACCESS_READ);
    CHECK(translates(0x1000, ACCESS_EXECUTE, NULL));
    CHECK(!hits(0x1000, ACCESS_READ));                               /* and the fill for X gave no right to read */
    toy_end(&t);
}

TEST(R70_write_checks_w_and_d)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM)->w = false;
    CHECK(!translates(0x1000, ACCESS_WRITE, NULL) && why.page.is_write);
    struct toy_pte *p = toy_map(&t, 0, 0x2000, TOY_RAM);
    p->d = false;
    CHECK_EQ_U64(load(0x2000, 8), 0);                                /* a read caches the page ... */
    CHECK(hits(0x2000, ACCESS_READ) && !hits(0x2000, ACCESS_WRITE)); /* ... but no silent write comes of it */
    CHECK(!mmu_store(&t.mmu, ga(0x2000), 8, 1, &why) && why.kind == FAULT_PAGE);     /* software's D */
    CHECK(peek(TOY_RAM) == 0);
    t.hardware_dirty = true;                                         /* hardware's D */
    store(0x2000, 8, 1);
    CHECK(p->d && peek(TOY_RAM) == 1 && hits(0x2000, ACCESS_WRITE));
    toy_end(&t);
}

TEST(R71_execute_needs_x)
{
    uint8_t bytes[4];
    unsigned got;
    guest_phys_addr gpa;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM)->x = false;
    load(0x1000, 4);
    CHECK(!mmu_fetch(&t.mmu, ga(0x1000), bytes, 4, &got, &gpa, &why));
    CHECK(why.kind == FAULT_PAGE && why.page.access_type == ACCESS_EXECUTE && got == 0);
    toy_end(&t);
}

TEST(R72_atomic_needs_r_w_and_d_and_a_load_reserved_needs_r)
{
    guest_phys_addr gpa;
    static const struct { bool r, w, d, ok; } row[] = { { 1, 1, 1, 1 }, { 0, 1, 1, 0 }, { 1, 0, 1, 0 }, { 1, 1, 0, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(row); i++) {
        toy_start(&t);
        struct toy_pte *p = toy_map(&t, 0, 0x1000, TOY_RAM);
        p->r = row[i].r, p->w = row[i].w, p->d = row[i].d;
        CHECK((mmu_atomic(&t.mmu, ga(0x1008), 8, ACCESS_ATOMIC, &gpa, &why) != NULL) == row[i].ok);
        if (!row[i].ok) CHECK(why.kind == FAULT_PAGE && why.page.access_type == ACCESS_ATOMIC && why.page.is_write);
        CHECK((mmu_atomic(&t.mmu, ga(0x1008), 8, ACCESS_READ, &gpa, &why) != NULL) == row[i].r);
        toy_end(&t);
    }
}

TEST(atomics_are_aligned_and_in_ram)
{
    guest_phys_addr gpa;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    toy_map(&t, 0, 0x2000, TOY_ROM);
    toy_map(&t, 0, 0x3000, TOY_DEVICE);
    CHECK(!mmu_atomic(&t.mmu, ga(0x1004), 8, ACCESS_ATOMIC, &gpa, &why) && why.kind == FAULT_ALIGNMENT && why.alignment.addr.v == 0x1004);
    uint32_t *p = mmu_atomic(&t.mmu, ga(0x1004), 4, ACCESS_ATOMIC, &gpa, &why);
    CHECK(p && gpa.v == TOY_RAM + 4 && p == gmem_slice(&t.gmem, gpa, 4, ACCESS_WRITE));
    CHECK(!mmu_atomic(&t.mmu, ga(0x2000), 4, ACCESS_ATOMIC, &gpa, &why) && why.kind == FAULT_BUS);
    CHECK(mmu_atomic(&t.mmu, ga(0x2000), 4, ACCESS_READ, &gpa, &why));
    CHECK(!mmu_atomic(&t.mmu, ga(0x3000), 4, ACCESS_ATOMIC, &gpa, &why) && why.kind == FAULT_BUS && why.bus.addr.v == TOY_DEVICE);
    toy_end(&t);
}

TEST(R75_page_fault_for_no_translation_and_for_no_permission)
{
    toy_start(&t);
    CHECK(!translates(0x5000, ACCESS_READ, NULL) && why.kind == FAULT_PAGE);                 /* absent */
    CHECK(!translates(MIB(100), ACCESS_READ, NULL) && why.kind == FAULT_PAGE);               /* beyond the tables */
    toy_map(&t, 0, 0x5000, TOY_RAM)->user = false;
    mmu_set_context(&t.mmu, TOY_USER, TOY_USER);
    CHECK(!translates(0x5000, ACCESS_READ, NULL) && why.kind == FAULT_PAGE);                 /* denied */
    toy_end(&t);
}

TEST(R76_fault_address_is_the_exact_byte_also_on_the_second_page)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    CHECK(!translates(0x2abc, ACCESS_READ, NULL) && why.page.addr.v == 0x2abc);
    CHECK(!mmu_load(&t.mmu, ga(0x1ffd), 8, &v, &why) && why.page.addr.v == 0x2000);          /* first byte that failed */
    CHECK(!mmu_load(&t.mmu, ga(0x0ffd), 8, &v, &why) && why.page.addr.v == 0x0ffd);          /* first page absent */
    toy_end(&t);
}

TEST(R77_fault_names_the_access_type)
{
    toy_start(&t);
    for (unsigned how = 0; how < ACCESS_TYPE_COUNT; how++) {
        CHECK(!translates(0x5000, (enum access_type)how, NULL) && why.page.access_type == how);
        CHECK(why.page.is_write == access_is_write((enum access_type)how));
    }
    toy_end(&t);
}

TEST(R79_fault_tells_user_mode)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM)->user = false;
    CHECK(!translates(0x5000, ACCESS_READ, NULL) && !why.page.is_user);
    CHECK(translates(0x1000, ACCESS_READ, NULL));
    mmu_set_context(&t.mmu, TOY_USER, TOY_USER);
    CHECK(!translates(0x5000, ACCESS_READ, NULL) && why.page.is_user);
    CHECK(!translates(0x1000, ACCESS_READ, NULL) && why.page.is_user);       /* the supervisor's entry does not serve the user */
    mmu_set_context(&t.mmu, 0, 0);
    CHECK(hits(0x1000, ACCESS_READ));                                        /* and was not lost by the switch */
    toy_end(&t);
}

TEST(R83_bus_error_where_nothing_is)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_NOTHING);
    CHECK(!mmu_load(&t.mmu, ga(0x1008), 4, &v, &why));
    CHECK(why.kind == FAULT_BUS && why.bus.addr.v == TOY_NOTHING + 8 && why.bus.va.v == 0x1008 && why.bus.access_type == ACCESS_READ);
    CHECK(!mmu_store(&t.mmu, ga(0x1008), 4, 0, &why) && why.kind == FAULT_BUS && why.bus.access_type == ACCESS_WRITE);
    toy_map(&t, 0, 0x2000, TOY_ROM);
    CHECK(!mmu_store(&t.mmu, ga(0x2000), 4, 0, &why) && why.kind == FAULT_BUS);
    toy_map(&t, 0, 0x3000, TOY_DEVICE);
    t.dev.refuses = true;
    CHECK(!mmu_load(&t.mmu, ga(0x3000), 4, &v, &why) && why.kind == FAULT_BUS);
    toy_end(&t);
}

/* ---- address spaces ---- */

TEST(R25_the_same_address_in_two_address_spaces_is_different_data)
{
    toy_start(&t);
    toy_map(&t, 1, 0x1000, TOY_RAM);
    toy_map(&t, 2, 0x1000, TOY_RAM + 0x5000);
    poke(TOY_RAM, 111);
    poke(TOY_RAM + 0x5000, 222);
    for (unsigned i = 0; i < 3; i++) {
        mmu_set_asid(&t.mmu, 1);
        CHECK_EQ_U64(load(0x1000, 8), 111);
        mmu_set_asid(&t.mmu, 2);
        CHECK_EQ_U64(load(0x1000, 8), 222);
    }
    CHECK_EQ_U64(t.walks, 2);                                        /* both stayed in the second level */
    toy_end(&t);
}

TEST(global_pages_serve_every_address_space)
{
    toy_start(&t);
    for (unsigned a = 0; a < TOY_ASIDS; a++) toy_map(&t, a, 0x1000, TOY_RAM)->global = true;
    for (unsigned a = 0; a < TOY_ASIDS; a++) {
        mmu_set_asid(&t.mmu, (uint16_t)a);
        CHECK(a == 0 || hits(0x1000, ACCESS_READ));                  /* not even refilled */
        load(0x1000, 8);
    }
    CHECK_EQ_U64(t.walks, 1);
    toy_end(&t);
}

TEST(R101_two_mmus_over_one_ram)
{
    static struct toy other;
    toy_start(&t);
    toy_start(&other);
    struct mmu second;
    CHECK(!vm_failed(mmu_init(&second, &t.gmem, &t.bus, toy_walk, &other)));
    toy_map(&t, 0, 0x1000, TOY_RAM);
    toy_map(&other, 0, 0x1000, TOY_RAM + 0x1000);
    uint64_t v;
    store(0x1000, 8, 5);
    CHECK(mmu_store(&second, ga(0x1000), 8, 6, &why));
    CHECK(load(0x1000, 8) == 5 && mmu_load(&second, ga(0x1000), 8, &v, &why) && v == 6 && peek(TOY_RAM + 0x1000) == 6);
    mmu_destroy(&second);
    toy_end(&other);
    toy_end(&t);
}

TEST(R6_R109_the_mmu_has_all_four_faces)
{
    guest_phys_addr gpa;
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_DEVICE);
    CHECK(!vm_failed(mmu_translate(&t.mmu, ga(0x1000), ACCESS_READ, &gpa)));         /* AddressTranslator */
    CHECK(!vm_failed(mmu_read(&t.mmu, ga(0x1000), 8, &v)) && t.dev.reads == 1);      /* MemoryAccess */
    mmu_poll_devices(t.mmu.bus, 0);                                                  /* MmioManager */
    CHECK(t.dev.polls == 1 && mmu_as_any(&t.mmu, &MMU_SOFT_TLB) == &t.mmu);          /* MmuAsAny */
    toy_end(&t);
}

TEST(R111_a_translate_error_carries_the_page_fault)
{
    guest_phys_addr gpa;
    toy_start(&t);
    struct vm_error e = mmu_translate(&t.mmu, ga(0x7123), ACCESS_WRITE, &gpa);
    CHECK(e.domain == VM_ERROR_EXECUTION && e.kind == VM_EXECUTION_FAULT && e.fault.kind == FAULT_PAGE);
    CHECK(e.fault.page.addr.v == 0x7123 && e.fault.page.access_type == ACCESS_WRITE && e.fault.page.is_write);
    toy_map(&t, 0, 0x7000, TOY_RAM + 0x3000);
    CHECK(!vm_failed(mmu_translate(&t.mmu, ga(0x7123), ACCESS_WRITE, &gpa)) && gpa.v == TOY_RAM + 0x3123);
    toy_end(&t);
}

/* ---- flushes ---- */

TEST(R112_flush_tlb_drops_everything_and_only_then_the_new_mapping_shows)
{
    toy_start(&t);
    struct toy_pte *p = toy_map(&t, 0, 0x1000, TOY_RAM);
    poke(TOY_RAM, 1);
    poke(TOY_RAM + 0x1000, 2);
    CHECK_EQ_U64(load(0x1000, 8), 1);
    p->gpa = TOY_RAM + 0x1000;
    CHECK_EQ_U64(load(0x1000, 8), 1);                                /* still the old one */
    struct mmu_stats before, after;
    uint32_t epoch = t.mmu.epoch;
    mmu_stats_read(&t.mmu, 0, &before);
    mmu_flush_tlb(&t.mmu);
    CHECK(t.mmu.epoch != epoch && !hits(0x1000, ACCESS_READ));
    CHECK_EQ_U64(load(0x1000, 8), 2);
    mmu_stats_read(&t.mmu, 0, &after);
    CHECK_EQ_U64(after.tlb_misses, before.tlb_misses + 1);
    toy_end(&t);
}

/* Loads one page in each of several ASIDs, plus a global one. */
static void warm(uint64_t *walks)
{
    for (unsigned a = 0; a < TOY_ASIDS; a++) {
        mmu_set_asid(&t.mmu, (uint16_t)a);
        for (unsigned p = 1; p <= 8; p++) load(p * 0x1000, 8);
    }
    *walks = t.walks;
}
static void map_all(void)
{
    for (unsigned a = 0; a < TOY_ASIDS; a++) {
        for (unsigned p = 1; p <= 8; p++) toy_map(&t, a, p * 0x1000, TOY_RAM + p * 0x1000)->global = p == 8;
    }
}

TEST(R113_flush_asid_drops_that_address_space_only_and_no_global)
{
    uint64_t walks, again;
    toy_start(&t);
    map_all();
    warm(&walks);
    CHECK_EQ_U64(walks, 7 * TOY_ASIDS + 1);
    warm(&again);
    CHECK_EQ_U64(again, walks);
    mmu_flush_tlb_asid(&t.mmu, 3);
    warm(&again);
    CHECK_EQ_U64(again, walks + 7);
    uint32_t epoch = t.mmu.epoch;
    mmu_set_asid(&t.mmu, 5);
    CHECK(t.mmu.epoch != epoch);
    load(0x1000, 8);
    CHECK(hits(0x1000, ACCESS_READ) && hits(0x1000, ACCESS_EXECUTE));
    mmu_flush_tlb_asid(&t.mmu, 6);                                   /* another one: the current entries stay */
    CHECK(hits(0x1000, ACCESS_READ));
    load(0x8000, 8);
    mmu_flush_tlb_asid(&t.mmu, 5);
    CHECK(!hits(0x1000, ACCESS_READ) && hits(0x8000, ACCESS_READ));
    toy_end(&t);
}

TEST(R114_flush_page_drops_that_page_only)
{
    uint64_t walks, again;
    toy_start(&t);
    map_all();
    warm(&walks);
    mmu_flush_tlb_page(&t.mmu, ga(0x3abc));                          /* in every ASID */
    warm(&again);
    CHECK_EQ_U64(again, walks + TOY_ASIDS);
    mmu_flush_tlb_page_asid(&t.mmu, ga(0x3000), 2);
    warm(&walks);
    CHECK_EQ_U64(walks, again + 1);
    mmu_flush_tlb_page_asid(&t.mmu, ga(0x8000), 2);                  /* global: stays */
    warm(&again);
    CHECK_EQ_U64(again, walks);
    mmu_flush_tlb_page(&t.mmu, ga(0x8000));                          /* every ASID: goes, global or not */
    warm(&walks);
    CHECK_EQ_U64(walks, again + 1);
    toy_end(&t);
}

/* A large mapping of `pages` from va on. */
static void map_large(uint64_t va, uint64_t gpa, unsigned bits, unsigned same_bits)
{
    for (uint64_t i = 0; i < 1ull << bits; i += 4096) {
        struct toy_pte *p = toy_map(&t, 0, va + i, gpa + i);
        p->page_bits = (uint8_t)bits;
        p->same_bits = (uint8_t)same_bits;
    }
}

TEST(R114_flush_page_inside_a_large_mapping_drops_all_of_it)
{
    static const struct { unsigned bits, same; } size[] = { { 21, 21 }, { 21, 30 }, { 21, 0 }, { 21, 16 }, { 16, 0 }, { 16, 16 }, { 14, 56 }, { 22, 56 }, { 22, 0 } };
    for (unsigned i = 0; i < ARRAY_COUNT(size); i++) {
        toy_start(&t);
        unsigned bits = size[i].bits;
        uint64_t at = bits == 22 ? 0 : MIB(2), gpa0 = TOY_RAM + at;
        map_large(at, gpa0, bits, size[i].same);
        if (bits != 22) toy_map(&t, 0, 0x1000, TOY_RAM);
        uint64_t end = at + (1ull << bits), far = end - 0x1000;
        load(at, 8), load(at + 0x1000, 8), load(far + 8, 8);
        if (bits != 22) load(0x1000, 8);
        for (uint64_t p = at; p < end; p += 4096) toy_pte(&t, 0, p)->gpa += MIB(2);         /* moved */
        CHECK(hits(at, ACCESS_READ) && hits(far, ACCESS_READ));
        uint64_t walks = t.walks, gpa;
        CHECK(translates(far, ACCESS_READ, &gpa) && gpa == gpa0 + (far - at));              /* not yet */
        mmu_flush_tlb_page(&t.mmu, ga(at + 0x2345));
        CHECK(!hits(at, ACCESS_READ) && !hits(at + 0x1000, ACCESS_READ) && !hits(far, ACCESS_READ));
        CHECK(translates(far, ACCESS_READ, &gpa) && gpa == gpa0 + MIB(2) + (far - at));
        CHECK(translates(at, ACCESS_READ, &gpa) && gpa == gpa0 + MIB(2));
        CHECK(t.walks > walks);
        walks = t.walks;
        if (bits != 22) {
            load(0x1000, 8);
            CHECK_EQ_U64(t.walks, walks);                            /* the neighbour stayed */
        }
        toy_end(&t);
    }
}

TEST(a_large_mapping_with_equal_rights_costs_one_walk)
{
    toy_start(&t);
    map_large(MIB(2), TOY_RAM + MIB(2), 21, 21);
    for (uint64_t i = 0; i < MIB(2); i += 4096) {
        poke(TOY_RAM + MIB(2) + i, i);
        CHECK_EQ_U64(load(MIB(2) + i, 8), i);
    }
    CHECK_EQ_U64(t.walks, 1);
    toy_end(&t);
}

TEST(R169_a_page_flush_costs_less_to_refill_than_an_asid_flush_and_that_less_than_all)
{
    uint64_t start, after, page, asid, all;
    toy_start(&t);
    map_all();
    warm(&start);
    mmu_flush_tlb_page_asid(&t.mmu, ga(0x3000), 1);
    warm(&after), page = after - start;
    mmu_flush_tlb_asid(&t.mmu, 1);
    warm(&start), asid = start - after;
    mmu_flush_tlb(&t.mmu);
    warm(&after), all = after - start;
    CHECK(page == 1 && asid == 7 && all == 7 * TOY_ASIDS + 1);
    toy_end(&t);
}

TEST(a_page_flush_moves_the_epoch_only_when_code_may_have_come_from_there)
{
    uint8_t b[4];
    unsigned got;
    guest_phys_addr gpa;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    toy_map(&t, 0, 0x2000, TOY_RAM)->x = false;
    CHECK(mmu_fetch(&t.mmu, ga(0x1000), b, 4, &got, &gpa, &why));
    load(0x2000, 4);
    uint32_t epoch = t.mmu.epoch;
    mmu_flush_tlb_page(&t.mmu, ga(0x2000));
    CHECK_EQ_U64(t.mmu.epoch, epoch);
    mmu_flush_tlb_page(&t.mmu, ga(0x1000));
    CHECK(t.mmu.epoch != epoch);
    epoch = t.mmu.epoch;
    mmu_flush_tlb_page(&t.mmu, ga(0x1000));                          /* a jump cache may be older than the last refill */
    CHECK(t.mmu.epoch != epoch);
    toy_end(&t);
}

TEST(the_generation_counter_may_wrap)
{
    toy_start(&t);
    struct toy_pte *p = toy_map(&t, 0, 0x1000, TOY_RAM);
    load(0x1000, 8);
    *(uint32_t *)(void *)t.mmu.second = UINT32_MAX;                  /* struct tlb2's first field */
    p->gpa = TOY_RAM + 0x1000;
    poke(TOY_RAM + 0x1000, 77);
    mmu_flush_tlb(&t.mmu);
    CHECK_EQ_U64(load(0x1000, 8), 77);
    toy_end(&t);
}

/* ---- accesses ---- */

TEST(R115_the_tlb_hits)
{
    struct mmu_stats s;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    for (unsigned i = 0; i < 10; i++) load(0x1000, 8);
    mmu_stats_read(&t.mmu, 10, &s);
    CHECK(s.tlb_hits == 9 && s.tlb_misses == 1 && t.walks == 1);
    CHECK(hits(0x1000, ACCESS_READ));
    toy_end(&t);
}

TEST(the_inline_probe_finds_the_host_byte)
{
    toy_start(&t);
    toy_map(&t, 0, 0x3000, TOY_RAM + 0x2000);
    store(0x3008, 8, 0x1234);
    const struct tlb_entry *e = &t.mmu.tlb_data[3];
    CHECK(*(uint64_t *)(uintptr_t)(0x3008 + e->addend) == 0x1234);
    toy_end(&t);
}

TEST(R117_read_zero_extends_sizes_1_2_4_8)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    poke(TOY_RAM, 0xfedcba9876543210);
    static const uint64_t want[9] = { [1] = 0x10, [2] = 0x3210, [4] = 0x76543210, [8] = 0xfedcba9876543210 };
    for (unsigned size = 0; size < 17; size++) {
        v = 0x5555555555555555;
        struct vm_error e = mmu_read(&t.mmu, ga(0x1000), size, &v);
        bool ok = size == 1 || size == 2 || size == 4 || size == 8;
        CHECK(vm_failed(e) != ok);
        if (ok) CHECK_EQ_U64(v, want[size]);
        else CHECK(e.kind == VM_MEMORY_ALIGNMENT);
    }
    toy_end(&t);
}

TEST(R118_write_touches_only_its_own_bytes)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    for (unsigned size = 1; size <= 8; size *= 2) {
        for (unsigned at = 8; at < 24; at++) {
            for (unsigned i = 0; i < 32; i += 8) poke(TOY_RAM + i, ~0ull);
            CHECK(!vm_failed(mmu_write(&t.mmu, ga(0x1000 + at), 0 + size, 0xa5a5a5a5a5a5a5a5 ^ 0x0102030405060708)));
            for (unsigned i = 0; i < 32; i++) {
                uint8_t b = *(uint8_t *)gmem_slice(&t.gmem, guest_phys_addr_make(TOY_RAM + i), 1, ACCESS_READ);
                bool mine = i >= at && i < at + size;
                CHECK(b == (mine ? (uint8_t)((0xa5a5a5a5a5a5a5a5 ^ 0x0102030405060708) >> 8 * (i - at)) : 0xff));
            }
        }
    }
    toy_end(&t);
}

TEST(R119_fetch_insn_does_not_read_beyond_ram)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM + TOY_RAM_SIZE - 4096);           /* the last page of RAM ... */
    toy_map(&t, 0, 0x2000, TOY_RAM + TOY_RAM_SIZE);                  /* ... and what comes after it */
    toy_map(&t, 0, 0x4000, TOY_DEVICE);
    poke(TOY_RAM + TOY_RAM_SIZE - 8, 0x1122334455667788);
    CHECK(!vm_failed(mmu_fetch_insn(&t.mmu, ga(0x1ff8), &v)) && v == 0x1122334455667788);
    CHECK(!vm_failed(mmu_fetch_insn(&t.mmu, ga(0x1ffc), &v)) && v == 0x11223344);    /* missing bytes are 0 */
    struct vm_error e = mmu_fetch_insn(&t.mmu, ga(0x2000), &v);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x2000);
    e = mmu_fetch_insn(&t.mmu, ga(0x3000), &v);
    CHECK(e.kind == VM_EXECUTION_FAULT && e.fault.page.access_type == ACCESS_EXECUTE);
    CHECK(vm_failed(mmu_fetch_insn(&t.mmu, ga(0x4000), &v)) && t.dev.reads == 0);    /* devices hold no code */
    toy_end(&t);
}

TEST(fetch_continues_on_the_next_page_or_says_why_not)
{
    uint8_t b[8];
    unsigned got;
    guest_phys_addr gpa;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM + 0x1000);
    poke(TOY_RAM + 0x1ff8, 0x8877665544332211);
    CHECK(mmu_fetch(&t.mmu, ga(0x1ffe), b, 4, &got, &gpa, &why) && got == 2 && why.kind == FAULT_PAGE && why.page.addr.v == 0x2000);
    CHECK(gpa.v == TOY_RAM + 0x1ffe && b[0] == 0x77 && b[1] == 0x88);
    toy_map(&t, 0, 0x2000, TOY_RAM + 0x8000);
    poke(TOY_RAM + 0x8000, 0xbbaa);
    CHECK(mmu_fetch(&t.mmu, ga(0x1ffe), b, 4, &got, &gpa, &why) && got == 4 && why.kind == FAULT_NONE && b[2] == 0xaa && b[3] == 0xbb);
    CHECK(gpa.v == TOY_RAM + 0x1ffe);
    toy_end(&t);
}

TEST(R15_accesses_wrap_at_the_end_of_the_address_space)
{
    toy_start(&t);
    toy_map(&t, 0, 0, TOY_RAM);
    toy_map(&t, 0, ~0xfffull, TOY_RAM + 0x4000);
    store(~0ull - 3, 8, 0x1122334455667788);
    CHECK_EQ_U64(peek(TOY_RAM + 0x4ff8) >> 32, 0x55667788);
    CHECK_EQ_U64(peek(TOY_RAM) & 0xffffffff, 0x11223344);
    CHECK_EQ_U64(load(~0ull - 3, 8), 0x1122334455667788);
    CHECK_EQ_U64(load(guest_addr_wrapping_add(ga(~0ull - 3), 4).v, 4), 0x11223344);
    toy_end(&t);
}

TEST(a_split_store_touches_nothing_when_its_second_page_faults)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM + 0x1000);
    static const uint64_t second[] = { 0, TOY_ROM, TOY_DEVICE, TOY_NOTHING };
    for (unsigned i = 0; i < 4; i++) {
        if (second[i]) toy_map(&t, 0, 0x2000, second[i]);
        mmu_flush_tlb(&t.mmu);
        CHECK(!mmu_store(&t.mmu, ga(0x1ffc), 8, ~0ull, &why));
        CHECK(peek(TOY_RAM + 0x1ff8) == 0 && t.dev.writes == 0);
        CHECK(why.kind == (second[i] ? FAULT_BUS : FAULT_PAGE));
        CHECK((second[i] ? why.bus.va.v : why.page.addr.v) == 0x2000);
    }
    toy_end(&t);
}

TEST(pages_that_protection_splits_are_never_cached_and_checked_piece_by_piece)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM)->sub_bits = 2;                   /* 4-byte granules */
    store(0x1000, 8, 0x1122334455667788);
    CHECK(load(0x1000, 8) == 0x1122334455667788 && load(0x1003, 2) == 0x4455 && !hits(0x1000, ACCESS_READ));
    uint64_t walks = t.walks;
    load(0x1000, 4);
    CHECK_EQ_U64(t.walks, walks + 1);
    CHECK(!vm_failed(mmu_read(&t.mmu, ga(0x1001), 4, &v)) && v == 0x44556677);
    toy_end(&t);
}

TEST(device_pages_are_cached_as_translations_but_always_reach_the_device)
{
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_DEVICE);
    for (unsigned i = 0; i < 5; i++) store(0x1010, 4, i);
    CHECK(t.dev.writes == 5 && t.dev.value == 4 && t.walks == 1 && !hits(0x1000, ACCESS_WRITE));
    CHECK_EQ_U64(load(0x1010, 4), 4 + 0x10);
    toy_end(&t);
}

TEST(R120_bulk_reads_equal_a_byte_loop)
{
    static uint8_t in[0x3000], out[0x3000];
    toy_start(&t);
    for (unsigned p = 0; p < 4; p++) toy_map(&t, 0, 0x1000 + p * 0x1000, TOY_RAM + (3 - p) * 0x2000);     /* scattered, backwards */
    for (unsigned i = 0; i < sizeof in; i++) in[i] = (uint8_t)test_random();
    for (unsigned i = 0; i < sizeof in; i++) store(0x1123 + i, 1, in[i]);
    CHECK(!vm_failed(mmu_read_bulk(&t.mmu, ga(0x1123), out, sizeof out)) && !memcmp(in, out, sizeof in));
    CHECK(!vm_failed(mmu_read_bulk(&t.mmu, ga(0x999000), out, 0)));
    memset(out, 0xee, sizeof out);
    struct vm_error e = mmu_read_bulk(&t.mmu, ga(0x4ff0), out, 64);  /* 16 bytes, then nothing mapped */
    CHECK(e.kind == VM_EXECUTION_FAULT && e.fault.page.addr.v == 0x5000);
    for (unsigned i = 0; i < 64; i++) CHECK((out[i] == 0xee) == (i >= 16) || i < 16);
    uint8_t dev[4];
    toy_map(&t, 0, 0x6000, TOY_DEVICE);
    t.dev.value = 0x40;
    CHECK(!vm_failed(mmu_read_bulk(&t.mmu, ga(0x6001), dev, 4)) && dev[0] == 0x41 && dev[3] == 0x44 && t.dev.reads == 4);
    toy_end(&t);
}

static struct { uint64_t at, size; unsigned calls; } changed;
static void note_change(void *owner, guest_phys_addr at, uint64_t size_bytes)
{
    CHECK(owner == &t);
    changed.at = at.v, changed.size += size_bytes, changed.calls++;
}

static uint64_t translations(void)
{
    struct mmu_stats s;
    mmu_stats_read(&t.mmu, 0, &s);
    return s.tlb_hits + s.tlb_misses;
}

/* What makes it fast, counted; how fast it is depends on the host. */
TEST(R122_a_mebibyte_in_bulk_costs_one_translation_a_page)
{
    enum { SIZE = 1 << 20, PAGES = SIZE / 4096 };
    static uint8_t bytes[SIZE];
    toy_start(&t);
    for (unsigned p = 0; p < PAGES; p++) toy_map(&t, 0, p * 4096ull, TOY_RAM + (PAGES - 1 - p) * 4096ull);
    uint64_t start = translations();
    CHECK(!vm_failed(mmu_read_bulk(&t.mmu, ga(0), bytes, SIZE)));
    uint64_t after_read = translations();
    CHECK(!vm_failed(mmu_write_bulk(&t.mmu, ga(0), bytes, SIZE)));
    uint64_t after_write = translations();
    for (unsigned i = 0; i < SIZE; i++) {
        uint64_t value;
        CHECK(!vm_failed(mmu_read(&t.mmu, ga(i), 1, &value)));
    }
    CHECK_EQ_U64(after_read - start, PAGES);
    CHECK_EQ_U64(after_write - after_read, PAGES);
    CHECK_EQ_U64(translations() - after_write, SIZE);
    toy_end(&t);
}

TEST(R121_bulk_writes_equal_a_byte_loop_and_tell_of_changed_code)
{
    static uint8_t in[0x2100];
    toy_start(&t);
    for (unsigned p = 0; p < 3; p++) toy_map(&t, 0, 0x1000 + p * 0x1000, TOY_RAM + p * 0x1000);
    for (unsigned i = 0; i < sizeof in; i++) in[i] = (uint8_t)test_random();
    t.mmu.code_changed = note_change;
    memset(&changed, 0, sizeof changed);
    CHECK(!vm_failed(mmu_write_bulk(&t.mmu, ga(0x1010), in, sizeof in)));
    CHECK(changed.size == sizeof in && changed.calls == 3 && changed.at == TOY_RAM + 0x2000);
    for (unsigned i = 0; i < sizeof in; i++) CHECK(load(0x1010 + i, 1) == in[i]);
    memset(&changed, 0, sizeof changed);
    CHECK(!vm_failed(mmu_write(&t.mmu, ga(0x1ffe), 4, 7)) && changed.size == 4 && changed.calls == 2);
    toy_map(&t, 0, 0x4000, TOY_ROM);
    struct vm_error e = mmu_write_bulk(&t.mmu, ga(0x3ff0), in, 32);
    CHECK(e.kind == VM_MEMORY_ACCESS_VIOLATION && e.addr.v == 0x4000);
    CHECK(load(0x3ff0, 1) == in[0]);                                 /* the bytes before were transferred */
    toy_end(&t);
}

TEST(R125_as_any_finds_the_concrete_mmu)
{
    static const struct mmu_kind other = { "other" };
    toy_start(&t);
    const struct mmu *m = &t.mmu;
    CHECK(mmu_as_any(m, &MMU_SOFT_TLB) == m && mmu_as_any(m, &other) == NULL);
    toy_end(&t);
}

TEST(R126_as_any_mut_finds_the_concrete_mmu)
{
    static const struct mmu_kind other = { "other" };
    toy_start(&t);
    struct mmu *m = mmu_as_any_mut(&t.mmu, &MMU_SOFT_TLB);
    CHECK(m == &t.mmu && mmu_as_any_mut(&t.mmu, &other) == NULL);
    mmu_flush_tlb(m);
    toy_end(&t);
}

TEST(R137_the_api_says_invalid_address_where_the_guest_gets_a_bus_error)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_NOTHING);
    struct vm_error e = mmu_read(&t.mmu, ga(0x1008), 4, &v);
    CHECK(e.domain == VM_ERROR_MEMORY && e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x1008);
    toy_end(&t);
}

TEST(R138_the_api_says_access_violation_for_a_store_to_rom)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_ROM);
    poke(TOY_ROM, 99);
    CHECK(!vm_failed(mmu_read(&t.mmu, ga(0x1000), 8, &v)) && v == 99);
    struct vm_error e = mmu_write(&t.mmu, ga(0x1004), 4, 0);
    CHECK(e.domain == VM_ERROR_MEMORY && e.kind == VM_MEMORY_ACCESS_VIOLATION && e.addr.v == 0x1004 && peek(TOY_ROM) == 99);
    toy_end(&t);
}

TEST(R139_the_api_says_alignment_error_for_odd_sizes)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_RAM);
    CHECK(mmu_read(&t.mmu, ga(0x1000), 3, &v).kind == VM_MEMORY_ALIGNMENT && mmu_write(&t.mmu, ga(0x1000), 16, 0).kind == VM_MEMORY_ALIGNMENT);
    toy_end(&t);
}

TEST(R130_a_devices_own_error_reaches_the_apis_caller)
{
    uint64_t v;
    toy_start(&t);
    toy_map(&t, 0, 0x1000, TOY_DEVICE);
    t.dev.refuses = true;
    CHECK(mmu_read(&t.mmu, ga(0x1000), 4, &v).kind == VM_DEVICE_BUSY && mmu_write(&t.mmu, ga(0x1000), 4, 0).kind == VM_DEVICE_IO_FAILED);
    toy_end(&t);
}

/* ---- counters ---- */

TEST(R147_hits_and_misses_are_the_translations)
{
    struct mmu_stats s;
    uint8_t b[8];
    unsigned got;
    guest_phys_addr gpa;
    uint64_t translations = 0, accesses = 0, v;
    toy_start(&t);
    for (unsigned p = 1; p < 64; p++) toy_map(&t, 0, p * 0x1000, TOY_RAM + p * 0x1000);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t va = 0x1000 + test_random() % 0x3d000;
        switch (test_random() % 4) {
        case 0: case 1:                                              /* an engine's access: it counts one itself */
            accesses++, translations += 1 + ((va & 4095) > 4088);
            CHECK(mmu_load(&t.mmu, ga(va), 8, &v, &why));
            break;
        case 2:
            translations += 1 + ((va & 4095) > 4092);
            CHECK(mmu_fetch(&t.mmu, ga(va), b, 4, &got, &gpa, &why));
            break;
        case 3:
            translations++;
            CHECK(!vm_failed(mmu_translate(&t.mmu, ga(va), ACCESS_WRITE, &gpa)));
            break;
        }
        if (i % 500 == 0) mmu_flush_tlb(&t.mmu);
    }
    mmu_stats_read(&t.mmu, accesses, &s);
    CHECK_EQ_U64(s.tlb_hits + s.tlb_misses, translations);
    CHECK_EQ_U64(s.tlb_misses, t.walks);
    CHECK(s.tlb_hits > s.tlb_misses && s.mem_accesses == accesses);
    toy_end(&t);
}

TEST(R148_n_fresh_pages_are_n_misses)
{
    struct mmu_stats s;
    toy_start(&t);
    for (unsigned p = 0; p < 500; p++) toy_map(&t, 0, p * 0x1000, TOY_RAM + p * 0x1000);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned p = 0; p < 500; p++) load(p * 0x1000, 8);
    }
    mmu_stats_read(&t.mmu, 1500, &s);
    CHECK(s.tlb_misses == 500 && s.tlb_hits == 1000);
    toy_end(&t);
}

/* ---- against the tables themselves ---- */

TEST(R110_random_mappings_translate_as_the_tables_say)
{
    static uint8_t shadow[TOY_RAM_SIZE];
    toy_start(&t);
    memset(shadow, 0, sizeof shadow);
    t.hardware_dirty = true;
    for (unsigned i = 0; i < 200000; i++) {
        uint64_t r = test_random();
        unsigned asid = t.mmu.asid, context = t.mmu.data_context;
        uint64_t va = (r >> 8 & 1 ? TOY_TOP : 0) + (r >> 16) % MIB(1);
        unsigned what = r % 64;
        if (what == 0) {
            mmu_set_asid(&t.mmu, (uint16_t)(test_random() % TOY_ASIDS));
        } else if (what == 1) {
            unsigned c = test_random() % 2;
            mmu_set_context(&t.mmu, c, c);
        } else if (what < 6) {                                       /* change a mapping, then flush as a guest must */
            uint64_t bits = test_random();
            struct toy_pte *p = toy_map(&t, asid, va, TOY_RAM + (bits >> 12) % (TOY_RAM_SIZE >> 12) * 4096);
            p->present = bits & 15, p->r = bits & 16, p->w = bits & 32, p->x = bits & 64, p->d = bits & 128, p->user = bits & 256;
            if (what == 2) mmu_flush_tlb(&t.mmu);
            else if (what == 3) mmu_flush_tlb_asid(&t.mmu, (uint16_t)asid);
            else if (what == 4) mmu_flush_tlb_page(&t.mmu, ga(va));
            else mmu_flush_tlb_page_asid(&t.mmu, ga(va), (uint16_t)asid);
        } else {
            unsigned size = 1u << (r >> 60 & 3);
            bool is_write = r >> 59 & 1, ok = true;
            uint64_t value = test_random(), want = 0, got = 0, at[8];
            struct translation out;
            struct fault f, first = { .kind = FAULT_NONE };
            /* The first part's fault comes first; the model translates byte by byte with D as yet unset. */
            for (unsigned b = 0; b < size && ok; b++) {
                ok = toy_walk_tables(&t, asid, guest_addr_wrapping_add(ga(va), b), is_write ? ACCESS_WRITE : ACCESS_READ, context, &out, &f);
                if (ok) at[b] = out.gpa.v - TOY_RAM;
                else first = f;
            }
            bool done = is_write ? mmu_store(&t.mmu, ga(va), size, value, &why) : mmu_load(&t.mmu, ga(va), size, &got, &why);
            CHECK(done == ok);
            if (!ok) {
                CHECK(why.kind == first.kind && why.page.addr.v == first.page.addr.v && why.page.is_user == first.page.is_user);
                continue;
            }
            for (unsigned b = 0; b < size; b++) {
                if (is_write) shadow[at[b]] = (uint8_t)(value >> 8 * b);
                else want |= (uint64_t)shadow[at[b]] << 8 * b;
            }
            if (!is_write) CHECK_EQ_U64(got, want);
        }
    }
    static uint8_t ram[TOY_RAM_SIZE];
    CHECK(!vm_failed(gmem_read_bulk(&t.gmem, guest_phys_addr_make(TOY_RAM), ram, sizeof ram)) && !memcmp(ram, shadow, sizeof ram));
    CHECK(t.walks < 200000);
    toy_end(&t);
}

TEST(an_mmu_without_memory_is_an_error_and_leaks_nothing)
{
    toy_start(&t);
    uint64_t before = page_available();
    for (uint64_t nth = 1; nth <= 2; nth++) {
        struct mmu m;
        page_fail_at(nth);
        struct vm_error e = mmu_init(&m, &t.gmem, &t.bus, toy_walk, &t);
        page_fail_at(0);
        if (!vm_failed(e)) mmu_destroy(&m);
        else CHECK(e.kind == VM_CORE_RESOURCE_EXHAUSTED);
        CHECK_EQ_U64(page_available(), before);
    }
    toy_end(&t);
}
