// SPDX-License-Identifier: Apache-2.0
/* What a guest architecture answers when the host's own CPU runs it (struct isa_ops.native); NULL there: no host is of its
 * kind. struct vcpu_regs.isa begins with the frame that hv/arch/hwvirt.h speaks of. All functions run in the vCPU's thread. */
#pragma once
#include "hv/arch/hwvirt.h"
#include "hv/exec/engine.h"

struct native_ops {
    /* Before each entry: what is pending goes to where the CPU delivers it from (list registers, the event field). */
    void             (*load)(struct vcpu *v);
    /* After each exit: the CPU's answers come back. */
    void             (*save)(struct vcpu *v);
    /* Serves HW_EXIT_MEMORY outside RAM, and HW_EXIT_GUEST. Continue: the guest goes on; Fault, Failed: *error says why. */
    enum exec_status (*exit)(struct vcpu *v, const struct hw_exit *x, struct vm_error *error);
    /* Which kind of exit that is, below EXITS_NATIVE, for statistics; and its name, NULL behind the last. */
    unsigned         (*exit_kind)(const struct vcpu *v, const struct hw_exit *x);
    const char      *(*exit_name)(unsigned kind);
};

static inline struct hw_run native_entry(struct vcpu *v, bool is_step)
{
    return (struct hw_run){ v->regs.slot, &v->regs.pc, v->regs.isa, &v->request, is_step };
}
/* All of its state comes to where it can be read and changed. */
static inline void native_put(struct vcpu *v)
{
    struct hw_run run = native_entry(v, false);
    hw_vcpu_put(v->engine_state, &run);
}
