// SPDX-License-Identifier: Apache-2.0
/* The riscv64 hart's state and what its parts ask of each other. x0..31 are slots 0..31, f0..31 slots 32..63; CSRs live
 * in vcpu_regs.isa. Everything belongs to the thread that runs the vCPU; interrupt pins are the only door for others.
 * Section numbers in this folder refer to the RISC-V privileged architecture 1.12 unless they say otherwise. */
#pragma once
#include "hv/base/bits.h"
#include "hv/exec/engine.h"

#define RV_SLOT_F 32                        /* f0 */

/* As in mstatus.MPP (1.2, table 1.1). */
enum rv_privilege { RV_U = 0, RV_S = 1, RV_M = 3 };

/* Interrupt numbers: bits of mip, mie, mideleg, and of vcpu.pins. */
enum rv_irq { RV_IRQ_SSI = 1, RV_IRQ_MSI = 3, RV_IRQ_STI = 5, RV_IRQ_MTI = 7, RV_IRQ_SEI = 9, RV_IRQ_MEI = 11 };
/* Pins are levels, but for SSI: raising it sends an IPI, and the guest takes it back by writing 0 to sip.SSIP. */
#define RV_PINS (1u << RV_IRQ_SSI | 1u << RV_IRQ_MSI | 1u << RV_IRQ_MTI | 1u << RV_IRQ_SEI | 1u << RV_IRQ_MEI)

/* mcause of exceptions (3.1.15, table 3.6); interrupts have the top bit. */
enum rv_cause {
    RV_CAUSE_FETCH_MISALIGNED, RV_CAUSE_FETCH_ACCESS, RV_CAUSE_ILLEGAL, RV_CAUSE_BREAKPOINT, RV_CAUSE_LOAD_MISALIGNED,
    RV_CAUSE_LOAD_ACCESS, RV_CAUSE_STORE_MISALIGNED, RV_CAUSE_STORE_ACCESS, RV_CAUSE_ECALL_U, RV_CAUSE_ECALL_S,
    RV_CAUSE_ECALL_M = 11, RV_CAUSE_FETCH_PAGE, RV_CAUSE_LOAD_PAGE, RV_CAUSE_STORE_PAGE = 15,
};
#define RV_CAUSE_INTERRUPT (1ull << 63)

/* mstatus (3.1.6) */
enum { RV_SIE = 1 << 1, RV_MIE = 1 << 3, RV_SPIE = 1 << 5, RV_MPIE = 1 << 7, RV_SPP = 1 << 8, RV_MPP = 3 << 11, RV_FS = 3 << 13,
       RV_MPRV = 1 << 17, RV_SUM = 1 << 18, RV_MXR = 1 << 19, RV_TVM = 1 << 20, RV_TW = 1 << 21, RV_TSR = 1 << 22 };
#define RV_UXL (2ull << 32)
#define RV_SXL (2ull << 34)
#define RV_SD  (1ull << 63)
enum { RV_MPP_SHIFT = 11, RV_FS_SHIFT = 13 };
enum rv_fs { RV_FS_OFF, RV_FS_INITIAL, RV_FS_CLEAN, RV_FS_DIRTY };

/* menvcfg (3.1.18; Sstc, Svadu) */
#define RV_ENVCFG_FIOM (1ull << 0)
#define RV_ENVCFG_ADUE (1ull << 61)
#define RV_ENVCFG_STCE (1ull << 63)

/* satp.MODE (4.1.11, table 4.4). */
enum rv_satp_mode { RV_BARE = 0, RV_SV39 = 8, RV_SV48 = 9, RV_SV57 = 10 };

#define RV_PMP_ENTRIES 16
/* pmpcfg's fields and address matching (3.7.1). */
enum { RV_PMP_R = 1, RV_PMP_W = 2, RV_PMP_X = 4, RV_PMP_A = 3 << 3, RV_PMP_L = 1 << 7 };
enum rv_pmp_match { RV_PMP_OFF, RV_PMP_TOR, RV_PMP_NA4, RV_PMP_NAPOT };

/* One PMP entry as a range [from, last], made from pmpcfg and pmpaddr when those are written. */
struct rv_pmp_range { uint64_t from, last; uint8_t cfg; bool is_on; };

struct rv_csrs {
    uint64_t mstatus, medeleg, mideleg, mie, mip;       /* mip: the bits that software holds (SSIP, STIP, SEIP) */
    uint64_t mtvec, mscratch, mepc, mcause, mtval, mcounteren, menvcfg;
    uint64_t stvec, sscratch, sepc, scause, stval, scounteren, senvcfg, satp, stimecmp;
    uint64_t pmpaddr[RV_PMP_ENTRIES];
    union { uint64_t pmpcfg_word[RV_PMP_ENTRIES / 8]; uint8_t pmpcfg[RV_PMP_ENTRIES]; };
    uint64_t mcycle_offset, minstret_offset;            /* counter = instructions retired + offset */
    uint64_t privilege;                                 /* enum rv_privilege */
    uint64_t has_sbi;                                   /* S-mode start: ecall from S is a hypercall, there is no M-mode software */
    uint64_t has_svadu;                                 /* machine's policy: menvcfg.ADUE exists (and resets to 1) */
    uint64_t max_satp_mode;                             /* machine's policy: the deepest mode satp takes; 0: all there are */
    uint64_t is_stimer_due;                             /* stimecmp was passed */
    struct rv_pmp_range pmp[RV_PMP_ENTRIES];            /* derived by rv_pmp_sync, never read by the guest */
};
_Static_assert(sizeof(struct rv_csrs) <= VCPU_ISA_BYTES, "vcpu_regs.isa holds the CSRs");

/* The hart's CSRs, in vcpu_regs.isa. */
static inline struct rv_csrs *rv_csrs(struct vcpu *v)                    { return (struct rv_csrs *)v->regs.isa; }
static inline const struct rv_csrs *rv_csrs_const(const struct vcpu *v)  { return (const struct rv_csrs *)v->regs.isa; }

/* regs.mode, the key of translated code: what lifting depends on (FP, rounding), and above it the fetch context, so that
 * code found under one privilege or translation is never entered under another without a look at its page. */
enum rv_mode_fs    { RV_MODE_FP_OFF, RV_MODE_FP_CLEAN, RV_MODE_FP_DIRTY };
enum rv_mode_round { RV_MODE_ROUND_NEAREST, RV_MODE_ROUND_OTHER, RV_MODE_ROUND_INVALID };
enum { RV_MODE_CONTEXT_SHIFT = 4 };
static inline uint32_t           rv_mode(enum rv_mode_fs fs, enum rv_mode_round r) { return (uint32_t)fs | (uint32_t)r << 2; }
static inline enum rv_mode_fs    rv_mode_fs(uint32_t mode)    { return (enum rv_mode_fs)(mode & 3); }
static inline enum rv_mode_round rv_mode_round(uint32_t mode) { return (enum rv_mode_round)(mode >> 2 & 3); }

/* MMU contexts: all that decides a translation besides the address and satp's root. */
enum rv_context {
    RV_CONTEXT_M,                           /* physical, machine mode's PMP view */
    RV_CONTEXT_BARE,                        /* physical, S and U */
    RV_CONTEXT_U, RV_CONTEXT_U_MXR,         /* translated from here on */
    RV_CONTEXT_S, RV_CONTEXT_S_SUM, RV_CONTEXT_S_MXR, RV_CONTEXT_S_SUM_MXR,
    RV_CONTEXT_COUNT
};
_Static_assert(RV_CONTEXT_COUNT <= MMU_CONTEXTS, "the MMU has a table for each context");
static inline bool rv_context_is_user(unsigned c)       { return c == RV_CONTEXT_U || c == RV_CONTEXT_U_MXR; }
static inline bool rv_context_is_translated(unsigned c) { return c >= RV_CONTEXT_U; }
static inline bool rv_context_has_sum(unsigned c)       { return c == RV_CONTEXT_S_SUM || c == RV_CONTEXT_S_SUM_MXR; }
static inline bool rv_context_has_mxr(unsigned c)       { return c == RV_CONTEXT_U_MXR || c >= RV_CONTEXT_S_MXR; }

/* v->hypercall after an ecall from S-mode when has_sbi: a7, a6 and a0.. are the SBI call; pc is behind the ecall. */
#define RV_HYPERCALL_SBI 1

/* ---- for machine.c ---- */
/* Power-on state, then: firmware (sbi false) starts in M-mode at pc; a kernel (sbi true) starts in S-mode with
 * everything delegated, counters and stimecmp open. a0, a1: hart id and device tree. */
void rv_set_boot(struct vcpu *v, bool sbi, uint64_t pc, uint64_t a0, uint64_t a1);
/* Page tables' A and D bits: set by the walker (Svadu) or a page fault (Svade). Before the vCPU runs. */
void rv_set_svadu(struct vcpu *v, bool svadu);
/* The deepest page tables that satp takes. Before the vCPU runs. */
void rv_set_max_satp_mode(struct vcpu *v, enum rv_satp_mode mode);
/* stimecmp as SBI's set_timer writes it. */
void rv_set_stimecmp(struct vcpu *v, uint64_t ticks);

/* The architecture's table. */
extern const struct isa_ops RISCV64_ISA;

/* ---- inside ---- */
/* priv.c */
void     rv_reset(struct vcpu *v);
void     rv_sync(struct vcpu *v);                       /* after any change of privilege, mstatus, satp, frm: mode, contexts, ASID */
bool     rv_take_fault(struct vcpu *v, const struct fault *f);
bool     rv_has_irq(struct vcpu *v);
bool     rv_take_irq(struct vcpu *v);
bool     rv_wakes(struct vcpu *v);
void     rv_deadline(struct vcpu *v);
const char *rv_irq_name(unsigned cause);
unsigned rv_privilege_of(const struct vcpu *v);
uint64_t rv_mip(struct vcpu *v);                        /* software's bits, pins and stimecmp together */
void     rv_arm_stimer(struct vcpu *v);                 /* after a change of stimecmp or menvcfg.STCE */
void     rv_notice_irq(struct vcpu *v);                 /* after a change of mie, mip, mideleg, mstatus: asks the engine to look */
uint64_t rv_time(const struct vcpu *v);
bool     rv_illegal(struct vcpu *v, uint64_t opcode);   /* sets v->fault to InvalidOpcode at pc; returns false */
extern const struct ir_helper RV_HELPER_ECALL, RV_HELPER_SRET, RV_HELPER_MRET, RV_HELPER_WFI, RV_HELPER_SFENCE,
                              RV_HELPER_SFENCE_INVAL, RV_HELPER_FENCE_I, RV_HELPER_FP_DIRTY;
/* csr.c: a = opcode, b = operand, c = instructions of the block done before; the result is the old value. */
extern const struct ir_helper RV_HELPER_CSR;
#define RV_REG_COUNT (32 + 32 + 4 + 25 + 16)            /* x, f; pc, fflags, frm, privilege; csr.def's STORED rows; pmpaddr */
extern const struct reg_desc rv_regs[RV_REG_COUNT];
void     rv_reg_written(struct vcpu *v, unsigned reg);  /* csr.c: every register made lawful again */
/* pmp.c */
void     rv_pmp_sync(struct vcpu *v);                   /* after pmpcfg or pmpaddr changed: ranges, and the TLB forgets */
/* What [at, at+size) allows (PERM_*), as machine mode or below sees it; *granule_bits: the largest naturally aligned
 * block around `at` with one answer. */
unsigned rv_pmp_perms(const struct rv_csrs *c, uint64_t at, unsigned size_bytes, bool is_machine, unsigned *granule_bits);
/* mmu.c */
bool     rv_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out);
unsigned rv_rights(const struct vcpu *v, guest_addr at);
bool     rv_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why);
/* lift.c */
enum lift_next rv_lift(struct ir_block *b, const struct insn *i, uint32_t mode);
