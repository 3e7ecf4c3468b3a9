// SPDX-License-Identifier: Apache-2.0
/* Breakpoints, steps and memory for debuggers; see debug.h. */
#include "hv/vm/debug.h"

static struct vm_error invalid(const char *why) { return vm_error_because(VM_CORE_INVALID_PARAMETER, why); }

/* ---- breakpoints ---- */

/* No vCPU runs: all of them get the new list, and code whose blocks end accordingly. */
static void breaks_changed(struct vm *vm)
{
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        struct vcpu *v = &vm->vcpus[i];
        v->breaks = vm->breaks.count ? &vm->breaks : NULL;
        v->is_past_break &= breakpoints_have(v->breaks, vcpu_get_pc(v));
        v->engine->drop_code(v);
    }
}

struct vm_error vm_break_add(struct vm *vm, guest_addr at)
{
    if (at.v & (vm->ops->isa->insn_align_bytes - 1)) return invalid("no instruction can start at this address");
    if (breakpoints_have(&vm->breaks, at)) return VM_SUCCESS;
    if (vm->breaks.count == VCPU_MAX_BREAKS) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "there are 16 breakpoints: remove one first");
    bool was_running = vm_hold(vm);
    vm->breaks.at[vm->breaks.count++] = at;
    breaks_changed(vm);
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {   /* who stands there already goes on; a start stops at it */
        if (vcpu_get_pc(&vm->vcpus[i]).v == at.v) vm->vcpus[i].is_past_break = vm_state(vm) != VM_CREATED;
    }
    if (was_running) vm_release(vm);
    return VM_SUCCESS;
}

struct vm_error vm_break_remove(struct vm *vm, guest_addr at)
{
    if (!breakpoints_have(&vm->breaks, at)) return invalid("there is no breakpoint at this address");
    bool was_running = vm_hold(vm);
    unsigned kept = 0;
    for (unsigned i = 0; i < vm->breaks.count; i++) {
        if (vm->breaks.at[i].v != at.v) vm->breaks.at[kept++] = vm->breaks.at[i];
    }
    vm->breaks.count = kept;
    breaks_changed(vm);
    if (was_running) vm_release(vm);
    return VM_SUCCESS;
}

unsigned vm_break_list(const struct vm *vm, guest_addr *out, unsigned cap)
{
    for (unsigned i = 0; i < vm->breaks.count && i < cap; i++) out[i] = vm->breaks.at[i];
    return vm->breaks.count;
}

/* ---- steps ---- */
static struct exec_result step(struct vm *vm, struct vcpu *v)
{
    __atomic_store_n(&v->is_halted, false, __ATOMIC_RELAXED);            /* a wait may end at any time */
    v->running = true;
    vcpu_enter_guest(v);
    struct exec_result r = v->engine->execute_instruction(v);
    vcpu_leave_guest(v);
    v->running = false;
    if (r.status == EXEC_IO_REQUEST) {
        vm->ops->hypercall(vm->machine, v);
        r.status = EXEC_CONTINUE;
    }
    if (r.status == EXEC_HALTED) __atomic_store_n(&v->is_halted, true, __ATOMIC_RELAXED);
    if (__atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE)) r.status = EXEC_OK;
    r.next_pc = vcpu_get_pc(v);
    v->is_past_break = false;
    return r;
}

static bool goes_on(enum exec_status s) { return s == EXEC_CONTINUE || s == EXEC_HALTED; }

struct vm_error vm_step(struct vm *vm, unsigned vcpu, unsigned count, struct exec_result *last)
{
    struct vm_error e = vm_may(vm, VM_ACTION_TOUCH);
    if (vm_failed(e)) return e;
    if (vcpu >= vm->config.vcpu_count) return invalid("there is no such vCPU");
    vm_hold(vm);                                       /* it may still be settling into its pause */
    if (__atomic_load_n(&vm->ask, __ATOMIC_ACQUIRE)) return vm_error_because(VM_CORE_INVALID_STATE, "the guest is about to end or reboot: resume it");
    struct vcpu *v = &vm->vcpus[vcpu];
    struct exec_result r = { .status = EXEC_CONTINUE, .next_pc = vcpu_get_pc(v) };
    while (count-- && goes_on(r.status)) {
        if (!vm->ops->is_started(vm->machine, vcpu)) return vm_error_because(VM_CORE_INVALID_STATE, "the guest has not started this vCPU");
        r = step(vm, v);
        if (goes_on(r.status) && breakpoints_have(v->breaks, r.next_pc)) {
            r.status = EXEC_BREAKPOINT;
            v->is_past_break = true;
        }
    }
    mmu_poll_devices(&vm->bus, arch_time_ns());
    if (last) *last = r;
    return VM_SUCCESS;
}

/* ---- memory ---- */
static bool find(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, guest_phys_addr *out)
{
    *out = guest_phys_addr_make(at);
    const struct vcpu *v = &vm->vcpus[vcpu];
    return (is_physical || v->isa->peek(v, guest_addr_make(at), out)) && gmem_is_ram(&vm->gmem, *out, 1);
}

static size_t rest_of_page(uint64_t at, size_t size_bytes)
{
    size_t n = HV_PAGE_BYTES - (size_t)(at & (HV_PAGE_BYTES - 1));
    return n < size_bytes ? n : size_bytes;
}

static struct vm_error check_range(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, size_t size_bytes)
{
    if (vcpu >= vm->config.vcpu_count) return invalid("there is no such vCPU");
    guest_phys_addr gpa;
    for (size_t n; size_bytes; at += n, size_bytes -= n) {
        n = rest_of_page(at, size_bytes);
        if (!find(vm, vcpu, is_physical, at, &gpa)) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(at));
    }
    return VM_SUCCESS;
}

static struct vm_error read(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, uint8_t *out, size_t size_bytes)
{
    struct vm_error e = check_range(vm, vcpu, is_physical, at, size_bytes);
    guest_phys_addr gpa;
    for (size_t n; !vm_failed(e) && size_bytes; at += n, out += n, size_bytes -= n) {
        n = rest_of_page(at, size_bytes);
        if (!find(vm, vcpu, is_physical, at, &gpa)) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(at));
        e = gmem_read_bulk(&vm->gmem, gpa, out, n);
    }
    return e;
}

/* A running vCPU's translation is its own: it stands still for that moment. */
struct vm_error vm_read_memory(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, void *out, size_t size_bytes)
{
    bool was_running = !is_physical && vm_hold(vm);
    struct vm_error e = read(vm, vcpu, is_physical, at, out, size_bytes);
    if (was_running) vm_release(vm);
    return e;
}

struct vm_error vm_write_memory(struct vm *vm, unsigned vcpu, bool is_physical, uint64_t at, const void *in, size_t size_bytes)
{
    const uint8_t *from = in;
    struct vm_error e = vm_may(vm, VM_ACTION_TOUCH);
    if (vm_failed(e)) return e;
    vm_hold(vm);
    e = check_range(vm, vcpu, is_physical, at, size_bytes);
    guest_phys_addr gpa;
    for (size_t n; !vm_failed(e) && size_bytes; at += n, from += n, size_bytes -= n) {
        n = rest_of_page(at, size_bytes);
        if (!find(vm, vcpu, is_physical, at, &gpa)) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(at));
        e = gmem_load(&vm->gmem, gpa, from, n);
        for (unsigned i = 0; i < vm->config.vcpu_count; i++) vcpu_code_changed(&vm->vcpus[i], gpa, n);
    }
    return e;
}

struct vm_error vm_translate(struct vm *vm, unsigned vcpu, guest_addr at, guest_phys_addr *out, unsigned *rights)
{
    if (vcpu >= vm->config.vcpu_count) return invalid("there is no such vCPU");
    const struct vcpu *v = &vm->vcpus[vcpu];
    bool was_running = vm_hold(vm), is_mapped = v->isa->peek(v, at, out);
    *rights = is_mapped ? v->isa->rights(v, at) : 0;
    if (was_running) vm_release(vm);
    return is_mapped ? VM_SUCCESS : vm_error_at(VM_MEMORY_INVALID_ADDRESS, at);
}
