// SPDX-License-Identifier: Apache-2.0
// Plain arithmetic on an address: only the wrapping functions do that.
// error: invalid operands to binary \+
// error: invalid operands to binary expression
#include "hv/base/types.h"
guest_addr f(guest_addr a);
guest_addr f(guest_addr a) { return a + 8; }
