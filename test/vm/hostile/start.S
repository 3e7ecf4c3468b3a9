# SPDX-License-Identifier: Apache-2.0
# Entry and trap handlers of the hostile guests. Firmware starts us in M-mode (a2 is not 0), a kernel's way in S-mode.
# Compiled without compressed instructions: every instruction that traps is four bytes long. Handlers use t5 and t6 alone.
    .section .head, "ax"
    .globl start
start:
    slli    t0, a0, 13
    la      sp, stacks + 8192
    add     sp, sp, t0
    la      t0, is_machine
    snez    t1, a2
    sd      t1, (t0)
    la      t0, skip_m
    beqz    a2, 1f
    csrw    mtvec, t0
    j       2f
1:  la      t0, skip_s
    csrw    stvec, t0
2:  call    hostile
3:  j       3b

# A trap costs its instruction; a jump to nowhere returns to its caller; an interrupt is switched off.
    .macro skip x
    .balign 4
    .globl  skip_\x
skip_\x:
    .ifc \x, m
    csrr    t5, mstatus                     # from below M-mode: back to who sent us there
    srli    t5, t5, 11
    andi    t5, t5, 3
    beqz    t5, back
    addi    t5, t5, -1
    beqz    t5, back
    .endif
    csrr    t5, \x\()cause
    bltz    t5, 2f
    csrr    t6, \x\()epc
    addi    t6, t6, 4
    beqz    t5, 1f                          # instruction address misaligned
    li      t6, 1                           # instruction access fault
    beq     t5, t6, 1f
    li      t6, 12                          # instruction page fault
    beq     t5, t6, 1f
    csrr    t6, \x\()epc
    addi    t6, t6, 4
    csrw    \x\()epc, t6
    \x\()ret
1:  csrw    \x\()epc, ra
    \x\()ret
2:  csrw    \x\()ie, zero
    \x\()ret
    .endm
    skip    m
    skip    s

# below(at): runs what lies there in S-mode, as the page tables have it, until it traps or a millisecond has passed. It
# may spoil every register.
    .globl  below
below:
    la      t0, frame
    sd      ra, 0(t0)
    sd      sp, 8(t0)
    sd      gp, 16(t0)
    sd      tp, 24(t0)
    sd      s0, 32(t0)
    sd      s1, 40(t0)
    sd      s2, 48(t0)
    sd      s3, 56(t0)
    sd      s4, 64(t0)
    sd      s5, 72(t0)
    sd      s6, 80(t0)
    sd      s7, 88(t0)
    sd      s8, 96(t0)
    sd      s9, 104(t0)
    sd      s10, 112(t0)
    sd      s11, 120(t0)
    li      t1, 0x0200bff8                  # mtime
    ld      t2, (t1)
    li      t3, 10000
    add     t2, t2, t3
    li      t1, 0x02004000                  # mtimecmp of hart 0
    sd      t2, (t1)
    li      t1, 0x80
    csrw    mie, t1
    csrw    mepc, a0
    li      t1, 0x1800
    csrc    mstatus, t1
    li      t1, 0x800
    csrs    mstatus, t1
    mret
back:
    csrw    mie, zero
    la      t0, frame
    ld      ra, 0(t0)
    ld      sp, 8(t0)
    ld      gp, 16(t0)
    ld      tp, 24(t0)
    ld      s0, 32(t0)
    ld      s1, 40(t0)
    ld      s2, 48(t0)
    ld      s3, 56(t0)
    ld      s4, 64(t0)
    ld      s5, 72(t0)
    ld      s6, 80(t0)
    ld      s7, 88(t0)
    ld      s8, 96(t0)
    ld      s9, 104(t0)
    ld      s10, 112(t0)
    ld      s11, 120(t0)
    csrw    mepc, ra
    li      t1, 0x1800
    csrs    mstatus, t1
    mret

# Interrupts come back as soon as they can.
    .balign 4
    .globl  again
again:
    mret

# Each of two harts interrupts the other and itself.
    .balign 4
    .globl  ping
ping:
    li      t5, 0x02000000
    csrr    t6, mhartid
    slli    t6, t6, 2
    add     t6, t5, t6
    sw      zero, (t6)
    li      t6, 1
    sw      t6, (t5)
    sw      t6, 4(t5)
    mret

# A trap in random code goes on somewhere else in it: 1 MiB from 0x80200000. s10 and s11 are as random as the rest.
    .balign 4
    .globl  elsewhere
elsewhere:
    csrr    t5, mcycle
    li      t6, 0x9e3779b97f4a7c15
    mul     t5, t5, t6
    srli    t5, t5, 44
    andi    t5, t5, -2
    li      t6, 0x80200000
    add     t5, t5, t6
    csrw    mepc, t5
    li      t5, 0x1800
    csrs    mstatus, t5
    csrw    mie, zero
    csrw    satp, zero
    mret

# An illegal instruction to handle illegal instructions.
    .balign 4
    .globl  hopeless
hopeless:
    .word   0

    .bss
    .balign 16
frame:
    .skip   128
stacks:
    .skip   8192 * 8
