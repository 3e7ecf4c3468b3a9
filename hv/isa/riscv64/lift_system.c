// SPDX-License-Identifier: Apache-2.0
/* Instructions that reach the hart's control state: each a helper of priv.c or csr.c that checks privilege when it runs,
 * so that translated code does not depend on it. Pure building of IR: see lift.h. */
#include "hv/isa/riscv64/lift.h"

static ir_ref call(struct ir_block *b, const struct insn *i, const struct ir_helper *h, ir_ref y, ir_ref z)
{
    return ir_call(b, IR_I64, h, ir_const(b, IR_I64, i->bits), y, z);
}
/* Instructions of this block that are done before the current one: what counters add. */
static ir_ref done_before(struct ir_block *b)
{
    return ir_const(b, IR_I64, b->guest_count ? b->guest_count - 1u : 0u);
}

/* A pure read needs no dispatcher behind it; whatever writes may have changed mode, mappings or interrupts. */
static enum lift_next access_csr(struct ir_block *b, const struct insn *i, ir_ref operand)
{
    struct riscv64_csr a = riscv64_csr(i);
    bool is_swap = (i->bits >> 12 & 3) == 1;
    (void)put_x(b, a.rd, call(b, i, &RV_HELPER_CSR, operand, done_before(b)));
    return is_swap || a.rs1 ? end_leave(b, i) : end_jump(b, next_pc(i), IR_HINT_NONE);
}

LIFT(csr)  { return access_csr(b, i, get_x(b, riscv64_csr(i).rs1)); }
LIFT(csri) { return access_csr(b, i, ir_const(b, IR_I64, (uint64_t)riscv64_csr(i).rs1)); }

LIFT(ecall)
{
    (void)call(b, i, &RV_HELPER_ECALL, IR_NONE, IR_NONE);
    return end_leave(b, i);
}
LIFT(ebreak) { return end_fault(b, i, fault_trap(RV_CAUSE_BREAKPOINT, 0)); }

static enum lift_next trap_return(struct ir_block *b, const struct insn *i, const struct ir_helper *h)
{
    ir_ref to = call(b, i, h, IR_NONE, IR_NONE);
    ir_end(b, (struct ir_end){ .kind = IR_END_LEAVE_INDIRECT, .value = to });
    return LIFT_END;
}
LIFT(sret) { return trap_return(b, i, &RV_HELPER_SRET); }
LIFT(mret) { return trap_return(b, i, &RV_HELPER_MRET); }

LIFT(wfi)
{
    (void)call(b, i, &RV_HELPER_WFI, IR_NONE, IR_NONE);
    ir_end(b, (struct ir_end){ .kind = IR_END_HALT, .value = IR_NONE, .taken = next_pc(i) });
    return LIFT_END;
}
LIFT(sfence_vma)
{
    struct riscv64_r a = riscv64_r(i);
    (void)call(b, i, &RV_HELPER_SFENCE, get_x(b, a.rs1), get_x(b, a.rs2));
    return end_leave(b, i);
}
LIFT(sfence_inval)
{
    (void)call(b, i, &RV_HELPER_SFENCE_INVAL, IR_NONE, IR_NONE);
    return end_leave(b, i);
}
LIFT(fence_i)
{
    (void)call(b, i, &RV_HELPER_FENCE_I, IR_NONE, IR_NONE);
    return end_leave(b, i);
}
