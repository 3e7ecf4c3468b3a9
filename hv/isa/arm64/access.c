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

static bool one(struct vcpu *v, const struct piece *p, guest_phys_addr gpa)
{
    uint64_t value = p->is_load ? 0 : arm64_x(v, p->reg);
    if (p->size_bytes < 8) value &= bit64(8 * p->size_bytes) - 1;
    if (vm_failed(mmu_device_access(&v->mmu, gpa, p->size_bytes, p->is_load ? ACCESS_READ : ACCESS_WRITE, &value))) return false;
    if (!p->is_load) return true;
    if (p->is_signed) value = (uint64_t)sign_extend64(value, 8 * p->size_bytes);
    arm64_set_x(v, p->reg, p->is_64bit ? value : (uint32_t)value);
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

/* What the base register becomes, where it changes: pre- and post-indexed forms. */
static bool writes_back(uint32_t w, uint64_t base, uint64_t *out)
{
    bool is_pair = (w >> 27 & 7) == 5;
    if (is_pair) {
        *out = base + (uint64_t)(sign_extend64(w >> 15 & 127, 7) * (w >> 31 ? 8 : 4));
        return w >> 23 & 1;
    }
    *out = base + (uint64_t)sign_extend64(w >> 12 & 511, 9);
    return !(w >> 24 & 1) && !(w >> 21 & 1) && (w >> 10 & 1);
}

bool arm64_emulate_access(struct vcpu *v, guest_phys_addr gpa, bool *is_aborted)
{
    struct insn i;
    struct piece p[2];
    uint64_t written_back;
    native_put(v);
    if (vm_failed(decode_insn(v, guest_addr_make(v->regs.pc), &i))) return false;
    unsigned count = describe(&i, p);
    uint64_t *base = base_of(v, i.bits >> 5 & 31);
    bool has_write_back = writes_back(i.bits, *base, &written_back);
    *is_aborted = false;
    /* The second half may lie in the next page, which is somebody else's: not for devices. */
    if ((gpa.v & 0xfff) + count * p[0].size_bytes > HV_PAGE_BYTES) return false;
    for (unsigned n = 0; n < count; n++) {
        if (one(v, &p[n], guest_phys_addr_make(gpa.v + n * p[0].size_bytes))) continue;
        *is_aborted = true;
        return true;
    }
    if (has_write_back) *base = written_back;
    v->regs.pc += 4;
    return true;
}
