// SPDX-License-Identifier: Apache-2.0
/* An x86 guest's registers beside the general ones, and what it left for, in the architecture's terms: the same for AMD-V and
 * VT-x. struct vcpu_regs.isa begins with it on every host, so that a guest's state has one form. The general registers are
 * slots 0..15 by their numbers in instructions (rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15).
 * After an exit they, the segments, CR0 to CR8, EFER, RFLAGS and the event are here; of the rest (FPU, debug registers,
 * KERNEL_GS_BASE) the core has the truth until hw_vcpu_put. Where is_partial is set, of the segments only the rights of CS are
 * here, of the CRs CR8, CR4 after CPUID, CR0, CR3 and CR4 where the instruction has to be fetched (insn_bytes is 0), and nothing that
 * is_changed stands for may be written: hw_vcpu_put first. So it may be after a HLT, CPUID, hypercall, port access without a string and an
 * access to memory by 64-bit code, and never with the trap flag set.
 * "SDM" is Intel's manual (volume 3 unless said), "APM" AMD's (volume 2). */
#pragma once
#include "hv/arch/hwvirt.h"

enum x86_segment_register { X86_ES, X86_CS, X86_SS, X86_DS, X86_FS, X86_GS, X86_GDTR, X86_LDTR, X86_IDTR, X86_TR, X86_SEGMENT_COUNT };
/* rights as in APM 15.5.1: the descriptor's type, S, DPL, P in bits 7..0, AVL, L, D/B, G in bits 11..8. */
struct x86_segment { uint16_t selector, rights; uint32_t limit; uint64_t base; };
enum { X86_RIGHTS_TYPE = 0xf, X86_RIGHTS_S = 1 << 4, X86_RIGHTS_DPL = 3 << 5, X86_RIGHTS_P = 1 << 7, X86_RIGHTS_L = 1 << 9, X86_RIGHTS_DB = 1 << 10,
       X86_RIGHTS_G = 1 << 11 };

/* The next event to deliver, as in APM 15.20: vector, type, error code; bit 31: there is one. */
enum { X86_EVENT_INTERRUPT = 0 << 8, X86_EVENT_NMI = 2 << 8, X86_EVENT_EXCEPTION = 3 << 8, X86_EVENT_SOFTWARE = 4 << 8, X86_EVENT_TYPE = 7 << 8,
       X86_EVENT_HAS_ERROR = 1 << 11 };
#define X86_EVENT_VALID (1u << 31)

/* Exceptions by their vectors: SDM 6.3.1. */
enum x86_vector { X86_DE = 0, X86_DB = 1, X86_NMI = 2, X86_BP = 3, X86_UD = 6, X86_NM = 7, X86_DF = 8, X86_TS = 10, X86_NP = 11, X86_SS_FAULT = 12,
                  X86_GP = 13, X86_PF = 14, X86_MF = 16, X86_AC = 17, X86_MC = 18 };

#define X86_EXIT_LIST(_)                                                                        \
    _(X86_EXIT_CPUID,      "CPUID")                                                             \
    _(X86_EXIT_RDMSR,      "RDMSR")                                                             \
    _(X86_EXIT_WRMSR,      "WRMSR")                                                             \
    _(X86_EXIT_PORT,       "port I/O")                                                          \
    _(X86_EXIT_HLT,        "HLT")                                                               \
    _(X86_EXIT_HYPERCALL,  "hypercall")       /* VMCALL, VMMCALL */                             \
    _(X86_EXIT_SHUTDOWN,   "shutdown")        /* a triple fault */                              \
    _(X86_EXIT_IRQ_WINDOW, "interrupt window")                                                  \
    _(X86_EXIT_NMI_WINDOW, "NMI window")                                                        \
    _(X86_EXIT_XSETBV,     "XSETBV")                                                            \
    _(X86_EXIT_EOI,        "end of interrupt")   /* of a vector in x86_apic.ends: it is over, and the guest is behind it */ \
    _(X86_EXIT_CR,         "control register")   /* MOV to CR0, CR4 or CR8, from CR8, CLTS, LMSW */ \
    _(X86_EXIT_SKIP,       "cache flush")     /* INVD, WBINVD, PAUSE: nothing to do */          \
    _(X86_EXIT_UNDEFINED,  "undefined")       /* an instruction that this CPU model lacks */    \
    _(X86_EXIT_DENIED,     "denied")          /* an instruction that faults with #GP here: RDPMC */ \
    _(X86_EXIT_EXCEPTION,  "exception")       /* looked at and to be delivered: it is in `event` already */ \
    _(X86_EXIT_TASK,       "task switch")                                                       \
    _(X86_EXIT_OTHER,      "other")           /* code says which */
enum x86_exit_kind {
#define X(e, n) e,
    X86_EXIT_LIST(X)
#undef X
    X86_EXIT_COUNT
};

#define X86_CR_UNKNOWN 255
struct x86_exit {
    enum x86_exit_kind kind;
    uint8_t  insn_bytes;                    /* of the instruction, where the CPU tells; 0: decode it */
    uint16_t port;
    uint8_t  size_bytes;                    /* of the port access */
    bool     is_in, is_string;
    bool     is_operand;                    /* HW_EXIT_MEMORY: gpa is an operand's, and none of an entry in the guest's tables */
    uint8_t  vector;                        /* that ended */
    uint8_t  cr;                            /* which; X86_CR_UNKNOWN: decode the MOV */
    bool     is_cr_read;
    uint8_t  cr_slot;                       /* the general register of the move; 255: cr_value is what is written */
    uint64_t cr_value;
    uint64_t code;                          /* of X86_EXIT_OTHER: the CPU's own number */
    uint32_t cpuid[4];                      /* what the host says to this leaf: eax, ebx, ecx, edx */
};

/* An x2APIC that the CPU itself plays (SDM 29): requested and in-service vectors. It delivers them as priority, TPR and IF allow, and takes
 * the guest's ends and self-IPIs, without an exit. Here before and after each entry; when nothing is in it, only is_busy says so. */
struct x86_apic { bool is_busy; uint32_t irr[8], isr[8], ends[8]; };

#define X86_FPU_BYTES 832                   /* the XSAVE area of x87, SSE, AVX in standard form (SDM volume 1, 13.4) */

struct x86_frame {
    struct x86_segment segment[X86_SEGMENT_COUNT];
    uint64_t cr0, cr2, cr3, cr4, cr8, efer, rflags, xcr0;
    uint64_t dr[4], dr6, dr7;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux;
    uint64_t pdpte[4];                      /* with PAE paging: what CR3 pointed to when it was loaded (SDM 4.4.1) */
    uint64_t clock_offset_ns;               /* the guest's TSC counts from when arch_time_ns was this */
    uint32_t event, event_error;            /* to deliver at the entry; what was not delivered is here again after the exit */
    uint8_t  cpl;
    bool     in_shadow;                     /* behind STI or MOV SS: no interrupt before the next instruction's end */
    bool     is_nmi_blocked;                /* until IRET */
    bool     wants_irq_window, wants_nmi_window;    /* leave as soon as one could be taken */
    bool     wants_cr8_exit;                /* leave at a write to CR8 */
    bool     is_changed;                    /* something above but the events' fields was written: taken over at the entry */
    bool     is_partial;                    /* see above */
    bool     offers_apic;                   /* each entry says whether the CPU could play the APIC below, */
    bool     uses_apic;                     /* and is told whether it does */
    struct x86_apic apic;
    struct x86_exit exit;
    ALIGNED(64) uint8_t fpu[X86_FPU_BYTES];
};
