// SPDX-License-Identifier: Apache-2.0
/* The MMIO bus; see mmio.h. A lookup is a binary search over `order`. */
#include "hv/mmu/mmio.h"

void mmio_init(struct mmio_bus *bus) { *bus = (struct mmio_bus){ .count = 0 }; }

static bool is_access_size(unsigned n) { return n == 1 || n == 2 || n == 4 || n == 8; }

static struct vm_error check(const struct mmio_region *r)
{
    if (!r->size_bytes || r->base.v + (r->size_bytes - 1) < r->base.v) {
        return vm_error_because(VM_CORE_INVALID_PARAMETER, "MMIO region is empty or wraps");
    }
    if (!r->ops || !r->ops->read || !r->ops->write) return vm_error_because(VM_CORE_INVALID_PARAMETER, "MMIO region without a device");
    if (!is_access_size(r->min_access_bytes) || !is_access_size(r->max_access_bytes) || r->min_access_bytes > r->max_access_bytes) {
        return vm_error_because(VM_CORE_INVALID_PARAMETER, "MMIO region's access sizes");
    }
    return VM_SUCCESS;
}

static struct vm_error insert(struct mmio_bus *bus, const struct mmio_region *r)
{
    if (bus->is_frozen) return vm_error_because(VM_CORE_INVALID_STATE, "the VM has started: its device map is frozen");
    if (bus->count == MMIO_MAX_REGIONS) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "too many MMIO regions");
    unsigned at = 0;
    while (at < bus->count && bus->region[bus->order[at]].base.v < r->base.v) at++;
    const struct mmio_region *below = at ? &bus->region[bus->order[at - 1]] : NULL;
    const struct mmio_region *above = at < bus->count ? &bus->region[bus->order[at]] : NULL;
    if ((below && r->base.v - below->base.v < below->size_bytes) || (above && above->base.v - r->base.v < r->size_bytes)) {
        return vm_error_because(VM_DEVICE_CONFIG, "MMIO regions overlap");
    }
    bus->region[bus->count] = *r;
    bus->region[bus->count].lock = (struct spinlock){ 0 };
    for (unsigned i = bus->count; i > at; i--) bus->order[i] = bus->order[i - 1];
    bus->order[at] = (uint8_t)bus->count++;
    return VM_SUCCESS;
}

struct vm_error mmu_map_mmio(struct mmio_bus *bus, const struct mmio_region *r)
{
    struct vm_error e = check(r);
    if (vm_failed(e)) return e;
    spin_lock(&bus->lock);
    e = insert(bus, r);
    spin_unlock(&bus->lock);
    return e;
}

void mmio_freeze(struct mmio_bus *bus)
{
    spin_lock(&bus->lock);
    __atomic_store_n(&bus->is_frozen, true, __ATOMIC_RELEASE);       /* pairs with mmio_find */
    spin_unlock(&bus->lock);
}

static struct mmio_region *search(struct mmio_bus *bus, uint64_t at)
{
    for (unsigned low = 0, high = bus->count; low < high;) {
        unsigned middle = (low + high) / 2;
        struct mmio_region *r = &bus->region[bus->order[middle]];
        if (at < r->base.v) high = middle;
        else if (at - r->base.v >= r->size_bytes) low = middle + 1;
        else return r;
    }
    return NULL;
}

struct mmio_region *mmio_find(struct mmio_bus *bus, guest_phys_addr at)
{
    if (__atomic_load_n(&bus->is_frozen, __ATOMIC_ACQUIRE)) return search(bus, at.v);
    spin_lock(&bus->lock);
    struct mmio_region *r = search(bus, at.v);
    spin_unlock(&bus->lock);
    return r;
}

static uint64_t low_bytes(uint64_t value, unsigned size_bytes) { return size_bytes < 8 ? value & ((1ull << 8 * size_bytes) - 1) : value; }

struct vm_error mmio_check(const struct mmio_region *r, guest_phys_addr at, unsigned size_bytes)
{
    if (!r) return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_phys_addr_to_guest_addr(at));
    uint64_t offset = at.v - r->base.v;
    if (!is_access_size(size_bytes) || size_bytes < r->min_access_bytes || size_bytes > r->max_access_bytes ||
        offset & (size_bytes - 1) || r->size_bytes - offset < size_bytes) {
        return vm_error_because(VM_MEMORY_ALIGNMENT, NULL);
    }
    return VM_SUCCESS;
}

struct vm_error mmio_access_at(struct mmio_region *r, uint64_t offset, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    struct vm_error e;
    uint64_t read = 0;
    spin_lock(&r->lock);
    if (how == ACCESS_READ) e = r->ops->read(r->dev, offset, size_bytes, &read);
    else e = r->ops->write(r->dev, offset, size_bytes, low_bytes(*value, size_bytes));
    spin_unlock(&r->lock);
    if (how == ACCESS_READ) *value = low_bytes(read, size_bytes);
    return e;
}

struct vm_error mmio_access_in(struct mmio_region *r, guest_phys_addr at, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    struct vm_error e = mmio_check(r, at, size_bytes);
    return vm_failed(e) ? e : mmio_access_at(r, at.v - r->base.v, size_bytes, how, value);
}

struct vm_error mmio_access(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    return mmio_access_in(mmio_find(bus, at), at, size_bytes, how, value);
}

bool mmio_read(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, uint64_t *out)
{
    return !vm_failed(mmio_access(bus, at, size_bytes, ACCESS_READ, out));
}

bool mmio_write(struct mmio_bus *bus, guest_phys_addr at, unsigned size_bytes, uint64_t value)
{
    return !vm_failed(mmio_access(bus, at, size_bytes, ACCESS_WRITE, &value));
}

void mmu_poll_devices(struct mmio_bus *bus, uint64_t now_ns)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct mmio_region *r = &bus->region[i];
        if (!r->ops->poll) continue;
        spin_lock(&r->lock);
        r->ops->poll(r->dev, now_ns);
        spin_unlock(&r->lock);
    }
}

void mmio_reset(struct mmio_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct mmio_region *r = &bus->region[i];
        if (!r->ops->reset) continue;
        spin_lock(&r->lock);
        r->ops->reset(r->dev);
        spin_unlock(&r->lock);
    }
}

void mmio_destroy(struct mmio_bus *bus)
{
    mmio_reset(bus);                             /* all fall silent before the first goes */
    for (unsigned i = bus->count; i-- > 0;) {    /* wires end in chips that came earlier */
        if (bus->region[i].ops->destroy) bus->region[i].ops->destroy(bus->region[i].dev);
    }
    mmio_init(bus);
}
