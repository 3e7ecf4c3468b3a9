// SPDX-License-Identifier: Apache-2.0
/* Random guest programs in IR, run by folding, sealing, lowering and the engine under test (the JIT with any of its switches off), against plain evaluation one
 * operation after the other: registers, memory, floating-point flags, pc and the fault, if there is one. A fault must
 * find every register write before it done and none after it (law 3 of ir.h). Fixed seed. */
#include "hv/ir/softfp.h"
#include "hv/jit/jit.h"
#include "test/unit/ir_random.h"
#include "test/unit/ir_rig.h"

enum { INSNS = 10, PROGRAMS = 20000, BASE_SLOT = 20, EDGE_SLOT = 21, RAISES = 0x5a };

/* ---- helpers: the same function for both sides ---- */
static uint64_t mix(uint64_t a, uint64_t b, uint64_t c) { return (a ^ b << 7) + (c | 1) * 0x9e3779b97f4a7c15u; }
static uint64_t meddle(uint64_t *slot, uint64_t a, uint64_t b, uint64_t c)
{
    slot[a % VALUE_SLOTS] += b;
    slot[c % VALUE_SLOTS] ^= a;
    return slot[b % VALUE_SLOTS];
}
static bool refuses(uint64_t a) { return (a & 7) == 5; }
static uint64_t pure_run(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c)   { return (void)v, mix(a, b, c); }
static uint64_t wild_run(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c)   { return meddle(v->regs.slot, a, b, c); }
static uint64_t picky_run(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c)
{
    if (refuses(a)) v->fault = fault_trap(RAISES, v->regs.pc);                  /* a helper finds pc in place */
    return mix(b, a, c);
}
static const struct ir_helper PURE = { "pure", pure_run, HELPER_PURE }, WILD = { "wild", wild_run, 0 }, PICKY = { "picky", picky_run, HELPER_MAY_FAULT };

/* ---- a program ---- */
struct program { struct random_ir insn[INSNS]; unsigned count; enum ir_end_kind end; int value; };
static struct program program;

static int address(struct random_ir *g, unsigned bytes, bool may_be_odd)
{
    bool at_edge = below(6) == 0;
    int base = random_add(g, IR_GETR, IR_I64, -1, -1, -1, at_edge ? EDGE_SLOT : BASE_SLOT);
    uint64_t offset = at_edge ? 0 - (uint64_t)below(2 * bytes) : (uint64_t)below(16) * 8;
    if (!may_be_odd) offset &= ~(uint64_t)(bytes - 1);
    else if (below(4) == 0) offset += below(8);
    if (below(3) == 0) {                                                        /* an index that is no constant */
        int index = random_add(g, IR_AND, IR_I64, random_value(g, IR_I64), random_add(g, IR_CONST, IR_I64, -1, -1, -1, 0x38), -1, 0);
        base = random_add(g, IR_ADD, IR_I64, base, index, -1, 0);
    }
    return random_add(g, IR_ADD, IR_I64, base, random_add(g, IR_CONST, IR_I64, -1, -1, -1, offset), -1, 0);
}

static void access(struct random_ir *g)
{
    static const enum ir_type types[] = { IR_I8, IR_I16, IR_I32, IR_I32, IR_I64, IR_I64, IR_F32, IR_F64, IR_V128, IR_I128 };
    static const enum ir_op ops[] = { IR_LOAD, IR_LOAD, IR_LOAD, IR_LOAD, IR_STORE, IR_STORE, IR_STORE, IR_AMO, IR_CAS, IR_LL, IR_SC };
    enum ir_type t = types[below(ARRAY_COUNT(types))];
    enum ir_op op = ops[below(ARRAY_COUNT(ops))];
    unsigned bits = ir_type_bits(t), size = bits == 128 ? 4 : bits == 64 ? 3 : bits == 32 ? 2 : bits == 16 ? 1 : 0;
    bool is_atomic = op != IR_LOAD && op != IR_STORE;
    if (t >= IR_I8 && t <= IR_I64) size = below(size + 1);
    if (op == IR_AMO && (t >= IR_I128)) t = IR_I64, size = 3;
    uint64_t memop = size | (below(3) ? 0 : MEM_BIG_ENDIAN) | (below(2) && size < 4 && t <= IR_I64 ? MEM_SIGNED : 0) | (below(6) ? 0 : MEM_ALIGNED) |
                     (below(4) ? 0 : MEM_ACQUIRE) | (below(4) ? 0 : MEM_RELEASE);
    if (op == IR_AMO) memop |= (uint64_t)below(9) << MEM_AMO_SHIFT;
    int at = address(g, 1u << size, !is_atomic || below(8) == 0);
    if (op == IR_SC && below(2)) {                                              /* a reservation for it */
        (void)random_add(g, IR_LL, t, at, -1, -1, memop & (MEM_SIZE | MEM_BIG_ENDIAN));
    }
    int b = op == IR_LOAD || op == IR_LL ? -1 : random_value(g, t), c = op == IR_CAS ? random_value(g, t) : -1;
    if (op == IR_CAS && below(2)) b = random_add(g, IR_LOAD, t, at, -1, -1, memop & (MEM_SIZE | MEM_BIG_ENDIAN | MEM_SIGNED));
    (void)random_add(g, op, op == IR_STORE ? IR_VOID : op == IR_SC ? IR_I1 : t, at, b, c, memop);
}

static void write_register(struct random_ir *g)
{
    static const enum ir_type types[] = { IR_I64, IR_I64, IR_I64, IR_I32, IR_I16, IR_I8, IR_F32, IR_F64, IR_V128 };
    if (below(6) == 0) {
        (void)random_add(g, IR_SETR, IR_VOID, random_value(g, IR_I1), -1, -1, TRUTH_SLOT + below(TRUTH_SLOTS));
        return;
    }
    enum ir_type t = types[below(ARRAY_COUNT(types))];
    unsigned slot = below(2) ? below(3) : below(VALUE_SLOTS - (t == IR_V128));    /* the same few: writes that meet */
    (void)random_add(g, IR_SETR, IR_VOID, random_value(g, t), -1, -1, slot);
}

static void call(struct random_ir *g)
{
    static const struct ir_helper *const helpers[] = { &PURE, &WILD, &PICKY };
    const struct ir_helper *h = helpers[below(3)];
    int a = random_value(g, IR_I64), b = below(2) ? random_value(g, IR_I64) : -1, c = below(2) ? random_value(g, IR_I64) : -1;
    (void)random_add(g, IR_CALL, below(4) ? IR_I64 : IR_VOID, a, b, c, (uint64_t)(uintptr_t)h);
}

static void wide(struct random_ir *g)
{
    static const enum ir_op ops[] = { IR_AND, IR_OR, IR_XOR, IR_NOT, IR_ADD, IR_SUB, IR_PAIR, IR_LOW, IR_HIGH };
    enum ir_op op = ops[below(ARRAY_COUNT(ops))];
    enum ir_type t = op == IR_ADD || op == IR_SUB || below(2) ? IR_I128 : IR_V128, from = op == IR_PAIR ? IR_I64 : t;
    bool is_half = op == IR_LOW || op == IR_HIGH;
    int a = random_value(g, from), b = op == IR_NOT || is_half ? -1 : random_value(g, from);
    (void)random_add(g, op, is_half ? IR_I64 : t, a, b, -1, 0);
}

static void floating(struct random_ir *g)
{
    static const enum ir_op ops[] = { IR_FADD, IR_FSUB, IR_FMUL, IR_FDIV, IR_FSQRT, IR_FMADD, IR_FRINT, IR_FMIN, IR_FMAX, IR_FEQ, IR_FLT, IR_FLE, IR_FTOS,
                                      IR_FTOU, IR_STOF, IR_UTOF, IR_FTOF, IR_FCLASS };
    enum ir_op op = ops[below(ARRAY_COUNT(ops))];
    enum ir_type f = below(2) ? IR_F64 : IR_F32, i = below(2) ? IR_I64 : IR_I32;
    uint64_t round = below(3) ? below(5) : FP_ROUND_DYNAMIC;
    int a = random_value(g, op == IR_STOF || op == IR_UTOF ? i : f), b = -1, c = -1;
    if ((op <= IR_FDIV) || (op >= IR_FMADD && op <= IR_FLE && op != IR_FRINT)) b = random_value(g, f);
    if (op == IR_FMADD) c = random_value(g, f);
    enum ir_type result = op >= IR_FEQ && op <= IR_FLE ? IR_I1 : op == IR_FCLASS ? IR_I64 : op == IR_FTOS || op == IR_FTOU ? i
                          : op == IR_FTOF ? (f == IR_F64 ? IR_F32 : IR_F64) : f;
    uint64_t imm = op == IR_FMIN || op == IR_FMAX || op == IR_FEQ || op == IR_FCLASS ? 0 : op == IR_FLT || op == IR_FLE ? below(2)
                   : op == IR_FRINT && below(2) ? round + FP_SILENT : round;
    (void)random_add(g, op, result, a, b, c, imm);
}

static void make_program(void)
{
    program.count = 1 + below(INSNS);
    for (unsigned n = 0; n < program.count; n++) {
        struct random_ir *g = &program.insn[n];
        unsigned want = 1 + below(24);
        g->count = 0;
        while (g->count < want) {
            switch (below(16)) {
            case 0: case 1: access(g); break;
            case 2: case 3: case 4: case 5: write_register(g); break;
            case 6: if (below(3) == 0) call(g); break;
            case 7: wide(g); break;
            case 8: floating(g); break;
            case 9: (void)random_add(g, IR_FENCE, IR_VOID, -1, -1, -1, FENCE_FULL); break;
            default: random_pure(g); break;
            }
        }
    }
    static const enum ir_end_kind ends[] = { IR_END_JUMP, IR_END_BRANCH, IR_END_BRANCH, IR_END_INDIRECT, IR_END_LEAVE, IR_END_LEAVE_INDIRECT };
    struct random_ir *last = &program.insn[program.count - 1];
    program.end = ends[below(ARRAY_COUNT(ends))];
    program.value = program.end == IR_END_BRANCH ? random_value(last, IR_I1)
                  : program.end == IR_END_INDIRECT || program.end == IR_END_LEAVE_INDIRECT ? random_value(last, IR_I64) : -1;
}

static guest_addr pc_of(unsigned insn) { return guest_addr_make(RIG_CODE + 4 * insn); }
#define TAKEN 0x2000
#define FALL  0x3000

static enum lift_next lift(struct ir_block *b, const struct insn *i, void *arg)
{
    ir_ref ref[RANDOM_OPS];
    unsigned n = (unsigned)(i->pc.v - RIG_CODE) / 4;
    (void)arg;
    if (n >= program.count) {
        ir_end(b, (struct ir_end){ .kind = IR_END_LEAVE, .value = IR_NONE, .taken = i->pc });
        return LIFT_END;
    }
    for (unsigned k = 0; k < program.insn[n].count; k++) ref[k] = random_emit(b, &program.insn[n].op[k], ref);
    if (n + 1 < program.count) return LIFT_NEXT;
    ir_end(b, (struct ir_end){ .kind = program.end, .value = program.value < 0 ? IR_NONE : ref[program.value], .taken = { TAKEN }, .fall = { FALL } });
    return LIFT_END;
}

/* ---- plain evaluation ---- */
struct world { uint64_t slot[32]; uint8_t data[RIG_DATA_BYTES]; struct fp_env fp; uint64_t pc, reserved; bool has_reservation; u128 seen; unsigned seen_bytes;
               enum fault_kind fault; uint64_t fault_at; };
static struct world want;

static bool touch(struct world *w, uint64_t at, unsigned bytes, bool must_align)
{
    if (must_align && at % bytes) {
        w->fault = FAULT_ALIGNMENT, w->fault_at = at;
        return false;
    }
    for (unsigned n = 0; n < bytes; n++) {
        if (at + n - RIG_DATA < RIG_DATA_BYTES) continue;
        w->fault = FAULT_PAGE, w->fault_at = at + n;
        return false;
    }
    return true;
}
static u128 peek(const struct world *w, uint64_t at, unsigned bytes, bool is_big)
{
    u128 v = 0;
    for (unsigned n = 0; n < bytes; n++) v |= (u128)w->data[at - RIG_DATA + n] << 8 * (is_big ? bytes - 1 - n : n);
    return v;
}
static void poke(struct world *w, uint64_t at, unsigned bytes, bool is_big, u128 v)
{
    for (unsigned n = 0; n < bytes; n++) w->data[at - RIG_DATA + n] = (uint8_t)(v >> 8 * (is_big ? bytes - 1 - n : n));
}
static u128 changed(enum ir_amo how, u128 old, u128 v, unsigned bits)
{
    s128 so = model_sign(old, bits), sv = model_sign(v, bits);
    old = model_cut(old, bits), v = model_cut(v, bits);
    switch (how) {
    case AMO_SWAP: return v;
    case AMO_ADD:  return old + v;
    case AMO_AND:  return old & v;
    case AMO_OR:   return old | v;
    case AMO_XOR:  return old ^ v;
    case AMO_MIN:  return so < sv ? old : v;
    case AMO_MAX:  return so > sv ? old : v;
    case AMO_MINU: return old < v ? old : v;
    case AMO_MAXU: return old > v ? old : v;
    }
    return 0;
}

/* False: it faulted. */
static bool memory(struct world *w, const struct random_op *o, const u128 *v, u128 *out)
{
    uint64_t at = (uint64_t)v[o->a];
    unsigned bytes = memop_bytes(o->imm);
    bool is_big = o->imm & MEM_BIG_ENDIAN, is_plain = o->op == IR_LOAD || o->op == IR_STORE;
    if (!touch(w, at, bytes, !is_plain || (o->imm & MEM_ALIGNED))) return false;
    u128 old = peek(w, at, bytes, is_big), mask = bytes == 16 ? ~(u128)0 : ((u128)1 << 8 * bytes) - 1;
    *out = o->imm & MEM_SIGNED ? (u128)model_sign(old, 8 * bytes) : old;
    switch (o->op) {
    case IR_STORE: poke(w, at, bytes, is_big, v[o->b]); break;
    case IR_AMO:   poke(w, at, bytes, is_big, changed(memop_amo(o->imm), old, v[o->b], 8 * bytes)); break;
    case IR_CAS:   if (old == (v[o->b] & mask)) poke(w, at, bytes, is_big, v[o->c]); break;
    case IR_LL:    w->has_reservation = true, w->reserved = at, w->seen_bytes = bytes, w->seen = peek(w, at, bytes, false); break;
    case IR_SC:
        *out = w->has_reservation && w->reserved == at && w->seen_bytes == bytes && w->seen == peek(w, at, bytes, false);
        if (*out) poke(w, at, bytes, is_big, v[o->b]);
        w->has_reservation = false;
        break;
    default: break;
    }
    return true;
}

static bool is_wide(enum ir_type t) { return ir_type_bits(t) > 64; }

/* False: it faulted. */
static bool step(struct world *w, const struct random_ir *g, unsigned n, u128 *v)
{
    const struct random_op *o = &g->op[n];
    uint64_t low[RANDOM_OPS], a = o->a < 0 ? 0 : (uint64_t)v[o->a], b = o->b < 0 ? 0 : (uint64_t)v[o->b], c = o->c < 0 ? 0 : (uint64_t)v[o->c];
    enum ir_type ta = o->a < 0 ? o->type : g->op[o->a].type;
    v[n] = 0;
    if (o->op >= IR_LOAD && o->op <= IR_CAS) {
        if (!memory(w, o, v, &v[n])) return false;
    } else if (o->op == IR_CALL) {
        const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)o->imm;
        if (h == &PICKY && refuses(a)) {
            w->fault = FAULT_TRAP, w->fault_at = w->pc;
            return false;
        }
        v[n] = h == &PURE ? mix(a, b, c) : h == &PICKY ? mix(b, a, c) : meddle(w->slot, a, b, c);
    } else if (o->op == IR_CONST) {
        v[n] = o->imm;
    } else if (o->op == IR_GETR) {
        v[n] = w->slot[o->imm] | (is_wide(o->type) ? (u128)w->slot[o->imm + 1] << 64 : 0);
    } else if (o->op == IR_SETR) {
        w->slot[o->imm] = a;
        if (is_wide(ta)) w->slot[o->imm + 1] = (uint64_t)(v[o->a] >> 64);
    } else if (o->op == IR_FCLASS) {
        v[n] = fp_class(ta, a);
    } else if (o->op >= IR_FADD && o->op <= IR_FTOF && o->op != IR_FNEG) {
        v[n] = fp_eval(&w->fp, o->op, o->type, ta, a, b, c, (unsigned)o->imm);
    } else if (o->op == IR_PAIR) {
        v[n] = a | (u128)b << 64;
    } else if (o->op == IR_LOW || o->op == IR_HIGH) {
        v[n] = o->op == IR_LOW ? a : v[o->a] >> 64;
    } else if (o->op != IR_FENCE && is_wide(o->type)) {
        u128 x = v[o->a], y = o->b < 0 ? 0 : v[o->b];
        v[n] = o->op == IR_AND ? x & y : o->op == IR_OR ? x | y : o->op == IR_XOR ? x ^ y : o->op == IR_NOT ? ~x : o->op == IR_ADD ? x + y : x - y;
    } else if (o->op != IR_FENCE) {
        for (unsigned k = 0; k < n; k++) low[k] = (uint64_t)v[k];
        v[n] = random_model(g, o, low);
    }
    if (!is_wide(o->type)) v[n] &= model_mask(o->type);
    return true;
}

static void evaluate(struct world *w)
{
    u128 v[RANDOM_OPS];
    w->fault = FAULT_NONE;
    w->has_reservation = false;
    for (unsigned n = 0; n < program.count; n++) {
        w->pc = pc_of(n).v;
        for (unsigned k = 0; k < program.insn[n].count; k++) {
            if (!step(w, &program.insn[n], k, v)) return;
        }
    }
    w->pc = program.end == IR_END_BRANCH ? (v[program.value] ? TAKEN : FALL) : program.value >= 0 ? (uint64_t)v[program.value] : TAKEN;
}

static uint64_t fault_address(const struct fault *f)
{
    return f->kind == FAULT_PAGE ? f->page.addr.v : f->kind == FAULT_ALIGNMENT ? f->alignment.addr.v : f->kind == FAULT_TRAP ? f->trap.value : 0;
}

static void complain(unsigned number, const char *what, unsigned which, uint64_t got, uint64_t wanted)
{
    static struct ir_block b;
    static char text[1 << 16];
    ir_begin(&b, pc_of(0), 0);
    for (unsigned n = 0; n < program.count; n++) {
        struct insn i = { .pc = pc_of(n), .size_bytes = 4 };
        ir_insn_start(&b, pc_of(n), 4);
        if (lift(&b, &i, NULL) == LIFT_END) break;
    }
    ir_seal(&b);
    (void)ir_dump(&b, text, sizeof text);
    test_fail(__FILE__, __LINE__, "program %u: %s %u is 0x%" PRIx64 ", want 0x%" PRIx64 "; %s\n%s", number, what, which, got, wanted,
              fault_kind_name(want.fault), text);
}

static void try_program(unsigned number)
{
    random_slots(want.slot, 32);
    want.slot[BASE_SLOT] = RIG_DATA + 256;
    want.slot[EDGE_SLOT] = below(2) ? RIG_NOTHING : RIG_DATA + 4096;
    for (unsigned n = 0; n < RIG_DATA_BYTES; n += 8) {
        uint64_t v = test_random();
        memcpy(want.data + n, &v, 8);
    }
    want.fp = (struct fp_env){ .round = (uint8_t)below(5), .flags = (uint8_t)below(32) };
    rig_new();
    if (rig.v.engine == &JIT_ENGINE) ((struct jit *)rig.v.engine_state)->off = below(2) ? 0 : below(1u << JIT_SWITCH_COUNT);
    memcpy(rig.v.regs.slot, want.slot, sizeof want.slot);
    memcpy(rig_data(), want.data, sizeof want.data);
    rig.v.regs.fp = want.fp;
    evaluate(&want);
    struct exec_result r;
    do r = rig_run();
    while (r.status == EXEC_CONTINUE && rig.v.regs.pc != want.pc && rig.v.regs.pc - RIG_CODE < 4 * program.count);
    if (want.fault == FAULT_NONE && r.status != EXEC_CONTINUE) complain(number, "no fault wanted: kind and address", r.error.fault.kind, fault_address(&r.error.fault), 0);
    if (want.fault != FAULT_NONE && r.status != EXEC_FAULT) complain(number, "status", 0, r.status, EXEC_FAULT);
    if (want.fault != FAULT_NONE && r.error.fault.kind != want.fault) complain(number, "fault kind", 0, r.error.fault.kind, want.fault);
    if (want.fault != FAULT_NONE && fault_address(&r.error.fault) != want.fault_at) complain(number, "fault address", 0, fault_address(&r.error.fault), want.fault_at);
    if (rig.v.regs.pc != want.pc) complain(number, "pc", 0, rig.v.regs.pc, want.pc);
    for (unsigned n = 0; n < 32; n++) {
        if (rig.v.regs.slot[n] != want.slot[n]) complain(number, "slot", n, rig.v.regs.slot[n], want.slot[n]);
    }
    if (rig.v.regs.fp.flags != want.fp.flags) complain(number, "flags", 0, rig.v.regs.fp.flags, want.fp.flags);
    for (unsigned n = 0; n < RIG_DATA_BYTES; n++) {
        if (rig_data()[n] != want.data[n]) complain(number, "memory byte", n, rig_data()[n], want.data[n]);
    }
}

TEST(random_programs_run_as_their_operations_say_one_by_one)
{
    unsigned faults[FAULT_KIND_COUNT] = { 0 };
    rig_start(lift, NULL);
    for (unsigned n = 0; n < PROGRAMS; n++) {
        make_program();
        try_program(n);
        faults[want.fault]++;
    }
    CHECK(faults[FAULT_NONE] > PROGRAMS / 4 && faults[FAULT_PAGE] > 200 && faults[FAULT_ALIGNMENT] > 200 && faults[FAULT_TRAP] > 50);
}
