// SPDX-License-Identifier: Apache-2.0
/* Power off and reset; see pc_power.h. The only state is port 92H's A20 bit, which reads back and does nothing. */
#include "drivers/virt/pc_power.h"
#include "hv/core/heap.h"

#define SLEEP_ENABLE 0x20u
struct pc_power { struct pc_power_config config; uint8_t port_92, port_cf9; };

static struct vm_error read_memory(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0;
    return VM_SUCCESS;
}

static struct vm_error write_memory(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    const struct pc_power_config *c = &((struct pc_power *)dev)->config;
    (void)size_bytes;
    if (offset == PC_POWER_SLEEP_CONTROL && value & SLEEP_ENABLE && (value >> 2 & 7) == PC_POWER_S5) c->power_off(c->ctx);
    if (offset == PC_POWER_RESET && value == PC_POWER_RESET_VALUE) c->reboot(c->ctx);
    return VM_SUCCESS;
}

/* There is no keyboard: the status reads as an empty bus does. */
static struct vm_error read_keyboard(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)offset, (void)size_bytes;
    *out = 0xff;
    return VM_SUCCESS;
}

static struct vm_error write_keyboard(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    const struct pc_power_config *c = &((struct pc_power *)dev)->config;
    (void)offset, (void)size_bytes;
    if ((value & 0xf1) == 0xf0) c->reboot(c->ctx);          /* pulse output line 0 */
    return VM_SUCCESS;
}

static struct vm_error read_92(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)offset, (void)size_bytes;
    *out = ((struct pc_power *)dev)->port_92;
    return VM_SUCCESS;
}

static struct vm_error write_92(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct pc_power *p = dev;
    (void)offset, (void)size_bytes;
    if (value & 1 && !(p->port_92 & 1)) p->config.reboot(p->config.ctx);
    p->port_92 = value & 2;
    return VM_SUCCESS;
}

/* Reset control is the byte at CF9H alone: wider accesses from CF8H on look for a PCI bus, of which there is none. */
static bool is_reset_control(uint64_t offset, unsigned size_bytes) { return offset == 1 && size_bytes == 1; }

static struct vm_error read_cf8(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    *out = is_reset_control(offset, size_bytes) ? ((struct pc_power *)dev)->port_cf9 : UINT64_MAX >> (64 - 8 * size_bytes);
    return VM_SUCCESS;
}

static struct vm_error write_cf8(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct pc_power *p = dev;
    if (!is_reset_control(offset, size_bytes)) return VM_SUCCESS;
    if (value & 4 && !(p->port_cf9 & 4)) p->config.reboot(p->config.ctx);
    p->port_cf9 = value & 2;
    return VM_SUCCESS;
}

static void reset(void *dev)
{
    struct pc_power *p = dev;
    p->port_92 = 2;
    p->port_cf9 = 0;
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops memory_ops = { .name = "acpi-power", .read = read_memory, .write = write_memory, .reset = reset, .destroy = destroy };
static const struct mmio_ops keyboard_ops = { .name = "port-64h", .read = read_keyboard, .write = write_keyboard };
static const struct mmio_ops port_92_ops = { .name = "port-92h", .read = read_92, .write = write_92 };
static const struct mmio_ops port_cf8_ops = { .name = "port-cf9h", .read = read_cf8, .write = write_cf8 };

struct vm_error pc_power_create(const struct pc_power_config *c, struct mmio_region out[PC_POWER_REGIONS])
{
    struct pc_power *p = heap_alloc(sizeof *p);
    if (!p) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for power registers");
    p->config = *c;
    reset(p);
    struct mmio_region r = { .min_access_bytes = 1, .dev = p };
    const struct { uint64_t at; uint64_t bytes; const struct mmio_ops *ops; } at[] = {
        [PC_POWER_MEMORY] = { c->base.v, PC_POWER_BYTES, &memory_ops }, [PC_POWER_KEYBOARD] = { c->ports + 0x64, 1, &keyboard_ops },
        [PC_POWER_PORT_92] = { c->ports + 0x92, 1, &port_92_ops },      [PC_POWER_PORT_CF9] = { c->ports + 0xcf8, 4, &port_cf8_ops },
    };
    for (unsigned i = 0; i < PC_POWER_REGIONS; i++) {
        r.base.v = at[i].at;
        r.size_bytes = at[i].bytes;
        r.max_access_bytes = at[i].bytes == 4 ? 4 : 1;
        r.ops = at[i].ops;
        out[i] = r;
    }
    return VM_SUCCESS;
}
