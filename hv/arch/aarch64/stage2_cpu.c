// SPDX-License-Identifier: Apache-2.0
/* What stage-2 tables need of the CPU; apart from them so that they can be built and tested elsewhere. See stage2.h. */
#include "hv/arch/aarch64/aarch64.h"
#include "hv/arch/aarch64/stage2.h"

void stage2_publish(void) { aarch64_dsb(); }

/* VTCR_EL2 (Arm ARM D19.2.163): start at level 1, walks write-back and inner shareable, 8-bit VMIDs. */
uint64_t stage2_vtcr(void)
{
    uint64_t pa_size = AARCH64_READ(id_aa64mmfr0_el1) & 15;
    return (64 - STAGE2_ADDRESS_BITS) | 1ull << 6 | 1ull << 8 | 1ull << 10 | 3ull << 12 | (pa_size > 5 ? 5 : pa_size) << 16 | 1ull << 31;
}
