// SPDX-License-Identifier: Apache-2.0
/* Floating point of the IR on raw bits; see fp.h. One function carries every FP row that IR_OPS marks E. */
#pragma once
#include "hv/ir/ir.h"

/* Value of an FP row: `result` and `operand` are the types of the result and of operand a; `imm` is the row's. */
uint64_t fp_eval(struct fp_env *env, enum ir_op op, enum ir_type result, enum ir_type operand, uint64_t a, uint64_t b, uint64_t c, unsigned imm);
uint64_t fp_class(enum ir_type t, uint64_t a);           /* IR_FCLASS */
