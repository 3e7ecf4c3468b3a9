// SPDX-License-Identifier: Apache-2.0
/* The pool of randomness; see entropy.h. */
#include "hv/core/entropy.h"
#include "hv/base/blake2s.h"
#include "hv/base/chacha20.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/jitter.h"

#define SEED_BYTES      48u                              /* drawn from each source */
#define SEED_BITS       256u
#define RESEED_NS       60000000000ull
#define RESEED_BYTES    (1u << 20)
#define READ_BYTES      256u                             /* under the lock at once */
#define HEALTH_DRAWS    16u

_Static_assert(ENTROPY_KEY_BYTES == CHACHA20_KEY_BYTES && ENTROPY_KEY_BYTES == BLAKE2S_BYTES, "a hash makes a key");

/* ---- lock held ---- */

/* key = BLAKE2s(key, data): what was in the pool stays in it, whatever is given. */
static void begin_mix(const struct entropy_pool *p, struct blake2s *b)
{
    blake2s_init(b);
    blake2s_update(b, p->key, sizeof p->key);
}

/* Words that repeat, or that are all zeros or all ones, are what broken sources give. */
static bool is_healthy(const uint64_t *word, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (word[i] == 0 || word[i] == UINT64_MAX) return false;
        for (size_t k = 0; k < i; k++) {
            if (word[k] == word[i]) return false;
        }
    }
    return true;
}

/* The first time more is drawn than is used, as a test. A source that fails is never asked again; one that has nothing
 * now is. */
static bool draw(struct entropy_source *s, uint64_t seed[SEED_BYTES / 8])
{
    uint64_t word[HEALTH_DRAWS];
    size_t bytes = s->is_tested ? SEED_BYTES : sizeof word;
    if (s->is_dead || !s->fill(s->ctx, word, bytes)) return false;
    s->is_tested = true;
    s->is_dead = !is_healthy(word, bytes / 8);
    memcpy(seed, word, SEED_BYTES);
    memset(word, 0, sizeof word);
    return !s->is_dead;
}

static bool mix_sources(struct entropy_pool *p)
{
    uint64_t seed[SEED_BYTES / 8];
    struct blake2s hash;
    bool is_any = false;
    begin_mix(p, &hash);
    for (unsigned i = 0; i < p->source_count; i++) {
        if (!draw(&p->source[i], seed)) continue;
        blake2s_update(&hash, seed, sizeof seed);
        is_any = true;
    }
    uint64_t times[] = { p->now(), arch_wall_time_s() };   /* worth nothing, and do no harm */
    blake2s_update(&hash, times, sizeof times);
    blake2s_final(&hash, p->key);
    return is_any;
}

static bool mix_jitter(struct entropy_pool *p)
{
    struct blake2s hash;
    begin_mix(p, &hash);
    bool is_good = jitter_collect(p->now, SEED_BITS, &hash);
    blake2s_final(&hash, p->key);
    return is_good;
}

static bool seed(struct entropy_pool *p)
{
    if (p->is_hopeless) return false;
    bool is_due = p->is_seeded && (p->read_bytes >= RESEED_BYTES || p->now() - p->seeded_ns >= RESEED_NS);
    if (p->is_seeded && !is_due) return true;
    bool is_any = mix_sources(p) || p->given;
    if (!p->is_seeded && !is_any) is_any = p->has_jitter = mix_jitter(p);
    p->is_hopeless = !p->is_seeded && !is_any;
    p->is_seeded |= is_any;
    p->seeded_ns = p->now();
    p->read_bytes = 0;
    return p->is_seeded;
}

/* Half of the first block is the next key. */
static void generate(struct entropy_pool *p, uint8_t *out, size_t size_bytes)
{
    static const uint32_t nonce[3] = { 0, 0, 0 };         /* a key is used once */
    uint8_t key[CHACHA20_KEY_BYTES], block[CHACHA20_BLOCK_BYTES];
    memcpy(key, p->key, sizeof key);
    size_t skip = sizeof key;
    for (uint32_t counter = 0; counter == 0 || size_bytes; counter++, skip = 0) {
        chacha20_block(key, counter, nonce, block);
        if (counter == 0) memcpy(p->key, block, sizeof p->key);
        size_t n = sizeof block - skip < size_bytes ? sizeof block - skip : size_bytes;
        memcpy(out, block + skip, n);
        out += n;
        size_bytes -= n;
    }
    memset(key, 0, sizeof key);
    memset(block, 0, sizeof block);
    __asm__ volatile("" : : "r"(key), "r"(block) : "memory");      /* the stack is wiped, whatever the compiler thinks */
}

/* ---- the door ---- */

bool entropy_pool_source(struct entropy_pool *p, const char *name, entropy_fill_fn *fill, void *ctx)
{
    spin_lock(&p->lock);
    bool is_room = p->source_count < ENTROPY_MAX_SOURCES;
    if (is_room) p->source[p->source_count++] = (struct entropy_source){ .name = name, .fill = fill, .ctx = ctx };
    p->is_hopeless = false;
    p->seeded_ns = 0;                                    /* the next read asks it */
    p->read_bytes = RESEED_BYTES;
    spin_unlock(&p->lock);
    return is_room;
}

void entropy_pool_give(struct entropy_pool *p, const char *name, const void *data, size_t size_bytes)
{
    struct blake2s hash;
    spin_lock(&p->lock);
    begin_mix(p, &hash);
    blake2s_update(&hash, data, size_bytes);
    blake2s_final(&hash, p->key);
    if (size_bytes >= ENTROPY_KEY_BYTES) p->given = name, p->is_hopeless = false;
    spin_unlock(&p->lock);
}

bool entropy_pool_read(struct entropy_pool *p, void *out, size_t size_bytes)
{
    uint8_t *at = out;
    for (bool is_good = true; size_bytes; ) {
        size_t n = size_bytes < READ_BYTES ? size_bytes : READ_BYTES;
        spin_lock(&p->lock);
        if ((is_good = seed(p))) generate(p, at, n);
        p->read_bytes += n;
        spin_unlock(&p->lock);
        if (!is_good) return false;
        at += n;
        size_bytes -= n;
    }
    return true;
}

const char *entropy_pool_describe(struct entropy_pool *p, char *out, size_t cap_bytes)
{
    size_t n = 0;
    spin_lock(&p->lock);
    hv_snprintf(out, cap_bytes, seed(p) ? "" : "none");
    for (unsigned i = 0; i < p->source_count && p->is_seeded && n < cap_bytes; i++) {
        const struct entropy_source *s = &p->source[i];
        n += (size_t)hv_snprintf(out + n, cap_bytes - n, "%s%s%s", n ? ", " : "", s->name,
                                 s->is_dead ? " (broken: not used)" : s->is_tested ? "" : " (dry)");
    }
    if (p->given && n < cap_bytes) n += (size_t)hv_snprintf(out + n, cap_bytes - n, "%s%s", n ? ", " : "", p->given);
    if (p->has_jitter && n < cap_bytes) hv_snprintf(out + n, cap_bytes - n, "%stiming jitter", n ? ", " : "");
    spin_unlock(&p->lock);
    return out;
}

/* ---- the machine's ---- */

static bool fill_from_cpu(void *ctx, void *out, size_t size_bytes)
{
    (void)ctx;
    uint64_t v;
    for (uint8_t *at = out; size_bytes; ) {
        size_t n = size_bytes < sizeof v ? size_bytes : sizeof v;
        if (!arch_random_u64(&v)) return false;
        memcpy(at, &v, n);
        at += n;
        size_bytes -= n;
    }
    return true;
}

static struct entropy_pool pool = { .now = arch_time_ns };
static uint32_t is_begun;                                /* atomic: 1: somebody adds the CPU's source, 2: it is there */

static struct entropy_pool *the_pool(void)
{
    uint32_t none = 0;
    if (__atomic_load_n(&is_begun, __ATOMIC_ACQUIRE) == 2) return &pool;
    if (__atomic_compare_exchange_n(&is_begun, &none, 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        if (arch_random_name()) entropy_pool_source(&pool, arch_random_name(), fill_from_cpu, NULL);
        __atomic_store_n(&is_begun, 2, __ATOMIC_RELEASE);
    }
    while (__atomic_load_n(&is_begun, __ATOMIC_ACQUIRE) != 2) arch_cpu_relax();
    return &pool;
}

bool entropy_source(const char *name, entropy_fill_fn *fill, void *ctx)       { return entropy_pool_source(the_pool(), name, fill, ctx); }
void entropy_give(const char *name, const void *data, size_t size_bytes)      { entropy_pool_give(the_pool(), name, data, size_bytes); }
bool entropy_read(void *out, size_t size_bytes)                               { return entropy_pool_read(the_pool(), out, size_bytes); }
const char *entropy_describe(char *out, size_t cap_bytes)                     { return entropy_pool_describe(the_pool(), out, cap_bytes); }
