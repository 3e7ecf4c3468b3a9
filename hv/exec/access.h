// SPDX-License-Identifier: Apache-2.0
/* The meaning of the IR's memory rows, once for all engines: plain accesses in full (any alignment, crossings, devices) and what
 * LOAD, STORE, LL, SC, AMO and CAS carry beyond them. Atomics are the host's; LL/SC compares the value seen by LL (a
 * change back to the same value is not noticed: the ABA case, harmless for every lock-free pattern that compilers and kernels
 * emit for LL/SC). False: v->fault. Own thread. */
#pragma once
#include "hv/exec/vcpu.h"

NODISCARD bool access_load(struct vcpu *v, guest_addr at, unsigned bytes, uint64_t *out);
NODISCARD bool access_store(struct vcpu *v, guest_addr at, unsigned bytes, uint64_t value);
/* A row of at most 8 bytes. `value` is STORE's, SC's, AMO's; `expected` CAS's. *out: the result, extended as the memop says. */
NODISCARD bool access_row(struct vcpu *v, enum ir_op op, uint64_t memop, uint64_t va, uint64_t expected, uint64_t value, uint64_t *out);
/* One of 16 bytes, halves in guest-register order. `b` is STORE's and SC's value, CAS's expected one; `c` CAS's new one. */
NODISCARD bool access_row128(struct vcpu *v, enum ir_op op, uint64_t memop, uint64_t va, const uint64_t b[2], const uint64_t c[2], uint64_t out[2]);
