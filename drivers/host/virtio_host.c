// SPDX-License-Identifier: Apache-2.0
/* What both transports of the machine's virtio devices share; see virtio_host.h. */
#include "drivers/host/virtio_host.h"

#define RESET_NS 1000000000ull

bool virtio_host_reset(struct virtio_host *v)
{
    v->ops->set_status(v, 0);
    for (uint64_t end_ns = arch_time_ns() + RESET_NS; v->ops->status(v);) {
        if (arch_time_ns() > end_ns) return false;
        arch_cpu_relax();
    }
    return true;
}

/* 3.1.1 */
bool virtio_host_start(struct virtio_host *v, uint64_t wanted, uint64_t *features)
{
    uint8_t status = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER;
    if (!virtio_host_reset(v)) return false;
    v->ops->set_status(v, VIRTIO_ACKNOWLEDGE);
    v->ops->set_status(v, status);
    uint64_t offered = v->ops->features(v, 0) | (uint64_t)v->ops->features(v, 1) << 32;
    *features = offered & (wanted | VIRTIO_F_VERSION_1);
    v->ops->accept(v, 0, (uint32_t)*features);
    v->ops->accept(v, 1, (uint32_t)(*features >> 32));
    v->ops->set_status(v, status |= VIRTIO_FEATURES_OK);
    if (v->ops->status(v) & VIRTIO_FEATURES_OK && *features & VIRTIO_F_VERSION_1) return true;
    v->ops->set_status(v, VIRTIO_FAILED);
    virtio_host_reset(v);
    return false;
}

uint64_t virtio_host_config(struct virtio_host *v, unsigned offset, unsigned bytes)
{
    uint64_t value = 0;
    if (offset + bytes > v->config_bytes) return 0;
    for (unsigned tries = 0; tries < 10; tries++) {
        uint8_t before = v->ops->generation(v);
        if (bytes == 8) value = register_get(&v->config, offset, 4) | (uint64_t)register_get(&v->config, offset + 4, 4) << 32;
        else value = register_get(&v->config, offset, bytes);
        if (v->ops->generation(v) == before) break;
    }
    return value;
}

void virtio_host_interrupt(void *arg)
{
    struct virtio_host *v = arg;
    v->ops->quiet(v);
    __atomic_store_n(&v->has_news, 1, __ATOMIC_RELEASE);          /* pairs with the acquire in the driver */
}
