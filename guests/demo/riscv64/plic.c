// SPDX-License-Identifier: Apache-2.0
/* The platform-level interrupt controller (RISC-V PLIC 1.0.0, chapter 3). Only the boot hart takes its
 * interrupts. */
#include "demo.h"

enum { PRIORITY = 0, ENABLE = 0x2000, ENABLE_STRIDE = 0x80, CONTEXT = 0x200000, CONTEXT_STRIDE = 0x1000 };
enum { THRESHOLD = 0, CLAIM = 4, SOURCES_MAX = 64 };

static void (*handlers[SOURCES_MAX])(void);

static volatile u32 *reg(u64 offset)
{
    return (volatile u32 *)(machine.plic.base + offset);
}

static u64 context(u64 offset)
{
    return CONTEXT + CONTEXT_STRIDE * (u64)harts[0].plic_context + offset;
}

void plic_init(void)
{
    if (machine.plic.base) {
        *reg(context(THRESHOLD)) = 0;
        csr_set(sie, SIE_EXTERNAL);
    }
}

void plic_enable(u32 irq, void (*handler)(void))
{
    if (machine.plic.base && irq && irq < SOURCES_MAX) {
        handlers[irq] = handler;
        *reg(PRIORITY + 4ul * irq) = 1;
        *reg(ENABLE + ENABLE_STRIDE * (u64)harts[0].plic_context + 4ul * (irq / 32)) |= 1u << irq % 32;
    }
}

void plic_interrupt(void)
{
    for (u32 irq; (irq = *reg(context(CLAIM)));) {
        if (irq < SOURCES_MAX && handlers[irq]) {
            handlers[irq]();
        }
        *reg(context(CLAIM)) = irq;
    }
}
