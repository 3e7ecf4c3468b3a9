// SPDX-License-Identifier: Apache-2.0
/* The I/O APIC; see ioapic.h. 82093AA data sheet, 3.2. */
#include "drivers/virt/ioapic.h"
#include "hv/core/heap.h"

enum { SELECT = 0x00, WINDOW = 0x10, END = 0x40 };
enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_REDIRECTION = 0x10 };
#define VERSION     (0x20u | (IOAPIC_INPUTS - 1) << 16)
#define MASKED      (1u << 16)
#define LEVEL       (1u << 15)
#define REMOTE_IRR  (1u << 14)
#define ACTIVE_LOW  (1u << 13)
#define PENDING     (1u << 12)
#define LOGICAL     (1u << 11)
#define READ_ONLY   (REMOTE_IRR | PENDING)

struct ioapic {
    struct spinlock lock;
    struct ioapic_config config;
    uint32_t select, id, levels;            /* levels: of the wires */
    uint64_t entry[IOAPIC_INPUTS];
};

/* Lock held. */
static void send(struct ioapic *a, unsigned n)
{
    uint64_t e = a->entry[n];
    const struct lapic_message m = { (uint32_t)(e >> 56), e & LOGICAL, (enum lapic_delivery)(e >> 8 & 7), (uint8_t)e, e & LEVEL };
    a->config.send(a->config.ctx, &m);
}

/* Lock held: a level that is asserted, not masked and not being served. */
static void send_level(struct ioapic *a, unsigned n)
{
    uint64_t e = a->entry[n];
    if (!(a->levels >> n & 1) || e & MASKED || !(e & LEVEL) || e & REMOTE_IRR) return;
    a->entry[n] |= REMOTE_IRR;
    send(a, n);
}

static void set_input(void *sink, uint32_t n, bool level)
{
    struct ioapic *a = sink;
    spin_lock(&a->lock);
    bool was = a->levels >> n & 1;
    if (level) a->levels |= 1u << n;
    else a->levels &= ~(1u << n);
    if (level && !was && !(a->entry[n] & (MASKED | LEVEL))) send(a, n);
    send_level(a, n);
    spin_unlock(&a->lock);
}

struct irq_line ioapic_line(void *ioapic, unsigned input) { return (struct irq_line){ set_input, ioapic, input }; }

void ioapic_end(void *ioapic, uint8_t vector)
{
    struct ioapic *a = ioapic;
    spin_lock(&a->lock);
    for (unsigned n = 0; n < IOAPIC_INPUTS; n++) {
        if ((a->entry[n] & 0xff) != vector || !(a->entry[n] & LEVEL)) continue;
        a->entry[n] &= ~(uint64_t)REMOTE_IRR;
        send_level(a, n);
    }
    spin_unlock(&a->lock);
}

static uint32_t read_register(const struct ioapic *a)
{
    unsigned n = a->select - REG_REDIRECTION;
    switch (a->select) {
    case REG_ID:          return a->id;
    case REG_VERSION:     return VERSION;
    case REG_ARBITRATION: return a->id;
    }
    if (n >= 2 * IOAPIC_INPUTS) return 0;
    return (uint32_t)(a->entry[n / 2] >> (n % 2 ? 32 : 0));
}

static void write_register(struct ioapic *a, uint32_t value)
{
    unsigned n = a->select - REG_REDIRECTION;
    if (a->select == REG_ID) a->id = value & 0x0f000000;
    if (a->select < REG_REDIRECTION || n >= 2 * IOAPIC_INPUTS) return;
    uint64_t *e = &a->entry[n / 2];
    if (n % 2) {
        *e = (*e & 0xffffffffu) | (uint64_t)(value & 0xff000000u) << 32;
        return;
    }
    *e = (*e & ~0xffffffffull) | (*e & READ_ONLY) | (value & 0x1ffffu & ~READ_ONLY);
    if (!(*e & LEVEL)) *e &= ~(uint64_t)REMOTE_IRR;
    send_level(a, n / 2);
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct ioapic *a = dev;
    (void)size_bytes;
    spin_lock(&a->lock);
    *out = offset == SELECT ? a->select : offset == WINDOW ? read_register(a) : 0;
    spin_unlock(&a->lock);
    return VM_SUCCESS;
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct ioapic *a = dev;
    (void)size_bytes;
    if (offset == END) {
        ioapic_end(a, (uint8_t)value);
        return VM_SUCCESS;
    }
    spin_lock(&a->lock);
    if (offset == SELECT) a->select = value & 0xff;
    if (offset == WINDOW) write_register(a, (uint32_t)value);
    spin_unlock(&a->lock);
    return VM_SUCCESS;
}

static void reset(void *dev)
{
    struct ioapic *a = dev;
    spin_lock(&a->lock);
    a->select = 0;
    a->id = a->config.id << 24;
    a->levels = 0;
    for (unsigned n = 0; n < IOAPIC_INPUTS; n++) a->entry[n] = MASKED;
    spin_unlock(&a->lock);
}

static void destroy(void *dev) { heap_free(dev); }

static const struct mmio_ops ioapic_ops = { .name = "ioapic", .read = read, .write = write, .reset = reset, .destroy = destroy };

struct vm_error ioapic_create(const struct ioapic_config *c, struct mmio_region *out)
{
    struct ioapic *a = heap_alloc(sizeof *a);
    if (!a) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an I/O APIC");
    a->config = *c;
    reset(a);
    *out = (struct mmio_region){ .base = c->base, .size_bytes = IOAPIC_BYTES, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &ioapic_ops,
                                 .dev = a };
    return VM_SUCCESS;
}
