// SPDX-License-Identifier: Apache-2.0
/* The inside of guests at EL1: what el2*.c share. */
#pragma once
#include "hv/arch/aarch64/aarch64.h"
#include "hv/arch/aarch64/stage2.h"
#include "hv/arch/hw_arm64.h"
#include "hv/arch/spin.h"

struct hw_vm {
    struct stage2   stage2;
    struct spinlock lock;                                    /* of the tables */
    const struct hw_memory *memory;
    uint64_t        vttbr;
    unsigned        vmid;
    uint32_t        last_ran[ARCH_MAX_CPUS];                 /* on each core: its vCPU there, + 1 */
};

struct hw_vcpu {
    struct hw_vm *vm;
    unsigned      id;
    int           core;                                      /* where its state is; -1: in the frame and the slots */
    bool          has_fp;                                    /* V0 to V31 too */
};

/* This core's number; at EL2. */
static inline unsigned el2_core(void) { return ((const struct aarch64_cpu *)AARCH64_READ(tpidr_el2))->id; }

/* el2_enter.S. Interrupts masked. -> which vector brought it back: 0 synchronous, 1 IRQ, 2 FIQ, 3 SError. */
unsigned el2_enter(uint64_t *x0_to_x30, uint64_t *sp_el0);
void     el2_load_fp(const uint64_t *v0);
void     el2_save_fp(uint64_t *v0);

/* el2_gic.c: the virtual CPU interface of this core. */
const char *el2_gic_init(const struct aarch64_platform *p);  /* why there is none, or NULL */
unsigned el2_gic_version(void);
unsigned el2_gic_lr_count(void);
void     el2_gic_load(const struct arm64_frame *f);          /* the vCPU comes to this core */
void     el2_gic_put(struct arm64_frame *f);                 /* and leaves it */
uint64_t el2_gicv(void);                                     /* physical address of the GICv2's guest interface, or 0 */

/* Of each core, that core's: list registers that may hold something; and whether it is on, with none that does, and so has nothing
 * to say of itself. That is how most guests come and go, and then nothing is touched. */
struct el2_gic_core { uint32_t written; bool is_empty; };
extern struct el2_gic_core el2_gic_cores[ARCH_MAX_CPUS];
void el2_gic_write(const struct arm64_frame *f, struct el2_gic_core *c);
void el2_gic_read(struct arm64_frame *f);
static inline void el2_gic_enter(const struct arm64_frame *f, struct el2_gic_core *c)      /* list registers in */
{
    if (!c->is_empty || f->lr_count) el2_gic_write(f, c);
}
static inline void el2_gic_exit(struct arm64_frame *f, const struct el2_gic_core *c)       /* and out; quiet afterwards */
{
    if (!c->is_empty) el2_gic_read(f);
}

/* el2_timer.c: the virtual timer's interrupt, which says "the guest's timer is due" by an exit, once. */
void     el2_timer_init(const struct aarch64_platform *p);
void     el2_timer_load(const struct arm64_frame *f);
void     el2_timer_put(struct arm64_frame *f);
extern bool el2_timer_is_off[ARCH_MAX_CPUS];                 /* its interrupt, on each core; that core's */
void     el2_timer_on(unsigned core);                        /* again; interrupts masked */
static inline bool el2_timer_is_due(void)                    /* enabled, not masked, and its condition holds */
{
    return (AARCH64_READ(cntv_ctl_el0) & 7) == 5;
}
