// SPDX-License-Identifier: Apache-2.0
/* The sixteen colours of a terminal, and which of them is nearest to another colour. */
#pragma once
#include "hv/base/types.h"

struct palette_colour { uint8_t red, green, blue; };
extern const struct palette_colour palette[16];          /* in ANSI's order */

/* Each part 0 to 255; more is taken for 255. */
unsigned palette_nearest(unsigned red, unsigned green, unsigned blue);
/* Of xterm's 256: the sixteen, a cube of six steps a side, 24 greys. */
unsigned palette_from_256(unsigned n);
