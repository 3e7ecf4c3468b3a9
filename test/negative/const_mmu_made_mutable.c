// SPDX-License-Identifier: Apache-2.0
// A constant MMU does not become a mutable one by a down-cast.
// error: (discards|passing argument 1 of 'mmu_as_any_mut' discards) 'const' qualifier
// error: .*'const struct mmu \*' .* discards qualifiers
#include "hv/mmu/mmu.h"
struct mmu *f(const struct mmu *m);
struct mmu *f(const struct mmu *m) { return mmu_as_any_mut((struct mmu *)0 ? 0 : m, &MMU_SOFT_TLB); }
