// SPDX-License-Identifier: Apache-2.0
/* Host pages of 4 KiB, in runs. Boot hands over the free RAM once; guests' RAM, pools and tables come from here.
 * Own lock; any core, not in interrupt context. */
#pragma once
#include "hv/base/error.h"

void     page_add_range(host_addr from, uint64_t size_bytes);       /* boot only; the range is the allocator's from now on */
/* `count` contiguous pages, aligned to align_pages (a power of two); NULL when there is no such run. Not cleared. */
NODISCARD void *page_alloc(uint64_t count, uint64_t align_pages);
void     page_free(void *at, uint64_t count);
uint64_t page_total(void);                                           /* pages ever added */
uint64_t page_available(void);                                       /* pages free now */
/* Test hook: the n-th allocation from now fails, once (0: never). Returns how many were left until the last one's; 0: it has failed. */
uint64_t page_fail_at(uint64_t n);
