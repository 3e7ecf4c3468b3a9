// SPDX-License-Identifier: Apache-2.0
/* 16 bytes at once, as an instruction: compilers would call a library. `p` is aligned to 16 bytes. Any context. */
#pragma once
#include "hv/base/types.h"

/* Compare and swap, sequentially consistent. False: *expected is what was there, read in one piece. */
static inline bool atomic_cas128(void *p, uint64_t expected[2], const uint64_t desired[2])
{
#if defined(__x86_64__)
    bool is_done;
    __asm__ volatile("lock cmpxchg16b %1" : "=@ccz"(is_done), "+m"(*(unsigned __int128 *)p), "+a"(expected[0]), "+d"(expected[1])
                     : "b"(desired[0]), "c"(desired[1]) : "memory");
    return is_done;
#elif defined(__aarch64__)
    uint64_t low, high, put_low, put_high;
    uint32_t is_lost;
    bool is_same;
    do {                                            /* what was read counts only when the store that follows succeeds */
        __asm__ volatile("ldaxp %0, %1, [%2]" : "=&r"(low), "=&r"(high) : "r"(p) : "memory");
        is_same = low == expected[0] && high == expected[1];
        put_low = is_same ? desired[0] : low;
        put_high = is_same ? desired[1] : high;
        __asm__ volatile("stlxp %w0, %1, %2, [%3]" : "=&r"(is_lost) : "r"(put_low), "r"(put_high), "r"(p) : "memory");
    } while (is_lost);
    __asm__ volatile("dmb ish" ::: "memory");
    expected[0] = low;
    expected[1] = high;
    return is_same;
#else
#error "no 16-byte compare and swap for this CPU"
#endif
}

static inline void atomic_load128(void *p, uint64_t out[2])
{
    out[0] = out[1] = 0;
    (void)atomic_cas128(p, out, (const uint64_t[2]){ 0, 0 });    /* zero over zero, or the value */
}
