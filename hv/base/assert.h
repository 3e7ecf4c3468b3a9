// SPDX-License-Identifier: Apache-2.0
/* A broken invariant of ours: prints and stops the machine. Never reachable by a guest's doing. */
#pragma once
#include "hv/base/types.h"

NORETURN void panic(const char *format, ...) PRINTF(1, 2);      /* body in hv/core/panic.c */

#define ASSERT(x) do { if (unlikely(!(x))) panic("%s:%d: %s", __FILE__, __LINE__, #x); } while (0)
