// SPDX-License-Identifier: Apache-2.0
/* The demo kernel for x86_64: 32-bit entry by PVH (ebx: start info) or multiboot, then long mode on tables of its own. Other CPUs
 * come in real mode at page 8 (a copy of ap_start) and go the same way. */
    .section .note, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .section .text.start, "ax"
    .balign 4
    .long 0x1badb002, 0, -0x1badb002
    .code32
    .globl start
start:
    cli
    mov  $stack_top, %esp
    mov  %ebx, start_info
    mov  %eax, start_magic
    mov  $pdpt, %eax
    or   $3, %eax
    mov  %eax, pml4
    mov  $pd, %eax
    or   $3, %eax
    mov  $pdpt, %edi
    mov  $4, %ecx
1:  mov  %eax, (%edi)
    add  $0x1000, %eax
    add  $8, %edi
    loop 1b
    mov  $0x83, %eax
    mov  $pd, %edi
    mov  $2048, %ecx
2:  mov  %eax, (%edi)
    add  $0x200000, %eax
    add  $8, %edi
    loop 2b
    mov  $main, %esi
    jmp  to_long

/* esi: where to go, esp: on which stack */
to_long:
    lgdt gdt_pointer
    mov  $0x620, %eax
    mov  %eax, %cr4
    mov  $pml4, %eax
    mov  %eax, %cr3
    mov  $0xc0000080, %ecx
    rdmsr
    or   $0x100, %eax
    wrmsr
    mov  $0x80000033, %eax
    mov  %eax, %cr0
    ljmp $8, $long_mode
    .code64
long_mode:
    mov  $16, %eax
    mov  %eax, %ds
    mov  %eax, %es
    mov  %eax, %ss
    mov  %eax, %fs
    mov  %eax, %gs
    lidt idt_pointer
    xor  %ebp, %ebp
    call *%rsi
1:  cli
    hlt
    jmp  1b

/* Copied to 0x8000. */
    .code16
    .globl ap_start, ap_end
ap_start:
    cli
    xor  %ax, %ax
    mov  %ax, %ds
    lgdtl 0x8000 + ap_gdt - ap_start
    mov  $0x11, %eax
    mov  %eax, %cr0
    ljmpl $24, $ap_32
ap_gdt:
    .word 31
    .long gdt
ap_end:
    .code32
ap_32:
    mov  $16, %eax
    mov  %eax, %ds
    mov  %eax, %es
    mov  %eax, %ss
    mov  $1, %eax
    lock xadd %eax, cpus_started
    inc  %eax
    shl  $13, %eax
    add  $ap_stacks, %eax
    mov  %eax, %esp
    mov  $ap_main, %esi
    jmp  to_long

    .code64
    .macro STUB n
    .globl stub_\n
stub_\n:
    .if (\n != 8) && ((\n < 10) || (\n > 14)) && (\n != 17)
    push $0
    .endif
    push $\n
    jmp  trap_entry
    .endm
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,32,33,34,35
    STUB \n
    .endr
trap_entry:
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
    mov  %rsp, %rdi
    cld
    call trap
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

    .section .rodata
    .globl stubs
    .balign 8
stubs:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19
    .quad stub_\n
    .endr
    .fill 12, 8, 0
    .quad stub_32, stub_33, stub_34, stub_35

    .data
    .balign 8
gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff
gdt_pointer:
    .word 31
    .quad gdt
idt_pointer:
    .word 16 * 64 - 1
    .quad idt
    .globl start_info, start_magic, cpus_started
start_info:
    .quad 0
start_magic:
    .long 0
cpus_started:
    .long 0

    .bss
    .balign 4096
pml4:
    .skip 4096
pdpt:
    .skip 4096
pd:
    .skip 4 * 4096
    .globl idt
idt:
    .skip 1024
    .balign 4096
    .skip 16384
stack_top:
ap_stacks:
    .skip 8192 * 64
    .section .note.GNU-stack, "", @progbits
