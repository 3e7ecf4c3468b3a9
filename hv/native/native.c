// SPDX-License-Identifier: Apache-2.0
/* The engine of guests of the host's own kind: the CPU runs them, this serves what they leave for. RAM is given on the first
 * touch, chunk by chunk, so that a reset takes it all back and a guest's untouched memory costs no table. */
#include "hv/exec/native.h"
#include "hv/core/page.h"

static const struct hw_memory memory = { page_alloc, page_free };

static struct vm_error vm_init(void **out)
{
    struct hw_vm *hw = NULL;
    struct vm_error e = hw_vm_create(&memory, &hw);
    *out = hw;
    return e;
}
static void vm_destroy(void *state) { hw_vm_destroy(state); }

static struct vm_error vcpu_init(struct vcpu *v)
{
    struct hw_vcpu *hw = NULL;
    struct vm_error e = hw_vcpu_create(v->engine_vm, v->id, &hw);
    v->engine_state = hw;
    return e;
}

static void vcpu_destroy(struct vcpu *v)
{
    if (v->engine_state) hw_vcpu_destroy(v->engine_state);
    v->engine_state = NULL;
}

/* ---- memory ---- */

/* The guest touched RAM that it does not have yet: the host's chunk around it. False: no RAM, or a store to ROM. */
static bool give_memory(struct vcpu *v, const struct hw_exit *x, struct vm_error *error)
{
    struct gmem *m = v->mmu.gmem;
    for (unsigned i = 0; i < m->range_count; i++) {
        const struct gmem_range *r = &m->range[i];
        if (x->gpa.v - r->base >= r->size_bytes) continue;
        if (r->kind == GMEM_ROM && x->how == ACCESS_WRITE) return false;
        uint64_t from = x->gpa.v & ~(GMEM_CHUNK_BYTES - 1), end = from + GMEM_CHUNK_BYTES, length = 0;
        if (from < r->base) from = r->base;
        if (end > r->base + r->size_bytes) end = r->base + r->size_bytes;
        for (uint64_t at = from; at < end && !vm_failed(*error); at += length) {
            void *host = gmem_span(m, guest_phys_addr_make(at), end - at, ACCESS_READ, &length);
            *error = hw_vm_map(v->engine_vm, guest_phys_addr_make(at), host, length, r->kind == GMEM_RAM);
        }
        return true;
    }
    return false;
}

/* ---- running ---- */
static void count_up(uint64_t *counter, uint64_t by) { __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED); }

/* From the engine's being called to its return. */
struct turn { const struct native_ops *ops; uint64_t start_ns; struct hw_run run; struct exec_stats stats; struct vm_error error; };

static struct turn begin(struct vcpu *v)
{
    return (struct turn){ .ops = v->isa->native, .start_ns = arch_time_ns(), .run = native_entry(v, false), .error = VM_SUCCESS };
}

static struct exec_result leave(struct vcpu *v, struct turn *t, enum exec_status status)
{
    native_put(v);
    t->stats.exec_time_ns = arch_time_ns() - t->start_ns;
    count_up(&v->stats.executed_insns, t->stats.executed_insns);
    count_up(&v->stats.exec_time_ns, t->stats.exec_time_ns);
    return (struct exec_result){ .status = status, .stats = t->stats, .next_pc = guest_addr_make(v->regs.pc), .error = t->error };
}

/* RAM that the guest does not have yet, else what the guest's architecture makes of it. */
static enum exec_status serve_memory(struct vcpu *v, struct turn *t, const struct hw_exit *x)
{
    if (!give_memory(v, x, &t->error)) return t->ops->exit(v, x, &t->error);
    count_up(&v->mmu.stats.walks, 1);
    return vm_failed(t->error) ? EXEC_FAILED : EXEC_CONTINUE;
}

static NOINLINE enum exec_status serve_other(struct turn *t, const struct hw_exit *x)
{
    if (x->kind == HW_EXIT_STEP) t->stats.executed_insns++;
    if (x->kind != HW_EXIT_FAILED) return EXEC_CONTINUE;
    t->error = vm_error_because(VM_CORE_INTERNAL, x->failure);
    return EXEC_FAILED;
}

/* Enters once and serves the exit. */
static ALWAYS_INLINE enum exec_status enter(struct vcpu *v, struct turn *t)
{
    const struct native_ops *ops = t->ops;
    struct hw_exit x;
    enum exec_status status;
    ops->load(v);
    hw_vcpu_run(v->engine_state, &t->run, &x);
    uint64_t left = arch_ticks();
    ops->save(v);
    struct tick_count *kind = &v->exits.native[ops->exit_kind(v, &x)];
    if (x.kind == HW_EXIT_GUEST) status = ops->exit(v, &x, &t->error);
    else if (x.kind == HW_EXIT_MEMORY) status = serve_memory(v, t, &x);
    else status = serve_other(t, &x);
    exit_count_ticks(kind, arch_ticks() - left);
    return status;
}

/* What others asked for. True: it is done, and the guest goes on. */
static bool obey(struct vcpu *v, uint32_t request)
{
    if (request & VCPU_REQUEST_FENCE) {
        __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_FENCE, __ATOMIC_ACQ_REL);
        vcpu_fence_obey(v);
        return true;
    }
    if (request & ~(uint32_t)VCPU_REQUEST_IRQ) return false;
    __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_IRQ, __ATOMIC_ACQ_REL);
    return true;
}

/* Exits that need nobody else are served here; budget is the host's affair: a timer ends the turn. */
static struct exec_result run(struct vcpu *v, uint64_t budget_insns)
{
    struct turn t = begin(v);
    (void)budget_insns;
    t.run.is_step = v->breaks && v->breaks->count;       /* they stay as they are while it runs */
    if (!t.run.is_step) v->is_past_break = false;
    for (;;) {
        uint32_t request = __atomic_load_n(&v->request, __ATOMIC_ACQUIRE);
        if (request) {
            if (obey(v, request)) continue;
            return leave(v, &t, request & VCPU_REQUEST_EXIT ? EXEC_OK : EXEC_CONTINUE);
        }
        if (t.run.is_step) {
            if (!v->is_past_break && breakpoints_have(v->breaks, guest_addr_make(v->regs.pc))) return leave(v, &t, EXEC_BREAKPOINT);
            v->is_past_break = false;
        }
        enum exec_status status = enter(v, &t);
        if (status != EXEC_CONTINUE) return leave(v, &t, status);
    }
}

static struct exec_result execute_instruction(struct vcpu *v)
{
    struct turn t = begin(v);
    enum exec_status status = EXEC_CONTINUE;
    t.run.is_step = true;
    uint64_t pc = v->regs.pc;
    uint32_t held = __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
    /* A page that has to be given, or an interrupt of the host's, is no step. */
    for (unsigned tries = 0; status == EXEC_CONTINUE && !t.stats.executed_insns && tries < 1000; tries++) {
        held |= __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
        status = enter(v, &t);
        if (v->regs.pc != pc && !t.stats.executed_insns) t.stats.executed_insns = 1;     /* served here, in its place */
    }
    __atomic_fetch_or(&v->request, held, __ATOMIC_RELEASE);
    return leave(v, &t, status);
}

static void drop_code(struct vcpu *v) { (void)v; }

/* The machine's images were written anew (all of memory), or somebody wrote guest RAM: what the guest has is taken back and
 * given again on the next touch, which also brings what was written to where a guest with its caches off reads. */
static void forget_code(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    (void)at;
    if (size_bytes == UINT64_MAX && v->id == 0) hw_vm_unmap_all(v->engine_vm);
}

const struct engine_ops NATIVE_ENGINE = {
    .mode = EXEC_HARDWARE,
    .name = "hardware",
    .vm_init = vm_init,
    .vm_destroy = vm_destroy,
    .vcpu_init = vcpu_init,
    .vcpu_destroy = vcpu_destroy,
    .run = run,
    .execute_instruction = execute_instruction,
    .drop_code = drop_code,
    .forget_code = forget_code,
};
