// SPDX-License-Identifier: Apache-2.0
/* Bit fields, alignment and byte order. Pure functions: any context. */
#pragma once
#include "hv/base/types.h"

/* Bits hi..lo of x, both inclusive, shifted down to bit 0. */
static inline uint64_t bits64(uint64_t x, unsigned hi, unsigned lo)
{
    return (x >> lo) & (hi - lo == 63 ? ~0ull : (1ull << (hi - lo + 1)) - 1);
}
static inline uint64_t bit64(unsigned n)                        { return 1ull << n; }
/* x's low `width` bits as a signed number. */
static inline int64_t  sign_extend64(uint64_t x, unsigned width) { return (int64_t)(x << (64 - width)) >> (64 - width); }
static inline uint64_t align_down(uint64_t x, uint64_t to)      { return x & ~(to - 1); }
static inline uint64_t align_up(uint64_t x, uint64_t to)        { return (x + to - 1) & ~(to - 1); }
static inline bool     is_power_of_two(uint64_t x)              { return x && !(x & (x - 1)); }
static inline unsigned log2_floor(uint64_t x)                   { return 63u - (unsigned)__builtin_clzll(x); }

/* Unaligned little- and big-endian access to bytes. */
static inline uint16_t load_le16(const void *p) { uint16_t v; __builtin_memcpy(&v, p, 2); return v; }
static inline uint32_t load_le32(const void *p) { uint32_t v; __builtin_memcpy(&v, p, 4); return v; }
static inline uint64_t load_le64(const void *p) { uint64_t v; __builtin_memcpy(&v, p, 8); return v; }
static inline void     store_le16(void *p, uint16_t v) { __builtin_memcpy(p, &v, 2); }
static inline void     store_le32(void *p, uint32_t v) { __builtin_memcpy(p, &v, 4); }
static inline void     store_le64(void *p, uint64_t v) { __builtin_memcpy(p, &v, 8); }
static inline uint16_t load_be16(const void *p) { return __builtin_bswap16(load_le16(p)); }
static inline uint32_t load_be32(const void *p) { return __builtin_bswap32(load_le32(p)); }
static inline uint64_t load_be64(const void *p) { return __builtin_bswap64(load_le64(p)); }
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "both host CPUs are little-endian");
