// SPDX-License-Identifier: Apache-2.0
/* What others may know of an audit: `audit = yes` runs a VM's one vCPU on two engines, a piece at a time, and compares. */
#pragma once
#include "hv/exec/engine.h"

/* checks: pieces that were run twice; insns: guest instructions in them; races: pieces that differed once and agreed when run again, since
 * a device or an interrupt came between; skipped: pieces that wrote more than the journal holds, run by the interpreter alone. */
struct audit_stats { uint64_t checks, insns, races, skipped; };
/* False: this vCPU is not audited. Plain reads: a running vCPU's figures are a moment old. */
bool audit_stats_of(const struct vcpu *v, struct audit_stats *out);
