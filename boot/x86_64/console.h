// SPDX-License-Identifier: Apache-2.0
/* A PC's consoles: the serial port, the screen that the loader left, the keyboard. Serial comes first; each of them may
 * be missing. Boot core, before hospes_main. */
#pragma once
#include "drivers/host/console.h"
#include "drivers/host/framebuffer.h"

/* Writes before pc_console_start, and of a panic at any time: to all that there are. */
void pc_console_raw(const char *text, size_t length);
/* From now on at this port; 0, or no chip there: no serial port. */
void pc_console_serial(uint16_t port);
/* Once only. What the framebuffer covers is mapped by now. */
void pc_console_screen(const struct framebuffer *f);
/* Interrupts are on: keys come. NULL: this machine has no console. */
const struct host_console *pc_console_start(uint8_t uart_irq, bool has_keyboard);
