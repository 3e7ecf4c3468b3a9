// SPDX-License-Identifier: Apache-2.0
/* An Arm PrimeCell PL031 real-time clock (DDI 0224): seconds since 1970, one alarm. State belongs to the device's own lock; the
 * alarm fires in some core's loop. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define PL031_BYTES 0x1000u

/* wall_time_s is read once, at creation; the monotonic clock carries on from there. */
NODISCARD struct vm_error pl031_create(guest_phys_addr base, struct irq_line irq, uint64_t (*wall_time_s)(void), struct mmio_region *out);
