// SPDX-License-Identifier: Apache-2.0
/* virtio-console with one port: queue 0 receives, queue 1 sends. What comes from the host waits in a small ring until the
 * driver offers buffers. Sending copies to a private buffer and calls out with no lock held; one thread at a time does it
 * (is_sending), TURN_BYTES of it before others have a turn. All else belongs to the device's lock. Virtio 1.2, section 5.3. */
#include "drivers/virt/virtio_console.h"
#include "drivers/virt/virtio_mmio.h"
#include "hv/core/heap.h"

#define DEVICE_ID      3
#define QUEUE_RECEIVE  0u
#define QUEUE_TRANSMIT 1u
#define F_EMERG_WRITE  (1ull << 2)
#define INPUT_BYTES    256u                /* a power of two */
#define SEND_BYTES     256u
#define TURN_BYTES     65536u

/* 5.3.4 */
enum { CONFIG_MAX_PORTS = 4, CONFIG_EMERG_WRITE = 8, CONFIG_BYTES = 12 };

struct virtio_console {
    struct virtio_device device;
    void                *ctx;
    void               (*write)(void *ctx, const char *text, size_t length);
    struct virtq_chain   receive, transmit;        /* under parse; transmit is the sender's */
    bool                 is_sending, has_transmit;
    uint32_t             sent_bytes, transmit_epoch;       /* of transmit, while has_transmit */
    uint32_t             input_from, input_to;     /* free-running */
    char                 input[INPUT_BYTES];
};

static struct virtio_console *console_of(struct virtio_device *d) { return CONTAINER_OF(d, struct virtio_console, device); }

/* ---- host to guest; lock held ---- */
static void deliver(struct virtio_console *c)
{
    while (c->input_from != c->input_to && virtio_pop(&c->device, QUEUE_RECEIVE, &c->receive) == VIRTQ_CHAIN) {
        char text[INPUT_BYTES];
        uint32_t n = 0;
        while (n < c->receive.writable_bytes && c->input_from + n != c->input_to) {
            text[n] = c->input[(c->input_from + n) % INPUT_BYTES];
            n++;
        }
        if (!n) {
            virtio_break(&c->device, "receive buffer that cannot be written");
            break;
        }
        if (!virtq_chain_write(c->device.gmem, &c->receive, 0, text, n)) n = 0;
        c->input_from += n;
        virtio_push(&c->device, QUEUE_RECEIVE, c->receive.head, n);
    }
    virtio_interrupt(&c->device, QUEUE_RECEIVE);
}

static uint32_t room(const struct virtio_console *c) { return INPUT_BYTES - (c->input_to - c->input_from); }

size_t virtio_console_input(void *console, const char *text, size_t length)
{
    struct virtio_console *c = console;
    size_t n = 0;
    spin_lock(&c->device.lock);
    for (; n < length && room(c); n++) c->input[c->input_to++ % INPUT_BYTES] = text[n];
    deliver(c);
    spin_unlock(&c->device.lock);
    return n;
}

size_t virtio_console_room(void *console)
{
    struct virtio_console *c = console;
    spin_lock(&c->device.lock);
    size_t n = room(c);
    spin_unlock(&c->device.lock);
    return n;
}

/* ---- guest to host ---- */
/* Lock held: a chain to send, the one begun or a new one. */
static bool take(struct virtio_console *c)
{
    struct virtq *q = &c->device.queue[QUEUE_TRANSMIT];
    if (c->has_transmit && c->transmit_epoch == q->epoch && virtio_is_live(&c->device)) return true;
    c->has_transmit = virtio_pop(&c->device, QUEUE_TRANSMIT, &c->transmit) == VIRTQ_CHAIN;
    c->transmit_epoch = q->epoch;
    c->sent_bytes = 0;
    return c->has_transmit;
}

/* No lock held, the chain is ours. True: all of it is out. */
static bool send_some(struct virtio_console *c, uint32_t *turn_bytes)
{
    char text[SEND_BYTES];
    while (*turn_bytes && c->sent_bytes < c->transmit.readable_bytes) {
        uint32_t n = c->transmit.readable_bytes - c->sent_bytes;
        if (n > SEND_BYTES) n = SEND_BYTES;
        if (n > *turn_bytes) n = *turn_bytes;
        if (!virtq_chain_read(c->device.gmem, &c->transmit, c->sent_bytes, text, n)) return true;
        c->write(c->ctx, text, n);
        c->sent_bytes += n;
        *turn_bytes -= n;
    }
    return c->sent_bytes == c->transmit.readable_bytes;
}

static void send(struct virtio_console *c)
{
    struct virtio_device *d = &c->device;
    spin_lock(&d->lock);
    if (!c->is_sending) {
        c->is_sending = true;
        unsigned chains = VIRTIO_NOTIFY_CHAINS;
        uint32_t turn_bytes = TURN_BYTES;
        while (chains && turn_bytes && take(c)) {
            chains--;
            spin_unlock(&d->lock);
            bool is_out = send_some(c, &turn_bytes);
            spin_lock(&d->lock);
            if (!is_out || c->transmit_epoch != d->queue[QUEUE_TRANSMIT].epoch) continue;
            virtio_push(d, QUEUE_TRANSMIT, c->transmit.head, 0);
            c->has_transmit = false;
        }
        if (!chains || !turn_bytes) virtio_breathe(d, VIRTIO_BREATH_NS);
        c->is_sending = false;
        virtio_interrupt(d, QUEUE_TRANSMIT);
    }
    spin_unlock(&d->lock);
}

static void notify(struct virtio_device *d, unsigned queue)
{
    struct virtio_console *c = console_of(d);
    if (queue == QUEUE_TRANSMIT) {
        send(c);
        return;
    }
    spin_lock(&d->lock);
    deliver(c);
    spin_unlock(&d->lock);
}

/* ---- life ---- */
static void config_write(struct virtio_device *d, unsigned offset, unsigned size_bytes, uint64_t value)
{
    struct virtio_console *c = console_of(d);
    char text = (char)value;
    if (offset != CONFIG_EMERG_WRITE || (size_bytes != 4 && size_bytes != 1)) return;
    spin_unlock(&d->lock);                                     /* law 2 */
    c->write(c->ctx, &text, 1);
    spin_lock(&d->lock);
}

static void reset(struct virtio_device *d)
{
    struct virtio_console *c = console_of(d);
    c->input_from = c->input_to;
    c->has_transmit = false;
}

static void destroy(struct virtio_device *d) { heap_free(console_of(d)); }

static const struct virtio_ops console_ops = { .name = "console", .device_id = DEVICE_ID, .queue_count = 2, .notify = notify,
                                               .config_write = config_write, .reset = reset, .destroy = destroy };

struct vm_error virtio_console_create(const struct virtio_slot *s, void *ctx,
                                      void (*write)(void *ctx, const char *text, size_t length), struct mmio_region *out)
{
    struct virtio_console *c = heap_alloc(sizeof *c);
    if (!c) return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for virtio console");
    virtio_init(&c->device, &console_ops, s, F_EMERG_WRITE);
    c->ctx = ctx;
    c->write = write;
    c->device.config_bytes = CONFIG_BYTES;
    c->device.config[CONFIG_MAX_PORTS] = 1;
    virtio_mmio_region(&c->device, s, out);
    return VM_SUCCESS;
}
