// SPDX-License-Identifier: Apache-2.0
// An address where a bare number belongs.
// error: incompatible types when returning type 'guest_addr'
// error: returning 'guest_addr' from a function with incompatible result type
#include "hv/base/types.h"
uint64_t f(guest_addr a);
uint64_t f(guest_addr a) { return a; }
