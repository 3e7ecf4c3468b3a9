// SPDX-License-Identifier: Apache-2.0
/* Privilege: traps in and out, interrupts and their priorities, WFI, fences, the S-mode timer, reset and start-up
 * (privileged manual 3 and 4, Sstc). State belongs to the vCPU's thread; others reach it only through vcpu.pins. */
#include "hv/base/string.h"
#include "hv/isa/riscv64/state.h"

/* ---- what hangs on the CSRs ---- */
static unsigned context_of(const struct rv_csrs *c, uint64_t privilege, bool is_data)
{
    if (privilege == RV_M) {
        return RV_CONTEXT_M;
    }
    if (c->satp >> 60 == RV_BARE) {
        return RV_CONTEXT_BARE;
    }
    bool mxr = is_data && (c->mstatus & RV_MXR), sum = is_data && (c->mstatus & RV_SUM);
    if (privilege == RV_U) {
        return mxr ? RV_CONTEXT_U_MXR : RV_CONTEXT_U;
    }
    return RV_CONTEXT_S + (sum ? 1u : 0u) + (mxr ? 2u : 0u);
}

static uint32_t fp_mode_of(const struct vcpu *v)
{
    static const enum rv_mode_fs of_fs[4] =
        { [RV_FS_OFF] = RV_MODE_FP_OFF, [RV_FS_INITIAL] = RV_MODE_FP_CLEAN, [RV_FS_CLEAN] = RV_MODE_FP_CLEAN, [RV_FS_DIRTY] = RV_MODE_FP_DIRTY };
    unsigned fs = (unsigned)(rv_csrs_const(v)->mstatus & RV_FS) >> RV_FS_SHIFT, round = v->regs.fp.round;
    if (fs == RV_FS_OFF) {
        return rv_mode(RV_MODE_FP_OFF, RV_MODE_ROUND_NEAREST);
    }
    return rv_mode(of_fs[fs], round == FP_RNE ? RV_MODE_ROUND_NEAREST : round <= FP_RMM ? RV_MODE_ROUND_OTHER : RV_MODE_ROUND_INVALID);
}

void rv_sync(struct vcpu *v)
{
    const struct rv_csrs *c = rv_csrs(v);
    uint64_t data = c->privilege == RV_M && (c->mstatus & RV_MPRV) ? (c->mstatus & RV_MPP) >> RV_MPP_SHIFT : c->privilege;
    unsigned data_context = context_of(c, data, true), fetch_context = context_of(c, c->privilege, false);
    uint16_t asid = (uint16_t)bits64(c->satp, 59, 44);
    v->regs.mode = fp_mode_of(v) | fetch_context << RV_MODE_CONTEXT_SHIFT;
    if (data_context != v->mmu.data_context || fetch_context != v->mmu.fetch_context) {
        mmu_set_context(&v->mmu, data_context, fetch_context);
    }
    if (asid != v->mmu.asid) {
        mmu_set_asid(&v->mmu, asid);
    }
}

unsigned rv_privilege_of(const struct vcpu *v)
{
    return (unsigned)rv_csrs_const(v)->privilege;
}

bool rv_illegal(struct vcpu *v, uint64_t opcode)
{
    v->fault = fault_invalid_opcode(guest_addr_make(v->regs.pc), (uint32_t)opcode);
    return false;
}

/* ---- traps (3.1.6, 3.1.7, 4.1.1) ---- */
struct trap { uint64_t cause, value; };

/* Causes of faults that name an access: fetch, load, store. AMOs and SC count as stores. */
static uint64_t cause_by_access(enum access_type how, uint64_t fetch, uint64_t load, uint64_t store)
{
    return how == ACCESS_EXECUTE ? fetch : access_is_write(how) ? store : load;
}

static struct trap trap_of(const struct fault *f)
{
    switch (f->kind) {
    case FAULT_PAGE:
        return (struct trap){ cause_by_access(f->page.access_type, RV_CAUSE_FETCH_PAGE, RV_CAUSE_LOAD_PAGE, RV_CAUSE_STORE_PAGE),
                              f->page.addr.v };
    case FAULT_BUS:
        return (struct trap){ cause_by_access(f->bus.access_type, RV_CAUSE_FETCH_ACCESS, RV_CAUSE_LOAD_ACCESS, RV_CAUSE_STORE_ACCESS),
                              f->bus.va.v };
    case FAULT_ALIGNMENT:
        return (struct trap){ cause_by_access(f->alignment.access_type, RV_CAUSE_FETCH_MISALIGNED, RV_CAUSE_LOAD_MISALIGNED,
                                              RV_CAUSE_STORE_MISALIGNED), f->alignment.addr.v };
    case FAULT_TRAP:
        return (struct trap){ f->trap.number, f->trap.value };
    case FAULT_INVALID_OPCODE:
        return (struct trap){ RV_CAUSE_ILLEGAL, f->invalid_opcode.opcode };
    case FAULT_GENERAL_PROTECTION:
        return (struct trap){ RV_CAUSE_ILLEGAL, f->protection.code };
    case FAULT_NONE: case FAULT_SEGMENT: case FAULT_KIND_COUNT:
        break;
    }
    return (struct trap){ RV_CAUSE_ILLEGAL, 0 };
}

static uint64_t vector(uint64_t tvec, uint64_t cause)
{
    uint64_t base = tvec & ~3ull;
    return (tvec & 1) && (cause & RV_CAUSE_INTERRUPT) ? base + 4 * (cause & 63) : base;
}

static void enter_s(struct vcpu *v, struct trap t)
{
    struct rv_csrs *c = rv_csrs(v);
    c->sepc = v->regs.pc;
    c->scause = t.cause;
    c->stval = t.value;
    c->mstatus = (c->mstatus & ~(uint64_t)(RV_SPIE | RV_SPP | RV_SIE)) | (c->mstatus & RV_SIE ? RV_SPIE : 0u) |
                 (c->privilege == RV_S ? RV_SPP : 0u);
    c->privilege = RV_S;
    v->regs.pc = vector(c->stvec, t.cause);
}

static void enter_m(struct vcpu *v, struct trap t)
{
    struct rv_csrs *c = rv_csrs(v);
    c->mepc = v->regs.pc;
    c->mcause = t.cause;
    c->mtval = t.value;
    c->mstatus = (c->mstatus & ~(uint64_t)(RV_MPIE | RV_MPP | RV_MIE)) | (c->mstatus & RV_MIE ? RV_MPIE : 0u) |
                 c->privilege << RV_MPP_SHIFT;
    c->privilege = RV_M;
    v->regs.pc = vector(c->mtvec, t.cause);
}

/* False: that level has no handler, its vector was never set. */
static bool enter(struct vcpu *v, struct trap t, bool to_s)
{
    const struct rv_csrs *c = rv_csrs(v);
    if (!(to_s ? c->stvec : c->mtvec)) {
        return false;
    }
    v->reservation.size_bytes = 0;
    (to_s ? enter_s : enter_m)(v, t);
    rv_sync(v);
    return true;
}

bool rv_take_fault(struct vcpu *v, const struct fault *f)
{
    const struct rv_csrs *c = rv_csrs(v);
    struct trap t = trap_of(f);
    return enter(v, t, c->privilege != RV_M && (c->medeleg >> (t.cause & 63) & 1));
}

/* ---- interrupts (3.1.9) ---- */
uint64_t rv_time(const struct vcpu *v)
{
    return v->clock ? guest_clock_ticks(v->clock) : 0;
}

uint64_t rv_mip(struct vcpu *v)
{
    const struct rv_csrs *c = rv_csrs(v);
    uint64_t pins = __atomic_load_n(&v->pins, __ATOMIC_ACQUIRE) & RV_PINS;       /* pairs with vcpu_set_pin */
    uint64_t timer = (c->menvcfg & RV_ENVCFG_STCE) && (c->is_stimer_due || rv_time(v) >= c->stimecmp) ? 1ull << RV_IRQ_STI : 0;
    return c->mip | pins | timer;
}

/* The same without a look at the clock: the deadline says when stimecmp is due. */
static uint64_t pending_enabled(const struct vcpu *v)
{
    const struct rv_csrs *c = rv_csrs_const(v);
    uint64_t pins = __atomic_load_n(&v->pins, __ATOMIC_ACQUIRE) & RV_PINS;
    return (c->mip | pins | (c->is_stimer_due ? 1ull << RV_IRQ_STI : 0)) & c->mie;
}

/* The interrupt to take now, or -1. Those for M-mode go first, then by 3.1.9's order. */
static int next_irq(const struct vcpu *v, bool *to_s)
{
    static const uint8_t order[] = { RV_IRQ_MEI, RV_IRQ_MSI, RV_IRQ_MTI, RV_IRQ_SEI, RV_IRQ_SSI, RV_IRQ_STI };
    const struct rv_csrs *c = rv_csrs_const(v);
    uint64_t pending = pending_enabled(v);
    if (!pending) {
        return -1;
    }
    bool m_open = c->privilege < RV_M || (c->mstatus & RV_MIE);
    bool s_open = c->privilege < RV_S || (c->privilege == RV_S && (c->mstatus & RV_SIE));
    uint64_t for_m = m_open ? pending & ~c->mideleg : 0, for_s = s_open ? pending & c->mideleg : 0;
    uint64_t choice = for_m ? for_m : for_s;
    *to_s = !for_m;
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        if (choice >> order[i] & 1) {
            return order[i];
        }
    }
    return -1;
}

bool rv_has_irq(struct vcpu *v)
{
    bool to_s;
    return next_irq(v, &to_s) >= 0;
}

bool rv_take_irq(struct vcpu *v)
{
    bool to_s;
    int irq = next_irq(v, &to_s);
    if (irq < 0 || !enter(v, (struct trap){ RV_CAUSE_INTERRUPT | (uint64_t)irq, 0 }, to_s)) return false;
    exit_count(&v->exits.irq[irq]);
    return true;
}

const char *rv_irq_name(unsigned cause)
{
    static const char *const name[] = { [RV_IRQ_SSI] = "s-software", [RV_IRQ_MSI] = "m-software", [RV_IRQ_STI] = "s-timer",
                                        [RV_IRQ_MTI] = "m-timer",    [RV_IRQ_SEI] = "s-external", [RV_IRQ_MEI] = "m-external" };
    return cause < ARRAY_COUNT(name) ? name[cause] : NULL;
}

bool rv_wakes(struct vcpu *v)
{
    return pending_enabled(v) != 0;
}

void rv_notice_irq(struct vcpu *v)
{
    if (rv_has_irq(v)) {
        (void)__atomic_fetch_or(&v->request, VCPU_REQUEST_IRQ, __ATOMIC_RELEASE);   /* taken by the engine at the next boundary */
    }
}

/* ---- the S-mode timer (Sstc) ---- */
void rv_arm_stimer(struct vcpu *v)
{
    struct rv_csrs *c = rv_csrs(v);
    uint64_t deadline_ns = UINT64_MAX;
    c->is_stimer_due = (c->menvcfg & RV_ENVCFG_STCE) && rv_time(v) >= c->stimecmp;
    if ((c->menvcfg & RV_ENVCFG_STCE) && !c->is_stimer_due && v->clock) {
        deadline_ns = guest_clock_deadline_ns(v->clock, c->stimecmp);
    }
    vcpu_set_deadline(v, deadline_ns);
    rv_notice_irq(v);
}

void rv_deadline(struct vcpu *v)
{
    rv_arm_stimer(v);                                   /* due now, or armed again when the clock was stopped meanwhile */
}

void rv_set_stimecmp(struct vcpu *v, uint64_t ticks)
{
    rv_csrs(v)->stimecmp = ticks;
    rv_arm_stimer(v);
}

/* ---- helpers of lift_system.c; a = opcode ---- */
static uint64_t ecall(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t c)
{
    const struct rv_csrs *csrs = rv_csrs(v);
    (void)opcode; (void)b; (void)c;
    if (csrs->privilege == RV_S && csrs->has_sbi) {
        v->hypercall = RV_HYPERCALL_SBI;
    } else {
        v->fault = fault_trap(RV_CAUSE_ECALL_U + (uint32_t)csrs->privilege, 0);
    }
    return 0;
}
const struct ir_helper RV_HELPER_ECALL = { "riscv64_ecall", ecall, HELPER_MAY_FAULT };

static uint64_t sret(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t unused)
{
    struct rv_csrs *c = rv_csrs(v);
    (void)b; (void)unused;
    if (c->privilege == RV_U || (c->privilege == RV_S && (c->mstatus & RV_TSR))) {
        return (uint64_t)rv_illegal(v, opcode);
    }
    c->privilege = c->mstatus & RV_SPP ? RV_S : RV_U;
    c->mstatus = (c->mstatus & ~(uint64_t)(RV_SIE | RV_SPP | RV_MPRV)) | RV_SPIE | (c->mstatus & RV_SPIE ? RV_SIE : 0u);
    rv_sync(v);
    rv_notice_irq(v);
    return c->sepc;
}
const struct ir_helper RV_HELPER_SRET = { "riscv64_sret", sret, HELPER_MAY_FAULT };

static uint64_t mret(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t unused)
{
    struct rv_csrs *c = rv_csrs(v);
    (void)b; (void)unused;
    if (c->privilege != RV_M) {
        return (uint64_t)rv_illegal(v, opcode);
    }
    c->privilege = (c->mstatus & RV_MPP) >> RV_MPP_SHIFT;
    c->mstatus = (c->mstatus & ~(uint64_t)(RV_MIE | RV_MPP)) | RV_MPIE | (c->mstatus & RV_MPIE ? RV_MIE : 0u);
    if (c->privilege != RV_M) {
        c->mstatus &= ~(uint64_t)RV_MPRV;
    }
    rv_sync(v);
    rv_notice_irq(v);
    return c->mepc;
}
const struct ir_helper RV_HELPER_MRET = { "riscv64_mret", mret, HELPER_MAY_FAULT };

/* U-mode may not wait; S-mode may unless M keeps it (3.1.6.5: the bounded time is none). */
static uint64_t wfi(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t unused)
{
    const struct rv_csrs *c = rv_csrs(v);
    (void)b; (void)unused;
    if (c->privilege == RV_U || (c->privilege == RV_S && (c->mstatus & RV_TW))) {
        (void)rv_illegal(v, opcode);
    }
    return 0;
}
const struct ir_helper RV_HELPER_WFI = { "riscv64_wfi", wfi, HELPER_MAY_FAULT };

static bool may_sfence(struct vcpu *v, uint64_t opcode, bool heeds_tvm)
{
    const struct rv_csrs *c = rv_csrs(v);
    if (c->privilege == RV_U || (heeds_tvm && c->privilege == RV_S && (c->mstatus & RV_TVM))) {
        return rv_illegal(v, opcode);
    }
    return true;
}

/* sfence.vma and sinval.vma (4.2.1): register number 0 means all, whatever its value. */
static uint64_t sfence(struct vcpu *v, uint64_t opcode, uint64_t at, uint64_t asid)
{
    bool is_page = bits64(opcode, 19, 15), is_asid = bits64(opcode, 24, 20);
    if (!may_sfence(v, opcode, true)) {
        return 0;
    }
    if (is_page && is_asid) {
        mmu_flush_tlb_page_asid(&v->mmu, guest_addr_make(at), (uint16_t)asid);
    } else if (is_page) {
        mmu_flush_tlb_page(&v->mmu, guest_addr_make(at));
    } else if (is_asid) {
        mmu_flush_tlb_asid(&v->mmu, (uint16_t)asid);
    } else {
        mmu_flush_tlb(&v->mmu);
    }
    return 0;
}
const struct ir_helper RV_HELPER_SFENCE = { "riscv64_sfence_vma", sfence, HELPER_MAY_FAULT };

/* sfence.w.inval and sfence.inval.ir order what sinval.vma does; here that is done at once. */
static uint64_t sfence_inval(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t c)
{
    (void)b; (void)c;
    (void)may_sfence(v, opcode, false);
    return 0;
}
const struct ir_helper RV_HELPER_SFENCE_INVAL = { "riscv64_sfence_inval", sfence_inval, HELPER_MAY_FAULT };

static uint64_t fence_i(struct vcpu *v, uint64_t opcode, uint64_t b, uint64_t c)
{
    (void)opcode; (void)b; (void)c;
    if (v->engine) {
        v->engine->forget_code(v, guest_phys_addr_make(0), UINT64_MAX);
    }
    return 0;
}
const struct ir_helper RV_HELPER_FENCE_I = { "riscv64_fence_i", fence_i, 0 };

static uint64_t fp_dirty(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c)
{
    (void)a; (void)b; (void)c;
    rv_csrs(v)->mstatus |= RV_FS;
    v->regs.mode = fp_mode_of(v) | v->mmu.fetch_context << RV_MODE_CONTEXT_SHIFT;
    return 0;
}
const struct ir_helper RV_HELPER_FP_DIRTY = { "riscv64_fp_dirty", fp_dirty, 0 };

/* ---- reset and start-up ---- */
void rv_reset(struct vcpu *v)
{
    struct rv_csrs *c = rv_csrs(v);
    uint64_t has_svadu = c->has_svadu, max_satp_mode = c->max_satp_mode;
    memset(&v->regs, 0, sizeof v->regs);
    c->has_svadu = has_svadu;
    c->max_satp_mode = max_satp_mode;
    c->privilege = RV_M;
    c->mstatus = RV_UXL | RV_SXL;
    c->menvcfg = has_svadu ? RV_ENVCFG_ADUE : 0;
    c->stimecmp = UINT64_MAX;
    c->mcycle_offset = c->minstret_offset = 0 - vcpu_insns_retired(v, 0);
    v->regs.fp.nan_rule = FP_NAN_CANONICAL;
    v->reservation.size_bytes = 0;
    v->fault.kind = FAULT_NONE;
    v->hypercall = 0;
    v->is_halted = false;
    (void)__atomic_fetch_and(&v->pins, ~(1u << RV_IRQ_SSI), __ATOMIC_ACQ_REL);
    rv_pmp_sync(v);
    rv_sync(v);
    rv_arm_stimer(v);
}

void rv_set_svadu(struct vcpu *v, bool svadu)
{
    struct rv_csrs *c = rv_csrs(v);
    c->has_svadu = svadu;
    c->menvcfg = svadu ? c->menvcfg | RV_ENVCFG_ADUE : c->menvcfg & ~RV_ENVCFG_ADUE;
    mmu_flush_tlb(&v->mmu);
}

void rv_set_max_satp_mode(struct vcpu *v, enum rv_satp_mode mode)
{
    rv_csrs(v)->max_satp_mode = mode;
}

void rv_set_boot(struct vcpu *v, bool sbi, uint64_t pc, uint64_t a0, uint64_t a1)
{
    struct rv_csrs *c = rv_csrs(v);
    rv_reset(v);
    v->regs.pc = pc;
    v->regs.slot[10] = a0;
    v->regs.slot[11] = a1;
    if (sbi) {                                          /* what an M-mode firmware would have arranged */
        c->has_sbi = true;
        c->privilege = RV_S;
        c->medeleg = 0xb3ff & ~(1ull << RV_CAUSE_ECALL_S);
        c->mideleg = 1u << RV_IRQ_SSI | 1u << RV_IRQ_STI | 1u << RV_IRQ_SEI;
        c->mcounteren = c->scounteren = 7;
        c->menvcfg |= RV_ENVCFG_STCE;
        c->pmpaddr[0] = (1ull << 54) - 1;
        c->pmpcfg[0] = RV_PMP_NAPOT << 3 | RV_PMP_R | RV_PMP_W | RV_PMP_X;
    }
    rv_pmp_sync(v);
    rv_sync(v);
    rv_arm_stimer(v);
}
