// SPDX-License-Identifier: Apache-2.0
/* The host's switch, and the ports that VMs have there. */
#pragma once
#include "drivers/net/switch.h"
#include "hv/vm/vm_config.h"

/* The only one. */
struct net_switch *network_switch(void);
/* The card's address: as described, or made from the VM's name: the same at each start, on each host. */
void network_mac(const char *vm_name, unsigned n, const struct nic_config *c, uint8_t mac[NET_MAC_BYTES]);
/* A port for the n-th card of a VM, "NAME.n". */
NODISCARD struct vm_error network_port(const char *vm_name, unsigned n, const struct nic_config *c, struct net_port **out);
