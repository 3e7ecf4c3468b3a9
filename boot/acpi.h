// SPDX-License-Identifier: Apache-2.0
/* ACPI tables (ACPI 6.5, chapter 5) as both hosts read them: found by their signature, with sum and length checked, since
 * firmware is not always right. There is no interpreter: what only AML tells is looked up in its bytes. Boot core only,
 * while memory below `reach` is readable. */
#pragma once
#include "boot/boot_info.h"

enum { ACPI_HEADER_BYTES = 36, ACPI_OEM_ID = 10, ACPI_OEM_ID_BYTES = 6, ACPI_OEM_TABLE = 16, ACPI_OEM_TABLE_BYTES = 8 };

struct acpi_table { const uint8_t *at; uint32_t length; };                /* length 0: there is none */
struct acpi_root  { struct acpi_table table; unsigned entry_bytes; uint64_t reach; };

/* A field at this offset of the table; 0 when the table is too short to have it. */
uint8_t  acpi_get8(struct acpi_table t, unsigned at);
uint32_t acpi_get32(struct acpi_table t, unsigned at);
uint64_t acpi_get64(struct acpi_table t, unsigned at);

/* Generic address structure, 5.2.3.2. Address 0: there is none. */
enum { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1 };
struct acpi_register { uint8_t space, width_bits; uint64_t address; };
struct acpi_register acpi_get_register(struct acpi_table t, unsigned at);

bool acpi_is_rsdp(const void *p);
/* False: the RSDP (good by acpi_is_rsdp) leads to no root table. */
bool acpi_open(const void *rsdp, uint64_t reach, struct acpi_root *out);
struct acpi_table acpi_table_at(uint64_t address, uint64_t reach);
/* Table number n with this signature; tables of the root are counted from 0. */
struct acpi_table acpi_find(const struct acpi_root *root, const char *signature, unsigned n);

/* Where devices are: PCI's ECAM by MCFG, virtio-mmio slots by a look at a DSDT's or SSDT's AML. */
void acpi_read_mcfg(struct acpi_table mcfg, struct host_buses *b);
void acpi_read_slots(struct acpi_table aml, struct host_buses *b);

/* An integer at `p`, ACPI 20.2.3, of 32 bits at most. -> how many bytes it took, 0: it is something else. */
unsigned acpi_aml_integer(const uint8_t *p, const uint8_t *end, uint32_t *out);
/* A PkgLength at `p`, 20.2.4: *package_end is where what it counts ends. -> how many bytes it took, 0: that is beyond `end`. */
unsigned acpi_aml_length(const uint8_t *p, const uint8_t *end, const uint8_t **package_end);
