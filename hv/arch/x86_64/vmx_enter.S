// SPDX-License-Identifier: Apache-2.0
/* enum vmx_entry x86_64_vmx_enter(uint64_t slot[16], const uint32_t *request, bool is_launched)
 * One VMLAUNCH or VMRESUME (SDM 25.1). Interrupts are off from the look at *request to the entry and after the exit; what is pending then
 * is taken at STI. 0: the guest ran and left; 1: the request was there; 2: the CPU would not enter. rsp of the guest is in the VMCS. */
#define HOST_RSP 0x6c14
    .text
    .globl x86_64_vmx_enter, x86_64_vmx_exit
    .type x86_64_vmx_enter, @function
x86_64_vmx_enter:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    cli
    mov  $1, %eax
    cmpl $0, (%rsi)
    jne  done
    mov  $HOST_RSP, %eax
    vmwrite %rsp, %rax
    test %dl, %dl
    mov  0x00(%rdi), %rax
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
    jnz  1f
    vmlaunch
    jmp  2f
1:  vmresume
2:  mov  $2, %eax
    jmp  done
x86_64_vmx_exit:
    push %rdi
    mov  8(%rsp), %rdi
    mov  %rax, 0x00(%rdi)
    mov  %rcx, 0x08(%rdi)
    mov  %rdx, 0x10(%rdi)
    mov  %rbx, 0x18(%rdi)
    mov  %rbp, 0x28(%rdi)
    mov  %rsi, 0x30(%rdi)
    mov  %r8,  0x40(%rdi)
    mov  %r9,  0x48(%rdi)
    mov  %r10, 0x50(%rdi)
    mov  %r11, 0x58(%rdi)
    mov  %r12, 0x60(%rdi)
    mov  %r13, 0x68(%rdi)
    mov  %r14, 0x70(%rdi)
    mov  %r15, 0x78(%rdi)
    pop  0x38(%rdi)
    xor  %eax, %eax
done:
    sti
    add  $8, %rsp
    pop  %r15
    pop  %r14
    pop  %r13
    pop  %r12
    pop  %rbx
    pop  %rbp
    ret
    .size x86_64_vmx_enter, . - x86_64_vmx_enter
    .section .note.GNU-stack, "", @progbits
