// SPDX-License-Identifier: Apache-2.0
/* A virtio entropy device. Virtual I/O Device 1.2, section 5.4. */
#pragma once
#include "drivers/virt/virtio.h"

/* Fails with Device(INIT_FAILED) when the host has no entropy: leave the slot empty then. */
NODISCARD struct vm_error virtio_rng_create(const struct virtio_slot *s, bool (*random)(void *out, size_t size_bytes),
                                            struct mmio_region *out);
