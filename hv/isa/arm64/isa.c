// SPDX-License-Identifier: Apache-2.0
/* arm64 as the engines see it: the ops table and the registers. */
#include "arm64_decode.h"
#include "hv/base/string.h"
#include "hv/isa/arm64/machine.h"

#define X(n)      { "x" #n, REG_GENERAL, offsetof(struct vcpu_regs, slot) + 8 * (n), 8, NULL }
#define SYS(r)    { #r, REG_CONTROL, offsetof(struct vcpu_regs, isa) + offsetof(struct arm64_state, hw.r), 8, NULL },
#define V(n)      { "v" #n, REG_FP, offsetof(struct vcpu_regs, slot) + 8 * (ARM64_V_SLOT + 2 * (n)), 16, NULL }
static const struct reg_desc regs[] = {
    X(0), X(1), X(2), X(3), X(4), X(5), X(6), X(7), X(8), X(9), X(10), X(11), X(12), X(13), X(14), X(15), X(16), X(17), X(18), X(19),
    X(20), X(21), X(22), X(23), X(24), X(25), X(26), X(27), X(28),
    { "x29", REG_GENERAL, offsetof(struct vcpu_regs, slot) + 8 * 29, 8, "fp" },
    { "x30", REG_GENERAL, offsetof(struct vcpu_regs, slot) + 8 * 30, 8, "lr" },
    { "pc", REG_CONTROL, offsetof(struct vcpu_regs, pc), 8, NULL },
    SYS(pstate) SYS(sp_el0)
    ARM64_SYSREG_LIST(SYS)
    SYS(cntv_ctl) SYS(cntv_cval) SYS(mdscr_el1) SYS(fpcr) SYS(fpsr)
    V(0), V(1), V(2), V(3), V(4), V(5), V(6), V(7), V(8), V(9), V(10), V(11), V(12), V(13), V(14), V(15),
    V(16), V(17), V(18), V(19), V(20), V(21), V(22), V(23), V(24), V(25), V(26), V(27), V(28), V(29), V(30), V(31),
};
#undef X

static int disasm(const struct insn *i, char *out, size_t cap_bytes) { return decode_table_print(&arm64_table, i, out, cap_bytes); }

/* Power-on. What comes up in which state: the tables of each register's reset value; the rest is unknown there, 0 here. */
static void reset(struct vcpu *v)
{
    struct arm64_state *s = arm64_state(v);
    memset(v->regs.slot, 0, sizeof v->regs.slot);
    memset(s, 0, sizeof *s);
    s->hw.pstate = ARM64_PSTATE_EL1H | ARM64_PSTATE_DAIF;
    s->hw.sctlr_el1 = 0x30d00800;                        /* RES1 bits; MMU, caches and alignment checks off */
    s->hw.vmpidr = bit64(31) | arm64_mpidr(v->id);
    s->hw.mdscr_el1 = 0;
    v->deadline_ns = UINT64_MAX;
    v->is_halted = false;
    v->hypercall = 0;
}

void arm64_set_boot(struct vcpu *v, uint64_t pc, uint64_t x0)
{
    reset(v);
    v->regs.pc = pc;
    v->regs.slot[0] = x0;
}

uint64_t arm64_mpidr(unsigned vcpu) { return vcpu % 16 | vcpu / 16 << 8; }

/* Interrupts are the CPU's to take, exceptions too: nothing of this is asked in hardware mode. */
static bool take_fault(struct vcpu *v, const struct fault *f) { (void)v, (void)f; return false; }
static bool never(struct vcpu *v)                             { (void)v; return false; }

static bool wakes(struct vcpu *v)
{
    struct gic *g = arm64_machine(v)->gic;
    if (arm64_vtimer_is_due(v)) arm64_vtimer_set_line(v, true);
    return gic_is_pending(g, v->id);
}

/* Written from outside: a lawful exception level, and only bits that EL2's entry takes. */
static void reg_written(struct vcpu *v, unsigned reg)
{
    struct arm64_frame *f = &arm64_state(v)->hw;
    (void)reg;
    v->regs.pc &= ~3ull;
    if (f->pstate & 16 || (f->pstate & 15) > 5 || f->pstate & 2 || (f->pstate & 15) == 1) f->pstate = (f->pstate & ~31ull) | ARM64_PSTATE_EL1H;
}

/* By INTID; 63 stands for all above. */
static const char *irq_name(unsigned cause)
{
    static const char *const name[EXITS_IRQS] = {
        "sgi0", "sgi1", "sgi2", "sgi3", "sgi4", "sgi5", "sgi6", "sgi7", "sgi8", "sgi9", "sgi10", "sgi11", "sgi12", "sgi13", "sgi14", "sgi15",
        [ARM64_VTIMER_INTID] = "virtual timer", [ARM64_PTIMER_INTID] = "physical timer",
        [GIC_PRIVATE + ARM64_UART_IRQ] = "pl011", [GIC_PRIVATE + ARM64_RTC_IRQ] = "pl031",
        [GIC_PRIVATE + ARM64_VIRTIO_IRQ] = "virtio0", "virtio1", "virtio2", "virtio3", "virtio4", "virtio5", "virtio6", "virtio7",
    };
    return cause < EXITS_IRQS ? name[cause] : NULL;
}
static unsigned    privilege(const struct vcpu *v) { return arm64_el_of(arm64_state_const(v)->hw.pstate); }

const struct isa_ops ARM64_ISA = {
    .arch = GUEST_ARM64,
    .name = "arm64",
    .regs = regs,
    .reg_count = ARRAY_COUNT(regs),
    .insn_align_bytes = 4,
    .insn_max_bytes = 4,
    .decode_insn = arm64_decode_insn,
    .disasm = disasm,
    .walk = arm64_walk,
    .reset = reset,
    .take_fault = take_fault,
    .has_irq = never,
    .take_irq = never,
    .wakes = wakes,
    .deadline = arm64_deadline,
    .reg_written = reg_written,
    .peek = arm64_peek,
    .rights = arm64_rights,
    .irq_name = irq_name,
    .privilege = privilege,
    .native = &ARM64_NATIVE,
};
