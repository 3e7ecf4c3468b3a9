// SPDX-License-Identifier: Apache-2.0
/* <stdlib.h> of freestanding images: only what libfdt and SoftFloat name. */
#pragma once
#include <stddef.h>
unsigned long strtoul(const char *s, char **end, int base);
