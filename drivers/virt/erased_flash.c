// SPDX-License-Identifier: Apache-2.0
/* Erased flash; see erased_flash.h. */
#include "drivers/virt/erased_flash.h"

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = UINT64_MAX;
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)dev, (void)offset, (void)size_bytes, (void)value;
    return VM_SUCCESS;
}

struct mmio_region erased_flash(guest_phys_addr base, uint64_t size_bytes)
{
    static const struct mmio_ops ops = { .name = "flash", .read = read, .write = write };
    return (struct mmio_region){ .base = base, .size_bytes = size_bytes, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &ops };
}
