// SPDX-License-Identifier: Apache-2.0
/* The x86_64 vCPU's state and what its parts ask of each other. General registers are slots 0..15 by their numbers, the rest is
 * struct x86_frame and what the hypervisor keeps beside it, in vcpu_regs.isa. Everything belongs to the thread that runs the vCPU;
 * pins are the only door for others. "SDM" is Intel's manual (volume 3 unless said). */
#pragma once
#include "hv/arch/hw_x86.h"
#include "hv/base/bits.h"
#include "hv/exec/engine.h"
#include "hv/isa/x86_64/insn.h"

/* General registers by their numbers. */
enum x86_slot { X86_RAX, X86_RCX, X86_RDX, X86_RBX, X86_RSP, X86_RBP, X86_RSI, X86_RDI, X86_R8 };

/* Bits of vcpu.pins. INTR: the local APIC has news. EXTERNAL: the 8259's output, a level. START: INIT or a start-up IPI came. */
enum x86_pin { X86_PIN_INTR, X86_PIN_NMI, X86_PIN_EXTERNAL, X86_PIN_START };

/* RFLAGS, CR0, CR4, EFER: SDM 2.3, 2.5, 2.2.1. */
enum { X86_CF = 1 << 0, X86_PF_FLAG = 1 << 2, X86_AF = 1 << 4, X86_ZF = 1 << 6, X86_SF = 1 << 7, X86_TF = 1 << 8, X86_IF = 1 << 9, X86_DF_FLAG = 1 << 10,
       X86_OF = 1 << 11, X86_RF = 1 << 16, X86_VM = 1 << 17, X86_AC_FLAG = 1 << 18 };
#define X86_ARITHMETIC_FLAGS (X86_CF | X86_PF_FLAG | X86_AF | X86_ZF | X86_SF | X86_OF)
#define X86_RFLAGS_FIXED     2u
enum { X86_CR0_PE = 1 << 0, X86_CR0_ET = 1 << 4, X86_CR0_NE = 1 << 5, X86_CR0_WP = 1 << 16, X86_CR0_NW = 1 << 29, X86_CR0_CD = 1 << 30 };
#define X86_CR0_PG 0x80000000u
enum { X86_CR4_PSE = 1 << 4, X86_CR4_PAE = 1 << 5, X86_CR4_LA57 = 1 << 12, X86_CR4_VMXE = 1 << 13, X86_CR4_PCIDE = 1 << 17, X86_CR4_OSXSAVE = 1 << 18,
       X86_CR4_SMEP = 1 << 20, X86_CR4_SMAP = 1 << 21 };
enum { X86_EFER_SCE = 1 << 0, X86_EFER_LME = 1 << 8, X86_EFER_LMA = 1 << 10, X86_EFER_NXE = 1 << 11 };
#define X86_DR6_BS (1ull << 14)

#define X86_MTRR_FIXED 11
#define X86_MTRR_PAIRS 8

/* A walk of the guest's tables in long mode, and an instruction, as they were found last: made again they cost a comparison. */
#define X86_MAX_LEVELS 5
#define X86_INSN_MEMO_BITS 4
enum { X86_WALK_FETCH, X86_WALK_READ, X86_WALK_WRITE, X86_WALKS };
struct x86_walk_memo {
    unsigned        count;                  /* of levels; 0: nothing is remembered */
    uint8_t         cpl;
    const uint64_t *entry[X86_MAX_LEVELS];  /* in the host's memory, and what they were */
    uint64_t        value[X86_MAX_LEVELS];
    uint64_t        linear, cr3, cr0, cr4, efer, rflags;
    uint64_t        gpa;                    /* the page */
    const void     *host;                   /* and where it is; NULL: no RAM */
};
struct x86_insn_memo { unsigned bits; uint8_t bytes[16]; struct x86_insn insn; };      /* bits 0: nothing */

/* Behind the frame: registers that only we have. */
struct x86_state {
    struct x86_frame frame;
    uint64_t apic_base;                     /* IA32_APIC_BASE */
    uint64_t misc_enable;
    uint64_t kvm_clock, kvm_wall_clock;     /* as the guest wrote them */
    uint64_t mtrr_default, mtrr_fixed[X86_MTRR_FIXED], mtrr_pair[2 * X86_MTRR_PAIRS];
    uint8_t  cr8_loaded;                    /* what the APIC's TPR was at the last entry */
    bool     is_nmi_pending;
    bool     has_news;                      /* the interrupt chips may have something to deliver */
    uint64_t lent_at;                       /* the APIC's count of INITs when its vectors went into the frame */
    struct x86_walk_memo walk[X86_WALKS];
    struct x86_insn_memo insn[1 << X86_INSN_MEMO_BITS];
};
_Static_assert(sizeof(struct x86_state) <= VCPU_ISA_BYTES, "vcpu_regs.isa holds the state");
_Static_assert(offsetof(struct x86_state, frame) == 0, "hv/exec/native.h");

/* The vCPU's state, and the frame at its beginning. */
static inline struct x86_state *x86_state(struct vcpu *v)                   { return (struct x86_state *)v->regs.isa; }
static inline const struct x86_state *x86_state_const(const struct vcpu *v) { return (const struct x86_state *)v->regs.isa; }
static inline struct x86_frame *x86_frame(struct vcpu *v)                   { return &x86_state(v)->frame; }

/* How wide code and stack are. */
static inline bool x86_is_long(const struct x86_frame *f)     { return f->efer & X86_EFER_LMA; }
static inline bool x86_is_64bit(const struct x86_frame *f)    { return x86_is_long(f) && f->segment[X86_CS].rights & X86_RIGHTS_L; }
static inline unsigned x86_code_bits(const struct x86_frame *f)
{
    return x86_is_64bit(f) ? 64 : f->segment[X86_CS].rights & X86_RIGHTS_DB ? 32 : 16;
}

/* Puts an exception into the frame for the next entry. */
static inline void x86_raise(struct x86_frame *f, enum x86_vector vector) { f->event = X86_EVENT_VALID | X86_EVENT_EXCEPTION | vector; }
static inline void x86_raise_error(struct x86_frame *f, enum x86_vector vector, uint32_t error)
{
    x86_raise(f, vector);
    f->event |= X86_EVENT_HAS_ERROR;
    f->event_error = error;
}

/* ---- regs.c ---- */
extern const struct reg_desc x86_regs[];
#define X86_REG_COUNT 95
void x86_reset(struct vcpu *v);                              /* power-on state: SDM 9.1.1 */
void x86_start_at(struct vcpu *v, unsigned page);            /* a start-up IPI's: real mode at page * 4 KiB */
void x86_reg_written(struct vcpu *v, unsigned reg);
void x86_load_pdptes(struct vcpu *v);                        /* what CR3 points to, where PAE paging is on */

/* ---- walk.c ---- */
enum { X86_PF_PRESENT = 1, X86_PF_WRITE = 2, X86_PF_USER = 4, X86_PF_RESERVED = 8, X86_PF_FETCH = 16 };
/* ANYWAY: whatever the rights; RIGHTS: as an access, but nothing changes; ACCESS: A and D bits are set. */
enum x86_look { X86_LOOK_ANYWAY, X86_LOOK_RIGHTS, X86_LOOK_ACCESS };
/* One linear address by the guest's tables. False: *error is what #PF pushes. */
bool x86_translate(const struct x86_frame *f, struct gmem *m, uint64_t linear, enum access_type how, bool is_user, enum x86_look look,
                   uint64_t *gpa, uint32_t *error);
NODISCARD bool x86_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why);
bool x86_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out);
unsigned x86_rights(const struct vcpu *v, guest_addr at);
/* The same for what the vCPU does now, with its rights: data as X86_LOOK_ACCESS, code as X86_LOOK_RIGHTS. */
bool x86_translate_again(struct vcpu *v, uint64_t linear, enum access_type how, uint64_t *gpa, uint32_t *error);
/* The instruction at cs:rip, until the next is asked for; NULL: it cannot be read, or there is no such instruction. */
const struct x86_insn *x86_insn_at_pc(struct vcpu *v);

/* ---- exit.c, cpuid.c, msr.c, emulate.c ---- */
extern const struct native_ops X86_NATIVE;
/* Steps over the instruction that left; its length is decoded where the CPU does not tell. */
void x86_advance(struct vcpu *v);
void x86_advance_by(struct vcpu *v, unsigned bytes);
void x86_complete(struct vcpu *v);                           /* all of the frame is as the guest has it */
void x86_cpuid(struct vcpu *v, uint32_t leaf, uint32_t subleaf, uint32_t r[4]);       /* r: the host's answer, then the guest's */
/* False: #GP. */
bool x86_rdmsr(struct vcpu *v, uint32_t msr, uint64_t *out);
bool x86_wrmsr(struct vcpu *v, uint32_t msr, uint64_t value);
/* The instruction at rip, which touches no RAM. x: the exit that it was left for; NULL: not for memory. */
enum exec_status x86_emulate(struct vcpu *v, const struct hw_exit *x, struct vm_error *error);
enum exec_status x86_emulate_cr(struct vcpu *v, struct vm_error *error);
/* The guest writes a control register. False: #GP. */
bool x86_write_cr(struct vcpu *v, unsigned cr, uint64_t value);
bool x86_has_irq(struct vcpu *v);                                                     /* one that it would take now */
uint64_t x86_tsc(const struct vcpu *v);                                               /* as the guest reads it */
int x86_disasm(const struct insn *i, char *out, size_t cap_bytes);
extern const struct isa_ops X86_64_ISA;
