// SPDX-License-Identifier: Apache-2.0
/* Sixteen colours; see palette.h. They are VGA's. */
#include "drivers/host/palette.h"
#include "hv/base/bits.h"

const struct palette_colour palette[16] = {
    { 0x00, 0x00, 0x00 }, { 0xaa, 0x00, 0x00 }, { 0x00, 0xaa, 0x00 }, { 0xaa, 0x55, 0x00 },
    { 0x00, 0x00, 0xaa }, { 0xaa, 0x00, 0xaa }, { 0x00, 0xaa, 0xaa }, { 0xaa, 0xaa, 0xaa },
    { 0x55, 0x55, 0x55 }, { 0xff, 0x55, 0x55 }, { 0x55, 0xff, 0x55 }, { 0xff, 0xff, 0x55 },
    { 0x55, 0x55, 0xff }, { 0xff, 0x55, 0xff }, { 0x55, 0xff, 0xff }, { 0xff, 0xff, 0xff },
};

static unsigned squared(unsigned a, unsigned b) { return a > b ? (a - b) * (a - b) : (b - a) * (b - a); }

unsigned palette_nearest(unsigned red, unsigned green, unsigned blue)
{
    unsigned best = 0, best_distance = ~0u;
    if (red > 255) red = 255;
    if (green > 255) green = 255;
    if (blue > 255) blue = 255;
    for (unsigned i = 0; i < ARRAY_COUNT(palette); i++) {
        unsigned distance = squared(red, palette[i].red) + squared(green, palette[i].green) + squared(blue, palette[i].blue);
        if (distance >= best_distance) continue;
        best = i;
        best_distance = distance;
    }
    return best;
}

unsigned palette_from_256(unsigned n)
{
    static const uint8_t step[6] = { 0, 95, 135, 175, 215, 255 };
    if (n < 16) return n;
    if (n > 255) return 7;
    if (n >= 232) return palette_nearest(8 + (n - 232) * 10, 8 + (n - 232) * 10, 8 + (n - 232) * 10);
    n -= 16;
    return palette_nearest(step[n / 36], step[n / 6 % 6], step[n % 6]);
}
