// SPDX-License-Identifier: Apache-2.0
/* The one language of semantics. A row here obliges: a fold, a lowering in every engine, a test.
 * Laws. 1: a value is defined once, before its use, in the same block. 2: bits above a value's width are unspecified
 * (TRUNC is free); ops that care read only the width. I1 is exactly 0 or 1 (in slots and from helpers too). 3: an op marked F may raise the guest's
 * fault; then every SETR before it in program order has happened, none after it has. 4: no op names a guest.
 * 5: INSN starts a guest instruction; a fault belongs to the last INSN before it. 6: 128-bit types only in rows marked W.
 * docs/ir.md explains them, row by row. Owner: the thread that lifts. */
#pragma once
#include "hv/base/error.h"
#include "hv/ir/fp.h"

/* What a value is. */
enum ir_type { IR_VOID, IR_I1, IR_I8, IR_I16, IR_I32, IR_I64, IR_I128, IR_F32, IR_F64, IR_V128, IR_TYPE_COUNT };

/* Types of results and operands: one by name, or ANY, INT (I1..I64, with W also I128), BITS (INT or V128), FLT (F32, F64),
 * WIDE (I128, V128); an operand also SAME (as the result), LIKE (as operand a), ___ (none).
 * imm: what the 64-bit immediate holds. Flags: C commutes; F may fault; E has an effect (never dead); R reads state;
 * W also 128 bits wide. */
#define IR_OPS(_)                                                                                                               \
/*    name      result  a     b     c     imm      flags                                                           */           \
    _(CONST,    ANY,    ___,  ___,  ___,  VALUE,   IRF_W)                                                                       \
    _(GETR,     ANY,    ___,  ___,  ___,  SLOT,    IRF_R|IRF_W)       /* slot of the register file; I128/V128: two slots */     \
    _(SETR,     VOID,   ANY,  ___,  ___,  SLOT,    IRF_E|IRF_W)       /* narrower than 64 bits: zero-extended into the slot */  \
    _(INSN,     VOID,   ___,  ___,  ___,  PC,      IRF_E)             /* guest instruction starts; field c is its length in bytes */\
    /* integers */                                                                                                              \
    _(ADD,      INT,    SAME, SAME, ___,  NONE,    IRF_C|IRF_W)                                                                 \
    _(SUB,      INT,    SAME, SAME, ___,  NONE,    IRF_W)                                                                       \
    _(MUL,      INT,    SAME, SAME, ___,  NONE,    IRF_C)                                                                       \
    _(MULHU,    INT,    SAME, SAME, ___,  NONE,    IRF_C)             /* high half, both unsigned */                            \
    _(MULHS,    INT,    SAME, SAME, ___,  NONE,    IRF_C)             /* high half, both signed */                              \
    _(MULHSU,   INT,    SAME, SAME, ___,  NONE,    0)                 /* high half, a signed, b unsigned */                     \
    _(DIVU,     INT,    SAME, SAME, ___,  NONE,    0)                 /* x/0 = all ones */                                      \
    _(DIVS,     INT,    SAME, SAME, ___,  NONE,    0)                 /* x/0 = -1; MIN/-1 = MIN */                              \
    _(REMU,     INT,    SAME, SAME, ___,  NONE,    0)                 /* x%0 = x */                                             \
    _(REMS,     INT,    SAME, SAME, ___,  NONE,    0)                 /* x%0 = x; MIN%-1 = 0 */                                 \
    _(AND,      BITS,   SAME, SAME, ___,  NONE,    IRF_C|IRF_W)                                                                 \
    _(OR,       BITS,   SAME, SAME, ___,  NONE,    IRF_C|IRF_W)                                                                 \
    _(XOR,      BITS,   SAME, SAME, ___,  NONE,    IRF_C|IRF_W)                                                                 \
    _(NOT,      BITS,   SAME, ___,  ___,  NONE,    IRF_W)                                                                       \
    _(NEG,      INT,    SAME, ___,  ___,  NONE,    0)                                                                           \
    _(SHL,      INT,    SAME, I8,   ___,  NONE,    0)                 /* counts are taken modulo the width */                   \
    _(SHR,      INT,    SAME, I8,   ___,  NONE,    0)                                                                           \
    _(SAR,      INT,    SAME, I8,   ___,  NONE,    0)                                                                           \
    _(ROR,      INT,    SAME, I8,   ___,  NONE,    0)                                                                           \
    _(CLZ,      INT,    SAME, ___,  ___,  NONE,    0)                 /* of 0: the width */                                     \
    _(CTZ,      INT,    SAME, ___,  ___,  NONE,    0)                                                                           \
    _(POPCNT,   INT,    SAME, ___,  ___,  NONE,    0)                                                                           \
    _(BSWAP,    INT,    SAME, ___,  ___,  NONE,    0)                                                                           \
    _(ORCB,     INT,    SAME, ___,  ___,  NONE,    0)                 /* each byte: 0xff when not zero */                       \
    _(EXTRACT,  INT,    SAME, ___,  ___,  FIELD,   0)                 /* bits [lsb, lsb+len), zero-extended */                  \
    _(SEXTRACT, INT,    SAME, ___,  ___,  FIELD,   0)                 /* the same, sign-extended */                             \
    _(DEPOSIT,  INT,    SAME, SAME, ___,  FIELD,   0)                 /* a with b's low len bits at lsb */                      \
    /* carry and overflow as values; c is the carry (borrow) in */                                                              \
    _(ADC,      INT,    SAME, SAME, I1,   NONE,    0)                 /* a + b + c */                                           \
    _(SBB,      INT,    SAME, SAME, I1,   NONE,    0)                 /* a - b - c */                                           \
    _(CARRY,    I1,     INT,  LIKE, I1,   NONE,    0)                 /* unsigned carry out of a + b + c */                     \
    _(BORROW,   I1,     INT,  LIKE, I1,   NONE,    0)                 /* unsigned borrow out of a - b - c */                    \
    _(ADDOV,    I1,     INT,  LIKE, I1,   NONE,    0)                 /* signed overflow of a + b + c */                        \
    _(SUBOV,    I1,     INT,  LIKE, I1,   NONE,    0)                 /* signed overflow of a - b - c */                        \
    /* comparison, choice, width (comparison width: the type of a) */                                                           \
    _(EQ,       I1,     INT,  LIKE, ___,  NONE,    IRF_C)                                                                       \
    _(NE,       I1,     INT,  LIKE, ___,  NONE,    IRF_C)                                                                       \
    _(ULT,      I1,     INT,  LIKE, ___,  NONE,    0)                                                                           \
    _(ULE,      I1,     INT,  LIKE, ___,  NONE,    0)                                                                           \
    _(SLT,      I1,     INT,  LIKE, ___,  NONE,    0)                                                                           \
    _(SLE,      I1,     INT,  LIKE, ___,  NONE,    0)                                                                           \
    _(SEL,      ANY,    I1,   SAME, SAME, NONE,    0)                 /* a ? b : c */                                           \
    _(TRUNC,    ANY,    ANY,  ___,  ___,  NONE,    0)                 /* low bits; same width: the bits as another type */      \
    _(ZEXT,     INT,    INT,  ___,  ___,  NONE,    0)                                                                           \
    _(SEXT,     INT,    INT,  ___,  ___,  NONE,    0)                                                                           \
    _(PAIR,     WIDE,   I64,  I64,  ___,  NONE,    IRF_W)             /* I128/V128 from low, high */                            \
    _(LOW,      I64,    WIDE, ___,  ___,  NONE,    IRF_W)                                                                       \
    _(HIGH,     I64,    WIDE, ___,  ___,  NONE,    IRF_W)                                                                       \
    /* memory; imm = memop: size, sign, byte order, memory order, alignment */                                                  \
    _(LOAD,     ANY,    I64,  ___,  ___,  MEMOP,   IRF_F|IRF_W)                                                                 \
    _(STORE,    VOID,   I64,  ANY,  ___,  MEMOP,   IRF_F|IRF_E|IRF_W)                                                           \
    _(LL,       ANY,    I64,  ___,  ___,  MEMOP,   IRF_F|IRF_E|IRF_W) /* load and reserve */                                    \
    _(SC,       I1,     I64,  ANY,  ___,  MEMOP,   IRF_F|IRF_E|IRF_W) /* 1: stored */                                           \
    _(AMO,      ANY,    I64,  ANY,  ___,  MEMOP,   IRF_F|IRF_E)       /* old value, extended by the memop's sign */             \
    _(CAS,      ANY,    I64,  SAME, SAME, MEMOP,   IRF_F|IRF_E|IRF_W) /* a: address, b: expected, c: new; old value */          \
    _(FENCE,    VOID,   ___,  ___,  ___,  FENCE,   IRF_E)                                                                       \
    /* floating point; imm = enum fp_round; flags accumulate in the vCPU's fp_env */                                            \
    _(FADD,     FLT,    SAME, SAME, ___,  ROUND,   IRF_E)                                                                       \
    _(FSUB,     FLT,    SAME, SAME, ___,  ROUND,   IRF_E)                                                                       \
    _(FMUL,     FLT,    SAME, SAME, ___,  ROUND,   IRF_E)                                                                       \
    _(FDIV,     FLT,    SAME, SAME, ___,  ROUND,   IRF_E)                                                                       \
    _(FSQRT,    FLT,    SAME, ___,  ___,  ROUND,   IRF_E)                                                                       \
    _(FMADD,    FLT,    SAME, SAME, SAME, ROUND,   IRF_E)             /* a * b + c, one rounding; negate with FNEG */           \
    _(FRINT,    FLT,    SAME, ___,  ___,  ROUND,   IRF_E)             /* to an integral float; imm + FP_SILENT: no inexact */   \
    _(FMIN,     FLT,    SAME, SAME, ___,  NONE,    IRF_E)             /* IEEE 754-2019 minimumNumber */                         \
    _(FMAX,     FLT,    SAME, SAME, ___,  NONE,    IRF_E)                                                                       \
    _(FNEG,     FLT,    SAME, ___,  ___,  NONE,    0)                 /* sign bit only, no flags, NaNs too */                   \
    _(FEQ,      I1,     FLT,  LIKE, ___,  NONE,    IRF_E)             /* quiet */                                               \
    _(FLT,      I1,     FLT,  LIKE, ___,  QUIET,   IRF_E)             /* imm FP_SIGNALLING or FP_QUIET */                       \
    _(FLE,      I1,     FLT,  LIKE, ___,  QUIET,   IRF_E)                                                                       \
    _(FCLASS,   I64,    ANY,  ___,  ___,  NONE,    0)                 /* bit 0 -inf, 1 -normal, 2 -subnormal, 3 -0, 4 +0, ...,
                                                                         7 +inf, 8 signalling NaN, 9 quiet NaN */               \
    _(FTOS,     INT,    FLT,  ___,  ___,  ROUND,   IRF_E)             /* float to signed I32/I64, saturating, NaN -> max */     \
    _(FTOU,     INT,    FLT,  ___,  ___,  ROUND,   IRF_E)             /* float to unsigned */                                   \
    _(STOF,     FLT,    INT,  ___,  ___,  ROUND,   IRF_E)             /* signed I32/I64 to float */                             \
    _(UTOF,     FLT,    INT,  ___,  ___,  ROUND,   IRF_E)                                                                       \
    _(FTOF,     FLT,    FLT,  ___,  ___,  ROUND,   IRF_E)             /* F32 <-> F64 */                                         \
    _(BOX,      I64,    F32,  ___,  ___,  NONE,    0)                 /* F32 under a high half of ones */                       \
    _(UNBOX,    F32,    I64,  ___,  ___,  NONE,    0)                 /* back; not so boxed: the canonical NaN */               \
    /* the rest: one C function for all engines; imm = const struct ir_helper *                                    */           \
    _(CALL,     ANY,    ANY,  ANY,  ANY,  HELPER,  IRF_F|IRF_E|IRF_R)

enum ir_op {
#define X(name, ...) IR_##name,
    IR_OPS(X)
#undef X
    IR_OP_COUNT
};
enum { IRF_C = 1, IRF_F = 2, IRF_E = 4, IRF_R = 8, IRF_W = 16 };
extern const uint8_t ir_op_flags[IR_OP_COUNT];

/* Orders of FP comparison as an immediate: a signalling one raises invalid for every NaN, a quiet one for signalling NaNs. */
enum { FP_SIGNALLING, FP_QUIET };
/* FRINT: added to the rounding mode when an inexact result raises no flag. */
enum { FP_SILENT = 8 };

/* memop: how an access goes. Bits 2..0 log2 of size (0..4), 3 sign-extend, 4 big-endian, 5 must be aligned (AlignmentFault
 * otherwise), 6 acquire, 7 release, 11..8 enum ir_amo. Both acquire and release: sequentially consistent. */
enum { MEM_8 = 0, MEM_16 = 1, MEM_32 = 2, MEM_64 = 3, MEM_128 = 4, MEM_SIZE = 7, MEM_SIGNED = 8, MEM_BIG_ENDIAN = 16, MEM_ALIGNED = 32,
       MEM_ACQUIRE = 64, MEM_RELEASE = 128, MEM_AMO_SHIFT = 8 };
enum ir_amo { AMO_SWAP, AMO_ADD, AMO_AND, AMO_OR, AMO_XOR, AMO_MIN, AMO_MAX, AMO_MINU, AMO_MAXU };
static inline unsigned memop_bytes(uint64_t memop) { return 1u << (memop & MEM_SIZE); }
static inline enum ir_amo memop_amo(uint64_t memop) { return (enum ir_amo)(memop >> MEM_AMO_SHIFT & 15); }
static inline uint64_t ir_field(unsigned lsb, unsigned length) { return lsb | (uint64_t)length << 8; }
/* FENCE: bits 3..0 predecessor, 7..4 successor, each R=1 W=2 I=4 O=8. */
enum { FENCE_R = 1, FENCE_W = 2, FENCE_I = 4, FENCE_O = 8, FENCE_FULL = 0xff };

/* A helper runs in the vCPU's thread with pc and counters of the calling instruction in place. It may fault by filling
 * vcpu->fault (then the result is ignored and no later SETR happens). Unused operands are passed as 0. */
struct vcpu;
typedef uint64_t ir_helper_fn(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c);
enum { HELPER_MAY_FAULT = 1, HELPER_PURE = 2 };       /* PURE: no effect, result depends on operands only */
struct ir_helper { const char *name; ir_helper_fn *run; uint32_t flags; };

typedef uint16_t ir_ref;                              /* index of the defining insn; IR_NONE: no operand */
#define IR_NONE 0xffff
struct ir_insn { uint8_t op, type; ir_ref a, b, c; uint64_t imm; };
_Static_assert(sizeof(struct ir_insn) == 16, "one IR instruction is two words");

/* How a block ends. */
enum ir_end_kind {
    IR_END_NONE,            /* still open */
    IR_END_JUMP,            /* to `taken` */
    IR_END_BRANCH,          /* value ? taken : fall */
    IR_END_INDIRECT,        /* to value (hint: call, return) */
    IR_END_LEAVE,           /* to `taken`, through the dispatcher: mode, interrupts or mappings may have changed */
    IR_END_LEAVE_INDIRECT,  /* to value, through the dispatcher (returns from traps) */
    IR_END_HALT,            /* wait for an interrupt, then `taken` */
    IR_END_FAULT,           /* raise `fault`, pc stays at this instruction */
};
enum ir_hint { IR_HINT_NONE, IR_HINT_CALL, IR_HINT_RETURN };
struct ir_end { enum ir_end_kind kind; enum ir_hint hint; ir_ref value; guest_addr taken, fall; struct fault fault; };

#define IR_BLOCK_INSNS   1024                         /* IR instructions */
#define IR_BLOCK_GUEST   64                           /* guest instructions at most */
#define IR_INSN_BYTES    16                           /* no guest instruction is longer */
#define IR_INSN_WORST    96                           /* no guest instruction lifts to more */
struct ir_block {
    guest_addr     pc;                                /* of the first guest instruction */
    uint32_t       mode;
    uint16_t       count, guest_count;
    uint32_t       guest_bytes;
    uint8_t        source[IR_BLOCK_GUEST * IR_INSN_BYTES];   /* [guest_bytes] that the decoder saw, filled by lift_block */
    bool           is_sealed;
    struct ir_end  end;
    ir_ref         slot_value[256];                   /* builder: value last known in each slot, or IR_NONE */
    uint16_t       uses[IR_BLOCK_INSNS];              /* after ir_dead: how often each value is read */
    struct ir_insn insn[IR_BLOCK_INSNS];
};

void   ir_begin(struct ir_block *b, guest_addr pc, uint32_t mode);
/* Appends one instruction, folding as it builds: constants, identities, GETR after SETR or GETR of the same slot. */
ir_ref ir_emit(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z, uint64_t imm);
void   ir_insn_start(struct ir_block *b, guest_addr pc, unsigned size_bytes);
void   ir_end(struct ir_block *b, struct ir_end end);
bool   ir_has_room(const struct ir_block *b);         /* for one more guest instruction */
/* Seals: dead values, and SETRs that another overwrites before anyone can look, are deleted (marked with type IR_VOID and
 * op CONST), uses[] counted. */
void   ir_seal(struct ir_block *b);
/* Checks the laws: types, definition before use, immediates. NULL: fine; else what is wrong (static text). Open or sealed. */
const char *ir_verify(const struct ir_block *b);
/* The block as text (docs/ir.md, "Text"), the same for the same block. Returns the length it wanted, as snprintf does. */
int    ir_dump(const struct ir_block *b, char *out, size_t cap_bytes);
const char *ir_op_name(enum ir_op op);
const char *ir_type_name(enum ir_type t);
bool   ir_is_const(const struct ir_block *b, ir_ref r, uint64_t *value);
unsigned ir_type_bits(enum ir_type t);

/* Short words for lift functions. */
static inline ir_ref ir_const(struct ir_block *b, enum ir_type t, uint64_t v) { return ir_emit(b, IR_CONST, t, IR_NONE, IR_NONE, IR_NONE, v); }
static inline ir_ref ir_get(struct ir_block *b, enum ir_type t, unsigned slot) { return ir_emit(b, IR_GETR, t, IR_NONE, IR_NONE, IR_NONE, slot); }
static inline void   ir_set(struct ir_block *b, unsigned slot, ir_ref v)      { (void)ir_emit(b, IR_SETR, IR_VOID, v, IR_NONE, IR_NONE, slot); }
static inline ir_ref ir_un(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x) { return ir_emit(b, op, t, x, IR_NONE, IR_NONE, 0); }
static inline ir_ref ir_bin(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y) { return ir_emit(b, op, t, x, y, IR_NONE, 0); }
static inline ir_ref ir_sel(struct ir_block *b, enum ir_type t, ir_ref c, ir_ref x, ir_ref y) { return ir_emit(b, IR_SEL, t, c, x, y, 0); }
static inline ir_ref ir_load(struct ir_block *b, enum ir_type t, ir_ref at, uint64_t memop) { return ir_emit(b, IR_LOAD, t, at, IR_NONE, IR_NONE, memop); }
static inline void   ir_store(struct ir_block *b, ir_ref at, ir_ref v, uint64_t memop) { (void)ir_emit(b, IR_STORE, IR_VOID, at, v, IR_NONE, memop); }
static inline ir_ref ir_call(struct ir_block *b, enum ir_type t, const struct ir_helper *h, ir_ref x, ir_ref y, ir_ref z)
{
    return ir_emit(b, IR_CALL, t, x, y, z, (uint64_t)(uintptr_t)h);
}
