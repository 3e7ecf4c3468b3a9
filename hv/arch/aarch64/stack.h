// SPDX-License-Identifier: Apache-2.0
/* One slot a core, from its low end: guard, stack, guard, exception stack. The guards are not mapped. For C and assembly. */
#pragma once
#define AARCH64_STACK_SLOT_BYTES 0x20000
#define AARCH64_GUARD_BYTES      0x1000
#define AARCH64_STACK_BYTES      0x1c000
#define AARCH64_EXCEPTION_BYTES  0x2000
#define AARCH64_STACK_TOP        (AARCH64_GUARD_BYTES + AARCH64_STACK_BYTES)      /* offset in the slot */
#define AARCH64_MAX_CPUS         64                                               /* ARCH_MAX_CPUS, for assembly */
