// SPDX-License-Identifier: Apache-2.0
/* What ACPI tables say of an AArch64 machine (ACPI 6.5; Server Base Boot Requirements), in the words of a device tree's. */
#pragma once
#include "boot/acpi.h"
#include "boot/board.h"

/* Cores, interrupt controller, timer, PSCI, UART, and where devices are. Keeps no pointers into the tables. NULL: all that
 * is needed is there; else what is not. */
const char *acpi_read_chips(const void *rsdp, uint64_t boot_mpidr, struct machine *out, struct host_buses *buses);

/* acpi_routes.c: PCI's lines, by a look at a DSDT's or SSDT's AML; none where it is of another form. */
void acpi_read_routes(struct acpi_table aml, struct pci_host *h);
