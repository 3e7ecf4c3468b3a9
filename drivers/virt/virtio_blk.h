// SPDX-License-Identifier: Apache-2.0
/* A virtio block device before a struct block. Virtual I/O Device 1.2, section 5.2. */
#pragma once
#include "drivers/block/block.h"
#include "drivers/virt/virtio.h"

/* The disk stays the caller's and must outlive the device. */
NODISCARD struct vm_error virtio_blk_create(const struct virtio_slot *s, struct block *disk, struct mmio_region *out);
