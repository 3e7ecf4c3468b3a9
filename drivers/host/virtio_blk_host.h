// SPDX-License-Identifier: Apache-2.0
/* A virtio disk of the machine as a struct block. Virtual I/O Device 1.2, 5.2. Many requests are in flight at once; their
 * pieces go to the device where they lie. A request that the device does not answer within the time-out, and every one
 * after a lie of the device, ends as Device(IO_FAILED); the device is reset first, so that its DMA has ended by then. */
#pragma once
#include "drivers/block/block.h"
#include "drivers/host/virtio_host.h"

#define VIRTIO_BLK_TIMEOUT_NS 30000000000ull

/* Takes a copy of the device. Boot core, before the others start; the disk is there for ever unless it is destroyed. */
NODISCARD struct vm_error virtio_blk_host_create(const struct virtio_host *device, uint64_t timeout_ns, struct block **out);
