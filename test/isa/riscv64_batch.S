// SPDX-License-Identifier: Apache-2.0
/* The program that qemu-riscv64 runs: for each record it loads fcsr, f, x1..x29 and the data window, executes the record's
 * instruction from its stub, and writes the state back into the record; at the end all records go to standard output.
 * x30 (the stub) and x31 (the record) are the program's own. Layout: struct record of riscv64_qemu.c. */
#define REC_X     0
#define REC_F     (REC_X + 32 * 8)
#define REC_FCSR  (REC_F + 32 * 8)
#define REC_STUB  (REC_FCSR + 8)
#define REC_DATA  (REC_STUB + 8)
#define REC_BYTES (REC_DATA + 64)

    .macro each what, from, to, base, prefix
    .set n, \from
    .rept \to - \from + 1
    one \what, %n, \base, \prefix
    .set n, n + 1
    .endr
    .endm
    .altmacro
    .macro one what, n, base, prefix
    \what \prefix\n, \base + 8 * \n(x31)
    .endm

    .section .text.start, "ax"
    .globl _start
_start:
    .option norelax
    la   x31, records
next:
    li   x5, DATA_AT
    .set k, 0
    .rept 8
    ld   x6, REC_DATA + k(x31)
    sd   x6, k(x5)
    .set k, k + 8
    .endr
    each fld, 0, 31, REC_F, f
    ld   x5, REC_FCSR(x31)
    fscsr x5
    ld   x30, REC_STUB(x31)
    each ld, 1, 29, REC_X, x
    jr   x30
    .globl back
back:
    each sd, 1, 29, REC_X, x
    each fsd, 0, 31, REC_F, f
    frcsr x5
    sd   x5, REC_FCSR(x31)
    li   x5, DATA_AT
    .set k, 0
    .rept 8
    ld   x6, k(x5)
    sd   x6, REC_DATA + k(x31)
    .set k, k + 8
    .endr
    addi x31, x31, REC_BYTES
    la   x5, records_end
    bltu x31, x5, next

    la   x9, records                    /* write(1, records, all), as often as it takes */
    la   x18, records_end
more:
    li   a0, 1
    mv   a1, x9
    sub  a2, x18, x9
    li   a7, 64
    ecall
    blez a0, done
    add  x9, x9, a0
    bltu x9, x18, more
    li   a0, 0
done:
    li   a7, 93
    ecall

    .text
    .include "stubs.s"

    .section .window, "aw", @nobits
    .balign 4096
    .skip 4096

    .data
    .balign 8
records:
    .incbin "records.bin"
records_end:
