// SPDX-License-Identifier: Apache-2.0
/* The hostile virtio driver of virtio_fuzz.h, led by the input instead of a seed. */
#include "test/fuzz/input.h"
#include "test/fuzz/virtio_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    input_start(data, size_bytes);
    uint64_t kind = input_number(1);
    virtio_fuzz_lead(input_number, input_left);
    virtio_fuzz_case(kind, (unsigned)(size_bytes < 400 ? size_bytes : 400), false);
    return 0;
}
