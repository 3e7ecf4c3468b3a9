// SPDX-License-Identifier: Apache-2.0
/* What an engine must answer; const tables in interp/, jit/, native/. An engine runs guest instructions and leaves with a
 * status; it knows no VM, no device but through the MMU, no scheduler. */
#pragma once
#include "hv/exec/vcpu.h"

/* The first five are the reference's; the others say why a vCPU left when none of those fits. */
#define EXEC_STATUS_LIST(_)                                                                                     \
    _(EXEC_CONTINUE,          "Continue")          /* budget spent or host work: go on at next_pc             */ \
    _(EXEC_OK,                "Ok")                /* the guest finished (power-off)                          */ \
    _(EXEC_FAULT,             "Fault")             /* no handler in the guest; next_pc is the faulting pc     */ \
    _(EXEC_IO_REQUEST,        "IoRequest")         /* hypercall: serve v->hypercall, then run again           */ \
    _(EXEC_INTERRUPT_PENDING, "InterruptPending")  /* isa->take_irq, then run again                           */ \
    _(EXEC_HALTED,            "Halted")            /* waits for an interrupt                                  */ \
    _(EXEC_FAILED,            "Failed")            /* the engine cannot go on: `error`                        */ \
    _(EXEC_BREAKPOINT,        "Breakpoint")        /* next_pc has one; set is_past_break to go on over it     */
enum exec_status {
#define X(e, n) e,
    EXEC_STATUS_LIST(X)
#undef X
    EXEC_STATUS_COUNT
};
const char *exec_status_name(enum exec_status s);

/* stats: of this run alone; the cumulative ones are vcpu_stats. */
struct exec_result { enum exec_status status; struct exec_stats stats; guest_addr next_pc; struct vm_error error; };

struct engine_ops {
    enum exec_mode mode;
    const char    *name;
    NODISCARD struct vm_error (*vm_init)(void **engine_vm);         /* what a VM's vCPUs share (vcpu.engine_vm), before they are made; NULL: nothing */
    void                      (*vm_destroy)(void *engine_vm);
    NODISCARD struct vm_error (*vcpu_init)(struct vcpu *v);         /* fixed memory for this vCPU's code */
    void                      (*vcpu_destroy)(struct vcpu *v);
    /* Runs until an event, or until about budget_insns have been executed (it stops at the first block boundary at or
     * after; budget 1 = exactly one block). Guest faults go to the guest's handler inside. */
    struct exec_result        (*run)(struct vcpu *v, uint64_t budget_insns);
    /* Exactly one instruction (interrupts are not taken; a fault enters the guest's handler and counts as the step). */
    struct exec_result        (*execute_instruction)(struct vcpu *v);
    /* Everything translated goes: where blocks must end has changed. Not while running. */
    void                      (*drop_code)(struct vcpu *v);
    /* Code in [at, at+size) of guest-physical memory may have changed; own thread. size UINT64_MAX: all. */
    void                      (*forget_code)(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes);
    /* What `which` keeps as its engine_state in an engine that is made of others; NULL: it has none of it, or is not. */
    const void               *(*part)(const struct vcpu *v, const struct engine_ops *which);
};
extern const struct engine_ops INTERP_ENGINE;       /* hv/interp/interp.c */
extern const struct engine_ops JIT_ENGINE;          /* hv/jit/jit.c */
extern const struct engine_ops NATIVE_ENGINE;       /* hv/native/native.c */
extern const struct engine_ops AUDIT_ENGINE;        /* hv/audit/audit.c */
