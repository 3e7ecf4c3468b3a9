// SPDX-License-Identifier: Apache-2.0
/* The first instructions, for both ways in: PVH (Xen's HVM direct boot ABI) and Multiboot2 (2.0, section 3.3). Both
 * arrive in 32-bit protected mode without paging, ebx = what the loader tells. Leaves with the first 4 GiB mapped one to
 * one, on the boot core's stack, in x86_64_boot(eax, ebx). */
#define STACK_TO 0xe000                                 /* X86_64_STACK_TO of hv/arch/x86_64/x86_64.h */

    .section .head, "a"
    .balign 8
multiboot2:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2, -(0xe85250d6 + (multiboot2_end - multiboot2))
    .word 6, 0                                          /* modules on page boundaries */
    .long 8
    .word 4, 1                                          /* consoles, optional: VGA text, when there are no graphics */
    .long 12, 2, 0
    .word 5, 1                                          /* framebuffer, optional: columns and rows enough on every screen */
    .long 20, 1024, 768, 32, 0
    .word 0, 0                                          /* end */
    .long 8
multiboot2_end:

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18                                      /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .long _start

    .section .head.text, "ax"
    .code32
    .globl _start
_start:
    cli
    cld
    mov  $(x86_64_boot_slot + STACK_TO), %esp
    mov  %eax, %ebp                                     /* ebx stays where it is but for cpuid */
    push %ebx

    mov  $0x80000000, %eax
    cpuid
    cmp  $0x80000001, %eax
    jb   no_long_mode
    mov  $0x80000001, %eax
    cpuid
    bt   $29, %edx
    jnc  no_long_mode

    /* PML4 -> PDPT -> four directories of 2 MiB pages */
    movl $(boot_pdpt + 3), boot_pml4
    mov  $(boot_directories + 3), %eax
    mov  $boot_pdpt, %edi
    mov  $4, %ecx
1:  mov  %eax, (%edi)
    add  $4096, %eax
    add  $8, %edi
    loop 1b
    mov  $0x83, %eax                                    /* present, writable, large */
    mov  $boot_directories, %edi
    mov  $2048, %ecx
2:  mov  %eax, (%edi)
    add  $0x200000, %eax
    add  $8, %edi
    loop 2b

    mov  %cr4, %eax
    or   $0x20, %eax                                    /* PAE */
    mov  %eax, %cr4
    mov  $boot_pml4, %eax
    mov  %eax, %cr3
    mov  $0xc0000080, %ecx                              /* EFER.LME */
    rdmsr
    or   $0x100, %eax
    wrmsr
    mov  $0x80000011, %eax                              /* PG, ET, PE; caches on */
    mov  %eax, %cr0
    pop  %ebx
    lgdt boot_gdt_pointer
    ljmp $8, $long_mode

no_long_mode:
    mov  $message, %esi
3:  lodsb
    test %al, %al
    jz   4f
    mov  $0x3f8, %dx
    out  %al, %dx
    jmp  3b
4:  hlt
    jmp  4b

    .code64
long_mode:
    mov  $16, %eax
    mov  %eax, %ds
    mov  %eax, %es
    mov  %eax, %ss
    xor  %eax, %eax
    mov  %eax, %fs
    mov  %eax, %gs
    mov  $(x86_64_boot_slot + STACK_TO), %esp
    mov  %ebp, %edi
    mov  %ebx, %esi
    xor  %ebp, %ebp
    call x86_64_boot

    .section .rodata
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
boot_gdt_pointer:
    .word 23
    .long boot_gdt
message:
    .asciz "Hospes needs a 64-bit CPU.\r\n"

    .section .bss
    .balign 4096
boot_pml4:        .skip 4096
boot_pdpt:        .skip 4096
boot_directories: .skip 4 * 4096

    .section .stacks, "aw", @nobits
    .balign 4096
    .globl x86_64_boot_slot
x86_64_boot_slot: .skip 0x18000                         /* X86_64_SLOT_BYTES */
    .section .note.GNU-stack, "", @progbits
