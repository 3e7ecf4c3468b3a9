// SPDX-License-Identifier: Apache-2.0
/* Image header, the first instructions of every hart, trap entry, the jump pair, and a page of user code.
 * Firmware enters at image_start in S-mode, paging off, a0 = hart id, a1 = device tree. */
#include "demo.h"

    .section .head, "ax"
    .option norvc
    .globl image_start
image_start:                                /* Linux: Documentation/riscv/boot-image-header */
    j       boot
    nop
    .dword  0x200000                        /* offset from the start of RAM */
    .dword  image_size
    .dword  0                               /* little-endian */
    .word   2, 0                            /* header version 0.2 */
    .dword  0
    .ascii  "RISCV\0\0\0"
    .ascii  "RSC\5"
    .word   0
    .option rvc

    .macro  load_gp
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    .endm

boot:
    csrw    sie, zero
    csrw    satp, zero
    load_gp
    la      sp, boot_stack_top
    la      t0, bss_start
    la      t1, image_end
1:  sd      zero, (t0)
    addi    t0, t0, 8
    bltu    t0, t1, 1b
    call    boot_main                       /* ends in hart_entry */

    .text
    .globl  hart_entry
    .balign 4
hart_entry:                                 /* a1 = struct hart; every hart comes through here */
    load_gp
    mv      tp, a1
    la      t0, trap_entry
    csrw    stvec, t0
    ld      t0, HART_SATP(tp)
    sfence.vma
    csrw    satp, t0
    sfence.vma
    ld      sp, HART_STACK(tp)
    ld      t0, HART_TRAP_STACK(tp)
    csrw    sscratch, t0
    li      t0, 1 << 13                     /* FS = initial */
    csrs    sstatus, t0
    fscsr   zero
    mv      a0, tp
    ld      t0, HART_ENTRY(tp)
    jr      t0

/* sscratch holds this hart's trap stack, or zero while a handler runs. The word at the stack's top is the
 * hart. */
    .balign 4
trap_entry:
    csrrw   sp, sscratch, sp
    beqz    sp, trap_in_trap
    addi    sp, sp, -FRAME_SIZE
    sd      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd      x\n, 8*\n(sp)
    .endr
    csrrw   t0, sscratch, zero
    sd      t0, 16(sp)
    csrr    t0, sepc
    sd      t0, FRAME_PC(sp)
    csrr    t0, sstatus
    sd      t0, FRAME_STATUS(sp)
    load_gp
    ld      tp, FRAME_SIZE(sp)
    mv      a0, sp
    call    trap
    ld      t0, FRAME_PC(sp)
    csrw    sepc, t0
    ld      t0, FRAME_STATUS(sp)
    csrw    sstatus, t0
    addi    t0, sp, FRAME_SIZE
    csrw    sscratch, t0
    ld      x1, 8(sp)
    .irp    n, 3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld      x\n, 8*\n(sp)
    .endr
    ld      sp, 16(sp)
    sret

trap_in_trap:
    la      sp, boot_stack_top
    load_gp
    csrr    a0, scause
    csrr    a1, stval
    csrr    a2, sepc
    call    trap_in_trap_report

    .globl  jump_set, jump_to
jump_set:
    sd      ra, 0(a0)
    sd      sp, 8(a0)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, 16+8*\n(a0)
    .endr
    li      a0, 0
    ret
jump_to:
    ld      ra, 0(a0)
    ld      sp, 8(a0)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, 16+8*\n(a0)
    .endr
    mv      a0, a1
    ret

    .globl  enter_user
enter_user:                                 /* a0 = user pc; comes back only as a fault */
    csrci   sstatus, 1 << 1                 /* no interrupt between here and sret */
    csrw    sepc, a0
    li      t0, 1 << 8
    csrc    sstatus, t0                     /* SPP = U */
    li      t0, 1 << 5
    csrs    sstatus, t0                     /* SPIE: interrupts on once there */
    sret

    .section .user, "ax"
    .balign 4096
    .globl  user_code
user_code:
    li      a0, 0x2a
    ecall
    .balign 4096

    .bss
    .balign 16
boot_stack:
    .space  8192
boot_stack_top:
    .space  16
