// SPDX-License-Identifier: Apache-2.0
/* Entry at EL1 with x0: device tree, 0 from QEMU, which puts it at the start of RAM; vectors that save what C may change. */
    .section .head, "ax"
    .globl  _start
_start:
    mov     x19, x0
    mov     x1, #0x40000000
    cmp     x0, #0
    csel    x19, x1, x19, eq
    mov     x1, #(3 << 20)              /* CPACR_EL1: FP is allowed */
    msr     cpacr_el1, x1
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    isb
    adrp    x1, stack_top
    add     sp, x1, :lo12:stack_top
    adrp    x1, bss_start
    add     x1, x1, :lo12:bss_start
    adrp    x2, image_end
    add     x2, x2, :lo12:image_end
1:  cmp     x1, x2
    b.hs    2f
    str     xzr, [x1], #8
    b       1b
2:  mov     x0, x19
    bl      guest_main
    b       .

    .globl  secondary_entry             /* x0: its stack's top */
secondary_entry:
    mov     sp, x0
    adrp    x1, vectors
    add     x1, x1, :lo12:vectors
    msr     vbar_el1, x1
    isb
    bl      secondary_main
    b       .

    .text
    .globl  smc_call                    /* (x0 function, x1, x2, x3, w4: by SMC) */
smc_call:
    cbnz    w4, 1f
    hvc     #0
    ret
1:  smc     #0
    ret

    .globl  wait_for_interrupt
wait_for_interrupt:
    wfi
    ret

    .macro  SAVE
    sub     sp, sp, #192
    stp     x0, x1, [sp]
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x8, x9, [sp, #64]
    stp     x10, x11, [sp, #80]
    stp     x12, x13, [sp, #96]
    stp     x14, x15, [sp, #112]
    stp     x16, x17, [sp, #128]
    stp     x18, x29, [sp, #144]
    str     x30, [sp, #160]
    .endm
restore:
    ldp     x0, x1, [sp]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x8, x9, [sp, #64]
    ldp     x10, x11, [sp, #80]
    ldp     x12, x13, [sp, #96]
    ldp     x14, x15, [sp, #112]
    ldp     x16, x17, [sp, #128]
    ldp     x18, x29, [sp, #144]
    ldr     x30, [sp, #160]
    add     sp, sp, #192
    eret
synchronous:
    SAVE
    bl      synchronous_exception
    b       restore
interrupt:
    SAVE
    bl      interrupt_exception
    b       restore

    .balign 2048
    .globl  vectors
vectors:
    .rept   4
    b       synchronous
    .balign 128
    b       interrupt
    .balign 128
    b       interrupt
    .balign 128
    b       synchronous
    .balign 128
    .endr

    .bss
    .balign 16
    .space  16384
stack_top:
    .section .note.GNU-stack, "", %progbits
