// SPDX-License-Identifier: Apache-2.0
/* Bundles (cpio newc): hv/vm/bundle.h. Archives are made here, each copied to memory that ends where it does, so that one
 * byte read too far is seen. */
#include "hv/vm/bundle.h"
#include "test/harness/test.h"

enum { REGULAR = 0100644, FOLDER = 040755, SYMLINK = 0120777 };

static uint8_t made[4096];
static size_t made_bytes;

static void put_name(const char *name, size_t name_bytes, unsigned mode, unsigned inode, unsigned links, const char *data, size_t size_bytes)
{
    made_bytes += (size_t)sprintf((char *)made + made_bytes, "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", inode, mode, 0, 0,
                                  links, 0, size_bytes, 8, 1, 0, 0, name_bytes, 0);
    memcpy(made + made_bytes, name, name_bytes);
    made_bytes += name_bytes;
    while (made_bytes % 4) made[made_bytes++] = 0;
    memcpy(made + made_bytes, data, size_bytes);
    made_bytes += size_bytes;
    while (made_bytes % 4) made[made_bytes++] = 0;
}
static void put(const char *name, const char *data) { put_name(name, strlen(name) + 1, REGULAR, 7, 1, data, strlen(data)); }
static void put_end(void) { put("TRAILER!!!", ""); }
static void start(void) { made_bytes = 0; memset(made, 0xa5, sizeof made); }

/* Its content as a string, or NULL. */
static const char *find_in(const uint8_t *archive, size_t size_bytes, const char *path)
{
    static char found[4096];
    uint8_t *copy = malloc(size_bytes);
    memcpy(copy, archive, size_bytes);
    const struct bundle b = { copy, size_bytes };
    const void *data = NULL;
    size_t length = 0;
    bool is_found = bundle_find(&b, path, &data, &length);
    if (is_found) {
        CHECK((const uint8_t *)data >= copy && length <= size_bytes && (const uint8_t *)data + length <= copy + size_bytes);
        memcpy(found, data, length);
        found[length] = 0;
    }
    free(copy);
    return is_found ? found : NULL;
}
static const char *find(const char *path)
{
    const char *s = find_in(made, made_bytes, path);
    return s ? s : "(none)";
}

TEST(bundle_finds_each_file_by_its_name)
{
    start();
    put("hospes.conf", "[vm a]\n");
    put("./dir/kernel", "KERNEL");
    put("/initrd", "i");
    put("empty", "");
    put_end();
    CHECK_STR(find("hospes.conf"), "[vm a]\n");
    CHECK_STR(find("./hospes.conf"), "[vm a]\n");
    CHECK_STR(find("/hospes.conf"), "[vm a]\n");
    CHECK_STR(find("dir/kernel"), "KERNEL");
    CHECK_STR(find("initrd"), "i");
    CHECK_STR(find(".//./initrd"), "i");
    CHECK_STR(find("empty"), "");
    static const char *const absent[] = { "", "/", "./", "hospes", "hospes.conf2", "ospes.conf", "dir", "kernel", "TRAILER!!!", "." };
    for (unsigned i = 0; i < ARRAY_COUNT(absent); i++) CHECK_STR(find(absent[i]), "(none)");
}

TEST(bundle_takes_the_first_of_two_files_with_one_name)
{
    start();
    put("a", "first");
    put("a", "second");
    put_end();
    CHECK_STR(find("a"), "first");
}

TEST(bundle_knows_only_regular_files)
{
    start();
    put_name("a", 2, FOLDER, 1, 2, "", 0);
    put_name("a", 2, SYMLINK, 2, 1, "/etc/passwd", 11);
    put("a", "file");
    put_end();
    CHECK_STR(find("a"), "file");
}

TEST(bundle_finds_the_data_of_hard_links_in_the_last_of_them)
{
    start();
    put_name("one", 4, REGULAR, 42, 3, "", 0);
    put_name("other", 6, REGULAR, 43, 2, "", 0);             /* another file, whose data never come */
    put_name("two", 4, REGULAR, 42, 3, "", 0);
    put_name("three", 6, REGULAR, 42, 3, "DATA", 4);
    put_end();
    CHECK_STR(find("one"), "DATA");
    CHECK_STR(find("two"), "DATA");
    CHECK_STR(find("three"), "DATA");
    CHECK_STR(find("other"), "");
}

TEST(bundle_ends_at_its_trailer)
{
    start();
    put("a", "1");
    put_end();
    put("b", "2");
    CHECK_STR(find("a"), "1");
    CHECK_STR(find("b"), "(none)");
}

TEST(bundle_without_trailer_ends_where_it_ends)
{
    start();
    put("a", "1");
    CHECK_STR(find("a"), "1");
    CHECK_STR(find("b"), "(none)");
}

TEST(bundle_cut_off_anywhere_gives_what_is_whole)
{
    start();
    put("a", "first");
    size_t end_of_a = made_bytes;
    put("b", "second");
    size_t end_of_b = made_bytes;
    put_end();
    for (size_t n = 0; n <= made_bytes; n++) {
        const char *a = find_in(made, n, "a");
        CHECK(n < end_of_a - 3 ? !a : a && !strcmp(a, "first"));          /* 5 bytes and 3 of padding */
        const char *b = find_in(made, n, "b");
        CHECK(n < end_of_b - 2 ? !b : b && !strcmp(b, "second"));
    }
}

TEST(bundle_with_a_damaged_header_is_refused_there)
{
    static const struct { unsigned at; const char *bytes; } damage[] = {
        { 0, "070702" }, { 0, "070707" }, { 0, "\0" }, { 5, "x" },
        { 54, "ffffffff" }, { 54, "fffffff0" }, { 54, "7fffffff" }, { 54, "0000g000" }, { 54, "-0000001" },      /* the file's size */
        { 94, "ffffffff" }, { 94, "00000000" }, { 94, "00000001" }, { 94, "00000003" }, { 94, "       2" },      /* the name's */
        { 6, "zzzzzzzz" },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(damage); i++) {
        start();
        put("a", "first");
        put("b", "second");
        put_end();
        memcpy(made + damage[i].at, damage[i].bytes, damage[i].bytes[0] ? strlen(damage[i].bytes) : 1);
        CHECK_STR(find("a"), "(none)");
    }
}

TEST(bundle_name_without_its_zero_is_damage)
{
    start();
    put_name("ab", 2, REGULAR, 1, 1, "data", 4);
    put_end();
    CHECK_STR(find("ab"), "(none)");
    CHECK_STR(find("a"), "(none)");
    start();
    put_name("a\0b", 4, REGULAR, 1, 1, "data", 4);           /* a zero inside: another name */
    put("a", "right");
    put_end();
    CHECK_STR(find("a"), "right");
}

TEST(bundle_is_valid_only_with_a_whole_header)
{
    start();
    put("a", "1");
    CHECK(bundle_is_valid(&(struct bundle){ made, made_bytes }));
    CHECK(!bundle_is_valid(&(struct bundle){ made, 109 }));
    CHECK(!bundle_is_valid(&(struct bundle){ NULL, 0 }));
    made[3] = 'x';
    CHECK(!bundle_is_valid(&(struct bundle){ made, made_bytes }));
    static const uint8_t zeroes[512];
    CHECK(!bundle_is_valid(&(struct bundle){ zeroes, sizeof zeroes }));
}

TEST(fuzz_bundle_survives_random_damage)
{
    static const char *const paths[] = { "hospes.conf", "kernel", "a", "", "link" };
    for (unsigned round = 0; round < 20000; round++) {
        start();
        put("hospes.conf", "[vm a]\nkernel = kernel\n");
        put("./kernel", "KERNELKERNEL");
        put_name("link", 5, REGULAR, 9, 2, "", 0);
        put_name("a", 2, REGULAR, 9, 2, "A", 1);
        put_end();
        for (uint64_t changes = 1 + test_random() % 6; changes; changes--) {
            static const char digits[] = "0123456789abcdefABCDEF";
            uint64_t r = test_random();
            if (r % 8 == 0) made_bytes = (r >> 8) % (made_bytes + 1);
            else if (made_bytes) made[(r >> 8) % made_bytes] = r % 8 == 1 ? (uint8_t)(r >> 48) : (uint8_t)digits[(r >> 48) % 22];
        }
        for (unsigned i = 0; i < ARRAY_COUNT(paths); i++) (void)find_in(made, made_bytes, paths[i]);
    }
}
