// SPDX-License-Identifier: Apache-2.0
/* A screen as firmware left it: what an entry (Multiboot2, UEFI's GOP, a board) hands to fb_console.h. Nothing here
 * sets a mode. `base` is usable as it is: its owner has mapped height * pitch_bytes there, write-combining where the
 * host can; it is only ever written. */
#pragma once
#include "hv/base/types.h"

/* Where a colour lies in a pixel: bits `shift` and up, `bits` of them (8 of more are used). */
struct framebuffer_colour { uint8_t shift, bits; };

struct framebuffer {
    void    *base;
    uint32_t pitch_bytes;                                /* from one line to the next */
    uint32_t width, height;                              /* in pixels; of a text mode in cells */
    uint8_t  pixel_bits;                                 /* 15, 16, 24 or 32, little-endian */
    bool     is_text;                                    /* EGA text: 16-bit cells, character and attribute */
    struct framebuffer_colour red, green, blue;          /* not of a text mode */
};

/* False: not one that we can draw on (too small, a strange pixel, lines that overlap). */
bool framebuffer_is_usable(const struct framebuffer *f);
