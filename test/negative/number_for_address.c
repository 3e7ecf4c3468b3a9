// SPDX-License-Identifier: Apache-2.0
// A bare number where an address belongs.
// error: incompatible type for argument 1 of 'guest_addr_value'
// error: passing 'unsigned long' to parameter of incompatible type 'guest_addr'
#include "hv/base/types.h"
uint64_t f(void);
uint64_t f(void) { return guest_addr_value(0x1000ul); }
