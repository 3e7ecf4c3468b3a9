// SPDX-License-Identifier: Apache-2.0
/* Guest memory on AArch64: the probe of the first-level TLB (mmu.h), and the way to C behind a block. No other file emits an access
 * to guest memory. Plain accesses of guests are as weakly ordered as the host's; fences are DMB ISH, and what carries acquire or
 * release goes to C with full fences. */
#include "hv/jit/a64/a64.h"

/* Register offset: [x0 + x1]. */
static void transfer(struct emit *e, const struct jit_access *a)
{
    static const uint32_t load[] = { 0x38606800, 0x78606800, 0xb8606800, 0xf8606800 }, load_signed[] = { 0x38a06800, 0x78a06800, 0xb8a06800, 0xf8606800 },
                          store[] = { 0x38206800, 0x78206800, 0xb8206800, 0xf8206800 };
    unsigned size = a->memop & MEM_SIZE;
    uint32_t op = a->is_store ? store[size] : a->memop & MEM_SIGNED ? load_signed[size] : load[size];
    if (a->is_fp) op = (size == MEM_64 ? 0xfc006800u : 0xbc006800u) | (a->is_store ? 0x00200000u : 0x00600000u);
    a64_rrr(e, op, a->value, 0, 1);
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

static void known_page(struct emit *e, const struct jit_access *a)
{
    a64_ldr(e, 0xb9400000u, 1, A64_BASE, 8u * (a->page_slot + 1u), 2);
    a64_ldr(e, 0xf9400000u, 0, A64_BASE, 8u * a->page_slot, 3);
    a64_add_imm(e, false, 1, 1, a->distance);
    emit32(e, 0x7140001fu | 1u << 10 | 1u << 5);                                                    /* cmp w1, #1, lsl #12 */
    struct emit_stub *s = slow(e, a, A64_HS);
    a64_imm(e, 1, (uint64_t)(int64_t)a->distance);
    transfer(e, a);
    s->back = e->at;
}

void a64_access(struct emit *e, const struct jit_access *a)
{
    _Static_assert(sizeof(struct tlb_entry) == 32, "index: lsl #5");
    unsigned size = a->memop & MEM_SIZE;
    if (a->page == JIT_PAGE_KNOWN) {
        known_page(e, a);
        return;
    }
    address(e, a);
    a64_bitfield(e, A64_UBFM, true, 1, 0, HV_PAGE_BITS, HV_PAGE_BITS + MMU_TLB_BITS - 1);
    emit32(e, 0x8b000000u | 1u << 16 | 5u << 10 | A64_TLB << 5 | 1);                                /* add x1, x26, x1, lsl #5 */
    a64_ldr(e, 0xf9400000u, 2, 1, a->is_store ? offsetof(struct tlb_entry, write) : offsetof(struct tlb_entry, read), 3);
    emit32(e, 0x92400000u | 52u << 16 | (51u + size) << 10 | 0u << 5 | 3);                          /* and x3, x0, #~0xfff | bytes - 1 */
    a64_rrr(e, 0xeb000000u, A64_ZR, 2, 3);
    struct emit_stub *s = slow(e, a, A64_NE);
    a64_ldr(e, 0xf9400000u, 1, 1, offsetof(struct tlb_entry, addend), 3);
    if (a->page == JIT_PAGE_PROBED) {
        a64_rrr(e, 0x8b000000u, 2, 0, 1);
        a64_bitfield(e, A64_UBFM, true, 3, 2, 0, HV_PAGE_BITS - 1);
        a64_ldr(e, 0xf9000000u, 2, A64_BASE, 8u * a->page_slot, 3);
        a64_ldr(e, 0xb9000000u, 3, A64_BASE, 8u * (a->page_slot + 1u), 2);
    }
    transfer(e, a);
    s->back = e->at;
}

static void access_stub(struct emit *e, const struct emit_stub *s)
{
    const struct jit_access *a = &s->access;
    if (a->page == JIT_PAGE_KNOWN) address(e, a);            /* else it is in x0 */
    if (a->is_store && a->is_fp) a64_fp_to(e, 1, a->value);
    else if (a->is_store) a64_mov(e, 1, a->value);
    a64_call(e, s->place, false);
    if (a->page == JIT_PAGE_PROBED) {
        a64_imm(e, 1, JIT_NO_PAGE);
        a64_ldr(e, 0xb9000000u, 1, A64_BASE, 8u * (a->page_slot + 1u), 2);
    }
    if (a->is_store) return;
    if (a->is_fp) a64_fp_from(e, a->value, 0);
    else a64_mov(e, a->value, 0);
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
