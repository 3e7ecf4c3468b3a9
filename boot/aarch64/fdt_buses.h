// SPDX-License-Identifier: Apache-2.0
/* Where an AArch64 machine's devices are, by its device tree: PCI's ECAM, windows and lines, virtio-mmio slots. */
#pragma once
#include "boot/boot_info.h"

/* After the tree was found good; keeps no pointers into it. */
void fdt_read_buses(const void *tree, struct host_buses *out);
