// SPDX-License-Identifier: Apache-2.0
/* Guest memory on AArch64: the probe of the first-level TLB (mmu.h), and the way to C behind a block. No other file emits an access
 * to guest memory, or a fence. Plain accesses of guests are as weakly ordered as the host's. Release is a DMB before and a store-
 * release, acquire a load-acquire and, since the store of a pair may be seen later than what follows (Arm ARM B2.3), a DMB behind. */
#include "hv/jit/a64/a64.h"

/* Register offset: [base + x1]. */
static void transfer(struct emit *e, const struct jit_access *a, unsigned base)
{
    static const uint32_t load[] = { 0x38606800, 0x78606800, 0xb8606800, 0xf8606800 }, load_signed[] = { 0x38a06800, 0x78a06800, 0xb8a06800, 0xf8606800 },
                          store[] = { 0x38206800, 0x78206800, 0xb8206800, 0xf8206800 };
    unsigned size = a->memop & MEM_SIZE;
    uint32_t op = a->is_store ? store[size] : a->memop & MEM_SIGNED ? load_signed[size] : load[size];
    if (a->is_fp) op = (size == MEM_64 ? 0xfc006800u : 0xbc006800u) | (a->is_store ? 0x00200000u : 0x00600000u);
    a64_rrr(e, op, a->value, base, 1);
}

static void transfer_in_window(struct emit *e, const struct jit_access *a, unsigned page)
{
    static const uint32_t load[] = { 0x39400000, 0x79400000, 0xb9400000, 0xf9400000 }, load_signed[] = { 0x39800000, 0x79800000, 0xb9800000, 0xf9400000 },
                          store[] = { 0x39000000, 0x79000000, 0xb9000000, 0xf9000000 };
    unsigned size = a->memop & MEM_SIZE;
    if (a->distance & ((1 << size) - 1)) {                   /* no unsigned offset, which counts in sizes */
        a64_imm(e, 1, (uint64_t)a->distance);
        transfer(e, a, page);
        return;
    }
    uint32_t op = a->is_store ? store[size] : a->memop & MEM_SIGNED ? load_signed[size] : load[size];
    if (a->is_fp) op = (size == MEM_64 ? 0xfd000000u : 0xbd000000u) | (a->is_store ? 0 : 0x00400000u);
    a64_ldr(e, op, a->value, page, (unsigned)a->distance, size);
}

static struct emit_stub *slow(struct emit *e, const struct jit_access *a, unsigned cc)
{
    struct emit_stub *s = emit_stub(e);
    s->kind = STUB_ACCESS;
    s->from = a64_b_cond(e, cc);
    s->place = a->place;
    s->access = *a;
    return s;
}

static void address(struct emit *e, const struct jit_access *a)
{
    if (a->offset) a64_add_imm(e, true, 0, a->base, a->offset);
    else a64_mov(e, 0, a->base);
}

/* x1: the TLB's line for x0, x2: its tag. */
static void line(struct emit *e, bool is_write)
{
    _Static_assert(sizeof(struct tlb_entry) == 32, "index: lsl #5");
    a64_bitfield(e, A64_UBFM, true, 1, 0, HV_PAGE_BITS, HV_PAGE_BITS + MMU_TLB_BITS - 1);
    emit32(e, 0x8b000000u | 1u << 16 | 5u << 10 | A64_TLB << 5 | 1);                                /* add x1, x26, x1, lsl #5 */
    a64_ldr(e, 0xf9400000u, 2, 1, is_write ? offsetof(struct tlb_entry, write) : offsetof(struct tlb_entry, read), 3);
}

/* Compares x3, left by compare_tag, with the tag for reading as well. */
static void compare_read_tag(struct emit *e)
{
    a64_ldr(e, 0xf9400000u, A64_T1, 1, offsetof(struct tlb_entry, read), 3);
    emit32(e, 0xfa400000u | 3u << 16 | A64_EQ << 12 | (unsigned)A64_T1 << 5);                       /* ccmp x17, x3, #0, eq */
}

/* Compares the tag with the page of x<n>, and its lowest bits with 0. */
static void compare_tag(struct emit *e, unsigned n, unsigned size)
{
    emit32(e, 0x92400000u | 52u << 16 | (51u + size) << 10 | n << 5 | 3);                           /* and x3, xn, #~0xfff | bytes - 1 */
    a64_rrr(e, 0xeb000000u, A64_ZR, 2, 3);
}

static void load_addend(struct emit *e) { a64_ldr(e, 0xf9400000u, 1, 1, offsetof(struct tlb_entry, addend), 3); }

/* The line is found by the window's first byte, and its tag must be the last one's: both are in one page then. */
static void probed_window(struct emit *e, const struct jit_access *a)
{
    a64_add_imm(e, true, 0, a->base, a->window_first);
    a64_add_imm(e, true, 3, a->base, a->window_first + a->window_bytes - 1);
    line(e, a->window_is_write);
    compare_tag(e, 3, 0);
    struct emit_stub *s = slow(e, a, A64_NE);
    load_addend(e);
    a64_rrr(e, 0x8b000000u, 0, 0, 1);
    a64_ldr(e, 0xf9000000u, 0, A64_BASE, 8u * a->page_slot, 3);
    transfer_in_window(e, a, 0);
    if (a->page_reg != NO_REG) a64_mov(e, a->page_reg, 0);   /* behind the transfer: it may be what that stored */
    s->back = e->at;
}

static void known_window(struct emit *e, const struct jit_access *a)
{
    unsigned page = a->page_reg != NO_REG ? a->page_reg : 0;
    if (!page) a64_ldr(e, 0xf9400000u, 0, A64_BASE, 8u * a->page_slot, 3);
    emit32(e, 0xb4000000u | page);                                                                  /* cbz */
    struct emit_stub *s = emit_stub(e);
    *s = (struct emit_stub){ .kind = STUB_ACCESS, .from = e->at - 4, .place = a->place, .access = *a };
    transfer_in_window(e, a, page);
    s->back = e->at;
}

void a64_fence(struct emit *e, unsigned kinds)
{
    bool is_store_before = kinds & (FENCE_W | FENCE_O), is_load_before = kinds & (FENCE_R | FENCE_I), is_load_after = kinds >> 4 & (FENCE_R | FENCE_I);
    if (!is_store_before) emit32(e, 0xd50339bfu);                                                   /* dmb ishld */
    else if (!is_load_before && !is_load_after) emit32(e, 0xd5033abfu);                             /* dmb ishst */
    else emit32(e, 0xd5033bbfu);                                                                    /* dmb ish */
}

/* ---- atomic rows: the host's address is in x0 ---- */

#define RESERVED(f) A64_FIELD(reservation.f)
#define SF (1u << 31)

static void load_exclusive(struct emit *e, const struct jit_access *a)
{
    bool w = (a->memop & MEM_SIZE) == MEM_64;
    emit32(e, 0x885f7c00u | (w ? 1u << 30 : 0) | (a->memop & MEM_ACQUIRE ? 1u << 15 : 0) | 0u << 5 | 1);        /* ldxr, ldaxr x1, [x0] */
}

static void store_exclusive(struct emit *e, const struct jit_access *a, unsigned value, uint32_t again)
{
    bool w = (a->memop & MEM_SIZE) == MEM_64;
    emit32(e, 0x88007c00u | (w ? 1u << 30 : 0) | (a->memop & MEM_RELEASE ? 1u << 15 : 0) | 3u << 16 | 0u << 5 | value);      /* stxr, stlxr w3, value, [x0] */
    emit32(e, 0x35000003u);                                                                         /* cbnz w3 */
    if (!e->is_full) a64_patch(e->base, e->at - 4, again);
}

/* Of the old value in x1. */
static void result(struct emit *e, const struct jit_access *a)
{
    bool is_word = (a->memop & MEM_SIZE) == MEM_32;
    if (!is_word) a64_mov(e, a->result, 1);
    else if (a->memop & MEM_SIGNED) a64_bitfield(e, A64_SBFM, true, a->result, 1, 0, 31);
    else a64_rrr(e, 0x2a000000u, a->result, A64_ZR, 1);
}

static void load_reserved(struct emit *e, const struct jit_access *a)
{
    bool w = (a->memop & MEM_SIZE) == MEM_64, is_acquire = a->memop & MEM_ACQUIRE;
    emit32(e, (is_acquire ? 0x88dffc00u : 0xb9400000u) | (w ? 1u << 30 : 0) | 0u << 5 | 1);         /* ldar, ldr */
    a64_imm(e, 2, memop_bytes(a->memop));
    a64_ldr(e, 0xf9000000u, 0, A64_BASE, RESERVED(host), 3);
    a64_ldr(e, 0xf9000000u, 1, A64_BASE, RESERVED(value), 3);
    a64_ldr(e, 0xf9000000u, 2, A64_BASE, RESERVED(size_bytes), 3);
    result(e, a);
}

static void store_conditional(struct emit *e, const struct jit_access *a)
{
    uint32_t w = (a->memop & MEM_SIZE) == MEM_64 ? SF : 0;
    a64_ldr(e, 0xf9400000u, 1, A64_BASE, RESERVED(host), 3);
    a64_ldr(e, 0xf9400000u, 2, A64_BASE, RESERVED(size_bytes), 3);
    a64_rrr(e, 0xeb000000u, A64_ZR, 1, 0);
    emit32(e, 0xfa400800u | memop_bytes(a->memop) << 16 | A64_EQ << 12 | 2u << 5);                  /* ccmp x2, #bytes, #0, eq */
    a64_ldr(e, 0xf9400000u, 2, A64_BASE, RESERVED(value), 3);
    a64_ldr(e, 0xf9000000u, A64_ZR, A64_BASE, RESERVED(size_bytes), 3);
    uint32_t none = a64_b_cond(e, A64_NE), again = e->at;
    load_exclusive(e, a);
    a64_rrr(e, 0x6b000000u | w, A64_ZR, 1, 2);
    uint32_t changed = a64_b_cond(e, A64_NE);
    store_exclusive(e, a, a->value, again);
    if (e->is_full) return;
    a64_patch(e->base, none, e->at);
    a64_patch(e->base, changed, e->at);
    emit32(e, 0x9a9f07e0u | A64_NE << 12 | a->result);                                              /* cset, eq */
}

static void modify(struct emit *e, const struct jit_access *a)
{
    static const struct { uint32_t op; uint8_t keep; } how[] = {         /* keep: the old value stays when this holds */
        [AMO_ADD] = { 0x0b000000, 0 }, [AMO_AND] = { 0x0a000000, 0 }, [AMO_OR] = { 0x2a000000, 0 }, [AMO_XOR] = { 0x4a000000, 0 },
        [AMO_MIN] = { 0, A64_LT }, [AMO_MAX] = { 0, A64_GT }, [AMO_MINU] = { 0, A64_LO }, [AMO_MAXU] = { 0, A64_HI } };
    uint32_t w = (a->memop & MEM_SIZE) == MEM_64 ? SF : 0, again = e->at;
    enum ir_amo op = memop_amo(a->memop);
    load_exclusive(e, a);
    if (op != AMO_SWAP && how[op].op) {
        a64_rrr(e, how[op].op | w, 2, 1, a->value);
    } else if (op != AMO_SWAP) {
        a64_rrr(e, 0x6b000000u | w, A64_ZR, 1, a->value);
        emit32(e, 0x1a800000u | w | (uint32_t)a->value << 16 | (uint32_t)how[op].keep << 12 | 1u << 5 | 2);     /* csel */
    }
    store_exclusive(e, a, op == AMO_SWAP ? a->value : 2, again);
    result(e, a);
}

static void atomic_access(struct emit *e, const struct jit_access *a)
{
    if (a->memop & MEM_RELEASE) a64_fence(e, FENCE_FULL);
    address(e, a);
    line(e, a->atomic != IR_LL);
    compare_tag(e, 0, a->memop & MEM_SIZE);
    if (a->atomic != IR_LL) compare_read_tag(e);
    struct emit_stub *s = slow(e, a, A64_NE);
    load_addend(e);
    a64_rrr(e, 0x8b000000u, 0, 0, 1);
    if (a->atomic == IR_LL) load_reserved(e, a);
    else if (a->atomic == IR_SC) store_conditional(e, a);
    else modify(e, a);
    if (a->memop & MEM_ACQUIRE && a->atomic != IR_LL) a64_fence(e, FENCE_FULL);
    s->back = e->at;
}

void a64_access(struct emit *e, const struct jit_access *a)
{
    if (a->atomic != JIT_PLAIN) {
        atomic_access(e, a);
    } else if (a->page == JIT_PAGE_PROBED) {
        probed_window(e, a);
    } else if (a->page == JIT_PAGE_KNOWN) {
        known_window(e, a);
    } else {
        address(e, a);
        line(e, a->is_store);
        compare_tag(e, 0, a->memop & MEM_SIZE);
        struct emit_stub *s = slow(e, a, A64_NE);
        load_addend(e);
        transfer(e, a, 0);
        s->back = e->at;
    }
}

/* No window: those behind ask for themselves. */
static void no_window(struct emit *e, const struct jit_access *a)
{
    if (a->page != JIT_PAGE_PROBED) return;
    a64_ldr(e, 0xf9000000u, A64_ZR, A64_BASE, 8u * a->page_slot, 3);
    if (a->page_reg != NO_REG) a64_imm(e, a->page_reg, 0);
}

static void access_stub(struct emit *e, const struct emit_stub *s)
{
    const struct jit_access *a = &s->access;
    if (a->page != JIT_PAGE_PLAIN) {                         /* else the probe has failed already, with the address in x0 */
        address(e, a);
        line(e, a->is_store);
        compare_tag(e, 0, a->memop & MEM_SIZE);
        uint32_t miss = a64_b_cond(e, A64_NE);
        load_addend(e);
        transfer(e, a, 0);
        no_window(e, a);
        a64_b_to(e, s->back);
        if (!e->is_full) a64_patch(e->base, miss, e->at);
    }
    if (a->atomic != JIT_PLAIN) {
        if (a->value != NO_REG) a64_mov(e, 1, a->value);
        a64_call(e, s->place, false);
        a64_mov(e, a->result, 0);
        return;
    }
    if (a->is_store && a->is_fp) a64_fp_to(e, 1, a->value);
    else if (a->is_store) a64_mov(e, 1, a->value);
    a64_call(e, s->place, false);
    if (!a->is_store && a->is_fp) a64_fp_from(e, a->value, 0);
    else if (!a->is_store) a64_mov(e, a->value, 0);
    no_window(e, a);
}

static void fp_call_stub(struct emit *e, const struct emit_stub *s)
{
    a64_fp_to(e, 0, s->a);
    if (s->b != NO_REG) a64_fp_to(e, 1, s->b);
    if (s->c != NO_REG) a64_fp_to(e, 2, s->c);
    a64_call(e, s->place, false);
    if (s->is_d_fp) a64_fp_from(e, s->d, 0);
    else a64_mov(e, s->d, 0);
}

void a64_stubs(struct emit *e)
{
    for (unsigned i = 0; i < e->stub_count && !e->is_full; i++) {
        const struct emit_stub *s = &e->stub[i];
        a64_patch(e->base, s->from, e->at);
        switch (s->kind) {
        case STUB_ACCESS:  access_stub(e, s); break;
        case STUB_FP_CALL: fp_call_stub(e, s); break;
        case STUB_UNCHECKED: break;                          /* results are canonical at once */
        case STUB_NAN:
            a64_imm(e, A64_T0, FP32_CANONICAL_NAN);
            a64_fp_from(e, s->d, A64_T0);
            break;
        }
        a64_b_to(e, s->back);
    }
}
