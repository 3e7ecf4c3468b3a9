// SPDX-License-Identifier: Apache-2.0
/* Raspberry Pi 3 B (BCM2837; "BCM2835 ARM Peripherals" with the bus at 0x3f000000, and QA7_rev3.4). No PSCI: firmware leaves
 * three cores at its spin table in the page at 0. The console is the PL011: on the real board it must be on the header
 * (dtoverlay=disable-bt in config.txt). */
#include "boot/board.h"

static const char *const compatible[] = { "raspberrypi,3-model-b", "raspberrypi,3-model-b-plus", "brcm,bcm2837", NULL };

const struct board board_raspi3b = {
    .name         = "raspi3b",
    .compatible   = compatible,
    .periphbase   = 0x3f000000,
    .is_described = true,
    .platform     = {
        .cpu_count = 4, .cpu_mpidr = { 0, 1, 2, 3 }, .cpu_release = { 0xd8, 0xe0, 0xe8, 0xf0 },
        .irq_kind = AARCH64_IRQ_BCM2836, .bcm2836_local = 0x40000000, .bcm2835_armctrl = 0x3f00b000,
        .timer_virt_intid = 16 + 3, .timer_hyp_intid = 16 + 2,
        .bcm2835_pm = 0x3f100000, .bcm2835_rng = 0x3f104000,
    },
    .uart = { &uart_pl011, 0x3f201000, 0x1000, 32 + 57 },
    .ram  = { 0, MIB(948) },                              /* 1 GiB, and 76 MiB of it the VideoCore's: firmware's usual share */
};
