// SPDX-License-Identifier: Apache-2.0
/* The font of a screen: 8 pixels wide, one byte a line of a glyph, the leftmost pixel in its highest bit. Made at build
 * time by tools/fontgen.c from a console font of Debian's (third_party/third_party.mk says which). */
#pragma once
#include "hv/base/types.h"

#define FONT_WIDTH 8u

struct font_code { uint16_t code, glyph; };
struct font {
    unsigned height;
    const uint8_t *lines;                                /* height bytes a glyph */
    const struct font_code *codes;                       /* by rising code */
    unsigned code_count;
};

/* The one of this image. */
extern const struct font font_screen;

/* The lines of a character's glyph; the replacement character, or `?`, where the font has none. */
const uint8_t *font_lines(const struct font *f, unsigned code);
