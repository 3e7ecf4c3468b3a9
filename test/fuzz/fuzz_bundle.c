// SPDX-License-Identifier: Apache-2.0
/* Any archive as a bundle; what is found lies inside it. */
#include "hv/vm/bundle.h"
#include "test/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const char *const names[] = { "hospes.conf", "autoexec", "0-kernel", "./dir/kernel", "", "TRAILER!!!" };
    uint8_t *copy = malloc(size_bytes ? size_bytes : 1);
    CHECK(copy);
    memcpy(copy, data, size_bytes);
    const struct bundle b = { copy, size_bytes };
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        const void *found;
        size_t length;
        if (!bundle_find(&b, names[i], &found, &length)) continue;
        CHECK((const uint8_t *)found >= copy && length <= size_bytes && (const uint8_t *)found + length <= copy + size_bytes);
    }
    (void)bundle_is_valid(&b);
    free(copy);
    return 0;
}
