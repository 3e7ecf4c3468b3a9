// SPDX-License-Identifier: Apache-2.0
/* Loads and stores (C4.1.88). Misaligned ones are done; exclusive, ordered and atomic ones fault. All loads of an instruction come
 * before its writes, so a fault leaves the registers alone. Pure building of IR: see lift.h. */
#include "hv/exec/access.h"
#include "hv/isa/arm64/lift.h"

/* size (31:30), opc (23:22): 00 stores; 01 loads, 10 with the sign to 64 bits, 11 with the sign to 32. */
static enum lift_next load(struct ir_block *b, const struct insn *i, int32_t rt, ir_ref at)
{
    unsigned opc = i->bits >> 22 & 3;
    uint64_t memop = i->bits >> 30 | (opc & 2 ? MEM_SIGNED : 0u);
    return put_r(b, rt, ir_load(b, opc == 3 ? IR_I32 : IR_I64, at, memop));
}
static enum lift_next store(struct ir_block *b, const struct insn *i, int32_t rt, ir_ref at)
{
    ir_store(b, at, get_x(b, rt), i->bits >> 30);
    return LIFT_NEXT;
}

LIFT(ldr)
{
    struct arm64_ls a = arm64_ls(i);
    return load(b, i, a.rt, address(b, a.rn, a.imm));
}
LIFT(str)
{
    struct arm64_ls a = arm64_ls(i);
    return store(b, i, a.rt, address(b, a.rn, a.imm));
}
LIFT(ldr_pre)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref at = address(b, a.rn, a.imm);
    (void)load(b, i, a.rt, at);
    return put_rsp(b, a.rn, at);
}
LIFT(str_pre)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref at = address(b, a.rn, a.imm);
    (void)store(b, i, a.rt, at);
    return put_rsp(b, a.rn, at);
}
LIFT(ldr_post)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref base = get_xsp(b, a.rn), moved = address(b, a.rn, a.imm);
    (void)load(b, i, a.rt, base);
    return put_rsp(b, a.rn, moved);
}
LIFT(str_post)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref base = get_xsp(b, a.rn), moved = address(b, a.rn, a.imm);
    (void)store(b, i, a.rt, base);
    return put_rsp(b, a.rn, moved);
}

/* A register as offset, extended, and shifted by the access' size if S says so. */
static ir_ref address_reg(struct ir_block *b, const struct insn *i)
{
    struct arm64_lsr a = arm64_lsr(i);
    return add64(b, get_xsp(b, a.rn), a64_extended(b, IR_I64, a.rm, (unsigned)a.option, a.s ? i->bits >> 30 : 0));
}
LIFT(ldr_reg) { return load(b, i, arm64_lsr(i).rt, address_reg(b, i)); }
LIFT(str_reg) { return store(b, i, arm64_lsr(i).rt, address_reg(b, i)); }

/* opc (31:30): 00 a word, 01 a doubleword, 10 a word with its sign. */
LIFT(ldr_lit)
{
    static const uint64_t memop[] = { MEM_32, MEM_64, MEM_32 | MEM_SIGNED };
    struct arm64_lit a = arm64_lit(i);
    return put_r(b, a.rt, ir_load(b, IR_I64, ir_const(b, IR_I64, pc_plus(i, a.imm).v), memop[i->bits >> 30]));
}

/* ---- pairs: opc (31:30) 00 words, 01 words with their signs, 10 doublewords ---- */
struct pair { ir_ref first, second; uint64_t memop; };
static struct pair pair_at(struct ir_block *b, const struct insn *i, ir_ref at)
{
    static const uint64_t memop[] = { MEM_32, MEM_32 | MEM_SIGNED, MEM_64 };
    uint64_t m = memop[i->bits >> 30];
    return (struct pair){ at, add64(b, at, ir_const(b, IR_I64, memop_bytes(m))), m };
}
static enum lift_next load_pair(struct ir_block *b, const struct insn *i, ir_ref at)
{
    struct arm64_lsp a = arm64_lsp(i);
    struct pair p = pair_at(b, i, at);
    ir_ref x = ir_load(b, IR_I64, p.first, p.memop), y = ir_load(b, IR_I64, p.second, p.memop);
    (void)put_r(b, a.rt, x);
    return put_r(b, a.rt2, y);
}
static enum lift_next store_pair(struct ir_block *b, const struct insn *i, ir_ref at)
{
    struct arm64_lsp a = arm64_lsp(i);
    struct pair p = pair_at(b, i, at);
    ir_store(b, p.first, get_x(b, a.rt), p.memop);
    ir_store(b, p.second, get_x(b, a.rt2), p.memop);
    return LIFT_NEXT;
}
typedef enum lift_next pair_fn(struct ir_block *b, const struct insn *i, ir_ref at);
static enum lift_next pair(struct ir_block *b, const struct insn *i, pair_fn *access, bool is_post, bool writes_back)
{
    struct arm64_lsp a = arm64_lsp(i);
    ir_ref base = get_xsp(b, a.rn), moved = address(b, a.rn, a.imm);
    (void)access(b, i, is_post ? base : moved);
    return writes_back ? put_rsp(b, a.rn, moved) : LIFT_NEXT;
}
LIFT(ldp)      { return pair(b, i, load_pair, false, false); }
LIFT(stp)      { return pair(b, i, store_pair, false, false); }
LIFT(ldp_pre)  { return pair(b, i, load_pair, false, true); }
LIFT(stp_pre)  { return pair(b, i, store_pair, false, true); }
LIFT(ldp_post) { return pair(b, i, load_pair, true, true); }
LIFT(stp_post) { return pair(b, i, store_pair, true, true); }

/* ---- unprivileged: as EL0 would, when it is EL1 (C6.2, LDTR) ---- */
static bool as_el0(struct vcpu *v, enum ir_op op, uint64_t memop, uint64_t at, uint64_t value, uint64_t *out)
{
    unsigned data = v->mmu.data_context, fetch = v->mmu.fetch_context;
    mmu_set_context(&v->mmu, ARM64_CONTEXT_EL0, fetch);
    bool is_done = access_row(v, op, memop, at, 0, value, out);
    mmu_set_context(&v->mmu, data, fetch);
    return is_done;
}
static uint64_t load_as_el0(struct vcpu *v, uint64_t at, uint64_t memop, uint64_t unused)
{
    uint64_t value = 0;
    (void)unused;
    return as_el0(v, IR_LOAD, memop, at, 0, &value) ? value : 0;
}
static uint64_t store_as_el0(struct vcpu *v, uint64_t at, uint64_t memop, uint64_t value)
{
    (void)as_el0(v, IR_STORE, memop, at, value, &value);
    return 0;
}
static const struct ir_helper helper_ldtr = { "ldtr", load_as_el0, HELPER_MAY_FAULT }, helper_sttr = { "sttr", store_as_el0, HELPER_MAY_FAULT };

static bool is_privileged(uint32_t mode) { return arm64_mode_context(mode) >= ARM64_CONTEXT_EL1; }

LIFT(ldtr)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref at = address(b, a.rn, a.imm), value;
    unsigned opc = i->bits >> 22 & 3;
    if (!is_privileged(mode)) return load(b, i, a.rt, at);
    value = ir_call(b, IR_I64, &helper_ldtr, at, ir_const(b, IR_I64, i->bits >> 30 | (opc & 2 ? MEM_SIGNED : 0u)), IR_NONE);
    return put_r(b, a.rt, opc == 3 ? ir_un(b, IR_TRUNC, IR_I32, value) : value);
}
LIFT(sttr)
{
    struct arm64_ls a = arm64_ls(i);
    ir_ref at = address(b, a.rn, a.imm);
    if (!is_privileged(mode)) return store(b, i, a.rt, at);
    (void)ir_call(b, IR_I64, &helper_sttr, at, ir_const(b, IR_I64, i->bits >> 30), get_x(b, a.rt));
    return LIFT_NEXT;
}

/* ---- ordered: a load-acquire waits for earlier store-releases too, so those are sequentially consistent (B2.3.11) ---- */
LIFT(ldar)
{
    struct arm64_ex a = arm64_ex(i);
    return put_r(b, a.rt, ir_load(b, IR_I64, get_xsp(b, a.rn), i->bits >> 30 | MEM_ALIGNED | MEM_ACQUIRE));
}
LIFT(stlr)
{
    struct arm64_ex a = arm64_ex(i);
    ir_store(b, get_xsp(b, a.rn), get_x(b, a.rt), i->bits >> 30 | MEM_ALIGNED | MEM_ACQUIRE | MEM_RELEASE);
    return LIFT_NEXT;
}

/* ---- exclusive: o0 (15) orders. A pair of words is one doubleword, the first one low ---- */
static uint64_t load_order(const struct insn *i)  { return MEM_ALIGNED | (i->bits >> 15 & 1 ? MEM_ACQUIRE : 0u); }
static uint64_t store_order(const struct insn *i) { return MEM_ALIGNED | (i->bits >> 15 & 1 ? MEM_RELEASE : 0u); }
static bool     is_pair_of_words(const struct insn *i) { return !(i->bits >> 30 & 1); }

static ir_ref join_words(struct ir_block *b, ir_ref low, ir_ref high)
{
    return ir_emit(b, IR_DEPOSIT, IR_I64, low, high, IR_NONE, ir_field(32, 32));
}
static ir_ref upper_word(struct ir_block *b, ir_ref both) { return ir_bin(b, IR_SHR, IR_I64, both, count(b, 32)); }
static ir_ref lower_word(struct ir_block *b, ir_ref both) { return ir_un(b, IR_TRUNC, IR_I32, both); }

/* Rs: 0 when it was stored, 1 when not. */
static enum lift_next put_status(struct ir_block *b, int32_t rs, ir_ref is_stored)
{
    return put_r(b, rs, ir_un(b, IR_ZEXT, IR_I64, ir_bin(b, IR_XOR, IR_I1, is_stored, one_bit(b, 1))));
}

LIFT(ldxr)
{
    struct arm64_ex a = arm64_ex(i);
    return put_r(b, a.rt, ir_emit(b, IR_LL, IR_I64, get_xsp(b, a.rn), IR_NONE, IR_NONE, i->bits >> 30 | load_order(i)));
}
LIFT(stxr)
{
    struct arm64_ex a = arm64_ex(i);
    return put_status(b, a.rs, ir_emit(b, IR_SC, IR_I1, get_xsp(b, a.rn), get_x(b, a.rt), IR_NONE, i->bits >> 30 | store_order(i)));
}
LIFT(ldxp)
{
    struct arm64_ex a = arm64_ex(i);
    bool is_words = is_pair_of_words(i);
    ir_ref both = ir_emit(b, IR_LL, is_words ? IR_I64 : IR_I128, get_xsp(b, a.rn), IR_NONE, IR_NONE, (is_words ? MEM_64 : MEM_128) | load_order(i));
    ir_ref x = is_words ? lower_word(b, both) : ir_un(b, IR_LOW, IR_I64, both), y = is_words ? upper_word(b, both) : ir_un(b, IR_HIGH, IR_I64, both);
    (void)put_r(b, a.rt, x);
    return put_r(b, a.rt2, y);
}
LIFT(stxp)
{
    struct arm64_ex a = arm64_ex(i);
    ir_ref x = get_x(b, a.rt), y = get_x(b, a.rt2);
    ir_ref both = is_pair_of_words(i) ? join_words(b, x, y) : ir_bin(b, IR_PAIR, IR_I128, x, y);
    return put_status(b, a.rs, ir_emit(b, IR_SC, IR_I1, get_xsp(b, a.rn), both, IR_NONE, (is_pair_of_words(i) ? MEM_64 : MEM_128) | store_order(i)));
}

/* ---- LSE ---- */
/* A (23), R (22) of atomics. */
LIFT(amo)
{
    static const uint8_t op[] = { AMO_ADD, AMO_AND, AMO_XOR, AMO_OR, AMO_MAX, AMO_MIN, AMO_MAXU, AMO_MINU, AMO_SWAP };
    struct arm64_amo a = arm64_amo(i);
    unsigned n = i->bits >> 12 & 15;
    uint64_t order = MEM_ALIGNED | (a.ar & 2 ? MEM_ACQUIRE : 0u) | (a.ar & 1 ? MEM_RELEASE : 0u);
    ir_ref x = get_x(b, a.rs);
    if (op[n] == AMO_AND) x = ir_un(b, IR_NOT, IR_I64, x);               /* LDCLR */
    return put_r(b, a.rt, ir_emit(b, IR_AMO, IR_I64, get_xsp(b, a.rn), x, IR_NONE, i->bits >> 30 | order | (uint64_t)op[n] << MEM_AMO_SHIFT));
}
/* L (22) acquires, o0 (15) releases. */
static uint64_t swap_order(const struct insn *i)
{
    return MEM_ALIGNED | (i->bits >> 22 & 1 ? MEM_ACQUIRE : 0u) | (i->bits >> 15 & 1 ? MEM_RELEASE : 0u);
}
LIFT(cas)
{
    struct arm64_ex a = arm64_ex(i);
    return put_r(b, a.rs, ir_emit(b, IR_CAS, IR_I64, get_xsp(b, a.rn), get_x(b, a.rs), get_x(b, a.rt), i->bits >> 30 | swap_order(i)));
}
LIFT(casp)
{
    struct arm64_ex a = arm64_ex(i);
    bool is_words = is_pair_of_words(i);
    enum ir_type type = is_words ? IR_I64 : IR_I128;
    ir_ref old0 = get_x(b, a.rs), old1 = get_x(b, a.rs + 1), new0 = get_x(b, a.rt), new1 = get_x(b, a.rt + 1);
    ir_ref expected = is_words ? join_words(b, old0, old1) : ir_bin(b, IR_PAIR, type, old0, old1);
    ir_ref wanted = is_words ? join_words(b, new0, new1) : ir_bin(b, IR_PAIR, type, new0, new1);
    ir_ref both = ir_emit(b, IR_CAS, type, get_xsp(b, a.rn), expected, wanted, (is_words ? MEM_64 : MEM_128) | swap_order(i));
    ir_ref x = is_words ? lower_word(b, both) : ir_un(b, IR_LOW, IR_I64, both), y = is_words ? upper_word(b, both) : ir_un(b, IR_HIGH, IR_I64, both);
    (void)put_r(b, a.rs, x);
    return put_r(b, a.rs + 1, y);
}
