// SPDX-License-Identifier: Apache-2.0
/* The room's own door between the slow paths and the API's edge. Owner: the vCPU's thread. */
#pragma once
#include "hv/mmu/mmu.h"

/* A whole access of 1, 2, 4 or 8 bytes, how = READ or WRITE. False: *why as mmu_load says, and when that is a bus error,
 * *refusal is the API's word for it: InvalidAddress, AccessViolation or the device's own error. */
NODISCARD bool mmu_access(struct mmu *m, guest_addr at, enum access_type how, unsigned size_bytes, uint64_t *value, struct fault *why,
                          struct vm_error *refusal);
