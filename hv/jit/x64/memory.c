// SPDX-License-Identifier: Apache-2.0
/* Guest memory on x86-64: the probe of the first-level TLB (mmu.h), and the way to C behind a block. No other file emits an
 * access to guest memory. x86 orders loads and stores at least as strongly as any guest wants of plain ones. */
#include "hv/jit/x64/x64.h"

static void transfer(struct emit *e, const struct jit_access *a, unsigned base, int32_t disp)
{
    unsigned v = a->value;
    bool is_signed = a->memop & MEM_SIGNED;
    switch (a->memop & MEM_SIZE) {
    case MEM_8:
        if (a->is_store) x64_rm(e, 0x88 | X_BYTE, v, base, disp);
        else x64_rm(e, is_signed ? 0xbe | X_0F | X_W : 0xb6 | X_0F, v, base, disp);
        return;
    case MEM_16:
        if (a->is_store) x64_rm(e, 0x89 | X_66, v, base, disp);
        else x64_rm(e, is_signed ? 0xbf | X_0F | X_W : 0xb7 | X_0F, v, base, disp);
        return;
    case MEM_32:
        if (a->is_fp) x64_rm(e, (a->is_store ? 0x11u : 0x10u) | X_0F | X_F3, v, base, disp);
        else if (a->is_store) x64_rm(e, 0x89, v, base, disp);
        else x64_rm(e, is_signed ? 0x63 | X_W : 0x8b, v, base, disp);
        return;
    default:
        if (a->is_fp) x64_rm(e, (a->is_store ? 0x11u : 0x10u) | X_0F | X_F2, v, base, disp);
        else x64_rm(e, (a->is_store ? 0x89u : 0x8bu) | X_W, v, base, disp);
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

/* ecx: where the TLB's line for rax is. */
static void line(struct emit *e)
{
    _Static_assert(sizeof(struct tlb_entry) == 32 && MMU_TLB_ENTRIES <= 4096, "index: page number * 32");
    x64_rr(e, 0x8b, RCX, RAX);
    x64_shift_imm(e, SH_SHR, false, RCX, HV_PAGE_BITS - 5);
    x64_alu_imm(e, ALU_AND, false, RCX, (MMU_TLB_ENTRIES - 1) << 5);
}

static void compare_tag(struct emit *e, bool is_write)
{
    x64_rmx(e, 0x3b | X_W, RDX, R14, RCX, is_write ? (int32_t)offsetof(struct tlb_entry, write) : (int32_t)offsetof(struct tlb_entry, read));
}

static void add_addend(struct emit *e) { x64_rmx(e, 0x03 | X_W, RAX, R14, RCX, (int32_t)offsetof(struct tlb_entry, addend)); }

/* The address in rax becomes the host's when the flags, left for a jump, say equal. */
static void probe(struct emit *e, const struct jit_access *a)
{
    line(e);
    x64_mov_imm(e, RDX, ~(uint64_t)(HV_PAGE_BYTES - 1) | (memop_bytes(a->memop) - 1));
    x64_rr(e, 0x23 | X_W, RDX, RAX);
    compare_tag(e, a->is_store);
}

/* The line is found by the window's first byte, and its tag must be the last one's: both are in one page then. */
static void probed_window(struct emit *e, const struct jit_access *a)
{
    x64_rm(e, 0x8d | X_W, RAX, a->base, a->window_first);
    x64_rm(e, 0x8d | X_W, RDX, a->base, a->window_first + a->window_bytes - 1);
    line(e);
    x64_alu_imm(e, ALU_AND, true, RDX, -HV_PAGE_BYTES);
    compare_tag(e, a->window_is_write);
    struct emit_stub *s = slow(e, a, CC_NE);
    add_addend(e);
    x64_rm(e, 0x89 | X_W, RAX, RBP, X64_SLOT(a->page_slot));
    transfer(e, a, RAX, a->distance);
    if (a->page_reg != NO_REG) x64_mov(e, a->page_reg, RAX); /* behind the transfer: it may be what that stored */
    s->back = e->at;
}

static void known_window(struct emit *e, const struct jit_access *a)
{
    unsigned page = a->page_reg != NO_REG ? a->page_reg : RAX;
    if (page == RAX) x64_rm(e, 0x8b | X_W, RAX, RBP, X64_SLOT(a->page_slot));
    x64_rr(e, 0x85 | X_W, page, page);
    struct emit_stub *s = slow(e, a, CC_E);
    transfer(e, a, page, a->distance);
    s->back = e->at;
}

void x64_access(struct emit *e, const struct jit_access *a)
{
    if (a->page == JIT_PAGE_PROBED) {
        probed_window(e, a);
    } else if (a->page == JIT_PAGE_KNOWN) {
        known_window(e, a);
    } else {
        address(e, a);
        probe(e, a);
        struct emit_stub *s = slow(e, a, CC_NE);
        add_addend(e);
        transfer(e, a, RAX, 0);
        s->back = e->at;
    }
}

static void movq_to(struct emit *e, unsigned d, unsigned xmm)   { x64_rr(e, 0x7e | X_0F | X_66 | X_W, xmm, d); }
static void movq_from(struct emit *e, unsigned xmm, unsigned a) { x64_rr(e, 0x6e | X_0F | X_66 | X_W, xmm, a); }

/* No window: those behind ask for themselves. */
static void no_window(struct emit *e, const struct jit_access *a)
{
    if (a->page != JIT_PAGE_PROBED) return;
    x64_rm(e, 0xc7 | X_W, 0, RBP, X64_SLOT(a->page_slot));
    emit32(e, 0);
    if (a->page_reg != NO_REG) x64_rr(e, 0x31, a->page_reg, a->page_reg);
}

static void access_stub(struct emit *e, const struct emit_stub *s)
{
    const struct jit_access *a = &s->access;
    if (a->page != JIT_PAGE_PLAIN) {                         /* else the probe has failed already, with the address in rax */
        address(e, a);
        probe(e, a);
        uint32_t miss = x64_jcc(e, CC_NE);
        add_addend(e);
        transfer(e, a, RAX, 0);
        no_window(e, a);
        x64_jmp_to(e, s->back);
        if (!e->is_full) x64_patch(e->base, miss, e->at);
    }
    x64_make_canonical(e, &a->unchecked);
    if (a->is_store && a->is_fp) movq_to(e, RCX, a->value);
    else if (a->is_store) x64_mov(e, RCX, a->value);
    x64_call(e, s->place, false);
    if (!a->is_store && a->is_fp) movq_from(e, a->value, RAX);
    else if (!a->is_store) x64_mov(e, a->value, RAX);
    no_window(e, a);
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
