// SPDX-License-Identifier: Apache-2.0
/* Ends of a PC without a south bridge: ACPI's sleep control, sleep status and reset registers in memory (ACPI 4.8.3.6, 4.8.3.7), and the
 * ports by which PCs have always been reset: the keyboard controller's 64H, 92H, CF9H. */
#pragma once
#include "hv/mmu/mmio.h"

#define PC_POWER_BYTES       3u
enum { PC_POWER_SLEEP_CONTROL, PC_POWER_SLEEP_STATUS, PC_POWER_RESET };        /* offsets, a byte each */
#define PC_POWER_S5          5u             /* SLP_TYP of soft off */
#define PC_POWER_RESET_VALUE 0x42u

/* Called in the thread of the vCPU that wrote, with the bus's lock of this device held. */
struct pc_power_config {
    guest_phys_addr base;
    uint64_t        ports;                  /* where on the bus port 0 is */
    void           *ctx;
    void          (*power_off)(void *ctx);
    void          (*reboot)(void *ctx);
};
enum { PC_POWER_MEMORY, PC_POWER_KEYBOARD, PC_POWER_PORT_92, PC_POWER_PORT_CF9, PC_POWER_REGIONS };
NODISCARD struct vm_error pc_power_create(const struct pc_power_config *c, struct mmio_region out[PC_POWER_REGIONS]);
