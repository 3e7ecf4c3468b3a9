// SPDX-License-Identifier: Apache-2.0
/* The virtio-mmio registers; see virtio_mmio.h. Runs under the bus's lock of the region, which keeps the driver's own
 * accesses in order; the device's state is guarded by the device's lock as everywhere. Virtio 1.2, sections 3.1, 4.2.2. */
#include "drivers/virt/virtio_mmio.h"
#include "hv/base/bits.h"

static struct virtq *selected(struct virtio_device *d)
{
    return d->queue_select < d->ops->queue_count ? &d->queue[d->queue_select] : NULL;
}

static uint32_t half(uint64_t word, uint32_t select) { return select > 1 ? 0 : (uint32_t)(word >> (32 * select)); }

static void set_low(uint64_t *word, uint32_t v)  { *word = (*word & ~0xffffffffull) | v; }
static void set_high(uint64_t *word, uint32_t v) { *word = (*word & 0xffffffffull) | (uint64_t)v << 32; }

/* ---- reading ---- */
static uint32_t read_register(struct virtio_device *d, uint64_t offset)
{
    const struct virtq *q = selected(d);
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:       return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION_NUMBER:    return VIRTIO_MMIO_VERSION;
    case VIRTIO_MMIO_DEVICE_ID:         return d->ops->device_id;
    case VIRTIO_MMIO_VENDOR_ID:         return VIRTIO_MMIO_VENDOR;
    case VIRTIO_MMIO_DEVICE_FEATURES:   return half(d->offered, d->device_features_select);
    case VIRTIO_MMIO_QUEUE_NUM_MAX:     return q ? VIRTQ_MAX_SIZE : 0;
    case VIRTIO_MMIO_QUEUE_READY:       return q && q->is_ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS:  return d->interrupt_status;
    case VIRTIO_MMIO_STATUS:            return d->status;
    case VIRTIO_MMIO_SHM_LEN_LOW:                              /* no shared memory: length and base are all ones */
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH:     return UINT32_MAX;
    case VIRTIO_MMIO_CONFIG_GENERATION: return d->config_generation;
    default:                            return 0;              /* write-only and absent ones */
    }
}

static uint64_t read_config(const struct virtio_device *d, uint64_t offset, unsigned size_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size_bytes; i++)
        if (offset + i < d->config_bytes) value |= (uint64_t)d->config[offset + i] << (8 * i);
    return value;
}

static struct vm_error read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    struct virtio_device *d = dev;
    *out = 0;
    spin_lock(&d->lock);
    if (offset >= VIRTIO_MMIO_CONFIG) *out = read_config(d, offset - VIRTIO_MMIO_CONFIG, size_bytes);
    else if (size_bytes == 4) *out = read_register(d, offset);
    spin_unlock(&d->lock);
    return VM_SUCCESS;
}

/* ---- writing ---- */
/* Lock held: what is in flight finds no queue to return to. */
static void stop_queues(struct virtio_device *d)
{
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) virtq_reset(&d->queue[i]);
}

/* No lock held. True: no thread serves the queues that were stopped, and nothing of them is in flight. The breather comes
 * last, since what is in flight may arm it. */
static bool drain(struct virtio_device *d)
{
    bool is_empty = !d->ops->drain || d->ops->drain(d);
    timer_cancel_sync(&d->breather);
    return is_empty;
}

static void notify_all(struct virtio_device *d)
{
    for (unsigned i = 0; i < d->ops->queue_count; i++) d->ops->notify(d, i);
}

static void reset(void *dev)
{
    struct virtio_device *d = dev;
    spin_lock(&d->lock);
    d->status = 0;
    stop_queues(d);
    spin_unlock(&d->lock);
    bool is_empty = drain(d);                                  /* from here on nothing of the device touches guest RAM */
    spin_lock(&d->lock);
    if (!is_empty) virtio_break(d, "what was in flight does not come back");    /* the next reset may have more luck */
    d->accepted = 0;
    d->interrupt_status = d->queue_select = d->device_features_select = d->driver_features_select = 0;
    if (d->ops->reset) d->ops->reset(d);
    irq_line_set(&d->irq, false);
    spin_unlock(&d->lock);
}

static void use_features(const struct virtio_device *d, struct virtq *q)
{
    q->has_indirect = d->accepted & VIRTIO_F_INDIRECT_DESC;
    q->has_event_idx = d->accepted & VIRTIO_F_EVENT_IDX;
}

static void negotiated(struct virtio_device *d)
{
    for (unsigned i = 0; i < d->ops->queue_count; i++) use_features(d, &d->queue[i]);
    if (d->ops->negotiated) d->ops->negotiated(d);
}

/* Lock held. True: the device just came alive. */
static bool set_status(struct virtio_device *d, uint32_t status)
{
    bool was_live = virtio_is_live(d), is_asking = status & ~d->status & VIRTIO_FEATURES_OK;
    status &= 0xff;
    if (is_asking && (d->accepted & ~d->offered || !(d->accepted & VIRTIO_F_VERSION_1))) {
        status &= ~VIRTIO_FEATURES_OK;                         /* 3.1.1 step 5: we cannot work with these */
        is_asking = false;
    }
    d->status = (status & ~VIRTIO_NEEDS_RESET) | (d->status & VIRTIO_NEEDS_RESET);
    if (is_asking) negotiated(d);
    return !was_live && virtio_is_live(d);
}

static void set_ready(struct virtio_device *d, struct virtq *q, bool is_ready)
{
    if (is_ready == q->is_ready) return;
    if (!is_ready) {
        virtq_stop(q);
        return;
    }
    use_features(d, q);
    if (!virtq_start(q)) virtio_break(d, q->broken);
}

/* Where a queue is may be said only while it is not in use. */
static void write_queue(struct virtq *q, uint64_t offset, uint32_t v)
{
    if (!q || q->is_ready) return;
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NUM:         q->size = v;                    break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:    set_low(&q->descriptors, v);    break;
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:   set_high(&q->descriptors, v);   break;
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW:  set_low(&q->driver, v);         break;
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH: set_high(&q->driver, v);        break;
    case VIRTIO_MMIO_QUEUE_DEVICE_LOW:  set_low(&q->device, v);         break;
    case VIRTIO_MMIO_QUEUE_DEVICE_HIGH: set_high(&q->device, v);        break;
    default:                                                            break;
    }
}

/* Lock held; what needs it released is told in the result. */
enum afterwards { AFTER_NOTHING, AFTER_NOTIFY, AFTER_NOTIFY_ALL, AFTER_DRAIN };
static enum afterwards write_register(struct virtio_device *d, uint64_t offset, uint32_t v)
{
    struct virtq *q = selected(d);
    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL: d->device_features_select = v; return AFTER_NOTHING;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL: d->driver_features_select = v; return AFTER_NOTHING;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        if (d->status & VIRTIO_FEATURES_OK) return AFTER_NOTHING;
        if (d->driver_features_select == 0) set_low(&d->accepted, v);
        if (d->driver_features_select == 1) set_high(&d->accepted, v);
        return AFTER_NOTHING;
    case VIRTIO_MMIO_QUEUE_SEL:           d->queue_select = v; return AFTER_NOTHING;
    case VIRTIO_MMIO_QUEUE_READY:
        if (!q) return AFTER_NOTHING;
        set_ready(d, q, v & 1);
        return q->is_ready ? AFTER_NOTHING : AFTER_DRAIN;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        return v < d->ops->queue_count && virtio_is_live(d) ? AFTER_NOTIFY : AFTER_NOTHING;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        d->interrupt_status &= ~v;
        irq_line_set(&d->irq, d->interrupt_status != 0);
        return AFTER_NOTHING;
    case VIRTIO_MMIO_STATUS:
        return set_status(d, v) ? AFTER_NOTIFY_ALL : AFTER_NOTHING;
    default:
        write_queue(q, offset, v);
        return AFTER_NOTHING;
    }
}

/* No lock held: a queue was stopped. */
static void after_stop(struct virtio_device *d)
{
    if (!drain(d)) {
        spin_lock(&d->lock);
        virtio_break(d, "what was in flight does not come back");
        spin_unlock(&d->lock);
    }
    notify_all(d);                                             /* the other queue may have been about to breathe */
}

static struct vm_error write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    struct virtio_device *d = dev;
    if (offset >= VIRTIO_MMIO_CONFIG) {
        offset -= VIRTIO_MMIO_CONFIG;
        if (!d->ops->config_write || offset + size_bytes > d->config_bytes) return VM_SUCCESS;
        spin_lock(&d->lock);
        d->ops->config_write(d, (unsigned)offset, size_bytes, value);
        spin_unlock(&d->lock);
        return VM_SUCCESS;
    }
    if (size_bytes != 4) return VM_SUCCESS;
    if (offset == VIRTIO_MMIO_STATUS && !(value & 0xff)) {
        reset(d);
        return VM_SUCCESS;
    }
    spin_lock(&d->lock);
    enum afterwards then = write_register(d, offset, (uint32_t)value);
    spin_unlock(&d->lock);
    switch (then) {
    case AFTER_NOTHING:
        break;
    case AFTER_NOTIFY:
        d->ops->notify(d, (unsigned)value);
        break;
    case AFTER_NOTIFY_ALL:                                     /* buffers may lie there since before DRIVER_OK */
        notify_all(d);
        break;
    case AFTER_DRAIN:
        after_stop(d);
        break;
    }
    return VM_SUCCESS;
}

static void destroy(void *dev)
{
    struct virtio_device *d = dev;
    reset(d);
    while (!drain(d)) {}                                       /* its memory cannot go before (block.h: every request ends) */
    d->ops->destroy(d);
}

static const struct mmio_ops device_ops = { .name = "virtio-mmio", .read = read, .write = write, .reset = reset, .destroy = destroy };

void virtio_mmio_region(struct virtio_device *d, const struct virtio_slot *s, struct mmio_region *out)
{
    *out = (struct mmio_region){ .base = s->base, .size_bytes = VIRTIO_SLOT_BYTES, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &device_ops, .dev = d };
}

/* ---- a slot without a device (4.2.2.1: DeviceID 0) ---- */
static struct vm_error read_empty(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    static const uint32_t identity[] = { VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_VERSION, 0, VIRTIO_MMIO_VENDOR };
    (void)dev;
    *out = size_bytes == 4 && offset / 4 < ARRAY_COUNT(identity) ? identity[offset / 4] : 0;
    return VM_SUCCESS;
}

static struct vm_error write_empty(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)dev, (void)offset, (void)size_bytes, (void)value;
    return VM_SUCCESS;
}

static const struct mmio_ops empty_ops = { .name = "virtio-mmio (empty)", .read = read_empty, .write = write_empty };

void virtio_mmio_empty(const struct virtio_slot *s, struct mmio_region *out)
{
    *out = (struct mmio_region){ .base = s->base, .size_bytes = VIRTIO_SLOT_BYTES, .min_access_bytes = 1, .max_access_bytes = 8,
                                 .ops = &empty_ops };
}
