// SPDX-License-Identifier: Apache-2.0
/* Into a guest and back. Normal code is on SP_EL0, which is the guest's too: it changes hands here. What is needed on the way
 * back waits on the exception stack. */

    .text
/* (x0: guest's x0 to x30, x1: guest's SP_EL0) -> x0: vector. Interrupts are masked. */
    .globl el2_enter
el2_enter:
    stp     x29, x30, [sp, #-96]!
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    mov     x2, sp
    msr     spsel, #1
    stp     x0, x1, [sp, #-32]!
    str     x2, [sp, #16]
    ldr     x1, [x1]
    msr     sp_el0, x1
    ldp     x2, x3, [x0, #0x10]
    ldp     x4, x5, [x0, #0x20]
    ldp     x6, x7, [x0, #0x30]
    ldp     x8, x9, [x0, #0x40]
    ldp     x10, x11, [x0, #0x50]
    ldp     x12, x13, [x0, #0x60]
    ldp     x14, x15, [x0, #0x70]
    ldp     x16, x17, [x0, #0x80]
    ldp     x18, x19, [x0, #0x90]
    ldp     x20, x21, [x0, #0xa0]
    ldp     x22, x23, [x0, #0xb0]
    ldp     x24, x25, [x0, #0xc0]
    ldp     x26, x27, [x0, #0xd0]
    ldp     x28, x29, [x0, #0xe0]
    ldr     x30, [x0, #0xf0]
    ldp     x0, x1, [x0]
    eret

/* From vectors.S, with the guest's x0 and x1 on the exception stack and the vector in x1. */
    .globl el2_exit
el2_exit:
    ldr     x0, [sp, #16]               /* the guest's x0 to x30 */
    stp     x2, x3, [x0, #0x10]
    stp     x4, x5, [x0, #0x20]
    stp     x6, x7, [x0, #0x30]
    stp     x8, x9, [x0, #0x40]
    stp     x10, x11, [x0, #0x50]
    stp     x12, x13, [x0, #0x60]
    stp     x14, x15, [x0, #0x70]
    stp     x16, x17, [x0, #0x80]
    stp     x18, x19, [x0, #0x90]
    stp     x20, x21, [x0, #0xa0]
    stp     x22, x23, [x0, #0xb0]
    stp     x24, x25, [x0, #0xc0]
    stp     x26, x27, [x0, #0xd0]
    stp     x28, x29, [x0, #0xe0]
    str     x30, [x0, #0xf0]
    ldp     x2, x3, [sp], #16
    stp     x2, x3, [x0]
    ldr     x2, [sp, #8]                /* the guest's SP_EL0 */
    ldr     x3, [sp, #16]               /* our stack */
    add     sp, sp, #32
    mrs     x4, sp_el0
    str     x4, [x2]
    msr     spsel, #0
    mov     sp, x3
    mov     x0, x1
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     x29, x30, [sp], #96
    ret

/* (x0: V0 to V31) */
    .arch   armv8-a+fp+simd
    .globl el2_load_fp
el2_load_fp:
    ldp     q0, q1, [x0]
    ldp     q2, q3, [x0, #0x20]
    ldp     q4, q5, [x0, #0x40]
    ldp     q6, q7, [x0, #0x60]
    ldp     q8, q9, [x0, #0x80]
    ldp     q10, q11, [x0, #0xa0]
    ldp     q12, q13, [x0, #0xc0]
    ldp     q14, q15, [x0, #0xe0]
    ldp     q16, q17, [x0, #0x100]
    ldp     q18, q19, [x0, #0x120]
    ldp     q20, q21, [x0, #0x140]
    ldp     q22, q23, [x0, #0x160]
    ldp     q24, q25, [x0, #0x180]
    ldp     q26, q27, [x0, #0x1a0]
    ldp     q28, q29, [x0, #0x1c0]
    ldp     q30, q31, [x0, #0x1e0]
    ret

    .globl el2_save_fp
el2_save_fp:
    stp     q0, q1, [x0]
    stp     q2, q3, [x0, #0x20]
    stp     q4, q5, [x0, #0x40]
    stp     q6, q7, [x0, #0x60]
    stp     q8, q9, [x0, #0x80]
    stp     q10, q11, [x0, #0xa0]
    stp     q12, q13, [x0, #0xc0]
    stp     q14, q15, [x0, #0xe0]
    stp     q16, q17, [x0, #0x100]
    stp     q18, q19, [x0, #0x120]
    stp     q20, q21, [x0, #0x140]
    stp     q22, q23, [x0, #0x160]
    stp     q24, q25, [x0, #0x180]
    stp     q26, q27, [x0, #0x1a0]
    stp     q28, q29, [x0, #0x1c0]
    stp     q30, q31, [x0, #0x1e0]
    ret
    .section .note.GNU-stack, "", %progbits
