// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine's map, that of QEMU's `virt`, and what machine.c and fdt.c hand each other. Constants and plain values;
 * docs/arm64-machine.md. */
#pragma once
#include "hv/isa/image.h"

#define ARM64_MAX_VCPUS    64
#define ARM64_UART_HZ      24000000u

/* base, size of each region; irq: its SPI, which is INTID 32 less */
#define ARM64_ROM_BASE     0x00000000u              /* firmware, as QEMU's first flash bank */
#define ARM64_ROM_BYTES    0x04000000u
#define ARM64_FLASH_BYTES  0x08000000u              /* both banks; what the firmware leaves is erased */
#define ARM64_GICD_BASE    0x08000000u
#define ARM64_GICC_BASE    0x08010000u
#define ARM64_GICC_BYTES   0x2000u
#define ARM64_GICR_BASE    0x080a0000u
#define ARM64_UART_BASE    0x09000000u
#define ARM64_UART_IRQ     1
#define ARM64_RTC_BASE     0x09010000u
#define ARM64_RTC_IRQ      2
#define ARM64_VIRTIO_SLOTS 8                        /* slot n at base + n * bytes, SPI 16 + n */
#define ARM64_VIRTIO_BASE  0x0a000000u
#define ARM64_VIRTIO_BYTES 0x200u
#define ARM64_VIRTIO_IRQ   16
#define ARM64_RAM_BASE     0x40000000ull
#define ARM64_DTB_BYTES    0x10000u                 /* room that the device tree gets */

/* What the device tree says that is not in the map. */
struct arm64_fdt {
    uint64_t    memory_size;
    unsigned    vcpu_count, gic_version;
    const char *cmdline;
    uint64_t    initrd_from, initrd_end;            /* equal: none */
    uint8_t     seed[32];
    bool        has_seed;
};
/* Writes the tree into out; false: it does not fit. */
NODISCARD bool arm64_fdt_make(void *out, size_t cap_bytes, const struct arm64_fdt *d, size_t *size_bytes);
