// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine's firmware: PSCI 1.1 (DEN 0022D) and SMCCC 1.1 (DEN 0028), by HVC or SMC. vcpu[].state is atomic: it decides
 * who may touch a vCPU's registers (one that is off belongs to whoever moved it to PENDING). */
#pragma once
#include "hv/isa/machine.h"

enum psci_state { PSCI_ON, PSCI_OFF, PSCI_PENDING };        /* as AFFINITY_INFO answers */

struct psci {
    const struct machine_host *host;
    struct gmem *gmem;
    struct vcpu *vcpus;
    unsigned     count;
    uint32_t     state[64];                                 /* atomic: enum psci_state */
};

void psci_reset(struct psci *p);                            /* vCPU 0 is on; nobody runs */
bool psci_is_on(const struct psci *p, unsigned vcpu);       /* any thread */
/* Calls that concern nobody but the caller are answered at once. False: psci_call has to. */
bool psci_answer(struct vcpu *v);
void psci_call(struct psci *p, struct vcpu *v);             /* outside guest code */
unsigned    psci_kind(const struct vcpu *v);
const char *psci_kind_name(unsigned kind);
