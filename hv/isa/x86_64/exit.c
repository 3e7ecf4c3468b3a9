// SPDX-License-Identifier: Apache-2.0
/* What a guest leaves for is served here, and interrupts find their way in: before an entry the local APIC's next vector goes into the
 * event field, or, where the guest does not take one now, the CPU is asked to leave as soon as it would. */
#include "hv/isa/x86_64/access.h"
#include "hv/isa/x86_64/insn.h"
#include "drivers/virt/i8259.h"
#include "drivers/virt/lapic.h"
#include "hv/base/string.h"
#include "hv/exec/native.h"

static struct vm_error internal(const char *why) { return vm_error_because(VM_CORE_INTERNAL, why); }

/* ---- going in ---- */

/* The vector that the 8259 or the local APIC would deliver, or -1; is_held: but for the TPR. */
static int next_vector(struct vcpu *v, bool *is_external, bool *is_held)
{
    struct x86_machine *m = x86_machine(v);
    *is_held = false;
    *is_external = __atomic_load_n(&v->pins, __ATOMIC_SEQ_CST) >> X86_PIN_EXTERNAL & 1 && lapic_takes_external(m->lapic, v->id);
    return *is_external ? 256 : lapic_next(m->lapic, v->id, is_held);
}

static uint8_t accept(struct vcpu *v, int vector, bool is_external)
{
    struct x86_machine *m = x86_machine(v);
    if (is_external) return i8259_acknowledge(m->pic);
    lapic_accept(m->lapic, v->id, (uint8_t)vector);
    return (uint8_t)vector;
}

/* What came since: the pins are taken down before anybody looks at what they stand for. */
static void take_pins(struct vcpu *v, struct x86_state *s)
{
    enum { TAKEN = 1 << X86_PIN_INTR | 1 << X86_PIN_NMI };
    if (!(__atomic_load_n(&v->pins, __ATOMIC_SEQ_CST) & TAKEN)) return;
    uint32_t pins = __atomic_fetch_and(&v->pins, ~(uint32_t)TAKEN, __ATOMIC_SEQ_CST);
    if (pins >> X86_PIN_NMI & 1) s->is_nmi_pending = true;
    s->has_news = true;
}

static bool takes_interrupts(const struct x86_frame *f) { return f->rflags & X86_IF && !f->in_shadow; }

/* ---- an APIC that the CPU plays ---- */
static bool cpu_plays_apic(const struct x86_state *s)
{
    enum { X2 = 1 << 10, ON = 1 << 11 };
    return s->frame.offers_apic && (s->apic_base & (X2 | ON)) == (X2 | ON);
}

static NOINLINE void lend_apic(struct vcpu *v, struct x86_state *s)
{
    struct x86_apic *a = &s->frame.apic;
    struct lapic_vectors l;
    a->is_busy = lapic_lend(x86_machine(v)->lapic, v->id, &l);
    s->lent_at = l.inits;
    if (!a->is_busy) return;
    memcpy(a->irr, l.irr, sizeof a->irr);
    memcpy(a->isr, l.isr, sizeof a->isr);
    memcpy(a->ends, l.ends, sizeof a->ends);
}

static NOINLINE void take_apic_back(struct vcpu *v, struct x86_state *s)
{
    struct x86_apic *a = &s->frame.apic;
    struct lapic_vectors l = { .inits = s->lent_at };
    memcpy(l.irr, a->irr, sizeof l.irr);
    memcpy(l.isr, a->isr, sizeof l.isr);
    lapic_return(x86_machine(v)->lapic, v->id, &l);
    a->is_busy = false;
    s->has_news = true;
}

/* Something may have changed since the last entry. */
static NOINLINE void load_events(struct vcpu *v, struct x86_state *s)
{
    struct x86_frame *f = &s->frame;
    bool is_external, is_held;
    if (f->uses_apic != cpu_plays_apic(s)) {
        f->uses_apic = !f->uses_apic;
        s->has_news = true;
    }
    f->cr8 = s->cr8_loaded = lapic_cr8(x86_machine(v)->lapic, v->id);
    f->wants_irq_window = f->wants_nmi_window = false;
    bool is_busy = f->event & X86_EVENT_VALID;
    if (s->is_nmi_pending) {
        if (is_busy || f->in_shadow || f->is_nmi_blocked) {
            f->wants_nmi_window = true;
        } else {
            f->event = X86_EVENT_VALID | X86_EVENT_NMI | X86_NMI;
            f->is_nmi_blocked = true;
            s->is_nmi_pending = false;
            is_busy = true;
        }
    }
    if (!s->has_news) return;
    f->wants_cr8_exit = false;
    if (f->uses_apic) lend_apic(v, s);
    int vector = next_vector(v, &is_external, &is_held);
    if (vector < 0) {
        s->has_news = false;
        f->wants_cr8_exit = is_held;
        return;
    }
    if (is_busy || !takes_interrupts(f)) {
        f->wants_irq_window = true;
        return;
    }
    uint8_t taken = accept(v, vector, is_external);
    f->event = X86_EVENT_VALID | X86_EVENT_INTERRUPT | taken;
    exit_count(&v->exits.irq[taken >> 4]);          /* by priority class */
    f->wants_irq_window = next_vector(v, &is_external, &is_held) >= 0;
}

/* On every entry, and there mostly is nothing: then what the last one asked for is asked for no more. */
static void load(struct vcpu *v)
{
    struct x86_state *s = x86_state(v);
    s->frame.clock_offset_ns = v->clock->offset_ns;
    take_pins(v, s);
    if (s->has_news || s->is_nmi_pending || s->frame.uses_apic != cpu_plays_apic(s)) load_events(v, s);
}

/* The CPU has played the APIC, or the guest has moved CR8. */
static NOINLINE void save_apic(struct vcpu *v, struct x86_state *s)
{
    if (s->frame.apic.is_busy) take_apic_back(v, s);
    if (s->frame.cr8 == s->cr8_loaded) return;
    lapic_set_cr8(x86_machine(v)->lapic, v->id, (uint8_t)s->frame.cr8);
    s->has_news = true;
}

static void save(struct vcpu *v)
{
    struct x86_state *s = x86_state(v);
    v->regs.mode = x86_code_bits(&s->frame) & 63;       /* for decode_insn */
    if (unlikely(s->frame.apic.is_busy || s->frame.cr8 != s->cr8_loaded)) save_apic(v, s);
}

bool x86_has_irq(struct vcpu *v)
{
    struct x86_state *s = x86_state(v);
    bool is_external, is_held;
    take_pins(v, s);
    return (s->is_nmi_pending && !s->frame.is_nmi_blocked) || (s->frame.rflags & X86_IF && next_vector(v, &is_external, &is_held) >= 0);
}

void x86_complete(struct vcpu *v)
{
    if (x86_frame(v)->is_partial) native_put(v);
}

/* ---- over an instruction ---- */
void x86_advance_by(struct vcpu *v, unsigned bytes)
{
    struct x86_frame *f = x86_frame(v);
    uint64_t pc = v->regs.pc + bytes;
    v->regs.pc = x86_is_64bit(f) ? pc : (uint32_t)pc;
    f->in_shadow = false;
    if (!(f->rflags & X86_TF)) return;
    f->dr6 |= X86_DR6_BS;
    f->is_changed = true;
    x86_raise(f, X86_DB);
}

void x86_advance(struct vcpu *v)
{
    static const uint8_t usual[X86_EXIT_COUNT] = { [X86_EXIT_CPUID] = 2, [X86_EXIT_RDMSR] = 2, [X86_EXIT_WRMSR] = 2, [X86_EXIT_HLT] = 1,
                                                   [X86_EXIT_HYPERCALL] = 3, [X86_EXIT_XSETBV] = 3, [X86_EXIT_SKIP] = 2 };
    struct x86_frame *f = x86_frame(v);
    if (!f->exit.insn_bytes) {
        const struct x86_insn *i = x86_insn_at_pc(v);
        f->exit.insn_bytes = i ? i->length : usual[f->exit.kind];       /* code that is gone already: what it was, without prefixes */
    }
    x86_advance_by(v, f->exit.insn_bytes);
}

/* ---- exits: each serves one kind ---- */
static enum exec_status do_deny(struct vcpu *v, struct vm_error *error)
{
    (void)error;
    x86_raise_error(x86_frame(v), X86_GP, 0);
    return EXEC_CONTINUE;
}

static enum exec_status do_undefined(struct vcpu *v, struct vm_error *error)
{
    (void)error;
    x86_raise(x86_frame(v), X86_UD);
    return EXEC_CONTINUE;
}

static enum exec_status do_skip(struct vcpu *v, struct vm_error *error)
{
    (void)error;
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_nothing(struct vcpu *v, struct vm_error *error)
{
    (void)v, (void)error;
    return EXEC_CONTINUE;
}

static enum exec_status do_end(struct vcpu *v, struct vm_error *error)
{
    (void)error;
    lapic_ended(x86_machine(v)->lapic, x86_frame(v)->exit.vector);
    return EXEC_CONTINUE;
}

static enum exec_status fail_at_task(struct vcpu *v, struct vm_error *error)
{
    (void)v;
    *error = internal("the guest switches tasks by a TSS, which is not carried out");
    return EXEC_FAILED;
}

static enum exec_status fail_at_other(struct vcpu *v, struct vm_error *error)
{
    (void)v;
    *error = internal("the CPU left the guest for a reason that is not known");
    return EXEC_FAILED;
}

static enum exec_status do_cpuid(struct vcpu *v, struct vm_error *error)
{
    uint64_t *slot = v->regs.slot;
    uint32_t *r = x86_frame(v)->exit.cpuid;
    (void)error;
    x86_cpuid(v, (uint32_t)slot[X86_RAX], (uint32_t)slot[X86_RCX], r);
    slot[X86_RAX] = r[0];
    slot[X86_RBX] = r[1];
    slot[X86_RCX] = r[2];
    slot[X86_RDX] = r[3];
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_rdmsr(struct vcpu *v, struct vm_error *error)
{
    uint64_t *slot = v->regs.slot, value = 0;
    if (!x86_rdmsr(v, (uint32_t)slot[X86_RCX], &value)) return do_deny(v, error);
    slot[X86_RAX] = (uint32_t)value;
    slot[X86_RDX] = value >> 32;
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_wrmsr(struct vcpu *v, struct vm_error *error)
{
    const uint64_t *slot = v->regs.slot;
    if (!x86_wrmsr(v, (uint32_t)slot[X86_RCX], (uint32_t)slot[X86_RAX] | slot[X86_RDX] << 32)) return do_deny(v, error);
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_port(struct vcpu *v, struct vm_error *error)
{
    const struct x86_exit *x = &x86_frame(v)->exit;
    uint64_t *rax = &v->regs.slot[X86_RAX], value = x86_low(*rax, x->size_bytes);
    if (x->is_string) return x86_emulate(v, NULL, error);
    x86_port(v, x->port, x->size_bytes, x->is_in ? ACCESS_READ : ACCESS_WRITE, &value);
    if (x->is_in) *rax = x->size_bytes == 4 ? (uint32_t)value : (*rax & ~((1ull << 8 * x->size_bytes) - 1)) | x86_low(value, x->size_bytes);
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_halt(struct vcpu *v, struct vm_error *error)
{
    (void)error;
    x86_advance(v);
    return x86_has_irq(v) ? EXEC_CONTINUE : EXEC_HALTED;
}

/* KVM's numbers, of which none is offered. */
static enum exec_status do_hypercall(struct vcpu *v, struct vm_error *error)
{
    enum { NO_SUCH = -1000, NOT_ALLOWED = -1 };
    (void)error;
    v->regs.slot[X86_RAX] = (uint64_t)(x86_frame(v)->cpl ? NOT_ALLOWED : NO_SUCH);
    x86_advance(v);
    return EXEC_CONTINUE;
}

/* SDM 13.3: x87 always, AVX only with SSE. */
static enum exec_status do_xsetbv(struct vcpu *v, struct vm_error *error)
{
    enum { X87 = 1, SSE = 2, AVX = 4 };
    struct x86_frame *f = x86_frame(v);
    uint64_t value = (uint32_t)v->regs.slot[X86_RAX] | v->regs.slot[X86_RDX] << 32;
    bool is_lawful = !f->cpl && !(uint32_t)v->regs.slot[X86_RCX] && value & X87 && !(value & ~7ull) && (!(value & AVX) || value & SSE);
    if (!is_lawful) return do_deny(v, error);
    f->xcr0 = value;
    f->is_changed = true;
    x86_advance(v);
    return EXEC_CONTINUE;
}

static bool write_cr0(struct vcpu *v, uint64_t value)
{
    struct x86_frame *f = x86_frame(v);
    uint64_t changed = value ^ f->cr0;
    bool is_paged = value & X86_CR0_PG;
    if (value >> 32 || (is_paged && !(value & X86_CR0_PE)) || (value & X86_CR0_NW && !(value & X86_CR0_CD))) return false;
    if (changed & X86_CR0_PG && f->efer & X86_EFER_LME) {
        if (is_paged && (!(f->cr4 & X86_CR4_PAE) || f->segment[X86_CS].rights & X86_RIGHTS_L)) return false;
        if (is_paged) f->efer |= X86_EFER_LMA;
        else f->efer &= ~(uint64_t)X86_EFER_LMA;
    }
    f->cr0 = value | X86_CR0_ET;
    f->is_changed = true;
    if (changed & X86_CR0_PG) x86_load_pdptes(v);
    return true;
}

static bool write_cr4(struct vcpu *v, uint64_t value)
{
    enum { VIRTUALIZATION = 3 << 13, PGE = 1 << 7 };
    struct x86_frame *f = x86_frame(v);
    if (value & VIRTUALIZATION || value >> 23) return false;
    if (x86_is_long(f) && (!(value & X86_CR4_PAE) || (value ^ f->cr4) & X86_CR4_LA57)) return false;
    bool reloads = (value ^ f->cr4) & (X86_CR4_PAE | X86_CR4_PSE | PGE);
    f->cr4 = value;
    f->is_changed = true;
    if (reloads) x86_load_pdptes(v);
    return true;
}

bool x86_write_cr(struct vcpu *v, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0: return write_cr0(v, value);
    case 4: return write_cr4(v, value);
    case 8:
        if (value >> 4) return false;
        lapic_set_cr8(x86_machine(v)->lapic, v->id, (uint8_t)value);
        x86_frame(v)->cr8 = x86_state(v)->cr8_loaded = (uint8_t)value;
        x86_state(v)->has_news = true;
        return true;
    }
    return false;
}

static enum exec_status do_cr(struct vcpu *v, struct vm_error *error)
{
    struct x86_frame *f = x86_frame(v);
    struct x86_exit *x = &f->exit;
    if (x->cr == X86_CR_UNKNOWN) {
        enum exec_status status = x86_emulate_cr(v, error);
        if (status != EXEC_CONTINUE) return status;
    }
    if (x->is_cr_read) {
        v->regs.slot[x->cr_slot] = x->cr == 8 ? f->cr8 : x->cr == 4 ? f->cr4 : f->cr0;
    } else {
        uint64_t value = x->cr_slot < 16 ? v->regs.slot[x->cr_slot] : x->cr_value;
        if (!x86_is_64bit(f)) value = (uint32_t)value;
        if (!x86_write_cr(v, x->cr, value)) return do_deny(v, error);
    }
    x86_advance(v);
    return EXEC_CONTINUE;
}

static enum exec_status do_shutdown(struct vcpu *v, struct vm_error *error)
{
    struct x86_machine *m = x86_machine(v);
    (void)error;
    m->host.power(m->host.vm, POWER_REBOOT, 0);
    return EXEC_OK;
}

static NOINLINE enum exec_status exit_memory(struct vcpu *v, const struct hw_exit *x, struct vm_error *error)
{
    if (x->how != ACCESS_EXECUTE) return x86_emulate(v, x, error);
    *error = vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_phys_addr_to_guest_addr(x->gpa));
    return EXEC_FAILED;
}

static enum exec_status serve(struct vcpu *v, const struct hw_exit *x, struct vm_error *error)
{
    static enum exec_status (*const by_kind[X86_EXIT_COUNT])(struct vcpu *v, struct vm_error *error) = {
        [X86_EXIT_CPUID] = do_cpuid,
        [X86_EXIT_RDMSR] = do_rdmsr,
        [X86_EXIT_WRMSR] = do_wrmsr,
        [X86_EXIT_PORT] = do_port,
        [X86_EXIT_HLT] = do_halt,
        [X86_EXIT_HYPERCALL] = do_hypercall,
        [X86_EXIT_SHUTDOWN] = do_shutdown,
        [X86_EXIT_XSETBV] = do_xsetbv,
        [X86_EXIT_CR] = do_cr,
        [X86_EXIT_SKIP] = do_skip,
        [X86_EXIT_EOI] = do_end,
        [X86_EXIT_UNDEFINED] = do_undefined,
        [X86_EXIT_DENIED] = do_deny,
        [X86_EXIT_IRQ_WINDOW] = do_nothing,          /* the next load delivers */
        [X86_EXIT_NMI_WINDOW] = do_nothing,
        [X86_EXIT_EXCEPTION] = do_nothing,
        [X86_EXIT_TASK] = fail_at_task,
        [X86_EXIT_OTHER] = fail_at_other,
    };
    if (x->kind == HW_EXIT_MEMORY) return exit_memory(v, x, error);
    return by_kind[x86_frame(v)->exit.kind](v, error);
}

/* ---- statistics ---- */
enum { KIND_HOST, KIND_MEMORY, KIND_STEP, KIND_FAILED, KIND_GUEST };
_Static_assert(KIND_GUEST + X86_EXIT_COUNT < EXITS_NATIVE, "a counter each");

static unsigned exit_kind(const struct vcpu *v, const struct hw_exit *x)
{
    if (likely(x->kind == HW_EXIT_GUEST)) return KIND_GUEST + x86_state_const(v)->frame.exit.kind;
    switch (x->kind) {
    case HW_EXIT_HOST:   return KIND_HOST;
    case HW_EXIT_MEMORY: return KIND_MEMORY;
    case HW_EXIT_STEP:   return KIND_STEP;
    case HW_EXIT_FAILED: return KIND_FAILED;
    case HW_EXIT_GUEST:  break;
    }
    return KIND_FAILED;
}

static const char *exit_name(unsigned kind)
{
    static const char *const name[] = {
        [KIND_HOST] = "host interrupt", [KIND_MEMORY] = "nested page fault", [KIND_STEP] = "step", [KIND_FAILED] = "failed",
#define X(e, n) [KIND_GUEST + (e)] = n,
        X86_EXIT_LIST(X)
#undef X
    };
    return kind < ARRAY_COUNT(name) ? name[kind] : NULL;
}

const struct native_ops X86_NATIVE = { .load = load, .save = save, .exit = serve, .exit_kind = exit_kind, .exit_name = exit_name };
