// SPDX-License-Identifier: Apache-2.0
/* The guest's timers (D11.2). The virtual one is the CPU's own while the vCPU runs; when it sleeps, our clock wakes it. The
 * physical one, which kernels at EL1 leave alone, is trapped: its counter is the virtual one. */
#include "hv/isa/arm64/machine.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2 };

static bool is_armed(uint64_t ctl) { return (ctl & (CTL_ENABLE | CTL_IMASK)) == CTL_ENABLE; }

static bool is_due(const struct vcpu *v, uint64_t ctl, uint64_t cval) { return is_armed(ctl) && guest_clock_ticks(v->clock) >= cval; }

static uint64_t deadline_of(const struct vcpu *v, uint64_t ctl, uint64_t cval)
{
    return is_armed(ctl) ? guest_clock_deadline_ns(v->clock, cval) : UINT64_MAX;
}

bool arm64_vtimer_is_due(const struct vcpu *v)
{
    const struct arm64_frame *f = &arm64_state_const(v)->hw;
    return is_due(v, f->cntv_ctl, f->cntv_cval);
}

void arm64_vtimer_set_line(struct vcpu *v, bool level)
{
    arm64_state(v)->vtimer_line = level;
    gic_set_ppi(arm64_machine(v)->gic, v->id, ARM64_VTIMER_INTID, level);
}

/* When somebody has to look: not again for what is due already, the interrupt's line says that. */
static uint64_t ptimer_deadline(const struct vcpu *v)
{
    const struct arm64_state *s = arm64_state_const(v);
    return is_due(v, s->cntp_ctl, s->cntp_cval) ? UINT64_MAX : deadline_of(v, s->cntp_ctl, s->cntp_cval);
}

void arm64_ptimer_update(struct vcpu *v)
{
    const struct arm64_state *s = arm64_state_const(v);
    gic_set_ppi(arm64_machine(v)->gic, v->id, ARM64_PTIMER_INTID, is_due(v, s->cntp_ctl, s->cntp_cval));
    vcpu_set_deadline(v, ptimer_deadline(v));
}

void arm64_vtimer_arm(struct vcpu *v)
{
    const struct arm64_frame *f = &arm64_state_const(v)->hw;
    arm64_ptimer_update(v);                              /* it may have become due since: nobody would look again */
    uint64_t virtual = deadline_of(v, f->cntv_ctl, f->cntv_cval);
    if (virtual < v->deadline_ns) vcpu_set_deadline(v, virtual);
}

/* The vCPU goes off, and both with it. */
void arm64_timers_off(struct vcpu *v)
{
    struct arm64_state *s = arm64_state(v);
    s->hw.cntv_ctl = s->cntp_ctl = 0;
    arm64_vtimer_set_line(v, false);
    arm64_ptimer_update(v);
}

/* wakes() looks at the virtual timer itself. */
void arm64_deadline(struct vcpu *v) { arm64_ptimer_update(v); }
