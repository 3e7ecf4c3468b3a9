// SPDX-License-Identifier: Apache-2.0
/* Stage-2 tables (Arm ARM D8.2): 4 KiB granule, 39-bit guest-physical addresses, one table at the first level. Entries only
 * ever go from invalid to valid while the guest may run, which needs no break-before-make; the way back is stage2_clear. */
#pragma once
#include "hv/arch/hwvirt.h"

#define STAGE2_ADDRESS_BITS 39

/* One VM's tables. */
struct stage2 { uint64_t *root; const struct hw_memory *memory; };

NODISCARD bool stage2_init(struct stage2 *s, const struct hw_memory *memory);
enum stage2_kind { STAGE2_RAM, STAGE2_ROM, STAGE2_DEVICE };
/* False: no memory for a table, or an address past the guest's space. What is mapped already stays. */
NODISCARD bool stage2_map(struct stage2 *s, uint64_t at, uint64_t host, uint64_t size_bytes, enum stage2_kind kind);
void           stage2_clear(struct stage2 *s);               /* all tables but the root go; the caller invalidates the TLBs first and last */
void           stage2_destroy(struct stage2 *s);
/* stage2_cpu.c */
void           stage2_publish(void);                         /* what was written is there for every walker */
uint64_t       stage2_vtcr(void);                            /* VTCR_EL2 for these tables on this CPU */
