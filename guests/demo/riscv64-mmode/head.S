// SPDX-License-Identifier: Apache-2.0
/* Reset entry in M-mode, the two halves of run() (into a mode, and back by whatever trap), a parking lot
 * for the other harts. mscratch points at the frame of the run in progress; zero = nobody expects a trap. */
    .macro  load_gp
    .option push
    .option norelax
    la      gp, __global_pointer$
    .option pop
    .endm

    .section .head, "ax"
    .globl  image_start
image_start:
    csrw    mie, zero
    csrw    mscratch, zero
    la      t0, trap_entry
    csrw    mtvec, t0
    load_gp
    csrr    t0, mhartid
    li      t1, 8
    bgeu    t0, t1, sleep
    la      sp, stacks
    addi    t1, t0, 1
    slli    t1, t1, 13
    add     sp, sp, t1
    mv      s0, a1
    bnez    t0, 3f
    la      t1, bss_start
    la      t2, image_end
1:  sd      zero, (t1)
    addi    t1, t1, 8
    bltu    t1, t2, 1b
    la      t1, bss_ready
    li      t2, 1
    fence   rw, w
    sw      t2, (t1)
    mv      a0, s0
    tail    conform_main
3:  la      t1, bss_ready                   /* in .data, so nobody clears it */
4:  lw      t2, (t1)
    beqz    t2, 4b
    fence   r, rw
    mv      a0, t0
    tail    hart_main
sleep:
    wfi
    j       sleep

    .text
    .globl  run_raw
/* run_raw(outcome *a0, pc a1, mode a2, a0 a3, a1 a4): comes back when the code there traps. */
run_raw:
    addi    sp, sp, -128
    sd      ra, 0(sp)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    sd      s\n, 8+8*\n(sp)
    .endr
    sd      a0, 104(sp)
    sd      gp, 112(sp)
    sd      tp, 120(sp)
    csrw    mscratch, sp
    csrw    mepc, a1
    li      t0, 3 << 11
    csrc    mstatus, t0
    slli    t0, a2, 11
    csrs    mstatus, t0
    mv      a0, a3
    mv      a1, a4
    li      t4, 0
    mret

    .balign 4
    .globl  trap_entry
trap_entry:
    csrrw   sp, mscratch, sp
    beqz    sp, unexpected
    ld      t0, 104(sp)
    csrr    t1, mcause
    sd      t1, 0(t0)
    csrr    t1, mtval
    sd      t1, 8(t0)
    csrr    t1, mepc
    sd      t1, 16(t0)
    sd      a0, 24(t0)
    sd      a1, 32(t0)
    sd      a7, 40(t0)
    csrr    t1, mstatus
    sd      t1, 48(t0)
    sd      t4, 56(t0)
    csrw    mscratch, zero
    ld      ra, 0(sp)
    .irp    n, 0,1,2,3,4,5,6,7,8,9,10,11
    ld      s\n, 8+8*\n(sp)
    .endr
    ld      gp, 112(sp)
    ld      tp, 120(sp)
    addi    sp, sp, 128
    ret

unexpected:
    la      sp, stacks + 0x2000
    csrr    a0, mcause
    csrr    a1, mtval
    csrr    a2, mepc
    csrr    a3, mhartid
    tail    unexpected_trap

    .option norvc
    .balign 256
    .globl  vectors
vectors:                                    /* t4 tells which slot was taken */
    .rept   16
    jal     t4, trap_entry
    .endr

    .globl  s_handler
s_handler:                                  /* hands scause and stval back to M-mode */
    csrr    a0, scause
    csrr    a1, stval
    li      a7, 0x7de
    ecall

    .section .probe, "aw"                   /* code that is written at run time, on a page of its own */
    .balign 4096
    .globl  code, done_code, spin_code
code:
    nop
done_code:
    li      a7, 0x7de
    ecall
    .balign 16
spin_code:
    addi    a0, a0, -1
    bnez    a0, spin_code
    li      a7, 0x7de
    ecall
    .balign 4096

    .data
    .balign 4
bss_ready:
    .word   0
    .balign 16
stacks:                                     /* not cleared: the harts are on them already */
    .space  8 * 8192
