// SPDX-License-Identifier: Apache-2.0
/* The interpreter as an engine: the block cache of a vCPU, run and single step. Code memory is fixed at creation; when
 * any part of it is full, all of it is dropped. Blocks are found by (guest-physical address, pc, mode); links exist only
 * inside one guest page, so a remapping can make none stale; everything else goes through the jump cache, whose entries
 * carry a serial that moves with translations and code. After a code fence each block compares its bytes before it runs. */
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/interp/bytecode.h"

#define PAGE_MASK (~(uint64_t)(HV_PAGE_BYTES - 1))

static void drop_all(struct interp *in)
{
    in->op_count = in->block_count = in->source_count = in->site_count = 0;
    memset(in->hash, 0xff, sizeof in->hash);
    in->serial++;
    in->flushes++;
}

static struct vm_error no_memory(void) { return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for translated code"); }

static void interp_destroy(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    if (!in) return;
    heap_free(in->code);
    heap_free(in->place);
    heap_free(in->block);
    heap_free(in->source);
    heap_free(in->plan);
    heap_free(in);
    v->engine_state = NULL;
}

static struct vm_error interp_init(struct vcpu *v)
{
    struct interp *in = v->engine_state = heap_alloc(sizeof *in);
    if (!in) return no_memory();
    if (!interp_handler[OP_RESOLVE]) (void)interp_loop(NULL, NULL, NULL);    /* once: VMs that run read it */
    in->code = heap_alloc(CODE_OPS * sizeof *in->code);
    in->place = heap_alloc(CODE_OPS * sizeof *in->place);
    in->block = heap_alloc(CODE_BLOCKS * sizeof *in->block);
    in->source = heap_alloc(CODE_SOURCE);
    in->plan = heap_alloc(interp_plan_bytes());
    if (!in->code || !in->place || !in->block || !in->source || !in->plan) {
        interp_destroy(v);
        return no_memory();
    }
    in->resolve[0].handler = interp_handler[OP_RESOLVE];
    v->regs.slot[ZERO_SLOT] = 0;
    drop_all(in);
    return VM_SUCCESS;
}

static void unlink_all(struct interp *in)
{
    for (uint32_t i = 0; i < in->site_count; i++) in->code[in->site[i]].handler = in->resolve;
    in->site_count = 0;
}

static void interp_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    struct interp *in = v->engine_state;
    (void)at, (void)size_bytes;                              /* comparing bytes is cheap: all blocks are suspects */
    in->code_epoch++;
    in->serial++;
    unlink_all(in);
}

static void interp_drop(struct vcpu *v) { drop_all(v->engine_state); }

static uint32_t hash_of(uint64_t gpa, uint64_t pc, uint32_t mode)
{
    uint64_t h = (gpa >> 1) * 0x9e3779b97f4a7c15ull ^ (pc >> 12) * 0xc2b2ae3d27d4eb4full ^ mode * 0x165667b19e3779f9ull;
    return (uint32_t)(h >> 40) & (CODE_HASH - 1);
}

/* The bytes of a block as they are in guest memory now. */
static bool source_is_unchanged(struct vcpu *v, const struct interp *in, const struct block *b)
{
    const uint8_t *copy = in->source + b->source;
    uint64_t first = HV_PAGE_BYTES - (b->gpa & (HV_PAGE_BYTES - 1));
    if (first > b->source_bytes) first = b->source_bytes;
    const void *p = gmem_slice(v->mmu.gmem, guest_phys_addr_make(b->gpa), first, ACCESS_EXECUTE);
    if (!p || memcmp(p, copy, first)) return false;
    if (first == b->source_bytes) return true;
    p = gmem_slice(v->mmu.gmem, guest_phys_addr_make(b->second_gpa), b->source_bytes - first, ACCESS_EXECUTE);
    return p && !memcmp(p, copy + first, b->source_bytes - first);
}

/* A block that crosses pages is checked on every entry: its second page may be mapped elsewhere by now. */
static bool second_page_holds(struct vcpu *v, const struct block *b)
{
    struct translation t;
    struct fault why;
    guest_addr second = guest_addr_make((b->pc & PAGE_MASK) + HV_PAGE_BYTES);
    return mmu_translate_fault(&v->mmu, second, ACCESS_EXECUTE, &t, &why) && t.gpa.v == b->second_gpa;
}

static struct op *find_block(struct vcpu *v, struct interp *in, uint64_t gpa, bool *may_cache)
{
    uint32_t *link = &in->hash[hash_of(gpa, v->regs.pc, v->regs.mode)];
    while (*link != NO_BLOCK) {
        struct block *b = &in->block[*link];
        if (b->gpa != gpa || b->pc != v->regs.pc || b->mode != v->regs.mode) {
            link = &b->next;
            continue;
        }
        if (b->crosses && !second_page_holds(v, b)) break;
        if (b->code_epoch != in->code_epoch) {
            in->revalidations++;
            if (!source_is_unchanged(v, in, b)) {
                *link = b->next;                             /* stale: its memory comes back with the next drop */
                continue;
            }
            b->code_epoch = in->code_epoch;
        }
        *may_cache = !b->crosses;
        return &in->code[b->entry];
    }
    return NULL;
}

static struct op *keep_block(struct vcpu *v, struct interp *in, uint64_t gpa, bool *may_cache)
{
    struct ir_block *ir = &in->ir;
    struct block *b = &in->block[in->block_count];
    uint32_t bytes = ir->guest_bytes;
    uint64_t room = HV_PAGE_BYTES - (gpa & (HV_PAGE_BYTES - 1));
    *b = (struct block){ .pc = ir->pc.v, .gpa = gpa, .mode = ir->mode, .code_epoch = in->code_epoch, .source = in->source_count,
                         .source_bytes = (uint16_t)bytes, .crosses = bytes > room };
    struct op *op = interp_lower(in, ir, in->block_count);
    if (!op) return NULL;
    if (b->crosses) {
        struct translation t;
        struct fault why;
        if (!mmu_translate_fault(&v->mmu, guest_addr_make((b->pc & PAGE_MASK) + HV_PAGE_BYTES), ACCESS_EXECUTE, &t, &why)) return NULL;
        b->second_gpa = t.gpa.v;
    }
    memcpy(in->source + b->source, ir->source, bytes);
    in->source_count += (bytes + 7) & ~7u;
    b->entry = (uint32_t)(op - in->code);
    uint32_t *head = &in->hash[hash_of(gpa, b->pc, b->mode)];
    b->next = *head;
    *head = in->block_count++;
    *may_cache = !b->crosses;
    return op;
}

/* Operation to run at regs.pc; NULL: v->fault, or is_at_break. A breakpoint's block is neither cached nor linked, so that every
 * way there leads through here. */
static struct op *lookup(struct vcpu *v, struct interp *in)
{
    bool may_cache = false;
    if (in->seen_epoch != v->mmu.epoch) {
        in->seen_epoch = v->mmu.epoch;
        in->serial++;
    }
    in->tag = (uint64_t)in->serial << 32 | v->regs.mode;
    struct jump_entry *j = &in->jump[v->regs.pc >> 1 & (JUMP_CACHE - 1)];
    if (j->pc == v->regs.pc && j->tag == in->tag) return j->op;
    bool is_break = breakpoints_have(v->breaks, guest_addr_make(v->regs.pc));
    in->is_at_break = is_break && !v->is_past_break;
    if (in->is_at_break) return NULL;

    struct translation t;
    if (!mmu_translate_fault(&v->mmu, guest_addr_make(v->regs.pc), ACCESS_EXECUTE, &t, &v->fault)) return NULL;
    struct op *op = find_block(v, in, t.gpa.v, &may_cache);
    if (!op) {
        if (in->block_count >= CODE_BLOCKS - 1 || in->source_count >= CODE_SOURCE - 1024 || in->op_count >= CODE_OPS - 4096) drop_all(in);
        guest_phys_addr gpa;
        for (unsigned most = IR_BLOCK_GUEST; !op; most /= 2) {
            if (!lift_block(v, guest_addr_make(v->regs.pc), most, &in->ir, &gpa, &v->fault)) return NULL;
            in->lifts++;
            op = keep_block(v, in, gpa.v, &may_cache);
            if (!op && most == 1) {
                v->fault = fault_invalid_opcode(guest_addr_make(v->regs.pc), 0);
                return NULL;
            }
        }
        in->tag = (uint64_t)in->serial << 32 | v->regs.mode;
    }
    if (is_break) v->is_past_break = false;
    else if (may_cache) *j = (struct jump_entry){ v->regs.pc, in->tag, op };
    v->fault.kind = FAULT_NONE;                              /* what looking it up left there */
    return op;
}

/* Patches the link that led to RESOLVE, when source and target are one page. `generation` guards against a drop. */
static void link_site(struct vcpu *v, struct interp *in, struct op *site, struct op *to, uint64_t flushes)
{
    if (in->flushes != flushes || in->site_count == CODE_SITES || breakpoints_have(v->breaks, guest_addr_make(v->regs.pc))) return;
    const struct block *from = &in->block[in->place[site - in->code].block];
    if ((from->pc ^ v->regs.pc) & PAGE_MASK || from->crosses || in->block[in->place[to - in->code].block].crosses) return;
    in->site[in->site_count++] = (uint32_t)(site - in->code);
    site->handler = to;
}

/* Only the owner writes; others may look. */
static void count_up(uint64_t *counter, uint64_t by) { __atomic_store_n(counter, *counter + by, __ATOMIC_RELAXED); }

static struct exec_result leave(struct vcpu *v, struct interp *in, enum exec_status status, uint64_t start_ns, const struct mmu_stats *before)
{
    struct exec_result r = { .status = status, .next_pc = guest_addr_make(v->regs.pc) };
    r.stats.executed_insns = (uint64_t)(v->budget_start - v->budget);
    r.stats.mem_accesses = in->accesses;
    r.stats.exec_time_ns = arch_time_ns() - start_ns;
    uint64_t translations = in->accesses + v->mmu.stats.lookups - before->lookups;
    r.stats.tlb_misses = v->mmu.stats.walks - before->walks;
    r.stats.tlb_hits = translations > r.stats.tlb_misses ? translations - r.stats.tlb_misses : 0;
    count_up(&v->stats.executed_insns, r.stats.executed_insns);
    count_up(&v->stats.mem_accesses, r.stats.mem_accesses);
    count_up(&v->stats.exec_time_ns, r.stats.exec_time_ns);
    v->budget = v->budget_start = 0;
    in->accesses = 0;
    return r;
}

static struct exec_result leave_fault(struct vcpu *v, struct interp *in, uint64_t start_ns, const struct mmu_stats *before)
{
    struct fault f = v->fault;
    v->fault.kind = FAULT_NONE;
    struct exec_result r = leave(v, in, EXEC_FAULT, start_ns, before);
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

static struct exec_result interp_run(struct vcpu *v, uint64_t budget_insns)
{
    struct interp *in = v->engine_state;
    uint64_t start_ns = arch_time_ns();
    const struct mmu_stats before = v->mmu.stats;
    struct op *op = NULL;
    if (budget_insns > INT64_MAX) budget_insns = INT64_MAX;
    v->budget = v->budget_start = (int64_t)budget_insns;
    v->regs.slot[ZERO_SLOT] = 0;
    for (;;) {
        uint32_t request = __atomic_load_n(&v->request, __ATOMIC_ACQUIRE);
        if (request & VCPU_REQUEST_FENCE) {
            __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_FENCE, __ATOMIC_ACQ_REL);
            vcpu_fence_obey(v);
            continue;
        }
        if (v->hypercall) return leave(v, in, EXEC_IO_REQUEST, start_ns, &before);
        if (request & VCPU_REQUEST_EXIT) return leave(v, in, EXEC_OK, start_ns, &before);
        if (v->isa->has_irq(v)) return leave(v, in, EXEC_INTERRUPT_PENDING, start_ns, &before);
        if (request & ~(uint32_t)VCPU_REQUEST_IRQ || v->budget <= 0) return leave(v, in, EXEC_CONTINUE, start_ns, &before);
        if (request) __atomic_fetch_and(&v->request, ~(uint32_t)VCPU_REQUEST_IRQ, __ATOMIC_ACQ_REL);

        op = lookup(v, in);
        while (op) {
            struct left left = interp_loop(v, in, op);
            if (left.why == LEFT_RESOLVE) {
                uint64_t flushes = in->flushes;
                op = lookup(v, in);
                if (op) link_site(v, in, left.site, op, flushes);
                continue;
            }
            if (left.why == LEFT_HALT) return leave(v, in, EXEC_HALTED, start_ns, &before);
            break;
        }
        if (in->is_at_break) {
            in->is_at_break = false;
            return leave(v, in, EXEC_BREAKPOINT, start_ns, &before);
        }
        if (v->fault.kind != FAULT_NONE && !deliver(v)) return leave_fault(v, in, start_ns, &before);
    }
}

static struct exec_result interp_step(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    uint64_t start_ns = arch_time_ns();
    const struct mmu_stats before = v->mmu.stats;
    guest_phys_addr gpa;
    bool is_halted = false;
    v->budget = v->budget_start = 1;
    v->regs.slot[ZERO_SLOT] = 0;
    if (v->trace) {
        struct insn i;
        if (!vm_failed(decode_insn(v, guest_addr_make(v->regs.pc), &i))) v->trace(v, &i);
    }
    if (in->op_count >= CODE_OPS - 4096) drop_all(in);
    if (lift_block(v, guest_addr_make(v->regs.pc), 1, &in->ir, &gpa, &v->fault)) {
        /* Lowered behind the cache's end and not kept; its links lead out by RESOLVE. */
        uint32_t op_count = in->op_count, block = in->block_count;
        v->fault.kind = FAULT_NONE;
        in->block[block] = (struct block){ .pc = in->ir.pc.v, .mode = in->ir.mode };
        struct op *op = interp_lower(in, &in->ir, block);
        uint32_t held = __atomic_exchange_n(&v->request, 0, __ATOMIC_ACQ_REL);
        in->tag = ~0ull;
        if (op) is_halted = interp_loop(v, in, op).why == LEFT_HALT;
        __atomic_fetch_or(&v->request, held, __ATOMIC_RELEASE);
        in->op_count = op_count;
    }
    if (v->fault.kind != FAULT_NONE && !deliver(v)) return leave_fault(v, in, start_ns, &before);
    if (v->hypercall) return leave(v, in, EXEC_IO_REQUEST, start_ns, &before);
    return leave(v, in, is_halted ? EXEC_HALTED : EXEC_CONTINUE, start_ns, &before);
}

const struct engine_ops INTERP_ENGINE = {
    .mode = EXEC_INTERPRETER,
    .name = "interpreter",
    .vcpu_init = interp_init,
    .vcpu_destroy = interp_destroy,
    .run = interp_run,
    .execute_instruction = interp_step,
    .drop_code = interp_drop,
    .forget_code = interp_forget,
};
