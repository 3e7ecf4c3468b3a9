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
void     el2_gic_enter(const struct arm64_frame *f);         /* list registers in */
void     el2_gic_exit(struct arm64_frame *f);                /* and out; quiet afterwards */
uint64_t el2_gicv(void);                                     /* physical address of the GICv2's guest interface, or 0 */

/* el2_timer.c: the virtual timer's interrupt, which says "the guest's timer is due" by an exit, once. */
void     el2_timer_init(const struct aarch64_platform *p);
void     el2_timer_load(const struct arm64_frame *f);
void     el2_timer_put(struct arm64_frame *f);
void     el2_timer_enter(bool is_due);                       /* as it was just before: the guest knows of it then */
bool     el2_timer_is_due(void);
