// SPDX-License-Identifier: Apache-2.0
/* What an instruction that we carry out reaches: guest memory by linear address, devices, ports. */
#pragma once
#include "hv/isa/x86_64/machine.h"

/* 1 to 8 bytes, any alignment; devices get pieces that they take, what nobody answers reads as ones. False: a page fault is in the frame. */
bool x86_load(struct vcpu *v, uint64_t linear, unsigned size_bytes, uint64_t *out);
bool x86_store(struct vcpu *v, uint64_t linear, unsigned size_bytes, uint64_t value);
/* The page fault that a store would meet, before anything is done. */
bool x86_may_store(struct vcpu *v, uint64_t linear, unsigned size_bytes);
void x86_physical(struct vcpu *v, uint64_t gpa, unsigned size_bytes, enum access_type how, uint64_t *value);
static inline void x86_port(struct vcpu *v, uint16_t port, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    x86_physical(v, X86_PORTS + port, size_bytes, how, value);
}
static inline uint64_t x86_low(uint64_t v, unsigned size_bytes) { return size_bytes < 8 ? v & ((1ull << 8 * size_bytes) - 1) : v; }
