// SPDX-License-Identifier: Apache-2.0
/* What EL2 and the arm64 guest architecture say to each other: a guest's state besides x0 to x30 (slots 0 to 30) and V0 to V31
 * (slots 64 to 127, two each). Layout and names alone: every host has it. Registers: Arm ARM (DDI 0487), chapter D19. */
#pragma once
#include "hv/base/types.h"

#define ARM64_V_SLOT  64
#define ARM64_MAX_LRS 16

/* EL1 and EL0 system registers that the guest uses without our help. */
#define ARM64_SYSREG_LIST(_)                                                                                        \
    _(sctlr_el1) _(cpacr_el1) _(ttbr0_el1) _(ttbr1_el1) _(tcr_el1) _(esr_el1) _(far_el1) _(afsr0_el1) _(afsr1_el1)  \
    _(mair_el1) _(amair_el1) _(vbar_el1) _(contextidr_el1) _(elr_el1) _(spsr_el1) _(par_el1) _(csselr_el1)          \
    _(cntkctl_el1) _(sp_el1) _(tpidr_el0) _(tpidrro_el0) _(tpidr_el1)

/* A list register as GICv3 has it (ICH_LR<n>_EL2); a GICv2 guest's SGI keeps its source in bits 34:32. */
#define ARM64_LR_PENDING  (1ull << 62)
#define ARM64_LR_ACTIVE   (1ull << 63)
#define ARM64_LR_GROUP1   (1ull << 60)
#define ARM64_LR_EOI      (1ull << 41)           /* tell when the guest deactivates it */
#define ARM64_LR_SOURCE   32
#define ARM64_LR_PRIORITY 48
#define ARM64_LR_INTID    0xffffffffull

struct arm64_frame {
    /* Always here: what each entry reads and each exit writes. */
    uint64_t pstate;                             /* SPSR_EL2 */
    uint64_t esr, far, hpfar;                    /* of the exit, for HW_EXIT_MEMORY and HW_EXIT_GUEST; hpfar: as the register, always valid for MEMORY */
    bool     timer_line;                         /* after an exit: the virtual timer's condition holds, and is not masked in it */
    uint32_t lr_count, lr_was_pending;           /* list registers in use, from [0]; those that were loaded as pending, a bit each */
    bool     wants_room;                         /* there was no room for all: tell when list registers become free. On GICv3 ICC_DIR_EL1 is trapped */
    uint32_t unlisted_ends;                      /* GICv2, after an exit: so many interrupts ended that were in no list register */
    uint64_t lr[ARM64_MAX_LRS];
    /* Set by the guest's owner before the first entry. */
    uint64_t vmpidr;
    uint64_t time_offset_ns;                     /* host time at which its counter was 0 */
    /* Here after hw_vcpu_put. */
    uint64_t sp_el0;
#define X(r) uint64_t r;
    ARM64_SYSREG_LIST(X)
#undef X
    uint64_t cntv_ctl, cntv_cval;
    uint64_t mdscr_el1;                          /* accesses are trapped: never in the CPU but for a step */
    uint64_t fpcr, fpsr;
    uint64_t gic_vmcr, gic_ap0r, gic_ap1r;       /* the virtual CPU interface's own */
};

/* What an AArch64 host offers besides. */
struct hw_vm;
struct hw_arm64 {
    unsigned   gic_version, lr_count;            /* 2 or 3, as its guests' must be; list registers */
    /* GICv2: the guest's CPU interface, 8 KiB, appears at `at`. False: no memory. */
    bool     (*map_gicv)(struct hw_vm *vm, uint64_t at);
    /* Identification registers as the CPU has them, by their place in op0 = 3, op1 = 0, CRn = 0. */
    uint64_t (*id)(unsigned crm, unsigned op2);
};
