// SPDX-License-Identifier: Apache-2.0
/* Any file as a kernel, for riscv64 and arm64: parsed, placed, and loaded where it fits. */
#include "hv/isa/image.h"
#include "test/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static struct gmem m;
    enum { BASE = 0x80000000, BYTES = MIB(4) };
    struct image i;
    uint64_t from, end;
    size_t n;
    test_pages();
    if (!m.range_count) {
        gmem_init(&m);
        CHECK(!vm_failed(gmem_add(&m, guest_phys_addr_make(BASE), BYTES, GMEM_RAM)));
    }
    input_start(data, size_bytes);
    enum guest_arch arch = input_number(1) & 1 ? GUEST_ARM64 : GUEST_RISCV64;
    uint8_t *file = input_rest(&n);
    const struct blob blob = { file, n };
    if (!vm_failed(image_parse(&blob, arch, &i))) {
        CHECK(i.segment_count <= IMAGE_MAX_SEGMENTS);
        image_place(&i, BASE);
        image_extent(&i, &from, &end);
        if (image_fits(&i, BASE, BASE + BYTES)) {
            CHECK(!vm_failed(image_load(&i, &m)));
            CHECK(from >= BASE && end <= BASE + BYTES);
        }
        (void)image_overlaps(&i, BASE, BASE + BYTES);
    }
    free(file);
    return 0;
}
