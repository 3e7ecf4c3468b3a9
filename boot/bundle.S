// SPDX-License-Identifier: Apache-2.0
/* The bundle that is linked into the image: what runs when the loader brings none. */
    .section .rodata.bundle, "a"
    .balign 16
    .globl hv_bundle_start, hv_bundle_end
hv_bundle_start:
    .incbin BUNDLE
hv_bundle_end:
    .balign 16
    .section .note.GNU-stack, "", %progbits
