// SPDX-License-Identifier: Apache-2.0
#include "hv/jit/target.h"
const struct jit_target JIT_A64 = { .name = "a64" };
