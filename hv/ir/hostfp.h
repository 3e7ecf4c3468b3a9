// SPDX-License-Identifier: Apache-2.0
/* The host FPU's share of floating point: round to nearest even with the inexact flag already set, normal or zero
 * operands, normal result. Then no flag can change and the bits are IEEE's. Files of hostfp are the only ones besides the
 * interpreter's that touch FP registers. */
#pragma once
#include "hv/ir/ir.h"

/* False: not such a case; nothing has happened. */
bool hostfp_try(enum ir_op op, enum ir_type t, uint64_t a, uint64_t b, uint64_t c, uint64_t *out);
