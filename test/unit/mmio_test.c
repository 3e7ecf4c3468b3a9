// SPDX-License-Identifier: Apache-2.0
/* The MMIO bus: hv/mmu/mmio.h. */
#include "test/unit/toy_mmu.h"

static struct mmio_bus bus;
static guest_phys_addr gpa(uint64_t v) { return guest_phys_addr_make(v); }

static struct vm_error map(uint64_t base, uint64_t size, unsigned min, unsigned max, struct toy_dev *d)
{
    return mmu_map_mmio(&bus, &(struct mmio_region){ .base = { base }, .size_bytes = size, .min_access_bytes = (uint8_t)min,
                                                     .max_access_bytes = (uint8_t)max, .ops = &TOY_DEV, .dev = d });
}

TEST(R123_a_mapped_device_gets_offsets_inside_its_bounds_and_nothing_else)
{
    struct toy_dev a = { .value = 0 }, b = { .value = 0x100 };
    uint64_t v;
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 0x10, 1, 8, &a)) && !vm_failed(map(0x1010, 0x10, 1, 8, &b)));
    CHECK(mmio_read(&bus, gpa(0x1000), 1, &v) && v == 0);            /* value + offset */
    CHECK(mmio_read(&bus, gpa(0x100f), 1, &v) && v == 0xf);
    CHECK(mmio_read(&bus, gpa(0x1010), 4, &v) && v == 0x100);
    CHECK(mmio_read(&bus, gpa(0x101c), 4, &v) && v == 0x10c);
    CHECK(!mmio_read(&bus, gpa(0xfff), 1, &v) && !mmio_read(&bus, gpa(0x1020), 1, &v));
    CHECK(!mmio_write(&bus, gpa(0x1020), 1, 0));
    CHECK(mmio_write(&bus, gpa(0x1018), 8, 7) && b.value == 7 && a.writes == 0);
    mmio_destroy(&bus);
    CHECK(a.destroys == 1 && b.destroys == 1);                       /* the bus owned them */
}

TEST(R123_overlap_is_an_error_and_the_device_stays_the_callers)
{
    struct toy_dev d = { 0 }, other = { 0 };
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 0x1000, 1, 8, &d)));
    static const struct { uint64_t base, size; } bad[] = { { 0x1000, 1 }, { 0x1fff, 1 }, { 0xfff, 2 }, { 0, 0x10000 }, { 0x1800, 0x1000 } };
    for (unsigned i = 0; i < ARRAY_COUNT(bad); i++) {
        struct vm_error e = map(bad[i].base, bad[i].size, 1, 8, &other);
        CHECK(e.kind == VM_DEVICE_CONFIG);
    }
    CHECK(!vm_failed(map(0x2000, 1, 1, 8, &d)) && !vm_failed(map(0xfff, 1, 1, 8, &d)));
    mmio_destroy(&bus);
    CHECK(other.destroys == 0 && d.destroys == 3);
}

TEST(odd_regions_are_refused)
{
    struct toy_dev d = { 0 };
    mmio_init(&bus);
    CHECK(map(0x1000, 0, 1, 8, &d).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(map(~0ull - 10, 12, 1, 8, &d).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(map(0x1000, 8, 3, 8, &d).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(map(0x1000, 8, 0, 8, &d).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(map(0x1000, 8, 8, 4, &d).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(map(0x1000, 8, 1, 16, &d).kind == VM_CORE_INVALID_PARAMETER);
    struct mmio_region none = { .base = { 0 }, .size_bytes = 8, .min_access_bytes = 1, .max_access_bytes = 8 };
    CHECK(mmu_map_mmio(&bus, &none).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(!vm_failed(map(~0ull - 10, 11, 1, 8, &d)));                /* up to the last byte */
    uint64_t v;
    CHECK(mmio_read(&bus, gpa(~0ull), 1, &v));
    mmio_destroy(&bus);
}

TEST(the_table_holds_64_regions_in_any_order)
{
    static struct toy_dev d[MMIO_MAX_REGIONS + 1];
    uint64_t v;
    mmio_init(&bus);
    memset(d, 0, sizeof d);
    for (unsigned i = 0; i < MMIO_MAX_REGIONS; i++) {
        unsigned k = i * 37 % MMIO_MAX_REGIONS;                      /* a permutation */
        d[k].value = k * 1000;
        CHECK(!vm_failed(map(0x1000 + k * 0x100ull, 0x80, 1, 8, &d[k])));
    }
    CHECK(map(0x100000, 8, 1, 8, &d[MMIO_MAX_REGIONS]).kind == VM_CORE_RESOURCE_EXHAUSTED);
    for (unsigned k = 0; k < MMIO_MAX_REGIONS; k++) {
        CHECK(mmio_read(&bus, gpa(0x1000 + k * 0x100ull + 0x7f), 1, &v) && v == ((k * 1000 + 0x7f) & 0xff));
        CHECK(!mmio_read(&bus, gpa(0x1000 + k * 0x100ull + 0x80), 1, &v));
    }
    mmio_destroy(&bus);
}

TEST(a_frozen_map_refuses_new_devices)
{
    struct toy_dev d = { 0 };
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 8, 1, 8, &d)));
    mmio_freeze(&bus);
    CHECK(map(0x2000, 8, 1, 8, &d).kind == VM_CORE_INVALID_STATE);
    CHECK(mmio_find(&bus, gpa(0x1007)) && !mmio_find(&bus, gpa(0x1008)));
    mmio_destroy(&bus);
}

TEST(R124_poll_gives_every_device_a_turn)
{
    struct toy_dev a = { 0 }, b = { 0 };
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 8, 1, 8, &a)) && !vm_failed(map(0x2000, 8, 1, 8, &b)));
    mmu_poll_devices(&bus, 1);
    mmu_poll_devices(&bus, 2);
    CHECK(a.polls == 2 && b.polls == 2);
    mmio_reset(&bus);
    CHECK(a.resets == 1 && b.resets == 1);
    mmio_destroy(&bus);
}

TEST(R128_a_device_is_a_table_of_functions)
{
    CHECK(TOY_DEV.read && TOY_DEV.write && TOY_DEV.poll && TOY_DEV.reset && TOY_DEV.destroy);
    CHECK_STR(TOY_DEV.name, "toy");
}

TEST(R129_reads_of_all_sizes_are_zero_extended)
{
    struct toy_dev d = { .value = 0x1122334455667788 };
    uint64_t v;
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 0x100, 1, 8, &d)));
    CHECK(mmio_read(&bus, gpa(0x1000), 1, &v) && v == 0x88);
    CHECK(mmio_read(&bus, gpa(0x1000), 2, &v) && v == 0x7788);
    CHECK(mmio_read(&bus, gpa(0x1000), 4, &v) && v == 0x55667788);
    CHECK(mmio_read(&bus, gpa(0x1000), 8, &v) && v == 0x1122334455667788);
    for (unsigned n = 0; n < 20; n++) CHECK(mmio_read(&bus, gpa(0x1000), n, &v) == (n == 1 || n == 2 || n == 4 || n == 8));
    CHECK_EQ_U64(d.reads, 8);                                        /* the odd ones never reached it */
    mmio_destroy(&bus);
}

TEST(R130_writes_of_all_sizes_and_errors_that_propagate)
{
    struct toy_dev d = { 0 };
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 0x100, 1, 8, &d)));
    static const uint64_t want[] = { [1] = 0x88, [2] = 0x7788, [4] = 0x55667788, [8] = 0x1122334455667788 };
    for (unsigned n = 1; n <= 8; n *= 2) {
        CHECK(mmio_write(&bus, gpa(0x1000), n, 0x1122334455667788));
        CHECK_EQ_U64(d.value, want[n]);
    }
    d.refuses = true;
    uint64_t v = 0;
    CHECK(!mmio_write(&bus, gpa(0x1000), 4, 0) && !mmio_read(&bus, gpa(0x1000), 4, &v));
    struct vm_error e = mmio_access(&bus, gpa(0x1000), 4, ACCESS_WRITE, &v);
    CHECK(e.kind == VM_DEVICE_IO_FAILED && !strcmp(e.reason, "toy"));
    CHECK(mmio_access(&bus, gpa(0x1000), 4, ACCESS_READ, &v).kind == VM_DEVICE_BUSY);
    CHECK(mmio_access(&bus, gpa(0x5000), 4, ACCESS_READ, &v).kind == VM_MEMORY_INVALID_ADDRESS);
    CHECK(mmio_access(&bus, gpa(0x1002), 4, ACCESS_READ, &v).kind == VM_MEMORY_ALIGNMENT);
    mmio_destroy(&bus);
}

TEST(a_device_sees_only_widths_that_it_declared)
{
    struct toy_dev d = { 0 };
    uint64_t v;
    mmio_init(&bus);
    CHECK(!vm_failed(map(0x1000, 0x0c, 4, 4, &d)));
    CHECK(!mmio_read(&bus, gpa(0x1000), 1, &v) && !mmio_read(&bus, gpa(0x1000), 8, &v) && !mmio_write(&bus, gpa(0x1002), 4, 0));
    CHECK(mmio_read(&bus, gpa(0x1008), 4, &v) && !mmio_read(&bus, gpa(0x100c), 4, &v));
    CHECK_EQ_U64(d.reads + d.writes, 1);
    mmio_destroy(&bus);
    CHECK(!vm_failed(map(0x1000, 0x0c, 1, 8, &d)));
    CHECK(!mmio_read(&bus, gpa(0x1008), 8, &v));                     /* would cross its end */
    mmio_destroy(&bus);
}

/* R132: a device with a receive FIFO. */
struct fifo { uint8_t byte[4]; unsigned count; };
static struct vm_error fifo_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct fifo *f = dev;
    (void)offset;
    (void)size_bytes;
    *out = f->count ? f->byte[0] : 0;
    if (f->count) memmove(f->byte, f->byte + 1, --f->count);
    return VM_SUCCESS;
}
static struct vm_error fifo_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)dev;
    (void)offset;
    (void)size_bytes;
    (void)value;
    return VM_SUCCESS;
}

TEST(R132_a_read_may_pop_a_fifo)
{
    static const struct mmio_ops ops = { .name = "fifo", .read = fifo_read, .write = fifo_write };
    struct fifo f = { { 'a', 'b' }, 2 };
    uint64_t v;
    mmio_init(&bus);
    CHECK(!vm_failed(mmu_map_mmio(&bus, &(struct mmio_region){ .base = { 0 }, .size_bytes = 1, .min_access_bytes = 1, .max_access_bytes = 1,
                                                               .ops = &ops, .dev = &f })));
    CHECK(mmio_read(&bus, gpa(0), 1, &v) && v == 'a' && mmio_read(&bus, gpa(0), 1, &v) && v == 'b' && mmio_read(&bus, gpa(0), 1, &v) && v == 0);
    mmu_poll_devices(&bus, 0);                                       /* nothing to do on its own: fine */
    mmio_destroy(&bus);
}
