// SPDX-License-Identifier: Apache-2.0
/* Power of BCM2835 to BCM2837: a watchdog that resets the chip; firmware that finds partition 63 afterwards leaves it off.
 * (No public manual: names and bits as in Linux' drivers/watchdog/bcm2835_wdt.c.) */
#include "hv/arch/aarch64/bcm2835.h"

enum { RSTC = 0x1c, RSTS = 0x20, WDOG = 0x24 };
#define PASSWORD        0x5a000000u
#define RSTC_KIND       0x00000030u
#define RSTC_FULL_RESET 0x00000020u
#define RSTS_HALT       0x00000555u                       /* partition 63, its bits spread out */
#define WDOG_TICKS      10u                               /* of 16 us */

static uint64_t pm;

void bcm2835_pm_init(uint64_t base) { pm = base; }

static void write(uint32_t offset, uint32_t v) { aarch64_mmio_write32(pm + offset, PASSWORD | (v & 0x00ffffff)); }

void bcm2835_pm_reset(bool stays_off)
{
    if (!pm) return;
    if (stays_off) write(RSTS, aarch64_mmio_read32(pm + RSTS) | RSTS_HALT);
    write(WDOG, WDOG_TICKS);
    write(RSTC, (aarch64_mmio_read32(pm + RSTC) & ~RSTC_KIND) | RSTC_FULL_RESET);
}
