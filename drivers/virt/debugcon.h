// SPDX-License-Identifier: Apache-2.0
/* The debug console of QEMU and Bochs: one port, to which firmware writes its messages. No state. */
#pragma once
#include "hv/mmu/mmio.h"

/* `write` is called in the thread of the vCPU that wrote, with the bus's lock of this device held. */
struct debugcon_config {
    guest_phys_addr base;
    void           *ctx;
    void          (*write)(void *ctx, const char *text, size_t length);
};
NODISCARD struct vm_error debugcon_create(const struct debugcon_config *c, struct mmio_region *out);
