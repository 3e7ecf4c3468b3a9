// SPDX-License-Identifier: Apache-2.0
/* The process's standard streams as the host console. Output goes through a bounded ring to a thread of its own, keys come
 * through another: a full pipe makes guests that print wait, and nobody else. The terminal is raw while we run and as it
 * was on every way out. */
#pragma once
#include "drivers/host/console.h"

/* First thing in main: descriptors 0 to 2 are open, so that no file of ours becomes one of them. */
void stdio_make_streams(void);
/* True: keys come from a terminal, which is raw from now on. */
bool stdio_take_terminal(void);
/* Async-signal-safe, any number of times. */
void stdio_restore_terminal(void);
/* Starts the threads. `closed` is called once, on a thread that is no core, when nobody reads the output any more. */
bool stdio_start(struct host_console *out, void (*keys_came)(void), void (*closed)(void));
bool stdio_has_keys(void);
/* From now on output that finds no room is lost. */
void stdio_stop_waiting(void);
/* Waits until all output is written, or nobody reads it, or `timeout_ms` have passed (negative: no limit). */
void stdio_drain(int timeout_ms);
