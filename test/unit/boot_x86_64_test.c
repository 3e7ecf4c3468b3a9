// SPDX-License-Identifier: Apache-2.0
/* What x86-64 loaders say, read from tables made here: PVH, Multiboot2 whole and broken, and ranges minus ranges. */
#if defined(__x86_64__)
#include "boot/x86_64/found.c"
#include "boot/x86_64/memory.c"
#define map_entry pvh_map_entry
#define module    pvh_module
#include "boot/x86_64/pvh.c"
#undef map_entry
#undef module
#undef MAGIC
#undef TYPE_RAM
#include "boot/x86_64/multiboot2.c"
#include "test/harness/test.h"

static struct memory_range got[16];
static unsigned got_count;
static void keep(void *ctx, uint64_t base, uint64_t end)
{
    (void)ctx;
    if (got_count < ARRAY_COUNT(got)) got[got_count++] = (struct memory_range){ base, end };
}

static void subtract(uint64_t base, uint64_t end, const struct memory_range *holes, unsigned count)
{
    got_count = 0;
    memory_subtract(base, end, holes, count, keep, NULL);
}

TEST(memory_ranges_are_whole_pages_around_the_holes)
{
    const struct memory_range holes[] = { { 0x5800, 0x6001 }, { 0x2000, 0x3000 }, { 0x2800, 0x2900 }, { 0x9000, 0x9000 } };
    subtract(0x0fff, 0xa001, holes, ARRAY_COUNT(holes));
    CHECK_EQ_U64(got_count, 3);
    CHECK(got[0].base == 0x1000 && got[0].end == 0x2000);
    CHECK(got[1].base == 0x3000 && got[1].end == 0x5000);
    CHECK(got[2].base == 0x7000 && got[2].end == 0xa000);
}

TEST(memory_ranges_covered_or_empty_give_nothing)
{
    const struct memory_range all = { 0, UINT64_MAX }, head = { 0, 0x2000 };
    subtract(0x1000, 0x9000, &all, 1);
    CHECK_EQ_U64(got_count, 0);
    subtract(0x1000, 0x1fff, NULL, 0);
    CHECK_EQ_U64(got_count, 0);
    subtract(0x1000, 0x3000, &head, 1);
    CHECK_EQ_U64(got_count, 1);
    CHECK_EQ_U64(got[0].base, 0x2000);
    subtract(UINT64_MAX - 0x10, UINT64_MAX, NULL, 0);
    CHECK_EQ_U64(got_count, 0);
}

TEST(pvh_information_is_copied)
{
    static const char words[] = "exit loglevel=debug";
    const struct pvh_map_entry map[] = { { 0, 0x9fc00, 1, 0 }, { 0xf0000, 0x10000, 2, 0 }, { 0x100000, 0x7f00000, 1, 0 } };
    const struct pvh_module modules[] = { { 0x4000000, 1234, (uint64_t)"first", 0 }, { 0x5000000, 1, 0, 0 } };
    struct start_info info = { .magic = 0x336ec578, .version = 1, .module_count = 2, .modules = (uint64_t)modules, .cmdline = (uint64_t)words,
                               .rsdp = 0xf5000, .map = (uint64_t)map, .map_count = 3 };
    struct found f = { 0 };
    CHECK(pvh_read((uint64_t)&info, &f));
    CHECK(!strcmp(f.cmdline, words) && f.rsdp == 0xf5000 && !strcmp(f.loader, "PVH"));
    CHECK_EQ_U64(f.range_count, 3);
    CHECK(f.range[0].is_ram && !f.range[1].is_ram && f.range[2].end == 0x8000000);
    CHECK(f.module_count == 2 && f.module[0].size_bytes == 1234 && !strcmp(f.module[0].name, "first") && !*f.module[1].name);
    info.magic++;
    CHECK(!pvh_read((uint64_t)&info, &f));
    CHECK(!pvh_read(0, &f));
}

static uint8_t tags[512] ALIGNED(8);
static uint32_t tags_bytes;

static void begin(void) { tags_bytes = 8; }
static void add(uint32_t type, const void *body, uint32_t body_bytes)
{
    uint32_t head[2] = { type, 8 + body_bytes };
    memcpy(tags + tags_bytes, head, 8);
    memcpy(tags + tags_bytes + 8, body, body_bytes);
    tags_bytes += (uint32_t)align_up(8 + body_bytes, 8);
    memcpy(tags, &tags_bytes, 4);
}

TEST(multiboot2_information_is_copied)
{
    const struct { uint32_t entry_size, version; struct map_entry e[2]; } map = { 24, 0, { { 0x100000, 0x100000, 1, 0 }, { 0xfee00000, 0x1000, 2, 0 } } };
    const struct { uint32_t from, to; char name[8]; } module = { 0x200000, 0x200100, "bundle" };
    struct found f = { 0 };
    begin();
    add(TAG_CMDLINE, "exit", 5);
    add(TAG_MODULE, &module, sizeof module);
    add(TAG_MEMORY_MAP, &map, sizeof map);
    add(TAG_ACPI_OLD, "RSD PTR old.........", 20);
    add(TAG_ACPI_NEW, "RSD PTR new.........0123456789ABCDEF", 36);
    add(TAG_END, "", 0);
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f));
    CHECK(!strcmp(f.cmdline, "exit") && f.module_count == 1 && f.module[0].size_bytes == 0x100 && !strcmp(f.module[0].name, "bundle"));
    CHECK(f.range_count == 2 && f.range[0].is_ram && !f.range[1].is_ram);
    CHECK(!memcmp((const void *)f.rsdp, "RSD PTR new", 11));
    CHECK(!multiboot2_read(0x2badb002, (uint64_t)tags, &f));
}

TEST(multiboot2_screens_are_those_with_direct_colours_and_text)
{
    struct screen_tag s = { .base = 0xfd000000, .pitch = 4096, .width = 1024, .height = 768, .pixel_bits = 32, .kind = SCREEN_DIRECT,
                            .red = { 16, 8 }, .green = { 8, 8 }, .blue = { 0, 8 } };
    const char *body = (const char *)&s + sizeof(struct tag);
    struct found f = { 0 };
    begin();
    add(TAG_FRAMEBUFFER, body, 30);
    add(TAG_END, "", 0);
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f));
    CHECK((uint64_t)f.framebuffer.base == 0xfd000000 && f.framebuffer.pitch_bytes == 4096 && f.framebuffer.width == 1024);
    CHECK(f.framebuffer.height == 768 && f.framebuffer.pixel_bits == 32 && !f.framebuffer.is_text);
    CHECK(f.framebuffer.red.shift == 16 && f.framebuffer.green.bits == 8 && f.framebuffer.blue.bits == 8);

    f.framebuffer.base = NULL;
    begin();
    add(TAG_FRAMEBUFFER, body, 28);                      /* its colours are cut off */
    add(TAG_END, "", 0);
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f) && !f.framebuffer.base);

    s.kind = 0;                                          /* with a palette */
    begin();
    add(TAG_FRAMEBUFFER, body, 30);
    add(TAG_END, "", 0);
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f) && !f.framebuffer.base);

    s = (struct screen_tag){ .base = 0xb8000, .pitch = 160, .width = 80, .height = 25, .pixel_bits = 16, .kind = SCREEN_TEXT };
    begin();
    add(TAG_FRAMEBUFFER, body, 24);
    add(TAG_END, "", 0);
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f) && (uint64_t)f.framebuffer.base == 0xb8000 && f.framebuffer.is_text);
}

TEST(multiboot2_tags_that_reach_out_end_the_reading)
{
    struct found f = { 0 };
    begin();
    add(TAG_CMDLINE, "exit", 5);
    uint32_t at = tags_bytes;
    add(TAG_MODULE, "0123456789abcdef", 16);
    ((struct tag *)(tags + at))->size = 400;             /* beyond the total */
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f));
    CHECK(!strcmp(f.cmdline, "exit") && !f.module_count);
    ((struct tag *)(tags + at))->size = 4;               /* less than a tag: would never advance */
    CHECK(multiboot2_read(0x36d76289, (uint64_t)tags, &f));
    CHECK_EQ_U64(f.module_count, 0);
}

TEST(more_modules_and_ranges_than_there_is_room_for_are_left_out)
{
    static struct found f;
    for (unsigned i = 0; i < FOUND_MAX_RANGES + 5; i++) found_add_range(&f, i * 0x1000ull, 0x1000, true);
    for (unsigned i = 0; i < BOOT_MAX_MODULES + 5; i++) found_add_module(&f, 0x1000, 1, "a name that is longer than the room that there is for names of modules here");
    CHECK_EQ_U64(f.range_count, FOUND_MAX_RANGES);
    CHECK_EQ_U64(f.module_count, BOOT_MAX_MODULES);
    CHECK_EQ_U64(strlen(f.module[0].name), FOUND_NAME_BYTES - 1);
    found_add_range(&f, UINT64_MAX - 1, 100, true);
    char words[FOUND_MAX_CMDLINE + 10];
    memset(words, 'x', sizeof words);
    found_set_cmdline(&f, words, sizeof words);
    CHECK_EQ_U64(strlen(f.cmdline), FOUND_MAX_CMDLINE - 1);
}
#endif
