// SPDX-License-Identifier: Apache-2.0
/* The meaning of every pure integer row, once: folding, engines' rare forms and tests call it. */
#pragma once
#include "hv/ir/ir.h"

/* True when `op` is pure and its operands and result are at most 64 bits wide, so that ir_eval defines it. */
bool     ir_is_pure(enum ir_op op);
/* Value of op; `result` and `operand` are the insn's type and the type of its operand a. Only the result's width counts. */
uint64_t ir_eval(enum ir_op op, enum ir_type result, enum ir_type operand, uint64_t a, uint64_t b, uint64_t c, uint64_t imm);
