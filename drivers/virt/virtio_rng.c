// SPDX-License-Identifier: Apache-2.0
/* virtio-rng: fills what the driver offers, at most so much a request, inside the notification. Everything belongs to
 * the device's lock. Virtio 1.2, section 5.4. */
#include "drivers/virt/virtio_rng.h"
#include "drivers/virt/virtio_mmio.h"
#include "hv/core/heap.h"

#define DEVICE_ID     4
#define REQUEST_BYTES 4096u                /* of a longer buffer only so much is filled; the driver asks again */
#define BATCH_BYTES   64u
#define DRY_NS        10000000ull          /* the host's source is dry: so long until the next try */

struct virtio_rng {
    struct virtio_device device;
    bool               (*random)(void *out, size_t size_bytes);
    struct virtq_chain   chain;
};

static struct virtio_rng *rng_of(struct virtio_device *d) { return CONTAINER_OF(d, struct virtio_rng, device); }

/* How many bytes were filled; fewer than wanted when the host's source runs dry. */
static uint32_t fill(struct virtio_rng *r)
{
    uint8_t bytes[BATCH_BYTES];
    uint32_t want = r->chain.writable_bytes < REQUEST_BYTES ? r->chain.writable_bytes : REQUEST_BYTES, done = 0;
    while (done < want) {
        uint32_t n = want - done < BATCH_BYTES ? want - done : BATCH_BYTES;
        if (!r->random(bytes, n) || !virtq_chain_write(r->device.gmem, &r->chain, done, bytes, n)) break;
        done += n;
    }
    return done;
}

static void notify(struct virtio_device *d, unsigned queue)
{
    struct virtio_rng *r = rng_of(d);
    spin_lock(&d->lock);
    unsigned budget = VIRTIO_NOTIFY_CHAINS;
    while (budget && virtio_pop(d, queue, &r->chain) == VIRTQ_CHAIN) {
        uint32_t n = fill(r);
        if (!n && r->chain.writable_bytes) {                   /* 5.4.6.2: a buffer comes back with a byte at least */
            virtq_unpop(&d->queue[queue]);
            virtio_breathe(d, DRY_NS);
            break;
        }
        virtio_push(d, queue, r->chain.head, n);
        budget--;
    }
    if (!budget) virtio_breathe(d, VIRTIO_BREATH_NS);
    virtio_interrupt(d, queue);
    spin_unlock(&d->lock);
}

static void destroy(struct virtio_device *d) { heap_free(rng_of(d)); }

static const struct virtio_ops rng_ops = { .name = "rng", .device_id = DEVICE_ID, .queue_count = 1, .notify = notify, .destroy = destroy };

struct vm_error virtio_rng_create(const struct virtio_slot *s, bool (*random)(void *out, size_t size_bytes), struct mmio_region *out)
{
    uint64_t probe;
    if (!random || !random(&probe, sizeof probe)) return vm_error_because(VM_DEVICE_INIT_FAILED, "the host has no entropy");
    struct virtio_rng *r = heap_alloc(sizeof *r);
    if (!r) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for virtio rng");
    virtio_init(&r->device, &rng_ops, s, 0);
    r->random = random;
    virtio_mmio_region(&r->device, s, out);
    return VM_SUCCESS;
}
