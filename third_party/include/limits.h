// SPDX-License-Identifier: Apache-2.0
/* <limits.h> of freestanding images: the compiler's own includes a hosted one. */
#pragma once
#define CHAR_BIT  8
#define INT_MAX   __INT_MAX__
#define INT_MIN   (-INT_MAX - 1)
#define UINT_MAX  (INT_MAX * 2u + 1u)
#define LONG_MAX  __LONG_MAX__
#define ULONG_MAX (LONG_MAX * 2ul + 1ul)
