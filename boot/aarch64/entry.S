// SPDX-License-Identifier: Apache-2.0
/* First instructions of the image: the header of a Linux Image (Documentation/arch/arm64/booting), pointers set right for
 * where we are (any page), cleared memory, a stack. Entered at EL3, EL2 or EL1, MMU off, x0 = device tree or 0. The same file
 * is a UEFI application: its PE header (PE Format, "Optional Header") is here too, its entry in efi_entry.S. */
#include "hv/arch/aarch64/stack.h"

    .section .head, "ax"
    .globl _start
_start:
    ccmp    x18, #0, #13, pl            /* its bytes are "MZ" and two more; changes nothing but flags */
    b       entry
    .quad   0x200000                    /* offset from a 2 MiB aligned base as near as may be to the start of RAM */
    .quad   __image_end - _start
    .quad   0x2                         /* little-endian, 4 KiB pages, near the start of RAM */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   pe_header - _start

#define PAGE 0x1000                     /* everything in the file lies where it lies in memory */
    .balign 8
pe_header:
    .ascii  "PE\0\0"
    .short  0xaa64, 2                   /* ARM64, two sections */
    .long   0, 0, 0
    .short  section_table - optional_header, 0x206      /* executable, no line numbers, no debug data; not: relocations stripped */
optional_header:
    .short  0x20b, 0                    /* PE32+ */
    .long   __rodata_start - _start - PAGE              /* code, data, no more */
    .long   __pe_data_bytes - _start, 0
    .long   aarch64_efi_entry - _start, PAGE            /* entry, where code begins */
    .quad   0                           /* preferred base: none */
    .long   PAGE, PAGE                  /* alignment in memory, in the file */
    .short  0, 0, 0, 0, 0, 0
    .long   0, __image_end - _start, PAGE, 0            /* sizes of the image and of its headers; checksum */
    .short  10, 0x100                   /* EFI application, needs no page both writable and executable */
    .quad   0, 0, 0, 0
    .long   0, 6
    .quad   0, 0, 0, 0, 0, 0            /* no directories: aarch64_relocate is ours */
section_table:
    .ascii  ".text\0\0\0"
    .long   __rodata_start - _start - PAGE, PAGE, __rodata_start - _start - PAGE, PAGE
    .long   0, 0, 0
    .long   0x60000020                  /* code, executable, readable */
    .ascii  ".data\0\0\0"               /* constants with it: pointers among them are set right */
    .long   __pe_data_bytes - _start, __rodata_start - _start, __pe_data_file_bytes - _start, __rodata_start - _start
    .long   0, 0, 0
    .long   0xc0000040                  /* data, readable, writable */

    .text
entry:
    msr     daifset, #15
    mov     x20, x0
    mrs     x1, CurrentEL               /* without firmware below us, all cores come here at once: one goes on */
    cmp     x1, #(3 << 2)
    b.ne    boot_core
    mrs     x1, mpidr_el1
    tst     x1, #0xffffff
    b.eq    boot_core
park:
    wfi
    b       park
boot_core:
    adrp    x0, _start
    bl      aarch64_relocate
    adrp    x1, __bss_start
    add     x1, x1, :lo12:__bss_start
    adrp    x2, __bss_end
    add     x2, x2, :lo12:__bss_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b
    mov     x19, xzr

/* x20: device tree or 0, x19: the machine as UEFI told of it, or 0. What the image has in memory is not in caches. */
    .globl aarch64_own_level
aarch64_own_level:
    mrs     x22, CurrentEL
    bl      aarch64_enter_el            /* -> x0: EL we run at */
    cmp     x22, #(3 << 2)
    cset    w22, eq
    adrp    x1, aarch64_from_el3
    strb    w22, [x1, :lo12:aarch64_from_el3]
    cmp     x0, #2
    cset    w21, eq
    adrp    x1, aarch64_at_el2
    strb    w21, [x1, :lo12:aarch64_at_el2]
    adrp    x1, __stacks_start + AARCH64_STACK_SLOT_BYTES       /* page-aligned, all of them */
    adrp    x2, __stacks_start + AARCH64_STACK_TOP
    msr     spsel, #1
    mov     sp, x1
    msr     spsel, #0
    mov     sp, x2
    mov     x29, xzr
    mov     x30, xzr
    mov     x0, x20
    mov     x1, x19
    b       aarch64_boot

/* x0: where _start is, at whose distance from the linked one all pointers in the image's data are set right (ELF for the
 * Arm 64-bit Architecture: R_AARCH64_RELATIVE is the only kind there). Once more does no harm. Uses x0-x4. */
    .globl aarch64_relocate
aarch64_relocate:
    ldr     x1, link_address
    sub     x0, x0, x1
    adrp    x1, __relocations_start
    add     x1, x1, :lo12:__relocations_start
    adrp    x2, __relocations_end
    add     x2, x2, :lo12:__relocations_end
1:  cmp     x1, x2
    b.hs    2f
    ldp     x3, x4, [x1], #16           /* place, kind */
    ldr     x4, [x1], #8                /* addend */
    add     x4, x4, x0
    str     x4, [x3, x0]
    b       1b
2:  ret

    .section .note.GNU-stack, "", %progbits
