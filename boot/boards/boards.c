// SPDX-License-Identifier: Apache-2.0
/* Which board this is. See boot/board.h. */
#include "boot/aarch64/fdt_boot.h"
#include "boot/board.h"
#include "hv/base/bits.h"

/* The last takes any tree. */
static const struct board *const boards[] = { &board_zcu102, &board_raspi3b, &board_virt_aarch64 };

#define MIDR_CORTEX_A53 0x410fd030u                       /* less revision and variant */

/* CBAR_EL1: where the chip's maker put the core's peripherals. A register: reading it touches no bus. 0: has none. */
static uint64_t periphbase(void)
{
    if ((AARCH64_READ(midr_el1) & 0xff0ffff0u) != MIDR_CORTEX_A53) return 0;
    return AARCH64_READ(S3_1_C15_C3_0);
}

const struct board *board_find(const void *tree)
{
    uint64_t here = tree ? 0 : periphbase();
    for (size_t i = 0; i < ARRAY_COUNT(boards); i++) {
        const struct board *b = boards[i];
        if (tree ? !b->compatible || fdt_root_is(tree, b->compatible) : here && b->periphbase == here) return b;
    }
    return NULL;
}

void machine_take_board(const struct board *b, const void *tree, struct machine *m)
{
    m->platform = b->platform;
    m->platform.board = b->name;
    m->uart = b->uart;
    m->cmdline = "";
    if (!b->is_described) fdt_read_chips(tree, AARCH64_READ(mpidr_el1), m);
}
