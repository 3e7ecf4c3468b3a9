// SPDX-License-Identifier: Apache-2.0
/* A virtio console of one port. Virtual I/O Device 1.2, section 5.3. */
#pragma once
#include "drivers/virt/virtio.h"

/* `write` as struct ns16550_config's: no lock of the device held. */
NODISCARD struct vm_error virtio_console_create(const struct virtio_slot *s, void *ctx,
                                                void (*write)(void *ctx, const char *text, size_t length), struct mmio_region *out);
/* The console is the region's dev. Any thread. */
size_t virtio_console_input(void *console, const char *text, size_t length);      /* takes what fits, returns how many */
size_t virtio_console_room(void *console);
