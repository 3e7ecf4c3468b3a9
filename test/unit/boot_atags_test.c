// SPDX-License-Identifier: Apache-2.0
/* Tagged lists of loaders without a device tree: whole, broken, and endless ones. */
#include "boot/aarch64/atags.c"
#include "test/harness/test.h"

static struct machine m;

static bool reads(const uint32_t *list)
{
    m = (struct machine){ .cmdline = "" };
    return atags_read(list, &m);
}

TEST(a_tagged_list_tells_of_memory_initrd_and_command_line)
{
    const uint32_t list[] ALIGNED(8) = {
        5, TAG_CORE, 1, 4096, 0,
        4, TAG_MEMORY, 0x3c000000, 0,
        4, TAG_INITRD, 0x08000000, 1234,
        4, TAG_CMDLINE, 0x74697865, 0x00000000,           /* "exit" */
        0, TAG_NONE,
    };
    CHECK(reads(list));
    CHECK(m.ram_count == 1 && m.ram[0].base == 0 && m.ram[0].size_bytes == 0x3c000000);
    CHECK(m.initrd.base == 0x08000000 && m.initrd.size_bytes == 1234);
    CHECK(m.reserved_count == 1 && m.reserved[0].base == 0x08000000);
    CHECK(!strcmp(m.cmdline, "exit"));
}

TEST(what_is_no_tagged_list_is_left_alone)
{
    const uint32_t tree[] ALIGNED(8) = { 0xedfe0dd0, 0x00100000, 0, 0 };
    CHECK(!reads(NULL));
    CHECK(!reads(tree));
    CHECK(!reads((const uint32_t *)((const uint8_t *)tree + 1)));
    CHECK(m.ram_count == 0 && m.initrd.size_bytes == 0 && !m.cmdline[0]);
}

TEST(a_tag_shorter_than_its_words_says_nothing_and_one_without_size_ends_the_list)
{
    const uint32_t list[] ALIGNED(8) = {
        5, TAG_CORE, 1, 4096, 0,
        3, TAG_MEMORY, 0x1000,
        2, TAG_INITRD,
        0, TAG_MEMORY, 0x1000, 0,
        4, TAG_MEMORY, 0x2000, 0,
        0, TAG_NONE,
    };
    CHECK(reads(list));
    CHECK(m.ram_count == 0 && m.initrd.size_bytes == 0);
}

TEST(a_command_line_without_an_end_stops_at_its_tag)
{
    const uint32_t list[] ALIGNED(8) = { 2, TAG_CORE, 3, TAG_CMDLINE, 0x64636261, 0, TAG_NONE };
    CHECK(reads(list));
    CHECK(!strcmp(m.cmdline, "abcd"));
}
