// SPDX-License-Identifier: Apache-2.0
/* The JIT's inside. Sealed IR -> lower.c (what lives where) -> a back end (x64/, a64/: one function an operation) -> bytes in the
 * vCPU's code memory. docs/jit.md has the picture.
 * Laws. 1: emitted code finds everything from the vCPU; one register points to it. 2: between blocks every guest slot is in
 * memory but for the pinned ones, which are in their host registers. 3: a guest slot is written, in memory or in its pinned
 * register, only after every fault that precedes the write in program order is decided: so a fault finds precise state by
 * storing the pinned registers, and the place table says where in the guest it was. 4: C code is called through the two
 * gates of the back end and nowhere else. 5: the counts word is exact at every gate and every exit.
 * Owner: the vCPU's thread. */
#pragma once
#include "hv/exec/run.h"
#include "hv/jit/info.h"

#define JIT_PAGE_COUNT 8
/* Slots of the register file that emitted code uses for itself. */
enum {
    JIT_SPILL_FIRST = VCPU_TEMP_SLOT, JIT_SPILL_END = 240,
    JIT_SLOT_PAGES,                 /* windows that were probed, see enum jit_page */
    JIT_SLOT_HOST_FP = JIT_SLOT_PAGES + JIT_PAGE_COUNT,    /* the host's FP control word before we came, and our flags on leaving */
    JIT_SLOT_RESULT,                /* of a wide row, when it is narrow */
    JIT_SLOT_EXCESS,                /* memory accesses that did not fit into the counts word */
    JIT_SLOT_LINK,                  /* the link that led out */
    JIT_SLOT_PLACE,                 /* the place of the running call */
    JIT_SLOT_COUNTS,
    JIT_SLOT_END
};
_Static_assert(JIT_SLOT_END <= VCPU_SLOTS, "the temporaries are ours");

/* The counts word, in a register while code runs: instructions left, less one, above; memory accesses made below. A block adds
 * jit_counts() once; the sign says that the budget is spent. */
#define JIT_ACCESS_BITS 24
#define JIT_CHUNK_INSNS (1 << 22)           /* at most so many in one go: accesses, two an instruction, cannot run over */
static inline int32_t jit_counts(unsigned insns, unsigned accesses) { return (int32_t)accesses - (int32_t)(insns << JIT_ACCESS_BITS); }
_Static_assert(IR_BLOCK_GUEST <= 64, "a block's counts fit 32 bits");

/* Where a call of C stands in the guest, and what it does: the fault map. */
struct jit_place {
    uint64_t imm;                           /* the row's */
    uint32_t block;
    uint16_t pc_offset;
    uint8_t  insns_before, accesses_before;
    uint8_t  op, type, operand;             /* enum ir_op, enum ir_type */
    uint8_t  slot[4];                       /* wide rows: result, a, b, c in slots; 0 of slot[0]: not wide */
};

/* A direct jump out of a block: the patchable field, and the stub it leads to while unlinked. */
struct jit_link { uint64_t pc; uint32_t block, site, stub, to; };   /* site 0: never linked; to: the block it leads to */

/* Ways out of emitted code, each a stub of the prologue; as offsets in the code memory. */
struct jit_prologue {
    uint32_t enter;                         /* uint64_t enter(struct vcpu *v, const void *code): enum exec_left */
    uint32_t leave[LEFT_RESOLVE + 1];       /* link number in the link register */
    uint32_t leave_at;                      /* pc in the first scratch register, LEFT_DISPATCH */
    uint32_t budget_at;                     /* the same, LEFT_BUDGET */
    uint32_t jump_to;                       /* pc in the first scratch register: through the jump cache */
    uint32_t gate, gate_all;                /* calls of C: those that may see slots go through gate_all */
    uint32_t constants;                     /* the back end's own */
    uint32_t end;
};

/* Optimisations that can be switched off, one by one. */
#define JIT_SWITCHES(_) _(PIN, "pin") _(LINK, "link") _(CACHE, "cache") _(FUSE, "fuse") _(TARGET, "target") _(HOSTFP, "hostfp") _(TLB, "tlb") _(PAGES, "pages") _(NAN, "nan") _(SLOTS, "slots") _(SITES, "sites") _(ATOMICS, "atomics")
enum jit_switch {
#define X(n, text) JIT_##n,
    JIT_SWITCHES(X)
#undef X
    JIT_SWITCH_COUNT
};
extern uint32_t jit_off;                    /* bits: switched off; read when a vCPU is made */
extern uint32_t jit_limit_bytes;            /* of code memory that a vCPU uses; 0: all of it; read when a vCPU is made */

struct jit_target;
struct jit_stats { uint64_t compiles, compile_ns, code_bytes, guest_bytes, resolves, dispatches, drops; };
struct jit {
    struct blocks blocks;                   /* first: emitted code reaches the jump cache by this address */
    const struct jit_target *target;
    uint8_t      *write;                    /* the two views of the code memory */
    const uint8_t *run;
    uint32_t      memory_bytes, limit, used;    /* limit: what may be used of it */
    uint32_t      off;                      /* jit_off of this vCPU */
    uint32_t      features;                 /* of the CPU, the back end's bits */
    int64_t       rest;                     /* of the budget, behind the chunk that runs */
    struct jit_prologue prologue;
    uint8_t       pin[2][VCPU_SLOTS];       /* host register of a guest slot, [0] integer, [1] FP; NO_REG */
    struct jit_place *place;
    struct jit_link  *link;
    uint32_t     *patched;                  /* links that lead to a block now */
    uint32_t      place_count, link_count, patched_count;
    void         *plan;                     /* lower.c's scratch */
    uint8_t      *buffer;                   /* where a block is written before it goes to the code memory as a whole */
    struct jit_stats stats;
    struct jit_news news;
    int64_t       until_sample;             /* instructions until the running block gets a sample */
};
#define JIT_PLACES (1u << 17)
#define JIT_LINKS  (1u << 16)
#define JIT_BLOCK_BYTES (32u << 10)         /* no block is larger */
#define NO_REG     0xff

/* code.c. The vCPU's JIT, also where it is a part of another engine; NULL: none. describe: block n. */
const struct jit *jit_of(const struct vcpu *v);
void jit_describe(const struct jit *j, uint32_t n, struct jit_code *out);

/* Compiles at jit->used. NULL: no room for it. */
void *jit_lower(struct jit *j, struct vcpu *v, const struct ir_block *ir, uint32_t block);
size_t jit_plan_bytes(void);

/* What emitted code calls: runs the row of the place in JIT_SLOT_PLACE on a, b, c. ok 0: v->fault. */
struct jit_answer { uint64_t value, ok; };
struct jit_answer jit_call(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c);
/* Into the guest's flags goes what the host's FPU has raised since it was asked last. */
void jit_merge_fp_flags(struct vcpu *v, const struct jit *j);

/* Code memory from a pool that never gives it back. False: none. */
NODISCARD bool jit_memory_take(uint32_t size_bytes, uint8_t **write, const uint8_t **run);
void           jit_memory_give(uint32_t size_bytes, uint8_t *write, const uint8_t *run);
