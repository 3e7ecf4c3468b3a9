// SPDX-License-Identifier: Apache-2.0
// What all the others are but for their one mistake: this one compiles.
// fine
#include "hv/mmu/mmu.h"
struct vm_error f(struct mmu *m, guest_phys_addr a, guest_phys_addr *out);
struct vm_error f(struct mmu *m, guest_phys_addr a, guest_phys_addr *out)
{
    guest_addr at = guest_addr_wrapping_add(guest_phys_addr_to_guest_addr(a), 8);
    return guest_addr_value(at) ? mmu_translate(m, at, ACCESS_READ, out) : mmu_write(m, at, 8, 1);
}
