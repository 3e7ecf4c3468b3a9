// SPDX-License-Identifier: Apache-2.0
/* A guest's interrupt distributor: GICv2 (IHI 0048) or GICv3 with affinity routing and one security state (IHI 0069). The CPU
 * interface is the CPU's own: before a vCPU runs, gic_load says what its list registers shall hold, afterwards gic_save takes back
 * what became of it. Anything may change meanwhile; `notify` then says which vCPU has to come out and load anew. State belongs to
 * the chip's own lock, which ranks after the devices'. */
#pragma once
#include "hv/arch/hw_arm64.h"
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define GIC_PRIVATE   32u                    /* INTIDs below: SGIs (0 to 15) and PPIs, each vCPU has its own */
#define GIC_SPIS      96u
#define GIC_IRQS      (GIC_PRIVATE + GIC_SPIS)
#define GIC_MAX_CPUS  64u
#define GIC_V2_CPUS   8u
#define GICD_BYTES    0x10000u
#define GICR_BYTES    0x20000u               /* of each vCPU */

struct gic_config {
    unsigned version, cpu_count;             /* 2 or 3 */
    void    *ctx;
    /* The vCPU has to load anew: something became pending, or what it has loaded has changed. Any thread, the chip's lock is held. */
    void   (*notify)(void *ctx, unsigned cpu);
    unsigned (*accessor)(void *ctx);         /* which vCPU accesses registers now: some are each vCPU's own */
    uint64_t (*mpidr)(unsigned cpu);         /* affinity fields */
};
struct gic;
NODISCARD struct vm_error gic_create(const struct gic_config *c, struct gic **out);
/* The registers. The distributor's region owns the chip; the redistributors' (version 3) must go with it. */
struct mmio_region gic_distributor(struct gic *g, guest_phys_addr base);
struct mmio_region gic_redistributors(struct gic *g, guest_phys_addr base);

/* irq_line sinks: of an SPI, by its INTID; and of a PPI. Any thread. */
void gic_set_spi(void *gic, uint32_t intid, bool level);
void gic_set_ppi(struct gic *g, unsigned cpu, uint32_t intid, bool level);

/* -> how many of lr[0..cap) are to be loaded; *wants_room: more is pending. */
unsigned gic_load(struct gic *g, unsigned cpu, uint64_t *lr, unsigned cap, bool *wants_room);
void     gic_save(struct gic *g, unsigned cpu, const uint64_t *lr, unsigned count);
/* After gic_save: `cpu` has ended an active interrupt, which the CPU has not done because it was in no list register: by its INTID
 * (ICC_DIR_EL1), or only their number is known (EOICount). */
void     gic_deactivate(struct gic *g, unsigned cpu, uint32_t intid);
void     gic_deactivate_unlisted(struct gic *g, unsigned cpu, unsigned count);
/* An enabled interrupt waits for this vCPU: one that is active does not count, it would not be taken. */
bool     gic_is_pending(const struct gic *g, unsigned cpu);
/* ICC_SGI1R_EL1 as written by `cpu`. */
void     gic_send_sgi(struct gic *g, unsigned cpu, uint64_t sgi1r);
