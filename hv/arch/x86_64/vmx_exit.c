// SPDX-License-Identifier: Apache-2.0
/* VT-x: the guest's registers between frame and VMCS, and exits in the architecture's terms. SDM 24.4, 27.2. */
#include "hv/arch/x86_64/vmcs.h"
#include "hv/base/bits.h"

#define DR6_BS      (1ull << 14)
#define EFER_LMA    (1ull << 10)
#define DR6_DETAILS 0xe00fu
#define UNUSABLE    (1u << 16)
#define OPERAND     0x180u                  /* of a qualification: there is a linear address, and gpa is its translation: table 27-7 */
#define NMI_UNBLOCKED (1u << 12)

/* ---- frame and VMCS ---- */

/* In the VMCS's order; GDTR and IDTR are apart there. */
static const uint8_t order[] = { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_LDTR, X86_TR };

static uint32_t rights_of(const struct x86_segment *s)
{
    if (!(s->rights & X86_RIGHTS_P)) return UNUSABLE;
    return (s->rights & 0xffu) | (uint32_t)(s->rights & 0xf00) << 4;
}
static uint16_t rights_from(uint64_t v) { return v & UNUSABLE ? 0 : (uint16_t)((v & 0xff) | (v >> 4 & 0xf00)); }

void x86_64_vmx_take_frame(struct vmx_vcpu *v, const struct x86_frame *f)
{
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        const struct x86_segment *s = &f->segment[order[i]];
        uint32_t rights = rights_of(s);
        if (order[i] == X86_TR) rights = (rights & 0xf0f0u) | X86_RIGHTS_P | 0xb;       /* the entry wants a busy TSS */
        if (order[i] != X86_TR && order[i] != X86_LDTR && !(rights & UNUSABLE)) rights |= 1;         /* accessed */
        vmx_write(VMCS_GUEST_ES + 2 * i, s->selector);
        vmx_write(VMCS_GUEST_ES_LIMIT + 2 * i, s->limit);
        vmx_write(VMCS_GUEST_ES_RIGHTS + 2 * i, rights);
        vmx_write(VMCS_GUEST_ES_BASE + 2 * i, s->base);
    }
    vmx_write(VMCS_GUEST_GDTR_BASE, f->segment[X86_GDTR].base);
    vmx_write(VMCS_GUEST_GDTR_LIMIT, f->segment[X86_GDTR].limit & 0xffff);
    vmx_write(VMCS_GUEST_IDTR_BASE, f->segment[X86_IDTR].base);
    vmx_write(VMCS_GUEST_IDTR_LIMIT, f->segment[X86_IDTR].limit & 0xffff);
    v->cr0_shadow = f->cr0;
    v->cr4_shadow = f->cr4;
    vmx_write(VMCS_GUEST_CR0, (f->cr0 & ~VMX_CR0_MASK) | VMX_CR0_ONE);
    vmx_write(VMCS_CR0_SHADOW, f->cr0);
    vmx_write(VMCS_GUEST_CR4, f->cr4 | VMX_CR4_ONE);
    vmx_write(VMCS_CR4_SHADOW, f->cr4);
    vmx_write(VMCS_GUEST_CR3, f->cr3);
    vmx_write(VMCS_GUEST_EFER, f->efer);
    vmx_write(VMCS_GUEST_PAT, f->pat);
    vmx_write(VMCS_GUEST_DR7, f->dr7);
    vmx_write(VMCS_GUEST_SYSENTER_CS, f->sysenter_cs);
    vmx_write(VMCS_GUEST_SYSENTER_ESP, f->sysenter_esp);
    vmx_write(VMCS_GUEST_SYSENTER_EIP, f->sysenter_eip);
    for (unsigned i = 0; i < 4; i++) vmx_write(VMCS_GUEST_PDPTE0 + 2 * i, f->pdpte[i]);
    X86_64_WRITE_CR(2, f->cr2);
}

void x86_64_vmx_give_crs(struct vmx_vcpu *v, struct x86_frame *f)
{
    f->cr0 = (vmx_read(VMCS_GUEST_CR0) & ~VMX_CR0_MASK) | (v->cr0_shadow & VMX_CR0_MASK);
    f->cr4 = (vmx_read(VMCS_GUEST_CR4) & VMX_CR4_FREE) | (v->cr4_shadow & ~VMX_CR4_FREE);
    f->cr3 = vmx_read(VMCS_GUEST_CR3);
}

void x86_64_vmx_give_frame(struct vmx_vcpu *v, struct x86_frame *f)
{
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        struct x86_segment *s = &f->segment[order[i]];
        s->selector = (uint16_t)vmx_read(VMCS_GUEST_ES + 2 * i);
        s->limit = (uint32_t)vmx_read(VMCS_GUEST_ES_LIMIT + 2 * i);
        s->rights = rights_from(vmx_read(VMCS_GUEST_ES_RIGHTS + 2 * i));
        s->base = vmx_read(VMCS_GUEST_ES_BASE + 2 * i);
    }
    f->segment[X86_GDTR].base = vmx_read(VMCS_GUEST_GDTR_BASE);
    f->segment[X86_GDTR].limit = (uint32_t)vmx_read(VMCS_GUEST_GDTR_LIMIT);
    f->segment[X86_IDTR].base = vmx_read(VMCS_GUEST_IDTR_BASE);
    f->segment[X86_IDTR].limit = (uint32_t)vmx_read(VMCS_GUEST_IDTR_LIMIT);
    x86_64_vmx_give_crs(v, f);
    f->cr2 = X86_64_READ_CR(2);
    f->dr7 = vmx_read(VMCS_GUEST_DR7);
    f->sysenter_cs = vmx_read(VMCS_GUEST_SYSENTER_CS);
    f->sysenter_esp = vmx_read(VMCS_GUEST_SYSENTER_ESP);
    f->sysenter_eip = vmx_read(VMCS_GUEST_SYSENTER_EIP);
    for (unsigned i = 0; i < 4; i++) f->pdpte[i] = vmx_read(VMCS_GUEST_PDPTE0 + 2 * i);
}

/* ---- exits ---- */
static uint64_t read_dr6(void)       { uint64_t v; __asm__ volatile("mov %%db6, %0" : "=r"(v)); return v; }
static void write_dr6(uint64_t v)    { __asm__ volatile("mov %0, %%db6" : : "r"(v)); }

/* 27.2.2. A debug exception that we look at has not changed DR6 yet. */
static void exit_exception(const struct hw_run *run, struct hw_exit *out)
{
    enum { NMI_TYPE = 2, HAS_ERROR = 1 << 11 };
    struct x86_frame *f = run->frame;
    uint32_t info = (uint32_t)vmx_read(VMCS_EXIT_EVENT);
    unsigned vector = info & 0xff;
    f->exit.kind = X86_EXIT_EXCEPTION;
    if ((info >> 8 & 7) == NMI_TYPE) {
        __asm__ volatile("int $2");
        out->kind = HW_EXIT_HOST;
        return;
    }
    if (vector == X86_MC) {
        __asm__ volatile("int $18");
        out->kind = HW_EXIT_HOST;
        return;
    }
    if (vector == X86_DB) {
        uint64_t what = vmx_read(VMCS_QUALIFICATION) & DR6_DETAILS;
        if (run->is_step && what & DR6_BS) {
            out->kind = HW_EXIT_STEP;
            return;
        }
        write_dr6((read_dr6() & ~0xfull) | what);
    }
    f->event = X86_EVENT_VALID | X86_EVENT_EXCEPTION | vector | (info & HAS_ERROR);
    f->event_error = (uint32_t)vmx_read(VMCS_EXIT_EVENT_ERROR);
}

/* 27.2.1, table 27-3 */
static void exit_cr(struct x86_frame *f)
{
    enum { TO, FROM, CLTS, LMSW, TS = 1 << 3 };
    struct x86_exit *x = &f->exit;
    uint64_t q = vmx_read(VMCS_QUALIFICATION);
    x->kind = X86_EXIT_CR;
    x->cr = q & 15;
    x->is_cr_read = (q >> 4 & 3) == FROM;
    x->cr_slot = (uint8_t)(q >> 8 & 15);
    if ((q >> 4 & 3) < CLTS) return;
    x->cr = 0;
    x->cr_slot = 255;
    x->cr_value = (q >> 4 & 3) == CLTS ? f->cr0 & ~(uint64_t)TS : (f->cr0 & ~0xeull) | (q >> 16 & 0xf);
}

static void exit_port(struct x86_exit *x)
{
    uint64_t q = vmx_read(VMCS_QUALIFICATION);
    x->kind = X86_EXIT_PORT;
    x->port = (uint16_t)(q >> 16);
    x->size_bytes = (uint8_t)((q & 7) + 1);
    x->is_in = q >> 3 & 1;
    x->is_string = q >> 4 & 1;
}

static void exit_memory(struct x86_frame *f, struct hw_exit *out)
{
    uint64_t q = vmx_read(VMCS_QUALIFICATION);
    if (q & NMI_UNBLOCKED && !(f->event & X86_EVENT_VALID)) f->is_nmi_blocked = true;       /* the IRET comes again */
    f->exit.is_operand = (q & OPERAND) == OPERAND && !(f->event & X86_EVENT_VALID);
    out->kind = HW_EXIT_MEMORY;
    out->gpa.v = vmx_read(VMCS_GPA);
    out->how = q & 2 ? ACCESS_WRITE : q & 4 ? ACCESS_EXECUTE : ACCESS_READ;
}

/* All that there is to know of them: the kind, and whether its server needs little. */
enum { KNOWN = 0x80, LITTLE = KNOWN | 0x40, KIND = 0x3f };
_Static_assert((int)X86_EXIT_COUNT <= KIND, "plain_exits holds a kind");
static const uint8_t plain_exits[] = {
    [VMX_REASON_HLT] = LITTLE | X86_EXIT_HLT,                 [VMX_REASON_VMCALL] = LITTLE | X86_EXIT_HYPERCALL, [VMX_REASON_IRQ_WINDOW] = LITTLE | X86_EXIT_IRQ_WINDOW,
    [VMX_REASON_TRIPLE_FAULT] = KNOWN | X86_EXIT_SHUTDOWN,    [VMX_REASON_NMI_WINDOW] = KNOWN | X86_EXIT_NMI_WINDOW, [VMX_REASON_TASK] = KNOWN | X86_EXIT_TASK,
    [VMX_REASON_RDMSR] = KNOWN | X86_EXIT_RDMSR,              [VMX_REASON_WRMSR] = KNOWN | X86_EXIT_WRMSR,       [VMX_REASON_XSETBV] = KNOWN | X86_EXIT_XSETBV,
    [VMX_REASON_INVD] = KNOWN | X86_EXIT_SKIP,                [VMX_REASON_WBINVD] = KNOWN | X86_EXIT_SKIP,       [VMX_REASON_PAUSE] = KNOWN | X86_EXIT_SKIP,
    [VMX_REASON_GETSEC] = KNOWN | X86_EXIT_UNDEFINED,         [VMX_REASON_MWAIT] = KNOWN | X86_EXIT_UNDEFINED,   [VMX_REASON_MONITOR] = KNOWN | X86_EXIT_UNDEFINED,
    [VMX_REASON_INVEPT] = KNOWN | X86_EXIT_UNDEFINED,         [VMX_REASON_INVVPID] = KNOWN | X86_EXIT_UNDEFINED, [VMX_REASON_VMFUNC] = KNOWN | X86_EXIT_UNDEFINED,
    [VMX_REASON_RDPMC] = KNOWN | X86_EXIT_DENIED,
};

/* Others. */
static NOINLINE bool explain_more(struct vmx_vcpu *v, const struct hw_run *run, struct hw_exit *out, uint32_t reason)
{
    struct x86_frame *f = run->frame;
    struct x86_exit *x = &f->exit;
    x->code = reason;
    x->kind = X86_EXIT_OTHER;
    if (reason & VMX_REASON_FAILED) {
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "VT-x refuses this state of the guest" };
        return false;
    }
    switch (reason & 0xffff) {
    case VMX_REASON_INTERRUPT: case VMX_REASON_INIT: case VMX_REASON_SIPI: case VMX_REASON_TIMER: case VMX_REASON_TPR:
        out->kind = HW_EXIT_HOST;
        return true;
    case VMX_REASON_EXCEPTION:
        exit_exception(run, out);
        return out->kind == HW_EXIT_HOST;
    case VMX_REASON_EPT:
        exit_memory(f, out);
        if (!(f->efer & EFER_LMA && f->segment[X86_CS].rights & X86_RIGHTS_L)) return false;       /* in 64-bit code segments have no say */
        x86_64_vmx_give_crs(v, f);
        return true;
    case VMX_REASON_EPT_BAD:
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "VT-x refuses an entry of our nested tables" };
        return false;
    case VMX_REASON_EOI:
        x->kind = X86_EXIT_EOI;
        x->vector = (uint8_t)vmx_read(VMCS_QUALIFICATION);
        return false;
    }
    x->insn_bytes = (uint8_t)vmx_read(VMCS_INSN_LENGTH);
    switch (reason & 0xffff) {
    case VMX_REASON_PORT:
        exit_port(x);
        return !x->is_string;
    case VMX_REASON_CR:
        exit_cr(f);
        return false;
    case VMX_REASON_CPUID: {
        struct x86_64_cpuid c = x86_64_cpuid((uint32_t)run->slot[0], (uint32_t)run->slot[1]);
        x->kind = X86_EXIT_CPUID;
        x->cpuid[0] = c.a;
        x->cpuid[1] = c.b;
        x->cpuid[2] = c.c;
        x->cpuid[3] = c.d;
        x86_64_vmx_give_crs(v, f);
        return true;
    }
    }
    if (reason >= VMX_REASON_VMCLEAR && reason <= VMX_REASON_VMXON) x->kind = X86_EXIT_UNDEFINED;
    return false;
}

bool x86_64_vmx_explain(struct vmx_vcpu *v, const struct hw_run *run, struct hw_exit *out)
{
    struct x86_exit *x = &((struct x86_frame *)run->frame)->exit;
    uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
    unsigned plain = reason < ARRAY_COUNT(plain_exits) ? plain_exits[reason] : 0;
    out->kind = HW_EXIT_GUEST;
    x->is_string = x->is_operand = false;
    x->insn_bytes = 0;
    if (!plain) return explain_more(v, run, out, reason);
    x->kind = (enum x86_exit_kind)(plain & KIND);
    x->insn_bytes = (uint8_t)vmx_read(VMCS_INSN_LENGTH);
    return (plain & LITTLE) == LITTLE;
}
