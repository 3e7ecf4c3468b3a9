// SPDX-License-Identifier: Apache-2.0
/* Where a starting core begins: real mode, cs:ip = page:0 (SDM 8.4.4). Copied to a page below 1 MiB, so it refers to its
 * own words by the page's base, and goes to long mode in one step (SDM 9.8.5), straight onto the final tables. Then the
 * core claims the start that was meant for it, takes its stack and goes to C. */
    .section .rodata.trampoline, "a"
    .balign 16
    .globl x86_64_trampoline, x86_64_trampoline_end, x86_64_trampoline_root, x86_64_trampoline_has_nx
    .code16
x86_64_trampoline:
    cli
    cld
    mov  %cs, %ax
    mov  %ax, %ds
    xor  %ebx, %ebx
    mov  %ax, %bx
    shl  $4, %ebx                                       /* the page's address */
    lea  (gdt - x86_64_trampoline)(%ebx), %eax
    mov  %eax, gdt_pointer + 2 - x86_64_trampoline
    lea  (long_mode - x86_64_trampoline)(%ebx), %eax
    mov  %eax, far_pointer - x86_64_trampoline
    lgdtl gdt_pointer - x86_64_trampoline
    mov  $0x20, %eax                                    /* PAE */
    mov  %eax, %cr4
    mov  x86_64_trampoline_root - x86_64_trampoline, %eax
    mov  %eax, %cr3
    mov  $0xc0000080, %ecx                              /* EFER */
    rdmsr
    or   $0x100, %eax                                   /* LME */
    cmpb $0, x86_64_trampoline_has_nx - x86_64_trampoline
    je   1f
    or   $0x800, %eax                                   /* NXE: the tables use it */
1:  wrmsr
    mov  $0x80000011, %eax                              /* PG, ET, PE */
    mov  %eax, %cr0
    ljmpl *(far_pointer - x86_64_trampoline)

    .code64
long_mode:
    mov  $x86_64_ap_start, %eax
    jmp  *%rax

    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff
gdt_pointer:
    .word 15
    .long 0
    .balign 4
far_pointer:
    .long 0
    .word 8
    .balign 4
x86_64_trampoline_root:
    .long 0
x86_64_trampoline_has_nx:
    .byte 0
x86_64_trampoline_end:

    .text
    .code64
x86_64_ap_start:
    xor  %eax, %eax
    mov  %eax, %ds
    mov  %eax, %es
    mov  %eax, %ss
    /* Own APIC ID: 32 bits from leaf 0xb where it exists, else 8 from leaf 1. */
    cpuid
    cmp  $0xb, %eax
    jb   1f
    mov  $0xb, %eax
    xor  %ecx, %ecx
    cpuid
    test %ebx, %ebx
    jnz  2f
1:  mov  $1, %eax
    cpuid
    shr  $24, %ebx
    mov  %ebx, %edx
2:  mov  %edx, %eax
    mov  $-1, %ecx
    lock cmpxchg %ecx, x86_64_ap_wanted
    jne  3f
    mov  x86_64_ap_stack, %rsp
    mov  x86_64_ap_cpu, %edi
    xor  %ebp, %ebp
    call x86_64_ap_main
3:  cli
    hlt
    jmp  3b
    .section .note.GNU-stack, "", @progbits
