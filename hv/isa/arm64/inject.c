// SPDX-License-Identifier: Apache-2.0
/* Exceptions that the guest takes at EL1 because we say so (AArch64.TakeException, D1.3). */
#include "hv/isa/arm64/state.h"

static void take(struct vcpu *v, uint64_t esr)
{
    native_put(v);
    struct arm64_frame *f = &arm64_state(v)->hw;
    bool is_el0 = arm64_el_of(f->pstate) == 0, is_32bit = f->pstate & 16, is_on_sp0 = !(f->pstate & 1);
    uint64_t offset = is_32bit ? 0x600 : is_el0 ? 0x400 : is_on_sp0 ? 0x000 : 0x200;
    bool sets_pan = !(f->sctlr_el1 & bit64(23));         /* SCTLR_EL1.SPAN */
    f->esr_el1 = esr;
    f->elr_el1 = v->regs.pc;
    f->spsr_el1 = f->pstate;
    bool has_pan = bits64(hw_support()->arm64->id(7, 1), 23, 20) != 0;
    bool has_ssbs = bits64(hw_support()->arm64->id(4, 1), 7, 4) != 0;
    uint64_t kept = f->pstate & (ARM64_PSTATE_NZCV | ARM64_PSTATE_DIT | ARM64_PSTATE_PAN);
    f->pstate = ARM64_PSTATE_EL1H | ARM64_PSTATE_DAIF | kept | (sets_pan && has_pan ? ARM64_PSTATE_PAN : 0)
              | (has_ssbs && f->sctlr_el1 & bit64(44) ? ARM64_PSTATE_SSBS : 0);          /* SCTLR_EL1.DSSBS */
    v->regs.pc = f->vbar_el1 + offset;
}

void arm64_undefined(struct vcpu *v) { take(v, (uint64_t)ARM64_EC_UNKNOWN << 26 | ARM64_ESR_IL); }

void arm64_external_abort(struct vcpu *v, bool is_insn, bool is_write, uint64_t far)
{
    native_put(v);
    bool is_el0 = arm64_el_of(arm64_state(v)->hw.pstate) == 0;
    uint64_t class = is_insn ? (is_el0 ? ARM64_EC_INSN_ABORT : ARM64_EC_INSN_ABORT_SAME) : (is_el0 ? ARM64_EC_DATA_ABORT : ARM64_EC_DATA_ABORT_SAME);
    arm64_state(v)->hw.far_el1 = far;
    take(v, class << 26 | ARM64_ESR_IL | ARM64_EXTERNAL_ABORT | (is_write && !is_insn ? ARM64_ESR_WNR : 0));
}
