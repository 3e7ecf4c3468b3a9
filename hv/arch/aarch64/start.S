// SPDX-License-Identifier: Apache-2.0
/* A core's way from the state in which firmware hands it over to ours: exception level, traps off, MMU on, stacks.
 * Runs before there is a stack; only x0-x7 and x30 are used. References: Arm ARM, chapter D (registers by name). */
#include "hv/arch/aarch64/stack.h"

    .text

/* Drops from EL3 if need be, sets the level's control registers and vectors. -> x0: the level we run at (2 or 1). */
    .globl aarch64_enter_el
aarch64_enter_el:
    mrs     x0, CurrentEL
    cmp     x0, #(3 << 2)
    b.ne    at_el2_or_el1
    mov     x1, #0x531                  /* SCR_EL3: RW, HCE, NS, RES1 */
    msr     scr_el3, x1
    msr     cptr_el3, xzr
    mrs     x1, id_aa64pfr0_el1
    ubfx    x1, x1, #24, #4
    cbz     x1, 1f
    mov     x1, #0xf                    /* ICC_SRE_EL3: SRE, no bypass, lower levels may set theirs */
    msr     S3_6_C12_C12_5, x1
    isb
1:  mrs     x1, id_aa64pfr0_el1
    tst     x1, #(15 << 8)
    mov     x1, #0x3c5                  /* EL1h, DAIF masked */
    b.eq    2f                          /* this core has no EL2 */
    ldr     x1, =0x30c50830
    msr     sctlr_el2, x1
    mov     x1, #(1 << 31)
    msr     hcr_el2, x1
    mov     x1, #0x3c9                  /* EL2h, DAIF masked */
2:  msr     spsr_el3, x1
    ldr     x1, =0x30d00800
    msr     sctlr_el1, x1
    adr     x1, at_el2_or_el1
    msr     elr_el3, x1
    adrp    x1, el3_vectors
    msr     vbar_el3, x1                /* page-aligned */
    adrp    x1, __stacks_start + 2 * AARCH64_STACK_SLOT_BYTES
    mov     sp, x1                      /* the stack of core 1, which nobody can start */
    isb
    eret
at_el2_or_el1:
    adrp    x2, aarch64_vectors
    add     x2, x2, :lo12:aarch64_vectors
    mrs     x0, CurrentEL
    lsr     x0, x0, #2
    cmp     x0, #2
    b.ne    2f
    ldr     x1, =0x30c50830             /* SCTLR_EL2: RES1 bits, all else off */
    msr     sctlr_el2, x1
    ldr     x1, =0x80000038             /* HCR_EL2: RW; AMO, IMO, FMO: interrupts are ours */
    msr     hcr_el2, x1
    mov     x1, #0x33ff                 /* CPTR_EL2: RES1; FP and SIMD not trapped */
    msr     cptr_el2, x1
    msr     hstr_el2, xzr
    mov     x1, #3                      /* CNTHCTL_EL2: counter and timer not trapped */
    msr     cnthctl_el2, x1
    msr     cntvoff_el2, xzr
    msr     vttbr_el2, xzr
    msr     vbar_el2, x2
    b       3f
2:  ldr     x1, =0x30d00800             /* SCTLR_EL1: RES1 bits, all else off */
    msr     sctlr_el1, x1
    mov     x1, #(3 << 20)              /* CPACR_EL1: FP and SIMD not trapped */
    msr     cpacr_el1, x1
    msr     vbar_el1, x2
3:  isb
    ret

/* (arg, function): runs it at EL3, where nobody but us is. Before paging only: EL3 keeps its MMU off. */
    .globl aarch64_el3_call
aarch64_el3_call:
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    smc     #0
    ldp     x29, x30, [sp], #16
    ret

    .balign 4096
el3_vectors:
    .rept   8
    b       .
    .balign 128
    .endr
    stp     x29, x30, [sp, #-16]!       /* synchronous, from EL2 */
    mov     x29, sp
    blr     x1
    ldp     x29, x30, [sp], #16
    eret
    .balign 128
    .rept   7
    b       .
    .balign 128
    .endr

/* x0: struct aarch64_start. Memory is mapped one to one, so the next instruction is where it was. */
    .globl aarch64_mmu_on
aarch64_mmu_on:
    ldp     x1, x2, [x0]                /* mair, tcr */
    ldp     x3, x4, [x0, #16]           /* ttbr, sctlr */
    mrs     x5, CurrentEL
    cmp     x5, #(2 << 2)
    dsb     sy
    b.ne    1f
    tlbi    alle2
    dsb     sy
    msr     mair_el2, x1
    msr     tcr_el2, x2
    msr     ttbr0_el2, x3
    ic      iallu
    dsb     sy
    isb
    msr     sctlr_el2, x4
    isb
    ret
1:  tlbi    vmalle1
    dsb     sy
    msr     mair_el1, x1
    msr     tcr_el1, x2
    msr     ttbr0_el1, x3
    msr     ttbr1_el1, xzr
    ic      iallu
    dsb     sy
    isb
    msr     sctlr_el1, x4
    isb
    ret

/* PSCI CPU_ON comes here with x0: struct aarch64_start, in memory that was cleaned to it. */
    .globl aarch64_secondary_entry
aarch64_secondary_entry:
    msr     daifset, #15
    mov     x19, x0
    bl      aarch64_enter_el
    mov     x0, x19
    bl      aarch64_mmu_on
    ldp     x1, x2, [x19, #32]          /* stack tops */
    ldr     x0, [x19, #48]              /* core number */
    msr     spsel, #1
    mov     sp, x2
    msr     spsel, #0
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr
    b       aarch64_secondary_main

/* Cores that spin_table.c calls wait here until their number stands in one of aarch64_starts[], 64 bytes each. */
    .globl aarch64_pen
aarch64_pen:
    msr     daifset, #15
    mrs     x1, mpidr_el1
    ldr     x2, =0xff00ffffff
    and     x1, x1, x2
    orr     x1, x1, #(1 << 63)
1:  adrp    x0, aarch64_starts
    add     x0, x0, :lo12:aarch64_starts
    add     x2, x0, #(AARCH64_MAX_CPUS * 64)
2:  ldr     x3, [x0, #56]
    cmp     x3, x1
    b.eq    aarch64_secondary_entry
    add     x0, x0, #64
    cmp     x0, x2
    b.lo    2b
    wfe
    b       1b
    .ltorg

/* One slot a core. */
    .section .stacks, "aw", %nobits
    .balign 0x10000
    .globl aarch64_stack_slots
aarch64_stack_slots:
    .skip   AARCH64_MAX_CPUS * AARCH64_STACK_SLOT_BYTES
    .section .note.GNU-stack, "", %progbits
