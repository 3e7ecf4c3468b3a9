// SPDX-License-Identifier: Apache-2.0
/* What others may know of the JIT: its switches, and a vCPU's figures. */
#pragma once
#include "hv/exec/engine.h"

/* Switches off the optimisations named, "pin,link", for vCPUs made from now on; false: one of them is none. */
bool jit_switch_off(const char *names);

/* code_bytes, used_bytes, limit_bytes: emitted ever, in use, at most. resolves: ways out of blocks that led to C once; dispatches:
 * returns to the run loop; drops: the whole code memory was given up; checks: blocks that compared their bytes after a code fence. */
struct jit_info {
    const char *target;
    uint64_t blocks, links, compiles, compile_ns, guest_bytes, code_bytes, used_bytes, limit_bytes, resolves, dispatches, drops, checks;
};
/* False: this vCPU does not run on the JIT. Plain reads: a running vCPU's figures are a moment old. */
bool jit_info_of(const struct vcpu *v, struct jit_info *out);
