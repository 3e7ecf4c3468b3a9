// SPDX-License-Identifier: Apache-2.0
/* One arm64 machine: what machine.c lays out and resets, and devices.c puts on the bus. Built and reset while no vCPU runs;
 * afterwards read-only but for `psci`, the atomics and the devices' own state. */
#pragma once
#include "drivers/virt/gic.h"
#include "hv/isa/arm64/board.h"
#include "hv/isa/arm64/psci.h"
#include "hv/isa/arm64/state.h"

/* Where everything goes. Made from the configuration alone: a VM that cannot be is refused before it costs. */
struct arm64_layout {
    struct image firmware, kernel;
    bool         has_firmware, has_kernel;
    uint64_t     rom_bytes;                         /* of the firmware's ROM at 0 */
    uint64_t     initrd_from, initrd_end;           /* equal: none */
    uint64_t     dtb_at;
};
NODISCARD struct vm_error arm64_layout_make(const struct machine_config *c, struct arm64_layout *out);

struct arm64_machine {
    struct machine_config config;
    struct machine_host   host;
    struct gmem          *gmem;
    struct mmio_bus      *bus;
    struct vcpu          *vcpus;
    struct guest_clock   *clock;
    struct arm64_layout   layout;
    unsigned              gic_version, lr_count;    /* lr_count: list registers of the host's */
    struct psci           psci;
    struct gic           *gic;                      /* the bus owns it, and these */
    void                 *uart;
    void                 *virtio_console;           /* NULL when disks fill its slot */
    bool                  keys_go_to_virtio;        /* atomic: the console that the guest spoke on last */
    _Alignas(8) uint8_t   dtb[ARM64_DTB_BYTES];
};
static inline struct arm64_machine *arm64_machine(const struct vcpu *v) { return v->machine; }

/* devices.c. On failure the bus owns what it has taken so far, nothing else remains. */
NODISCARD struct vm_error arm64_devices_create(struct arm64_machine *m);
void                      arm64_console_input(struct arm64_machine *m, const char *text, size_t length);
size_t                    arm64_console_room(struct arm64_machine *m);
