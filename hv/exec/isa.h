// SPDX-License-Identifier: Apache-2.0
/* What a guest architecture must answer: one const table each, listed in hv/isa/isas.def. Engines see a guest only
 * through this. All functions run in the thread that owns the vCPU unless they say otherwise. */
#pragma once
#include "hv/ir/ir.h"
#include "hv/mmu/mmu.h"

struct vcpu;
struct native_ops;                                      /* native.h */

/* One decoded instruction: `op` is the row of the ISA's decode table, `arg` its fields in the row's order. */
struct insn { guest_addr pc; uint32_t bits; uint16_t op; uint8_t size_bytes; uint8_t arg_count; int32_t arg[6]; };

enum lift_next { LIFT_NEXT, LIFT_END };                 /* END: the block's end is set */

enum reg_class { REG_GENERAL, REG_FP, REG_CONTROL, REG_COUNTER };    /* COUNTER: kept as its distance from the instructions retired */
/* One row a register: what get/set, snapshots, the debugger and differential tests all read. The index in the table is
 * the register's number in vcpu_get_reg. Offset is into struct vcpu_regs. */
struct reg_desc { const char *name; enum reg_class class; uint16_t offset_bytes; uint8_t size_bytes; const char *alias; /* the ABI's name, or NULL */ };

struct isa_ops {
    enum guest_arch        arch;
    const char            *name;
    const struct reg_desc *regs;
    uint16_t               reg_count;
    uint8_t                insn_align_bytes, insn_max_bytes;
    const uint8_t         *hot_slots, *hot_fp_slots;     /* slots worth a host register, the hottest first, 0xff ends; NULL: none */

    /* Decodes the instruction at bytes[0..avail). False: *why is InvalidOpcode, or FAULT_NONE when more bytes are needed. */
    bool           (*decode_insn)(const uint8_t *bytes, unsigned avail_bytes, guest_addr pc, uint32_t mode,
                                  struct insn *out, struct fault *why);
    /* Emits one instruction (after ir_insn_start). A row without a lift ends the block in InvalidOpcode. */
    enum lift_next (*lift)       (struct ir_block *b, const struct insn *i, uint32_t mode);
    int            (*disasm)     (const struct insn *i, char *out, size_t cap_bytes);
    mmu_walk_fn     *walk;

    void           (*reset)      (struct vcpu *v);       /* power-on state; also sets regs.mode and the MMU's contexts */
    /* Enters the guest's handler for a fault at regs.pc. False: the guest has no handler (ExecStatus Fault). */
    bool           (*take_fault) (struct vcpu *v, const struct fault *f);
    bool           (*has_irq)    (struct vcpu *v);       /* an interrupt is pending and may be taken now */
    bool           (*take_irq)   (struct vcpu *v);       /* enters the guest's interrupt handler; false: none to take */
    bool           (*wakes)      (struct vcpu *v);       /* a halted vCPU must go on (pending, whatever the global mask) */
    void           (*deadline)   (struct vcpu *v);       /* regs' own timer (vcpu_set_deadline) has passed */
    /* A register was written from outside: normalise it (x0, WARL fields), re-derive mode, contexts, deadline. */
    void           (*reg_written)(struct vcpu *v, unsigned reg);
    /* Where guest code would read `at` from now: by its tables and its translation, whatever the rights; nothing changes. False: nowhere. */
    bool           (*peek)       (const struct vcpu *v, guest_addr at, guest_phys_addr *out);
    /* What loads and stores from now may do there, and whether it could be run, of PERM_*, as if accessed and dirty bits were set; nothing changes. */
    unsigned       (*rights)     (const struct vcpu *v, guest_addr at);
    const char    *(*irq_name)   (unsigned cause);       /* by the number that vcpu_exits.irq counts under; NULL: no such cause */
    unsigned       (*privilege)  (const struct vcpu *v); /* 0 user; for displays and page faults' is_user */
    const struct native_ops *native;                     /* when the host's CPU runs it; NULL: never */
};

/* One instruction at pc, read through the MMU with Execute access. Core(DECODE) never: an unknown encoding is
 * Execution(Fault(InvalidOpcode)). No side effect but TLB fill and A bits. */
NODISCARD struct vm_error decode_insn(struct vcpu *v, guest_addr pc, struct insn *out);
/* One basic block: instructions from pc to the first that ends a block (branch, trap, CSR ...), the page's end, or
 * cap_insns. A fault in the middle ends the block before it; a fault at pc is the error. */
NODISCARD struct vm_error decode_block(struct vcpu *v, guest_addr pc, struct insn *out, unsigned cap_insns, unsigned *count);
/* Lifts and seals the block at pc into *b (the caller's arena). At most max_insns guest instructions. An instruction
 * that crosses a page is a block of its own. b->source holds the bytes it was made from. *gpa is pc's; *why as mmu_fetch's. */
NODISCARD bool lift_block(struct vcpu *v, guest_addr pc, unsigned max_insns, struct ir_block *b, guest_phys_addr *gpa, struct fault *why);
