// SPDX-License-Identifier: Apache-2.0
/* A port of the switch that ends in a socket of this machine's loopback: another process of ours, or QEMU with the guest of
 * its own. TCP carries 4 bytes of length, most significant first, before each frame (QEMU: -netdev socket, stream); UDP a
 * frame a datagram (-netdev socket,udp=, dgram). Hosted build only. What comes in is not trusted. */
#pragma once
#include "drivers/net/switch.h"

struct net_sock;
/* "listen:PORT" (one peer at a time, another after it), "connect:PORT" (again and again until somebody listens),
 * "udp:FROM:TO". Ports are 1 to 65535, or 0 to listen where there is one. The reason is good until the next call. */
NODISCARD struct vm_error net_sock_create(struct net_switch *s, const char *spec, struct net_sock **out);
uint16_t net_sock_port(const struct net_sock *s);            /* where it listens; 0: it connects */
void     net_sock_destroy(struct net_sock *s);
