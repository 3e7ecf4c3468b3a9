// SPDX-License-Identifier: Apache-2.0
/* Formatting and parsing: the C library's snprintf is the oracle, where both speak the same language. */
#include "hv/base/fmt.h"
#include "test/harness/test.h"

#define SAME(...)                                                     \
    do {                                                              \
        char got[128], want[128];                                     \
        int n = hv_snprintf(got, sizeof got, __VA_ARGS__);            \
        int w = snprintf(want, sizeof want, __VA_ARGS__);             \
        CHECK_STR(got, want);                                         \
        CHECK_EQ_U64(n, w);                                           \
    } while (0)

TEST(fmt_says_what_the_c_library_says)
{
    SAME("plain");
    SAME("%d %i %u", -7, 7, 4000000000u);
    SAME("%d %d", -2147483647 - 1, 2147483647);
    SAME("%ld %lu %lld", (long)INT64_MIN, UINT64_MAX, (long long)INT64_MAX);
    SAME("[%5d] [%-5d] [%05d] [%+d] [%+5d]", 42, 42, 42, 42, 42);
    SAME("[%5d] [%-5d] [%05d] [%+d] [%+05d]", -42, -42, -42, -42, -42);
    SAME("[%.3d] [%6.3d] [%-6.3d]", 5, 5, 5);
    SAME("%x %X %#x %#X %#x", 0xbeefu, 0xbeefu, 0xbeefu, 0u, 0u);
    SAME("[%8x] [%-8x] [%08x] [%#010x]", 0xabcu, 0xabcu, 0xabcu, 0xabcu);
    SAME("%016lx", 0x123456789abcdefUL);
    SAME("%hhd %hd %hhu %hu", 300, 70000, 300, 70000);
    SAME("%zu %jd %td", (size_t)1 << 40, (intmax_t)-1, (ptrdiff_t)-2);
    SAME("[%c] [%3c] [%-3c]", 'a', 'b', 'c');
    SAME("[%s] [%6s] [%-6s] [%.2s] [%6.2s]", "word", "word", "word", "word", "word");
    SAME("[%*d] [%-*d] [%.*s]", 6, 1, 6, 2, 3, "abcdef");
    SAME("[%*d]", -6, 1);
    SAME("100%%");
    SAME("[%.0d] [%.0x]", 0, 0u);
}

TEST(fmt_random_numbers_and_widths_agree_with_the_c_library)
{
    static const char *const formats[] = { "%ld", "%lu", "%lx", "%+ld", "%24ld", "%-24lu|", "%024lx", "%.20lu", "%#lx", "%30.22ld", "%-30.22lx|" };
    for (unsigned n = 0; n < 20000; n++) {
        uint64_t v = test_random() >> (test_random() & 63);
        const char *f = formats[n % (sizeof formats / sizeof *formats)];
        char got[64], want[64];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int a = hv_snprintf(got, sizeof got, f, v), b = snprintf(want, sizeof want, f, v);
#pragma GCC diagnostic pop
        CHECK_STR(got, want);
        CHECK_EQ_U64(a, b);
    }
}

TEST(fmt_cuts_at_the_buffers_end_and_says_the_full_length)
{
    char out[8];
    memset(out, 'z', sizeof out);
    CHECK_EQ_U64(hv_snprintf(out, 4, "abcdefgh"), 8);
    CHECK_STR(out, "abc");
    CHECK(out[4] == 'z');
    CHECK_EQ_U64(hv_snprintf(NULL, 0, "%d", 12345), 5);
    CHECK_EQ_U64(hv_snprintf(out, 1, "x"), 1);
    CHECK_STR(out, "");
}

TEST(fmt_null_string_and_a_lone_percent_do_no_harm)
{
    char out[32];
    const char *nothing = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-truncation"
    hv_snprintf(out, sizeof out, "%s", nothing);
    CHECK_STR(out, "(null)");
    hv_snprintf(out, sizeof out, "a%");
    CHECK_STR(out, "a");
    hv_snprintf(out, sizeof out, "%q");
    CHECK_STR(out, "%q");
#pragma GCC diagnostic pop
    hv_snprintf(out, sizeof out, "%p", (void *)0x1234);
    CHECK_STR(out, "0x1234");
}

TEST(parse_numbers_with_prefix_and_suffix)
{
    static const struct { const char *text; bool suffix, fits; uint64_t value; } row[] = {
        { "0", false, true, 0 },                        { "42", false, true, 42 },
        { "0x1f", false, true, 0x1f },                  { "0XAB", false, true, 0xab },
        { "18446744073709551615", false, true, UINT64_MAX }, { "18446744073709551616", false, false, 0 },
        { "0xffffffffffffffff", false, true, UINT64_MAX },   { "0x10000000000000000", false, false, 0 },
        { "128M", true, true, 128u << 20 },             { "1g", true, true, 1u << 30 },
        { "4k", true, true, 4096 },                     { "4k", false, false, 0 },
        { "0x10K", true, true, 16384 },                 { "17179869183G", true, true, 17179869183u * (1ull << 30) },
        { "17179869184G", true, false, 0 },             { "", false, false, 0 },
        { "0x", false, false, 0 },                      { "x", false, false, 0 },
        { "-1", false, false, 0 },                      { " 1", false, false, 0 },
        { "1 ", false, false, 0 },                      { "1MB", true, false, 0 },
        { "M", true, false, 0 },                        { "12a", false, false, 0 },
    };
    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        uint64_t v = 0x5a;
        bool fits = hv_parse_u64(row[i].text, row[i].suffix, &v);
        if (fits != row[i].fits || (fits && v != row[i].value)) test_fail(__FILE__, __LINE__, "\"%s\": %d 0x%" PRIx64, row[i].text, fits, v);
    }
}
