// SPDX-License-Identifier: Apache-2.0
/* The run loop of engines that translate: requests, interrupts, budget, faults and statistics, the same for all of them.
 * An engine brings what runs code. Own thread. */
#pragma once
#include "hv/exec/blocks.h"

/* Why translated code was left. pc, slots, budget and accesses are up to date then. */
enum exec_left { LEFT_DISPATCH, LEFT_BUDGET, LEFT_FAULT, LEFT_HALT, LEFT_RESOLVE };

/* Looks up regs.pc and runs from there on, counting v->budget down; what it left for, LEFT_DISPATCH when there was nothing. */
typedef enum exec_left exec_enter_fn(struct vcpu *v);
/* Compiles this one instruction, keeps nothing, runs it. */
typedef enum exec_left exec_once_fn(struct vcpu *v, const struct ir_block *ir);

/* engine_ops.run and .execute_instruction, by way of these. */
struct exec_result exec_run(struct vcpu *v, struct blocks *b, uint64_t budget_insns, exec_enter_fn *enter);
struct exec_result exec_step(struct vcpu *v, struct blocks *b, exec_once_fn *once);
