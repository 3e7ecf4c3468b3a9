// SPDX-License-Identifier: Apache-2.0
/* Registers of a device of the machine: little-endian, accessed with exactly the width asked for. A driver reaches them
 * through this table, so that it can run before a model in a test. */
#pragma once
#include "hv/base/types.h"

struct register_ops {
    uint32_t (*get)(void *ctx, uintptr_t at, unsigned bytes);               /* bytes: 1, 2, 4 */
    void     (*put)(void *ctx, uintptr_t at, unsigned bytes, uint32_t v);
};
struct registers { const struct register_ops *ops; void *ctx; uintptr_t base; };

/* Memory that arch_map_device made accessible. */
extern const struct register_ops REGISTERS_IN_MEMORY;

/* One access of exactly `bytes`. */
static inline uint32_t register_get(const struct registers *r, unsigned offset, unsigned bytes)
{
    return r->ops->get(r->ctx, r->base + offset, bytes);
}
/* The same, writing. */
static inline void register_put(const struct registers *r, unsigned offset, unsigned bytes, uint32_t v)
{
    r->ops->put(r->ctx, r->base + offset, bytes, v);
}
