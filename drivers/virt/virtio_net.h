// SPDX-License-Identifier: Apache-2.0
/* A virtio network card on a port of the switch. Virtual I/O Device 1.2, section 5.1. */
#pragma once
#include "drivers/net/switch.h"
#include "drivers/virt/virtio.h"

#define VIRTIO_NET_PAIRS_MOST ((VIRTIO_MAX_QUEUES - 1) / 2)    /* of queues: one receives, one sends */

/* The port stays the caller's, closed, and must outlive the device; its config says the MAC address. pairs: 1 to
 * VIRTIO_NET_PAIRS_MOST. */
NODISCARD struct vm_error virtio_net_create(const struct virtio_slot *s, struct net_port *port, unsigned pairs, struct mmio_region *out);
