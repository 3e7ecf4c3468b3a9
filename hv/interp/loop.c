// SPDX-License-Identifier: Apache-2.0
/* The threaded loop: one body an operation, expanded from the lists of bytecode.h. Memory: the inline soft-TLB hit, else
 * hv/exec/access.h. Runs on the vCPU's thread. */
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/exec/access.h"
#include "hv/interp/bytecode.h"
#include "hv/ir/eval.h"
#include "hv/ir/softfp.h"

const void *interp_handler[OP_COUNT];

#define SX32(x) ((uint64_t)(int64_t)(int32_t)(x))

static bool load_slow(struct vcpu *v, uint64_t va, unsigned bytes, uint64_t *out)
{
    return access_load(v, guest_addr_make(va), bytes, out);
}

static bool store_slow(struct vcpu *v, uint64_t va, unsigned bytes, uint64_t value)
{
    return access_store(v, guest_addr_make(va), bytes, value);
}

_Static_assert(offsetof(struct fp_env, round) == 0 && offsetof(struct fp_env, flags) == 1, "both in one 16-bit load");
static inline double as_double(uint64_t a) { double v; __builtin_memcpy(&v, &a, sizeof v); return v; }
static inline uint64_t as_bits(double a)   { uint64_t v; __builtin_memcpy(&v, &a, sizeof v); return v; }

struct left interp_loop(struct vcpu *v, struct interp *in, struct op *op)
{
    static const void *const table[OP_COUNT] = {
#define X(n, e) [OP_##n##_RR] = &&op_##n##_RR, [OP_##n##_RI] = &&op_##n##_RI,
        BINARY_LIST(X)
#undef X
#define X(n, e) [OP_##n] = &&op_##n,
        UNARY_LIST(X)
        LOAD_LIST(X)
        STORE_LIST(X)
#undef X
#define X(n, e) [OP_B##n##_RR] = &&op_B##n##_RR, [OP_B##n##_RI] = &&op_B##n##_RI,
        BRANCH_LIST(X)
#undef X
#define X(n, e) [OP_##n] = &&op_##n,
        FLOAT_LIST(X)
#undef X
#define X(n) [OP_##n] = &&op_##n,
        OTHER_LIST(X)
#undef X
    };
    if (!v) {
        memcpy(interp_handler, table, sizeof table);
        return (struct left){ LEFT_DISPATCH, NULL };
    }
    uint64_t *const r = v->regs.slot;
    int64_t budget = v->budget;
    uint64_t accesses = in->blocks.accesses;
    struct op *site = NULL;
    enum exec_left why;

#define NEXT(n) do { op += (n); goto *op->handler; } while (0)
#define TLB_ENTRY(va) (&v->mmu.tlb_data[(va) >> HV_PAGE_BITS & (MMU_TLB_ENTRIES - 1)])
#define TAG(va, bytes) ((va) & (~(uint64_t)(HV_PAGE_BYTES - 1) | ((bytes) - 1)))
    goto *op->handler;

#define X(n, e)                                                                                 \
    op_##n##_RR: { uint64_t A = r[op->b], B = r[op->c]; r[op->a] = (e); NEXT(1); }              \
    op_##n##_RI: { uint64_t A = r[op->b], B = (uint64_t)(int64_t)op->imm; r[op->a] = (e); NEXT(1); }
    BINARY_LIST(X)
#undef X
#define X(n, e) op_##n: { uint64_t A = r[op->b]; r[op->a] = (e); NEXT(1); }
    UNARY_LIST(X)
#undef X
#define X(n, type)                                                                              \
    op_##n: {                                                                                   \
        uint64_t va = r[op->b] + (uint64_t)(int64_t)op->imm, value;                             \
        const struct tlb_entry *e = TLB_ENTRY(va);                                              \
        if (likely(TAG(va, sizeof(type)) == e->read)) {                                         \
            r[op->a] = (uint64_t)__atomic_load_n((type *)(va + e->addend), __ATOMIC_RELAXED);   \
            NEXT(1);                                                                            \
        }                                                                                       \
        if (unlikely(!load_slow(v, va, sizeof(type), &value))) goto fault;                      \
        r[op->a] = (uint64_t)(type)value;                                                       \
        NEXT(1);                                                                                \
    }
    LOAD_LIST(X)
#undef X
#define X(n, type)                                                                              \
    op_##n: {                                                                                   \
        uint64_t va = r[op->b] + (uint64_t)(int64_t)op->imm;                                    \
        const struct tlb_entry *e = TLB_ENTRY(va);                                              \
        if (likely(TAG(va, sizeof(type)) == e->write)) {                                        \
            __atomic_store_n((type *)(va + e->addend), (type)r[op->a], __ATOMIC_RELAXED);       \
            NEXT(1);                                                                            \
        }                                                                                       \
        if (unlikely(!store_slow(v, va, sizeof(type), r[op->a]))) goto fault;                   \
        NEXT(1);                                                                                \
    }
    STORE_LIST(X)
#undef X

    /* Block ends. Going on costs a subtraction and two tests; the request word is the only shared one. */
#define COUNT_BLOCK() do { budget -= op->c; accesses += op->d; } while (0)
#define GO(n)                                                                                   \
    do {                                                                                        \
        site = op + (n);                                                                        \
        if (unlikely(budget <= 0) || unlikely(__atomic_load_n(&v->request, __ATOMIC_RELAXED))) goto out_of_budget; \
        op = (struct op *)(uintptr_t)site->handler;                                             \
        goto *op->handler;                                                                      \
    } while (0)
#define X(n, e)                                                                                 \
    op_B##n##_RR: { uint64_t A = r[op->a], B = r[op->b]; COUNT_BLOCK(); if (e) GO(1); GO(2); }  \
    op_B##n##_RI: { uint64_t A = r[op->a], B = (uint64_t)(int64_t)op->imm; COUNT_BLOCK(); if (e) GO(1); GO(2); }
    BRANCH_LIST(X)
#undef X
    op_JUMP:
        COUNT_BLOCK();
        GO(1);
    op_INDIRECT: {
        uint64_t pc = r[op->a];
        COUNT_BLOCK();
        v->regs.pc = pc;
        if (unlikely(budget <= 0) || unlikely(__atomic_load_n(&v->request, __ATOMIC_RELAXED))) goto budget_at_pc;
        const struct jump_entry *j = &in->blocks.jump[pc >> 1 & (BLOCKS_JUMPS - 1)];
        if (likely(j->pc == pc && j->tag == in->blocks.tag)) {
            op = j->entry;
            goto *op->handler;
        }
        why = LEFT_DISPATCH;
        goto out;
    }
    op_RESOLVE:
        v->regs.pc = site->word;
        why = LEFT_RESOLVE;
        goto out;
    op_LEAVE:
        COUNT_BLOCK();
        v->regs.pc = op[1].word;
        why = LEFT_DISPATCH;
        goto out;
    op_LEAVE_INDIRECT:
        COUNT_BLOCK();
        v->regs.pc = r[op->a];
        why = LEFT_DISPATCH;
        goto out;
    op_HALT:
        COUNT_BLOCK();
        v->regs.pc = op[1].word;
        why = LEFT_HALT;
        goto out;
    op_FAULT:
        memcpy(&v->fault, op + 1, sizeof v->fault);
        goto fault;

    op_LI:
        r[op->a] = (uint64_t)(int64_t)op->imm;
        NEXT(1);
    op_LI64:
        r[op->a] = op[1].word;
        NEXT(2);
    op_SEL:
        r[op->a] = r[op->b] & 1 ? r[op->c] : r[op->d];
        NEXT(1);
    op_RARE: {
        union detail x = { op->imm };
        uint64_t value = x.op == IR_FCLASS ? fp_class((enum ir_type)x.operand, r[op->b]) :
                         ir_eval((enum ir_op)x.op, (enum ir_type)x.type, (enum ir_type)x.operand, r[op->b], r[op->c], r[op->d], x.ir_imm);
        r[op->a] = x.type == IR_I32 ? SX32(value) : x.type == IR_I1 ? value & 1 : value;
        NEXT(1);
    }
    op_PAIR: {
        uint64_t low = r[op->b], high = r[op->c];
        r[op->a] = low;
        r[op->a + 1] = high;
        NEXT(1);
    }
    op_MOV128: {
        uint64_t low = r[op->b], high = r[op->b + 1];
        r[op->a] = low;
        r[op->a + 1] = high;
        NEXT(1);
    }
    op_ZX128:                               /* 128-bit ALU on pairs: AND OR XOR NOT ADD SUB, chosen by imm */
        {
            unsigned __int128 A = r[op->b] | (unsigned __int128)r[op->b + 1] << 64, B = r[op->c] | (unsigned __int128)r[op->c + 1] << 64, V = 0;
            switch ((enum ir_op)op->imm) {
            case IR_AND: V = A & B; break;
            case IR_OR:  V = A | B; break;
            case IR_XOR: V = A ^ B; break;
            case IR_NOT: V = ~A; break;
            case IR_ADD: V = A + B; break;
            case IR_SUB: V = A - B; break;
            default: break;
            }
            r[op->a] = (uint64_t)V;
            r[op->a + 1] = (uint64_t)(V >> 64);
            NEXT(1);
        }
    op_MEM: {                               /* a result, b address, c expected or value, d new */
        union detail x = { op->imm };
        uint64_t value = 0, memop = x.ir_imm;
        enum ir_op what = (enum ir_op)x.op;
        if (what == IR_FENCE) {
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
            NEXT(1);
        }
        if ((memop & MEM_SIZE) == MEM_128) {
            uint64_t wide[2];
            if (unlikely(!access_row128(v, what, memop, r[op->b], &r[op->c], &r[op->d], wide))) goto fault;
            if (what != IR_STORE) r[op->a] = wide[0];
            if (what != IR_STORE && what != IR_SC) r[op->a + 1] = wide[1];
            NEXT(1);
        }
        bool is_cas = what == IR_CAS;
        if (unlikely(!access_row(v, what, memop, r[op->b], r[op->c], is_cas ? r[op->d] : r[op->c], &value))) goto fault;
        if (what != IR_STORE) r[op->a] = value;
        NEXT(1);
    }
    /* Nearest-even and the inexact flag already up (one test of both). A result that is no NaN, infinity, zero, subnormal or
     * smallest normal had operands that are neither NaN nor infinite, and raises nothing but inexact: IEEE's bits, no new flag. */
#define X(n, e)                                                                                 \
    op_##n: {                                                                                   \
        double X = as_double(r[op->b]), Y = as_double(r[op->c]);                                \
        uint64_t value = as_bits(e);                                                            \
        bool is_plain = (load_le16(&v->regs.fp) & 0x01ff) == 0x0100 && (((value >> 52) - 2) & 0x7ff) < 0x7fd; \
        if (unlikely(!is_plain)) goto op_FP;                                                    \
        r[op->a] = value;                                                                       \
        NEXT(1);                                                                                \
    }
    FLOAT_LIST(X)
#undef X
    op_FP: {
        union detail x = { op->imm };
        r[op->a] = fp_eval(&v->regs.fp, (enum ir_op)x.op, (enum ir_type)x.type, (enum ir_type)x.operand, r[op->b], r[op->c], r[op->d], x.ir_imm);
        NEXT(1);
    }
    op_CALL: {                              /* then {helper} */
        const struct ir_helper *h = op[1].handler;
        const struct op_place *p = &in->place[op - in->code];
        v->regs.pc = in->blocks.block[p->block].pc + p->pc_offset;
        v->budget = budget;
        uint64_t value = h->run(v, r[op->b], r[op->c], r[op->d]);
        if (unlikely((h->flags & HELPER_MAY_FAULT) && v->fault.kind != FAULT_NONE)) goto fault;
        r[op->a] = value;
        NEXT(2);
    }

fault: {
        const struct op_place *p = &in->place[op - in->code];
        v->regs.pc = in->blocks.block[p->block].pc + p->pc_offset;
        budget -= p->insns_before;
        accesses += p->accesses_before;
        why = LEFT_FAULT;
        goto out;
    }
out_of_budget:
    v->regs.pc = site->word;
budget_at_pc:
    why = LEFT_BUDGET;
out:
    v->budget = budget;
    in->blocks.accesses = accesses;
    return (struct left){ why, site };
}
