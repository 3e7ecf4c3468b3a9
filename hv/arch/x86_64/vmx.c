// SPDX-License-Identifier: Apache-2.0
/* VT-x with EPT and unrestricted guest: SDM 23 to 31. The VMCS is current on a core for as long as the vCPU's turn lasts. Per core: the
 * VMXON region, the address space numbers, and what it has seen of unmapping. */
#include "hv/arch/x86_64/vmcs.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define MSR_FEATURE_CONTROL 0x3au
#define MSR_BASIC           0x480u
#define MSR_CR0_FIXED0      0x486u
#define MSR_CR4_FIXED0      0x488u
#define MSR_PROC2           0x48bu
#define MSR_EPT_VPID        0x48cu
#define MSR_TRUE_PIN        0x48du
#define MSR_TRUE_PROC       0x48eu
#define MSR_TRUE_EXIT       0x48fu
#define MSR_TRUE_ENTRY      0x490u
#define MSR_EFER            0xc0000080u
#define MSR_PAT             0x277u
#define MSR_TSC_AUX         0xc0000103u
#define FEATURE_LOCKED      1u
#define FEATURE_VMX         4u
#define BASIC_TRUE_CONTROLS (1ull << 55)
#define EPT_FOUR_LEVELS     (1ull << 6)
#define EPT_WRITE_BACK      (1ull << 14)
#define EPT_2M              (1ull << 16)
#define EPT_INVEPT_ALL      (1ull << 26)
#define VPID_INVVPID_ALL    (1ull << 42)
#define EPTP_WRITE_BACK     6u
#define EPTP_LEVELS         (3u << 3)
#define LEAF_WRITE_BACK     (6u << 3)
#define VPID_COUNT          0x10000u
#define RFLAGS_TF           (1ull << 8)
#define RFLAGS_IF           (1ull << 9)
#define EFER_LMA            (1ull << 10)
#define TPR_AT              0x80
#define ISR_AT              0x100
#define IRR_AT              0x200
/* The CPU's own timer ends an entry after so many ticks of the TSC >> its shift: a net under the interrupts, which Bochs loses while
 * the guest has IF clear. */
#define PATIENCE_TICKS      2000000u

enum vmx_entry { VMX_RAN, VMX_NOT_WANTED, VMX_REFUSED };
enum vmx_entry x86_64_vmx_enter(uint64_t *slot, const uint32_t *request, bool is_launched);
extern const uint8_t x86_64_vmx_exit[];

struct vmx_core { bool is_on; uint64_t generation, unmaps; uint32_t next_vpid; };
static struct vmx_core cores[ARCH_MAX_CPUS];
static struct { uint32_t pin, proc, proc2, exit, entry; bool has_vpid, has_timer; unsigned timer_shift; } controls;
static uint8_t *io_maps, *msr_map;          /* the same for all guests; made with the first, as the next are */
static uint8_t *core_pages;                 /* VMXON's, one for each core */
static uint8_t *apic_msr_map;               /* of those whose APIC the CPU plays */
static bool has_delivery;
bool x86_64_vmx_has_tpr_shadow;

/* ---- what this CPU can do: appendix A ---- */

/* What is wanted, with what must be; false: something of it is not there. */
static bool adjust(uint32_t msr, uint32_t wanted, uint32_t *out)
{
    uint64_t c = x86_64_rdmsr(msr);
    *out = (wanted | (uint32_t)c) & (uint32_t)(c >> 32);
    return !(wanted & ~(uint32_t)(c >> 32));
}

static const char *choose_controls(void)
{
    const uint32_t proc = VMX_TSC_OFFSET | VMX_HLT | VMX_MWAIT | VMX_RDPMC | VMX_PORTS | VMX_MSR_BITMAP | VMX_MONITOR | VMX_SECONDARY;
    if (!adjust(MSR_TRUE_PIN, VMX_PIN_INTERRUPT | VMX_PIN_NMI | VMX_PIN_VIRTUAL_NMI, &controls.pin)) return "this CPU's VT-x has no virtual NMIs";
    if (!adjust(MSR_TRUE_PROC, proc, &controls.proc)) return "this CPU's VT-x has no secondary controls";
    controls.proc &= ~(uint32_t)(VMX_CR3_LOAD | VMX_CR3_STORE);
    if (!adjust(MSR_PROC2, VMX_EPT, &controls.proc2)) return "this CPU's VT-x has no nested paging (EPT)";
    if (!adjust(MSR_PROC2, VMX_EPT | VMX_UNRESTRICTED, &controls.proc2)) return "this CPU's VT-x cannot run real mode (unrestricted guest)";
    if (!adjust(MSR_TRUE_EXIT, VMX_EXIT_SAVE_DEBUG | VMX_EXIT_HOST_64 | VMX_EXIT_LOAD_PAT | VMX_EXIT_SAVE_EFER | VMX_EXIT_LOAD_EFER, &controls.exit) ||
        !adjust(MSR_TRUE_ENTRY, VMX_ENTRY_LOAD_DEBUG | VMX_ENTRY_LOAD_PAT | VMX_ENTRY_LOAD_EFER, &controls.entry))
        return "this CPU's VT-x does not switch EFER and PAT";
    return NULL;
}

static void choose_extras(void)
{
    uint32_t with;
    if (adjust(MSR_TRUE_PIN, controls.pin | VMX_PIN_TIMER, &with)) {
        controls.pin = with;
        controls.has_timer = true;
        controls.timer_shift = x86_64_rdmsr(0x485) & 31;
    }
    x86_64_vmx_has_tpr_shadow = adjust(MSR_TRUE_PROC, controls.proc | VMX_TPR_SHADOW, &with);
    controls.proc |= x86_64_vmx_has_tpr_shadow ? VMX_TPR_SHADOW : VMX_CR8_LOAD | VMX_CR8_STORE;
    if (x86_64_rdmsr(MSR_EPT_VPID) & VPID_INVVPID_ALL && adjust(MSR_PROC2, controls.proc2 | VMX_VPID, &with)) {
        controls.proc2 = with;
        controls.has_vpid = true;
    }
    if (adjust(MSR_PROC2, controls.proc2 | VMX_RDTSCP, &with)) controls.proc2 = with;
    has_delivery = x86_64_vmx_has_tpr_shadow && adjust(MSR_PROC2, controls.proc2 | VMX_X2APIC | VMX_DELIVERY, &with);
    if (adjust(MSR_PROC2, controls.proc2 | VMX_WBINVD, &with)) controls.proc2 = with;
}

static const char *absence(void)
{
    uint64_t control = x86_64_rdmsr(MSR_FEATURE_CONTROL);
    if (control & FEATURE_LOCKED && !(control & FEATURE_VMX)) return "firmware has switched VT-x off (FEATURE_CONTROL)";
    if (!(x86_64_rdmsr(MSR_BASIC) & BASIC_TRUE_CONTROLS)) return "this CPU's VT-x has no nested paging (EPT)";
    const char *why = choose_controls();
    if (why) return why;
    const uint64_t needed = EPT_FOUR_LEVELS | EPT_WRITE_BACK | EPT_2M | EPT_INVEPT_ALL;
    if ((x86_64_rdmsr(MSR_EPT_VPID) & needed) != needed) return "this CPU's EPT has no four levels of write-back memory with large pages";
    choose_extras();
    return NULL;
}

/* ---- a core's own ---- */

/* VMXON: 23.7. NULL: it worked. */
static const char *core_on(struct vmx_core *c, unsigned core)
{
    if (c->is_on) return NULL;
    uint8_t *page = core_pages + core * HV_PAGE_BYTES;
    *(uint32_t *)page = (uint32_t)x86_64_rdmsr(MSR_BASIC) & 0x7fffffff;
    if (!(x86_64_rdmsr(MSR_FEATURE_CONTROL) & FEATURE_LOCKED)) x86_64_wrmsr(MSR_FEATURE_CONTROL, FEATURE_LOCKED | FEATURE_VMX);
    X86_64_WRITE_CR(0, X86_64_READ_CR(0) | x86_64_rdmsr(MSR_CR0_FIXED0));
    X86_64_WRITE_CR(4, X86_64_READ_CR(4) | x86_64_rdmsr(MSR_CR4_FIXED0));
    uint64_t at = (uint64_t)page;
    bool failed;
    __asm__ volatile("vmxon %1" : "=@ccna"(failed) : "m"(at) : "memory");
    if (failed) return "the CPU refuses VMXON";
    c->is_on = true;
    c->next_vpid = VPID_COUNT;
    return NULL;
}

static void flush_ept(void)
{
    const uint64_t all[2] = { 0, 0 };
    __asm__ volatile("invept %0, %1" : : "m"(all), "r"(2ull) : "cc", "memory");
}
static void flush_vpids(void)
{
    const uint64_t all[2] = { 0, 0 };
    __asm__ volatile("invvpid %0, %1" : : "m"(all), "r"(2ull) : "cc", "memory");
}

/* Tables that are gone must be in no TLB, and an address space number is a vCPU's on one core. */
static void tag(struct vmx_vcpu *v, struct vmx_core *c, unsigned core)
{
    uint64_t unmaps = __atomic_load_n(&x86_64_unmaps, __ATOMIC_ACQUIRE);
    if (c->unmaps != unmaps) {
        flush_ept();
        c->unmaps = unmaps;
    }
    if (!controls.has_vpid || (v->core == core && v->vpid_generation == c->generation)) return;
    if (c->next_vpid == VPID_COUNT) {
        flush_vpids();
        c->next_vpid = 1;
        c->generation++;
    }
    vmx_write(VMCS_VPID, c->next_vpid++);
    v->core = core;
    v->vpid_generation = c->generation;
}

/* ---- making a vCPU ---- */
/* For ever, and for every core at once: what a guest's life costs does not depend on where it ran. */
static bool make_pages(const struct hw_memory *memory)
{
    /* read and write maps of both ranges, a kilobyte each: 24.6.9 */
    static const uint32_t own[] = { 0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102 };
    if (io_maps) return true;
    static const uint32_t apic_writes[] = { 0x80b, 0x83f };          /* end of interrupt, self-IPI */
    enum { MAPS = 4 };
    uint8_t *pages = memory->alloc(MAPS + arch_cpu_count(), 1);
    if (!pages) return false;
    memset(pages, 0xff, MAPS * HV_PAGE_BYTES);
    core_pages = pages + MAPS * HV_PAGE_BYTES;
    memset(core_pages, 0, arch_cpu_count() * HV_PAGE_BYTES);
    msr_map = pages + 2 * HV_PAGE_BYTES;
    apic_msr_map = pages + 3 * HV_PAGE_BYTES;
    for (unsigned i = 0; i < ARRAY_COUNT(own); i++) {
        unsigned bit = own[i] & 0x1fff, at = own[i] >= 0xc0000000 ? 1024 : 0;
        msr_map[at + bit / 8] &= (uint8_t)~(1u << bit % 8);
        msr_map[2048 + at + bit / 8] &= (uint8_t)~(1u << bit % 8);
    }
    memcpy(apic_msr_map, msr_map, HV_PAGE_BYTES);
    for (unsigned i = 0; i < ARRAY_COUNT(apic_writes); i++) apic_msr_map[2048 + apic_writes[i] / 8] &= (uint8_t)~(1u << apic_writes[i] % 8);
    io_maps = pages;
    return true;
}

static const char *vcpu_init(struct hw_vcpu *hw, struct hw_vm *vm, unsigned id)
{
    struct vmx_vcpu *v = (struct vmx_vcpu *)hw;
    (void)id;
    if (!make_pages(&vm->memory)) return "no memory to switch VT-x on";
    v->vm = vm;
    v->core = UINT32_MAX;
    *(uint32_t *)((uint8_t *)v + HV_PAGE_BYTES) = (uint32_t)x86_64_rdmsr(MSR_BASIC) & 0x7fffffff;
    return NULL;
}

static void vcpu_exit(struct hw_vcpu *hw) { (void)hw; }

static uint64_t vmcs_of(struct vmx_vcpu *v) { return (uint64_t)v + HV_PAGE_BYTES; }

static void clear(struct vmx_vcpu *v)
{
    uint64_t at = vmcs_of(v);
    __asm__ volatile("vmclear %0" : : "m"(at) : "cc", "memory");
    v->is_launched = false;
}

/* ---- a turn: the VMCS becomes this core's ---- */
static void write_host_state(void)
{
    struct x86_64_cpu *self = x86_64_self();
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) idtr, gdtr;
    __asm__ volatile("sidt %0\n\tsgdt %1" : "=m"(idtr), "=m"(gdtr));
    for (unsigned i = 0; i < 6; i++) vmx_write(VMCS_HOST_ES + 2 * i, i == 1 ? 0x08 : i < 4 ? 0x10 : 0);
    vmx_write(VMCS_HOST_TR, 0x18);
    vmx_write(VMCS_HOST_CR0, X86_64_READ_CR(0));
    vmx_write(VMCS_HOST_CR3, X86_64_READ_CR(3));
    vmx_write(VMCS_HOST_CR4, X86_64_READ_CR(4));
    vmx_write(VMCS_HOST_FS_BASE, 0);
    vmx_write(VMCS_HOST_GS_BASE, (uint64_t)self);
    vmx_write(VMCS_HOST_TR_BASE, (uint64_t)self->tss);
    vmx_write(VMCS_HOST_GDTR_BASE, gdtr.base);
    vmx_write(VMCS_HOST_IDTR_BASE, idtr.base);
    vmx_write(VMCS_HOST_SYSENTER_CS, 0);
    vmx_write(VMCS_HOST_SYSENTER_ESP, 0);
    vmx_write(VMCS_HOST_SYSENTER_EIP, 0);
    vmx_write(VMCS_HOST_EFER, x86_64_rdmsr(MSR_EFER));
    vmx_write(VMCS_HOST_PAT, x86_64_rdmsr(MSR_PAT));
    vmx_write(VMCS_HOST_RIP, (uint64_t)x86_64_vmx_exit);
}

static void write_controls(struct vmx_vcpu *v)
{
    vmx_write(VMCS_PIN, controls.pin);
    vmx_write(VMCS_PROC, v->proc = controls.proc);
    vmx_write(VMCS_PROC2, controls.proc2);
    vmx_write(VMCS_EXIT_CONTROLS, controls.exit);
    vmx_write(VMCS_ENTRY_CONTROLS, v->entry_controls = controls.entry);
    vmx_write(VMCS_EXCEPTIONS, 1u << X86_DB | 1u << X86_AC | 1u << X86_MC);
    vmx_write(VMCS_IO_BITMAP_A, (uint64_t)io_maps);
    vmx_write(VMCS_IO_BITMAP_B, (uint64_t)io_maps + HV_PAGE_BYTES);
    vmx_write(VMCS_MSR_BITMAP, (uint64_t)msr_map);
    if (x86_64_vmx_has_tpr_shadow) vmx_write(VMCS_VIRTUAL_APIC, (uint64_t)vmx_virtual_apic(v));
    vmx_write(VMCS_EPTP, (uint64_t)v->vm->root | EPTP_WRITE_BACK | EPTP_LEVELS);
    vmx_write(VMCS_LINK, UINT64_MAX);
    if (controls.has_timer) vmx_write(VMCS_PREEMPTION_TIMER, PATIENCE_TICKS >> controls.timer_shift);      /* no exit saves it: each entry begins so */
    vmx_write(VMCS_CR0_MASK, VMX_CR0_MASK);
    vmx_write(VMCS_CR4_MASK, ~VMX_CR4_FREE);
    static const uint16_t zero[] = { VMCS_PF_MASK, VMCS_PF_MATCH, VMCS_CR3_TARGETS, VMCS_EXIT_MSR_STORES, VMCS_EXIT_MSR_LOADS, VMCS_ENTRY_MSR_LOADS,
                                     VMCS_ENTRY_EVENT, VMCS_TPR_THRESHOLD, VMCS_GUEST_DEBUG_CONTROL, VMCS_GUEST_SHADOW, VMCS_GUEST_ACTIVITY,
                                     VMCS_GUEST_PENDING_DEBUG };
    for (unsigned i = 0; i < ARRAY_COUNT(zero); i++) vmx_write((enum vmcs_field)zero[i], 0);
    v->shadow = 0;
    v->uses_apic = false;
    if (!has_delivery) return;
    memset(vmx_virtual_apic(v), 0, HV_PAGE_BYTES);
    v->interrupts = 0;
    memset(v->ends, 0, sizeof v->ends);
    vmx_write(VMCS_GUEST_INTERRUPTS, 0);
    for (unsigned i = 0; i < 4; i++) vmx_write(VMCS_EOI_EXITS + 2 * i, 0);
}

/* Registers that neither VMCS nor FPU area has. The host uses none of them. */
static void load_registers(const struct x86_frame *f)
{
    x86_64_wrmsr(0xc0000081, f->star);
    x86_64_wrmsr(0xc0000082, f->lstar);
    x86_64_wrmsr(0xc0000083, f->cstar);
    x86_64_wrmsr(0xc0000084, f->sfmask);
    x86_64_wrmsr(0xc0000102, f->kernel_gs_base);
    __asm__ volatile("mov %0, %%db6" : : "r"(f->dr6));
}
static void save_registers(struct x86_frame *f)
{
    f->star = x86_64_rdmsr(0xc0000081);
    f->lstar = x86_64_rdmsr(0xc0000082);
    f->cstar = x86_64_rdmsr(0xc0000083);
    f->sfmask = x86_64_rdmsr(0xc0000084);
    f->kernel_gs_base = x86_64_rdmsr(0xc0000102);
    __asm__ volatile("mov %%db6, %0" : "=r"(f->dr6));
}

/* The core is the vCPU's until it is put: its numbers and its tables stay as they are meanwhile. NULL: it worked. */
static const char *begin_turn(struct vmx_vcpu *v, struct x86_frame *f)
{
    uint64_t at = vmcs_of(v);
    unsigned core = arch_cpu_id();
    const char *why = core_on(&cores[core], core);
    if (why) return why;
    clear(v);
    __asm__ volatile("vmptrld %0" : : "m"(at) : "cc", "memory");
    write_host_state();
    write_controls(v);
    vmx_write(VMCS_TSC_OFFSET, x86_64_guest_tsc_offset(f));
    tag(v, &cores[core], core);
    load_registers(f);
    x86_64_guest_state_load(&v->state, f);
    f->is_changed = true;
    f->offers_apic = has_delivery;
    return NULL;
}

/* ---- the APIC that the CPU plays: 29.1 to 29.4 ---- */
static unsigned highest(const uint32_t set[8])
{
    for (unsigned i = 8; i-- > 0;) {
        if (set[i]) return 32 * i + log2_floor(set[i]);
    }
    return 0;
}

static void clear_page(struct vmx_vcpu *v)
{
    for (unsigned i = 0; i < 8; i++) {
        store_le32(vmx_virtual_apic(v) + IRR_AT + 16 * i, 0);
        store_le32(vmx_virtual_apic(v) + ISR_AT + 16 * i, 0);
    }
}

/* With neither a requested nor a serviced vector the page is clear. */
static void apic_in(struct vmx_vcpu *v, const struct x86_frame *f)
{
    const struct x86_apic *a = &f->apic;
    if (v->uses_apic != f->uses_apic) {
        v->uses_apic = f->uses_apic;
        vmx_write(VMCS_PROC2, controls.proc2 | (f->uses_apic ? VMX_X2APIC | VMX_DELIVERY : 0));
        vmx_write(VMCS_MSR_BITMAP, (uint64_t)(f->uses_apic ? apic_msr_map : msr_map));
    }
    uint16_t interrupts = 0;
    if (!a->is_busy && v->interrupts) clear_page(v);
    if (f->uses_apic && a->is_busy) {
        for (unsigned i = 0; i < 8; i++) {
            store_le32(vmx_virtual_apic(v) + IRR_AT + 16 * i, a->irr[i]);
            store_le32(vmx_virtual_apic(v) + ISR_AT + 16 * i, a->isr[i]);
        }
        interrupts = (uint16_t)(highest(a->isr) << 8 | highest(a->irr));
        for (unsigned i = 0; i < 4; i++) {
            if (v->ends[2 * i] == a->ends[2 * i] && v->ends[2 * i + 1] == a->ends[2 * i + 1]) continue;
            v->ends[2 * i] = a->ends[2 * i];
            v->ends[2 * i + 1] = a->ends[2 * i + 1];
            vmx_write(VMCS_EOI_EXITS + 2 * i, a->ends[2 * i] | (uint64_t)a->ends[2 * i + 1] << 32);
        }
    }
    if (v->interrupts != interrupts) vmx_write(VMCS_GUEST_INTERRUPTS, v->interrupts = interrupts);
}

static void apic_out(struct vmx_vcpu *v, struct x86_frame *f)
{
    struct x86_apic *a = &f->apic;
    v->interrupts = (uint16_t)vmx_read(VMCS_GUEST_INTERRUPTS);
    bool was_busy = a->is_busy;
    a->is_busy = was_busy || v->interrupts;
    if (!a->is_busy) return;
    for (unsigned i = 0; i < 8; i++) {
        a->irr[i] = load_le32(vmx_virtual_apic(v) + IRR_AT + 16 * i);
        a->isr[i] = load_le32(vmx_virtual_apic(v) + ISR_AT + 16 * i);
    }
}

/* ---- one entry ---- */
static void ask(struct vmx_vcpu *v, const struct x86_frame *f)
{
    uint32_t proc = controls.proc, entry = controls.entry, shadow = 0;
    if (f->wants_irq_window) proc |= VMX_IRQ_WINDOW;
    if (f->wants_nmi_window) proc |= VMX_NMI_WINDOW;
    if (f->wants_cr8_exit) proc |= VMX_CR8_LOAD;
    if (proc != v->proc) vmx_write(VMCS_PROC, v->proc = proc);
    if (f->efer & EFER_LMA) entry |= VMX_ENTRY_LONG_MODE;
    if (entry != v->entry_controls) vmx_write(VMCS_ENTRY_CONTROLS, v->entry_controls = entry);
    bool is_nmi = f->event & X86_EVENT_VALID && (f->event & X86_EVENT_TYPE) == X86_EVENT_NMI;
    if (f->in_shadow) shadow = v->shadow & 3 ? v->shadow & 3 : f->rflags & RFLAGS_IF ? VMX_SHADOW_STI : VMX_SHADOW_MOV_SS;
    if (f->is_nmi_blocked && !is_nmi) shadow |= VMX_SHADOW_NMI;
    if (shadow != v->shadow) vmx_write(VMCS_GUEST_SHADOW, shadow);
    if (x86_64_vmx_has_tpr_shadow) vmx_virtual_apic(v)[TPR_AT] = (uint8_t)(f->cr8 << 4);
    if (f->uses_apic | v->uses_apic) apic_in(v, f);
    if (!(f->event & X86_EVENT_VALID)) return;
    bool is_long_error = f->event & X86_EVENT_HAS_ERROR && f->cr0 & 1;         /* real mode pushes none, and none may be asked for */
    vmx_write(VMCS_ENTRY_EVENT, is_long_error ? f->event : f->event & ~(uint32_t)X86_EVENT_HAS_ERROR);
    if (is_long_error) vmx_write(VMCS_ENTRY_ERROR, f->event_error);
}

/* 26.3.1.5: behind STI or MOV SS a step's trap is pending already. */
static void write_flags(struct x86_frame *f, bool is_step)
{
    uint64_t flags = f->rflags | (is_step ? RFLAGS_TF : 0);
    vmx_write(VMCS_GUEST_RFLAGS, flags);
    if (f->in_shadow) vmx_write(VMCS_GUEST_PENDING_DEBUG, flags & RFLAGS_TF ? 1ull << 14 : 0);
    else if (is_step) vmx_write(VMCS_GUEST_PENDING_DEBUG, 0);       /* an exit in the middle of a step has perhaps left its trap */
}

static void keep_event(struct x86_frame *f)
{
    enum { SOFTWARE = 4 };                  /* 4, 5, 6: what an instruction causes comes again with it */
    uint32_t e = (uint32_t)vmx_read(VMCS_IDT_EVENT);
    f->event = 0;
    if (!(e & X86_EVENT_VALID) || (e >> 8 & 7) >= SOFTWARE) return;
    f->event = e & (X86_EVENT_VALID | X86_EVENT_HAS_ERROR | X86_EVENT_TYPE | 0xff);
    if (e & X86_EVENT_HAS_ERROR) f->event_error = (uint32_t)vmx_read(VMCS_IDT_ERROR);
}

/* What every exit needs: the rest is read where it may be looked at. */
static void read_little(struct vmx_vcpu *v, const struct hw_run *run)
{
    struct x86_frame *f = run->frame;
    bool has_own_trap = f->rflags & RFLAGS_TF;
    *run->pc = vmx_read(VMCS_GUEST_RIP);
    run->slot[4] = vmx_read(VMCS_GUEST_RSP);
    f->rflags = vmx_read(VMCS_GUEST_RFLAGS);
    if (run->is_step && !has_own_trap) f->rflags &= ~RFLAGS_TF;
    f->efer = vmx_read(VMCS_GUEST_EFER);
    v->shadow = (uint32_t)vmx_read(VMCS_GUEST_SHADOW);
    f->in_shadow = v->shadow & 3;
    f->is_nmi_blocked = v->shadow & VMX_SHADOW_NMI;
    v->entry_controls = (uint32_t)vmx_read(VMCS_ENTRY_CONTROLS);       /* the CPU keeps the mode in it */
    uint64_t code = vmx_read(VMCS_GUEST_CS_RIGHTS), stack = vmx_read(VMCS_GUEST_SS_RIGHTS);
    f->segment[X86_CS].rights = (uint16_t)((code & 0xff) | (code >> 4 & 0xf00));
    f->cpl = stack >> 5 & 3;
    if (x86_64_vmx_has_tpr_shadow) f->cr8 = vmx_virtual_apic(v)[TPR_AT] >> 4;
}

static void run_guest(struct hw_vcpu *hw, const struct hw_run *run, struct hw_exit *out)
{
    struct vmx_vcpu *v = (struct vmx_vcpu *)hw;
    struct x86_frame *f = run->frame;
    const char *why = v->state.is_loaded ? NULL : begin_turn(v, f);
    if (why) {
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = why };
        return;
    }
    if (f->is_changed) {
        x86_64_vmx_take_frame(v, f);
        x86_64_wrmsr(MSR_TSC_AUX, f->tsc_aux);
        x86_64_guest_set_xcr0(f);
        f->is_changed = false;
    }
    ask(v, f);
    vmx_write(VMCS_GUEST_RIP, *run->pc);
    vmx_write(VMCS_GUEST_RSP, run->slot[4]);
    write_flags(f, run->is_step);
    enum vmx_entry e = x86_64_vmx_enter(run->slot, run->request, v->is_launched);
    if (e == VMX_NOT_WANTED) {
        vmx_write(VMCS_ENTRY_EVENT, 0);     /* it stays in the frame */
        v->shadow = (uint32_t)vmx_read(VMCS_GUEST_SHADOW);
        out->kind = HW_EXIT_HOST;
        return;
    }
    if (e == VMX_REFUSED) {
        *out = (struct hw_exit){ .kind = HW_EXIT_FAILED, .failure = "VT-x refuses this entry" };
        return;
    }
    v->is_launched = true;
    read_little(v, run);
    if (v->uses_apic) apic_out(v, f);
    keep_event(f);
    /* With the trap flag set an instruction that is stepped over changes debug registers: not then. */
    f->is_partial = x86_64_vmx_explain(v, run, out) && !(f->rflags & RFLAGS_TF);
    if (!f->is_partial) x86_64_vmx_give_frame(v, f);
}

static void put(struct hw_vcpu *hw, const struct hw_run *run)
{
    struct vmx_vcpu *v = (struct vmx_vcpu *)hw;
    struct x86_frame *f = run->frame;
    if (!v->state.is_loaded) return;
    if (!f->is_changed) x86_64_vmx_give_frame(v, f);
    f->is_partial = false;
    x86_64_guest_xcr0(f);
    save_registers(f);
    x86_64_guest_state_save(&v->state, f);
    clear(v);
}

const struct hw_backend X86_64_VMX = {
    .name = "VT-x",
    .absence = absence,
    .leaf_bits = LEAF_WRITE_BACK,
    .vcpu_pages = 3,
    .vcpu_init = vcpu_init,
    .vcpu_exit = vcpu_exit,
    .run = run_guest,
    .put = put,
};
