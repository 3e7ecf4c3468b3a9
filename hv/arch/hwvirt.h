// SPDX-License-Identifier: Apache-2.0
/* Hardware virtualization of the host CPU: it runs a guest of the host's own kind and comes back with one exit. Bodies:
 * x86_64/ (AMD-V, VT-x), aarch64/ (EL2); hosted/ has none. This side knows registers and stage-2 tables, never a VM or a device.
 * What a guest's registers are is the guest architecture's word: hw_arm64.h, hw_x86.h. */
#pragma once
#include "hv/base/error.h"

struct hw_vm;                               /* stage-2 tables (NPT, EPT) and the tag of their TLB entries (VMID, ASID, EPTP) */
struct hw_vcpu;                             /* VMCB, VMCS or what EL2 keeps */

/* What this machine offers to guests of its own kind; found out before the first VM, constant afterwards. */
struct hw_arm64;                            /* hw_arm64.h */
struct hw_support {
    enum guest_arch arch;
    const char     *name;                   /* "EL2", "AMD-V", "VT-x" */
    const char     *absence;                /* why there is none, for people; NULL: it is there */
    uint64_t        counter_hz;             /* of the counter that guests read themselves; 0: there is none */
    const struct hw_arm64 *arm64;           /* more of an AArch64 host that can; NULL elsewhere */
};
const struct hw_support *hw_support(void);

enum hw_exit_kind {
    HW_EXIT_HOST,                           /* an interrupt of the host's came, or *request was set: the guest did nothing */
    HW_EXIT_MEMORY,                         /* stage-2 fault: gpa and how; the rest in the frame */
    HW_EXIT_GUEST,                          /* anything else that guest code did: the frame says it in the guest architecture's terms */
    HW_EXIT_STEP,                           /* is_step: one instruction has been executed */
    HW_EXIT_FAILED,                         /* the CPU would not enter, or the guest's state is beyond use: failure */
};
struct hw_exit { enum hw_exit_kind kind; guest_phys_addr gpa; enum access_type how; const char *failure; };

/* One entry. `slot` and `pc`: the guest's general registers and program counter where struct vcpu_regs has them; `frame`: the
 * rest of its state (struct arm64_frame, struct x86_frame). The CPU may keep some of it between entries, as the frame's header
 * says; hw_vcpu_put brings it all back. */
struct hw_run { uint64_t *slot, *pc; void *frame; const uint32_t *request; bool is_step; };

/* Where tables come from: page_alloc and page_free. */
struct hw_memory { void *(*alloc)(uint64_t count, uint64_t align_pages); void (*free)(void *at, uint64_t count); };

NODISCARD struct vm_error hw_vm_create(const struct hw_memory *memory, struct hw_vm **out);
/* Lets the guest have [at, at+size) backed by host memory at `host`, ordinary cacheable memory; 4 KiB granules, large pages where
 * both sides are aligned. What is mapped already stays. Any core, also while its vCPUs run. */
NODISCARD struct vm_error hw_vm_map(struct hw_vm *vm, guest_phys_addr at, void *host, uint64_t size_bytes, bool is_writable);
/* Nothing is mapped any more, on no core. Not while a vCPU runs. */
void hw_vm_unmap_all(struct hw_vm *vm);
void hw_vm_destroy(struct hw_vm *vm);

NODISCARD struct vm_error hw_vcpu_create(struct hw_vm *vm, unsigned id, struct hw_vcpu **out);
void hw_vcpu_destroy(struct hw_vcpu *v);
/* Runs the guest until it leaves, and says why in *out: its kind, and what that kind has. Interrupts of the host are taken before this returns. It does not enter when *request is
 * not 0, and an interrupt that comes between that look and the entry ends the entry at once. The vCPU may be on another core each time. */
void hw_vcpu_run(struct hw_vcpu *v, const struct hw_run *run, struct hw_exit *out);
/* All of the guest's state is in the frame and the slots, and nothing of it on this core: before anybody else looks at it or changes it,
 * and before the core does anything else. By the core that ran it; nothing happens when that was done already. */
void hw_vcpu_put(struct hw_vcpu *v, const struct hw_run *run);
