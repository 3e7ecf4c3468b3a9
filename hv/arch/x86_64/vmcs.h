// SPDX-License-Identifier: Apache-2.0
/* The virtual machine control structure: SDM appendix B, controls of 24.6 to 24.8, exit reasons of appendix C; and what vmx.c and
 * vmx_exit.c share. */
#pragma once
#include "hv/arch/x86_64/hw.h"

/* Encodings of fields: appendix B. */
enum vmcs_field {
    VMCS_VPID = 0x0000, VMCS_GUEST_ES = 0x0800, VMCS_GUEST_INTERRUPTS = 0x0810, VMCS_HOST_ES = 0x0c00, VMCS_HOST_TR = 0x0c0c,
    VMCS_IO_BITMAP_A = 0x2000, VMCS_IO_BITMAP_B = 0x2002, VMCS_MSR_BITMAP = 0x2004, VMCS_TSC_OFFSET = 0x2010, VMCS_VIRTUAL_APIC = 0x2012,
    VMCS_EPTP = 0x201a, VMCS_EOI_EXITS = 0x201c, VMCS_GPA = 0x2400, VMCS_LINK = 0x2800, VMCS_GUEST_DEBUG_CONTROL = 0x2802, VMCS_GUEST_PAT = 0x2804, VMCS_GUEST_EFER = 0x2806,
    VMCS_GUEST_PDPTE0 = 0x280a, VMCS_HOST_PAT = 0x2c00, VMCS_HOST_EFER = 0x2c02,
    VMCS_PIN = 0x4000, VMCS_PROC = 0x4002, VMCS_EXCEPTIONS = 0x4004, VMCS_PF_MASK = 0x4006, VMCS_PF_MATCH = 0x4008, VMCS_CR3_TARGETS = 0x400a,
    VMCS_EXIT_CONTROLS = 0x400c, VMCS_EXIT_MSR_STORES = 0x400e, VMCS_EXIT_MSR_LOADS = 0x4010, VMCS_ENTRY_CONTROLS = 0x4012,
    VMCS_ENTRY_MSR_LOADS = 0x4014, VMCS_ENTRY_EVENT = 0x4016, VMCS_ENTRY_ERROR = 0x4018, VMCS_TPR_THRESHOLD = 0x401c, VMCS_PROC2 = 0x401e,
    VMCS_INSN_ERROR = 0x4400, VMCS_EXIT_REASON = 0x4402, VMCS_EXIT_EVENT = 0x4404, VMCS_EXIT_EVENT_ERROR = 0x4406, VMCS_IDT_EVENT = 0x4408,
    VMCS_IDT_ERROR = 0x440a, VMCS_INSN_LENGTH = 0x440c,
    VMCS_GUEST_ES_LIMIT = 0x4800, VMCS_GUEST_GDTR_LIMIT = 0x4810, VMCS_GUEST_IDTR_LIMIT = 0x4812, VMCS_GUEST_ES_RIGHTS = 0x4814,
    VMCS_GUEST_CS_RIGHTS = 0x4816, VMCS_GUEST_SS_RIGHTS = 0x4818, VMCS_GUEST_SHADOW = 0x4824, VMCS_GUEST_ACTIVITY = 0x4826,
    VMCS_GUEST_SYSENTER_CS = 0x482a, VMCS_PREEMPTION_TIMER = 0x482e, VMCS_HOST_SYSENTER_CS = 0x4c00,
    VMCS_CR0_MASK = 0x6000, VMCS_CR4_MASK = 0x6002, VMCS_CR0_SHADOW = 0x6004, VMCS_CR4_SHADOW = 0x6006, VMCS_QUALIFICATION = 0x6400,
    VMCS_GUEST_CR0 = 0x6800, VMCS_GUEST_CR3 = 0x6802, VMCS_GUEST_CR4 = 0x6804, VMCS_GUEST_ES_BASE = 0x6806, VMCS_GUEST_GDTR_BASE = 0x6816,
    VMCS_GUEST_IDTR_BASE = 0x6818, VMCS_GUEST_DR7 = 0x681a, VMCS_GUEST_RSP = 0x681c, VMCS_GUEST_RIP = 0x681e, VMCS_GUEST_RFLAGS = 0x6820,
    VMCS_GUEST_PENDING_DEBUG = 0x6822, VMCS_GUEST_SYSENTER_ESP = 0x6824, VMCS_GUEST_SYSENTER_EIP = 0x6826,
    VMCS_HOST_CR0 = 0x6c00, VMCS_HOST_CR3 = 0x6c02, VMCS_HOST_CR4 = 0x6c04, VMCS_HOST_FS_BASE = 0x6c06, VMCS_HOST_GS_BASE = 0x6c08,
    VMCS_HOST_TR_BASE = 0x6c0a, VMCS_HOST_GDTR_BASE = 0x6c0c, VMCS_HOST_IDTR_BASE = 0x6c0e, VMCS_HOST_SYSENTER_ESP = 0x6c10,
    VMCS_HOST_SYSENTER_EIP = 0x6c12, VMCS_HOST_RIP = 0x6c16,
};

/* Controls: 24.6.1, 24.6.2, 24.7.1, 24.8.1; the guest's interruptibility: 24.4.2. */
enum vmx_pin { VMX_PIN_INTERRUPT = 1 << 0, VMX_PIN_NMI = 1 << 3, VMX_PIN_VIRTUAL_NMI = 1 << 5, VMX_PIN_TIMER = 1 << 6 };
enum vmx_proc { VMX_IRQ_WINDOW = 1 << 2, VMX_TSC_OFFSET = 1 << 3, VMX_HLT = 1 << 7, VMX_MWAIT = 1 << 10, VMX_RDPMC = 1 << 11, VMX_CR3_LOAD = 1 << 15,
                VMX_CR3_STORE = 1 << 16, VMX_CR8_LOAD = 1 << 19, VMX_CR8_STORE = 1 << 20, VMX_TPR_SHADOW = 1 << 21, VMX_NMI_WINDOW = 1 << 22,
                VMX_PORTS = 1 << 24, VMX_MSR_BITMAP = 1 << 28, VMX_MONITOR = 1 << 29 };
#define VMX_SECONDARY (1u << 31)
enum vmx_proc2 { VMX_EPT = 1 << 1, VMX_RDTSCP = 1 << 3, VMX_X2APIC = 1 << 4, VMX_VPID = 1 << 5, VMX_WBINVD = 1 << 6, VMX_UNRESTRICTED = 1 << 7,
                 VMX_DELIVERY = 1 << 9 };
enum vmx_exit_control { VMX_EXIT_SAVE_DEBUG = 1 << 2, VMX_EXIT_HOST_64 = 1 << 9, VMX_EXIT_SAVE_PAT = 1 << 18, VMX_EXIT_LOAD_PAT = 1 << 19,
                        VMX_EXIT_SAVE_EFER = 1 << 20, VMX_EXIT_LOAD_EFER = 1 << 21 };
enum vmx_entry_control { VMX_ENTRY_LOAD_DEBUG = 1 << 2, VMX_ENTRY_LONG_MODE = 1 << 9, VMX_ENTRY_LOAD_PAT = 1 << 14, VMX_ENTRY_LOAD_EFER = 1 << 15 };
enum vmx_shadow { VMX_SHADOW_STI = 1, VMX_SHADOW_MOV_SS = 2, VMX_SHADOW_NMI = 8 };

/* Appendix C. */
enum vmx_reason {
    VMX_REASON_EXCEPTION = 0, VMX_REASON_INTERRUPT = 1, VMX_REASON_TRIPLE_FAULT = 2, VMX_REASON_INIT = 3, VMX_REASON_SIPI = 4, VMX_REASON_IRQ_WINDOW = 7,
    VMX_REASON_NMI_WINDOW = 8, VMX_REASON_TASK = 9, VMX_REASON_CPUID = 10, VMX_REASON_GETSEC = 11, VMX_REASON_HLT = 12, VMX_REASON_INVD = 13,
    VMX_REASON_RDPMC = 15, VMX_REASON_VMCALL = 18, VMX_REASON_VMCLEAR = 19, VMX_REASON_VMXON = 27, VMX_REASON_CR = 28, VMX_REASON_PORT = 30,
    VMX_REASON_RDMSR = 31, VMX_REASON_WRMSR = 32, VMX_REASON_BAD_STATE = 33, VMX_REASON_MWAIT = 36, VMX_REASON_MONITOR = 39, VMX_REASON_PAUSE = 40,
    VMX_REASON_TPR = 43, VMX_REASON_EOI = 45, VMX_REASON_EPT = 48, VMX_REASON_EPT_BAD = 49, VMX_REASON_INVEPT = 50, VMX_REASON_TIMER = 52, VMX_REASON_INVVPID = 53,
    VMX_REASON_WBINVD = 54, VMX_REASON_XSETBV = 55, VMX_REASON_VMFUNC = 59,
};
#define VMX_REASON_FAILED (1u << 31)

struct vmx_vcpu {
    struct hw_memory memory;                /* hwvirt.c's */
    struct hw_vm    *vm;
    struct hw_state  state;
    bool             is_launched;
    unsigned         core;                  /* of the last turn, and of its VPID */
    uint64_t         vpid_generation;
    uint32_t         proc, entry_controls, shadow;      /* as they stand in the VMCS */
    uint64_t         cr0_shadow, cr4_shadow;
    bool             uses_apic;             /* as the controls stand, */
    uint16_t         interrupts;            /* and the guest interrupt status: RVI, SVI */
    uint32_t         ends[8];               /* and the EOI exit bitmap */
};
_Static_assert(sizeof(struct vmx_vcpu) <= HV_PAGE_BYTES, "the VMCS is the second page, the virtual APIC the third");
static inline uint8_t *vmx_virtual_apic(struct vmx_vcpu *v) { return (uint8_t *)v + 2 * HV_PAGE_BYTES; }

/* The current VMCS's fields. */
static inline uint64_t vmx_read(enum vmcs_field f)
{
    uint64_t v;
    __asm__ volatile("vmread %1, %0" : "=r"(v) : "r"((uint64_t)f) : "cc");
    return v;
}
static inline void vmx_write(enum vmcs_field f, uint64_t v) { __asm__ volatile("vmwrite %0, %1" : : "r"(v), "r"((uint64_t)f) : "cc"); }

/* CR0 and CR4 bits that the guest sees from the shadow: NE must be 1, CD and NW must not be; VMXE and MCE must be 1, and what CPUID does not
 * offer leaves at a write. */
#define VMX_CR0_MASK (1ull << 5 | 1ull << 29 | 1ull << 30)
#define VMX_CR0_ONE  (1ull << 5)
#define VMX_CR4_FREE (0x7bfull | 1ull << 11 | 1ull << 16 | 1ull << 18 | 1ull << 20 | 1ull << 21)
#define VMX_CR4_ONE  (1ull << 6 | 1ull << 13)
extern bool x86_64_vmx_has_tpr_shadow;

/* vmx_exit.c */
void x86_64_vmx_take_frame(struct vmx_vcpu *v, const struct x86_frame *f);      /* everything that the VMCS holds */
void x86_64_vmx_give_frame(struct vmx_vcpu *v, struct x86_frame *f);
void x86_64_vmx_give_crs(struct vmx_vcpu *v, struct x86_frame *f);              /* CR0, CR3, CR4 */
/* True: the frame needs no more than it has by now. */
bool x86_64_vmx_explain(struct vmx_vcpu *v, const struct hw_run *run, struct hw_exit *out);
