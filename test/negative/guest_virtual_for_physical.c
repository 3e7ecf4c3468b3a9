// SPDX-License-Identifier: Apache-2.0
// A guest-virtual address where a guest-physical one belongs.
// error: incompatible type for argument 1 of 'guest_phys_addr_value'
// error: passing 'guest_addr'.* to parameter of incompatible type 'guest_phys_addr'
#include "hv/base/types.h"
uint64_t f(guest_addr a);
uint64_t f(guest_addr a) { return guest_phys_addr_value(a); }
