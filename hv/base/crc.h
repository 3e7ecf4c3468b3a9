// SPDX-License-Identifier: Apache-2.0
/* Checksums of what lies on disks. `before` is 0, or the result over the bytes in front, to go on. Any context. */
#pragma once
#include "hv/base/types.h"

uint32_t crc32(uint32_t before, const void *bytes, size_t n);      /* IEEE 802.3: GPT */
uint32_t crc32c(uint32_t before, const void *bytes, size_t n);     /* Castagnoli: our own */
