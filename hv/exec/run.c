// SPDX-License-Identifier: Apache-2.0
/* The run loop of engines that translate; see run.h. */
#include "hv/exec/run.h"

/* Only the owner writes; others may look. */
static void count_up(uint64_t *counter, uint64_t by) { __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED); }

/* What a run began with. */
struct start { uint64_t ns; struct mmu_stats mmu; uint64_t compiles, compile_ns; };

static struct start start_of(const struct vcpu *v)
{
    return (struct start){ arch_time_ns(), v->mmu.stats, v->stats.jit_compiles, v->stats.jit_compile_time_ns };
}

static struct exec_result leave(struct vcpu *v, struct blocks *b, enum exec_status status, const struct start *start)
{
    struct exec_result r = { .status = status, .next_pc = guest_addr_make(v->regs.pc) };
    r.stats.executed_insns = (uint64_t)(v->budget_start - v->budget);
    r.stats.mem_accesses = b->accesses;
    r.stats.exec_time_ns = arch_time_ns() - start->ns;
    uint64_t translations = b->accesses + v->mmu.stats.lookups - start->mmu.lookups;
    r.stats.tlb_misses = v->mmu.stats.walks - start->mmu.walks;
    r.stats.tlb_hits = translations > r.stats.tlb_misses ? translations - r.stats.tlb_misses : 0;
    r.stats.jit_compiles = v->stats.jit_compiles - start->compiles;
    r.stats.jit_compile_time_ns = v->stats.jit_compile_time_ns - start->compile_ns;
    count_up(&v->stats.executed_insns, r.stats.executed_insns);
    count_up(&v->stats.mem_accesses, r.stats.mem_accesses);
    count_up(&v->stats.exec_time_ns, r.stats.exec_time_ns);
    v->budget = v->budget_start = 0;
    b->accesses = 0;
    return r;
}

static struct exec_result leave_fault(struct vcpu *v, struct blocks *b, const struct start *start)
{
    struct fault f = v->fault;
    v->fault.kind = FAULT_NONE;
    struct exec_result r = leave(v, b, EXEC_FAULT, start);
    r.error = vm_error_fault(&f);
    return r;
}

/* Delivers v->fault to the guest. False: it has no handler (v->fault stays). */
static bool deliver(struct vcpu *v)
{
    struct fault f = v->fault;
    v->fault.kind = FAULT_NONE;
    v->budget--;                                             /* a storm of faults ends at the budget too */
    if (v->isa->take_fault(v, &f)) {
        v->budget_start--;                                   /* but is no executed instruction */
        exit_count(&v->exits.fault[f.kind]);
        return true;
    }
    v->budget++;
    v->fault = f;
    return false;
}

struct exec_result exec_run(struct vcpu *v, struct blocks *b, uint64_t budget_insns, exec_enter_fn *enter)
{
    const struct start start = start_of(v);
    if (budget_insns > INT64_MAX) budget_insns = INT64_MAX;
    v->budget = v->budget_start = (int64_t)budget_insns;
    for (;;) {
        uint32_t request = __atomic_load_n(&v->request, __ATOMIC_ACQUIRE);
        if (request & VCPU_REQUEST_FENCE) {
            __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_FENCE, __ATOMIC_ACQ_REL);
            vcpu_fence_obey(v);
            continue;
        }
        if (v->hypercall) return leave(v, b, EXEC_IO_REQUEST, &start);
        if (request & VCPU_REQUEST_EXIT) return leave(v, b, EXEC_OK, &start);
        if (v->isa->has_irq(v)) return leave(v, b, EXEC_INTERRUPT_PENDING, &start);
        if (request & ~(uint32_t)VCPU_REQUEST_IRQ || v->budget <= 0) return leave(v, b, EXEC_CONTINUE, &start);
        if (request) __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_IRQ, __ATOMIC_ACQ_REL);

        if (enter(v) == LEFT_HALT) return leave(v, b, EXEC_HALTED, &start);
        if (b->is_at_break) {
            b->is_at_break = false;
            return leave(v, b, EXEC_BREAKPOINT, &start);
        }
        if (v->fault.kind != FAULT_NONE && !deliver(v)) return leave_fault(v, b, &start);
    }
}

struct exec_result exec_step(struct vcpu *v, struct blocks *b, exec_once_fn *once)
{
    const struct start start = start_of(v);
    guest_phys_addr gpa;
    bool is_halted = false;
    v->budget = v->budget_start = 1;
    if (v->trace) {
        struct insn i;
        if (!vm_failed(decode_insn(v, guest_addr_make(v->regs.pc), &i))) v->trace(v, &i);
    }
    if (b->ops->is_full(v)) blocks_drop(v, b);
    if (lift_block(v, guest_addr_make(v->regs.pc), 1, &b->ir, &gpa, &v->fault)) {
        v->fault.kind = FAULT_NONE;
        b->block[b->count] = (struct code_block){ .pc = b->ir.pc.v, .mode = b->ir.mode };   /* behind the last one, not kept */
        uint32_t held = __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
        b->tag = ~0ull;                                      /* no entry of the jump cache fits: one block, and out */
        is_halted = once(v, &b->ir) == LEFT_HALT;
        __atomic_fetch_or(&v->request, held, __ATOMIC_RELEASE);
    }
    if (v->fault.kind != FAULT_NONE && !deliver(v)) return leave_fault(v, b, &start);
    if (v->hypercall) return leave(v, b, EXEC_IO_REQUEST, &start);
    return leave(v, b, is_halted ? EXEC_HALTED : EXEC_CONTINUE, &start);
}
