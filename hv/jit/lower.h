// SPDX-License-Identifier: Apache-2.0
/* Between the files of lowering: the state of one block, and what they ask of each other. */
#pragma once
#include "hv/jit/target.h"

#define NO_SLOT 0xff
#define AT_END  0xffff
#define NOBODY  IR_NONE
_Static_assert(JIT_SLOT_END <= NO_SLOT, "no slot of ours is taken for none");

enum { INT, FP };                                    /* register files */

/* A window of guest memory [first, end) from a base whose host address is in JIT_SLOT_PAGES, and in `reg` as long as nobody else wants that. */
struct lower_page { ir_ref base; int64_t first, end; uint8_t reg; bool is_write, is_valid; };

struct lower {
    struct jit               *j;
    const struct ir_block    *ir;
    const struct jit_target  *t;
    struct emit              *e;
    uint32_t block;
    bool     is_full, has_host_fp;
    unsigned insns, accesses;                        /* before the current guest instruction, and counted so far */
    uint64_t pc, free_spill;                         /* bit i: slot JIT_SPILL_FIRST + i */
    uint32_t temps[2], free[2], locked[2];           /* registers as bits */
    ir_ref   owner[2][32];                           /* of a temporary that is not free */
    uint16_t root[IR_BLOCK_INSNS];                   /* the value that this one is another name of */
    uint16_t last[IR_BLOCK_INSNS];                   /* index of the last use of a root, AT_END: the block's end */
    uint8_t  in[2][IR_BLOCK_INSNS];                  /* registers that hold a root, NO_REG */
    uint8_t  mem[IR_BLOCK_INSNS];                    /* slot that holds it, NO_SLOT */
    uint8_t  target[IR_BLOCK_INSNS];                 /* pinned guest slot to compute into, NO_SLOT */
    bool     folded[IR_BLOCK_INSNS];                 /* part of its user, or another name: not emitted */
    bool     is_active[IR_BLOCK_INSNS];
    ir_ref   active[IR_BLOCK_INSNS];                 /* roots that have a place now */
    unsigned active_count;
    ir_ref   mem_owner[VCPU_SLOTS];                  /* the root whose mem is this guest slot, NOBODY */
    struct lower_page page[JIT_PAGE_COUNT];
    unsigned next_page;
    ir_ref   nan_in[32], nan_slot[VCPU_SLOTS];       /* lower_nan.c: the unchecked root in an FP register, in a slot; NOBODY */
    uint8_t  nan_copies[IR_BLOCK_INSNS];             /* places that hold it unchecked */
    ir_ref   nan_by[IR_BLOCK_INSNS];                 /* a value that is a NaN if this one is: it covers it; NOBODY */
    unsigned nan_count, nan_slot_count;              /* places */
    struct emit emit;
};

static inline bool is_dead(const struct ir_insn *i)                       { return i->op == IR_CONST && i->type == IR_VOID; }
static inline bool is_float(enum ir_type t)                               { return t == IR_F32 || t == IR_F64; }
static inline bool is_wide(enum ir_type t)                                { return ir_type_bits(t) > 64; }
static inline enum ir_type type_of(const struct lower *l, ir_ref r)       { return (enum ir_type)l->ir->insn[r].type; }
static inline bool has(const struct lower *l, enum jit_switch s)          { return !(l->j->off >> s & 1); }
/* The file in which a row's result appears. */
static inline unsigned file_of(const struct ir_insn *i)
{
    return is_float((enum ir_type)i->type) || i->op == IR_BOX ? FP : INT;
}

/* lower_plan.c. immediate: a constant that fits 32 bits, sign-extended. */
bool lower_immediate(const struct lower *l, ir_ref r, int64_t *out);
bool lower_is_plain_access(const struct lower *l, const struct ir_insn *i);
bool lower_is_inline_atomic(const struct lower *l, const struct ir_insn *i);
bool lower_is_branch_condition(const struct lower *l, ir_ref r);
void lower_plan_uses(struct lower *l);
void lower_plan_targets(struct lower *l);
/* lower_where.c: registers and slots of values; `n` is the instruction that is being emitted. */
void lower_settle(struct lower *l, ir_ref r, unsigned file, uint8_t reg);
uint8_t lower_take_spill(struct lower *l, bool pair);
void lower_free_spill(struct lower *l, uint8_t slot, bool pair);
void lower_store_slot(struct lower *l, unsigned file, uint8_t reg, unsigned slot);
uint8_t lower_take_reg(struct lower *l, unsigned file);
void lower_load_value(struct lower *l, unsigned file, uint8_t d, ir_ref root);
uint8_t lower_reg_in(struct lower *l, unsigned file, ir_ref ref);
void lower_release(struct lower *l, ir_ref ref, unsigned n);
void lower_release_operands(struct lower *l, unsigned n);
uint8_t lower_slot_in(const struct lower *l, ir_ref ref, unsigned n);      /* an operand of n that is better read where it is; NO_SLOT */
void lower_vacate_reg(struct lower *l, unsigned file, uint8_t reg, unsigned n, ir_ref but);
void lower_vacate_slot(struct lower *l, unsigned slot, unsigned n);
uint8_t lower_reg_out(struct lower *l, unsigned file, unsigned n, uint8_t like);
/* lower_nan.c: F64 results that may be NaNs of the host's kind. is_unchecked: in that register, slot. */
void lower_nan_begin(struct lower *l);
bool lower_nan_can_wait(const struct lower *l, const struct ir_insn *i);
void lower_nan_operands(struct lower *l, unsigned n);                       /* of an operation whose result tells of theirs */
void lower_nan_result(struct lower *l, uint8_t reg, ir_ref root);
void lower_nan_check(struct lower *l);                                      /* all of them, now */
bool lower_nan_is_in(const struct lower *l, ir_ref root);
void lower_nan_copy(struct lower *l, uint8_t reg, ir_ref root, unsigned slot);   /* before a move to the register, or (NO_REG) the slot */
void lower_nan_forget_reg(struct lower *l, uint8_t reg);                    /* it gets another value */
void lower_nan_forget_slot(struct lower *l, unsigned slot);
void lower_nan_release(struct lower *l, ir_ref root);                       /* its temporary and its spill slot go */
void lower_nan_visible(const struct lower *l, struct jit_unchecked *out);   /* what a fault would show */
/* lower_call.c */
uint32_t lower_new_place(struct lower *l, unsigned n);
void lower_to_scratch(struct lower *l, unsigned k, ir_ref ref);
void lower_from_scratch(struct lower *l, unsigned file, uint8_t d);
void lower_row(struct lower *l, unsigned n);
void lower_call(struct lower *l, unsigned n);
/* lower_wide.c */
void lower_wide(struct lower *l, unsigned n);
bool lower_is_wide_row(const struct lower *l, const struct ir_insn *i);
/* lower.c */
bool lower_compare_of(struct lower *l, const struct ir_insn *i, unsigned n, struct jit_compare *c);   /* for instruction n */
/* lower_access.c */
void lower_access(struct lower *l, unsigned n);
void lower_atomic(struct lower *l, unsigned n);
void lower_drop_pages(struct lower *l);                                     /* C may have changed what is mapped */
bool lower_take_page_reg(struct lower *l);                                  /* one register of a window is free now */
/* lower_end.c */
void lower_end(struct lower *l);
