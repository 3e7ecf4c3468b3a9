// SPDX-License-Identifier: Apache-2.0
/* Sorts out what RAM is whose: from a loader's ranges, minus what is taken, to free ranges. Plain computing, so it is
 * tested hosted as well. */
#pragma once
#include "hv/base/types.h"

struct memory_range { uint64_t base, end; };

/* What is left of [base, end) without the holes (in any order, they may overlap) goes to `use`, in rising order and with
 * whole pages only. */
void memory_subtract(uint64_t base, uint64_t end, const struct memory_range *holes, unsigned count,
                     void (*use)(void *ctx, uint64_t base, uint64_t end), void *ctx);
