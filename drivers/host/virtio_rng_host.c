// SPDX-License-Identifier: Apache-2.0
/* The machine's virtio entropy device; see virtio_rng_host.h. One buffer is always with the device, so that its bytes are
 * there when they are asked for; only the first time it is waited for. No interrupt. The page is shared with the device:
 * what it writes is read once and checked. */
#include "drivers/host/virtio_rng_host.h"
#include "hv/base/string.h"
#include "hv/core/entropy.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"

#define QUEUE_SIZE_MOST 4u
#define BUFFER_BYTES    256u
#define FIRST_WAIT_NS   100000000ull
#define WAIT_NS         2000000ull
enum { DESCRIPTOR_WRITE = 2, NO_INTERRUPT = 1 };

/* 2.7, with room for the largest queue that we start. */
struct shared {
    struct { uint64_t address; uint32_t length; uint16_t flags, next; } descriptor[QUEUE_SIZE_MOST];
    struct { uint16_t flags, index, ring[QUEUE_SIZE_MOST], event; } driver;
    struct { uint16_t flags, index; struct { uint32_t id, length; } ring[QUEUE_SIZE_MOST]; uint16_t event; } device ALIGNED(4);
    uint8_t buffer[BUFFER_BYTES];
};
_Static_assert(sizeof(struct shared) <= HV_PAGE_BYTES && offsetof(struct shared, driver) == 16 * QUEUE_SIZE_MOST, "2.7: one page, in order");

struct rng {
    struct virtio_host device;
    struct shared *shared;
    uint16_t size, index;
    bool     is_broken, has_answered;
};

static void post(struct rng *r)
{
    r->shared->driver.ring[r->index & (r->size - 1)] = 0;
    arch_dma_barrier();                                   /* 2.7.13.2: the entry before its index */
    *(volatile uint16_t *)&r->shared->driver.index = ++r->index;
    arch_dma_barrier();                                   /* and that before the bell */
    r->device.ops->notify(&r->device, 0);
}

/* How many bytes are in the buffer now; 0: none yet. */
static size_t answered(struct rng *r, uint64_t end_ns)
{
    volatile const uint16_t *index = &r->shared->device.index;
    while (*index != r->index) {
        if (arch_time_ns() > end_ns) return 0;
        arch_cpu_relax();
    }
    arch_dma_barrier();                                   /* the index before what it promises */
    unsigned at = (uint16_t)(r->index - 1) & (r->size - 1);
    uint32_t id = *(volatile uint32_t *)&r->shared->device.ring[at].id, length = *(volatile uint32_t *)&r->shared->device.ring[at].length;
    r->is_broken = id != 0 || length == 0 || length > BUFFER_BYTES;
    return r->is_broken ? 0 : length;
}

static bool fill(void *ctx, void *out, size_t size_bytes)
{
    struct rng *r = ctx;
    uint8_t *to = out;
    uint64_t end_ns = arch_time_ns() + (r->has_answered ? WAIT_NS : FIRST_WAIT_NS);
    while (size_bytes) {
        size_t n = r->is_broken ? 0 : answered(r, end_ns);
        if (!n) return false;
        if (n > size_bytes) n = size_bytes;
        memcpy(to, r->shared->buffer, n);
        memset(r->shared->buffer, 0, sizeof r->shared->buffer);
        r->has_answered = true;
        to += n;
        size_bytes -= n;
        post(r);
    }
    return true;
}

static const char *start(struct rng *r)
{
    uint64_t features;
    struct virtio_host *v = &r->device;
    if (!virtio_host_start(v, 0, &features)) return "it does not accept what we can";
    uint32_t most = v->ops->queue_max(v, 0);
    for (r->size = QUEUE_SIZE_MOST; r->size > most; r->size /= 2) {}
    struct shared *s = r->shared;
    if (!r->size) return "it has no queue";
    s->descriptor[0].address = (uint64_t)(uintptr_t)s->buffer;
    s->descriptor[0].length = BUFFER_BYTES;
    s->descriptor[0].flags = DESCRIPTOR_WRITE;
    s->driver.flags = NO_INTERRUPT;
    if (!v->ops->queue_start(v, 0, r->size, (uint64_t)(uintptr_t)s->descriptor, (uint64_t)(uintptr_t)&s->driver, (uint64_t)(uintptr_t)&s->device)) {
        return "its queue does not start";
    }
    v->ops->set_status(v, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    post(r);
    return NULL;
}

struct vm_error virtio_rng_host_create(const struct virtio_host *device)
{
    struct rng *r = heap_alloc(sizeof *r);
    struct shared *s = page_alloc(1, 1);
    const char *why = NULL;
    if (r && s) {
        memset(s, 0, HV_PAGE_BYTES);
        *r = (struct rng){ .device = *device, .shared = s };
        why = start(r);
        if (!why && !entropy_source("virtio-rng", fill, r)) why = "there are too many";
        if (!why) return VM_SUCCESS;
        if (!virtio_host_reset(&r->device)) r->device.ops->stop_dma(&r->device);
    }
    heap_free(r);
    if (s) page_free(s, 1);
    return why ? vm_error_because(VM_DEVICE_INIT_FAILED, why) : vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for its driver");
}
