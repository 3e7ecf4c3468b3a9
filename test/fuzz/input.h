// SPDX-License-Identifier: Apache-2.0
/* What a libFuzzer target is handed, to be drawn from: whole bytes, numbers, and, for tests that draw at random, the same
 * stream as test_random. Behind its end come zeroes. */
#pragma once
#include "test/harness/test.h"
#include "test/unit/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes);

void     input_start(const uint8_t *data, size_t size_bytes);
size_t   input_left(void);
uint64_t input_number(unsigned bytes);                           /* little-endian */
/* All that is left as a block of its own size, so that one byte too far is seen. The caller frees it; never NULL. */
uint8_t *input_rest(size_t *size_bytes);
