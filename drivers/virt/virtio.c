// SPDX-License-Identifier: Apache-2.0
/* What all virtio devices share, whatever carries them; see virtio.h. Called with the device's lock held. */
#include "drivers/virt/virtio.h"

static void breathed(void *arg)
{
    struct virtio_device *d = arg;
    for (unsigned i = 0; i < d->ops->queue_count; i++) d->ops->notify(d, i);      /* a device that is not live pops nothing */
}

void virtio_breathe(struct virtio_device *d, uint64_t after_ns) { timer_arm(&d->breather, arch_time_ns() + after_ns); }

void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, const struct virtio_slot *s, uint64_t features)
{
    d->ops = ops;
    d->gmem = s->gmem;
    d->irq = s->irq;
    d->offered = features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX;
    timer_init(&d->breather, breathed, d);
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) d->queue[i].gmem = s->gmem;
}

bool virtio_is_live(const struct virtio_device *d)
{
    const uint32_t need = VIRTIO_DRIVER_OK | VIRTIO_FEATURES_OK;
    return (d->status & (need | VIRTIO_NEEDS_RESET)) == need;
}

static void interrupt(struct virtio_device *d, uint32_t why)
{
    d->interrupt_status |= why;
    irq_line_set(&d->irq, true);
}

void virtio_config_changed(struct virtio_device *d)
{
    d->config_generation++;
    if (d->status & VIRTIO_DRIVER_OK) interrupt(d, VIRTIO_INTERRUPT_CONFIG);
}

void virtio_break(struct virtio_device *d, const char *why)
{
    if (d->status & VIRTIO_NEEDS_RESET) return;
    if (log_allowed(&d->log, 4)) log_notice("virtio %s needs a reset: %s", d->ops->name, why);
    d->status |= VIRTIO_NEEDS_RESET;
    if (d->status & VIRTIO_DRIVER_OK) interrupt(d, VIRTIO_INTERRUPT_CONFIG);      /* 2.1.2 */
}

enum virtq_pop virtio_pop(struct virtio_device *d, unsigned queue, struct virtq_chain *out)
{
    if (!virtio_is_live(d)) return VIRTQ_EMPTY;
    enum virtq_pop p = virtq_pop(&d->queue[queue], out);
    if (p == VIRTQ_BROKEN) virtio_break(d, d->queue[queue].broken);
    return p;
}

void virtio_push(struct virtio_device *d, unsigned queue, uint16_t head, uint32_t written_bytes)
{
    if (!virtio_is_live(d)) return;                            /* a broken device is dead, all of it */
    virtq_push(&d->queue[queue], head, written_bytes);
    if (d->queue[queue].broken) virtio_break(d, d->queue[queue].broken);
}

void virtio_interrupt(struct virtio_device *d, unsigned queue)
{
    if (virtq_wants_interrupt(&d->queue[queue])) interrupt(d, VIRTIO_INTERRUPT_USED);
}
