// SPDX-License-Identifier: Apache-2.0
/* The pool of randomness: its sources in order, whole and broken, what it gives, and the published vectors of what it is
 * made of. */
#include "hv/core/entropy.h"
#include "hv/base/blake2s.h"
#include "hv/base/chacha20.h"
#include "hv/core/jitter.h"
#include "test/harness/test.h"

static uint64_t time_ns;
static uint64_t clock_of_steps(void)  { return time_ns += 16; }
static uint64_t clock_of_jitter(void) { return time_ns += 1000 + test_random() % 97; }
static uint64_t clock_that_stands(void) { return time_ns; }
static uint64_t clock_of_two(void)    { return time_ns += test_random() % 1000 < 995 ? 100 : 117; }

struct source { unsigned calls; size_t bytes; uint64_t constant; bool is_dry, is_constant, is_stuck_later; };

static bool give(void *ctx, void *out, size_t size_bytes)
{
    struct source *s = ctx;
    s->calls++;
    if (s->is_dry) return false;
    s->bytes += size_bytes;
    for (size_t i = 0; i < size_bytes / 8; i++) {
        uint64_t v = s->is_constant || (s->is_stuck_later && s->calls > 1) ? s->constant : test_random();
        memcpy((uint8_t *)out + 8 * i, &v, 8);
    }
    return true;
}

static struct entropy_pool pool;
static char said[120];

static void start(uint64_t (*now)(void))
{
    pool = (struct entropy_pool){ .now = now };
    time_ns = 0;
}

static const char *describe(void) { return entropy_pool_describe(&pool, said, sizeof said); }

TEST(chacha20_block_of_rfc_8439)
{
    uint8_t key[32], out[64];
    for (unsigned i = 0; i < 32; i++) key[i] = (uint8_t)i;
    const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0 };
    static const uint8_t want[64] = {                    /* 2.3.2 */
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3, 0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0,
        0x68, 0x03, 0x04, 0x22, 0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa, 0x09, 0x14, 0xc2, 0xd7, 0x05,
        0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1, 0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    chacha20_block(key, 1, nonce, out);
    CHECK(!memcmp(out, want, 64));
}

TEST(blake2s_of_rfc_7693)
{
    struct blake2s b;
    uint8_t out[32], whole[32];
    static const uint8_t abc[32] = {                     /* appendix B */
        0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b, 0xa3, 0x4e, 0xeb, 0x45, 0x2f,
        0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6, 0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82,
    };
    blake2s_init(&b);
    blake2s_update(&b, "abc", 3);
    blake2s_final(&b, out);
    CHECK(!memcmp(out, abc, 32));
    uint8_t data[300];
    for (unsigned i = 0; i < sizeof data; i++) data[i] = (uint8_t)(i * 7);
    for (unsigned n = 0; n < sizeof data; n += 13) {     /* in pieces or at once: the same */
        blake2s_init(&b), blake2s_update(&b, data, n), blake2s_final(&b, whole);
        blake2s_init(&b);
        for (unsigned i = 0; i < n; i++) blake2s_update(&b, data + i, 1);
        blake2s_final(&b, out);
        CHECK(!memcmp(out, whole, 32));
    }
}

TEST(entropy_comes_from_the_sources_in_order_and_from_jitter_only_when_there_is_none)
{
    struct source cpu = { 0 }, device = { 0 };
    uint8_t out[16];
    start(clock_of_jitter);
    CHECK(entropy_pool_source(&pool, "RDSEED", give, &cpu) && entropy_pool_source(&pool, "virtio-rng", give, &device));
    CHECK(!cpu.calls);
    CHECK(entropy_pool_read(&pool, out, sizeof out));
    CHECK(cpu.bytes >= 32 && device.bytes >= 32);
    CHECK_STR(describe(), "RDSEED, virtio-rng");
    entropy_pool_give(&pool, "the loader's seed", "0123456789abcdef0123456789abcdef", 32);
    CHECK_STR(describe(), "RDSEED, virtio-rng, the loader's seed");

    start(clock_of_jitter);
    entropy_pool_give(&pool, "a short seed", "0123", 4);
    CHECK_STR(describe(), "timing jitter");
    CHECK(entropy_pool_read(&pool, out, sizeof out));

    start(clock_of_steps);
    entropy_pool_give(&pool, "the loader's seed", "0123456789abcdef0123456789abcdef", 32);
    CHECK_STR(describe(), "the loader's seed");
    CHECK(entropy_pool_read(&pool, out, sizeof out));
}

TEST(entropy_source_that_is_broken_is_left_out_and_one_that_is_dry_is_asked_again)
{
    uint8_t out[16];
    static const uint64_t broken[] = { 0, UINT64_MAX, 0x1234 };
    for (unsigned i = 0; i < 3; i++) {
        struct source bad = { .is_constant = true, .constant = broken[i] }, good = { 0 };
        start(clock_of_steps);
        entropy_pool_source(&pool, "RDRAND", give, &bad);
        CHECK(!entropy_pool_read(&pool, out, sizeof out));
        entropy_pool_source(&pool, "virtio-rng", give, &good);
        CHECK(entropy_pool_read(&pool, out, sizeof out));
        CHECK_STR(describe(), "RDRAND (broken: not used), virtio-rng");
        CHECK_EQ_U64(bad.calls, 1);
    }
    struct source dry = { .is_dry = true };
    start(clock_of_steps);
    entropy_pool_source(&pool, "RNDR", give, &dry);
    CHECK(!entropy_pool_read(&pool, out, sizeof out));
    CHECK_STR(describe(), "none");
    start(clock_of_jitter);
    entropy_pool_source(&pool, "RNDR", give, &dry);
    CHECK(entropy_pool_read(&pool, out, sizeof out));    /* by jitter, meanwhile */
    dry.is_dry = false;
    time_ns += 3600000000000ull;
    CHECK(entropy_pool_read(&pool, out, sizeof out));
    CHECK(dry.bytes >= 32);
}

TEST(entropy_that_was_there_goes_on_when_a_source_breaks)
{
    struct source s = { .is_stuck_later = true, .constant = 5 };
    uint8_t out[16];
    start(clock_of_steps);
    entropy_pool_source(&pool, "RDSEED", give, &s);
    for (unsigned i = 0; i < 10; i++, time_ns += 3600000000000ull) CHECK(entropy_pool_read(&pool, out, sizeof out));
    CHECK_EQ_U64(s.calls, 2);
    CHECK_STR(describe(), "RDSEED (broken: not used)");
}

TEST(entropy_is_drawn_again_after_a_minute_and_after_a_mebibyte_but_not_with_every_read)
{
    struct source s = { 0 };
    static uint8_t out[4096];
    start(clock_of_steps);
    entropy_pool_source(&pool, "RDSEED", give, &s);
    for (unsigned i = 0; i < 100; i++) CHECK(entropy_pool_read(&pool, out, 64));
    CHECK_EQ_U64(s.calls, 1);
    time_ns += 61000000000ull;
    CHECK(entropy_pool_read(&pool, out, 64));
    CHECK_EQ_U64(s.calls, 2);
    for (unsigned i = 0; i < 257; i++) CHECK(entropy_pool_read(&pool, out, sizeof out));
    CHECK_EQ_U64(s.calls, 3);
}

/* Same seed, same bytes; any difference in what was given, other bytes; and a read of any length begins and ends anywhere. */
TEST(entropy_hangs_on_everything_that_was_given)
{
    uint8_t a[100], b[100];
    char seed[40] = "0123456789abcdef0123456789abcdef.......";
    for (unsigned i = 0; i < 41; i++) {
        start(clock_of_steps), entropy_pool_give(&pool, "x", "0123456789abcdef0123456789abcdef.......", 40);
        CHECK(entropy_pool_read(&pool, a, sizeof a));
        if (i < 40) seed[i] ^= 1;
        start(clock_of_steps), entropy_pool_give(&pool, "x", seed, 40);
        CHECK(entropy_pool_read(&pool, b, sizeof b));
        CHECK((memcmp(a, b, sizeof a) == 0) == (i == 40));
        if (i < 40) seed[i] ^= 1;
    }
    CHECK(entropy_pool_read(&pool, a, sizeof a));
    CHECK(memcmp(a, b, sizeof a));                       /* and no two reads alike */
    for (size_t n = 0; n <= 99; n++) {
        memset(a, 0xee, sizeof a);
        CHECK(entropy_pool_read(&pool, a, n));
        CHECK_EQ_U64(a[n], 0xee);
    }
}

TEST(entropy_key_is_gone_after_a_read)
{
    uint8_t out[256];
    start(clock_of_steps);
    entropy_pool_give(&pool, "x", "0123456789abcdef0123456789abcdef", 32);
    CHECK(entropy_pool_read(&pool, out, 1));
    uint8_t before[32];
    memcpy(before, pool.key, 32);
    CHECK(entropy_pool_read(&pool, out, sizeof out));
    CHECK(memcmp(before, pool.key, 32));
    for (unsigned i = 0; i + 32 <= sizeof out; i++) CHECK(memcmp(out + i, pool.key, 32) && memcmp(out + i, before, 32));
}

/* Of 2^20 bits: the ones, the runs, and every byte value, each within six standard deviations. */
TEST(entropy_bytes_look_random)
{
    static uint8_t out[131072];
    unsigned ones = 0, changes = 0, count[256] = { 0 };
    start(clock_of_steps);
    entropy_pool_give(&pool, "x", "0123456789abcdef0123456789abcdef", 32);
    CHECK(entropy_pool_read(&pool, out, sizeof out));
    for (unsigned i = 0; i < sizeof out; i++) {
        ones += (unsigned)__builtin_popcount(out[i]);
        changes += (unsigned)__builtin_popcount((out[i] ^ out[i] >> 1) & 0x7f);
        count[out[i]]++;
    }
    CHECK(ones > 524288 - 3072 && ones < 524288 + 3072);                  /* sigma 512 */
    CHECK(changes > 458752 - 2874 && changes < 458752 + 2874);            /* of 7 in 8; sigma 479 */
    for (unsigned i = 0; i < 256; i++) CHECK(count[i] > 512 - 136 && count[i] < 512 + 136);      /* sigma 22.6 */
}

TEST(jitter_of_a_clock_that_stands_or_only_counts_is_refused)
{
    struct blake2s b;
    blake2s_init(&b);
    CHECK(!jitter_collect(clock_that_stands, 256, &b));
    CHECK(!jitter_collect(clock_of_steps, 256, &b));
    CHECK(!jitter_collect(clock_of_two, 256, &b));       /* nearly always the same */
    time_ns = 0;
    CHECK(jitter_collect(clock_of_jitter, 256, &b));
    CHECK(time_ns >= 2048 * 1000);                       /* eight samples a bit at least */
}

TEST(entropy_of_this_machine_is_there_and_differs)
{
    uint8_t a[64] = { 0 }, b[64] = { 0 };
    CHECK(entropy_read(a, sizeof a) && entropy_read(b, sizeof b));
    CHECK(memcmp(a, b, sizeof a));
    CHECK_STR(entropy_describe(said, sizeof said), "getrandom");
}
