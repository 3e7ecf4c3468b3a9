// SPDX-License-Identifier: Apache-2.0
/* The debug console; see debugcon.h. It reads as E9H, which is how firmware finds it. */
#include "drivers/virt/debugcon.h"
#include "hv/core/heap.h"

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0xe9;
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    const struct debugcon_config *c = dev;
    char text = (char)value;
    (void)offset, (void)size_bytes;
    c->write(c->ctx, &text, 1);
    return VM_SUCCESS;
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops debugcon_ops = { .name = "debugcon", .read = read, .write = write, .destroy = destroy };

struct vm_error debugcon_create(const struct debugcon_config *c, struct mmio_region *out)
{
    struct debugcon_config *d = heap_alloc(sizeof *d);
    if (!d) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a debug console");
    *d = *c;
    *out = (struct mmio_region){ .base = c->base, .size_bytes = 1, .min_access_bytes = 1, .max_access_bytes = 1, .ops = &debugcon_ops, .dev = d };
    return VM_SUCCESS;
}
