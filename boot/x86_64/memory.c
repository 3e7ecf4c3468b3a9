// SPDX-License-Identifier: Apache-2.0
/* Ranges minus ranges; see memory.h. */
#include "boot/x86_64/memory.h"
#include "hv/base/bits.h"

void memory_subtract(uint64_t base, uint64_t end, const struct memory_range *holes, unsigned count,
                     void (*use)(void *ctx, uint64_t base, uint64_t end), void *ctx)
{
    const uint64_t top = align_down(UINT64_MAX, HV_PAGE_BYTES);
    if (base > top) return;
    base = align_up(base, HV_PAGE_BYTES);
    end = align_down(end, HV_PAGE_BYTES);
    while (base < end) {
        uint64_t next = end, resume = end;
        for (unsigned i = 0; i < count; i++) {
            uint64_t from = align_down(holes[i].base, HV_PAGE_BYTES), to = holes[i].end > top ? top : align_up(holes[i].end, HV_PAGE_BYTES);
            if (to <= base || from >= end || holes[i].end <= holes[i].base || from > next || (from == next && next != end)) continue;
            next = from > base ? from : base;
            resume = to;
        }
        if (next > base) use(ctx, base, next);
        if (next == end) return;
        base = resume;
    }
}
