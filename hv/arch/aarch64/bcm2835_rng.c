// SPDX-License-Identifier: Apache-2.0
/* Random numbers of BCM2835 to BCM2837: a FIFO of words. Any core may read at any time: each word goes to one of them.
 * (No public manual: names and bits as in Linux' drivers/char/hw_random/bcm2835-rng.c.) */
#include "hv/arch/aarch64/bcm2835.h"

enum { CTRL = 0x00, STATUS = 0x04, DATA = 0x08 };
#define WARM_UP_WORDS 0x40000u
#define PATIENCE      1000

static uint64_t rng;

void bcm2835_rng_init(uint64_t base)
{
    rng = base;
    if (!rng) return;
    aarch64_mmio_write32(rng + STATUS, WARM_UP_WORDS);    /* so many are thrown away first */
    aarch64_mmio_write32(rng + CTRL, 1);
}

bool bcm2835_rng_read(uint64_t *out)
{
    uint64_t v = 0;
    if (!rng) return false;
    for (unsigned words = 0, i = 0; words < 2; words++) {
        while (!(aarch64_mmio_read32(rng + STATUS) >> 24)) {
            if (++i == PATIENCE) return false;
            arch_cpu_relax();
        }
        v = v << 32 | aarch64_mmio_read32(rng + DATA);
    }
    *out = v;
    return true;
}
