// SPDX-License-Identifier: Apache-2.0
/* What the device tree says of this machine (Devicetree Specification 0.4), in the words of those who use it. */
#pragma once
#include "boot/board.h"

#define FDT_MOST_BYTES MIB(2)                             /* Linux Documentation/arch/arm64/booting */

/* fdt_check.c: a tree that may be walked, whoever made it. */
bool fdt_is_tree(const void *tree);
/* fdt_check.c: where the blocks end that its header tells of, if that is what boot protocols allow (2 MiB); else 0. A total size
 * that is smaller, or larger than that, is a lie. */
uint32_t fdt_extent(const void *tree);
/* The root's `compatible` has one of these; the last is NULL. */
bool fdt_root_is(const void *tree, const char *const *compatible);

/* Both run before the MMU is on, and keep pointers into the tree. What the loader says: memory, its own data, the command
 * line; the tree itself is reserved. */
void fdt_read_loader(const void *tree, struct machine *out);
/* What there is: cores, interrupt controller, timer, PSCI, UART, clock, and a name. */
void fdt_read_chips(const void *tree, uint64_t boot_mpidr, struct machine *out);
