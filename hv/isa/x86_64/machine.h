// SPDX-License-Identifier: Apache-2.0
/* One x86_64 machine: what machine.c lays out and resets, devices.c puts on the bus, and the vCPUs' code asks of it. Built and reset
 * while no vCPU runs; afterwards read-only but for the atomics and the devices' own state. */
#pragma once
#include "hv/isa/x86_64/board.h"
#include "hv/isa/x86_64/state.h"

/* How the boot CPU starts. */
enum x86_entry { X86_ENTRY_FIRMWARE, X86_ENTRY_LINUX, X86_ENTRY_PVH, X86_ENTRY_MULTIBOOT };

struct x86_layout {
    enum x86_entry entry;
    struct image   kernel;                  /* placed */
    uint64_t       start;                   /* where it is entered */
    uint64_t       initrd_from, initrd_end; /* equal: none */
};

struct x86_machine {
    struct machine_config config;
    struct machine_host   host;
    struct gmem          *gmem;
    struct mmio_bus      *bus;
    struct vcpu          *vcpus;
    struct guest_clock   *clock;
    struct x86_layout     layout;
    uint64_t              tsc_hz;
    void                 *lapic, *ioapic, *pic, *uart;      /* the bus owns them */
    void                 *virtio_console;                   /* also; NULL when disks fill its slot */
    bool                  keys_go_to_virtio;                /* atomic: the console that the guest spoke on last */
    uint64_t              started;                          /* atomic: a bit a vCPU that runs, or may */
    uint32_t              asked[X86_MAX_CPUS];              /* atomic: enum x86_asked, and the page of a start-up IPI */
    uint8_t               tables[X86_ACPI_BYTES];           /* room to make tables in */
};
enum x86_asked { X86_ASKED_PAGE = 0xff, X86_ASKED_INIT = 1 << 8, X86_ASKED_START = 1 << 9 };

/* The machine that a vCPU belongs to. */
static inline struct x86_machine *x86_machine(const struct vcpu *v) { return v->machine; }

NODISCARD struct vm_error x86_layout_make(const struct machine_config *c, struct x86_layout *out);
/* boot.c: loads the images and what they want to know, and sets the boot CPU to their entry. */
NODISCARD struct vm_error x86_boot(struct x86_machine *m);
/* devices.c. On failure the bus owns what it has taken so far, nothing else remains. */
NODISCARD struct vm_error x86_devices_create(struct x86_machine *m);
void                      x86_console_input(struct x86_machine *m, const char *text, size_t length);
size_t                    x86_console_room(struct x86_machine *m);
/* The frequency of the APIC timer, which CPUID 15H tells as the crystal's: below 2^32. */
uint64_t                  x86_crystal_hz(uint64_t tsc_hz, uint32_t *multiple);
