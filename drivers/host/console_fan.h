// SPDX-License-Identifier: Apache-2.0
/* Several consoles as one: what is written goes to each, keys come from any. */
#pragma once
#include "drivers/host/console.h"

#define CONSOLE_FAN_PARTS 4u

/* A part without `read` has no keys. */
struct console_fan {
    const struct host_console *part[CONSOLE_FAN_PARTS];
    unsigned count;
    unsigned turn;                                       /* read: where to look first, so that none starves the others */
    char     name[48];
    struct host_console console;                         /* the whole, once a part is there */
};

/* In the order of writing. The part stays its owner's and is never let go. False: no place. */
bool console_fan_add(struct console_fan *f, const struct host_console *part);
