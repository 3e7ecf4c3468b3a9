// SPDX-License-Identifier: Apache-2.0
/* What of a framebuffer can be believed; see framebuffer.h. */
#include "drivers/host/framebuffer.h"

#define MAX_SIDE  16384u
#define MIN_WIDTH  160u                                  /* 20 columns */
#define MIN_HEIGHT  64u                                  /* 4 rows */

static bool is_colour(struct framebuffer_colour c, unsigned pixel_bits)
{
    return c.bits > 0 && c.shift < pixel_bits && c.bits <= pixel_bits - c.shift;
}

bool framebuffer_is_usable(const struct framebuffer *f)
{
    if (!f->base || f->width > MAX_SIDE || f->height > MAX_SIDE) return false;
    if (f->is_text) return f->width >= 20 && f->height >= 4 && f->pitch_bytes >= 2 * f->width;
    unsigned bits = f->pixel_bits;
    if ((bits != 15 && bits != 16 && bits != 24 && bits != 32) || f->width < MIN_WIDTH || f->height < MIN_HEIGHT) return false;
    if (f->pitch_bytes < f->width * ((bits + 7) / 8)) return false;
    return is_colour(f->red, bits) && is_colour(f->green, bits) && is_colour(f->blue, bits);
}
