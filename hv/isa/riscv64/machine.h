// SPDX-License-Identifier: Apache-2.0
/* One riscv64 machine: what machine.c lays out and resets, and devices.c puts on the bus. Built and reset while no
 * vCPU runs; afterwards read-only but for `sbi` (see sbi.h), the atomics and the devices' own state. */
#pragma once
#include "hv/isa/riscv64/sbi.h"

/* Where everything goes. Made from the configuration alone: a VM that cannot be is refused before it costs. */
struct rv_layout {
    struct image firmware, kernel;
    bool         has_firmware, has_kernel;
    uint64_t     initrd_from, initrd_end;           /* equal: none */
    uint64_t     boot_info_at;                      /* struct fw_dynamic_info of OpenSBI, 6 words */
    uint64_t     dtb_at;
};

struct rv_machine {
    struct machine_config config;
    struct machine_host   host;
    struct gmem          *gmem;
    struct mmio_bus      *bus;
    struct vcpu          *vcpus;
    struct guest_clock   *clock;
    struct rv_options     options;
    struct rv_layout      layout;
    struct sbi            sbi;
    void                 *plic, *uart;              /* the bus owns them */
    void                 *virtio_console;           /* also; NULL when disks fill its slot */
    bool                  keys_go_to_virtio;        /* atomic: the console that the guest spoke on last */
    _Alignas(8) uint8_t   dtb[RV_DTB_BYTES];
};

NODISCARD struct vm_error rv_layout_make(const struct machine_config *c, struct rv_layout *out);
NODISCARD struct vm_error rv_options_parse(const struct machine_config *c, struct rv_options *out);
/* devices.c. On failure the bus owns what it has taken so far, nothing else remains. */
NODISCARD struct vm_error rv_devices_create(struct rv_machine *m);
void                      rv_console_input(struct rv_machine *m, const char *text, size_t length);
size_t                    rv_console_room(struct rv_machine *m);
/* For SBI: takes from the UART what was typed. */
size_t                    rv_console_read(void *machine, char *out, size_t cap_bytes);
