// SPDX-License-Identifier: Apache-2.0
/* Between build.c and fold.c: what emitting asks of folding. The block belongs to the thread that lifts. */
#pragma once
#include "hv/ir/ir.h"

/* One operation to fold: op, type and operands. */
struct fold_in { enum ir_op op; enum ir_type type; ir_ref a, b, c; uint64_t imm; };

/* A value equal to the one `in` would define: an earlier one, or one that this call has emitted. IR_NONE: no rule fits. */
ir_ref ir_fold(struct ir_block *b, const struct fold_in *in);
bool   ir_fold_rules_are_sorted(void);               /* for the tests: the look-up relies on it */
/* Appends without folding. */
ir_ref ir_append(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z, uint64_t imm);
