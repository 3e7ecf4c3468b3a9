// SPDX-License-Identifier: Apache-2.0
/* Guest memory on x86-64: the probe of the first-level TLB (mmu.h), and the way to C behind a block. No other file emits an
 * access to guest memory, or a fence. x86 orders all but a store before a later load (SDM 3, 9.2), and what is locked is ordered
 * with everything: so acquire costs nothing, release nothing but before a load-reserved, and most fences nothing. */
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
static void probe(struct emit *e, const struct jit_access *a, bool is_write)
{
    line(e);
    x64_mov_imm(e, RDX, ~(uint64_t)(HV_PAGE_BYTES - 1) | (memop_bytes(a->memop) - 1));
    x64_rr(e, 0x23 | X_W, RDX, RAX);
    compare_tag(e, is_write);
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

void x64_fence(struct emit *e, unsigned kinds)
{
    bool is_store_before = kinds & (FENCE_W | FENCE_O), is_load_after = kinds >> 4 & (FENCE_R | FENCE_I);
    if (is_store_before && is_load_after) emit8(e, 0x0f), emit8(e, 0xae), emit8(e, 0xf0);     /* mfence */
}

/* ---- atomic rows: the host's address is in rax ---- */

#define RESERVED(f) X64_FIELD(reservation.f)

static void locked(struct emit *e, unsigned op, unsigned reg, unsigned base)
{
    emit8(e, 0xf0);
    x64_rm(e, op, reg, base, 0);
}

static void result(struct emit *e, const struct jit_access *a, unsigned old)
{
    bool is_word = (a->memop & MEM_SIZE) == MEM_32;
    if (!is_word) x64_mov(e, a->result, (uint8_t)old);
    else x64_rr(e, a->memop & MEM_SIGNED ? 0x63 | X_W : 0x8b, a->result, old);
}

static void reserved_bytes(struct emit *e, unsigned size_bytes)
{
    x64_rm(e, 0xc7 | X_W, 0, RBP, RESERVED(size_bytes));
    emit32(e, size_bytes);
}

static void load_reserved(struct emit *e, const struct jit_access *a, unsigned w)
{
    x64_rm(e, 0x8b | w, RCX, RAX, 0);
    x64_rm(e, 0x89 | X_W, RAX, RBP, RESERVED(host));
    x64_rm(e, 0x89 | X_W, RCX, RBP, RESERVED(value));
    reserved_bytes(e, memop_bytes(a->memop));
    result(e, a, RCX);
}

static void store_conditional(struct emit *e, const struct jit_access *a, unsigned w)
{
    x64_rm(e, 0x39 | X_W, RAX, RBP, RESERVED(host));
    uint32_t elsewhere = x64_jcc(e, CC_NE);
    x64_rm(e, 0x83 | X_W, ALU_CMP, RBP, RESERVED(size_bytes));
    emit8(e, memop_bytes(a->memop));
    uint32_t none = x64_jcc(e, CC_NE);
    x64_mov(e, RDX, RAX);
    x64_rm(e, 0x8b | X_W, RAX, RBP, RESERVED(value));
    locked(e, 0xb1 | X_0F | w, a->value, RDX);               /* cmpxchg */
    if (e->is_full) return;
    x64_patch(e->base, elsewhere, e->at);
    x64_patch(e->base, none, e->at);
    reserved_bytes(e, 0);                                    /* the flags stay */
    x64_rr(e, 0x94 | X_0F, 0, RAX);                          /* sete al */
    x64_rr(e, 0xb6 | X_0F, a->result, RAX);
}

/* The new value in rcx, of the old one in rax. */
static void combine(struct emit *e, const struct jit_access *a, unsigned w)
{
    static const struct { uint16_t op; uint8_t cc; } how[] = {           /* cc: the operand is the new value */
        [AMO_AND] = { 0x23, 0 }, [AMO_OR] = { 0x0b, 0 }, [AMO_XOR] = { 0x33, 0 },
        [AMO_MIN] = { 0x3b, CC_GE }, [AMO_MAX] = { 0x3b, CC_LE }, [AMO_MINU] = { 0x3b, CC_AE }, [AMO_MAXU] = { 0x3b, CC_BE } };
    enum ir_amo op = memop_amo(a->memop);
    x64_mov(e, RCX, RAX);
    x64_rr(e, how[op].op | w, RCX, a->value);
    if (how[op].cc) x64_rr(e, (0x40u | how[op].cc) | X_0F | w, RCX, a->value);
}

static void modify(struct emit *e, const struct jit_access *a, unsigned w)
{
    enum ir_amo op = memop_amo(a->memop);
    if (op == AMO_ADD || op == AMO_SWAP) {
        x64_mov(e, RCX, a->value);
        if (op == AMO_ADD) locked(e, 0xc1 | X_0F | w, RCX, RAX);         /* xadd */
        else x64_rm(e, 0x87 | w, RCX, RAX, 0);                           /* xchg: locked by nature */
        result(e, a, RCX);
        return;
    }
    x64_mov(e, RDX, RAX);
    x64_rm(e, 0x8b | w, RAX, RDX, 0);
    uint32_t again = e->at;
    combine(e, a, w);
    locked(e, 0xb1 | X_0F | w, RCX, RDX);
    uint32_t lost = x64_jcc(e, CC_NE);
    if (!e->is_full) x64_patch(e->base, lost, again);
    result(e, a, RAX);
}

static void atomic_access(struct emit *e, const struct jit_access *a)
{
    unsigned w = (a->memop & MEM_SIZE) == MEM_64 ? X_W : 0;
    if (a->atomic == IR_LL && a->memop & MEM_RELEASE) x64_fence(e, FENCE_FULL);
    address(e, a);
    probe(e, a, a->atomic != IR_LL);
    struct emit_stub *s = slow(e, a, CC_NE);
    if (a->atomic != IR_LL) {
        compare_tag(e, false);
        s->also_from[0] = x64_jcc(e, CC_NE);
    }
    add_addend(e);
    if (a->atomic == IR_LL) load_reserved(e, a, w);
    else if (a->atomic == IR_SC) store_conditional(e, a, w);
    else modify(e, a, w);
    s->back = e->at;
}

void x64_access(struct emit *e, const struct jit_access *a)
{
    if (a->atomic != JIT_PLAIN) {
        atomic_access(e, a);
    } else if (a->page == JIT_PAGE_PROBED) {
        probed_window(e, a);
    } else if (a->page == JIT_PAGE_KNOWN) {
        known_window(e, a);
    } else {
        address(e, a);
        probe(e, a, a->is_store);
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
        probe(e, a, a->is_store);
        uint32_t miss = x64_jcc(e, CC_NE);
        add_addend(e);
        transfer(e, a, RAX, 0);
        no_window(e, a);
        x64_jmp_to(e, s->back);
        if (!e->is_full) x64_patch(e->base, miss, e->at);
    }
    if (a->atomic != JIT_PLAIN) {
        if (a->value != NO_REG) x64_mov(e, RCX, a->value);
        x64_call(e, s->place, false);
        x64_mov(e, a->result, RAX);
        return;
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
