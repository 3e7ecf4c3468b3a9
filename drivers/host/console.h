// SPDX-License-Identifier: Apache-2.0
/* The machine's console, one per image. Callers of write take turns among themselves (a panic may cut in); so do callers
 * of read. Neither waits for an interrupt: write may spin on a full transmitter, read returns what is there. */
#pragma once
#include "hv/base/types.h"

struct host_console {
    const char *name;                                               /* "pl011", "ns16550" */
    void   (*write)(void *ctx, const char *text, size_t length);    /* sends the bytes as they are, but CR before LF */
    size_t (*read)(void *ctx, char *out, size_t cap_bytes);         /* count of bytes read, 0 when none wait */
    void    *ctx;
    bool     has_irq;                                               /* input raises ARCH_IRQ_DEVICE; else poll */
};
