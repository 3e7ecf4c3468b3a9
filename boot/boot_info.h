// SPDX-License-Identifier: Apache-2.0
/* What a firmware's entry found out, handed to hospes_main with all fields filled. By then the boot core has its own page
 * tables, interrupts on, a timer, and the free RAM belongs to the page allocator. Everything here lives for ever and is
 * read-only; pointers are usable as they are. */
#pragma once
#include "drivers/host/console.h"
#include "drivers/host/pci.h"
#include "hv/base/types.h"

#define BOOT_MAX_RANGES  64
#define BOOT_MAX_MODULES 16

struct boot_range  { uint64_t base, size_bytes; };
struct boot_module { const void *base; uint64_t size_bytes; const char *name; };    /* name: its command line, or "" */

struct boot_info {
    const char *loader;                              /* how we came here: "PVH", "Multiboot2", "Linux Image", ... */
    const char *cmdline;                             /* "" when there is none */
    const struct host_console *console;              /* NULL: this machine has none that we can drive */
    struct boot_range  free[BOOT_MAX_RANGES];        /* page_add_range was called for each of these */
    unsigned           free_count;
    struct boot_module modules[BOOT_MAX_MODULES];    /* the bundle is the first; none: the linked-in one */
    unsigned           module_count;
    const void        *dtb;                          /* NULL on machines without */
    uint64_t           rsdp;                         /* 0 on machines without ACPI */
    struct host_buses *buses;                        /* where devices of the machine's own may be; NULL: nowhere */
};

/* Devices are looked for there after the boot core is up: hence not constant. */
#define BOOT_MAX_MMIO_SLOTS 32
struct mmio_slot { uint64_t base, size_bytes; struct arch_line line; };              /* a virtio-mmio transport; line 0: unknown */
struct host_buses { struct pci_host pci; struct mmio_slot mmio[BOOT_MAX_MMIO_SLOTS]; unsigned mmio_count; };

/* One that is known, that is none, or one too many, is left out. */
static inline void buses_add_slot(struct host_buses *b, uint64_t base, uint64_t size_bytes, const struct arch_line *line)
{
    for (unsigned i = 0; i < b->mmio_count; i++) {
        if (b->mmio[i].base == base) return;
    }
    if (b->mmio_count < BOOT_MAX_MMIO_SLOTS && base && size_bytes >= 0x200) b->mmio[b->mmio_count++] = (struct mmio_slot){ base, size_bytes, *line };
}

/* boot/disks.c: drives what lies on the buses, and makes the host's disks known. */
void host_disks_start(struct host_buses *buses);

/* boot/main.c: runs on the boot core, does not return. */
NORETURN void hospes_main(const struct boot_info *info);
