// SPDX-License-Identifier: Apache-2.0
/* What a loader without a device tree says: the tagged list of 32-bit Arm, which QEMU's -kernel gives to boards of its own. */
#pragma once
#include "boot/board.h"

/* False: there is no such list. Copies what it keeps. Runs before the MMU is on. */
bool atags_read(const void *at, struct machine *out);
