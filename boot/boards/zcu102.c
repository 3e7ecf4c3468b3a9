// SPDX-License-Identifier: Apache-2.0
/* Xilinx ZCU102 (UG1182) and other boards with a Zynq UltraScale+ whose console is UART 0 (UG1085: address map, interrupts).
 * Firmware (TF-A, or QEMU) gives us EL2 and PSCI. The Cortex-R5 cores are not ours. */
#include "boot/board.h"

static const char *const compatible[] = { "xlnx,zynqmp-zcu102", "xlnx,zynqmp", NULL };

const struct board board_zcu102 = {
    .name         = "zcu102",
    .compatible   = compatible,
    .periphbase   = 0xf9000000,
    .is_described = true,
    .platform     = {
        .cpu_count = 4, .cpu_mpidr = { 0, 1, 2, 3 }, .is_cpu_count_most = true, .psci = AARCH64_PSCI_SMC,
        .irq_kind = AARCH64_IRQ_GICV2, .gicd = 0xf9010000, .gicd_size = 0x1000, .gicc = 0xf9020000, .gicc_size = 0x2000,
        .gich = 0xf9040000, .gicv = 0xf906f000, .maintenance_intid = 25,       /* two neighbouring pages of GICV: each is seen 16 times */
        .timer_virt_intid = 27, .timer_hyp_intid = 26,
        .rtc = 0xffa60010,                                /* RTC.CURRENT_TIME */
    },
    .uart = { &uart_cadence, 0xff000000, 0x1000, 32 + 21 },
    .ram  = { 0, GIB(2) },                                /* the low bank; a tree tells of the high one */
};
