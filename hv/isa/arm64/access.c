// SPDX-License-Identifier: Apache-2.0
/* Loads and stores to devices that the CPU reports without their register and size (ISV = 0): pairs, and forms that write the base
 * back. The instruction is read and decoded, then done piece by piece. */
#include "arm64_decode.h"
#include "hv/isa/arm64/machine.h"

/* The base register of an address: 31 is the stack pointer of the level. */
static uint64_t *base_of(struct vcpu *v, unsigned n)
{
    struct arm64_frame *f = &arm64_state(v)->hw;
    if (n != 31) return &v->regs.slot[n];
    return arm64_el_of(f->pstate) && f->pstate & 1 ? &f->sp_el1 : &f->sp_el0;
}

/* One load or store as the encoding says (C4.1.88): bits 31:30 size, 23:22 opc for single ones; 31:30 opc, 22 L for pairs. */
struct piece { unsigned size_bytes, reg; bool is_load, is_signed, is_64bit; };

/* False: the device refuses. *loaded: what the register becomes. */
static bool one(struct vcpu *v, const struct piece *p, guest_phys_addr gpa, uint64_t *loaded)
{
    uint64_t value = p->is_load ? 0 : arm64_x(v, p->reg);
    if (p->size_bytes < 8) value &= bit64(8 * p->size_bytes) - 1;
    if (vm_failed(mmu_device_access(&v->mmu, gpa, p->size_bytes, p->is_load ? ACCESS_READ : ACCESS_WRITE, &value))) return false;
    if (p->is_signed) value = (uint64_t)sign_extend64(value, 8 * p->size_bytes);
    *loaded = p->is_64bit ? value : (uint32_t)value;
    return true;
}

/* -> how many pieces */
static unsigned describe(const struct insn *i, struct piece *p)
{
    uint32_t w = i->bits, size = w >> 30, opc = w >> 22 & 3;
    bool is_pair = (w >> 27 & 7) == 5;
    if (is_pair) {
        p[0] = (struct piece){ size == 2 ? 8 : 4, w & 31, w >> 22 & 1, size == 1, size != 0 };
        p[1] = p[0];
        p[1].reg = w >> 10 & 31;
        return 2;
    }
    p[0] = (struct piece){ 1u << size, w & 31, opc != 0, opc >= 2, opc == 2 || size == 3 };
    return 1;
}

/* Forms with a signed immediate, which the base register may become: pairs, unscaled, pre- and post-indexed ones. */
struct form { uint64_t moved, at; bool has_immediate, writes_back; };

static struct form form_of(uint32_t w, uint64_t base)
{
    bool is_pair = (w >> 27 & 7) == 5, is_single = !(w >> 24 & 1) && !(w >> 21 & 1), is_post;
    struct form f = { .has_immediate = is_pair || is_single };
    if (is_pair) {
        f.moved = base + (uint64_t)(sign_extend64(w >> 15 & 127, 7) * (w >> 31 ? 8 : 4));
        f.writes_back = w >> 23 & 1;
        is_post = (w >> 23 & 3) == 1;
    } else {
        f.moved = base + (uint64_t)sign_extend64(w >> 12 & 511, 9);
        f.writes_back = is_single && w >> 10 & 1;
        is_post = (w >> 10 & 3) == 1;
    }
    f.at = is_post ? base : f.moved;
    return f;
}

bool arm64_emulate_access(struct vcpu *v, guest_phys_addr gpa, bool *is_aborted)
{
    struct insn i;
    struct piece p[2];
    uint64_t loaded[2];
    native_put(v);
    if (vm_failed(decode_insn(v, guest_addr_make(v->regs.pc), &i)) || i.op > A64OP_LDP_X_PRE) return false;
    unsigned count = describe(&i, p);
    uint64_t *base = base_of(v, i.bits >> 5 & 31);
    struct form form = form_of(i.bits, *base);
    *is_aborted = false;
    /* The second half may lie in the next page, which is somebody else's, or be the one that faulted: not for devices. */
    if (form.has_immediate && (form.at ^ arm64_state(v)->hw.far) & 0xfff) return false;
    if ((gpa.v & 0xfff) + count * p[0].size_bytes > HV_PAGE_BYTES) return false;
    for (unsigned n = 0; n < count; n++) {
        if (one(v, &p[n], guest_phys_addr_wrapping_add(gpa, (uint64_t)n * p[0].size_bytes), &loaded[n])) continue;
        *is_aborted = true;                                  /* and no register has changed: one of them may be the base */
        return true;
    }
    for (unsigned n = 0; n < count && p[0].is_load; n++) arm64_set_x(v, p[n].reg, loaded[n]);
    if (form.writes_back) *base = form.moved;
    v->regs.pc += 4;
    return true;
}
