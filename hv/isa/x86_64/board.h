// SPDX-License-Identifier: Apache-2.0
/* The x86_64 machine's map, that of QEMU's `microvm`, and what the files of this folder hand each other about it.
 * Constants and plain values; docs/x86_64-machine.md. */
#pragma once
#include "hv/isa/image.h"

#define X86_MAX_CPUS        64

/* RAM: below 3 GiB, the rest from 4 GiB on. Firmware ends at 4 GiB. */
#define X86_LOW_RAM_END     GIB(3)
#define X86_HIGH_RAM_BASE   GIB(4)
#define X86_ROM_MAX_BYTES   MIB(16)
#define X86_SHADOW_BYTES    0x20000u        /* the end of firmware is also in RAM, below 1 MiB */

#define X86_POWER_BASE      0xfea00200u
#define X86_VIRTIO_BASE     0xfeb00000u     /* slot n at base + n * bytes, interrupt input 16 + n */
#define X86_VIRTIO_BYTES    0x200u
#define X86_VIRTIO_SLOTS    8
#define X86_VIRTIO_GSI      16

#define X86_COM1_PORT       0x3f8
#define X86_COM1_IRQ        4
#define X86_RTC_IRQ         8
#define X86_DEBUGCON_PORT   0x402           /* for firmware alone */
#define X86_PIT_GSI         2               /* interrupt 0 of the PC is input 2 */

/* Ports are on the bus too, from here on: beyond every physical address. */
#define X86_PORTS           (1ull << 62)
#define X86_PORT_COUNT      0x10000u

/* What the loader leaves below 1 MiB. */
#define X86_GDT_AT          0x1000u
#define X86_START_INFO_AT   0x6000u
#define X86_BOOT_PARAMS_AT  0x7000u
#define X86_TABLES_AT       0x9000u         /* six pages: the first 4 GiB, one to one */
#define X86_STACK_TOP       0x8ff0u
#define X86_CMDLINE_AT      0x20000u
#define X86_LOW_RAM_FREE_TO 0x9fc00u
#define X86_MP_TABLE_AT     0x9fc00u
#define X86_ACPI_AT         0xe0000u
#define X86_ACPI_BYTES      0x10000u
#define X86_MEGABYTE        0x100000u

/* Memory as firmware lists it: 1 usable, 2 reserved. */
#define X86_MAX_MEMORY_ROWS 5
struct x86_memory_row { uint64_t at, size_bytes; uint32_t type; };
unsigned x86_memory_map(uint64_t memory_size, struct x86_memory_row out[X86_MAX_MEMORY_ROWS]);

/* tables.c: both write into a buffer that stands for guest memory from `at` on; returns the bytes used, 0: they do not fit. */
size_t x86_make_acpi(void *out, size_t cap_bytes, uint64_t at, unsigned cpu_count, uint64_t *rsdp_at);
size_t x86_make_mp_table(void *out, size_t cap_bytes, uint64_t at, unsigned cpu_count);
