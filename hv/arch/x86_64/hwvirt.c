// SPDX-License-Identifier: Apache-2.0
/* AMD-V or VT-x, whichever this machine has; see hwvirt.h and hw.h. */
#include "hv/arch/x86_64/hw.h"
#include "hv/base/string.h"

/* Chosen once by the boot core, before other cores run. */
static const struct hw_backend *backend;
static struct hw_support support = { .arch = GUEST_X86_64 };
uint64_t x86_64_unmaps = 1;

const struct hw_support *hw_support(void)
{
    if (support.name) return &support;
    backend = x86_64_cpuid(1, 0).c >> 5 & 1 ? &X86_64_VMX : &X86_64_SVM;
    support.absence = backend->absence();
    support.counter_hz = x86_64_tsc_hz();
    support.name = backend->name;
    return &support;
}

static struct vm_error none(void) { return vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, hw_support()->absence); }
static struct vm_error no_memory(void) { return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for nested page tables"); }

struct vm_error hw_vm_create(const struct hw_memory *memory, struct hw_vm **out)
{
    if (hw_support()->absence) return none();
    struct hw_vm *vm = memory->alloc(1, 1);
    if (!vm) return no_memory();
    *vm = (struct hw_vm){ .memory = *memory, .leaf_bits = backend->leaf_bits };
    if (!x86_64_stage2_init(vm)) {
        memory->free(vm, 1);
        return no_memory();
    }
    *out = vm;
    return VM_SUCCESS;
}

struct vm_error hw_vm_map(struct hw_vm *vm, guest_phys_addr at, void *host, uint64_t size_bytes, bool is_writable)
{
    return x86_64_stage2_map(vm, at.v, (uint64_t)host, size_bytes, is_writable) ? VM_SUCCESS : no_memory();
}

void hw_vm_unmap_all(struct hw_vm *vm)
{
    x86_64_stage2_clear(vm);
    __atomic_fetch_add(&vm->generation, 1, __ATOMIC_RELEASE);
    __atomic_fetch_add(&x86_64_unmaps, 1, __ATOMIC_RELEASE);
}

void hw_vm_destroy(struct hw_vm *vm)
{
    struct hw_memory memory = vm->memory;
    x86_64_stage2_free(vm);
    __atomic_fetch_add(&x86_64_unmaps, 1, __ATOMIC_RELEASE);
    memory.free(vm, 1);
}

/* The pages of a vCPU begin with what is needed to give them back. */
struct hw_vcpu { struct hw_memory memory; };

struct vm_error hw_vcpu_create(struct hw_vm *vm, unsigned id, struct hw_vcpu **out)
{
    struct hw_vcpu *v = vm->memory.alloc(backend->vcpu_pages, 1);
    if (!v) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a vCPU");
    memset(v, 0, backend->vcpu_pages * HV_PAGE_BYTES);
    v->memory = vm->memory;
    const char *why = backend->vcpu_init(v, vm, id);
    if (why) {
        vm->memory.free(v, backend->vcpu_pages);
        return vm_error_because(VM_PLATFORM_ACCELERATION_UNAVAILABLE, why);
    }
    *out = v;
    return VM_SUCCESS;
}

void hw_vcpu_destroy(struct hw_vcpu *v)
{
    struct hw_memory memory = v->memory;
    backend->vcpu_exit(v);
    memory.free(v, backend->vcpu_pages);
}

void hw_vcpu_run(struct hw_vcpu *v, const struct hw_run *run, struct hw_exit *out) { backend->run(v, run, out); }
void hw_vcpu_put(struct hw_vcpu *v, const struct hw_run *run) { backend->put(v, run); }
