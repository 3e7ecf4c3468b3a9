// SPDX-License-Identifier: Apache-2.0
/* The input of a fuzz target, and the harness's doors; see input.h. */
#include "test/fuzz/input.h"

static const uint8_t *at;
static size_t left;

void input_start(const uint8_t *data, size_t size_bytes)
{
    at = data;
    left = size_bytes;
}

size_t input_left(void) { return left; }

uint64_t input_number(unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes && left; i++, left--) v |= (uint64_t)*at++ << 8 * i;
    return v;
}

uint8_t *input_rest(size_t *size_bytes)
{
    uint8_t *copy = malloc(left ? left : 1);
    if (!copy) abort();
    if (left) memcpy(copy, at, left);
    *size_bytes = left;
    left = 0;
    return copy;
}

/* Small numbers as they are, since most draws are among a few; and when nothing is left, a sequence that goes on. */
uint64_t test_random(void)
{
    static uint64_t state;
    if (left) {
        uint64_t v = input_number(2);
        state = v;
        return v & 0x8000 ? v * 0x9e3779b97f4a7c15u : v;
    }
    uint64_t z = state += 0x9e3779b97f4a7c15u;                   /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void test_register(struct test *t) { (void)t; }
