// SPDX-License-Identifier: Apache-2.0
/* System registers that trap (ISS of class 0x18, D19.2.40): identification, with what a guest here does not get taken out; the
 * physical counter and timer; software interrupts of GICv3; debug and performance registers, which are not there but may be touched. */
#include "hv/isa/arm64/machine.h"

/* op0, op1, CRn, CRm, op2 as one number. */
#define REG(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))

static uint32_t reg_of(uint64_t esr)
{
    return REG((uint32_t)bits64(esr, 21, 20), (uint32_t)bits64(esr, 16, 14), (uint32_t)bits64(esr, 13, 10), (uint32_t)bits64(esr, 4, 1), (uint32_t)bits64(esr, 19, 17));
}

/* ---- identification: fields of the host's that stay; then what they are at most ---- */
struct id_rule { uint8_t crm, op2; uint64_t keep, set; };
#define F(lsb) (15ull << (lsb))
static const struct id_rule id_rules[] = {
    /* PFR0: EL0 and EL1 in AArch64; FP, AdvSIMD, DIT, CSV3 */
    { 4, 0, F(16) | F(20) | F(48) | F(60), 0x11 },
    { 4, 1, F(0) | F(4), 0 },                                        /* PFR1: BTI, SSBS */
    { 5, 0, 0, 0x6 | 1ull << 12 | 1ull << 20 },                      /* DFR0: the v8 debug architecture, two breakpoints, two watchpoints */
    { 6, 0, ~F(24), 0 },                                             /* ISAR0: no TME */
    { 6, 1, ~(F(4) | F(8) | F(24) | F(28) | F(60)), 0 },             /* ISAR1: no pointer authentication, no LS64 */
    { 7, 0, F(4) | F(8) | F(16) | F(20) | F(24) | F(28), 2 },        /* MMFR0: ASIDBits, BigEnd, BigEndEL0, granules; 40 address bits */
    { 7, 1, F(0) | F(12) | F(20) | F(36), 0 },                       /* MMFR1: HAFDBS, HPDS, PAN, ETS */
    { 7, 2, F(0) | F(4) | F(16) | F(20) | F(28) | F(32) | F(52) | F(60), 0 },    /* MMFR2: CnP, UAO, VARange, CCIDX, ST, AT, BBM, E0PD */
};

static uint64_t read_id(const struct vcpu *v, unsigned crm, unsigned op2)
{
    for (unsigned i = 0; i < ARRAY_COUNT(id_rules); i++) {
        const struct id_rule *r = &id_rules[i];
        if (r->crm != crm || r->op2 != op2) continue;
        uint64_t value = (hw_support()->arm64->id(crm, op2) & r->keep) | r->set;
        if (crm == 4 && op2 == 0 && arm64_machine(v)->gic_version == 3) value |= 1ull << 24;
        return value;
    }
    return 0;                                                        /* 32-bit state, and what is not known here, is not there */
}

/* ---- the physical timer ---- */
static uint64_t read_cntpct(const struct vcpu *v)    { return guest_clock_ticks(v->clock); }
static uint64_t read_cntp_tval(const struct vcpu *v) { return (uint32_t)(arm64_state_const(v)->cntp_cval - guest_clock_ticks(v->clock)); }
static uint64_t read_cntp_cval(const struct vcpu *v) { return arm64_state_const(v)->cntp_cval; }
static uint64_t read_cntp_ctl(const struct vcpu *v)
{
    const struct arm64_state *s = arm64_state_const(v);
    return s->cntp_ctl | (s->cntp_ctl & 1 && guest_clock_ticks(v->clock) >= s->cntp_cval ? 4 : 0);
}
static void write_cntp_tval(struct vcpu *v, uint64_t x)
{
    arm64_state(v)->cntp_cval = guest_clock_ticks(v->clock) + (uint64_t)(int64_t)(int32_t)x;
    arm64_ptimer_update(v);
}
static void write_cntp_ctl(struct vcpu *v, uint64_t x)
{
    arm64_state(v)->cntp_ctl = x & 3;
    arm64_ptimer_update(v);
}
static void write_cntp_cval(struct vcpu *v, uint64_t x)
{
    arm64_state(v)->cntp_cval = x;
    arm64_ptimer_update(v);
}

/* ---- others ---- */
static uint64_t zero(const struct vcpu *v)           { (void)v; return 0; }
static void     nothing(struct vcpu *v, uint64_t x)  { (void)v, (void)x; }
static uint64_t read_mdscr(const struct vcpu *v)     { return arm64_state_const(v)->hw.mdscr_el1; }
static void     write_mdscr(struct vcpu *v, uint64_t x) { arm64_state(v)->hw.mdscr_el1 = x; }
static uint64_t read_oslsr(const struct vcpu *v)     { (void)v; return 8; }      /* an OS lock there is, and it is open */
static void     deactivate(struct vcpu *v, uint64_t x) { gic_deactivate(arm64_machine(v)->gic, v->id, x & 0xffffff); }
static void     send_sgi(struct vcpu *v, uint64_t x) { gic_send_sgi(arm64_machine(v)->gic, v->id, x); }

static const struct { uint32_t reg; uint64_t (*read)(const struct vcpu *v); void (*write)(struct vcpu *v, uint64_t x); } rows[] = {
    { REG(3, 3, 14, 0, 1), read_cntpct, NULL },                      /* CNTPCT_EL0 */
    { REG(3, 3, 14, 2, 0), read_cntp_tval, write_cntp_tval },        /* CNTP_TVAL_EL0, CNTP_CTL_EL0, CNTP_CVAL_EL0 */
    { REG(3, 3, 14, 2, 1), read_cntp_ctl, write_cntp_ctl },
    { REG(3, 3, 14, 2, 2), read_cntp_cval, write_cntp_cval },
    { REG(3, 0, 12, 11, 5), NULL, send_sgi },                        /* ICC_SGI1R_EL1; ASGI1R and SGI0R mean another security state's */
    { REG(3, 0, 12, 11, 1), NULL, deactivate },                      /* ICC_DIR_EL1, when not all active ones are in list registers */
    { REG(3, 0, 12, 11, 6), NULL, nothing },
    { REG(3, 0, 12, 11, 7), NULL, nothing },
    { REG(3, 0, 1, 0, 1), zero, nothing },                           /* ACTLR_EL1 */
    { REG(1, 0, 7, 6, 2), NULL, nothing },                           /* DC ISW, CSW, CISW: memory is coherent with what the guest is given */
    { REG(1, 0, 7, 10, 2), NULL, nothing },
    { REG(1, 0, 7, 14, 2), NULL, nothing },
    { REG(2, 0, 0, 2, 2), read_mdscr, write_mdscr },                 /* MDSCR_EL1 */
    { REG(2, 0, 1, 1, 4), read_oslsr, NULL },                        /* OSLSR_EL1 */
};

/* Debug (op0 = 2) and performance monitors (CRn 9, and 14 from CRm 8 on): read as zero, take what is written. */
static bool is_absent(uint32_t reg)
{
    uint32_t op0 = reg >> 14, op1 = reg >> 11 & 7, crn = reg >> 7 & 15, crm = reg >> 3 & 15;
    return op0 == 2 || (op0 == 3 && (op1 == 3 || op1 == 0) && crn == 9 && crm >= 12) || (op0 == 3 && op1 == 3 && crn == 14 && crm >= 8);
}

bool arm64_trapped_sysreg(struct vcpu *v, uint64_t esr)
{
    uint32_t reg = reg_of(esr);
    unsigned rt = (unsigned)bits64(esr, 9, 5);
    bool is_read = esr & 1;
    if (reg >> 7 == REG(3, 0, 0, 0, 0) >> 7 && is_read) {
        arm64_set_x(v, rt, read_id(v, reg >> 3 & 15, reg & 7));
        return true;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].reg != reg) continue;
        if (is_read ? !rows[i].read : !rows[i].write) return false;
        if (is_read) arm64_set_x(v, rt, rows[i].read(v));
        else rows[i].write(v, arm64_x(v, rt));
        return true;
    }
    if (!is_absent(reg)) return false;
    if (is_read) arm64_set_x(v, rt, 0);
    return true;
}
