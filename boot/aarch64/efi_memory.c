// SPDX-License-Identifier: Apache-2.0
/* UEFI's memory map (UEFI 2.10, 7.2.3) as ranges of RAM; see efi.h. Plain computing, so it is tested hosted as well. */
#include "boot/aarch64/efi.h"
#include "hv/base/string.h"

/* What firmware keeps (runtime services, ACPI's tables, reserved) is no RAM of ours: it is not even mapped. */
static bool is_ram(const struct efi_memory *e)
{
    if (!(e->attributes & EFI_MEMORY_WB) || e->attributes & EFI_MEMORY_SPECIAL) return false;
    return (e->type >= EFI_LOADER_CODE && e->type <= EFI_BOOT_DATA) || e->type == EFI_CONVENTIONAL;
}

/* Keeps `ram` sorted, and when it is full the larger ranges. */
static void add(struct machine *m, uint64_t base, uint64_t size_bytes)
{
    unsigned at = 0;
    while (at < m->ram_count && m->ram[at].base + m->ram[at].size_bytes < base) at++;
    if (at < m->ram_count && m->ram[at].base <= base + size_bytes) {             /* they touch */
        uint64_t end = base + size_bytes, old_end = m->ram[at].base + m->ram[at].size_bytes;
        uint64_t from = base < m->ram[at].base ? base : m->ram[at].base, to = end > old_end ? end : old_end;
        memmove(m->ram + at, m->ram + at + 1, (m->ram_count - at - 1) * sizeof *m->ram);
        m->ram_count--;
        add(m, from, to - from);                          /* it may reach the next one now; the list is one shorter */
        return;
    }
    if (m->ram_count == BOOT_MAX_RANGES) {
        unsigned least = 0;
        for (unsigned i = 1; i < m->ram_count; i++) least = m->ram[i].size_bytes < m->ram[least].size_bytes ? i : least;
        if (m->ram[least].size_bytes >= size_bytes) return;
        memmove(m->ram + least, m->ram + least + 1, (m->ram_count - least - 1) * sizeof *m->ram);
        m->ram_count--;
        at -= least < at;
    }
    memmove(m->ram + at + 1, m->ram + at, (m->ram_count - at) * sizeof *m->ram);
    m->ram[at] = (struct boot_range){ base, size_bytes };
    m->ram_count++;
}

void efi_read_memory(const void *map, uint64_t size_bytes, uint64_t stride_bytes, struct machine *m)
{
    m->ram_count = 0;
    if (stride_bytes < sizeof(struct efi_memory)) return;
    for (uint64_t at = 0; at + stride_bytes <= size_bytes; at += stride_bytes) {
        struct efi_memory e;
        memcpy(&e, (const uint8_t *)map + at, sizeof e);
        bool is_whole = e.base < MACHINE_END && e.page_count && e.page_count <= (MACHINE_END - e.base) / EFI_PAGE_BYTES;
        if (is_ram(&e) && is_whole) add(m, e.base, e.page_count * EFI_PAGE_BYTES);
    }
}
