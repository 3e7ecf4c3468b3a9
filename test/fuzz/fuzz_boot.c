// SPDX-License-Identifier: Apache-2.0
/* What loaders and firmware say: Multiboot2 information and a flattened device tree, of any content. */
#include "boot/aarch64/fdt_boot.h"
#include "boot/x86_64/found.h"
#include "test/fuzz/input.h"
#include <libfdt.h>

/* No chip is driven here: the trees' readers want their names alone. */
const struct uart_chip uart_pl011, uart_cadence;

static void multiboot2(const uint8_t *data, size_t size_bytes)
{
    static struct found f;
    uint8_t *info = aligned_alloc(8, (size_bytes + 15) & ~(size_t)7);
    uint32_t total = (uint32_t)((size_bytes + 8) & ~(size_t)7);
    CHECK(info);
    memset(info, 0, (size_bytes + 15) & ~(size_t)7);
    memcpy(info, data, size_bytes);
    memcpy(info, &total, 4);                                      /* GRUB's word for its size is believed */
    memset(&f, 0, sizeof f);
    (void)multiboot2_read(0x36d76289, (uint64_t)(uintptr_t)info, &f);
    free(info);
}

static void tree(const uint8_t *data, size_t size_bytes)
{
    static struct machine m;
    uint8_t *copy = aligned_alloc(8, (size_bytes + 7 + 8) & ~(size_t)7);
    CHECK(copy);
    memcpy(copy, data, size_bytes);
    /* The header's total is believed by whoever has only an address: it must not be larger than what is there. */
    if (size_bytes < sizeof(struct fdt_header)) {
        free(copy);
        return;
    }
    uint32_t extent = fdt_extent(copy);
    if (extent && extent <= size_bytes && fdt_totalsize(copy) < extent) fdt_set_totalsize(copy, extent);      /* as boot does */
    if (fdt_totalsize(copy) <= size_bytes && fdt_is_tree(copy)) {
        memset(&m, 0, sizeof m);
        fdt_read_loader(copy, &m);
        fdt_read_chips(copy, 0, &m);
        machine_settle(&m);
        CHECK(m.ram_count <= BOOT_MAX_RANGES && m.reserved_count <= BOOT_MAX_RANGES && m.no_map_count <= BOOT_MAX_RANGES);
        for (unsigned i = 1; i < m.ram_count; i++) CHECK(m.ram[i].base > m.ram[i - 1].base + m.ram[i - 1].size_bytes);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    if (!size_bytes) return 0;
    if (data[0] & 1) multiboot2(data + 1, size_bytes - 1);
    else tree(data + 1, size_bytes - 1);
    return 0;
}
