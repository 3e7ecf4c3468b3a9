// SPDX-License-Identifier: Apache-2.0
// An error that nobody looks at.
// error: ignoring return value of 'mmu_write'
// error: ignoring return value of function declared with 'warn_unused_result'
#include "hv/mmu/mmu.h"
void f(struct mmu *m);
void f(struct mmu *m) { mmu_write(m, guest_addr_make(0x1000), 8, 1); }
