// SPDX-License-Identifier: Apache-2.0
/* Guest RAM: hv/mmu/gmem.h. */
#include "hv/mmu/gmem.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

static guest_phys_addr gpa(uint64_t v) { return guest_phys_addr_make(v); }
static struct gmem m;

static void add(uint64_t base, uint64_t size, enum gmem_kind kind) { CHECK(!vm_failed(gmem_add(&m, gpa(base), size, kind))); }

static void start(void)
{
    test_pages();
    gmem_init(&m);
}

TEST(R24_ram_is_backed_by_host_addresses)
{
    start();
    add(0x80000000, 4096, GMEM_RAM);
    char *p = gmem_slice(&m, gpa(0x80000010), 4, ACCESS_WRITE);
    CHECK(p);
    p[0] = 'x';
    char back = 0;
    CHECK(!vm_failed(gmem_read_bulk(&m, gpa(0x80000010), &back, 1)) && back == 'x');
    CHECK((char *)host_addr_pointer(host_addr_make(p)) == p);
    gmem_free(&m);
}

TEST(R26_guest_physical_is_not_host_physical_and_chunks_need_not_be_neighbours)
{
    start();
    void *gap = page_alloc(3, 1);                                    /* so that the pool is not one clean run */
    add(0, MIB(7), GMEM_RAM);
    page_free(gap, 3);
    CHECK(gmem_slice(&m, gpa(0), 1, ACCESS_READ) != NULL);           /* guest-physical 0 is some host page, never host 0 */
    void *first = gmem_slice(&m, gpa(0), 16, ACCESS_READ);
    for (uint64_t i = 0; i < MIB(7); i += 4096) {
        uint64_t mark = i ^ 0x5a5a;
        CHECK(!vm_failed(gmem_write_bulk(&m, gpa(i), &mark, 8)));
    }
    for (uint64_t i = 0; i < MIB(7); i += 4096) {
        uint64_t mark;
        CHECK(!vm_failed(gmem_read_bulk(&m, gpa(i), &mark, 8)) && mark == (i ^ 0x5a5a));
    }
    CHECK(gmem_slice(&m, gpa(GMEM_CHUNK_BYTES - 8), 16, ACCESS_READ) == NULL);   /* a slice never pretends across chunks */
    CHECK(first != NULL);
    gmem_free(&m);
}

TEST(new_ram_is_zero_and_given_back_whole)
{
    start();
    uint64_t before = page_available();
    add(0x1000, MIB(3) + 4096, GMEM_RAM);
    CHECK_EQ_U64(gmem_size_bytes(&m), MIB(3) + 4096);
    for (uint64_t i = 0; i < MIB(3) + 4096; i += 8) {
        uint64_t v = 1;
        CHECK(!vm_failed(gmem_read_bulk(&m, gpa(0x1000 + i), &v, 8)) && !v);
    }
    gmem_free(&m);
    CHECK_EQ_U64(page_available(), before);
    CHECK_EQ_U64(gmem_size_bytes(&m), 0);
}

TEST(ram_ranges_are_checked)
{
    start();
    add(0x100000, 0x10000, GMEM_RAM);
    static const struct { uint64_t base, size; } bad[] = {
        { 0, 0 }, { 0x1001, 4096 }, { 0x1000, 4095 }, { 0x100000, 4096 }, { 0xff000, 0x2000 }, { 0x10f000, 0x1000 }, { 0xff000, 0x20000 },
        { ~0ull - 0xfff, 0x2000 }, { 0, ~0ull - 0xfff }, { 0x200000, 1ull << 62 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct vm_error e = gmem_add(&m, gpa(bad[i].base), bad[i].size, GMEM_RAM);
        CHECK(e.domain == VM_ERROR_CORE);
    }
    add(0x110000, 0x1000, GMEM_RAM);                                 /* a neighbour is fine */
    add(0xff000, 0x1000, GMEM_ROM);
    add(~0ull - 0xfff, 0x1000, GMEM_RAM);                            /* the very last page */
    CHECK(gmem_is_ram(&m, gpa(~0ull), 1) && gmem_slice(&m, gpa(~0ull - 7), 8, ACCESS_WRITE));
    CHECK(gmem_add(&m, gpa(0x40000000), 4096, GMEM_RAM).kind == VM_CORE_RESOURCE_EXHAUSTED);     /* a fifth */
    gmem_free(&m);
}

TEST(R137_access_beyond_ram_is_an_invalid_address)
{
    start();
    add(0x10000, 0x2000, GMEM_RAM);
    uint8_t b[64];
    memset(b, 0xee, sizeof b);
    struct vm_error e = gmem_read_bulk(&m, gpa(0x11ff0), b, 32);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x12000);
    for (unsigned i = 0; i < sizeof b; i++) CHECK(b[i] == 0xee);     /* nothing was copied */
    e = gmem_write_bulk(&m, gpa(0xfff0), b, 8);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0xfff0);
    e = gmem_write_bulk(&m, gpa(0x11ff0), b, 32);
    CHECK(vm_failed(e));
    uint64_t v = 1;
    CHECK(!vm_failed(gmem_read_bulk(&m, gpa(0x11ff8), &v, 8)) && v == 0);        /* nor written */
    CHECK(!vm_failed(gmem_read_bulk(&m, gpa(0x999999), b, 0)));      /* no bytes, no error */
    CHECK(vm_failed(gmem_read_bulk(&m, gpa(0x10000), b, ~0ull)));    /* wraps around the address space */
    gmem_free(&m);
}

TEST(R138_a_write_to_rom_is_an_access_violation)
{
    start();
    add(0x10000, 0x1000, GMEM_RAM);
    add(0x11000, 0x1000, GMEM_ROM);
    uint32_t v = 0x12345678;
    struct vm_error e = gmem_write_bulk(&m, gpa(0x11004), &v, 4);
    CHECK(e.kind == VM_MEMORY_ACCESS_VIOLATION && e.addr.v == 0x11004);
    uint8_t both[16] = { 1 };
    e = gmem_write_bulk(&m, gpa(0x10ff8), both, 16);                 /* RAM, then ROM: nothing happens */
    CHECK(e.kind == VM_MEMORY_ACCESS_VIOLATION && e.addr.v == 0x11000);
    CHECK(!gmem_slice(&m, gpa(0x11004), 4, ACCESS_WRITE) && !gmem_slice(&m, gpa(0x11004), 4, ACCESS_ATOMIC));
    CHECK(gmem_slice(&m, gpa(0x11004), 4, ACCESS_READ) && gmem_slice(&m, gpa(0x11004), 4, ACCESS_EXECUTE));
    CHECK(!vm_failed(gmem_load(&m, gpa(0x11004), &v, 4)));           /* loaders may */
    v = 0;
    CHECK(!vm_failed(gmem_read_bulk(&m, gpa(0x11004), &v, 4)) && v == 0x12345678);
    gmem_free(&m);
}

TEST(bulk_copies_across_chunks_and_ranges_equal_a_byte_loop)
{
    start();
    add(0x1000, MIB(4), GMEM_RAM);
    add(0x1000 + MIB(4), 0x3000, GMEM_RAM);
    static uint8_t in[0x6000], out[0x6000];
    for (unsigned i = 0; i < sizeof in; i++) in[i] = (uint8_t)test_random();
    static const uint64_t at[] = { 0x1000 + GMEM_CHUNK_BYTES - 5, 0x1000 + MIB(4) - 0x2fff, 0x1003 };
    for (unsigned i = 0; i < ARRAY_COUNT(at); i++) {
        for (unsigned n = 1; n <= sizeof in - 0x100; n = n * 3 + 1) {
            CHECK(!vm_failed(gmem_write_bulk(&m, gpa(at[i]), in, n)));
            memset(out, 0, sizeof out);
            CHECK(!vm_failed(gmem_read_bulk(&m, gpa(at[i]), out, n)));
            CHECK(!memcmp(in, out, n));
            for (unsigned k = 0; k < n; k += 97) CHECK(*(uint8_t *)gmem_slice(&m, gpa(at[i] + k), 1, ACCESS_READ) == in[k]);
        }
    }
    gmem_free(&m);
}

TEST(spans_stop_at_the_chunk_and_at_the_end)
{
    start();
    add(0, MIB(2) + 0x2000, GMEM_RAM);
    uint64_t n = 0;
    CHECK(gmem_span(&m, gpa(MIB(2) - 16), 100, ACCESS_READ, &n) && n == 16);
    CHECK(gmem_span(&m, gpa(MIB(2) + 0x1ff0), 100, ACCESS_READ, &n) && n == 16);
    CHECK(gmem_span(&m, gpa(100), 100, ACCESS_READ, &n) && n == 100);
    CHECK(!gmem_span(&m, gpa(MIB(2) + 0x2000), 1, ACCESS_READ, &n));
    CHECK(gmem_is_ram(&m, gpa(0), MIB(2) + 0x2000) && !gmem_is_ram(&m, gpa(1), MIB(2) + 0x2000));
    gmem_free(&m);
}

TEST(failing_allocations_of_guest_ram_leak_nothing)
{
    start();
    uint64_t before = page_available();
    for (uint64_t nth = 1; nth < 12; nth++) {
        page_fail_at(nth);
        struct vm_error e = gmem_add(&m, gpa(0), MIB(5), GMEM_RAM);
        page_fail_at(0);
        if (!vm_failed(e)) gmem_free(&m);
        else CHECK(e.kind == VM_CORE_RESOURCE_EXHAUSTED);
        gmem_init(&m);
        CHECK_EQ_U64(page_available(), before);
    }
}
