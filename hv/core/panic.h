// SPDX-License-Identifier: Apache-2.0
/* The end: a broken invariant or an exception in the hypervisor itself. Prints reason, registers and a backtrace with
 * symbols straight to the raw console, then stops. Symbols: a table linked into the image (tools/mksyms). */
#pragma once
#include <stdarg.h>
#include "hv/base/assert.h"

/* The raw output of last resort; set by boot before anything can go wrong. */
void panic_set_output(void (*write)(const char *text, size_t length));
/* For exception handlers: `registers` is a ready text block; `frames` are return addresses, innermost first. */
NORETURN void panic_exception(const char *reason, const char *registers, const uintptr_t *frames, unsigned count);
/* "name+0x12" for a code address into out; the bare address when unknown. */
void symbol_format(char *out, size_t cap_bytes, uintptr_t address);
