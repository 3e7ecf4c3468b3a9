// SPDX-License-Identifier: Apache-2.0
/* Decoding and lifting through the MMU; see isa.h. Instruction bytes come in the ISA's smallest unit, so that a short
 * instruction at a page's end never touches the next page. */
#include "hv/base/string.h"
#include "hv/exec/vcpu.h"

/* The bytes that decoding looked at, and where they lie. */
struct fetched { uint8_t bytes[IR_INSN_BYTES]; unsigned count; guest_phys_addr gpa; };

/* Decodes at pc. False: *why. *crosses: the instruction lies in two pages. */
static bool decode_at(struct vcpu *v, guest_addr pc, struct insn *out, struct fetched *f, bool *crosses, struct fault *why)
{
    unsigned page_left = HV_PAGE_BYTES - (unsigned)(pc.v & (HV_PAGE_BYTES - 1));
    unsigned want = v->isa->insn_max_bytes < page_left ? v->isa->insn_max_bytes : page_left;
    *crosses = false;
    for (;;) {
        if (!mmu_fetch(&v->mmu, pc, f->bytes, want, &f->count, &f->gpa, why)) return false;
        if (f->count < want) return false;                          /* the second page faulted: *why says how */
        *why = (struct fault){ .kind = FAULT_NONE };
        if (v->isa->decode_insn(f->bytes, f->count, pc, v->regs.mode, out, why)) {
            *crosses = out->size_bytes > page_left;
            return true;
        }
        if (why->kind != FAULT_NONE || want >= v->isa->insn_max_bytes) return false;
        want += v->isa->insn_align_bytes;
    }
}

struct vm_error decode_insn(struct vcpu *v, guest_addr pc, struct insn *out)
{
    struct fetched f;
    bool crosses;
    struct fault why;
    return decode_at(v, pc, out, &f, &crosses, &why) ? VM_SUCCESS : vm_error_fault(&why);
}

/* Begins an instruction of so many bytes and keeps them: what engines later compare with memory must be what was lifted,
 * since another hart may be writing there right now. */
static void begin_insn(struct ir_block *b, guest_addr pc, const struct fetched *f, unsigned size_bytes)
{
    memcpy(b->source + b->guest_bytes, f->bytes, size_bytes);
    ir_insn_start(b, pc, size_bytes);
}

bool lift_block(struct vcpu *v, guest_addr pc, unsigned max_insns, struct ir_block *b, guest_phys_addr *gpa, struct fault *why)
{
    struct insn i;
    struct fetched f;
    bool crosses;
    guest_addr first = pc;
    ir_begin(b, pc, v->regs.mode);
    for (unsigned n = 0;; n++) {
        bool in_page = (pc.v ^ first.v) < HV_PAGE_BYTES && ((pc.v ^ first.v) & ~(uint64_t)(HV_PAGE_BYTES - 1)) == 0;
        bool more = n < max_insns && ir_has_room(b) && in_page && !(n && breakpoints_have(v->breaks, pc));
        if (more && !decode_at(v, pc, &i, &f, &crosses, why)) {
            if (n == 0 && why->kind != FAULT_INVALID_OPCODE) return false;
            if (n == 0) {                                           /* an illegal instruction is a block that raises */
                *gpa = f.gpa;
                begin_insn(b, pc, &f, f.count);                     /* all of them made it illegal */
                ir_end(b, (struct ir_end){ .kind = IR_END_FAULT, .value = IR_NONE, .taken = pc, .fault = *why });
                break;
            }
            more = false;
        }
        if (more && crosses && n) more = false;
        if (!more) {
            ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = pc });
            break;
        }
        if (n == 0) *gpa = f.gpa;
        begin_insn(b, pc, &f, i.size_bytes);
        if (v->isa->lift(b, &i, v->regs.mode) == LIFT_END) break;
        pc = guest_addr_wrapping_add(pc, i.size_bytes);
    }
    ir_seal(b);
    return true;
}

struct vm_error decode_block(struct vcpu *v, guest_addr pc, struct insn *out, unsigned cap_insns, unsigned *count)
{
    static struct { struct spinlock lock; struct ir_block block; } scratch;   /* lifting tells where a block ends */
    guest_addr at = pc;
    *count = 0;
    while (*count < cap_insns) {
        struct fetched f;
        bool crosses;
        struct fault why;
        struct insn *i = &out[*count];
        if (!decode_at(v, at, i, &f, &crosses, &why)) {
            if (*count) return VM_SUCCESS;
            return vm_error_fault(&why);
        }
        if (*count && crosses) return VM_SUCCESS;
        (*count)++;
        spin_lock(&scratch.lock);
        ir_begin(&scratch.block, at, v->regs.mode);
        ir_insn_start(&scratch.block, at, i->size_bytes);
        bool ends = v->isa->lift(&scratch.block, i, v->regs.mode) == LIFT_END;
        spin_unlock(&scratch.lock);
        at = guest_addr_wrapping_add(at, i->size_bytes);
        if (ends || crosses || (at.v ^ pc.v) >> HV_PAGE_BITS) return VM_SUCCESS;
    }
    return VM_SUCCESS;
}
