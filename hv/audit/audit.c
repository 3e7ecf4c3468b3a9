// SPDX-License-Identifier: Apache-2.0
/* An engine made of two: each piece of guest code, one to some hundred instructions up to a block's end, is run by the interpreter with a
 * journal of what it does outside the vCPU, taken back, run by the JIT, and compared. Devices see each access once; the guest's clock
 * stands still and no interrupt is taken inside a piece. The interpreter's accesses all take the slow path, where the journal sees
 * them; the JIT's take the one they always take. Both share one TLB, so a translation that the guest should have flushed is
 * stale for both. What differs is run again, since another core may have come between; what differs twice is looked into one
 * block at a time, told to the log, and ends the guest. One vCPU only. Own thread. */
#include "hv/audit/inside.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"

#define LONGEST_BITS 7                                /* of a piece, in instructions, but for the rest of its last block */

static struct audit *audit_of(const struct vcpu *v) { return v->engine_state; }

static void switch_to(struct vcpu *v, struct audit *a, unsigned part)
{
    v->engine = a->engine[part];
    v->engine_state = a->state[part];
}

static void switch_back(struct vcpu *v, struct audit *a, unsigned part)
{
    a->state[part] = v->engine_state;
    v->engine = &AUDIT_ENGINE;
    v->engine_state = a;
}

bool audit_stats_of(const struct vcpu *v, struct audit_stats *out)
{
    if (v->engine != &AUDIT_ENGINE || !v->engine_state) return false;
    *out = audit_of(v)->stats;
    return true;
}

static const void *audit_part(const struct vcpu *v, const struct engine_ops *which)
{
    const struct audit *a = audit_of(v);
    for (unsigned i = 0; i < PARTS; i++) {
        if (a->engine[i] == which) return a->state[i];
    }
    return NULL;
}

static void audit_destroy(struct vcpu *v)
{
    struct audit *a = audit_of(v);
    if (!a) return;
    for (unsigned i = 0; i < PARTS; i++) {
        v->engine_state = a->state[i];
        if (a->state[i]) a->engine[i]->vcpu_destroy(v);
    }
    heap_free(a);
    v->engine_state = NULL;
}

static struct vm_error audit_init(struct vcpu *v)
{
    struct audit *a = heap_alloc(sizeof *a);
    struct vm_error e = VM_SUCCESS;
    if (!a) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an audit");
    a->engine[FIRST] = &INTERP_ENGINE;
    a->engine[SECOND] = &JIT_ENGINE;
    a->random = 1;
    for (unsigned i = 0; i < PARTS && !vm_failed(e); i++) {
        v->engine_state = NULL;
        e = a->engine[i]->vcpu_init(v);
        a->state[i] = v->engine_state;
    }
    v->engine_state = a;
    if (vm_failed(e)) audit_destroy(v);
    return e;
}

/* ---- points ---- */

static void note(const struct audit *a, const struct vcpu *v, struct audit_point *p)
{
    p->regs = v->regs;
    p->reservation = v->reservation;
    p->fault = v->fault;
    p->deadline_ns = v->deadline_ns;
    p->hypercall = v->hypercall;
    p->data_context = v->mmu.data_context;
    p->fetch_context = v->mmu.fetch_context;
    p->asid = v->mmu.asid;
    p->is_past_break = v->is_past_break;
    p->next_device = a->journal.next_device;
    p->stats = v->stats;
    memcpy(p->exits.fault, v->exits.fault, sizeof p->exits.fault);
}

static void restore(struct audit *a, struct vcpu *v, const struct audit_point *p)
{
    v->regs = p->regs;
    v->reservation = p->reservation;
    v->fault = p->fault;
    v->deadline_ns = p->deadline_ns;
    v->hypercall = p->hypercall;
    if (v->mmu.data_context != p->data_context || v->mmu.fetch_context != p->fetch_context) mmu_set_context(&v->mmu, p->data_context, p->fetch_context);
    mmu_set_asid(&v->mmu, p->asid);
    v->is_past_break = p->is_past_break;
    a->journal.next_device = p->next_device;
    v->stats = p->stats;
    memcpy(v->exits.fault, p->exits.fault, sizeof p->exits.fault);
}

/* ---- one piece ---- */

static uint64_t faults_of(const struct vcpu *v)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++) n += v->exits.fault[i];
    return n;
}

static void forget_in(struct audit *a, struct vcpu *v, unsigned part)
{
    switch_to(v, a, part);
    v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);
    switch_back(v, a, part);
}

/* One run of one part. A code fence that another thread asked for meanwhile is the other part's too. */
static void run_once(struct audit *a, struct vcpu *v, unsigned part, uint64_t budget, struct audit_outcome *o)
{
    uint64_t faults = faults_of(v), fences = v->exits.code_fences;
    switch_to(v, a, part);
    struct exec_result r = v->engine->run(v, budget);
    switch_back(v, a, part);
    o->insns += r.stats.executed_insns;
    o->accesses += r.stats.mem_accesses;
    o->spent += r.stats.executed_insns + faults_of(v) - faults;
    o->status = r.status == EXEC_OK ? EXEC_CONTINUE : r.status;
    o->fault = r.status == EXEC_FAULT ? r.error.fault.kind : FAULT_NONE;
    o->error = r.error;
    if (v->exits.code_fences != fences) forget_in(a, v, !part);
}

/* As far as the first part came. A request that another thread makes does not end it sooner. */
static uint32_t run_second(struct audit *a, struct vcpu *v)
{
    const struct audit_outcome *want = &a->outcome[FIRST];
    struct audit_outcome *o = &a->outcome[SECOND];
    uint32_t held = 0;
    *o = (struct audit_outcome){ 0 };
    do {
        held |= __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
        run_once(a, v, SECOND, want->spent > o->spent ? want->spent - o->spent : 1, o);
    } while (o->status == EXEC_CONTINUE && (o->spent < want->spent || (want->status != EXEC_CONTINUE && o->spent == want->spent)));
    return held;
}

/* Both parts, from here. False: they differ, a->what says how, and the vCPU and its memory are as before. */
static bool piece(struct audit *a, struct vcpu *v, uint64_t budget, uint32_t *held)
{
    struct journal *j = &a->journal;
    uint64_t walks = v->mmu.stats.walks;
    note(a, v, &a->start);
    journal_empty(j);
    a->outcome[FIRST] = (struct audit_outcome){ 0 };
    journal_record(j, v);
    run_once(a, v, FIRST, budget, &a->outcome[FIRST]);
    *held |= __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
    if (a->outcome[FIRST].status == EXEC_CONTINUE && !a->outcome[FIRST].spent) {      /* a request came first: nothing was run */
        journal_end(j, v);
        return true;
    }
    if (j->is_full) {
        journal_end(j, v);
        journal_settle(j, &v->mmu);
        forget_in(a, v, SECOND);                      /* it did not see this piece's code fences */
        a->stats.skipped++;
        return true;
    }
    note(a, v, &a->end);
    journal_finish(j);
    journal_undo(j);
    restore(a, v, &a->start);
    if (v->mmu.stats.walks != walks && j->write_count) mmu_flush_tlb(&v->mmu);        /* it may have written what was walked */
    journal_check(j, v);
    *held |= run_second(a, v);
    journal_end(j, v);
    if (!audit_compare(a, v)) {
        journal_settle(j, &v->mmu);
        return true;
    }
    journal_redo(j);                                  /* what it wrote beside goes too */
    journal_undo(j);
    note(a, v, &a->second_end);
    restore(a, v, &a->start);
    return false;
}

/* This piece differs twice: which block is it? */
static void look_into(struct audit *a, struct vcpu *v, uint32_t *held)
{
    uint64_t done = 0, all = a->outcome[FIRST].spent;
    char whole[sizeof a->what];
    memcpy(whole, a->what, sizeof whole);
    log_error("audit: %s differs from %s in a piece of %lu instructions from 0x%lx: %s", a->engine[SECOND]->name, a->engine[FIRST]->name, (unsigned long)all,
              (unsigned long)v->regs.pc, whole);
    do {
        if (!piece(a, v, 1, held)) {
            log_error("audit: it is this block: %s", a->what);
            audit_report(a, v);
            return;
        }
        done += a->outcome[FIRST].spent;
    } while (done < all && a->outcome[FIRST].spent);
    memcpy(a->what, whole, sizeof whole);
    log_error("audit: it is none of its blocks alone");
}

static uint64_t next_length(struct audit *a)
{
    a->random = a->random * 6364136223846793005u + 1442695040888963407u;
    return 1 + (a->random >> 40 & ((1u << (a->random >> 61 & LONGEST_BITS)) - 1));
}

/* False: the guest cannot go on. */
static bool check(struct audit *a, struct vcpu *v, uint64_t budget, uint32_t *held)
{
    struct guest_clock *c = v->clock;
    bool stops_clock = c && !c->stopped_at_ns, ok = true;
    if (stops_clock) __atomic_store_n(&c->stopped_at_ns, arch_time_ns(), __ATOMIC_RELEASE);
    const struct isa_ops *isa = v->isa;
    v->isa = &a->quiet;
    a->journal.device_count = a->journal.next_device = 0;
    if (!piece(a, v, budget, held)) {
        ok = piece(a, v, budget, held);
        if (ok) a->stats.races++;
        else look_into(a, v, held);
    }
    v->isa = isa;
    if (stops_clock) __atomic_store_n(&c->stopped_at_ns, 0, __ATOMIC_RELEASE);
    a->stats.checks++;
    a->stats.insns += a->outcome[FIRST].insns;
    return ok;
}

static bool no_irq(struct vcpu *v) { (void)v; return false; }

/* ---- the engine ---- */

static struct exec_result sum_up(const struct vcpu *v, const struct exec_stats *before, enum exec_status status)
{
    struct exec_result r = { .status = status, .next_pc = guest_addr_make(v->regs.pc) };
    const uint64_t *from = (const uint64_t *)before, *to = (const uint64_t *)&v->stats;
    for (size_t i = 0; i < sizeof r.stats / sizeof *from; i++) ((uint64_t *)&r.stats)[i] = to[i] - from[i];
    return r;
}

static struct exec_result audit_run(struct vcpu *v, uint64_t budget_insns)
{
    struct audit *a = audit_of(v);
    const struct exec_stats before = v->stats;
    a->quiet = *v->isa;
    a->quiet.has_irq = no_irq;
    for (uint64_t spent = 0;;) {
        struct audit_outcome now = { 0 };
        if (__atomic_load_n(&v->request, __ATOMIC_ACQUIRE) & VCPU_REQUEST_FENCE) {
            __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_FENCE, __ATOMIC_ACQ_REL);
            vcpu_fence_obey(v);
        }
        switch_to(v, a, SECOND);
        struct exec_result r = v->engine->run(v, 0);        /* what there is to do before guest code */
        switch_back(v, a, SECOND);
        if (r.status != EXEC_CONTINUE) return sum_up(v, &before, r.status);
        uint32_t held = __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL) & ~(uint32_t)VCPU_REQUEST_IRQ;
        bool is_over = held || spent >= budget_insns;
        uint64_t length = next_length(a);
        if (!is_over && !check(a, v, length < budget_insns - spent ? length : budget_insns - spent, &held)) {
            r = sum_up(v, &before, EXEC_FAILED);
            r.error = vm_error_because(VM_CORE_INTERNAL, a->what);
            return r;
        }
        __atomic_fetch_or(&v->request, held, __ATOMIC_RELEASE);
        if (is_over) return sum_up(v, &before, EXEC_CONTINUE);
        now = a->outcome[FIRST];
        spent += now.spent;
        if (now.status == EXEC_FAULT) {
            r = sum_up(v, &before, EXEC_FAULT);
            r.error = now.error;
            return r;
        }
        if (now.status != EXEC_CONTINUE) return sum_up(v, &before, now.status);
    }
}

static struct exec_result audit_step(struct vcpu *v)
{
    struct audit *a = audit_of(v);
    switch_to(v, a, SECOND);
    struct exec_result r = v->engine->execute_instruction(v);
    switch_back(v, a, SECOND);
    return r;
}

static void audit_drop(struct vcpu *v)
{
    struct audit *a = audit_of(v);
    for (unsigned i = 0; i < PARTS; i++) {
        switch_to(v, a, i);
        v->engine->drop_code(v);
        switch_back(v, a, i);
    }
}

static void audit_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    struct audit *a = audit_of(v);
    for (unsigned i = 0; i < PARTS; i++) {
        switch_to(v, a, i);
        v->engine->forget_code(v, at, size_bytes);
        switch_back(v, a, i);
    }
}

const struct engine_ops AUDIT_ENGINE = {
    .mode = EXEC_JIT,
    .name = "audit",
    .vcpu_init = audit_init,
    .vcpu_destroy = audit_destroy,
    .run = audit_run,
    .execute_instruction = audit_step,
    .drop_code = audit_drop,
    .forget_code = audit_forget,
    .part = audit_part,
};
