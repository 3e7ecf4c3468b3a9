// SPDX-License-Identifier: Apache-2.0
/* Timing jitter; see jitter.h. Its one caller takes turns with itself: entropy.c's lock. */
#include "hv/core/jitter.h"

#define SAMPLES_PER_BIT 8u
#define MAX_SAMPLES     65536u
#define MAX_STUCK       64u                              /* in a row: repetition count test */
#define WINDOW          512u                             /* adaptive proportion test: */
#define MAX_SAME        410u                             /* of the window's samples as its first one */
#define MIN_WORK        64u
#define MAX_WORK        4096u                            /* steps; more where the clock is too coarse for less */

static uint8_t field[8192];

/* A walk whose next step hangs on the last one. */
static uint32_t work(uint32_t at, unsigned steps)
{
    for (; steps; steps--) {
        volatile uint8_t *p = &field[at % sizeof field];
        *p = (uint8_t)(*p * 5 + 1 + at);
        at = at * 1103515245u + 12345u + *p;
    }
    return at;
}

/* What came before, to tell a clock that only counts. */
struct trend { uint64_t delta, change; };

static bool is_stuck(struct trend *t, uint64_t delta)
{
    uint64_t change = delta - t->delta, second = change - t->change;
    *t = (struct trend){ delta, change };
    return !delta || !change || !second;
}

static bool collect(uint64_t (*now)(void), unsigned want, unsigned steps, struct blake2s *into)
{
    struct trend trend = { 0, 0 };
    unsigned good = 0, stuck_in_a_row = 0, same = 0;
    uint64_t first = 0, before = now();
    uint32_t at = (uint32_t)before;
    for (unsigned i = 0; i < MAX_SAMPLES; i++) {
        at = work(at, steps);
        uint64_t after = now(), delta = after - before;
        before = after;
        blake2s_update(into, &delta, sizeof delta);
        if (is_stuck(&trend, delta)) {
            if (++stuck_in_a_row == MAX_STUCK) return false;
        } else {
            stuck_in_a_row = 0;
            good++;
        }
        if (i % WINDOW == 0) first = delta, same = 0;
        if (delta == first && ++same > MAX_SAME) return false;
        if (good >= want && i >= WINDOW) return true;
    }
    return false;
}

bool jitter_collect(uint64_t (*now)(void), unsigned want_bits, struct blake2s *into)
{
    for (unsigned steps = MIN_WORK; steps <= MAX_WORK; steps *= 4) {
        if (collect(now, want_bits * SAMPLES_PER_BIT, steps, into)) return true;
    }
    return false;
}
