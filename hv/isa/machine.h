// SPDX-License-Identifier: Apache-2.0
/* A guest machine: the board around the vCPUs (memory map, interrupt chip, timers, UART, virtio slots, firmware calls).
 * One const table an ISA, in hv/isa/<isa>/machine.c; hv/vm builds VMs through it and knows no guest's map. */
#pragma once
#include "drivers/block/block.h"
#include "drivers/net/switch.h"
#include "hv/exec/engine.h"

#define MACHINE_MAX_DISKS 8
#define MACHINE_MAX_NICS  4

/* A file's bytes, somebody else's. */
struct blob { const void *data; size_t size_bytes; };

/* What the machine asks of the VM it belongs to; any thread. */
enum power_request { POWER_OFF, POWER_REBOOT };
struct machine_host {
    void *vm;
    void (*power)(void *vm, enum power_request what, uint32_t code);     /* code 0: normal; finisher's code otherwise */
    void (*console_write)(void *vm, const char *text, size_t length);    /* guest's UART or SBI output */
    uint64_t (*wall_time_s)(void);
    bool (*random)(void *out, size_t size_bytes);
};

struct machine_config {
    uint64_t      memory_size;
    uint16_t      vcpu_count;
    struct blob   firmware, kernel, initrd;
    const char   *cmdline;
    struct block *disk[MACHINE_MAX_DISKS];                               /* owned by the VM */
    unsigned      disk_count;
    struct machine_nic { struct net_port *port; unsigned pairs; } nic[MACHINE_MAX_NICS];   /* ports owned by the VM */
    unsigned      nic_count;
    const char  *const *options; unsigned option_count;                  /* machine-specific "key=value" words, e.g. "ad=svadu" */
};

struct machine_ops {
    enum guest_arch arch;
    const char     *name;                                                /* "virt" */
    const struct isa_ops *isa;
    /* Checks what can be checked before anything is allocated. */
    NODISCARD struct vm_error (*check)(const struct machine_config *c);
    /* Builds RAM and devices into gmem and bus; *out is the machine. vcpus[] are allocated, not yet reset. */
    NODISCARD struct vm_error (*create)(const struct machine_config *c, const struct machine_host *host, struct gmem *gmem,
                                        struct mmio_bus *bus, struct vcpu *vcpus, struct guest_clock *clock, void **out);
    /* Loads images, makes the device tree, resets devices and vCPUs: also the guest's reboot. */
    NODISCARD struct vm_error (*reset)(void *machine);
    bool                      (*is_started)(void *machine, unsigned vcpu);   /* secondaries wait for the firmware call */
    /* Serves v->hypercall after EXEC_IO_REQUEST. */
    void                      (*hypercall)(void *machine, struct vcpu *v);
    /* Which call v->hypercall is, for statistics, below EXITS_HYPERCALLS; its name, NULL behind the last. */
    unsigned                  (*hypercall_kind)(const struct vcpu *v);
    const char               *(*hypercall_name)(unsigned kind);
    void                      (*console_input)(void *machine, const char *text, size_t length); /* to the UART; drops what does not fit, returns */
    size_t                    (*console_room)(void *machine);            /* bytes the UART will take now */
    void                      (*destroy)(void *machine);
};
extern const struct machine_ops RISCV64_VIRT, ARM64_VIRT, X86_64_MICROVM;
