// SPDX-License-Identifier: Apache-2.0
/* The test finisher: one register through which a guest ends or restarts its machine. No state. */
#pragma once
#include "hv/mmu/mmio.h"

#define SIFIVE_TEST_BYTES 0x1000u

/* Called in the thread of the vCPU that wrote, with the bus's lock of this device held. */
struct sifive_test_config {
    guest_phys_addr base;
    void           *ctx;
    void          (*power_off)(void *ctx, uint32_t code);     /* 0: pass; a failure is never 0 */
    void          (*reboot)(void *ctx);
};
NODISCARD struct vm_error sifive_test_create(const struct sifive_test_config *c, struct mmio_region *out);
