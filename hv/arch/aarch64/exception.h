// SPDX-License-Identifier: Apache-2.0
/* Who is told of an exception in the hypervisor itself: hv/core's panic_exception, wired by boot. */
#pragma once
#include "hv/base/types.h"

/* Gets every exception that is not an interrupt; it does not return. */
typedef void aarch64_exception_fn(const char *reason, const char *registers, const uintptr_t *frames, unsigned count);
void aarch64_exception_handler(aarch64_exception_fn *f);
