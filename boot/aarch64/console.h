// SPDX-License-Identifier: Apache-2.0
/* An AArch64 machine's consoles: its UART, and the screen that firmware left. Serial comes first; each may be missing. Boot
 * core, before hospes_main. */
#pragma once
#include "boot/board.h"

/* From now on, and for panics at any time. Chip NULL: no UART. */
void board_console_serial(const struct board_uart *u);
/* Once only, when what it covers is mapped. */
void board_console_screen(const struct framebuffer *f);
/* Interrupts are on: keys come. NULL: this machine has no console. */
const struct host_console *board_console_start(void);
