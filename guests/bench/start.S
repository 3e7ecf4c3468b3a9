// SPDX-License-Identifier: Apache-2.0
/* Reset entry in M-mode at 0x80000000. Hart 0 goes on, the others sleep. PAGED: memory opened by PMP, all
 * traps delegated, page tables on, down to S-mode; otherwise straight on in M-mode. */
    .section .start, "ax"
    .globl  _start
_start:
    csrw    mie, zero
    csrr    t0, mhartid
    beqz    t0, 2f
1:  wfi
    j       1b
2:  la      sp, stack_top
    la      t0, bss_start
    la      t1, bss_end
3:  sd      zero, (t0)
    addi    t0, t0, 8
    bltu    t0, t1, 3b
    la      t0, trap_m
    csrw    mtvec, t0
    li      t0, 1 << 13                     /* mstatus.FS = initial */
    csrs    mstatus, t0
    fscsr   zero
#ifndef PAGED
    tail    bare_main
#else
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, 0x1f                        /* NAPOT, RWX: everything */
    csrw    pmpcfg0, t0
    li      t0, 0xb1ff
    csrw    medeleg, t0
    la      t0, trap_s
    csrw    stvec, t0
    call    bare_tables
    csrw    satp, a0
    sfence.vma
    li      t0, 3 << 11
    csrc    mstatus, t0
    li      t0, 1 << 11                     /* MPP = S */
    csrs    mstatus, t0
    la      t0, bare_main
    csrw    mepc, t0
    mret
    .balign 4
trap_s:
    csrr    a0, scause
    csrr    a1, stval
    csrr    a2, sepc
    la      sp, stack_top
    tail    bare_trap
#endif
    .balign 4
trap_m:
    csrr    a0, mcause
    csrr    a1, mtval
    csrr    a2, mepc
    la      sp, stack_top
    tail    bare_trap

    .bss
    .balign 16
    .space  65536
stack_top:
