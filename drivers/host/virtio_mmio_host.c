// SPDX-License-Identifier: Apache-2.0
/* virtio over MMIO, version 2 (4.2.2). An empty slot says device 0. The interrupt reads and acknowledges the cause. */
#include "drivers/host/virtio_host.h"
#include "hv/base/fmt.h"

enum { MAGIC = 0x000, VERSION = 0x004, DEVICE_ID = 0x008, FEATURES = 0x010, FEATURES_SELECT = 0x014, ACCEPT = 0x020, ACCEPT_SELECT = 0x024,
       QUEUE_SELECT = 0x030, QUEUE_MAX = 0x034, QUEUE_SIZE = 0x038, QUEUE_READY = 0x044, QUEUE_NOTIFY = 0x050, INTERRUPT_STATUS = 0x060,
       INTERRUPT_ACK = 0x064, STATUS = 0x070, QUEUE_DESCRIPTORS = 0x080, QUEUE_DRIVER = 0x090, QUEUE_DEVICE = 0x0a0, GENERATION = 0x0fc,
       CONFIG = 0x100, CONFIG_BYTES = 0x100 };
#define MAGIC_VALUE 0x74726976u

static uint32_t get(struct virtio_host *v, unsigned offset)              { return register_get(&v->common, offset, 4); }
static void     put(struct virtio_host *v, unsigned offset, uint32_t x)  { register_put(&v->common, offset, 4, x); }

static uint8_t  status(struct virtio_host *v)                { return (uint8_t)get(v, STATUS); }
static void     set_status(struct virtio_host *v, uint8_t s) { put(v, STATUS, s); }
static uint8_t  generation(struct virtio_host *v)            { return (uint8_t)get(v, GENERATION); }
static void     notify(struct virtio_host *v, unsigned q)    { put(v, QUEUE_NOTIFY, q); }
static void     quiet(struct virtio_host *v)                 { put(v, INTERRUPT_ACK, get(v, INTERRUPT_STATUS)); }

static uint32_t features(struct virtio_host *v, unsigned half)
{
    put(v, FEATURES_SELECT, half);
    return get(v, FEATURES);
}

static void accept(struct virtio_host *v, unsigned half, uint32_t f)
{
    put(v, ACCEPT_SELECT, half);
    put(v, ACCEPT, f);
}

static uint32_t queue_max(struct virtio_host *v, unsigned queue)
{
    put(v, QUEUE_SELECT, queue);
    return get(v, QUEUE_READY) ? 0 : get(v, QUEUE_MAX);
}

static void put64(struct virtio_host *v, unsigned offset, uint64_t x)
{
    put(v, offset, (uint32_t)x);
    put(v, offset + 4, (uint32_t)(x >> 32));
}

static bool queue_start(struct virtio_host *v, unsigned queue, uint16_t size, uint64_t descriptors, uint64_t driver, uint64_t device)
{
    put(v, QUEUE_SELECT, queue);
    put(v, QUEUE_SIZE, size);
    put64(v, QUEUE_DESCRIPTORS, descriptors);
    put64(v, QUEUE_DRIVER, driver);
    put64(v, QUEUE_DEVICE, device);
    put(v, QUEUE_READY, 1);
    return get(v, QUEUE_READY) & 1;
}

static bool connect(struct virtio_host *v)
{
    return v->has_irq = v->line.number && arch_irq_connect(&v->line, virtio_host_interrupt, v);
}

static void stop_dma(struct virtio_host *v)
{
    put(v, QUEUE_SELECT, 0);
    put(v, QUEUE_READY, 0);
}

static const struct virtio_host_ops MMIO_OPS = {
    .name = "virtio-mmio", .status = status, .set_status = set_status, .features = features, .accept = accept, .queue_max = queue_max,
    .queue_start = queue_start, .notify = notify, .generation = generation, .quiet = quiet, .connect = connect, .stop_dma = stop_dma,
};

bool virtio_mmio_open(const struct registers *at, const struct arch_line *line, struct virtio_host *v, const char **why)
{
    *why = NULL;
    *v = (struct virtio_host){ .ops = &MMIO_OPS, .common = *at, .config = *at, .config_bytes = CONFIG_BYTES, .line = *line };
    v->config.base += CONFIG;
    hv_snprintf(v->name, sizeof v->name, "virtio-mmio 0x%lx", (unsigned long)at->base);
    if (get(v, MAGIC) != MAGIC_VALUE) return false;
    uint32_t version = get(v, VERSION);
    v->id = get(v, DEVICE_ID);
    if (v->id != VIRTIO_ID_BLOCK && v->id != VIRTIO_ID_ENTROPY) return false;
    if (version == 2) return true;
    if (version == 1) *why = "a legacy device (version 0.9): start QEMU with -global virtio-mmio.force-legacy=false";
    return false;
}
