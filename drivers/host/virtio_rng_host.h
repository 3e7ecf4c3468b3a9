// SPDX-License-Identifier: Apache-2.0
/* A virtio entropy device of the machine as a source of hv/core/entropy.h. Virtual I/O Device 1.2, 5.4. */
#pragma once
#include "drivers/host/virtio_host.h"
#include "hv/base/error.h"

/* Takes a copy of the device and adds it to the machine's sources. Boot core, before the others start; it is there for
 * ever. The pool's lock is its lock. A device that lies or does not answer gives nothing. */
NODISCARD struct vm_error virtio_rng_host_create(const struct virtio_host *device);
