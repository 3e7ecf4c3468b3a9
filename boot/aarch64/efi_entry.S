// SPDX-License-Identifier: Apache-2.0
/* Entered by UEFI as an application (UEFI 2.10, 2.3.6): MMU and caches on, memory one to one, firmware's stack; x0 the image's
 * handle, x1 the system table. And the way from there to the state in which entry.S goes on. */
    .text
    .globl aarch64_efi_entry
aarch64_efi_entry:
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x20, x1
    adrp    x0, _start
    bl      aarch64_relocate            /* memory without contents was cleared by the loader */
    mov     x0, x19
    mov     x1, x20
    bl      aarch64_efi_main            /* -> x0: EFI_STATUS, of a refusal */
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    ret

/* (machine): firmware is gone. The image goes out of the caches, to be there for this core and others with theirs off. */
    .globl aarch64_efi_leave
aarch64_efi_leave:
    msr     daifset, #15
    mov     x19, x0
    mov     x20, xzr
    adrp    x0, __image_start
    adrp    x1, __image_end
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x3, x3, x2                  /* bytes of the smallest data cache line */
    dsb     sy
1:  dc      civac, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    ic      iallu
    dsb     sy
    isb
    b       aarch64_own_level           /* which turns off MMU and caches */
    .section .note.GNU-stack, "", %progbits
