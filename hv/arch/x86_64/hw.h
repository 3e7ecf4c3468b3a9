// SPDX-License-Identifier: Apache-2.0
/* AMD-V and VT-x: what the two share (hwvirt.c, stage2.c) and what each must answer (svm.c, vmx.c). One of them is chosen
 * when hw_support is first asked and stays. Pages come from struct hw_memory and are mapped one to one. */
#pragma once
#include "hv/arch/hw_x86.h"
#include "hv/arch/spin.h"
#include "hv/arch/x86_64/x86_64.h"

/* Nested page tables (APM 15.25) or EPT (SDM 28.3): both have present, writable, executable-or-user in the low three bits, the
 * size bit and the address where ordinary tables have them. What leaves have besides, `leaf_bits`, is the backend's. */
struct hw_vm {
    struct hw_memory memory;
    struct spinlock  lock;                  /* of the tables */
    uint64_t        *root;                  /* stays when everything is unmapped */
    uint64_t         leaf_bits;
    uint64_t         generation;            /* atomic: moves when something was unmapped */
};

struct hw_backend {
    const char *name;
    const char *(*absence)(void);           /* NULL: it is there */
    uint64_t    leaf_bits;
    unsigned    vcpu_pages;                 /* of which the first begins with the backend's struct */
    const char *(*vcpu_init)(struct hw_vcpu *v, struct hw_vm *vm, unsigned id);    /* pages are cleared; NULL: it worked */
    void        (*vcpu_exit)(struct hw_vcpu *v);
    void        (*run)(struct hw_vcpu *v, const struct hw_run *run, struct hw_exit *out);
    void        (*put)(struct hw_vcpu *v, const struct hw_run *run);
};
extern const struct hw_backend X86_64_SVM, X86_64_VMX;
extern uint64_t x86_64_unmaps;              /* atomic: moves when something of any VM was unmapped */

/* stage2.c */
NODISCARD bool x86_64_stage2_init(struct hw_vm *vm);
NODISCARD bool x86_64_stage2_map(struct hw_vm *vm, uint64_t gpa, uint64_t host, uint64_t size_bytes, bool is_writable);
void           x86_64_stage2_clear(struct hw_vm *vm);
void           x86_64_stage2_free(struct hw_vm *vm);
/* What a guest touches first, whatever its size: the mapping of `gpa`, 0 when there is none. For tests. */
uint64_t       x86_64_stage2_find(const struct hw_vm *vm, uint64_t gpa);

/* hw_state.c: what neither kind of hardware switches for us stays on the core until the vCPU is put. */
struct hw_state { bool is_loaded; };
void x86_64_guest_state_load(struct hw_state *s, struct x86_frame *f);
void x86_64_guest_state_save(struct hw_state *s, struct x86_frame *f);
void x86_64_guest_xcr0(struct x86_frame *f);            /* what the guest has, while it is on this core */
void x86_64_guest_set_xcr0(const struct x86_frame *f);
/* What to add to this core's TSC to get the guest's. */
uint64_t x86_64_guest_tsc_offset(const struct x86_frame *f);
