// SPDX-License-Identifier: Apache-2.0
/* The riscv64 machine's map, that of QEMU's `virt`, and what machine.c and fdt.c hand each other.
 * Constants and plain values; docs/riscv64-machine.md. */
#pragma once
#include "hv/isa/image.h"

#define RV_MAX_HARTS    64
#define RV_TIMEBASE_HZ  10000000u
#define RV_UART_HZ      3686400u

/* base, size of each region; irq: its PLIC source */
#define RV_TEST_BASE    0x100000u
#define RV_TEST_BYTES   0x1000u
#define RV_RTC_BASE     0x101000u
#define RV_RTC_BYTES    0x1000u
#define RV_RTC_IRQ      11
#define RV_CLINT_BASE   0x2000000u
#define RV_CLINT_BYTES  0x10000u
#define RV_PLIC_BASE    0xc000000u
#define RV_PLIC_BYTES   0x600000u
#define RV_PLIC_SOURCES 96
#define RV_UART_BASE    0x10000000u
#define RV_UART_BYTES   0x100u
#define RV_UART_IRQ     10
#define RV_VIRTIO_SLOTS 8
#define RV_VIRTIO_BASE  0x10001000u             /* slot n at base + n * bytes, source 1 + n */
#define RV_VIRTIO_BYTES 0x1000u
#define RV_VIRTIO_IRQ   1
#define RV_RAM_BASE     0x80000000ull
#define RV_KERNEL_BASE  0x80200000ull           /* a raw kernel; a Linux Image says its own offset in RAM */
#define RV_DTB_BYTES    0x10000u                /* room that the device tree gets */

/* The test finisher's words as the device tree's poweroff and reboot nodes tell them. */
#define RV_TEST_PASS    0x5555u
#define RV_TEST_RESET   0x7777u

struct rv_options { bool has_svadu, has_sstc; unsigned satp_mode; };   /* enum rv_satp_mode */

/* What the device tree says that is not in the map. */
struct rv_fdt {
    uint64_t          memory_size;
    unsigned          hart_count;
    struct rv_options options;
    const char       *cmdline;
    uint64_t          initrd_from, initrd_end;  /* equal: none */
    uint8_t           seed[32];
    bool              has_seed;
};
/* Writes the tree into out; false: it does not fit. */
NODISCARD bool rv_fdt_make(void *out, size_t cap_bytes, const struct rv_fdt *d, size_t *size_bytes);
