// SPDX-License-Identifier: Apache-2.0
/* 256 stubs of 16 bytes. Each pushes an error code if the CPU did not (SDM 6.13), its number, and all registers; then a
 * frame record, so that a backtrace goes on through the interrupted function. */
    .text
    .balign 16
    .globl x86_64_vectors
x86_64_vectors:
    .set vector, 0
    .rept 256
    .balign 16
    .if (vector != 8) && (vector != 10) && (vector != 11) && (vector != 12) && (vector != 13) && (vector != 14) && \
        (vector != 17) && (vector != 21) && (vector != 29) && (vector != 30)
    push $0
    .endif
    push $vector
    jmp common
    .set vector, vector + 1
    .endr

    .type common, @function
common:
    cld
    push %rax
    push %rcx
    push %rdx
    push %rbx
    push %rbp
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov  %rsp, %rdi
    push 136(%rsp)                      /* rip of the interrupted code */
    push %rbp
    mov  %rsp, %rbp
    and  $-16, %rsp
    call x86_64_interrupt
    lea  16(%rbp), %rsp
    pop  %r15
    pop  %r14
    pop  %r13
    pop  %r12
    pop  %r11
    pop  %r10
    pop  %r9
    pop  %r8
    pop  %rdi
    pop  %rsi
    pop  %rbp
    pop  %rbx
    pop  %rdx
    pop  %rcx
    pop  %rax
    add  $16, %rsp
    iretq
    .size common, . - common
    .section .note.GNU-stack, "", @progbits
