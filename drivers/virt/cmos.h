// SPDX-License-Identifier: Apache-2.0
/* The MC146818 clock of a PC with its 128 bytes of memory, ports 70H and 71H: BCD or binary, 12 or 24 hours, alarm and update
 * interrupts by a one-second timer. Setting it moves this guest's clock alone. State belongs to its own lock. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

struct cmos_config {
    uint64_t        ports;                  /* where on the bus port 0 is */
    struct irq_line irq;
    uint64_t      (*wall_time_s)(void);
    uint64_t        memory_size;            /* told as firmware tells it: 15H..18H, 30H, 31H, 34H, 35H, 5BH..5DH */
    unsigned        cpu_count;              /* 5FH: how many more */
};
NODISCARD struct vm_error cmos_create(const struct cmos_config *c, struct mmio_region *out);
