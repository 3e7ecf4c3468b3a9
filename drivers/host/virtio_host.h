// SPDX-License-Identifier: Apache-2.0
/* A virtio device of the machine, as a driver sees it: two transports behind one table. Made at boot by virtio_pci_open or
 * virtio_mmio_open; used under its driver's lock afterwards, but `quiet`, which is the interrupt's. Sections are those of
 * Virtual I/O Device 1.2. */
#pragma once
#include "drivers/host/pci.h"

/* 2.1: the device's status. */
enum { VIRTIO_ACKNOWLEDGE = 1, VIRTIO_DRIVER = 2, VIRTIO_DRIVER_OK = 4, VIRTIO_FEATURES_OK = 8, VIRTIO_NEEDS_RESET = 64, VIRTIO_FAILED = 128 };
#define VIRTIO_F_VERSION_1 (1ull << 32)
/* 5: which device it is. */
enum { VIRTIO_ID_BLOCK = 2, VIRTIO_ID_ENTROPY = 4 };

struct virtio_host;
struct virtio_host_ops {
    const char *name;
    uint8_t  (*status)(struct virtio_host *v);
    void     (*set_status)(struct virtio_host *v, uint8_t status);
    uint32_t (*features)(struct virtio_host *v, unsigned half);
    void     (*accept)(struct virtio_host *v, unsigned half, uint32_t features);
    uint32_t (*queue_max)(struct virtio_host *v, unsigned queue);                 /* 0: there is no such queue */
    bool     (*queue_start)(struct virtio_host *v, unsigned queue, uint16_t size, uint64_t descriptors, uint64_t driver, uint64_t device);
    void     (*notify)(struct virtio_host *v, unsigned queue);
    uint8_t  (*generation)(struct virtio_host *v);
    void     (*quiet)(struct virtio_host *v);             /* interrupt context: takes the cause away from the device */
    /* Its interrupts are to set v->has_news and drop the line. False: none can be had: poll. */
    bool     (*connect)(struct virtio_host *v);
    void     (*stop_dma)(struct virtio_host *v);          /* whatever the device thinks of it */
};
struct virtio_host {
    const struct virtio_host_ops *ops;
    uint32_t id;                                          /* VIRTIO_ID_... */
    char     name[32];                                    /* "virtio-pci 00:03.0", "virtio-mmio 0xfeb00000" */
    struct registers config;                              /* the device's own */
    uint32_t config_bytes;
    uint32_t has_news;                                    /* atomic: set by the interrupt */
    bool     has_irq;
    struct registers common, isr, notifier;               /* PCI: the capabilities; MMIO: common is all of it */
    uint32_t notify_multiplier, notify_bytes, notify_offset;
    struct pci_device pci;
    struct arch_line line;                                /* MMIO; number 0: not known */
};

/* One reset and start: offers `wanted` of what the device has, VERSION_1 always. False: the device refuses, and is reset. */
bool     virtio_host_start(struct virtio_host *v, uint64_t wanted, uint64_t *features);
/* Waits, a bounded time, until the device agrees that it is reset; then its DMA has ended. */
bool     virtio_host_reset(struct virtio_host *v);
/* A field of the device's configuration that a change of it did not cut in two; 0 beyond its end. */
uint64_t virtio_host_config(struct virtio_host *v, unsigned offset, unsigned bytes);
/* For `connect`: what an interrupt does. arg: the struct virtio_host. */
void     virtio_host_interrupt(void *arg);

/* False: not a virtio device, or not one of version 1; `why` is then a reason worth telling, or NULL. */
bool     virtio_pci_open(const struct pci_device *d, struct virtio_host *out, const char **why);
bool     virtio_mmio_open(const struct registers *at, const struct arch_line *line, struct virtio_host *out, const char **why);
