// SPDX-License-Identifier: Apache-2.0
/* The state of one block's lowering; lower.c's own. */
#pragma once
#include "hv/jit/target.h"

#define NO_SLOT 0xff
#define AT_END  0xffff
#define NOBODY  IR_NONE
_Static_assert(JIT_SLOT_END <= NO_SLOT, "no slot of ours is taken for none");

enum { INT, FP };                                    /* register files */

/* An access whose probe left its page in JIT_SLOT_PAGES, for others by the same base. */
struct lower_page { ir_ref base; int32_t offset; uint8_t size; bool is_store, is_valid; };

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
    struct emit emit;
};
