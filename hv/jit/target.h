// SPDX-License-Identifier: Apache-2.0
/* What a back end must answer: registers, and one function for each kind of host operation. It writes bytes and never runs
 * them, so every back end builds and is tested on every host. Registers are the host's own numbers; d is the result and may be
 * any of the operands. Functions may use the back end's scratch registers, which hold no value of the block but on their way to
 * a call. Functions returning bool: false when there is no short way; nothing has been emitted then, and lower.c calls C. */
#pragma once
#include "hv/jit/jit.h"

/* What an access does about its page. PROBED: asks for a window of `window_bytes` from base + window_first, to be written too if
 * window_is_write, and leaves the host's address of its first byte, or 0 when it is not in one page or not in the TLB, in
 * page_slot and (not NO_REG) in page_reg. KNOWN: uses what was left, there. Both lie `distance` into the window. */
enum jit_page { JIT_PAGE_PLAIN, JIT_PAGE_PROBED, JIT_PAGE_KNOWN };

/* FP registers (bits) and slots that hold results of which nobody has asked yet whether they are NaNs. */
#define JIT_UNCHECKED_SLOTS 16
struct jit_unchecked { uint32_t regs; uint8_t slot_count, slot[JIT_UNCHECKED_SLOTS]; };

/* One guest access: base register + offset; `value` is an FP register when is_fp. A plain one, or an atomic row of 4 or 8 bytes:
 * IR_LL (no value), IR_SC, IR_AMO with all that the memop says about order, and a result. */
#define JIT_PLAIN IR_CONST
struct jit_access {
    enum ir_op atomic;                           /* JIT_PLAIN: a load or store */
    uint8_t  base, value, result, page_slot, page_reg;
    bool     is_fp, is_store, window_is_write;
    enum jit_page page;
    uint32_t memop, place;
    int32_t  offset, distance, window_first, window_bytes;
    struct jit_unchecked unchecked;
};

/* A comparison of two registers, or (b NO_REG) of one with a slot, or (b_slot JIT_NO_SLOT) with an immediate. op IR_EQ..IR_SLE. */
#define JIT_NO_SLOT 0xff
struct jit_compare { enum ir_op op; uint8_t bits, a, b, b_slot; int32_t imm; };

/* Where a jump's distance stands, to be filled in; 0: nowhere. */
typedef uint32_t jit_patch;

/* Out-of-line parts that a fast path asks for: emitted behind the block. STUB_UNCHECKED makes access.unchecked canonical; STUB_ACCESS
 * does so before it calls C. */
enum emit_stub_kind { STUB_ACCESS, STUB_NAN, STUB_FP_CALL, STUB_UNCHECKED };
struct emit_stub {
    enum emit_stub_kind kind;
    jit_patch from, also_from[3];
    uint32_t  back, place;
    uint8_t   d, a, b, c;
    bool      is_d_fp, is_a_fp, is_single;
    struct jit_access access;
};
#define EMIT_STUBS 512

/* What emitting writes to: the writable view. at: offset of the next byte. */
struct emit {
    uint8_t *base;
    uint32_t at, end;
    bool     is_full;
    uint32_t features;
    const struct jit_prologue *prologue;
    unsigned stub_count;
    struct emit_stub stub[EMIT_STUBS];
};
static inline void emit8(struct emit *e, unsigned v)
{
    if (e->at >= e->end) e->is_full = true;
    else e->base[e->at++] = (uint8_t)v;
}
static inline void emit32(struct emit *e, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) emit8(e, v >> 8 * i & 0xff);
}
static inline struct emit_stub *emit_stub(struct emit *e)
{
    if (e->stub_count == EMIT_STUBS) e->is_full = true, e->stub_count--;
    struct emit_stub *s = &e->stub[e->stub_count++];
    *s = (struct emit_stub){ 0 };
    return s;
}

struct jit_target {
    const char *name;
    uint8_t  scratch[3];                         /* arguments a, b, c of calls of C, and in [0] the result */
    uint8_t  temps[16], pins[24];                /* allocatable registers, and those that may hold a guest slot; NO_REG ends */
    uint8_t  fp_temps[16], fp_pins[24];
    bool     is_tiny_before;                     /* how its FPU finds tininess */
    uint32_t (*features)(void);                  /* of the CPU that this runs on: the back end's own bits */
    unsigned (*fp_flags)(uint32_t word);         /* enum fp_flag bits of the upper half of JIT_SLOT_HOST_FP */

    void (*prologue)(struct emit *e, struct jit_prologue *p, const struct jit *j);

    void (*mov)(struct emit *e, uint8_t d, uint8_t a);
    void (*imm)(struct emit *e, uint8_t d, uint64_t v);
    void (*load_slot)(struct emit *e, uint8_t d, unsigned slot);
    void (*store_slot)(struct emit *e, uint8_t a, unsigned slot);            /* 64 bits */
    bool (*store_slot_imm)(struct emit *e, uint64_t v, unsigned slot);
    void (*fp_mov)(struct emit *e, uint8_t d, uint8_t a);
    void (*fp_load_slot)(struct emit *e, uint8_t d, unsigned slot);
    void (*fp_store_slot)(struct emit *e, uint8_t a, unsigned slot);
    void (*fp_from)(struct emit *e, uint8_t d, uint8_t a);                   /* bits of an integer register */
    void (*fp_to)(struct emit *e, uint8_t d, uint8_t a);

    /* Integer rows, 32 or 64 bits; the upper half of a 32-bit result is zero. imm: sign-extended. */
    bool (*binary)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b);
    bool (*binary_imm)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, int64_t imm);
    bool (*unary)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a);
    void (*extend)(struct emit *e, uint8_t d, uint8_t a, unsigned from_bits, bool is_signed);   /* from 1, 8, 16, 32 to 64 */
    bool (*field)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b, unsigned lsb, unsigned length);
    /* The same on a slot as the second, or only, operand; NULL: instructions of this host do not read memory, nor does a comparison. */
    bool (*binary_slot)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, unsigned b_slot);
    void (*extend_slot)(struct emit *e, uint8_t d, unsigned a_slot, unsigned from_bits, bool is_signed);
    bool (*fits_compare)(int64_t imm);
    void (*set_if)(struct emit *e, uint8_t d, const struct jit_compare *c);
    void (*select)(struct emit *e, uint8_t d, uint8_t condition, uint8_t a, uint8_t b);
    void (*fence)(struct emit *e, unsigned kinds);                           /* IR_FENCE's immediate */

    /* FP rows. d, a, b, c are of the file that the row's types say (BOX and UNBOX: FP). place: for the C that finishes rare cases. */
    bool (*fp)(struct emit *e, const struct ir_insn *i, enum ir_type operand, uint8_t d, uint8_t a, uint8_t b, uint8_t c, uint32_t place);

    /* F64 arithmetic (FADD to FSQRT) whose NaN is not yet the canonical one, and a jump when a or b, or a slot's value, is one. NULL:
     * fp() gives canonical NaNs for nothing. */
    void (*fp_unchecked)(struct emit *e, enum ir_op op, uint8_t d, uint8_t a, uint8_t b);
    jit_patch (*if_nan)(struct emit *e, uint8_t a, uint8_t b);
    jit_patch (*if_nan_slot)(struct emit *e, unsigned slot);

    /* The one function that touches guest memory. */
    void (*access)(struct emit *e, const struct jit_access *a);

    /* Calls C: arguments in scratch[], result in scratch[0]; `all`: pinned slots are in memory meanwhile. */
    void (*call)(struct emit *e, uint32_t place, bool all);
    void (*stubs)(struct emit *e);

    /* Ends. count: adds to the counts word; out[]: jumps taken when the budget is spent or (poll) there is a request. */
    void (*count)(struct emit *e, int32_t counts, bool poll, jit_patch out[2]);
    void (*count_excess)(struct emit *e, unsigned accesses);
    jit_patch (*branch)(struct emit *e, const struct jit_compare *c);        /* when it holds */
    jit_patch (*jump)(struct emit *e);
    void (*go)(struct emit *e, uint32_t to);                                 /* to an offset: a stub of the prologue */
    void (*leave)(struct emit *e, uint32_t link, uint32_t to);               /* to a stub that wants a link's number */
    void (*jump_cached)(struct emit *e);                                     /* to the pc in scratch[0]: the jump cache, else out */
    void (*jump_cached_to)(struct emit *e, uint64_t pc);                     /* to a known pc: its line is, too, and the jump is predicted alone */
    void (*patch)(uint8_t *base, jit_patch site, uint32_t to);               /* the jump at `site` leads to offset `to` */
};
extern const struct jit_target JIT_X64, JIT_A64;
