// SPDX-License-Identifier: Apache-2.0
// A host address assigned to a guest-physical one.
// error: incompatible types when assigning to type 'guest_phys_addr' from type 'host_addr'
// error: assigning to 'guest_phys_addr' from incompatible type 'host_addr'
#include "hv/base/types.h"
void f(guest_phys_addr *out, host_addr a);
void f(guest_phys_addr *out, host_addr a) { *out = a; }
