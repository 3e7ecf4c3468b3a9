// SPDX-License-Identifier: Apache-2.0
/* The riscv64 machine's own SBI 2.0: what a kernel in S-mode finds where other machines have M-mode firmware.
 * A call runs in the thread of the vCPU that made it, outside guest code. hart[].state is atomic: it decides who
 * may touch a vCPU's registers (a stopped hart's belong to whoever moved it to START_PENDING). */
#pragma once
#include "hv/isa/riscv64/board.h"

/* HSM states (SBI 2.0, table 9.1) */
enum sbi_hart_state { SBI_HART_STARTED, SBI_HART_STOPPED, SBI_HART_START_PENDING, SBI_HART_STOP_PENDING,
                      SBI_HART_SUSPENDED };

struct sbi_console {
    void   *ctx;
    size_t (*read)(void *ctx, char *out, size_t cap_bytes);     /* what was typed and not read yet; never waits */
};
struct sbi {
    const struct machine_host *host;
    struct gmem        *gmem;
    struct vcpu        *vcpus;
    unsigned            hart_count;
    struct sbi_console  console;
    struct { uint32_t state; } hart[RV_MAX_HARTS];              /* atomic: enum sbi_hart_state */
};

/* Hart 0 started or all of them, the others stopped. Nobody runs. */
void sbi_reset(struct sbi *s, bool start_all);
bool sbi_is_started(const struct sbi *s, unsigned hart);        /* any thread */
/* Serves the ecall whose registers are in v: a7 extension, a6 function, a0.. arguments; results in a0 and a1. */
void sbi_call(struct sbi *s, struct vcpu *v);
/* Which extension that ecall asks for, as a number; and its name, NULL behind the last. Those nobody knows share the first. */
unsigned    sbi_kind(const struct vcpu *v);
const char *sbi_kind_name(unsigned kind);
