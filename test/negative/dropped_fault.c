// SPDX-License-Identifier: Apache-2.0
// A fault on the hot path that nobody looks at.
// error: ignoring return value of 'mmu_load'
// error: ignoring return value of function declared with 'warn_unused_result'
#include "hv/mmu/mmu.h"
void f(struct mmu *m, uint64_t *out, struct fault *why);
void f(struct mmu *m, uint64_t *out, struct fault *why) { mmu_load(m, guest_addr_make(0x1000), 8, out, why); }
