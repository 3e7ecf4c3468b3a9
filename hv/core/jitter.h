// SPDX-License-Identifier: Apache-2.0
/* Randomness from how long the same work takes: caches, buses, other cores, and under an emulator its host. The last
 * resort of entropy.h, since nobody can say how much there is: a sample counts for an eighth of a bit, and only when the
 * clock looks alive (the tests are those of NIST SP 800-90B, 4.4, with cut-offs of our own). */
#pragma once
#include "hv/base/blake2s.h"

/* Hashes samples of `now` into `into` until they are worth `want_bits`. False: this clock's jitter cannot be relied on. */
bool jitter_collect(uint64_t (*now)(void), unsigned want_bits, struct blake2s *into);
