// SPDX-License-Identifier: Apache-2.0
/* Finds the disks among the devices of the machine, starts their drivers, and makes them the host's disks: PCI first, by
 * bus, slot and function, then virtio-mmio by address; entropy devices become sources. Boot core, before the others start. */
#include "boot/boot_info.h"
#include "drivers/host/virtio_blk_host.h"
#include "drivers/host/virtio_rng_host.h"
#include "hv/core/log.h"
#include "hv/vm/hostdisk.h"

static void use_device(const struct virtio_host *v)
{
    struct block *disk;
    if (v->id == VIRTIO_ID_ENTROPY) {
        struct vm_error e = virtio_rng_host_create(v);
        if (vm_failed(e)) log_error("host entropy %s: %s", v->name, e.reason);
        return;
    }
    if (v->id != VIRTIO_ID_BLOCK) return;
    struct vm_error e = virtio_blk_host_create(v, VIRTIO_BLK_TIMEOUT_NS, &disk);
    if (vm_failed(e)) log_error("host disk %s: %s", v->name, e.reason);
    else host_disk_add(disk, v->name);
}

static void found_function(void *ctx, const struct pci_device *d)
{
    struct virtio_host v;
    const char *why;
    (void)ctx;
    if (virtio_pci_open(d, &v, &why)) use_device(&v);
    else if (why) log_error("host device %s: %s", v.name, why);
}

static void look_at_slot(const struct mmio_slot *s)
{
    struct virtio_host v;
    const char *why;
    void *at = arch_map_device(s->base, s->size_bytes);
    const struct registers r = { &REGISTERS_IN_MEMORY, NULL, (uintptr_t)at };
    if (!at) return;
    if (virtio_mmio_open(&r, &s->line, &v, &why)) use_device(&v);
    else if (why) log_error("host device %s: %s", v.name, why);
}

/* Firmware's tables name them in any order. */
static void sort_slots(struct host_buses *b)
{
    for (unsigned i = 1; i < b->mmio_count; i++) {
        struct mmio_slot s = b->mmio[i];
        unsigned k = i;
        for (; k && b->mmio[k - 1].base > s.base; k--) b->mmio[k] = b->mmio[k - 1];
        b->mmio[k] = s;
    }
}

void host_disks_start(struct host_buses *buses)
{
    if (!buses) return;
    sort_slots(buses);
    if (pci_open(&buses->pci)) pci_scan(&buses->pci, found_function, NULL);
    for (unsigned i = 0; i < buses->mmio_count; i++) look_at_slot(&buses->mmio[i]);
}
