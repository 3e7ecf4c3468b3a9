// SPDX-License-Identifier: Apache-2.0
/* printf-like formatting: %d %i %u %x %X %c %s %p %% with width, precision, '-', '0', '+', '#', and h hh l ll z j t.
 * No floating point. Any context. */
#pragma once
#include <stdarg.h>
#include "hv/base/types.h"

int hv_vsnprintf(char *out, size_t cap_bytes, const char *format, va_list args) PRINTF(3, 0);
int hv_snprintf(char *out, size_t cap_bytes, const char *format, ...) PRINTF(3, 4);
/* Parses a whole number with an optional 0x prefix and, if `suffix`, K, M or G (binary). False: not a number, or too big. */
bool hv_parse_u64(const char *text, bool suffix, uint64_t *out);
