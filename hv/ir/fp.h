// SPDX-License-Identifier: Apache-2.0
/* The IR's floating point: IEEE 754-2008 on raw bits, bit-exact with flags. Bodies lean on SoftFloat; the common case
 * (nearest-even, inexact already set, normal operands and result) runs on the host FPU. State is the vCPU's. */
#pragma once
#include "hv/base/types.h"

enum fp_flag { FP_INEXACT = 1, FP_UNDERFLOW = 2, FP_OVERFLOW = 4, FP_DIV_BY_ZERO = 8, FP_INVALID = 16 };
enum fp_round { FP_RNE, FP_RTZ, FP_RDN, FP_RUP, FP_RMM, FP_ROUND_DYNAMIC = 7 };   /* DYNAMIC: fp_env.round */
/* What guests disagree on, as data of the machine. (Propagating rules join when a guest needs them.) */
enum fp_nan_rule { FP_NAN_CANONICAL };
struct fp_env { uint8_t round, flags, nan_rule, is_tiny_before; };
#define FP64_CANONICAL_NAN 0x7ff8000000000000ull
#define FP32_CANONICAL_NAN 0x7fc00000u
