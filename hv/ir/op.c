// SPDX-License-Identifier: Apache-2.0
/* What follows from the rows of ir.h alone: names, flags, widths. Constant tables: any context. */
#include "hv/ir/ir.h"

const uint8_t ir_op_flags[IR_OP_COUNT] = {
#define X(name, result, a, b, c, imm, flags) [IR_##name] = (flags),
    IR_OPS(X)
#undef X
};

static const struct { const char *name; uint8_t bits; } types[IR_TYPE_COUNT] = {
    [IR_VOID] = { "void", 0 },  [IR_I1] = { "i1", 1 },      [IR_I8] = { "i8", 8 },   [IR_I16] = { "i16", 16 }, [IR_I32] = { "i32", 32 },
    [IR_I64] = { "i64", 64 },   [IR_I128] = { "i128", 128 }, [IR_F32] = { "f32", 32 }, [IR_F64] = { "f64", 64 }, [IR_V128] = { "v128", 128 },
};

const char *ir_op_name(enum ir_op op)
{
    static const char *const names[IR_OP_COUNT] = {
#define X(name, ...) [IR_##name] = #name,
        IR_OPS(X)
#undef X
    };
    return (unsigned)op < IR_OP_COUNT ? names[op] : "?";
}

const char *ir_type_name(enum ir_type t) { return (unsigned)t < IR_TYPE_COUNT ? types[t].name : "?"; }
unsigned    ir_type_bits(enum ir_type t) { return (unsigned)t < IR_TYPE_COUNT ? types[t].bits : 0; }
