// SPDX-License-Identifier: Apache-2.0
/* The inside of a guest's GIC: what gic.c (states and list registers) and gic_registers.c share. All below: lock held. */
#pragma once
#include "drivers/virt/gic.h"

struct gic_irq {
    bool     is_enabled, is_edge, is_group1;
    bool     line;                           /* the wire, of level interrupts */
    bool     latch;                          /* pending on its own: an edge, or written so */
    bool     is_active, is_loaded;           /* loaded: in list registers of the vCPU loaded_on, which runs */
    bool     is_latch_loaded;                /* it is pending there because its latch was: which is down meanwhile, for the next */
    bool     is_deactivated;                 /* somebody wrote so while it was loaded */
    uint8_t  priority;
    uint8_t  sources;                        /* GICv2's SGIs: which vCPUs sent it */
    uint8_t  active_source;
    uint8_t  targets;                        /* GICv2's SPIs: mask of vCPUs */
    uint8_t  active_on;                      /* the vCPU that acknowledged it */
    uint8_t  loaded_on;
    uint8_t  ready_on;                       /* in whose `ready` and `due` its bit may be */
    uint64_t route;                          /* GICv3's SPIs: GICD_IROUTER */
};
struct gic_cpu {
    struct gic_irq irq[GIC_PRIVATE];
    /* Written under the lock, read by anyone. */
    uint64_t       ready[GIC_IRQS / 64];     /* to be loaded: enabled and pending, or active */
    uint64_t       due[GIC_IRQS / 64];       /* of these, what would interrupt now: pending, and not active */
    bool           is_asleep;                /* GICR_WAKER */
};
struct gic {
    struct spinlock   lock;
    struct gic_config config;
    uint32_t          ctlr;                  /* GICD_CTLR: the enables */
    struct gic_irq    spi[GIC_SPIS];
    struct gic_cpu    cpu[];
};
#define GICD_ENABLE_GROUP0 1u
#define GICD_ENABLE_GROUP1 2u

struct gic_irq *gic_irq_of(struct gic *g, unsigned cpu, uint32_t intid);
bool            gic_irq_is_pending(const struct gic_irq *irq);               /* beyond what is loaded */
/* After any change of it: to whom it is ready. `self` is not told. */
void            gic_update(struct gic *g, unsigned cpu, uint32_t intid, unsigned self);
#define GIC_NOBODY (~0u)
void            gic_update_all(struct gic *g);
void            gic_call_out(struct gic *g, const struct gic_irq *irq);     /* whoever has it loaded brings it back */
unsigned        gic_cpu_of_route(const struct gic *g, uint64_t route);       /* or GIC_NOBODY */
