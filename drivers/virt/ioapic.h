// SPDX-License-Identifier: Apache-2.0
/* An I/O APIC of 24 inputs (82093AA, version 11H and with an EOI register 20H). State belongs to its own lock, which is held
 * while a message is sent: the receiver's lock ranks after it. */
#pragma once
#include "drivers/virt/lapic.h"

#define IOAPIC_BASE   0xfec00000u
#define IOAPIC_BYTES  0x1000u
#define IOAPIC_INPUTS 24u

/* `send` gets each interrupt. */
struct ioapic_config { guest_phys_addr base; unsigned id; void *ctx; void (*send)(void *ctx, const struct lapic_message *m); };
NODISCARD struct vm_error ioapic_create(const struct ioapic_config *c, struct mmio_region *out);
struct irq_line ioapic_line(void *ioapic, unsigned input);
/* A level-triggered interrupt of that vector has been served: still asserted inputs send again. */
void ioapic_end(void *ioapic, uint8_t vector);
