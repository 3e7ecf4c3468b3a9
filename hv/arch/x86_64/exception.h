// SPDX-License-Identifier: Apache-2.0
/* Who is told of an exception in the hypervisor itself: hv/core's panic_exception, wired by boot; and the console of last
 * resort for an exception within that. */
#pragma once
#include "hv/base/types.h"

/* `f` gets every exception that is not an interrupt, `raw` the text of what cannot be told that way; neither returns. */
typedef void x86_64_exception_fn(const char *reason, const char *registers, const uintptr_t *frames, unsigned count);
void x86_64_exception_handler(x86_64_exception_fn *f, void (*raw)(const char *text, size_t length));
