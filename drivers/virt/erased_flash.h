// SPDX-License-Identifier: Apache-2.0
/* Where a board has flash with nothing in it: reads as ones, and nothing can be put there. */
#pragma once
#include "hv/mmu/mmio.h"

/* No state: the same region may be given to several buses. */
struct mmio_region erased_flash(guest_phys_addr base, uint64_t size_bytes);
