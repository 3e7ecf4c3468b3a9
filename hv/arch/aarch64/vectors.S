// SPDX-License-Identifier: Apache-2.0
/* Exception vectors of the running level. Normal code is on SP_EL0, so its exceptions come to the first group and run on
 * the core's exception stack; anything while already there is fatal. Interrupts do not nest. No FP state is saved:
 * nothing from here on touches it. */

/* Fatal: struct aarch64_frame (exception.c) on the exception stack. */
.macro FATAL vector
    .balign 128
    sub     sp, sp, #0x110
    stp     x0, x1, [sp]
    mov     x0, #\vector
    b       fatal
.endm
.macro INTERRUPT
    .balign 128
    b       interrupt
.endm

/* Back to el2_enter's caller. */
.macro GUEST vector
    .balign 128
    stp     x0, x1, [sp, #-16]!
    mov     x1, #\vector
    b       el2_exit
.endm

    .text
    .balign 2048
    .globl aarch64_vectors
aarch64_vectors:
    FATAL 0                             /* from SP_EL0: synchronous, interrupt, FIQ, SError */
    INTERRUPT
    INTERRUPT
    FATAL 3
    FATAL 4                             /* from the exception stack */
    FATAL 5
    FATAL 6
    FATAL 7
    GUEST 0                             /* from a guest: synchronous, interrupt, FIQ, SError */
    GUEST 1
    GUEST 2
    GUEST 3
    FATAL 12
    FATAL 13
    FATAL 14
    FATAL 15
    .balign 128

fatal:
    stp     x2, x3, [sp, #0x10]
    stp     x4, x5, [sp, #0x20]
    stp     x6, x7, [sp, #0x30]
    stp     x8, x9, [sp, #0x40]
    stp     x10, x11, [sp, #0x50]
    stp     x12, x13, [sp, #0x60]
    stp     x14, x15, [sp, #0x70]
    stp     x16, x17, [sp, #0x80]
    stp     x18, x19, [sp, #0x90]
    stp     x20, x21, [sp, #0xa0]
    stp     x22, x23, [sp, #0xb0]
    stp     x24, x25, [sp, #0xc0]
    stp     x26, x27, [sp, #0xd0]
    stp     x28, x29, [sp, #0xe0]
    str     x30, [sp, #0xf0]
    mov     x1, sp
    b       aarch64_fatal               /* (vector, frame) */

interrupt:
    sub     sp, sp, #0xb0
    stp     x29, x30, [sp]
    mov     x29, sp
    stp     x0, x1, [sp, #0x10]
    stp     x2, x3, [sp, #0x20]
    stp     x4, x5, [sp, #0x30]
    stp     x6, x7, [sp, #0x40]
    stp     x8, x9, [sp, #0x50]
    stp     x10, x11, [sp, #0x60]
    stp     x12, x13, [sp, #0x70]
    stp     x14, x15, [sp, #0x80]
    stp     x16, x17, [sp, #0x90]
    str     x18, [sp, #0xa0]
    bl      aarch64_interrupt
    ldp     x0, x1, [sp, #0x10]
    ldp     x2, x3, [sp, #0x20]
    ldp     x4, x5, [sp, #0x30]
    ldp     x6, x7, [sp, #0x40]
    ldp     x8, x9, [sp, #0x50]
    ldp     x10, x11, [sp, #0x60]
    ldp     x12, x13, [sp, #0x70]
    ldp     x14, x15, [sp, #0x80]
    ldp     x16, x17, [sp, #0x90]
    ldr     x18, [sp, #0xa0]
    ldp     x29, x30, [sp]
    add     sp, sp, #0xb0
    eret
    .section .note.GNU-stack, "", %progbits
