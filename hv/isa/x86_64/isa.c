// SPDX-License-Identifier: Apache-2.0
/* x86_64 as the engines see it: the ops table. There is no lifting: the host's CPU runs it. */
#include "hv/isa/x86_64/insn.h"
#include "hv/isa/x86_64/machine.h"

/* mode: the code segment's bits, 0 for 64. An instruction is told by its opcode alone. */
static bool decode(const uint8_t *bytes, unsigned avail_bytes, guest_addr pc, uint32_t mode, struct insn *out, struct fault *why)
{
    struct x86_insn i;
    bool is_invalid;
    why->kind = FAULT_NONE;
    if (!x86_insn_decode(bytes, avail_bytes, mode ? mode : 64, &i, &is_invalid)) {
        if (is_invalid) *why = fault_invalid_opcode(pc, avail_bytes ? bytes[0] : 0);
        return false;
    }
    *out = (struct insn){ .pc = pc, .size_bytes = i.length, .op = (uint16_t)(i.map << 8 | i.op), .arg_count = 2, .arg = { i.modrm, (int32_t)i.immediate } };
    for (unsigned n = 0; n < 4 && n < i.length; n++) out->bits |= (uint32_t)bytes[n] << 8 * n;
    return true;
}

/* INIT and start-up IPIs, by the vCPU's own thread before it runs. Interrupts themselves go in with the entry (exit.c). */
static bool take_irq(struct vcpu *v)
{
    struct x86_machine *m = x86_machine(v);
    uint32_t *word = &m->asked[v->id];
    if (!__atomic_load_n(word, __ATOMIC_SEQ_CST)) return false;
    uint32_t asked = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);
    if (asked & X86_ASKED_INIT) x86_reset(v);
    if (asked & X86_ASKED_START) x86_start_at(v, asked & X86_ASKED_PAGE);
    return false;
}

static bool wakes(struct vcpu *v)
{
    return __atomic_load_n(&x86_machine(v)->asked[v->id], __ATOMIC_SEQ_CST) || x86_has_irq(v);
}

/* Nothing is entered from outside: faults are the CPU's. */
static bool        take_fault(struct vcpu *v, const struct fault *f) { (void)v, (void)f; return false; }
static void        deadline(struct vcpu *v)                          { v->deadline_ns = UINT64_MAX; }
static unsigned    privilege(const struct vcpu *v)                   { return 3u - x86_state_const(v)->frame.cpl; }
static const char *irq_name(unsigned cause)
{
    static const char *const name[16] = { "", "vectors 10H-1FH", "vectors 20H-2FH", "vectors 30H-3FH", "vectors 40H-4FH", "vectors 50H-5FH",
                                          "vectors 60H-6FH", "vectors 70H-7FH", "vectors 80H-8FH", "vectors 90H-9FH", "vectors A0H-AFH",
                                          "vectors B0H-BFH", "vectors C0H-CFH", "vectors D0H-DFH", "vectors E0H-EFH", "vectors F0H-FFH" };
    return name[cause & 15];
}

const struct isa_ops X86_64_ISA = {
    .arch = GUEST_X86_64,
    .name = "x86_64",
    .regs = x86_regs,
    .reg_count = X86_REG_COUNT,
    .insn_align_bytes = 1,
    .insn_max_bytes = X86_MAX_INSN,
    .decode_insn = decode,
    .disasm = x86_disasm,
    .walk = x86_walk,
    .reset = x86_reset,
    .take_fault = take_fault,
    .has_irq = x86_has_irq,
    .take_irq = take_irq,
    .wakes = wakes,
    .deadline = deadline,
    .reg_written = x86_reg_written,
    .peek = x86_peek,
    .rights = x86_rights,
    .irq_name = irq_name,
    .privilege = privilege,
    .native = &X86_NATIVE,
};
