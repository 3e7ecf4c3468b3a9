// SPDX-License-Identifier: Apache-2.0
/* Any machine whose device tree tells of everything and whose chips we drive: QEMU's virt, and others of its kind. */
#include "boot/board.h"

const struct board board_virt_aarch64 = { .name = NULL };
