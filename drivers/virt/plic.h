// SPDX-License-Identifier: Apache-2.0
/* The platform-level interrupt controller. All sources are level-triggered: a source whose wire is high is pending
 * until somebody claims it, and again if the wire is high at the completion. State belongs to the chip's own lock, which ranks after the devices'. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define PLIC_MAX_SOURCES  1024u
#define PLIC_MAX_CONTEXTS 128u
/* The size of the window for so many contexts. */
#define PLIC_BYTES(contexts) (0x200000ull + 0x1000ull * (contexts))

struct plic_config {
    guest_phys_addr        base;
    uint64_t               size_bytes;        /* at least PLIC_BYTES(context_count) */
    unsigned               source_count;      /* source 0, which is none, included */
    unsigned               context_count;
    const struct irq_line *output;            /* one a context; copied */
};
NODISCARD struct vm_error plic_create(const struct plic_config *c, struct mmio_region *out);

void plic_set_source(void *plic, uint32_t source, bool level);            /* an irq_line sink; any thread */
static inline struct irq_line plic_line(void *plic, uint32_t source) { return (struct irq_line){ plic_set_source, plic, source }; }
