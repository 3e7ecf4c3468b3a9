// SPDX-License-Identifier: Apache-2.0
/* The interpreter as an engine: its code memory, links, run and single step; blocks and the run loop are hv/exec's. */
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/interp/bytecode.h"

static void interp_drop_ops(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    in->op_count = in->site_count = 0;
}

static bool interp_is_full(struct vcpu *v)
{
    const struct interp *in = v->engine_state;
    return in->op_count >= CODE_OPS - 4096;
}

static void *interp_compile(struct vcpu *v, const struct ir_block *ir, uint32_t block) { return interp_lower(v->engine_state, ir, block); }

static const struct code_block *block_at(const struct interp *in, const struct op *op) { return &in->blocks.block[in->place[op - in->code].block]; }

static void interp_unlink_stale(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < in->site_count; i++) {
        struct op *site = &in->code[in->site[i]];
        if (block_at(in, site->handler)->is_stale) site->handler = in->resolve;
        else in->site[kept++] = in->site[i];
    }
    in->site_count = kept;
}

static const struct blocks_ops block_ops = { .compile = interp_compile, .is_full = interp_is_full, .drop = interp_drop_ops,
                                             .unlink_stale = interp_unlink_stale };

static struct vm_error no_memory(void) { return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for translated code"); }

static void interp_destroy(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    if (!in) return;
    heap_free(in->code);
    heap_free(in->place);
    heap_free(in->plan);
    blocks_destroy(&in->blocks);
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
    in->plan = heap_alloc(interp_plan_bytes());
    if (!blocks_init(&in->blocks, &block_ops) || !in->code || !in->place || !in->plan) {
        interp_destroy(v);
        return no_memory();
    }
    in->resolve[0].handler = interp_handler[OP_RESOLVE];
    v->regs.slot[ZERO_SLOT] = 0;
    return VM_SUCCESS;
}

static void interp_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    struct interp *in = v->engine_state;
    (void)at, (void)size_bytes;
    blocks_forget(v, &in->blocks);
}

static void interp_drop(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    blocks_drop(v, &in->blocks);
}

/* Patches the link that led to RESOLVE. `flushes` guards against a drop meanwhile. */
static void link_site(struct vcpu *v, struct interp *in, struct op *site, struct op *to, uint64_t flushes)
{
    if (in->blocks.flushes != flushes || in->site_count == CODE_SITES || !blocks_may_link(v, block_at(in, site), block_at(in, to))) return;
    in->site[in->site_count++] = (uint32_t)(site - in->code);
    site->handler = to;
}

static enum exec_left enter(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    struct op *op = blocks_lookup(v, &in->blocks);
    while (op) {
        struct left left = interp_loop(v, in, op);
        if (left.why != LEFT_RESOLVE) return left.why;
        uint64_t flushes = in->blocks.flushes;
        op = blocks_lookup(v, &in->blocks);
        if (op) link_site(v, in, left.site, op, flushes);
    }
    return LEFT_DISPATCH;
}

/* Lowered behind the cache's end and not kept; its links lead out by RESOLVE. */
static enum exec_left once(struct vcpu *v, const struct ir_block *ir)
{
    struct interp *in = v->engine_state;
    uint32_t op_count = in->op_count;
    struct op *op = interp_lower(in, ir, in->blocks.count);
    enum exec_left why = op ? interp_loop(v, in, op).why : LEFT_DISPATCH;
    in->op_count = op_count;
    return why;
}

static struct exec_result interp_run(struct vcpu *v, uint64_t budget_insns)
{
    struct interp *in = v->engine_state;
    v->regs.slot[ZERO_SLOT] = 0;
    return exec_run(v, &in->blocks, budget_insns, enter);
}

static struct exec_result interp_step(struct vcpu *v)
{
    struct interp *in = v->engine_state;
    v->regs.slot[ZERO_SLOT] = 0;
    return exec_step(v, &in->blocks, once);
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
