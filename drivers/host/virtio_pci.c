// SPDX-License-Identifier: Apache-2.0
/* virtio over PCI, version 1 (4.1): the capabilities that say where the registers are, each checked against its BAR.
 * Interrupts by MSI-X where the host takes messages (x86: no routing to know, no line to drop), by INTx where a device
 * tree tells the line (AArch64), else none: then the driver polls. */
#include "drivers/host/virtio_host.h"
#include "hv/base/fmt.h"

enum { VENDOR_VIRTIO = 0x1af4, DEVICE_MODERN = 0x1040, DEVICE_BLOCK_TRANSITIONAL = 0x1001, DEVICE_ENTROPY_TRANSITIONAL = 0x1005, CAP_VENDOR = 0x09 };
enum { CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_MULTIPLIER = 16 };
enum { TYPE_COMMON = 1, TYPE_NOTIFY = 2, TYPE_ISR = 3, TYPE_DEVICE = 4 };
/* 4.1.4.3 */
enum { FEATURE_SELECT = 0x00, FEATURE = 0x04, ACCEPT_SELECT = 0x08, ACCEPT = 0x0c, MSIX_CONFIG = 0x10, STATUS = 0x14, GENERATION = 0x15,
       QUEUE_SELECT = 0x16, QUEUE_SIZE = 0x18, QUEUE_MSIX = 0x1a, QUEUE_ENABLE = 0x1c, QUEUE_NOTIFY = 0x1e, QUEUE_DESCRIPTORS = 0x20,
       QUEUE_DRIVER = 0x28, QUEUE_DEVICE = 0x30, COMMON_BYTES = 0x38 };
enum { NO_VECTOR = 0xffff };

static uint8_t  status(struct virtio_host *v)                    { return (uint8_t)register_get(&v->common, STATUS, 1); }
static void     set_status(struct virtio_host *v, uint8_t s)     { register_put(&v->common, STATUS, 1, s); }
static uint8_t  generation(struct virtio_host *v)                { return (uint8_t)register_get(&v->common, GENERATION, 1); }
static void     quiet(struct virtio_host *v)                     { (void)register_get(&v->isr, 0, 1); }   /* reading clears */
static void     quiet_message(struct virtio_host *v)             { (void)v; }
static void     stop_dma(struct virtio_host *v)                  { pci_stop(&v->pci); }

static uint32_t features(struct virtio_host *v, unsigned half)
{
    register_put(&v->common, FEATURE_SELECT, 4, half);
    return register_get(&v->common, FEATURE, 4);
}

static void accept(struct virtio_host *v, unsigned half, uint32_t f)
{
    register_put(&v->common, ACCEPT_SELECT, 4, half);
    register_put(&v->common, ACCEPT, 4, f);
}

static uint32_t queue_max(struct virtio_host *v, unsigned queue)
{
    register_put(&v->common, QUEUE_SELECT, 2, queue);
    return register_get(&v->common, QUEUE_SIZE, 2);
}

static void put64(struct virtio_host *v, unsigned offset, uint64_t value)
{
    register_put(&v->common, offset, 4, (uint32_t)value);
    register_put(&v->common, offset + 4, 4, (uint32_t)(value >> 32));
}

static bool queue_start(struct virtio_host *v, unsigned queue, uint16_t size, uint64_t descriptors, uint64_t driver, uint64_t device)
{
    register_put(&v->common, QUEUE_SELECT, 2, queue);
    register_put(&v->common, QUEUE_SIZE, 2, size);
    uint64_t offset = (uint64_t)register_get(&v->common, QUEUE_NOTIFY, 2) * v->notify_multiplier;
    if (v->notify_bytes < 2 || offset > v->notify_bytes - 2) return false;
    v->notify_offset = (uint32_t)offset;
    uint32_t vector = v->has_irq && v->ops->quiet == quiet_message ? 0 : NO_VECTOR;
    register_put(&v->common, MSIX_CONFIG, 2, NO_VECTOR);
    register_put(&v->common, QUEUE_MSIX, 2, vector);
    if (vector != NO_VECTOR && register_get(&v->common, QUEUE_MSIX, 2) != vector) return false;
    put64(v, QUEUE_DESCRIPTORS, descriptors);
    put64(v, QUEUE_DRIVER, driver);
    put64(v, QUEUE_DEVICE, device);
    register_put(&v->common, QUEUE_ENABLE, 2, 1);
    return true;
}

static void notify(struct virtio_host *v, unsigned queue) { register_put(&v->notifier, v->notify_offset, 2, queue); }

static bool connect(struct virtio_host *v);
static const struct virtio_host_ops PCI_OPS = {
    .name = "virtio-pci", .status = status, .set_status = set_status, .features = features, .accept = accept, .queue_max = queue_max,
    .queue_start = queue_start, .notify = notify, .generation = generation, .quiet = quiet, .connect = connect, .stop_dma = stop_dma,
};
static const struct virtio_host_ops PCI_MESSAGE_OPS = {
    .name = "virtio-pci", .status = status, .set_status = set_status, .features = features, .accept = accept, .queue_max = queue_max,
    .queue_start = queue_start, .notify = notify, .generation = generation, .quiet = quiet_message, .connect = connect, .stop_dma = stop_dma,
};

static bool connect(struct virtio_host *v)
{
    struct arch_line line;
    if (pci_msix_connect(&v->pci, virtio_host_interrupt, v)) {
        v->ops = &PCI_MESSAGE_OPS;
        v->has_irq = true;
    } else if (pci_line(&v->pci, &line)) {
        v->has_irq = arch_irq_connect(&line, virtio_host_interrupt, v);
    }
    return v->has_irq;
}

/* The first capability of each type counts whose range lies in a BAR. */
static bool read_capability(struct virtio_host *v, unsigned type, struct registers *out, uint32_t least_bytes, uint32_t *length, unsigned *found_at)
{
    const struct pci_device *d = &v->pci;
    for (unsigned at = 0, count = 0; (at = pci_capability(d, CAP_VENDOR, at)) && count < 32; count++) {
        uint32_t bar = pci_get(d, at + CAP_BAR, 1), offset = pci_get(d, at + CAP_OFFSET, 4), size = pci_get(d, at + CAP_LENGTH, 4);
        if (pci_get(d, at + CAP_TYPE, 1) != type || bar >= PCI_BARS || size < least_bytes) continue;
        if (offset > d->bar_bytes[bar] || size > d->bar_bytes[bar] - offset) continue;
        void *mapped = arch_map_device(d->bar[bar] + offset, size);
        if (!mapped) continue;
        *out = (struct registers){ &REGISTERS_IN_MEMORY, NULL, (uintptr_t)mapped };
        *length = size;
        if (found_at) *found_at = at;
        return true;
    }
    return false;
}

bool virtio_pci_open(const struct pci_device *d, struct virtio_host *v, const char **why)
{
    uint32_t length;
    unsigned notify_at;
    *why = NULL;
    if (d->vendor != VENDOR_VIRTIO || (d->device < DEVICE_MODERN && d->device != DEVICE_BLOCK_TRANSITIONAL && d->device != DEVICE_ENTROPY_TRANSITIONAL)) return false;
    *v = (struct virtio_host){ .ops = &PCI_OPS, .pci = *d };
    v->id = d->device == DEVICE_BLOCK_TRANSITIONAL ? VIRTIO_ID_BLOCK : d->device == DEVICE_ENTROPY_TRANSITIONAL ? VIRTIO_ID_ENTROPY
                                                                     : d->device - DEVICE_MODERN;
    hv_snprintf(v->name, sizeof v->name, "virtio-pci %02x:%02x.%x", d->bus, d->slot, d->function);
    if (v->id != VIRTIO_ID_BLOCK && v->id != VIRTIO_ID_ENTROPY) return false;
    if (!pci_place(&v->pci)) {
        *why = "no room for its registers";
        return false;
    }
    if (!read_capability(v, TYPE_COMMON, &v->common, COMMON_BYTES, &length, NULL) || !read_capability(v, TYPE_ISR, &v->isr, 1, &length, NULL) ||
        !read_capability(v, TYPE_NOTIFY, &v->notifier, 2, &v->notify_bytes, &notify_at) ||
        !read_capability(v, TYPE_DEVICE, &v->config, 8, &v->config_bytes, NULL)) {
        *why = "a legacy device (version 0.9), or its capabilities lie: give it disable-legacy=on,disable-modern=off";
        return false;
    }
    v->notify_multiplier = pci_get(&v->pci, notify_at + CAP_MULTIPLIER, 4);
    return true;
}
