// SPDX-License-Identifier: Apache-2.0
/* Any program in IR: folded, sealed, lowered and interpreted, against plain evaluation (test/unit/interp_random_test.c). */
#include "test/fuzz/input.h"
#include "test/unit/interp_random_test.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static bool is_started;
    if (!is_started) rig_start(lift, NULL);
    is_started = true;
    input_start(data, size_bytes);
    make_program();
    try_program(0);
    return 0;
}
