// SPDX-License-Identifier: Apache-2.0
/* Pages for unit tests: one pool for the whole program, filled at the first call. Single thread. */
#pragma once
#include <sys/mman.h>
#include "hv/core/page.h"

#define TEST_POOL_BYTES MIB(96)

static inline void test_pages(void)
{
    static bool is_done;
    if (is_done) return;
    is_done = true;
    void *at = mmap(NULL, TEST_POOL_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED) page_add_range(host_addr_make(at), TEST_POOL_BYTES);
}
