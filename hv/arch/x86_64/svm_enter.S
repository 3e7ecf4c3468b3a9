// SPDX-License-Identifier: Apache-2.0
/* bool x86_64_svm_enter(uint64_t slot[16], uint64_t vmcb, uint64_t host_vmcb, const uint32_t *request)
 * One VMRUN (APM 15.5, 15.6). With the global interrupt flag clear nothing comes between the look at *request and the entry; what
 * comes during it ends it, and is taken at STGI. False: the request was there, the guest did not run. rax and rsp of the guest are in
 * the VMCB; VMLOAD and VMSAVE carry the rest that VMRUN leaves alone, first of all the GS base that finds this core's record. */
    .text
    .globl x86_64_svm_enter
    .type x86_64_svm_enter, @function
x86_64_svm_enter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdx
    push %rdi
    clgi
    cmpl $0, (%rcx)
    jne  1f
    mov  %rsi, %rax
    vmload %rax
    mov  0x08(%rdi), %rcx
    mov  0x10(%rdi), %rdx
    mov  0x18(%rdi), %rbx
    mov  0x28(%rdi), %rbp
    mov  0x30(%rdi), %rsi
    mov  0x40(%rdi), %r8
    mov  0x48(%rdi), %r9
    mov  0x50(%rdi), %r10
    mov  0x58(%rdi), %r11
    mov  0x60(%rdi), %r12
    mov  0x68(%rdi), %r13
    mov  0x70(%rdi), %r14
    mov  0x78(%rdi), %r15
    mov  0x38(%rdi), %rdi
    vmrun %rax
    vmsave %rax
    mov  8(%rsp), %rax
    vmload %rax
    mov  (%rsp), %rax
    mov  %rdi, 0x38(%rax)
    mov  %rcx, 0x08(%rax)
    mov  %rdx, 0x10(%rax)
    mov  %rbx, 0x18(%rax)
    mov  %rbp, 0x28(%rax)
    mov  %rsi, 0x30(%rax)
    mov  %r8,  0x40(%rax)
    mov  %r9,  0x48(%rax)
    mov  %r10, 0x50(%rax)
    mov  %r11, 0x58(%rax)
    mov  %r12, 0x60(%rax)
    mov  %r13, 0x68(%rax)
    mov  %r14, 0x70(%rax)
    mov  %r15, 0x78(%rax)
    stgi
    mov  $1, %eax
2:  add  $16, %rsp
    pop  %r15
    pop  %r14
    pop  %r13
    pop  %r12
    pop  %rbx
    pop  %rbp
    ret
1:  stgi
    xor  %eax, %eax
    jmp  2b
    .size x86_64_svm_enter, . - x86_64_svm_enter
    .section .note.GNU-stack, "", @progbits
