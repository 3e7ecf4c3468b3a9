// SPDX-License-Identifier: Apache-2.0
/* What emitted code leaves to C: slow accesses, atomics, helpers, rare rows. Meanings are ir_eval's, fp_eval's and access.h's.
 * Runs on the vCPU's thread, in the middle of a block: counters are brought up to date as far as the row may see them. */
#include "hv/exec/access.h"
#include "hv/ir/eval.h"
#include "hv/ir/softfp.h"
#include "hv/base/string.h"
#include "hv/jit/target.h"

void jit_merge_fp_flags(struct vcpu *v, const struct jit *j)
{
    v->regs.fp.flags |= (uint8_t)j->target->fp_flags((uint32_t)(v->regs.slot[JIT_SLOT_HOST_FP] >> 32));
}

static bool wide(struct vcpu *v, const struct jit_place *p)
{
    uint64_t *r = v->regs.slot, *out = &r[p->slot[0]];
    const uint64_t *a = &r[p->slot[1]], *b = &r[p->slot[2]], *c = &r[p->slot[3]];
    if (p->op >= IR_LOAD && p->op <= IR_CAS) {
        uint64_t result[2] = { 0 };
        if (!access_row128(v, (enum ir_op)p->op, p->imm, a[0], b, c, result)) return false;
        if (p->op != IR_STORE) out[0] = result[0];
        if (p->op != IR_STORE && p->op != IR_SC) out[1] = result[1];
        return true;
    }
    unsigned __int128 A = a[0] | (unsigned __int128)a[1] << 64, B = b[0] | (unsigned __int128)b[1] << 64, V = 0;
    switch ((enum ir_op)p->op) {
    case IR_AND: V = A & B; break;
    case IR_OR:  V = A | B; break;
    case IR_XOR: V = A ^ B; break;
    case IR_NOT: V = ~A; break;
    case IR_ADD: V = A + B; break;
    case IR_SUB: V = A - B; break;
    default: break;
    }
    out[0] = (uint64_t)V;
    out[1] = (uint64_t)(V >> 64);
    return true;
}

static bool run_row(struct vcpu *v, const struct jit *j, const struct jit_place *p, uint64_t a, uint64_t b, uint64_t c, uint64_t *out)
{
    enum ir_op op = (enum ir_op)p->op;
    enum ir_type type = (enum ir_type)p->type, operand = (enum ir_type)p->operand;
    if (op == IR_OP_COUNT) {
        memcpy(&v->fault, j->write + p->imm, sizeof v->fault);
        return false;
    }
    if (op == IR_CALL) {
        const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)p->imm;
        *out = h->run(v, a, b, c);
        return !(h->flags & HELPER_MAY_FAULT) || v->fault.kind == FAULT_NONE;
    }
    if (op >= IR_LOAD && op <= IR_CAS) return access_row(v, op, p->imm, a, b, op == IR_CAS ? c : b, out);
    if (op == IR_FCLASS) *out = fp_class(operand, a);
    else if (op >= IR_FADD && op <= IR_FTOF && op != IR_FNEG) *out = fp_eval(&v->regs.fp, op, type, operand, a, b, c, (unsigned)p->imm);
    else *out = ir_eval(op, type, operand, a, b, c, p->imm);
    if (type == IR_I1) *out &= 1;
    return true;
}

struct jit_answer jit_call(struct vcpu *v, uint64_t a, uint64_t b, uint64_t c)
{
    struct jit *j = v->engine_state;
    const struct jit_place *p = &j->place[(uint32_t)v->regs.slot[JIT_SLOT_PLACE]];
    struct jit_answer answer = { 0, 1 };
    jit_merge_fp_flags(v, j);
    v->regs.pc = j->blocks.block[p->block].pc + p->pc_offset;
    v->budget = j->rest + ((int64_t)v->regs.slot[JIT_SLOT_COUNTS] >> JIT_ACCESS_BITS) + 1;
    bool ok = p->slot[0] ? wide(v, p) : run_row(v, j, p, a, b, c, &answer.value);
    if (!ok) {
        v->regs.slot[JIT_SLOT_COUNTS] += (uint64_t)(int64_t)jit_counts(p->insns_before, 0);
        v->regs.slot[JIT_SLOT_EXCESS] += p->accesses_before;
        answer.ok = 0;
    }
    return answer;
}
