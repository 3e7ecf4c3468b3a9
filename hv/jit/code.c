// SPDX-License-Identifier: Apache-2.0
/* A look at what was compiled, for displays. Own thread, or the vCPU is stopped. */
#include "hv/jit/target.h"

const struct jit *jit_of(const struct vcpu *v)
{
    if (!v->engine || !v->engine_state) return NULL;
    return v->engine == &JIT_ENGINE ? v->engine_state : v->engine->part ? v->engine->part(v, &JIT_ENGINE) : NULL;
}

void jit_describe(const struct jit *j, uint32_t n, struct jit_code *out)
{
    const struct blocks *b = &j->blocks;
    const uint8_t *from = b->block[n].entry, *end = n + 1 < b->count ? b->block[n + 1].entry : j->run + j->used;
    *out = (struct jit_code){ .target = j->target->name, .pc = b->block[n].pc, .mode = b->block[n].mode, .guest = b->source + b->block[n].source,
                              .guest_bytes = b->block[n].source_bytes, .host = from, .host_bytes = (uint32_t)(end - from) };
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
