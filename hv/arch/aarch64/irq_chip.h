// SPDX-License-Identifier: Apache-2.0
/* What an interrupt controller must do. Numbers are as in enum aarch64_irq_kind, whatever the chip calls them. */
#pragma once
#include "hv/arch/aarch64/aarch64.h"

#define INTID_SPI     32u
#define INTID_SPECIAL 1020u                               /* to 1023: no interrupt */

struct irq_chip {
    const char *name;
    uint32_t   intid_mask;                                /* the number's part of what `acknowledge` returns */
    uint32_t (*init)(const struct aarch64_platform *p);   /* boot core: all devices' interrupts off. -> the end of their numbers */
    void     (*init_cpu)(unsigned cpu);                   /* on that core: its own part, what others send it let in */
    void     (*enable)(uint32_t intid);                   /* below INTID_SPI: of this core; else it goes to core 0 */
    void     (*disable)(uint32_t intid);                  /* below INTID_SPI, of this core; NULL: it cannot */
    void     (*send)(unsigned cpu, uint32_t sgi);         /* any context, itself included; lost only if pending already */
    uint32_t (*acknowledge)(void);                        /* the interrupt that is pending for this core, or INTID_SPECIAL */
    void     (*end)(uint32_t token);                      /* after its handler */
};

/* gic.c and bcm2836.c */
extern const struct irq_chip aarch64_gicv2, aarch64_gicv3, aarch64_bcm2836;
