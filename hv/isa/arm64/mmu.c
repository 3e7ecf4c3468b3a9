// SPDX-License-Identifier: Apache-2.0
/* The guest's own translation, for those who read its memory from outside: debuggers, and the decoder of accesses that the CPU does
 * not describe. EL1&0, AArch64, all granules, 48 bits and less (D8.2, D8.3). Rights are those of EL1, or EL0 where it is there. */
#include "hv/isa/arm64/state.h"

#define SCTLR_M 1ull
#define DESC_ADDRESS 0x0000fffffffff000ull

struct regime { uint64_t table; unsigned granule_bits, input_bits, largest_block_bits; bool ignores_table_rights; };

/* Which half, and how it is laid out. False: between the halves, or walks are switched off. */
static bool find_regime(const struct arm64_frame *f, uint64_t at, struct regime *r)
{
    static const unsigned tg0[] = { 12, 16, 14, 0 }, tg1[] = { 0, 14, 12, 16 };
    static const unsigned largest[] = { [12] = 30, [14] = 25, [16] = 29 };       /* table D8-9: without larger addresses */
    bool is_upper = at >> 55 & 1;
    uint64_t size = is_upper ? bits64(f->tcr_el1, 21, 16) : bits64(f->tcr_el1, 5, 0);
    bool is_tagged = f->tcr_el1 & bit64(is_upper ? 38 : 37), is_off = f->tcr_el1 & bit64(is_upper ? 23 : 7);
    r->granule_bits = is_upper ? tg1[bits64(f->tcr_el1, 31, 30)] : tg0[bits64(f->tcr_el1, 15, 14)];
    r->input_bits = 64 - (unsigned)size;
    r->largest_block_bits = largest[r->granule_bits ? r->granule_bits : 12];
    r->ignores_table_rights = f->tcr_el1 & bit64(is_upper ? 42 : 41);            /* TCR_EL1.HPD1, HPD0 */
    r->table = (is_upper ? f->ttbr1_el1 : f->ttbr0_el1) & 0x0000fffffffffffeull;
    if (is_off || !r->granule_bits || size < 16 || size > 39) return false;
    unsigned top = is_tagged ? 56 : 64;
    uint64_t upper = at << (64 - top) >> (64 - top) >> r->input_bits, ones = (top == 64 ? ~0ull : bit64(top) - 1) >> r->input_bits;
    return upper == (is_upper ? ones : 0);
}

/* `rights_lost`: by bits 62:59 of the tables above, APTable, UXNTable and PXNTable (D8.4.2). */
struct leaf { uint64_t descriptor, rights_lost; unsigned page_bits; };
#define LOST_WRITE bit64(62)
#define LOST_EL0   bit64(61)
#define LOST_UXN   bit64(60)
#define LOST_PXN   bit64(59)

static bool find_leaf(struct gmem *m, const struct regime *r, uint64_t at, struct leaf *out)
{
    unsigned stride = r->granule_bits - 3, levels = (r->input_bits - r->granule_bits + stride - 1) / stride;
    uint64_t table = r->table;
    *out = (struct leaf){ 0 };
    for (unsigned left = levels; left > 0; left--) {
        unsigned shift = r->granule_bits + (left - 1) * stride, bits = left == levels ? r->input_bits - shift : stride;
        uint64_t descriptor;
        if (left == levels) table &= ~(bit64(bits + 3) - 1);
        guest_phys_addr entry = guest_phys_addr_make(table + 8 * bits64(at, shift + bits - 1, shift));
        if (vm_failed(gmem_read_bulk(m, entry, &descriptor, 8)) || !(descriptor & 1)) return false;
        bool is_table = descriptor & 2;
        if (left == 1 ? !is_table : is_table) {
            if (left == 1) return false;
            if (!r->ignores_table_rights) out->rights_lost |= descriptor & (LOST_WRITE | LOST_EL0 | LOST_UXN | LOST_PXN);
            table = descriptor & DESC_ADDRESS & ~(bit64(r->granule_bits) - 1);
            continue;
        }
        if (shift > r->largest_block_bits) return false;
        out->descriptor = descriptor;
        out->page_bits = shift;
        return true;
    }
    return false;
}

static bool translate(const struct vcpu *v, uint64_t at, guest_phys_addr *gpa, struct leaf *leaf)
{
    const struct arm64_frame *f = &arm64_state_const(v)->hw;
    struct regime r;
    *leaf = (struct leaf){ .page_bits = 12 };
    *gpa = guest_phys_addr_make(at);
    if (!(f->sctlr_el1 & SCTLR_M)) return true;
    if (!find_regime(f, at, &r) || !find_leaf(v->mmu.gmem, &r, at, leaf)) return false;
    *gpa = guest_phys_addr_make((leaf->descriptor & DESC_ADDRESS & ~(bit64(leaf->page_bits) - 1)) | (at & (bit64(leaf->page_bits) - 1)));
    return true;
}

bool arm64_peek(const struct vcpu *v, guest_addr at, guest_phys_addr *out)
{
    struct leaf leaf;
    return translate(v, at.v, out, &leaf);
}

/* AP[2:1], UXN, PXN (D8.4.1): as the current exception level may. */
static uint8_t perms_of(const struct vcpu *v, const struct leaf *l)
{
    bool is_el0 = arm64_el_of(arm64_state_const(v)->hw.pstate) == 0, is_user = l->descriptor & bit64(6) && !(l->rights_lost & LOST_EL0);
    bool is_read_only = l->descriptor & bit64(7) || l->rights_lost & LOST_WRITE;
    bool is_xn = l->descriptor & bit64(is_el0 ? 54 : 53) || l->rights_lost & (is_el0 ? LOST_UXN : LOST_PXN);
    if (!l->descriptor) return PERM_READ | PERM_WRITE | PERM_EXECUTE;
    unsigned execute = is_xn || (!is_el0 && is_user && !is_read_only) ? 0 : PERM_EXECUTE;        /* what EL0 writes, EL1 does not execute */
    if (is_el0 && !is_user) return (uint8_t)execute;
    return (uint8_t)(PERM_READ | (is_read_only ? 0 : PERM_WRITE) | execute);
}

unsigned arm64_rights(const struct vcpu *v, guest_addr at)
{
    guest_phys_addr gpa;
    struct leaf leaf;
    return translate(v, at.v, &gpa, &leaf) ? perms_of(v, &leaf) : 0;
}

bool arm64_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why)
{
    static const uint8_t needs[ACCESS_TYPE_COUNT] = { [ACCESS_READ] = PERM_READ, [ACCESS_WRITE] = PERM_WRITE, [ACCESS_EXECUTE] = PERM_EXECUTE,
                                                      [ACCESS_ATOMIC] = PERM_READ | PERM_WRITE };
    const struct vcpu *v = m->owner;
    struct leaf leaf;
    (void)context;
    bool is_there = translate(v, at.v, &out->gpa, &leaf);
    out->perms = is_there ? perms_of(v, &leaf) : 0;
    /* the CPU's own tables change without us: nothing may be kept */
    out->page_bits = v->engine->mode == EXEC_HARDWARE ? 0 : (uint8_t)leaf.page_bits;
    out->same_bits = 12;
    out->is_global = false;
    if ((out->perms & needs[how]) == needs[how]) return true;
    *why = fault_page(at, how, arm64_el_of(arm64_state_const(v)->hw.pstate) == 0);
    return false;
}
