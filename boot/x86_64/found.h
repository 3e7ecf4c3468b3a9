// SPDX-License-Identifier: Apache-2.0
/* What a loader told us, copied out of its structures before their memory is given away, and ranges of addresses to
 * subtract from each other. Boot core, before hospes_main. */
#pragma once
#include "boot/boot_info.h"
#include "drivers/host/framebuffer.h"
#include "hv/arch/x86_64/x86_64.h"

#define FOUND_MAX_RANGES  256
#define FOUND_MAX_CMDLINE 2048
#define FOUND_NAME_BYTES  64

struct found_range { uint64_t base, end; bool is_ram; };

struct found {
    const char *loader;
    char     cmdline[FOUND_MAX_CMDLINE];
    struct found_range range[FOUND_MAX_RANGES];          /* as told: they may overlap, and what is not RAM wins */
    unsigned range_count;
    struct boot_module module[BOOT_MAX_MODULES];
    char     module_name[BOOT_MAX_MODULES][FOUND_NAME_BYTES];
    unsigned module_count;
    uint64_t rsdp;                                       /* 0: not told */
    struct framebuffer framebuffer;                      /* base NULL: not told */
};

/* False: `info` is not theirs. The first 4 GiB are mapped. */
bool pvh_read(uint64_t info, struct found *out);
bool multiboot2_read(uint32_t magic, uint64_t info, struct found *out);

void found_add_range(struct found *f, uint64_t base, uint64_t size_bytes, bool is_ram);
void found_add_module(struct found *f, uint64_t base, uint64_t size_bytes, const char *name);
void found_set_cmdline(struct found *f, const char *text, size_t cap_bytes);

/* The BIOS's extended data area, from the word at 0x40e; 0: there is none. */
uint64_t found_ebda(void);

/* acpi.c, mptable.c: fill what the tables say of the cores and chips. False: no such tables. */
struct acpi_extra { uint16_t uart_port; uint8_t uart_irq; struct host_buses *buses; };  /* SPCR, 0: not said; MCFG, DSDT */
bool acpi_read(uint64_t *rsdp, struct x86_64_platform *p, struct acpi_extra *extra);
bool mptable_read(struct x86_64_platform *p);

/* buses.c: what ACPI did not say of PCI and virtio-mmio, after acpi_read. */
void buses_find(const char *cmdline, const struct x86_64_platform *p, struct host_buses *b);
