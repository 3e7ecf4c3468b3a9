// SPDX-License-Identifier: Apache-2.0
/* The virtual machine control block: APM appendix B, and the numbers of exits of appendix C. */
#pragma once
#include "hv/arch/hw_x86.h"

enum vmcb_intercept_3 {                     /* the third word */
    VMCB_INTR = 1 << 0, VMCB_NMI = 1 << 1, VMCB_INIT = 1 << 3, VMCB_VINTR = 1 << 4, VMCB_RDPMC = 1 << 15, VMCB_CPUID = 1 << 18,
    VMCB_IRET = 1 << 20, VMCB_INVD = 1 << 22, VMCB_PAUSE = 1 << 23, VMCB_HLT = 1 << 24, VMCB_INVLPGA = 1 << 26, VMCB_IOIO = 1 << 27,
    VMCB_MSR = 1 << 28, VMCB_FERR_FREEZE = 1 << 30,
};
#define VMCB_SHUTDOWN (1u << 31)
enum vmcb_intercept_4 {
    VMCB_VMRUN = 1 << 0, VMCB_VMMCALL = 1 << 1, VMCB_VMLOAD = 1 << 2, VMCB_VMSAVE = 1 << 3, VMCB_STGI = 1 << 4, VMCB_CLGI = 1 << 5,
    VMCB_SKINIT = 1 << 6, VMCB_WBINVD = 1 << 9, VMCB_MONITOR = 1 << 10, VMCB_MWAIT = 1 << 11, VMCB_MWAIT_ARMED = 1 << 12, VMCB_XSETBV = 1 << 13,
};
enum vmcb_interrupt_control {
    VMCB_V_IRQ = 1 << 8, VMCB_V_PRIORITY_15 = 15 << 16, VMCB_V_IGNORE_TPR = 1 << 20, VMCB_V_MASKING = 1 << 24, VMCB_V_TPR = 0xff,
};
enum { VMCB_TLB_KEEP = 0, VMCB_TLB_FLUSH_ALL = 1 };

/* Control area, and the guest's state from 400H on. */
struct vmcb {
    uint16_t cr_reads, cr_writes, dr_reads, dr_writes;
    uint32_t exceptions, intercept_3, intercept_4;
    uint8_t  reserved_014[0x40 - 0x14];
    uint64_t io_map, msr_map, tsc_offset;
    uint32_t asid;
    uint8_t  tlb_control, reserved_05d[3];
    uint32_t interrupt_control;
    uint8_t  interrupt_vector, reserved_065[3];
    uint64_t interrupt_shadow;
    uint64_t exit_code, exit_info_1, exit_info_2;
    uint32_t exit_event, exit_event_error;
    uint64_t has_nested_paging;
    uint8_t  reserved_098[0xa8 - 0x98];
    uint32_t event, event_error;
    uint64_t nested_cr3, lbr;
    uint32_t clean, reserved_0c4;
    uint64_t next_rip;
    uint8_t  insn_length, insn[15];
    uint8_t  reserved_0e0[0x400 - 0xe0];
    struct x86_segment segment[X86_SEGMENT_COUNT];
    uint8_t  reserved_4a0[0x4cb - 0x4a0], cpl, reserved_4cc[4];
    uint64_t efer;
    uint8_t  reserved_4d8[0x548 - 0x4d8];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t  reserved_580[0x5d8 - 0x580];
    uint64_t rsp, s_cet, ssp, isst, rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, cr2;
    uint8_t  reserved_648[0x668 - 0x648];
    uint64_t pat, debug_control;
    uint8_t  reserved_678[0x1000 - 0x678];
};
_Static_assert(sizeof(struct vmcb) == 4096, "appendix B");
_Static_assert(offsetof(struct vmcb, io_map) == 0x40, "APM appendix B, io_map");
_Static_assert(offsetof(struct vmcb, asid) == 0x58, "APM appendix B, asid");
_Static_assert(offsetof(struct vmcb, exit_code) == 0x70, "APM appendix B, exit_code");
_Static_assert(offsetof(struct vmcb, has_nested_paging) == 0x90, "APM appendix B, has_nested_paging");
_Static_assert(offsetof(struct vmcb, event) == 0xa8, "APM appendix B, event");
_Static_assert(offsetof(struct vmcb, next_rip) == 0xc8, "APM appendix B, next_rip");
_Static_assert(offsetof(struct vmcb, segment) == 0x400, "APM appendix B, segment");
_Static_assert(offsetof(struct vmcb, cpl) == 0x4cb, "APM appendix B, cpl");
_Static_assert(offsetof(struct vmcb, efer) == 0x4d0, "APM appendix B, efer");
_Static_assert(offsetof(struct vmcb, cr4) == 0x548, "APM appendix B, cr4");
_Static_assert(offsetof(struct vmcb, rip) == 0x578, "APM appendix B, rip");
_Static_assert(offsetof(struct vmcb, rsp) == 0x5d8, "APM appendix B, rsp");
_Static_assert(offsetof(struct vmcb, star) == 0x600, "APM appendix B, star");
_Static_assert(offsetof(struct vmcb, cr2) == 0x640, "APM appendix B, cr2");
_Static_assert(offsetof(struct vmcb, pat) == 0x668, "APM appendix B, pat");

enum vmcb_exit {
    VMCB_EXIT_CR8_WRITE = 0x18, VMCB_EXIT_EXCEPTION = 0x40, VMCB_EXIT_INTR = 0x60, VMCB_EXIT_NMI, VMCB_EXIT_SMI, VMCB_EXIT_INIT, VMCB_EXIT_VINTR, VMCB_EXIT_RDPMC = 0x6f,
    VMCB_EXIT_CPUID = 0x72, VMCB_EXIT_IRET = 0x74, VMCB_EXIT_INVD = 0x76, VMCB_EXIT_PAUSE, VMCB_EXIT_HLT, VMCB_EXIT_INVLPGA = 0x7a, VMCB_EXIT_IOIO,
    VMCB_EXIT_MSR, VMCB_EXIT_FERR_FREEZE = 0x7e, VMCB_EXIT_SHUTDOWN, VMCB_EXIT_VMRUN, VMCB_EXIT_VMMCALL, VMCB_EXIT_VMLOAD, VMCB_EXIT_VMSAVE,
    VMCB_EXIT_STGI, VMCB_EXIT_CLGI, VMCB_EXIT_SKINIT, VMCB_EXIT_WBINVD = 0x89, VMCB_EXIT_MONITOR, VMCB_EXIT_MWAIT, VMCB_EXIT_MWAIT_ARMED,
    VMCB_EXIT_XSETBV, VMCB_EXIT_NPF = 0x400,
};
#define VMCB_EXIT_INVALID 0xffffffffu       /* the low half of it */
