// SPDX-License-Identifier: Apache-2.0
/* Looking up a glyph; see font.h. */
#include "drivers/host/font.h"

static const uint8_t *find(const struct font *f, unsigned code)
{
    unsigned low = 0, high = f->code_count;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        if (f->codes[mid].code < code) low = mid + 1;
        else high = mid;
    }
    if (low == f->code_count || f->codes[low].code != code) return NULL;
    return f->lines + f->codes[low].glyph * f->height;
}

const uint8_t *font_lines(const struct font *f, unsigned code)
{
    const uint8_t *found = find(f, code);
    if (!found) found = find(f, 0xfffd);
    if (!found) found = find(f, '?');
    return found ? found : f->lines;
}
