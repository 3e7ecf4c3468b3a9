// SPDX-License-Identifier: Apache-2.0
/* BLAKE2s with 32 bytes of result and no key (RFC 7693). */
#pragma once
#include "hv/base/types.h"

#define BLAKE2S_BYTES 32u

/* What was hashed so far; nobody else looks in. */
struct blake2s { uint32_t h[8]; uint64_t hashed_bytes; uint8_t block[64]; unsigned block_bytes; };

/* In this order; `update` as often as there is something. */
void blake2s_init(struct blake2s *b);
void blake2s_update(struct blake2s *b, const void *data, size_t size_bytes);
void blake2s_final(struct blake2s *b, uint8_t out[BLAKE2S_BYTES]);
