// SPDX-License-Identifier: Apache-2.0
/* The JIT as an engine: code memory of a vCPU, entering it, links, run and single step; blocks and the run loop are hv/exec's. */
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/jit/target.h"

#define CODE_RESERVE   (16u << 10)               /* nearly every block is smaller */

#if defined(__x86_64__)
#define HOST_TARGET JIT_X64
#else
#define HOST_TARGET JIT_A64
#endif

uint32_t jit_off, jit_limit_bytes;

bool jit_switch_off(const char *names)
{
    static const char *const known[] = {
#define X(n, text) [JIT_##n] = text,
        JIT_SWITCHES(X)
#undef X
    };
    while (*names) {
        size_t length = 0, n = 0;
        while (names[length] && names[length] != ',') length++;
        while (n < JIT_SWITCH_COUNT && (strlen(known[n]) != length || memcmp(known[n], names, length))) n++;
        if (n == JIT_SWITCH_COUNT) return false;
        jit_off |= 1u << n;
        names += length + (names[length] == ',');
    }
    return true;
}

bool jit_info_of(const struct vcpu *v, struct jit_info *out)
{
    const struct jit *j = jit_of(v);
    if (!j) return false;
    *out = (struct jit_info){ .target = j->target->name, .blocks = j->blocks.count, .links = j->patched_count, .compiles = j->stats.compiles,
                              .compile_ns = j->stats.compile_ns, .guest_bytes = j->stats.guest_bytes, .code_bytes = j->stats.code_bytes,
                              .used_bytes = j->used, .limit_bytes = j->limit, .resolves = j->stats.resolves, .dispatches = j->stats.dispatches,
                              .drops = j->stats.drops, .checks = j->blocks.revalidations };
    return true;
}

static void drop(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    j->used = j->prologue.end;
    j->place_count = j->patched_count = 0;
    j->link_count = 1;                                       /* 0: none */
    j->stats.drops++;
}

static bool is_full(struct vcpu *v)
{
    const struct jit *j = v->engine_state;
    return j->used + CODE_RESERVE > j->limit || j->place_count > JIT_PLACES - 2 * IR_BLOCK_INSNS || j->link_count > JIT_LINKS - 4;
}

static void *compile(struct vcpu *v, const struct ir_block *ir, uint32_t block)
{
    struct jit *j = v->engine_state;
    uint64_t start_ns = arch_time_ns();
    void *code = jit_lower(j, v, ir, block);
    uint64_t ns = arch_time_ns() - start_ns;
    if (code) {
        j->stats.compiles++;
        j->news.compiles++;
        j->news.compiled_pc = ir->pc.v;
        j->stats.compile_ns += ns;
        __atomic_store_n(&v->stats.jit_compiles, v->stats.jit_compiles + 1, __ATOMIC_RELAXED);
        __atomic_store_n(&v->stats.jit_compile_time_ns, v->stats.jit_compile_time_ns + ns, __ATOMIC_RELAXED);
    }
    return code;
}

static void patch(struct jit *j, uint32_t site, uint32_t to)
{
    j->target->patch(j->write, site, to);
    arch_code_written(j->run + site, 8);
}

static void unlink_stale(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < j->patched_count; i++) {
        const struct jit_link *k = &j->link[j->patched[i]];
        if (j->blocks.block[k->to].is_stale) patch(j, k->site, k->stub);
        else j->patched[kept++] = j->patched[i];
    }
    j->patched_count = kept;
}

static const struct blocks_ops block_ops = { .compile = compile, .is_full = is_full, .drop = drop, .unlink_stale = unlink_stale };

static struct vm_error no_memory(void) { return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for translated code"); }

static void jit_destroy(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    if (!j) return;
    if (j->run) jit_memory_give(j->memory_bytes, j->write, j->run);
    heap_free(j->place);
    heap_free(j->link);
    heap_free(j->patched);
    heap_free(j->plan);
    heap_free(j->buffer);
    blocks_destroy(&j->blocks);
    heap_free(j);
    v->engine_state = NULL;
}

/* The guest's hot slots take the host registers in order. */
static void pin(struct jit *j, unsigned file, const uint8_t *slots, const uint8_t *regs)
{
    memset(j->pin[file], NO_REG, sizeof j->pin[file]);
    for (unsigned i = 0; slots && slots[i] != NO_REG && regs[i] != NO_REG; i++) j->pin[file][slots[i]] = regs[i];
}

static struct vm_error jit_init(struct vcpu *v)
{
    struct jit *j = v->engine_state = heap_alloc(sizeof *j);
    if (!j) return no_memory();
    j->target = &HOST_TARGET;
    j->off = jit_off;
    j->features = j->target->features();
    uint32_t limit = v->code_limit_bytes ? v->code_limit_bytes : jit_limit_bytes;
    j->memory_bytes = JIT_CODE_MOST;
    j->limit = limit >= JIT_CODE_LEAST && limit < JIT_CODE_MOST ? limit : JIT_CODE_MOST;
    j->link_count = 1;
    j->place = heap_alloc(JIT_PLACES * sizeof *j->place);
    j->link = heap_alloc(JIT_LINKS * sizeof *j->link);
    j->patched = heap_alloc(JIT_LINKS * sizeof *j->patched);
    j->plan = heap_alloc(jit_plan_bytes());
    j->buffer = heap_alloc(JIT_BLOCK_BYTES);
    if (!blocks_init(&j->blocks, &block_ops) || !j->place || !j->link || !j->patched || !j->plan || !j->buffer ||
        !jit_memory_take(j->memory_bytes, &j->write, &j->run)) {
        jit_destroy(v);
        return no_memory();
    }
    bool pins = v->isa && !(j->off >> JIT_PIN & 1);
    pin(j, 0, pins ? v->isa->hot_slots : NULL, j->target->pins);
    pin(j, 1, pins ? v->isa->hot_fp_slots : NULL, j->target->fp_pins);
    struct emit *e = heap_alloc(sizeof *e);                     /* too large for a stack */
    if (!e) {
        jit_destroy(v);
        return no_memory();
    }
    e->base = j->write;
    e->end = j->limit;
    j->target->prologue(e, &j->prologue, j);
    j->prologue.end = j->used = (e->at + 63) & ~63u;
    heap_free(e);
    arch_code_written(j->run, j->used);
    return VM_SUCCESS;
}

static void jit_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    struct jit *j = v->engine_state;
    (void)at, (void)size_bytes;
    blocks_forget(v, &j->blocks);
}

static void jit_drop(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    blocks_drop(v, &j->blocks);
}

#define SAMPLE_INSNS (1 << 16)
_Static_assert(SAMPLE_INSNS <= JIT_CHUNK_INSNS, "accesses fit the counts word");
typedef uint64_t enter_fn(struct vcpu *v, const void *code);

/* Runs code for at most a chunk of the budget. */
static enum exec_left run_code(struct vcpu *v, struct jit *j, const void *code)
{
    if (j->until_sample <= 0) j->until_sample = SAMPLE_INSNS;
    int64_t before = v->budget, chunk = before < j->until_sample ? before : j->until_sample;
    uint64_t *r = v->regs.slot;
    j->rest = v->budget - chunk;
    r[JIT_SLOT_COUNTS] = (uint64_t)(chunk - 1) << JIT_ACCESS_BITS;
    r[JIT_SLOT_EXCESS] = 0;
    enum exec_left why = (enum exec_left)((enter_fn *)(uintptr_t)(j->run + j->prologue.enter))(v, code);
    jit_merge_fp_flags(v, j);
    v->budget = j->rest + ((int64_t)r[JIT_SLOT_COUNTS] >> JIT_ACCESS_BITS) + 1;
    j->until_sample -= before - v->budget;
    j->blocks.accesses += (r[JIT_SLOT_COUNTS] & ((1u << JIT_ACCESS_BITS) - 1)) + r[JIT_SLOT_EXCESS];
    return why;
}

static const struct code_block *block_of(const struct jit *j, uint32_t n) { return &j->blocks.block[n]; }

/* Patches the link that led out. `flushes` guards against a drop meanwhile. */
static void link_to(struct vcpu *v, struct jit *j, uint32_t link, const void *code, uint64_t flushes)
{
    struct jit_link *k = &j->link[link];
    if (j->blocks.flushes != flushes || !k->site || j->patched_count == JIT_LINKS) return;
    if (!blocks_may_link(v, block_of(j, k->block), j->blocks.found)) return;
    j->patched[j->patched_count++] = link;
    k->to = (uint32_t)(j->blocks.found - j->blocks.block);
    patch(j, k->site, (uint32_t)((const uint8_t *)code - j->run));
}

#define HOT_SAMPLES 64

/* The block that runs when so many instructions are over: the more instructions run in a block, the more often. */
static void sample(struct jit *j, uint32_t n)
{
    uint32_t samples = ++j->blocks.block[n].samples;
    if (samples != HOT_SAMPLES) return;
    j->news.hotspots++;
    j->news.hot_pc = j->blocks.block[n].pc;
    j->news.hot_samples = samples;
}

static enum exec_left enter(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    const void *code = blocks_lookup(v, &j->blocks);
    while (code) {
        enum exec_left why = run_code(v, j, code);
        uint32_t link = (uint32_t)v->regs.slot[JIT_SLOT_LINK];
        if (link) v->regs.pc = j->link[link].pc;
        if (why == LEFT_BUDGET && link && j->until_sample <= 0) sample(j, j->link[link].block);
        if (why == LEFT_RESOLVE) {
            uint64_t flushes = j->blocks.flushes;
            j->stats.resolves++;
            if (v->budget <= 0 || __atomic_load_n(&v->request, __ATOMIC_RELAXED)) return LEFT_BUDGET;
            code = blocks_lookup(v, &j->blocks);
            if (code) link_to(v, j, link, code, flushes);
            continue;
        }
        bool is_chunk = why == LEFT_BUDGET && v->budget > 0 && !__atomic_load_n(&v->request, __ATOMIC_RELAXED);
        if (!is_chunk) {
            j->stats.dispatches++;
            return why;
        }
        code = blocks_lookup(v, &j->blocks);
    }
    return LEFT_DISPATCH;
}

/* Compiled behind the cache's end and not kept: its links lead out. */
static enum exec_left once(struct vcpu *v, const struct ir_block *ir)
{
    struct jit *j = v->engine_state;
    uint32_t used = j->used, places = j->place_count, links = j->link_count;
    const void *code = jit_lower(j, v, ir, j->blocks.count);
    enum exec_left why = LEFT_DISPATCH;
    if (code) {
        why = run_code(v, j, code);
        uint32_t link = (uint32_t)v->regs.slot[JIT_SLOT_LINK];
        if (link) v->regs.pc = j->link[link].pc;
    }
    j->used = used;
    j->place_count = places;
    j->link_count = links;
    return why;
}

static struct exec_result jit_run(struct vcpu *v, uint64_t budget_insns)
{
    struct jit *j = v->engine_state;
    return exec_run(v, &j->blocks, budget_insns, enter);
}

static struct exec_result jit_step(struct vcpu *v)
{
    struct jit *j = v->engine_state;
    return exec_step(v, &j->blocks, once);
}

const struct engine_ops JIT_ENGINE = {
    .mode = EXEC_JIT,
    .name = "jit",
    .vcpu_init = jit_init,
    .vcpu_destroy = jit_destroy,
    .run = jit_run,
    .execute_instruction = jit_step,
    .drop_code = jit_drop,
    .forget_code = jit_forget,
};
