// SPDX-License-Identifier: Apache-2.0
/* Random IR with a fixed seed: operations as a list of our own, that a test emits through the builder, and evaluates
 * itself by the models. Values refer to earlier operations of the list. */
#pragma once
#include "test/unit/ir_model.h"

enum { RANDOM_OPS = 128, TRUTH_SLOT = 24, TRUTH_SLOTS = 4, VALUE_SLOTS = 16 };      /* slots 0..15: anything; 24..27: truth values */

struct random_op { enum ir_op op; enum ir_type type; int a, b, c; uint64_t imm; };
struct random_ir { struct random_op op[RANDOM_OPS]; unsigned count; };

static inline unsigned below(unsigned n)     { return (unsigned)(test_random() % n); }

static inline int random_add(struct random_ir *g, enum ir_op op, enum ir_type t, int a, int b, int c, uint64_t imm)
{
    CHECK(g->count < RANDOM_OPS);
    g->op[g->count] = (struct random_op){ op, t, a, b, c, imm };
    return (int)g->count++;
}

/* The constants that rules look for, and others. */
static inline uint64_t random_constant(enum ir_type t)
{
    unsigned width = ir_type_bits(t) > 64 ? 64 : ir_type_bits(t);
    uint64_t ones = width == 64 ? ~0ull : (1ull << width) - 1;
    switch (below(9)) {
    case 0:  return 0;
    case 1:  return 1;
    case 2:  return ones;
    case 3:  return 1ull << (width - 1);
    case 4:  return ones >> 1;
    case 5:  return 1ull << below(width);
    case 6:  return ones >> below(width);
    case 7:  return 2 & ones;
    default: return awkward(width) & ones;
    }
}

static inline int random_leaf(struct random_ir *g, enum ir_type t)
{
    bool wide = ir_type_bits(t) > 64;
    if (below(5) < 2) return random_add(g, IR_CONST, t, -1, -1, -1, random_constant(t));
    return random_add(g, IR_GETR, t, -1, -1, -1, t == IR_I1 ? TRUTH_SLOT + below(TRUTH_SLOTS) : below(VALUE_SLOTS - wide));
}

/* A value of the type: mostly one that is there already, so that rules meet what they look for. */
static inline int random_value(struct random_ir *g, enum ir_type t)
{
    for (unsigned tries = 0; g->count && tries < 12; tries++) {
        unsigned n = below(2) ? g->count - 1 - below(g->count < 5 ? g->count : 5) : below(g->count);
        if (g->op[n].type == t) return (int)n;
    }
    return random_leaf(g, t);
}

static const enum ir_type random_types[] = { IR_I1, IR_I8, IR_I16, IR_I32, IR_I32, IR_I64, IR_I64, IR_I64, IR_F32, IR_F64 };

static inline void random_pure(struct random_ir *g)
{
    enum ir_type t[3], result, from;
    enum ir_op op;
    do {
        op = (enum ir_op)below(IR_OP_COUNT);
        result = random_types[below(ARRAY_COUNT(random_types))];
        from = random_types[below(ARRAY_COUNT(random_types))];
        if (op >= IR_CARRY && op <= IR_SLE && op != IR_SEL) result = IR_I1;
    } while (!models[op] || !model_types(op, result, from, t));
    int v[3] = { -1, -1, -1 };
    for (unsigned k = 0; k < 3; k++) {
        if (t[k] != IR_VOID) v[k] = below(3) == 0 && k && t[k] == t[0] ? v[0] : random_value(g, t[k]);
    }
    if (below(3) == 0 && t[1] != IR_VOID) v[1] = random_add(g, IR_CONST, t[1], -1, -1, -1, random_constant(t[1]));
    (void)random_add(g, op, result, v[0], v[1], v[2], awkward_immediate(op, result));
}

static inline void random_slots(uint64_t *slot, unsigned count)
{
    for (unsigned n = 0; n < count; n++) slot[n] = awkward(64);
    for (unsigned n = 0; n < TRUTH_SLOTS; n++) slot[TRUTH_SLOT + n] = test_random() & 1;
}

/* One pure operation by its model; v holds the values of the earlier ones, cut to their types. */
static inline uint64_t random_model(const struct random_ir *g, const struct random_op *o, const uint64_t *v)
{
    const int refs[] = { o->a, o->b, o->c };
    enum ir_type t[3] = { IR_VOID, IR_VOID, IR_VOID };
    uint64_t operand[3] = { 0 };
    for (unsigned k = 0; k < 3; k++) {
        if (refs[k] >= 0) t[k] = g->op[refs[k]].type, operand[k] = v[refs[k]];
    }
    return model_eval(o->op, o->type, t, operand, o->imm);
}

static inline ir_ref random_emit(struct ir_block *b, const struct random_op *o, const ir_ref *ref)
{
    return ir_emit(b, o->op, o->type, o->a < 0 ? IR_NONE : ref[o->a], o->b < 0 ? IR_NONE : ref[o->b], o->c < 0 ? IR_NONE : ref[o->c], o->imm);
}
