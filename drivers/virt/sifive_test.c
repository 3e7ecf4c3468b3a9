// SPDX-License-Identifier: Apache-2.0
/* The test finisher; see sifive_test.h. Reads are 0, so that a syscon's read-modify-write always writes.
 * SiFive FE310's test device as QEMU's virt machine has it: status in bits 15..0, code above. */
#include "drivers/virt/sifive_test.h"
#include "hv/core/heap.h"

enum { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0;
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    const struct sifive_test_config *c = dev;
    uint32_t code = (uint32_t)value >> 16;
    (void)size_bytes;
    if (offset) return VM_SUCCESS;
    switch (value & 0xffff) {
    case FINISHER_FAIL:  c->power_off(c->ctx, code ? code : 1);    break;
    case FINISHER_PASS:  c->power_off(c->ctx, code);               break;
    case FINISHER_RESET: c->reboot(c->ctx);                        break;
    default:                                                       break;
    }
    return VM_SUCCESS;
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops test_ops = { .name = "sifive-test", .read = read, .write = write, .destroy = destroy };

struct vm_error sifive_test_create(const struct sifive_test_config *c, struct mmio_region *out)
{
    struct sifive_test_config *t = heap_alloc(sizeof *t);
    if (!t) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for a test finisher");
    *t = *c;
    *out = (struct mmio_region){ .base = c->base, .size_bytes = SIFIVE_TEST_BYTES, .min_access_bytes = 2, .max_access_bytes = 4,
                                 .ops = &test_ops, .dev = t };
    return VM_SUCCESS;
}
