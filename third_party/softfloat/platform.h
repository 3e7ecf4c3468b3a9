// SPDX-License-Identifier: Apache-2.0
/* SoftFloat's view of the machine: little-endian, gcc's bit counts and 128-bit integers. */
#pragma once
#define LITTLEENDIAN 1
#define INLINE static inline
#define THREAD_LOCAL
#define SOFTFLOAT_BUILTIN_CLZ 1
#define SOFTFLOAT_INTRINSIC_INT128 1
#include "opts-GCC.h"
