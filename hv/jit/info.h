// SPDX-License-Identifier: Apache-2.0
/* What others may know of the JIT: its switches, and a vCPU's figures. */
#pragma once
#include "hv/exec/engine.h"

#define JIT_CODE_LEAST (64u << 10)          /* bytes of code memory of a vCPU; the most is what it gets when nothing is said */
#define JIT_CODE_MOST  (8u << 20)

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

/* What has happened since the vCPU was made, and last: blocks compiled, blocks found to be hot. Own thread. */
struct jit_news { uint64_t compiles, compiled_pc, hotspots, hot_pc, hot_samples; };
bool jit_news_of(const struct vcpu *v, struct jit_news *out);

/* One compiled block. guest: the bytes it was made from; host: its code, in the memory of the vCPU, until something is compiled or dropped. */
struct jit_code {
    const char *target;
    uint64_t pc;
    uint32_t mode, guest_bytes, host_bytes;
    const uint8_t *guest, *host;
};
/* The blocks that ran most, hottest first; how many there are, `cap` at most. samples: how often it was the block that ran when another 65,536
 * instructions were over; *all: in any block. Of a running vCPU a glance: the bytes may be another block's by now. */
struct jit_hot { struct jit_code code; uint64_t samples; };
unsigned jit_hottest(const struct vcpu *v, struct jit_hot *out, unsigned cap, uint64_t *all);
/* The newest one at pc. False: there is none. Own thread, or the vCPU is stopped. */
bool jit_code_at(const struct vcpu *v, uint64_t pc, uint32_t mode, struct jit_code *out);
