// SPDX-License-Identifier: Apache-2.0
/* The virtio-mmio transport, version 2: the registers before a virtio device. Virtual I/O Device 1.2, section 4.2. */
#pragma once
#include "drivers/virt/virtio.h"

#define VIRTIO_MMIO_MAGIC   0x74726976u        /* "virt" */
#define VIRTIO_MMIO_VERSION 2u
#define VIRTIO_MMIO_VENDOR  0x50534f48u        /* "HOSP" */

/* 4.2.2, table 4.1 */
enum virtio_mmio_register {
    VIRTIO_MMIO_MAGIC_VALUE         = 0x000,
    VIRTIO_MMIO_VERSION_NUMBER      = 0x004,
    VIRTIO_MMIO_DEVICE_ID           = 0x008,
    VIRTIO_MMIO_VENDOR_ID           = 0x00c,
    VIRTIO_MMIO_DEVICE_FEATURES     = 0x010,
    VIRTIO_MMIO_DEVICE_FEATURES_SEL = 0x014,
    VIRTIO_MMIO_DRIVER_FEATURES     = 0x020,
    VIRTIO_MMIO_DRIVER_FEATURES_SEL = 0x024,
    VIRTIO_MMIO_QUEUE_SEL           = 0x030,
    VIRTIO_MMIO_QUEUE_NUM_MAX       = 0x034,
    VIRTIO_MMIO_QUEUE_NUM           = 0x038,
    VIRTIO_MMIO_QUEUE_READY         = 0x044,
    VIRTIO_MMIO_QUEUE_NOTIFY        = 0x050,
    VIRTIO_MMIO_INTERRUPT_STATUS    = 0x060,
    VIRTIO_MMIO_INTERRUPT_ACK       = 0x064,
    VIRTIO_MMIO_STATUS              = 0x070,
    VIRTIO_MMIO_QUEUE_DESC_LOW      = 0x080,
    VIRTIO_MMIO_QUEUE_DESC_HIGH     = 0x084,
    VIRTIO_MMIO_QUEUE_DRIVER_LOW    = 0x090,
    VIRTIO_MMIO_QUEUE_DRIVER_HIGH   = 0x094,
    VIRTIO_MMIO_QUEUE_DEVICE_LOW    = 0x0a0,
    VIRTIO_MMIO_QUEUE_DEVICE_HIGH   = 0x0a4,
    VIRTIO_MMIO_SHM_SEL             = 0x0ac,
    VIRTIO_MMIO_SHM_LEN_LOW         = 0x0b0,
    VIRTIO_MMIO_SHM_LEN_HIGH        = 0x0b4,
    VIRTIO_MMIO_SHM_BASE_LOW        = 0x0b8,
    VIRTIO_MMIO_SHM_BASE_HIGH       = 0x0bc,
    VIRTIO_MMIO_QUEUE_RESET         = 0x0c0,
    VIRTIO_MMIO_CONFIG_GENERATION   = 0x0fc,
    VIRTIO_MMIO_CONFIG              = 0x100,
};

/* The region of an initialised device in its slot; its dev is the device. */
void virtio_mmio_region(struct virtio_device *d, const struct virtio_slot *s, struct mmio_region *out);
/* A slot without a device: DeviceID reads 0. */
void virtio_mmio_empty(const struct virtio_slot *s, struct mmio_region *out);
