// SPDX-License-Identifier: Apache-2.0
/* Memory as loaders tell of it: twice, over devices, without room for their own file. */
#include "boot/aarch64/memory.c"
#include "test/harness/test.h"

static struct machine m;
static const struct uart_chip chip;

static void ram(uint64_t base, uint64_t size_bytes) { CHECK(machine_add(m.ram, &m.ram_count, base, size_bytes)); }

TEST(memory_told_twice_is_there_once)
{
    m = (struct machine){ .cmdline = "" };
    ram(MIB(64), MIB(64)), ram(MIB(16), MIB(16)), ram(MIB(96), MIB(64)), ram(MIB(68), MIB(4)), ram(MIB(32), MIB(8));
    machine_settle(&m);
    CHECK_EQ_U64(m.ram_count, 2);
    CHECK_EQ_U64(m.ram[0].base, MIB(16));
    CHECK_EQ_U64(m.ram[0].size_bytes, MIB(24));                      /* neighbours are no lie */
    CHECK_EQ_U64(m.ram[1].base, MIB(64));
    CHECK_EQ_U64(m.ram[1].size_bytes, MIB(96));
    CHECK_EQ_U64(m.note_count, 2);
}

TEST(memory_that_wraps_or_is_none_is_no_memory)
{
    m = (struct machine){ .cmdline = "" };
    CHECK(!machine_add(m.ram, &m.ram_count, UINT64_MAX - 0xfff, 0x2000));
    CHECK(!machine_add(m.ram, &m.ram_count, MIB(1), 0));
    CHECK(!machine_add(m.ram, &m.ram_count, MACHINE_END - 0x1000, 0x2000));
    CHECK(!m.ram_count);
    for (unsigned i = 0; i < BOOT_MAX_RANGES; i++) ram(MIB(2 * i), MIB(1));
    CHECK(!machine_add(m.ram, &m.ram_count, GIB(1), MIB(1)));
}

TEST(memory_over_a_device_is_not_used)
{
    m = (struct machine){ .cmdline = "", .uart = { .chip = &chip, .base = MIB(20), .size_bytes = HV_PAGE_BYTES } };
    m.platform.gicd = MIB(18), m.platform.gicd_size = MIB(1), m.platform.rtc = MIB(80);
    ram(MIB(16), MIB(32));
    machine_settle(&m);
    CHECK_EQ_U64(m.no_map_count, 2);                                 /* the clock lies elsewhere */
    CHECK_EQ_U64(m.reserved_count, 2);
    CHECK_EQ_U64(m.reserved[0].base, MIB(18));
    CHECK_EQ_U64(m.reserved[0].size_bytes, MIB(1));
    CHECK_EQ_U64(m.reserved[1].base, MIB(20));
}

TEST(memory_without_room_to_spare_a_device_is_not_used_at_all)
{
    m = (struct machine){ .cmdline = "", .uart = { .chip = &chip, .base = MIB(20), .size_bytes = HV_PAGE_BYTES } };
    ram(MIB(16), MIB(32));
    for (unsigned i = 0; i < BOOT_MAX_RANGES; i++) CHECK(machine_add(m.reserved, &m.reserved_count, GIB(2), MIB(1)));
    machine_settle(&m);
    CHECK(!m.ram_count);
}

TEST(an_initrd_outside_of_memory_is_not_read)
{
    static const struct { uint64_t base, size_bytes; bool is_good; } rows[] = {
        { MIB(16), MIB(16), true }, { MIB(20), 1, true }, { MIB(20), 0, true }, { MIB(15), MIB(2), false }, { MIB(31), MIB(2), false },
        { MIB(64), 1, false }, { MIB(31), UINT64_MAX - MIB(31), false },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        m = (struct machine){ .cmdline = "", .initrd = { rows[i].base, rows[i].size_bytes } };
        ram(MIB(16), MIB(16));
        machine_settle(&m);
        CHECK_EQ_U64(m.initrd.size_bytes, rows[i].is_good ? rows[i].size_bytes : 0);
        CHECK_EQ_U64(m.note_count, !rows[i].is_good);
    }
}
