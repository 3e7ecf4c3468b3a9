// SPDX-License-Identifier: Apache-2.0
/* Parts of Broadcom's BCM2835 to BCM2837 that every operating system needs. Base 0: this machine has none; then reset does
 * nothing and read returns false. */
#pragma once
#include "hv/arch/aarch64/aarch64.h"

void bcm2835_pm_init(uint64_t base);
void bcm2835_pm_reset(bool stays_off);                    /* comes back before it happens */
void bcm2835_rng_init(uint64_t base);
bool bcm2835_rng_read(uint64_t *out);
