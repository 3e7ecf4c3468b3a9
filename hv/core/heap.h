// SPDX-License-Identifier: Apache-2.0
/* Small objects over pages, for boot and for the creation of VMs; nothing on a guest's path allocates. Cleared to zero.
 * Own lock; any core, not in interrupt context. */
#pragma once
#include "hv/base/types.h"

NODISCARD void *heap_alloc(size_t size_bytes);        /* 16-byte aligned, page aligned from 4 KiB; NULL when empty */
void            heap_free(void *at);                  /* NULL is fine */
uint64_t        heap_used_bytes(void);
/* Test hook: the n-th allocation from now fails, once (0: never). Returns how many were left until the last one's; 0: it has failed. */
uint64_t        heap_fail_at(uint64_t n);
