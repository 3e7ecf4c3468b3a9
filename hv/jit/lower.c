// SPDX-License-Identifier: Apache-2.0
/* Sealed IR -> host code through a back end, in two passes. Plan: which values are only other names, which are folded into
 * their user, how long each lives, and which may be computed straight into the pinned register of the slot that receives them.
 * Emit: one walk with registers handed out by last use. A value may be in a host register of either file, in its guest slot,
 * in a spill slot, or be a constant that is made again; a guest slot is written through at once (law 3 of jit.h).
 * The plan's memory is the vCPU's. */
#include "hv/base/string.h"
#include "hv/jit/lower.h"

static void emit_get(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    unsigned slot = (unsigned)i->imm;
    if (!l->ir->uses[n]) return;
    uint8_t fp_pin = l->j->pin[FP][slot];
    if ((fp_pin != NO_REG && l->nan_in[fp_pin] != NOBODY) || l->nan_slot[slot] != NOBODY) lower_nan_check(l);
    for (unsigned file = 0; file < 2; file++) {
        if (l->j->pin[file][slot] == NO_REG) continue;
        lower_settle(l, (ir_ref)n, file, l->j->pin[file][slot]);
        return;
    }
    if (l->mem_owner[slot] == NOBODY) {
        l->mem_owner[slot] = (ir_ref)n;
        l->mem[n] = (uint8_t)slot;
        l->is_active[n] = true;
        l->active[l->active_count++] = (ir_ref)n;
        return;
    }
    uint8_t d = lower_take_reg(l, INT);
    l->t->load_slot(l->e, d, slot);
    lower_settle(l, (ir_ref)n, INT, d);
}

/* A pinned slot. */
static void set_pinned(struct lower *l, unsigned n, unsigned file, uint8_t pin)
{
    const struct ir_insn *i = &l->ir->insn[n];
    ir_ref root = l->root[i->a];
    unsigned bits = ir_type_bits(type_of(l, i->a));
    bool whole = bits == 64 || bits == 1;
    if (whole && l->in[file][root] == pin) return;           /* computed in place, or there all the time */
    lower_vacate_reg(l, file, pin, n, root);
    if (whole) {
        lower_load_value(l, file, pin, root);
        if (ir_type_bits((enum ir_type)l->ir->insn[root].type) == 64 || bits == 1) {
            uint8_t old = l->in[file][root];                 /* it lives here from now on; its temporary is free */
            bool was_pin = old != NO_REG && !(l->temps[file] >> old & 1);
            if (!was_pin && l->ir->insn[root].op != IR_CONST) {
                if (old != NO_REG) l->free[file] |= 1u << old;
                if (old != NO_REG && file == FP) lower_nan_forget_reg(l, old);
                lower_settle(l, root, file, pin);
            }
        }
    } else {
        uint8_t s0 = l->t->scratch[0];
        lower_load_value(l, INT, s0, root);
        l->t->extend(l->e, s0, s0, bits, false);
        if (l->in[file][root] == pin) {                      /* the narrow value itself was at home here */
            lower_vacate_reg(l, file, pin, n, NOBODY);
            if (l->in[file][root] == pin) l->in[file][root] = NO_REG;
        }
        if (file == FP) lower_nan_forget_reg(l, pin);
        if (file == FP) l->t->fp_from(l->e, pin, s0);
        else l->t->mov(l->e, pin, s0);
    }
}

static void emit_set(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    unsigned slot = (unsigned)i->imm, bits = ir_type_bits(type_of(l, i->a));
    ir_ref root = l->root[i->a];
    uint64_t v;
    for (unsigned file = 0; file < 2; file++) {
        if (l->j->pin[file][slot] == NO_REG) continue;
        set_pinned(l, n, file, l->j->pin[file][slot]);
        lower_release_operands(l, n);
        return;
    }
    if (l->mem[root] == slot && bits == 64) {                /* there already */
        lower_release_operands(l, n);
        return;
    }
    if (!lower_nan_is_in(l, root)) lower_nan_forget_slot(l, slot);
    if (ir_is_const(l->ir, root, &v) && l->in[INT][root] == NO_REG) {
        lower_vacate_slot(l, slot, n);
        if (bits < 64) v &= (1ull << bits) - 1;
        if (!l->t->store_slot_imm(l->e, v, slot)) {
            l->t->imm(l->e, l->t->scratch[0], v);
            l->t->store_slot(l->e, l->t->scratch[0], slot);
        }
        return;
    }
    if (bits < 64 && bits > 1) {
        uint8_t s0 = l->t->scratch[0];
        uint8_t r = l->in[INT][root];
        if (r == NO_REG) lower_load_value(l, INT, r = s0, root);
        l->t->extend(l->e, s0, r, bits, false);
        lower_vacate_slot(l, slot, n);
        lower_nan_forget_slot(l, slot);
        l->t->store_slot(l->e, s0, slot);
        lower_release_operands(l, n);
        return;
    }
    unsigned file = l->in[FP][root] != NO_REG && l->in[INT][root] == NO_REG ? FP : INT;
    uint8_t r = lower_reg_in(l, file, i->a);
    lower_vacate_slot(l, slot, n);
    lower_nan_copy(l, NO_REG, root, slot);
    lower_store_slot(l, file, r, slot);
    if (bits == 64 && l->mem[root] == NO_SLOT && l->last[root] > n && ir_type_bits((enum ir_type)l->ir->insn[root].type) == 64 &&
        l->ir->insn[root].op != IR_CONST) {
        l->mem[root] = (uint8_t)slot;
        l->mem_owner[slot] = root;
    }
    lower_release_operands(l, n);
}

static void emit_fp(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    bool is_exact = i->op == IR_BOX || i->op == IR_UNBOX || i->op == IR_FNEG || i->op == IR_FCLASS;
    bool is_nearest = i->op >= IR_FMIN && i->op <= IR_FLE ? true : i->imm == FP_RNE || ((i->op == IR_FTOS || i->op == IR_FTOU) && i->imm == FP_RTZ);
    if (!is_exact && (!l->has_host_fp || !is_nearest)) {
        lower_row(l, n);
        return;
    }
    enum ir_type operand = type_of(l, i->a);
    bool shows_bits = i->op == IR_FNEG || i->op == IR_BOX || i->op == IR_UNBOX;
    if (shows_bits && lower_nan_is_in(l, l->root[i->a])) lower_nan_check(l);
    bool waits = lower_nan_can_wait(l, i);
    if (waits) lower_nan_operands(l, n);
    unsigned in = is_float(operand) || i->op == IR_UNBOX ? FP : INT;
    uint8_t a = lower_reg_in(l, in, i->a), b = lower_reg_in(l, in, i->b), c = lower_reg_in(l, in, i->c);
    uint32_t place = lower_new_place(l, n);
    unsigned file = file_of(i);
    struct emit *e = l->e;
    uint8_t d = lower_reg_out(l, file, n, in == file ? a : NO_REG);
    if (waits) {
        l->t->fp_unchecked(e, (enum ir_op)i->op, d, a, b);
        lower_nan_result(l, d, (ir_ref)n);
        return;
    }
    if (l->t->fp(e, i, operand, d, a, b, c, place)) return;
    const uint8_t regs[] = { a, b, c };
    for (unsigned k = 0; k < 3; k++) {
        if (regs[k] == NO_REG) l->t->imm(e, l->t->scratch[k], 0);
        else if (in == FP) l->t->fp_to(e, l->t->scratch[k], regs[k]);
        else l->t->mov(e, l->t->scratch[k], regs[k]);
    }
    l->t->call(e, place, false);
    lower_from_scratch(l, file, d);
}

/* 32 or 64 when the row's width is one that the back end computes in; narrow ones compute in 32. 0: neither. */
static unsigned width_of(const struct ir_insn *i)
{
    switch ((enum ir_type)i->type) {
    case IR_I64: return 64;
    case IR_I32: return 32;
    case IR_I8: case IR_I16: return i->op == IR_ADD || i->op == IR_SUB || i->op == IR_MUL || (i->op >= IR_AND && i->op <= IR_NEG) ? 32 : 0;
    case IR_I1: return i->op >= IR_AND && i->op <= IR_XOR ? 32 : 0;
    default: return 0;
    }
}

static void finish_by_call(struct lower *l, unsigned n, uint8_t d, uint8_t a, uint8_t b)
{
    if (b != NO_REG) l->t->mov(l->e, l->t->scratch[1], b);
    l->t->mov(l->e, l->t->scratch[0], a);
    l->t->call(l->e, lower_new_place(l, n), false);
    l->t->mov(l->e, d, l->t->scratch[0]);
}

static void emit_binary(struct lower *l, unsigned n, unsigned bits)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    int64_t k;
    uint8_t a = lower_reg_in(l, INT, i->a);
    if (lower_immediate(l, i->b, &k) && (op == IR_ADD || op == IR_SUB || op == IR_AND || op == IR_OR || op == IR_XOR || (op >= IR_SHL && op <= IR_ROR))) {
        uint8_t d = lower_reg_out(l, INT, n, a);
        if (l->t->binary_imm(l->e, op, bits, d, a, k)) return;
        uint8_t s = l->t->scratch[1];
        l->t->imm(l->e, s, (uint64_t)k);
        if (!l->t->binary(l->e, op, bits, d, a, s)) finish_by_call(l, n, d, a, s);
        return;
    }
    uint8_t b = lower_reg_in(l, INT, i->b);
    uint8_t d = lower_reg_out(l, INT, n, a);
    if (!l->t->binary(l->e, op, bits, d, a, b)) finish_by_call(l, n, d, a, b);
}

/* The result's register, while an operand's slot stays as it is. */
static uint8_t reg_out_beside(struct lower *l, unsigned n, ir_ref in_slot, uint8_t like)
{
    ir_ref root = l->root[in_slot];
    uint16_t last = l->last[root];
    l->last[root] = AT_END;
    uint8_t d = lower_reg_out(l, INT, n, like);
    l->last[root] = last;
    return d;
}

/* One operand is read from its slot. False: neither is there. */
static bool emit_binary_slot(struct lower *l, unsigned n, unsigned bits)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    bool commutes = op == IR_ADD || op == IR_MUL || op == IR_AND || op == IR_OR || op == IR_XOR;
    if (!commutes && op != IR_SUB) return false;
    if (l->ir->insn[i->b].op == IR_CONST || l->root[i->a] == l->root[i->b]) return false;
    ir_ref in_reg = i->a, in_slot = i->b;
    if (lower_slot_in(l, in_slot, n) == NO_SLOT && commutes) in_reg = i->b, in_slot = i->a;
    if (lower_slot_in(l, in_slot, n) == NO_SLOT) return false;
    uint8_t a = lower_reg_in(l, INT, in_reg), slot = lower_slot_in(l, in_slot, n);
    if (slot == NO_SLOT) return false;                       /* the other one's register is free now, and does as well */
    uint8_t d = reg_out_beside(l, n, in_slot, a);
    bool done = l->t->binary_slot(l->e, op, bits, d, a, slot);
    lower_release(l, in_slot, n);
    return done;
}

bool lower_compare_of(struct lower *l, const struct ir_insn *i, unsigned n, struct jit_compare *c)
{
    enum ir_type t = type_of(l, i->a);
    int64_t k;
    if (t != IR_I64 && t != IR_I32) return false;
    c->op = (enum ir_op)i->op;
    c->bits = (uint8_t)ir_type_bits(t);
    c->a = lower_reg_in(l, INT, i->a);
    c->b = NO_REG;
    c->b_slot = JIT_NO_SLOT;
    c->imm = 0;
    if (lower_immediate(l, i->b, &k) && l->t->fits_compare(k)) c->imm = (int32_t)k;
    else if ((c->b_slot = lower_slot_in(l, i->b, n)) == JIT_NO_SLOT) c->b = lower_reg_in(l, INT, i->b);
    return true;
}

static void emit_insn(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    enum ir_op op = (enum ir_op)i->op;
    enum ir_type operand = i->a == IR_NONE || op == IR_INSN ? IR_VOID : type_of(l, i->a);
    if (is_dead(i) || l->folded[n]) return;
    if (lower_is_wide_row(l, i)) {
        lower_wide(l, n);
        if (op >= IR_LOAD && op <= IR_CAS) l->accesses++;
        return;
    }
    unsigned bits = width_of(i);
    switch (op) {
    case IR_CONST: return;
    case IR_INSN:
        l->pc = i->imm;
        l->insns = l->insns == 0xffff ? 0 : l->insns + 1;
        return;
    case IR_GETR: emit_get(l, n); return;
    case IR_SETR: emit_set(l, n); return;
    case IR_LOAD: case IR_STORE:
        if (lower_is_plain_access(l, i)) lower_access(l, n);
        else lower_row(l, n);
        l->accesses++;                                       /* behind it: one that faults is none */
        return;
    case IR_LL: case IR_SC: case IR_AMO: case IR_CAS:
        if (lower_is_inline_atomic(l, i)) lower_atomic(l, n);
        else lower_row(l, n);
        l->accesses++;
        return;
    case IR_FENCE: l->t->fence(l->e, (unsigned)i->imm); return;
    case IR_CALL:  lower_call(l, n); return;
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_AND: case IR_OR: case IR_XOR: case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
    case IR_MULHU: case IR_MULHS: case IR_MULHSU: case IR_DIVU: case IR_DIVS: case IR_REMU: case IR_REMS:
        if (!bits) break;
        if (!emit_binary_slot(l, n, bits)) emit_binary(l, n, bits);
        return;
    case IR_NOT: case IR_NEG: case IR_CLZ: case IR_CTZ: case IR_POPCNT: case IR_BSWAP: case IR_ORCB: {
        if (!bits) break;
        uint8_t a = lower_reg_in(l, INT, i->a);
        uint8_t d = lower_reg_out(l, INT, n, a);
        if (!l->t->unary(l->e, op, bits, d, a)) finish_by_call(l, n, d, a, NO_REG);
        return;
    }
    case IR_EXTRACT: case IR_SEXTRACT: case IR_DEPOSIT: {
        if (!bits) break;
        uint8_t a = lower_reg_in(l, INT, i->a), b = lower_reg_in(l, INT, i->b);
        uint8_t d = lower_reg_out(l, INT, n, a);
        if (!l->t->field(l->e, op, bits, d, a, b, (unsigned)(i->imm & 0xff), (unsigned)(i->imm >> 8 & 0xff))) finish_by_call(l, n, d, a, b);
        return;
    }
    case IR_ZEXT: case IR_SEXT: {
        uint8_t slot = lower_slot_in(l, i->a, n);
        if (slot != NO_SLOT && ir_type_bits(operand) >= 8) {
            uint8_t d = reg_out_beside(l, n, i->a, NO_REG);
            l->t->extend_slot(l->e, d, slot, ir_type_bits(operand), op == IR_SEXT);
            lower_release(l, i->a, n);
            return;
        }
        uint8_t a = lower_reg_in(l, INT, i->a);
        uint8_t d = lower_reg_out(l, INT, n, a);
        l->t->extend(l->e, d, a, ir_type_bits(operand), op == IR_SEXT);
        return;
    }
    case IR_TRUNC: {                                         /* to one bit: the others are names */
        uint8_t a = lower_reg_in(l, INT, i->a);
        uint8_t d = lower_reg_out(l, INT, n, a);
        l->t->extend(l->e, d, a, 1, false);
        return;
    }
    case IR_EQ: case IR_NE: case IR_ULT: case IR_ULE: case IR_SLT: case IR_SLE: {
        struct jit_compare c;
        if (!lower_compare_of(l, i, n, &c)) break;
        bool in_slot = c.b_slot != JIT_NO_SLOT;
        uint8_t d = in_slot ? reg_out_beside(l, n, i->b, NO_REG) : lower_reg_out(l, INT, n, NO_REG);
        l->t->set_if(l->e, d, &c);
        if (in_slot) lower_release(l, i->b, n);
        return;
    }
    case IR_SEL: {
        if (is_float((enum ir_type)i->type)) break;
        uint8_t a = lower_reg_in(l, INT, i->a), b = lower_reg_in(l, INT, i->b), c = lower_reg_in(l, INT, i->c);
        uint8_t d = lower_reg_out(l, INT, n, b);
        l->t->select(l->e, d, a, b, c);
        return;
    }
    case IR_FADD: case IR_FSUB: case IR_FMUL: case IR_FDIV: case IR_FSQRT: case IR_FMADD: case IR_FRINT: case IR_FMIN: case IR_FMAX: case IR_FNEG:
    case IR_FEQ: case IR_FLT: case IR_FLE: case IR_FTOS: case IR_FTOU: case IR_STOF: case IR_UTOF: case IR_FTOF: case IR_BOX: case IR_UNBOX:
        emit_fp(l, n);
        return;
    case IR_ADC: case IR_SBB: case IR_CARRY: case IR_BORROW: case IR_ADDOV: case IR_SUBOV: case IR_FCLASS:
    case IR_PAIR: case IR_LOW: case IR_HIGH: case IR_OP_COUNT:
        break;
    }
    lower_row(l, n);
}

size_t jit_plan_bytes(void) { return sizeof(struct lower); }

static void begin(struct lower *l, struct jit *j, struct vcpu *v, const struct ir_block *ir, uint32_t block)
{
    l->j = j;
    l->ir = ir;
    l->t = j->target;
    l->e = &l->emit;
    l->block = block;
    l->is_full = false;
    l->insns = 0xffff;                                       /* the first INSN makes it 0 */
    l->accesses = 0;
    l->pc = ir->pc.v;
    l->has_host_fp = v->regs.fp.is_tiny_before == l->t->is_tiny_before && has(l, JIT_HOSTFP);
    l->active_count = l->next_page = 0;
    memset(l->page, 0, sizeof l->page);
    lower_nan_begin(l);
    l->free_spill = (1ull << (JIT_SPILL_END - JIT_SPILL_FIRST)) - 1;
    memset(l->mem_owner, 0xff, sizeof l->mem_owner);         /* NOBODY */
    for (unsigned file = 0; file < 2; file++) {
        const uint8_t *temps = file == FP ? l->t->fp_temps : l->t->temps;
        l->temps[file] = l->locked[file] = 0;
        for (unsigned i = 0; temps[i] != NO_REG; i++) l->temps[file] |= 1u << temps[i];
        l->free[file] = l->temps[file];
    }
    l->emit.base = (uint8_t *)((uintptr_t)j->buffer - j->used);  /* offsets are the code memory's */
    l->emit.at = j->used;
    l->emit.end = j->limit - j->used < JIT_BLOCK_BYTES ? j->limit : j->used + JIT_BLOCK_BYTES;
    l->emit.is_full = false;
    l->emit.prologue = &j->prologue;
    l->emit.stub_count = 0;
    l->emit.features = j->features;
}

void *jit_lower(struct jit *j, struct vcpu *v, const struct ir_block *ir, uint32_t block)
{
    struct lower *l = j->plan;
    uint32_t places = j->place_count, links = j->link_count;
    begin(l, j, v, ir, block);
    lower_plan_uses(l);
    lower_plan_targets(l);
    for (unsigned n = 0; n < ir->count && !l->is_full && !l->emit.is_full; n++) {
        emit_insn(l, n);
        l->locked[INT] = l->locked[FP] = 0;
        lower_release(l, (ir_ref)n, n);                            /* a result that nobody reads */
    }
    if (!l->is_full) lower_end(l);
    l->t->stubs(l->e);
    if (l->is_full || l->emit.is_full) {
        j->place_count = places;
        j->link_count = links;
        return NULL;
    }
    uint32_t first = j->used;
    j->used = (l->emit.at + 15) & ~15u;
    memcpy(j->write + first, j->buffer, l->emit.at - first);
    arch_code_written(j->run + first, l->emit.at - first);
    j->stats.code_bytes += l->emit.at - first;
    j->stats.guest_bytes += ir->guest_bytes;
    return (void *)(uintptr_t)(j->run + first);
}
