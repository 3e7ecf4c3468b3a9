// SPDX-License-Identifier: Apache-2.0
/* The arm64 vCPU's state and what its parts ask of each other. x0 to x30 are slots 0 to 30, V0 to V31 slots 64 to 127; for engines that
 * translate, slots 31 to 35 are the current stack pointer and N, Z, C, V, which natively the frame has. System registers live in
 * vcpu_regs.isa, the frame that EL2 speaks of first. Everything belongs to the thread that runs the vCPU. Sections
 * in this folder are the Arm ARM's (DDI 0487) unless they say otherwise. */
#pragma once
#include "hv/arch/hw_arm64.h"
#include "hv/base/bits.h"
#include "hv/exec/native.h"

/* Slots of what translated code has besides the general registers. */
enum { ARM64_SLOT_SP = 31, ARM64_SLOT_N, ARM64_SLOT_Z, ARM64_SLOT_C, ARM64_SLOT_V };

/* Private interrupts (Arm Base System Architecture, 3.7.1): the timers'. */
#define ARM64_VTIMER_INTID 27u
#define ARM64_PTIMER_INTID 30u

/* Exception classes of ESR_ELx (D19.2.40). */
enum arm64_class {
    ARM64_EC_UNKNOWN = 0x00, ARM64_EC_WFX = 0x01, ARM64_EC_HVC = 0x16, ARM64_EC_SMC = 0x17, ARM64_EC_SYSREG = 0x18,
    ARM64_EC_INSN_ABORT = 0x20, ARM64_EC_INSN_ABORT_SAME = 0x21, ARM64_EC_DATA_ABORT = 0x24, ARM64_EC_DATA_ABORT_SAME = 0x25,
};
#define ARM64_ESR_IL  (1ull << 25)                      /* a 32-bit instruction */
#define ARM64_ESR_WNR (1ull << 6)
#define ARM64_EXTERNAL_ABORT 0x10u                      /* DFSC, IFSC: synchronous external abort, not on a walk */

/* PSTATE as SPSR has it (C5.2.18). */
#define ARM64_PSTATE_EL1H 5ull
#define ARM64_PSTATE_DAIF 0x3c0ull
#define ARM64_PSTATE_SSBS (1ull << 12)
#define ARM64_PSTATE_PAN  (1ull << 22)
#define ARM64_PSTATE_DIT  (1ull << 24)
#define ARM64_PSTATE_NZCV (15ull << 28)
static inline unsigned arm64_el_of(uint64_t pstate) { return pstate & 16 ? 0 : (unsigned)(pstate >> 2 & 3); }

struct arm64_state {
    struct arm64_frame hw;                              /* first */
    uint64_t cntp_ctl, cntp_cval;                       /* the physical timer, whose registers are trapped */
    bool     vtimer_line;                               /* what the GIC knows of the virtual timer */
};
_Static_assert(sizeof(struct arm64_state) <= VCPU_ISA_BYTES, "vcpu_regs.isa holds it");
static inline struct arm64_state *arm64_state(struct vcpu *v)                   { return (struct arm64_state *)v->regs.isa; }
static inline const struct arm64_state *arm64_state_const(const struct vcpu *v) { return (const struct arm64_state *)v->regs.isa; }

/* MMU contexts: all that decides a translation besides address, tables and ASID. The CPU's own MMU (native) uses none of them. */
enum arm64_context {
    ARM64_CONTEXT_OFF,                                  /* no translation, EL1 and EL0 */
    ARM64_CONTEXT_EL0, ARM64_CONTEXT_EL1, ARM64_CONTEXT_EL1_PAN,
    ARM64_CONTEXT_COUNT
};
_Static_assert(ARM64_CONTEXT_COUNT <= MMU_CONTEXTS, "the MMU has a table for each context");
/* regs.mode, the key of translated code: what lifting depends on, and above it the fetch context, so that code found under one
 * translation is never entered under another without a look at its page. */
enum { ARM64_MODE_CONTEXT_SHIFT = 4 };
static inline enum arm64_context arm64_mode_context(uint32_t mode) { return (enum arm64_context)(mode >> ARM64_MODE_CONTEXT_SHIFT); }

/* v->hypercall after an HVC or SMC that is the machine's to answer: x0 is its number (SMCCC, DEN 0028). */
#define ARM64_HYPERCALL_SMCCC 1

/* A general register as an operand: 31 is zero. */
static inline uint64_t arm64_x(const struct vcpu *v, unsigned n)        { return n == 31 ? 0 : v->regs.slot[n]; }
static inline void     arm64_set_x(struct vcpu *v, unsigned n, uint64_t x) { if (n != 31) v->regs.slot[n] = x; }

/* The architecture's table. */
extern const struct isa_ops ARM64_ISA;

/* ---- for machine.c ---- */
/* Power-on state at EL1, MMU and interrupts off, then pc and x0 (D1.9.1; PSCI 6.4). */
void     arm64_set_boot(struct vcpu *v, uint64_t pc, uint64_t x0);
uint64_t arm64_mpidr(unsigned vcpu);                    /* affinity fields: 16 vCPUs share Aff1 */

/* ---- inside ---- */
/* inject.c. The guest's own exception at EL1, with all state in the frame (D1.3). */
void     arm64_undefined(struct vcpu *v);
void     arm64_external_abort(struct vcpu *v, bool is_insn, bool is_write, uint64_t far);
/* exit.c */
extern const struct native_ops ARM64_NATIVE;
/* access.c: what a load or store that the CPU did not describe does, from its instruction. False: not one that reaches devices. */
bool     arm64_emulate_access(struct vcpu *v, guest_phys_addr gpa, bool *is_aborted);
/* sysreg.c: the trapped access of ESR. False: there is no such register. */
bool     arm64_trapped_sysreg(struct vcpu *v, uint64_t esr);
/* timer.c */
bool     arm64_vtimer_is_due(const struct vcpu *v);     /* state in the frame */
void     arm64_vtimer_set_line(struct vcpu *v, bool level);
void     arm64_vtimer_arm(struct vcpu *v);              /* the vCPU sleeps: its deadline is the virtual timer's too */
void     arm64_ptimer_update(struct vcpu *v);
void     arm64_timers_off(struct vcpu *v);
void     arm64_deadline(struct vcpu *v);
/* decode.c. As isa_ops says. */
NODISCARD bool arm64_decode_insn(const uint8_t *bytes, unsigned avail_bytes, guest_addr pc, uint32_t mode, struct insn *out, struct fault *why);
/* DecodeBitMasks of sf, N, immr, imms (J1.1, in bits 13, 12, 11:6, 5:0): the immediate; 0 when they mean none. */
uint64_t arm64_bit_mask(int32_t mask);
/* lift.c */
enum lift_next arm64_lift(struct ir_block *b, const struct insn *i, uint32_t mode);
/* mmu.c */
mmu_walk_fn arm64_walk;
bool     arm64_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out);
unsigned arm64_rights(const struct vcpu *v, guest_addr at);
