// SPDX-License-Identifier: Apache-2.0
/* drivers/virt: the devices that guests see, one file a chip. A device is made for one guest machine by its create function,
 * which allocates all it will ever need and fills a struct mmio_region; the bus owns it from then on.
 * Three laws, each with the failure it prevents:
 * 1. State belongs to the device's own lock, not to the bus's: input, block completions and timers do not come by the bus.
 * 2. What may call back (block_submit, console output) is called with no lock of the device held: completions may run
 *    inside submit, and a console's reader may hold the console's lock. Wires (irq_line) may be raised under the lock.
 * 3. A guest's doing ends in a register: a malformed ring breaks its own device (NEEDS_RESET) and nothing else; work per
 *    access is bounded.
 *
 * This header: what is common to virtio devices whatever carries them. Virtual I/O Device 1.2, sections 2 and 3. */
#pragma once
#include "drivers/virt/virtq.h"
#include "hv/arch/spin.h"
#include "hv/base/irq_line.h"
#include "hv/core/log.h"
#include "hv/core/timer.h"
#include "hv/mmu/mmio.h"

#define VIRTIO_MAX_QUEUES       9
#define VIRTIO_MAX_CONFIG_BYTES 64
#define VIRTIO_NOTIFY_CHAINS    128            /* as many a notify serves before it breathes */
#define VIRTIO_BREATH_NS        100000ull
#define VIRTIO_DRAIN_NS         1000000000ull  /* so long a reset waits for what is in flight */
#define VIRTIO_SLOT_BYTES       0x200u

/* 2.1 device status */
#define VIRTIO_ACKNOWLEDGE 0x01u
#define VIRTIO_DRIVER      0x02u
#define VIRTIO_DRIVER_OK   0x04u
#define VIRTIO_FEATURES_OK 0x08u
#define VIRTIO_NEEDS_RESET 0x40u
#define VIRTIO_FAILED      0x80u
/* 6 reserved features */
#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX     (1ull << 29)
#define VIRTIO_F_VERSION_1     (1ull << 32)
/* interrupt status */
#define VIRTIO_INTERRUPT_USED   1u
#define VIRTIO_INTERRUPT_CONFIG 2u

struct virtio_device;
struct virtio_ops {
    const char *name;
    uint32_t    device_id;                                        /* section 5 */
    unsigned    queue_count;
    void (*notify)(struct virtio_device *d, unsigned queue);      /* no lock held; the device is live */
    /* Lock held: the driver wrote to the configuration space (already bounded). NULL: it is read-only. */
    void (*config_write)(struct virtio_device *d, unsigned offset, unsigned size_bytes, uint64_t value);
    void (*negotiated)(struct virtio_device *d);                  /* lock held: FEATURES_OK was just granted; NULL: nothing to do */
    bool (*drain)(struct virtio_device *d);                       /* no lock held: waits until nothing is in flight, VIRTIO_DRAIN_NS
                                                                     at most; false: something still is. NULL: nothing ever is */
    void (*reset)(struct virtio_device *d);                       /* lock held: the device's own state to power-on; NULL: none */
    void (*destroy)(struct virtio_device *d);                     /* frees it; drained before */
};

/* First member of every virtio device. Everything belongs to `lock`, but what is constant after creation. */
struct virtio_device {
    const struct virtio_ops *ops;                                 /* constant, as are gmem, irq, offered, config_bytes */
    struct gmem    *gmem;
    struct irq_line irq;
    uint64_t        offered, accepted;
    struct spinlock lock;
    uint32_t        status, interrupt_status, config_generation;
    uint32_t        queue_select, device_features_select, driver_features_select;
    struct virtq    queue[VIRTIO_MAX_QUEUES];
    uint8_t         config[VIRTIO_MAX_CONFIG_BYTES];
    unsigned        config_bytes;
    struct log_limit log;
    struct timer    breather;                                     /* see virtio_breathe */
};

/* Where a device is put: one window of virtio-mmio. */
struct virtio_slot {
    guest_phys_addr base;                                         /* the window has VIRTIO_SLOT_BYTES */
    struct gmem    *gmem;
    struct irq_line irq;
};

/* For devices. */
void virtio_init(struct virtio_device *d, const struct virtio_ops *ops, const struct virtio_slot *s, uint64_t features);
/* The rest is called with the lock held. */
bool virtio_is_live(const struct virtio_device *d);               /* DRIVER_OK and not broken: queues may be used */
void virtio_break(struct virtio_device *d, const char *why);      /* the driver broke the rules: NEEDS_RESET */
/* As virtq_pop; a malformed ring breaks the device. VIRTQ_EMPTY also when the queue is not ready or the device not live. */
NODISCARD enum virtq_pop virtio_pop(struct virtio_device *d, unsigned queue, struct virtq_chain *out);
/* As virtq_push; a device that is not live gives nothing back. */
void virtio_push(struct virtio_device *d, unsigned queue, uint16_t head, uint32_t written_bytes);
void virtio_interrupt(struct virtio_device *d, unsigned queue);   /* after one or more pushes */
void virtio_config_changed(struct virtio_device *d);
/* For a notify that has done enough for one access, though there may be more: lets others have a turn, then calls notify of
 * every queue again from some core's loop. A driver that saw its event index passed would not notify once more. */
void virtio_breathe(struct virtio_device *d, uint64_t after_ns);
