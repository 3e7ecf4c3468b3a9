// SPDX-License-Identifier: Apache-2.0
/* What an arm64 guest leaves the CPU for, and how that is served. */
#include "hv/isa/arm64/machine.h"

/* Kinds, for statistics. */
#define KIND_LIST(_) _(HOST, "host") _(RAM, "memory") _(MMIO, "mmio") _(FETCH, "fetch") _(WFI, "wfi") _(HVC, "hvc") _(SMC, "smc") \
                     _(SYSREG, "sysreg") _(STEP, "step") _(OTHER, "other")
enum kind {
#define X(e, n) KIND_##e,
    KIND_LIST(X)
#undef X
};

static const char *exit_name(unsigned kind)
{
    static const char *const name[EXITS_NATIVE] = {
#define X(e, n) n,
        KIND_LIST(X)
#undef X
    };
    return name[kind];
}

static unsigned class_of(const struct vcpu *v) { return (unsigned)bits64(arm64_state_const(v)->hw.esr, 31, 26); }

static unsigned exit_kind(const struct vcpu *v, const struct hw_exit *x)
{
    switch (x->kind) {
    case HW_EXIT_HOST: return KIND_HOST;
    case HW_EXIT_STEP: return KIND_STEP;
    case HW_EXIT_MEMORY:
        if (gmem_is_ram(v->mmu.gmem, x->gpa, 1)) return KIND_RAM;
        return x->how == ACCESS_EXECUTE ? KIND_FETCH : KIND_MMIO;
    case HW_EXIT_GUEST:
        switch (class_of(v)) {
        case ARM64_EC_WFX:    return KIND_WFI;
        case ARM64_EC_HVC:    return KIND_HVC;
        case ARM64_EC_SMC:    return KIND_SMC;
        case ARM64_EC_SYSREG: return KIND_SYSREG;
        }
        break;
    case HW_EXIT_FAILED: break;
    }
    return KIND_OTHER;
}

/* ---- before and after ---- */
static void load(struct vcpu *v)              /* on every entry, and there mostly is nothing */
{
    struct arm64_frame *f = &arm64_state(v)->hw;
    f->time_offset_ns = __atomic_load_n(&v->clock->offset_ns, __ATOMIC_RELAXED);
    const struct arm64_machine *m = arm64_machine(v);
    f->lr_count = gic_load(m->gic, v->id, f->lr, m->lr_count, &f->wants_room);
    if (!f->lr_count) return;
    f->lr_was_pending = 0;
    for (unsigned i = 0; i < f->lr_count; i++) f->lr_was_pending |= (uint32_t)(f->lr[i] >> 62 & 1) << i;
}

/* A list register that was loaded as pending and is not any more: the guest took the interrupt. */
static NOINLINE void save_interrupts(struct vcpu *v, struct arm64_frame *f)
{
    for (unsigned i = 0; i < f->lr_count; i++) {
        uint64_t intid = f->lr[i] & ARM64_LR_INTID;
        if (f->lr_was_pending >> i & 1 && !(f->lr[i] & ARM64_LR_PENDING)) exit_count(&v->exits.irq[intid < EXITS_IRQS ? intid : EXITS_IRQS - 1]);
    }
    struct gic *g = arm64_machine(v)->gic;
    gic_save(g, v->id, f->lr, f->lr_count);
    if (f->unlisted_ends) gic_deactivate_unlisted(g, v->id, f->unlisted_ends);
    f->lr_count = f->unlisted_ends = 0;
}

static void save(struct vcpu *v)
{
    struct arm64_frame *f = &arm64_state(v)->hw;
    if (f->lr_count) save_interrupts(v, f);
    if (f->timer_line != arm64_state(v)->vtimer_line) arm64_vtimer_set_line(v, f->timer_line);
}

/* ---- devices ---- */

/* What the CPU says of a load or store: ISS of a data abort, with ISV (D19.2.40). */
static uint64_t extended(uint64_t value, unsigned size_bytes, bool is_signed, bool is_64bit)
{
    if (is_signed) value = (uint64_t)sign_extend64(value, 8 * size_bytes);
    return is_64bit ? value : (uint32_t)value;
}

static NOINLINE void mmio(struct vcpu *v, const struct hw_exit *x)
{
    uint64_t esr = arm64_state(v)->hw.esr, far = arm64_state(v)->hw.far;
    unsigned size = 1u << bits64(esr, 23, 22), reg = (unsigned)bits64(esr, 20, 16);
    bool is_known = esr & bit64(24), is_maintenance = esr & bit64(8), is_walk = esr & bit64(7), is_aborted = false;
    if (is_maintenance && !is_walk) {                    /* of a cache line that is none of memory's: nothing to do */
        v->regs.pc += 4;
        return;
    }
    if (!is_known || is_walk) {
        if (is_walk || !arm64_emulate_access(v, x->gpa, &is_aborted) || is_aborted) arm64_external_abort(v, false, x->how == ACCESS_WRITE, far);
        return;
    }
    uint64_t value = x->how == ACCESS_WRITE ? arm64_x(v, reg) : 0;
    if (x->how == ACCESS_WRITE && size < 8) value &= bit64(8 * size) - 1;
    if (x->how == ACCESS_WRITE && gmem_is_ram(v->mmu.gmem, x->gpa, size)) {
        v->regs.pc += 4;                                 /* ROM takes no notice */
        return;
    }
    if (vm_failed(mmu_device_access(&v->mmu, x->gpa, size, x->how, &value))) {
        arm64_external_abort(v, false, x->how == ACCESS_WRITE, far);
        return;
    }
    if (x->how == ACCESS_READ) arm64_set_x(v, reg, extended(value, size, esr & bit64(21), esr & bit64(15)));
    v->regs.pc += 4;
}

/* ---- the rest ---- */
static enum exec_status wait_for_interrupt(struct vcpu *v)
{
    v->regs.pc += 4;
    native_put(v);
    arm64_vtimer_arm(v);
    return EXEC_HALTED;
}

/* HVC comes back behind itself, a trapped SMC at itself (D1.3.4, D1.3.2). */
static enum exec_status call(struct vcpu *v, bool is_smc)
{
    if (is_smc) v->regs.pc += 4;
    if (psci_answer(v)) return EXEC_CONTINUE;
    v->hypercall = ARM64_HYPERCALL_SMCCC;
    return EXEC_IO_REQUEST;
}

static enum exec_status serve(struct vcpu *v, const struct hw_exit *x, struct vm_error *error)
{
    uint64_t esr = arm64_state(v)->hw.esr;
    (void)error;
    if (x->kind == HW_EXIT_MEMORY) {
        if (x->how == ACCESS_EXECUTE) arm64_external_abort(v, true, false, arm64_state(v)->hw.far);
        else mmio(v, x);
        return EXEC_CONTINUE;
    }
    switch (class_of(v)) {
    case ARM64_EC_WFX:
        return wait_for_interrupt(v);
    case ARM64_EC_HVC:
    case ARM64_EC_SMC:
        return call(v, class_of(v) == ARM64_EC_SMC);
    case ARM64_EC_SYSREG:
        if (arm64_trapped_sysreg(v, esr)) v->regs.pc += 4;
        else arm64_undefined(v);
        return EXEC_CONTINUE;
    }
    arm64_undefined(v);                                  /* something that this CPU has and the guest was not promised */
    return EXEC_CONTINUE;
}

const struct native_ops ARM64_NATIVE = { .load = load, .save = save, .exit = serve, .exit_kind = exit_kind, .exit_name = exit_name };
