// SPDX-License-Identifier: Apache-2.0
/* The two 8259A interrupt controllers of a PC, cascaded at input 2, with their edge/level registers (4D0H, 4D1H). One lock for
 * both, which ranks with the I/O APIC's. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

/* ports: where on the bus port 0 is. `out` is the wire to the CPU, a level. Makes three regions: master, slave, edge/level. */
struct i8259_config { uint64_t ports; struct irq_line out; };
enum { I8259_MASTER, I8259_SLAVE, I8259_EDGES, I8259_REGIONS };
NODISCARD struct vm_error i8259_create(const struct i8259_config *c, struct mmio_region out[I8259_REGIONS]);
struct irq_line i8259_line(void *pics, unsigned input);          /* 0..15 */
bool            i8259_is_waiting(void *pics);                    /* its wire is up */
uint8_t         i8259_acknowledge(void *pics);                   /* the CPU takes the interrupt: its vector */
