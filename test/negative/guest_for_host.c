// SPDX-License-Identifier: Apache-2.0
// A guest-physical address taken for a pointer into the hypervisor.
// error: incompatible type for argument 1 of 'host_addr_pointer'
// error: passing 'guest_phys_addr'.* to parameter of incompatible type 'host_addr'
#include "hv/base/types.h"
void *f(guest_phys_addr a);
void *f(guest_phys_addr a) { return host_addr_pointer(a); }
