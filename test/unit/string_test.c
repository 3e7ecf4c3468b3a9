// SPDX-License-Identifier: Apache-2.0
/* The freestanding string functions under other names, against the C library's. */
#include <stddef.h>
#include "test/harness/test.h"

#define memcpy  our_memcpy
#define memmove our_memmove
#define memset  our_memset
#define memcmp  our_memcmp
#define memchr  our_memchr
#define strlen  our_strlen
#define strnlen our_strnlen
#define strcmp  our_strcmp
#define strncmp our_strncmp
#define strchr  our_strchr
#define strrchr our_strrchr
#define strstr  our_strstr
#define strtoul our_strtoul
#include "hv/base/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr
#undef strtoul

static int sign(int x) { return (x > 0) - (x < 0); }

TEST(string_copies_move_and_fill_exactly)
{
    uint8_t a[96], b[96];
    for (unsigned n = 0; n < 20000; n++) {
        size_t size = test_random() % 48, from = test_random() % 40, to = test_random() % 40;
        for (unsigned i = 0; i < sizeof a; i++) a[i] = b[i] = (uint8_t)test_random();
        our_memmove(a + to, a + from, size);
        memmove(b + to, b + from, size);
        CHECK(!memcmp(a, b, sizeof a));
        our_memset(a + from, (int)n, size);
        memset(b + from, (int)n, size);
        CHECK(!memcmp(a, b, sizeof a));
        uint8_t c[48];
        our_memcpy(c, a + from, size);
        CHECK(!memcmp(c, a + from, size));
        CHECK(sign(our_memcmp(a, b + 1, size)) == sign(memcmp(a, b + 1, size)));
        CHECK(our_memchr(a, 7, size) == memchr(a, 7, size));
    }
}

TEST(string_words_compare_and_search_as_in_c)
{
    static const char *const text[] = { "", "a", "ab", "abc", "abd", "b", "abcabc", "bc", "\xff", "aa", "aab", "aaab" };
    enum { WORDS = sizeof text / sizeof *text };
    for (unsigned i = 0; i < WORDS; i++) {
        CHECK_EQ_U64(our_strlen(text[i]), strlen(text[i]));
        CHECK(our_strchr(text[i], 'b') == strchr(text[i], 'b'));
        CHECK(our_strchr(text[i], 0) == strchr(text[i], 0));
        CHECK(our_strrchr(text[i], 'a') == strrchr(text[i], 'a'));
        for (unsigned j = 0; j < WORDS; j++) {
            CHECK(sign(our_strcmp(text[i], text[j])) == sign(strcmp(text[i], text[j])));
            CHECK(our_strstr(text[i], text[j]) == strstr(text[i], text[j]));
            for (size_t n = 0; n < 5; n++) {
                CHECK(sign(our_strncmp(text[i], text[j], n)) == sign(strncmp(text[i], text[j], n)));
                CHECK_EQ_U64(our_strnlen(text[i], n), strnlen(text[i], n));
            }
        }
    }
}

TEST(string_strtoul_reads_what_c_reads)
{
    static const char *const text[] = { "0", "42", "0x1f", "077", "12x", "x", "", " 9", "18446744073709551615", "ffz" };
    static const int base[] = { 0, 10, 16 };
    for (unsigned i = 0; i < sizeof text / sizeof *text; i++) {
        for (unsigned k = 0; k < 3; k++) {
            char *a, *b;
            unsigned long x = our_strtoul(text[i], &a, base[k]), y = strtoul(text[i], &b, base[k]);
            if (x != y || a != b) test_fail(__FILE__, __LINE__, "strtoul(\"%s\", %d): %lu, want %lu", text[i], base[k], x, y);
        }
    }
}
