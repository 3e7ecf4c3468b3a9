// SPDX-License-Identifier: Apache-2.0
/* Guest memory on x86-64: the probe of the first-level TLB (mmu.h), and the way to C behind a block. No other file emits an
 * access to guest memory. x86 orders loads and stores at least as strongly as any guest wants of plain ones. */
#include "hv/jit/x64/x64.h"

/* At [rax + disp]. */
static void transfer(struct emit *e, const struct jit_access *a, int32_t disp)
{
    unsigned v = a->value;
    bool is_signed = a->memop & MEM_SIGNED;
    switch (a->memop & MEM_SIZE) {
    case MEM_8:
        if (a->is_store) x64_rm(e, 0x88 | X_BYTE, v, RAX, disp);
        else x64_rm(e, is_signed ? 0xbe | X_0F | X_W : 0xb6 | X_0F, v, RAX, disp);
        return;
    case MEM_16:
        if (a->is_store) x64_rm(e, 0x89 | X_66, v, RAX, disp);
        else x64_rm(e, is_signed ? 0xbf | X_0F | X_W : 0xb7 | X_0F, v, RAX, disp);
        return;
    case MEM_32:
        if (a->is_fp) x64_rm(e, (a->is_store ? 0x11u : 0x10u) | X_0F | X_F3, v, RAX, disp);
        else if (a->is_store) x64_rm(e, 0x89, v, RAX, disp);
        else x64_rm(e, is_signed ? 0x63 | X_W : 0x8b, v, RAX, disp);
        return;
    default:
        if (a->is_fp) x64_rm(e, (a->is_store ? 0x11u : 0x10u) | X_0F | X_F2, v, RAX, disp);
        else x64_rm(e, (a->is_store ? 0x89u : 0x8bu) | X_W, v, RAX, disp);
        return;
    }
}

static void address(struct emit *e, const struct jit_access *a)
{
    if (a->offset) x64_rm(e, 0x8d | X_W, RAX, a->base, a->offset);
    else x64_mov(e, RAX, a->base);
}

static struct emit_stub *slow(struct emit *e, const struct jit_access *a, unsigned cc)
{
    struct emit_stub *s = emit_stub(e);
    s->kind = STUB_ACCESS;
    s->from = x64_jcc(e, cc);
    s->place = a->place;
    s->access = *a;
    return s;
}

static void known_page(struct emit *e, const struct jit_access *a)
{
    x64_rm(e, 0x8b, RDX, RBP, X64_SLOT(a->page_slot + 1));
    x64_rm(e, 0x8b | X_W, RAX, RBP, X64_SLOT(a->page_slot));
    if (a->distance) x64_alu_imm(e, ALU_ADD, false, RDX, a->distance);
    x64_alu_imm(e, ALU_CMP, false, RDX, HV_PAGE_BYTES);
    struct emit_stub *s = slow(e, a, CC_AE);
    transfer(e, a, a->distance);
    s->back = e->at;
}

void x64_access(struct emit *e, const struct jit_access *a)
{
    _Static_assert(sizeof(struct tlb_entry) == 32 && MMU_TLB_ENTRIES <= 4096, "index: page number * 32");
    unsigned bytes = memop_bytes(a->memop);
    if (a->page == JIT_PAGE_KNOWN) {
        known_page(e, a);
        return;
    }
    address(e, a);
    x64_rr(e, 0x8b, RCX, RAX);
    x64_shift_imm(e, SH_SHR, false, RCX, HV_PAGE_BITS - 5);
    x64_mov_imm(e, RDX, ~(uint64_t)(HV_PAGE_BYTES - 1) | (bytes - 1));
    x64_alu_imm(e, ALU_AND, false, RCX, (MMU_TLB_ENTRIES - 1) << 5);
    x64_rr(e, 0x23 | X_W, RDX, RAX);
    x64_rmx(e, 0x3b | X_W, RDX, R14, RCX, a->is_store ? (int32_t)offsetof(struct tlb_entry, write) : (int32_t)offsetof(struct tlb_entry, read));
    struct emit_stub *s = slow(e, a, CC_NE);
    x64_rmx(e, 0x03 | X_W, RAX, R14, RCX, (int32_t)offsetof(struct tlb_entry, addend));
    if (a->page == JIT_PAGE_PROBED) {                        /* host pages lie as guest pages do */
        x64_rr(e, 0x8b, RDX, RAX);
        x64_alu_imm(e, ALU_AND, false, RDX, HV_PAGE_BYTES - 1);
        x64_rm(e, 0x89 | X_W, RAX, RBP, X64_SLOT(a->page_slot));
        x64_rm(e, 0x89, RDX, RBP, X64_SLOT(a->page_slot + 1));
    }
    transfer(e, a, 0);
    s->back = e->at;
}

static void movq_to(struct emit *e, unsigned d, unsigned xmm)   { x64_rr(e, 0x7e | X_0F | X_66 | X_W, xmm, d); }
static void movq_from(struct emit *e, unsigned xmm, unsigned a) { x64_rr(e, 0x6e | X_0F | X_66 | X_W, xmm, a); }

static void access_stub(struct emit *e, const struct emit_stub *s)
{
    const struct jit_access *a = &s->access;
    x64_make_canonical(e, &a->unchecked);
    if (a->page == JIT_PAGE_KNOWN) address(e, a);            /* else it is in rax */
    if (a->is_store && a->is_fp) movq_to(e, RCX, a->value);
    else if (a->is_store) x64_mov(e, RCX, a->value);
    x64_call(e, s->place, false);
    if (a->page == JIT_PAGE_PROBED) {
        x64_rm(e, 0xc7, 0, RBP, X64_SLOT(a->page_slot + 1));
        emit32(e, JIT_NO_PAGE);
    }
    if (a->is_store) return;
    if (a->is_fp) movq_from(e, a->value, RAX);
    else x64_mov(e, a->value, RAX);
}

static void fp_call_stub(struct emit *e, const struct emit_stub *s)
{
    movq_to(e, RAX, s->a);
    if (s->b != NO_REG) movq_to(e, RCX, s->b);
    if (s->c != NO_REG) movq_to(e, RDX, s->c);
    x64_call(e, s->place, false);
    if (s->is_d_fp) movq_from(e, s->d, RAX);
    else x64_mov(e, s->d, RAX);
}

void x64_stubs(struct emit *e)
{
    for (unsigned i = 0; i < e->stub_count && !e->is_full; i++) {
        const struct emit_stub *s = &e->stub[i];
        x64_patch(e->base, s->from, e->at);
        for (unsigned k = 0; k < sizeof s->also_from / sizeof s->also_from[0]; k++) {
            if (s->also_from[k]) x64_patch(e->base, s->also_from[k], e->at);
        }
        switch (s->kind) {
        case STUB_ACCESS:  access_stub(e, s); break;
        case STUB_FP_CALL: fp_call_stub(e, s); break;
        case STUB_UNCHECKED: x64_make_canonical(e, &s->access.unchecked); break;
        case STUB_NAN:                                       /* movss, movsd */
            x64_rip(e, 0x10 | X_0F | (s->is_single ? X_F3 : X_F2), s->d, e->prologue->constants + (s->is_single ? X64_NAN32 : X64_NAN64));
            break;
        }
        x64_jmp_to(e, s->back);
    }
}
