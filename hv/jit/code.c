// SPDX-License-Identifier: Apache-2.0
/* A look at what was compiled, for displays. Own thread, or the vCPU is stopped. */
#include "hv/jit/target.h"

const struct jit *jit_of(const struct vcpu *v)
{
    if (!v->engine || !v->engine_state) return NULL;
    return v->engine == &JIT_ENGINE ? v->engine_state : v->engine->part ? v->engine->part(v, &JIT_ENGINE) : NULL;
}

bool jit_news_of(const struct vcpu *v, struct jit_news *out)
{
    const struct jit *j = jit_of(v);
    if (j) *out = j->news;
    return j;
}

/* The vCPU may be running: whatever is read, what comes out lies within the memory that is there. */
void jit_describe(const struct jit *j, uint32_t n, struct jit_code *out)
{
    const struct blocks *b = &j->blocks;
    const struct code_block k = b->block[n];
    uint64_t from = (uint64_t)((const uint8_t *)k.entry - j->run), end = n + 1 < b->count ? (uint64_t)((const uint8_t *)b->block[n + 1].entry - j->run) : j->used;
    bool is_sound = from < end && end <= j->limit && end - from <= JIT_BLOCK_BYTES && k.source < BLOCKS_SOURCE - k.source_bytes;
    *out = (struct jit_code){ .target = j->target->name, .pc = k.pc, .mode = k.mode, .guest = b->source + (is_sound ? k.source : 0),
                              .guest_bytes = is_sound ? k.source_bytes : 0, .host = j->run + (is_sound ? from : 0), .host_bytes = is_sound ? (uint32_t)(end - from) : 0 };
}

bool jit_code_at(const struct vcpu *v, uint64_t pc, uint32_t mode, struct jit_code *out)
{
    const struct jit *j = jit_of(v);
    for (uint32_t n = j ? j->blocks.count : 0; n-- > 0;) {
        const struct code_block *b = &j->blocks.block[n];
        if (b->pc != pc || b->mode != mode || b->is_stale) continue;
        jit_describe(j, n, out);
        return true;
    }
    return false;
}

unsigned jit_hottest(const struct vcpu *v, struct jit_hot *out, unsigned cap, uint64_t *all)
{
    const struct jit *j = jit_of(v);
    unsigned count = 0;
    *all = 0;
    for (uint32_t n = 0; j && n < j->blocks.count && n < BLOCKS_MAX; n++) {
        uint32_t samples = j->blocks.block[n].samples;
        *all += samples;
        if (!samples || (count == cap && samples <= out[cap - 1].samples)) continue;
        unsigned at = count < cap ? count++ : cap - 1;
        for (; at && out[at - 1].samples < samples; at--) out[at] = out[at - 1];
        out[at].samples = samples;
        jit_describe(j, n, &out[at].code);
    }
    return count;
}
