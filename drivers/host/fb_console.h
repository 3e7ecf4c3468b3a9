// SPDX-License-Identifier: Apache-2.0
/* A terminal on a framebuffer, as the machine's console (output alone: keys come from ps2_keyboard.h or nowhere). It
 * needs no heap and may be started before there is one. One per image. */
#pragma once
#include "drivers/host/console.h"
#include "drivers/host/framebuffer.h"

/* Clears the screen. False: framebuffer_is_usable says no. */
bool   fb_console_init(const struct framebuffer *f);
/* Of struct host_console; `ctx` is not looked at. */
void   fb_console_write(void *ctx, const char *text, size_t length);
/* The terminal's answers to questions that were written to it (cursor position), for a machine with no other console. */
size_t fb_console_read_answers(void *ctx, char *out, size_t cap_bytes);
