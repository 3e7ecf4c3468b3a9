// SPDX-License-Identifier: Apache-2.0
/* Registers by name, their power-on values, and what follows when one is written from outside. */
#include "hv/base/string.h"
#include "hv/isa/x86_64/machine.h"

#define SLOT(n, name)        { name, REG_GENERAL, (uint16_t)(offsetof(struct vcpu_regs, slot) + 8 * (n)), 8, NULL }
#define ISA(field)           (uint16_t)(offsetof(struct vcpu_regs, isa) + offsetof(struct x86_state, field))
#define FIELD(name, field)   { name, REG_CONTROL, ISA(frame.field), sizeof(((struct x86_frame *)0)->field), NULL }
#define OTHER(name, field)   { name, REG_CONTROL, ISA(field), 8, NULL }
#define SEGMENT(name, n)     { name, REG_CONTROL, ISA(frame.segment[n].selector), 2, NULL }, \
                             { name "_base", REG_CONTROL, ISA(frame.segment[n].base), 8, NULL }, \
                             { name "_limit", REG_CONTROL, ISA(frame.segment[n].limit), 4, NULL }, \
                             { name "_rights", REG_CONTROL, ISA(frame.segment[n].rights), 2, NULL }
#define TABLE(name, n)       { name "_base", REG_CONTROL, ISA(frame.segment[n].base), 8, NULL }, \
                             { name "_limit", REG_CONTROL, ISA(frame.segment[n].limit), 4, NULL }
#define XMM(n)               { "xmm" #n, REG_FP, (uint16_t)(ISA(frame.fpu) + 160 + 16 * (n)), 16, NULL }

const struct reg_desc x86_regs[] = {
    SLOT(0, "rax"), SLOT(1, "rcx"), SLOT(2, "rdx"), SLOT(3, "rbx"), SLOT(4, "rsp"), SLOT(5, "rbp"), SLOT(6, "rsi"), SLOT(7, "rdi"),
    SLOT(8, "r8"), SLOT(9, "r9"), SLOT(10, "r10"), SLOT(11, "r11"), SLOT(12, "r12"), SLOT(13, "r13"), SLOT(14, "r14"), SLOT(15, "r15"),
    { "rip", REG_CONTROL, offsetof(struct vcpu_regs, pc), 8, "pc" },
    FIELD("rflags", rflags), FIELD("cr0", cr0), FIELD("cr2", cr2), FIELD("cr3", cr3), FIELD("cr4", cr4), FIELD("cr8", cr8), FIELD("efer", efer),
    FIELD("xcr0", xcr0), FIELD("cpl", cpl),
    SEGMENT("es", X86_ES), SEGMENT("cs", X86_CS), SEGMENT("ss", X86_SS), SEGMENT("ds", X86_DS), SEGMENT("fs", X86_FS), SEGMENT("gs", X86_GS),
    SEGMENT("ldtr", X86_LDTR), SEGMENT("tr", X86_TR), TABLE("gdtr", X86_GDTR), TABLE("idtr", X86_IDTR),
    FIELD("dr0", dr[0]), FIELD("dr1", dr[1]), FIELD("dr2", dr[2]), FIELD("dr3", dr[3]), FIELD("dr6", dr6), FIELD("dr7", dr7),
    FIELD("star", star), FIELD("lstar", lstar), FIELD("cstar", cstar), FIELD("sfmask", sfmask), FIELD("kernel_gs_base", kernel_gs_base),
    FIELD("sysenter_cs", sysenter_cs), FIELD("sysenter_esp", sysenter_esp), FIELD("sysenter_eip", sysenter_eip), FIELD("pat", pat),
    FIELD("tsc_aux", tsc_aux), OTHER("apic_base", apic_base),
    XMM(0), XMM(1), XMM(2), XMM(3), XMM(4), XMM(5), XMM(6), XMM(7), XMM(8), XMM(9), XMM(10), XMM(11), XMM(12), XMM(13), XMM(14), XMM(15),
};
_Static_assert(ARRAY_COUNT(x86_regs) == X86_REG_COUNT, "isa.c's table");

/* SDM table 9-1. */
void x86_reset(struct vcpu *v)
{
    enum { DATA = 0x93, CODE = 0x9b, LDT = 0x82, TSS = 0x8b };
    struct x86_state *s = x86_state(v);
    struct x86_frame *f = &s->frame;
    *s = (struct x86_state){ .apic_base = 0xfee00000u | 1u << 11 | (v->id == 0 ? 1u << 8 : 0), .misc_enable = 1 };
    memset(v->regs.slot, 0, sizeof v->regs.slot);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++) f->segment[i] = (struct x86_segment){ 0, DATA, 0xffff, 0 };
    f->segment[X86_CS] = (struct x86_segment){ 0xf000, CODE, 0xffff, 0xffff0000u };
    f->segment[X86_LDTR].rights = LDT;
    f->segment[X86_TR].rights = TSS;
    f->segment[X86_GDTR].rights = f->segment[X86_IDTR].rights = 0;
    f->cr0 = X86_CR0_CD | X86_CR0_NW | X86_CR0_ET;
    f->rflags = X86_RFLAGS_FIXED;
    f->xcr0 = 1;
    f->dr6 = 0xffff0ff0u;
    f->dr7 = 0x400;
    f->pat = 0x0007040600070406ull;
    store_le16(f->fpu, 0x40);               /* FCW; MXCSR */
    store_le32(f->fpu + 24, 0x1f80);
    store_le64(f->fpu + 512, 3);            /* both are in the area */
    f->is_changed = true;
    v->regs.slot[X86_RDX] = 0x600;
    v->regs.pc = 0xfff0;
    v->regs.mode = 16;
    v->is_halted = false;
    v->reservation.size_bytes = 0;
    __atomic_store_n(&v->pins, 0, __ATOMIC_RELAXED);
}

void x86_start_at(struct vcpu *v, unsigned page)
{
    struct x86_frame *f = x86_frame(v);
    f->segment[X86_CS].selector = (uint16_t)(page << 8);
    f->segment[X86_CS].base = (uint64_t)page << 12;
    v->regs.pc = 0;
}

void x86_load_pdptes(struct vcpu *v)
{
    struct x86_frame *f = x86_frame(v);
    if (!(f->cr0 & X86_CR0_PG) || !(f->cr4 & X86_CR4_PAE) || f->efer & X86_EFER_LMA) return;
    if (vm_failed(gmem_read_bulk(v->mmu.gmem, guest_phys_addr_make(f->cr3 & 0xffffffe0u), f->pdpte, sizeof f->pdpte))) memset(f->pdpte, 0, sizeof f->pdpte);
    for (unsigned i = 0; i < 4; i++) f->pdpte[i] &= f->pdpte[i] & 1 ? ~0x1e6ull : 0;      /* reserved bits would stop the entry */
}

/* Every value that can stand in a register is made one that the CPU takes: an entry with an unlawful state stops the VM. */
void x86_reg_written(struct vcpu *v, unsigned reg)
{
    struct x86_frame *f = x86_frame(v);
    (void)reg;
    f->rflags = (f->rflags & 0x3f7fd7u) | X86_RFLAGS_FIXED;
    f->cr0 |= X86_CR0_ET;
    if (f->cr0 & X86_CR0_PG) f->cr0 |= X86_CR0_PE;
    f->dr6 = (f->dr6 & 0xe00fu) | 0xffff0ff0u;
    f->dr7 = (f->dr7 & 0xffff2bffu) | 0x400;
    f->cr8 &= 15;
    f->cpl &= 3;
    f->xcr0 |= 1;
    f->efer &= X86_EFER_SCE | X86_EFER_LME | X86_EFER_LMA | X86_EFER_NXE;
    f->is_changed = true;
    x86_state(v)->has_news = true;
    for (unsigned i = 0; i < X86_WALKS; i++) x86_state(v)->walk[i].count = 0;      /* where their entries lay is no register */
    x86_load_pdptes(v);
}
