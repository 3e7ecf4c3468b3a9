// SPDX-License-Identifier: Apache-2.0
// Translating what is physical already.
// error: incompatible type for argument 2 of 'mmu_translate'
// error: passing 'guest_phys_addr'.* to parameter of incompatible type 'guest_addr'
#include "hv/mmu/mmu.h"
struct vm_error f(struct mmu *m, guest_phys_addr a, guest_phys_addr *out);
struct vm_error f(struct mmu *m, guest_phys_addr a, guest_phys_addr *out) { return mmu_translate(m, a, ACCESS_READ, out); }
