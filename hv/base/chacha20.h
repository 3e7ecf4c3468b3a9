// SPDX-License-Identifier: Apache-2.0
/* The ChaCha20 block function (RFC 8439, 2.3). */
#pragma once
#include "hv/base/types.h"

#define CHACHA20_KEY_BYTES   32u
#define CHACHA20_BLOCK_BYTES 64u

/* Block number `counter` of the key stream for this key and nonce. */
void chacha20_block(const uint8_t key[CHACHA20_KEY_BYTES], uint32_t counter, const uint32_t nonce[3], uint8_t out[CHACHA20_BLOCK_BYTES]);
