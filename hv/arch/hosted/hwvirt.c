// SPDX-License-Identifier: Apache-2.0
/* A process has no hardware virtualization of its own to offer. */
#include "hv/arch/hosted/hosted.h"
#include "hv/arch/hwvirt.h"

static const struct hw_support *pretended;

void hosted_pretend(const struct hw_support *s) { pretended = s; }

static struct vm_error none(void) { return vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, hw_support()->absence); }

const struct hw_support *hw_support(void)
{
    static const struct hw_support support = { GUEST_ARCH_COUNT, "none", "the hypervisor runs as a process", 0, NULL };
    return pretended ? pretended : &support;
}

struct vm_error hw_vm_create(const struct hw_memory *memory, struct hw_vm **out)
{
    (void)memory, (void)out;
    return none();
}

struct vm_error hw_vm_map(struct hw_vm *vm, guest_phys_addr at, void *host, uint64_t size_bytes, bool is_writable)
{
    (void)vm, (void)at, (void)host, (void)size_bytes, (void)is_writable;
    return none();
}

void hw_vm_unmap_all(struct hw_vm *vm) { (void)vm; }
void hw_vm_destroy(struct hw_vm *vm)   { (void)vm; }

struct vm_error hw_vcpu_create(struct hw_vm *vm, unsigned id, struct hw_vcpu **out)
{
    (void)vm, (void)id, (void)out;
    return none();
}

void hw_vcpu_destroy(struct hw_vcpu *v) { (void)v; }

void hw_vcpu_run(struct hw_vcpu *v, const struct hw_run *run, struct hw_exit *out)
{
    (void)v, (void)run;
    *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "the hypervisor runs as a process" };
}

void hw_vcpu_put(struct hw_vcpu *v, const struct hw_run *run) { (void)v, (void)run; }
