// SPDX-License-Identifier: Apache-2.0
// A guest-physical address where a guest-virtual one belongs.
// error: incompatible type for argument 1 of 'guest_addr_wrapping_add'
// error: passing 'guest_phys_addr'.* to parameter of incompatible type 'guest_addr'
#include "hv/base/types.h"
guest_addr f(guest_phys_addr a);
guest_addr f(guest_phys_addr a) { return guest_addr_wrapping_add(a, 8); }
