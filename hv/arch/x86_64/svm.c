// SPDX-License-Identifier: Apache-2.0
/* AMD-V with nested paging: APM 15. The VMCB holds the guest's truth while its turn lasts; the frame is a copy that is taken over
 * when somebody changed it. Per core: the host's own VMCB, for what VMRUN does not save, and the address space numbers. */
#include "hv/arch/x86_64/hw.h"
#include "hv/arch/x86_64/vmcb.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MSR_EFER     0xc0000080u
#define MSR_VM_CR    0xc0010114u
#define MSR_HSAVE_PA 0xc0010117u
#define MSR_TSC_AUX  0xc0000103u
#define EFER_LMA     (1ull << 10)
#define EFER_SVME    (1ull << 12)
#define VM_CR_SVMDIS (1u << 4)
#define RFLAGS_TF    (1ull << 8)
#define DR6_BS       (1ull << 14)

#define INTERCEPTS_3  (VMCB_INTR | VMCB_NMI | VMCB_INIT | VMCB_RDPMC | VMCB_CPUID | VMCB_INVD | VMCB_HLT | VMCB_INVLPGA | VMCB_IOIO | VMCB_MSR | \
                       VMCB_FERR_FREEZE | VMCB_SHUTDOWN)
#define IO_MAP_PAGES  3
#define MSR_MAP_PAGES 2
#define CORE_PAGES    2                     /* the host's save area, the host's VMCB */

struct svm_vcpu {
    struct hw_memory memory;                /* hwvirt.c's */
    struct hw_vm    *vm;
    struct hw_state  state;
    uint64_t         vm_generation;         /* of the tables that this address space number was used with */
    uint64_t         asid_generation;       /* of the core's numbers */
    unsigned         core;
    uint64_t         host_vmcb;             /* of the core that it is on */
    bool             asks;                  /* the VMCB has more intercepts than INTERCEPTS_3 */
};
_Static_assert(sizeof(struct svm_vcpu) <= HV_PAGE_BYTES, "the VMCB is the second page");

/* A core's own. Numbers are given out one after the other; when all are used, the TLB is flushed and they start anew. */
struct svm_core { uint64_t host_vmcb; uint64_t generation; uint32_t next_asid; bool needs_flush; };
static struct svm_core cores[ARCH_MAX_CPUS];
static uint32_t asid_count;
static bool has_next_rip;
static uint8_t *io_map, *msr_map;           /* the same for all guests; made with the first, as the next are */
static uint8_t *core_pages;                 /* CORE_PAGES for each core */

bool x86_64_svm_enter(uint64_t *slot, uint64_t vmcb, uint64_t host_vmcb, const uint32_t *request);

static struct vmcb *vmcb_of(struct svm_vcpu *v) { return (struct vmcb *)((uint8_t *)v + HV_PAGE_BYTES); }

static const char *absence(void)
{
    enum { NESTED_PAGING = 1 << 0, NEXT_RIP = 1 << 3 };
    if (!(x86_64_cpuid_if(0x80000001, 0).c >> 2 & 1)) return "this CPU has neither AMD-V nor VT-x";
    if (x86_64_rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) return "firmware has switched AMD-V off (VM_CR.SVMDIS)";
    struct x86_64_cpuid c = x86_64_cpuid_if(0x8000000a, 0);
    if (!(c.d & NESTED_PAGING)) return "this CPU's AMD-V has no nested paging";
    if (c.b < 2) return "this CPU's AMD-V has no address space numbers";
    asid_count = c.b;
    has_next_rip = c.d & NEXT_RIP;
    return NULL;
}

/* ---- a core's own ---- */

/* APM 15.4, 15.30.4 */
static void core_on(struct svm_core *c, unsigned core)
{
    if (c->host_vmcb) return;
    uint8_t *pages = core_pages + core * CORE_PAGES * HV_PAGE_BYTES;
    x86_64_wrmsr(MSR_EFER, x86_64_rdmsr(MSR_EFER) | EFER_SVME);
    x86_64_wrmsr(MSR_HSAVE_PA, (uint64_t)pages);
    c->host_vmcb = (uint64_t)(pages + HV_PAGE_BYTES);
    __asm__ volatile("vmsave %%rax" : : "a"(c->host_vmcb) : "memory");
    c->generation = 1;
    c->next_asid = 1;
}

/* An address space number is a vCPU's on one core for one state of its VM's tables. */
static void take_asid(struct svm_vcpu *v, struct svm_core *c, unsigned core)
{
    struct vmcb *b = vmcb_of(v);
    uint64_t tables = __atomic_load_n(&v->vm->generation, __ATOMIC_ACQUIRE);
    if (v->core == core && v->asid_generation == c->generation && v->vm_generation == tables) return;
    if (c->next_asid == asid_count) {
        c->next_asid = 1;
        c->generation++;
        c->needs_flush = true;
    }
    b->asid = c->next_asid++;
    v->core = core;
    v->asid_generation = c->generation;
    v->vm_generation = tables;
}

/* ---- pages ---- */

/* Two bits an MSR, in three ranges of 8,192 (APM 15.11): these are the guest's own, switched by VMLOAD and VMSAVE. */
static void let_msr_pass(uint32_t msr)
{
    uint32_t bit = 2 * (msr & 0x1fff) + (msr >= 0xc0000000 ? 2 * 0x2000 : 0);
    msr_map[bit / 8] &= (uint8_t)~(3u << bit % 8);
}

/* For ever, and for every core at once: what a guest's life costs does not depend on where it ran. */
static bool make_pages(const struct hw_memory *memory)
{
    static const uint32_t own[] = { 0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102 };
    if (io_map) return true;
    unsigned of_cores = arch_cpu_count() * CORE_PAGES, of_maps = IO_MAP_PAGES + MSR_MAP_PAGES;
    uint8_t *pages = memory->alloc(of_maps + of_cores, 1);
    if (!pages) return false;
    memset(pages, 0xff, of_maps * HV_PAGE_BYTES);
    memset(pages + of_maps * HV_PAGE_BYTES, 0, of_cores * HV_PAGE_BYTES);
    core_pages = pages + of_maps * HV_PAGE_BYTES;
    msr_map = pages + IO_MAP_PAGES * HV_PAGE_BYTES;
    for (unsigned i = 0; i < ARRAY_COUNT(own); i++) let_msr_pass(own[i]);
    io_map = pages;
    return true;
}

static const char *vcpu_init(struct hw_vcpu *hw, struct hw_vm *vm, unsigned id)
{
    struct svm_vcpu *v = (struct svm_vcpu *)hw;
    struct vmcb *b = vmcb_of(v);
    (void)id;
    if (!make_pages(&vm->memory)) return "no memory to switch AMD-V on";
    v->vm = vm;
    b->exceptions = 1u << X86_DB | 1u << X86_AC | 1u << X86_MC;
    b->intercept_4 = VMCB_VMRUN | VMCB_VMMCALL | VMCB_VMLOAD | VMCB_VMSAVE | VMCB_STGI | VMCB_CLGI | VMCB_SKINIT | VMCB_WBINVD | VMCB_MONITOR |
                     VMCB_MWAIT | VMCB_MWAIT_ARMED | VMCB_XSETBV;
    b->intercept_3 = INTERCEPTS_3;
    b->io_map = (uint64_t)io_map;
    b->msr_map = (uint64_t)msr_map;
    b->interrupt_control = VMCB_V_MASKING;
    b->has_nested_paging = 1;
    b->nested_cr3 = (uint64_t)vm->root;
    return NULL;
}

static void vcpu_exit(struct hw_vcpu *hw) { (void)hw; }

/* ---- frame and VMCB ---- */
static void take_frame(struct vmcb *b, const struct x86_frame *f)
{
    memcpy(b->segment, f->segment, sizeof b->segment);
    b->cpl = f->cpl;
    b->efer = f->efer | EFER_SVME;
    b->cr0 = f->cr0;
    b->cr2 = f->cr2;
    b->cr3 = f->cr3;
    b->cr4 = f->cr4;
    b->dr6 = f->dr6;
    b->dr7 = f->dr7;
    b->star = f->star;
    b->lstar = f->lstar;
    b->cstar = f->cstar;
    b->sfmask = f->sfmask;
    b->kernel_gs_base = f->kernel_gs_base;
    b->sysenter_cs = f->sysenter_cs;
    b->sysenter_esp = f->sysenter_esp;
    b->sysenter_eip = f->sysenter_eip;
    b->pat = f->pat;
}

static void give_frame(const struct vmcb *b, struct x86_frame *f)
{
    memcpy(f->segment, b->segment, sizeof b->segment);
    f->cpl = b->cpl;
    f->efer = b->efer & ~EFER_SVME;
    f->cr0 = b->cr0;
    f->cr2 = b->cr2;
    f->cr3 = b->cr3;
    f->cr4 = b->cr4;
    f->dr6 = b->dr6;
    f->dr7 = b->dr7;
    f->star = b->star;
    f->lstar = b->lstar;
    f->cstar = b->cstar;
    f->sfmask = b->sfmask;
    f->kernel_gs_base = b->kernel_gs_base;
    f->sysenter_cs = b->sysenter_cs;
    f->sysenter_esp = b->sysenter_esp;
    f->sysenter_eip = b->sysenter_eip;
}

/* What is enough to fetch an instruction, to step over it, and to find its operand where segments have no say. */
static void give_little(const struct vmcb *b, struct x86_frame *f)
{
    f->segment[X86_CS].rights = b->segment[X86_CS].rights;
    f->cpl = b->cpl;
    f->efer = b->efer & ~EFER_SVME;
    f->cr0 = b->cr0;
    f->cr3 = b->cr3;
    f->cr4 = b->cr4;
}

/* What one entry is to do besides running. */
static void ask(struct svm_vcpu *v, struct vmcb *b, const struct x86_frame *f)
{
    uint32_t control = VMCB_V_MASKING | ((uint32_t)f->cr8 & 15);
    bool asks = f->wants_irq_window | f->wants_cr8_exit | f->is_nmi_blocked;
    if (asks | v->asks) {
        v->asks = asks;
        b->intercept_3 = INTERCEPTS_3 | (f->wants_irq_window ? VMCB_VINTR : 0) | (f->is_nmi_blocked ? VMCB_IRET : 0);
        /* with an interrupt pending too: there QEMU's emulation ends by an assertion of its own at a write to CR8 */
        b->cr_writes = f->wants_cr8_exit || f->wants_irq_window ? 1u << 8 : 0;
        if (f->wants_irq_window) control |= VMCB_V_IRQ | VMCB_V_IGNORE_TPR | VMCB_V_PRIORITY_15;
    }
    b->interrupt_control = control;
    b->interrupt_shadow = f->in_shadow;
    b->event = f->event;
    if (f->event) b->event_error = f->event_error;
}

/* An event that the exit interrupted is to be delivered again; what an instruction caused comes again with the instruction
 * (INT n, INT3, INTO: rip is still at it). */
static void keep_event(const struct vmcb *b, struct x86_frame *f)
{
    uint32_t e = b->exit_event;
    f->event = 0;
    if (!(e & X86_EVENT_VALID)) return;
    unsigned type = e & X86_EVENT_TYPE, vector = e & 0xff;
    if (type == X86_EVENT_SOFTWARE || (type == X86_EVENT_EXCEPTION && (vector == 3 || vector == 4))) return;
    f->event = e;
    f->event_error = b->exit_event_error;
}

/* ---- exits in the architecture's terms ---- */
static void exit_port(const struct vmcb *b, struct x86_exit *x)
{
    uint64_t i = b->exit_info_1;
    x->kind = X86_EXIT_PORT;
    x->port = (uint16_t)(i >> 16);
    x->size_bytes = (uint8_t)(i >> 4 & 7);
    x->is_in = i & 1;
    x->is_string = i >> 2 & 1;
    x->insn_bytes = (uint8_t)(b->exit_info_2 - b->rip);
}

/* True: little is needed. In 64-bit code segments have no say. */
static bool exit_memory(const struct vmcb *b, struct x86_frame *f, struct hw_exit *out)
{
    f->exit.is_operand = b->exit_info_1 >> 32 & 1 && !(f->event & X86_EVENT_VALID);
    out->kind = HW_EXIT_MEMORY;
    out->gpa.v = b->exit_info_2;
    out->how = b->exit_info_1 & 2 ? ACCESS_WRITE : b->exit_info_1 & 16 ? ACCESS_EXECUTE : ACCESS_READ;
    return b->efer & EFER_LMA && b->segment[X86_CS].rights & X86_RIGHTS_L;
}

/* The guest's debug exception, or ours for a step; alignment checks are only looked at so that they cannot follow each other
 * for ever inside the CPU. */
static void exit_exception(struct vmcb *b, struct x86_frame *f, bool is_step, struct hw_exit *out)
{
    unsigned vector = (unsigned)(b->exit_code - VMCB_EXIT_EXCEPTION);
    f->exit.kind = X86_EXIT_EXCEPTION;
    if (vector == X86_MC) {
        __asm__ volatile("int $18");
        return;
    }
    if (vector == X86_DB && is_step && b->dr6 & DR6_BS) {
        b->dr6 &= ~DR6_BS;
        out->kind = HW_EXIT_STEP;
        return;
    }
    f->event = X86_EVENT_VALID | X86_EVENT_EXCEPTION | vector | (vector == X86_AC ? X86_EVENT_HAS_ERROR : 0);
    f->event_error = (uint32_t)b->exit_info_1;
}

/* All that there is to know of them: the kind, and whether its server needs little. */
enum { KNOWN = 0x80, LITTLE = KNOWN | 0x40, KIND = 0x3f };
_Static_assert((int)X86_EXIT_COUNT <= KIND, "plain_exits holds a kind");
static const uint8_t plain_exits[] = {
    [VMCB_EXIT_HLT] = LITTLE | X86_EXIT_HLT,         [VMCB_EXIT_VMMCALL] = LITTLE | X86_EXIT_HYPERCALL, [VMCB_EXIT_VINTR] = LITTLE | X86_EXIT_IRQ_WINDOW,
    [VMCB_EXIT_SHUTDOWN] = KNOWN | X86_EXIT_SHUTDOWN,[VMCB_EXIT_XSETBV] = KNOWN | X86_EXIT_XSETBV,      [VMCB_EXIT_RDPMC] = KNOWN | X86_EXIT_DENIED,
    [VMCB_EXIT_INVD] = KNOWN | X86_EXIT_SKIP,        [VMCB_EXIT_WBINVD] = KNOWN | X86_EXIT_SKIP,        [VMCB_EXIT_PAUSE] = KNOWN | X86_EXIT_SKIP,
    [VMCB_EXIT_VMRUN] = KNOWN | X86_EXIT_UNDEFINED,  [VMCB_EXIT_VMLOAD] = KNOWN | X86_EXIT_UNDEFINED,   [VMCB_EXIT_VMSAVE] = KNOWN | X86_EXIT_UNDEFINED,
    [VMCB_EXIT_STGI] = KNOWN | X86_EXIT_UNDEFINED,   [VMCB_EXIT_CLGI] = KNOWN | X86_EXIT_UNDEFINED,     [VMCB_EXIT_SKINIT] = KNOWN | X86_EXIT_UNDEFINED,
    [VMCB_EXIT_INVLPGA] = KNOWN | X86_EXIT_UNDEFINED,[VMCB_EXIT_MONITOR] = KNOWN | X86_EXIT_UNDEFINED,  [VMCB_EXIT_MWAIT] = KNOWN | X86_EXIT_UNDEFINED,
    [VMCB_EXIT_MWAIT_ARMED] = KNOWN | X86_EXIT_UNDEFINED,
};

/* Others. True: little is needed. */
static NOINLINE bool explain(struct vmcb *b, struct x86_frame *f, const struct hw_run *run, struct hw_exit *out)
{
    struct x86_exit *x = &f->exit;
    uint32_t code = (uint32_t)b->exit_code;
    x->kind = X86_EXIT_OTHER;
    x->code = code;
    switch (code) {
    case VMCB_EXIT_INTR: case VMCB_EXIT_NMI: case VMCB_EXIT_SMI: case VMCB_EXIT_INIT: case VMCB_EXIT_FERR_FREEZE:
        out->kind = HW_EXIT_HOST;
        return true;
    case VMCB_EXIT_NPF:
        return exit_memory(b, f, out);
    case VMCB_EXIT_IOIO:
        exit_port(b, x);
        return !x->is_string;
    case VMCB_EXIT_MSR:
        x->kind = b->exit_info_1 & 1 ? X86_EXIT_WRMSR : X86_EXIT_RDMSR;
        return false;
    case VMCB_EXIT_CPUID: {
        struct x86_64_cpuid c = x86_64_cpuid((uint32_t)run->slot[0], (uint32_t)run->slot[1]);
        x->kind = X86_EXIT_CPUID;
        x->cpuid[0] = c.a;
        x->cpuid[1] = c.b;
        x->cpuid[2] = c.c;
        x->cpuid[3] = c.d;
        return true;
    }
    case VMCB_EXIT_CR8_WRITE:
        x->kind = X86_EXIT_CR;
        x->cr = X86_CR_UNKNOWN;
        return false;
    case VMCB_EXIT_IRET:                    /* it ends the block with its own end: one instruction more */
        f->is_nmi_blocked = false;
        f->in_shadow = true;
        x->kind = X86_EXIT_NMI_WINDOW;
        return false;
    }
    if (code >= VMCB_EXIT_EXCEPTION && code < VMCB_EXIT_EXCEPTION + 32) exit_exception(b, f, run->is_step, out);
    return false;
}

/* The core is the vCPU's until it is put: its numbers and its tables stay as they are meanwhile. */
static void begin_turn(struct svm_vcpu *v, struct x86_frame *f)
{
    struct vmcb *b = vmcb_of(v);
    unsigned core = arch_cpu_id();
    struct svm_core *c = &cores[core];
    core_on(c, core);
    v->host_vmcb = c->host_vmcb;
    b->tsc_offset = x86_64_guest_tsc_offset(f);
    take_asid(v, c, core);
    b->tlb_control = c->needs_flush ? VMCB_TLB_FLUSH_ALL : VMCB_TLB_KEEP;
    x86_64_guest_state_load(&v->state, f);
    f->is_changed = true;
}

static void put(struct hw_vcpu *hw, const struct hw_run *run)
{
    struct svm_vcpu *v = (struct svm_vcpu *)hw;
    struct x86_frame *f = run->frame;
    if (f->is_partial) {
        give_frame(vmcb_of(v), f);
        x86_64_guest_xcr0(f);
    }
    f->is_partial = false;
    x86_64_guest_state_save(&v->state, f);
}

static void run_guest(struct hw_vcpu *hw, const struct hw_run *run, struct hw_exit *out)
{
    struct svm_vcpu *v = (struct svm_vcpu *)hw;
    struct x86_frame *f = run->frame;
    struct vmcb *b = vmcb_of(v);
    uint64_t *slot = run->slot;
    if (!v->state.is_loaded) begin_turn(v, f);
    if (f->is_changed) {
        take_frame(b, f);
        x86_64_wrmsr(MSR_TSC_AUX, f->tsc_aux);
        x86_64_guest_set_xcr0(f);
        f->is_changed = false;
    }
    ask(v, b, f);
    bool has_own_trap = f->rflags & RFLAGS_TF;
    b->rflags = f->rflags;
    if (unlikely(run->is_step)) b->rflags |= RFLAGS_TF;
    b->rip = *run->pc;
    b->rsp = slot[4];
    b->rax = slot[0];
    if (!x86_64_svm_enter(slot, (uint64_t)b, v->host_vmcb, run->request)) {
        out->kind = HW_EXIT_HOST;
        return;
    }
    if (b->tlb_control) {
        b->tlb_control = VMCB_TLB_KEEP;
        cores[v->core].needs_flush = false;
    }
    if ((uint32_t)b->exit_code == VMCB_EXIT_INVALID) {   /* the save area is undefined now: the frame has the guest */
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "AMD-V refuses this state of the guest" };
        f->is_partial = false;
        x86_64_guest_state_save(&v->state, f);
        return;
    }
    f->rflags = b->rflags;
    if (unlikely(run->is_step) && !has_own_trap) f->rflags &= ~RFLAGS_TF;
    *run->pc = b->rip;
    slot[4] = b->rsp;
    slot[0] = b->rax;
    f->cr8 = b->interrupt_control & 15;
    f->in_shadow = (uint8_t)b->interrupt_shadow & 1;
    keep_event(b, f);
    out->kind = HW_EXIT_GUEST;
    f->exit.is_string = f->exit.is_operand = false;
    f->exit.insn_bytes = 0;
    if (has_next_rip) f->exit.insn_bytes = b->next_rip - b->rip <= 15 ? (uint8_t)(b->next_rip - b->rip) : 0;
    uint64_t code = b->exit_code;
    unsigned plain = code < ARRAY_COUNT(plain_exits) ? plain_exits[code] : 0;
    f->exit.kind = (enum x86_exit_kind)(plain & KIND);
    bool is_little = plain ? (plain & LITTLE) == LITTLE : explain(b, f, run, out);
    /* With the trap flag set an instruction that is stepped over changes debug registers: not then. */
    f->is_partial = is_little && !(f->rflags & RFLAGS_TF);
    if (f->is_partial) {
        give_little(b, f);
    } else {
        give_frame(b, f);
        x86_64_guest_xcr0(f);
    }
}

const struct hw_backend X86_64_SVM = {
    .name = "AMD-V",
    .absence = absence,
    .vcpu_pages = 2,
    .vcpu_init = vcpu_init,
    .vcpu_exit = vcpu_exit,
    .run = run_guest,
    .put = put,
};
