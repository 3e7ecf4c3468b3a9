// SPDX-License-Identifier: Apache-2.0
/* The engine that tests of engines run on: UNIT_ENGINE=jit in the environment, else the interpreter. */
#pragma once
#include <stdlib.h>
#include <string.h>
#include "hv/exec/engine.h"

static inline const struct engine_ops *engine_under_test(void)
{
    const char *name = getenv("UNIT_ENGINE");
    return name && !strcmp(name, JIT_ENGINE.name) ? &JIT_ENGINE : &INTERP_ENGINE;
}
#define TEST_ENGINE (*engine_under_test())
