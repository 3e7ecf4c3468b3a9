// SPDX-License-Identifier: Apache-2.0
/* Registers, state, pins, requests and fences of a vCPU; see vcpu.h. */
#include "hv/exec/engine.h"
#include "hv/base/string.h"
#include "hv/core/percpu.h"

static uint8_t *reg_at(struct vcpu *v, unsigned reg)
{
    return (uint8_t *)&v->regs + v->isa->regs[reg].offset_bytes;
}

static struct vm_error check_reg(const struct vcpu *v, unsigned reg)
{
    if (reg >= v->isa->reg_count) return vm_error_because(VM_CORE_INVALID_PARAMETER, "no such register");
    if (v->isa->regs[reg].size_bytes > 8) return vm_error_because(VM_CORE_INVALID_PARAMETER, "register is wider than 64 bits");
    return VM_SUCCESS;
}

struct vm_error vcpu_get_reg(const struct vcpu *v, unsigned reg, uint64_t *out)
{
    struct vm_error e = check_reg(v, reg);
    if (vm_failed(e)) return e;
    *out = 0;
    memcpy(out, (const uint8_t *)&v->regs + v->isa->regs[reg].offset_bytes, v->isa->regs[reg].size_bytes);
    if (v->isa->regs[reg].class == REG_COUNTER) *out += vcpu_insns_retired(v, 0);
    return VM_SUCCESS;
}

struct vm_error vcpu_set_reg(struct vcpu *v, unsigned reg, uint64_t value)
{
    struct vm_error e = check_reg(v, reg);
    if (vm_failed(e)) return e;
    if (v->isa->regs[reg].class == REG_COUNTER) value -= vcpu_insns_retired(v, 0);
    memcpy(reg_at(v, reg), &value, v->isa->regs[reg].size_bytes);
    if (v->isa->reg_written) v->isa->reg_written(v, reg);
    return VM_SUCCESS;
}

int vcpu_find_reg(const struct vcpu *v, const char *name)
{
    for (unsigned i = 0; i < v->isa->reg_count; i++) {
        const struct reg_desc *r = &v->isa->regs[i];
        if (!strcmp(r->name, name) || (r->alias && !strcmp(r->alias, name))) return (int)i;
    }
    return -1;
}

guest_addr vcpu_get_pc(const struct vcpu *v)          { return guest_addr_make(v->regs.pc); }
void       vcpu_set_pc(struct vcpu *v, guest_addr pc) { v->regs.pc = pc.v & ~(uint64_t)(v->isa->insn_align_bytes - 1); }

void vcpu_get_state(const struct vcpu *v, struct vcpu_state *out)
{
    *out = (struct vcpu_state){ .vcpu_id = v->id, .running = v->running, .guest_arch = v->isa->arch,
                                .state = { .regs = v->regs, .memory = v->mmu.gmem, .pc = { v->regs.pc } } };
    out->state.regs.insns_before = vcpu_insns_retired(v, 0);
}

/* Registers or MMU were exchanged: nothing that was derived from the old ones stays. */
static void derive_all(struct vcpu *v)
{
    v->reservation.size_bytes = 0;
    for (unsigned i = 0; i < v->isa->reg_count; i++) {
        if (v->isa->reg_written) v->isa->reg_written(v, i);
    }
    mmu_flush_tlb(&v->mmu);
    vcpu_code_changed(v, guest_phys_addr_make(0), UINT64_MAX);
}

struct vm_error vcpu_set_state(struct vcpu *v, const struct vcpu_state *in)
{
    if (v->running) return vm_error_because(VM_CORE_INVALID_STATE, "the vCPU is running");
    if (in->guest_arch != v->isa->arch) return vm_error_because(VM_CORE_INVALID_PARAMETER, "a state of another architecture");
    v->regs = in->state.regs;
    v->regs.pc = in->state.pc.v;
    v->regs.insns_before -= v->stats.executed_insns;         /* its counters go on, this vCPU's statistics too */
    v->is_halted = false;
    derive_all(v);
    return VM_SUCCESS;
}

struct vm_error vcpu_bind_mmu(struct vcpu *v, struct mmu *m)
{
    if (v->running) return vm_error_because(VM_CORE_INVALID_STATE, "the vCPU is running");
    struct mmu old = v->mmu;
    v->mmu = *m;
    *m = old;
    v->mmu.devices = old.devices;                            /* the counts are the vCPU's */
    m->devices = NULL;
    derive_all(v);
    return VM_SUCCESS;
}

static bool is_reserved_in(const struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    for (uint64_t n; size_bytes; at = guest_phys_addr_wrapping_add(at, n), size_bytes -= n) {
        uintptr_t host = (uintptr_t)gmem_span(v->mmu.gmem, at, size_bytes, ACCESS_READ, &n);
        if (!host || v->reservation.host - host < n || host - v->reservation.host < v->reservation.size_bytes) return true;
    }
    return false;
}

void vcpu_code_changed(void *vcpu, guest_phys_addr at, uint64_t size_bytes)
{
    struct vcpu *v = vcpu;
    if (v->reservation.size_bytes && is_reserved_in(v, at, size_bytes)) v->reservation.size_bytes = 0;
    if (v->engine) v->engine->forget_code(v, at, size_bytes);
}

bool breakpoints_have(const struct breakpoints *b, guest_addr at)
{
    for (unsigned i = 0; b && i < b->count; i++) {
        if (b->at[i].v == at.v) return true;
    }
    return false;
}

/* ---- requests from other threads ---- */

/* Translated code looks at its request word itself; a CPU in a guest of its own kind has to be interrupted. Pairs with
 * vcpu_enter_guest: either this sees it inside, or it sees the request before it goes in. */
static void call_out(const struct vcpu *v)
{
    if (!v->engine || v->engine->mode != EXEC_HARDWARE || !__atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST)) return;
    uint32_t core = __atomic_load_n(&v->core, __ATOMIC_RELAXED);
    if (core != arch_cpu_id()) arch_kick(core);
}

/* Always wakes, also when the bit was set already: a parked vCPU may hold bits that nobody has looked at. */
void vcpu_ask(struct vcpu *v, uint32_t request)
{
    __atomic_fetch_or(&v->request, request, __ATOMIC_SEQ_CST);      /* pairs with the run loop's exchange */
    const struct percpu *core = percpu();                           /* none: a thread of the host's, as of a hosted disk */
    if (core && __atomic_load_n(&core->preempt, __ATOMIC_RELAXED) == &v->request) return;   /* the run loop here looks before it enters or parks it */
    call_out(v);
    if (v->wake) v->wake(v);
}

void vcpu_set_pin(void *vcpu, uint32_t pin, bool level)
{
    struct vcpu *v = vcpu;
    uint32_t bit, before;
    if (pin >= 32) return;
    bit = 1u << pin;
    if (level) before = __atomic_fetch_or(&v->pins, bit, __ATOMIC_SEQ_CST);         /* before the request that tells of it */
    else before = __atomic_fetch_and(&v->pins, ~bit, __ATOMIC_SEQ_CST);
    if (level && !(before & bit)) vcpu_ask(v, VCPU_REQUEST_IRQ);
}

void vcpu_set_deadline(struct vcpu *v, uint64_t deadline_ns)
{
    v->deadline_ns = deadline_ns;
    __atomic_fetch_or(&v->request, VCPU_REQUEST_HOST, __ATOMIC_RELEASE);            /* the run loop arms the timer */
}

/* ---- fences ----
 * Two handshakes. Asker: sets fence_pending, then reads in_guest; runner: sets in_guest, then reads fence_pending. All
 * four are sequentially consistent, so at least one sees the other: either the asker waits, or the runner obeys before
 * it enters. And: runner sets fence_busy, takes fence_pending, works, clears fence_busy; a waiter that reads
 * fence_pending == 0 has synchronised with the taking, so it then reads fence_busy == 1 until the work is done. Bits that
 * are asked for during the work stay in fence_pending for another round: none is lost. */

void vcpu_fence_ask(struct vcpu *v, uint32_t fences)
{
    __atomic_fetch_or(&v->fence_pending, fences, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&v->request, VCPU_REQUEST_FENCE, __ATOMIC_SEQ_CST);           /* no wake: a sleeper obeys when it enters */
    call_out(v);
}

static bool owes_fence(const struct vcpu *v)
{
    return __atomic_load_n(&v->fence_pending, __ATOMIC_SEQ_CST) || __atomic_load_n(&v->fence_busy, __ATOMIC_SEQ_CST);
}

void vcpu_fence_wait(struct vcpu *v, struct vcpu *self)
{
    if (v == self) {
        vcpu_fence_obey(self);
        return;
    }
    while (owes_fence(v) && __atomic_load_n(&v->in_guest, __ATOMIC_SEQ_CST)) {
        if (self && __atomic_load_n(&self->fence_pending, __ATOMIC_SEQ_CST)) vcpu_fence_obey(self);
        arch_cpu_relax();
    }
}

void vcpu_fence_obey(struct vcpu *v)
{
    __atomic_store_n(&v->fence_busy, 1, __ATOMIC_SEQ_CST);
    uint32_t what = __atomic_exchange_n(&v->fence_pending, 0, __ATOMIC_SEQ_CST);
    if (what & VCPU_FENCE_TLB) exit_count(&v->exits.tlb_fences);
    if (what & VCPU_FENCE_CODE) exit_count(&v->exits.code_fences);
    if (what & VCPU_FENCE_TLB) mmu_flush_tlb(&v->mmu);
    if (what & VCPU_FENCE_CODE && v->engine) v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);
    __atomic_store_n(&v->fence_busy, 0, __ATOMIC_SEQ_CST);
}

void vcpu_enter_guest(struct vcpu *v)
{
    __atomic_store_n(&v->core, arch_cpu_id(), __ATOMIC_RELAXED);
    __atomic_store_n(&v->in_guest, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->fence_pending, __ATOMIC_SEQ_CST)) vcpu_fence_obey(v);
}

void vcpu_leave_guest(struct vcpu *v) { __atomic_store_n(&v->in_guest, 0, __ATOMIC_SEQ_CST); }

void vcpu_stats(const struct vcpu *v, struct exec_stats *out)
{
    struct mmu_stats m;
    const uint64_t *from = (const uint64_t *)&v->stats;      /* all of it is numbers, which its thread may be counting up */
    for (size_t i = 0; i < sizeof *out / sizeof *from; i++) ((uint64_t *)out)[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    mmu_stats_read(&v->mmu, out->mem_accesses, &m);
    out->tlb_hits = m.tlb_hits;
    out->tlb_misses = m.tlb_misses;
}

void exec_stats_add(struct exec_stats *sum, const struct exec_stats *one)
{
    sum->executed_insns      += one->executed_insns;
    sum->mem_accesses        += one->mem_accesses;
    sum->exec_time_ns        += one->exec_time_ns;
    sum->tlb_hits            += one->tlb_hits;
    sum->tlb_misses          += one->tlb_misses;
    sum->jit_compiles        += one->jit_compiles;
    sum->jit_compile_time_ns += one->jit_compile_time_ns;
}
