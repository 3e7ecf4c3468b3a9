// SPDX-License-Identifier: Apache-2.0
/* A wire. Whoever raises it knows neither the chip nor the vCPU behind it.
 * A device may raise it while it holds its own lock: the sink takes at most an interrupt chip's lock (which ranks after
 * device locks) and then sets atomic pins. Any context but interrupt handlers of the host. */
#pragma once
#include "hv/base/types.h"

/* One wire: where it ends and which input that is. A line without a sink goes nowhere. */
struct irq_line { void (*set)(void *sink, uint32_t pin, bool level); void *sink; uint32_t pin; };

/* Puts the level on the wire; the sink remembers it. */
static inline void irq_line_set(const struct irq_line *l, bool level)
{
    if (l->set) l->set(l->sink, l->pin, level);
}
