// SPDX-License-Identifier: Apache-2.0
/* The host's switch; see network.h. */
#include "hv/vm/network.h"
#include "hv/base/crc.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

static struct net_switch the_switch;

struct net_switch *network_switch(void) { return &the_switch; }

void network_mac(const char *vm_name, unsigned n, const struct nic_config *c, uint8_t mac[NET_MAC_BYTES])
{
    uint32_t sum = crc32c(0, vm_name, strlen(vm_name));
    const uint8_t made[NET_MAC_BYTES] = { 0x02, (uint8_t)(sum >> 24), (uint8_t)(sum >> 16), (uint8_t)(sum >> 8), (uint8_t)sum, (uint8_t)n };
    memcpy(mac, c->has_mac ? c->mac : made, NET_MAC_BYTES);     /* 802, 8.4: locally administered */
}

struct vm_error network_port(const char *vm_name, unsigned n, const struct nic_config *c, struct net_port **out)
{
    char name[NET_NAME_BYTES];
    struct net_port_config p = { .name = name, .vlan = c->vlan, .is_trunk = c->is_trunk, .has_any_mac = c->has_any_mac, .rate_bytes = c->rate_bytes };
    hv_snprintf(name, sizeof name, "%s.%u", vm_name, n);
    network_mac(vm_name, n, c, p.mac);
    return net_port_create(&the_switch, &p, out);
}
