// SPDX-License-Identifier: Apache-2.0
/* Building a block: instructions are appended through the folder, and what each slot of the register file holds is
 * remembered, so that a GETR after a SETR or GETR costs nothing. A helper that is not PURE may write any slot: then all is
 * forgotten. The block belongs to the thread that lifts; docs/ir.md, "Building". */
#include "hv/base/string.h"
#include "hv/ir/fold.h"

void ir_begin(struct ir_block *b, guest_addr pc, uint32_t mode)
{
    b->pc = pc;
    b->mode = mode;
    b->count = b->guest_count = 0;
    b->guest_bytes = 0;
    b->is_sealed = false;
    b->end = (struct ir_end){ .kind = IR_END_NONE, .value = IR_NONE };
    memset(b->slot_value, 0xff, sizeof b->slot_value);                      /* IR_NONE */
}

bool ir_has_room(const struct ir_block *b)
{
    return b->count + IR_INSN_WORST <= IR_BLOCK_INSNS && b->guest_count < IR_BLOCK_GUEST;
}

bool ir_is_const(const struct ir_block *b, ir_ref r, uint64_t *value)
{
    if (r == IR_NONE || b->insn[r].op != IR_CONST) return false;
    *value = b->insn[r].imm;
    return true;
}

ir_ref ir_append(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z, uint64_t imm)
{
    if (b->count >= IR_BLOCK_INSNS) return (ir_ref)(b->count - 1);          /* cannot happen: ir_has_room leaves IR_INSN_WORST */
    b->insn[b->count] = (struct ir_insn){ (uint8_t)op, (uint8_t)t, x, y, z, imm };
    return b->count++;
}

static bool is_wide(enum ir_type t) { return ir_type_bits(t) > 64; }

/* A slot holds its last value zero-extended: read narrower it is the low bits, read wider the value with zeros above. */
static ir_ref get(struct ir_block *b, enum ir_type t, uint64_t slot)
{
    ir_ref known = b->slot_value[slot];
    if (known == IR_NONE) {
        ir_ref r = ir_append(b, IR_GETR, t, IR_NONE, IR_NONE, IR_NONE, slot);
        if (ir_type_bits(t) == 64) b->slot_value[slot] = r;
        return r;
    }
    enum ir_type has = (enum ir_type)b->insn[known].type;
    if (has == t) return known;
    if (is_wide(t)) return ir_append(b, IR_GETR, t, IR_NONE, IR_NONE, IR_NONE, slot);
    if (ir_type_bits(t) <= ir_type_bits(has)) return ir_un(b, IR_TRUNC, t, known);
    if (has == IR_F32) known = ir_un(b, IR_TRUNC, IR_I32, known);
    known = ir_un(b, IR_ZEXT, IR_I64, known);
    return t == IR_I64 ? known : ir_un(b, IR_TRUNC, t, known);
}

static ir_ref set(struct ir_block *b, uint64_t slot, ir_ref value)
{
    bool wide = is_wide((enum ir_type)b->insn[value].type);
    b->slot_value[slot] = wide ? IR_NONE : value;
    if (wide) b->slot_value[slot + 1] = IR_NONE;
    return ir_append(b, IR_SETR, IR_VOID, value, IR_NONE, IR_NONE, slot);
}

static bool forgets_slots(enum ir_op op, uint64_t imm)
{
    return op == IR_CALL && !(((const struct ir_helper *)(uintptr_t)imm)->flags & HELPER_PURE);
}

static uint64_t low_bits(uint64_t v, enum ir_type t)
{
    unsigned width = ir_type_bits(t);
    return width >= 64 ? v : v & ((1ull << width) - 1);
}

ir_ref ir_emit(struct ir_block *b, enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref z, uint64_t imm)
{
    uint64_t k;
    if (op == IR_CONST) return ir_append(b, op, t, IR_NONE, IR_NONE, IR_NONE, low_bits(imm, t));
    if (op == IR_GETR) return get(b, t, imm);
    if (op == IR_SETR) return set(b, imm, x);
    if ((ir_op_flags[op] & IRF_C) && ir_is_const(b, x, &k) && !ir_is_const(b, y, &k)) {
        ir_ref swap = x;                                                    /* constants stand right */
        x = y;
        y = swap;
    }
    ir_ref folded = ir_fold(b, &(struct fold_in){ op, t, x, y, z, imm });
    if (folded != IR_NONE) return folded;
    if (forgets_slots(op, imm)) memset(b->slot_value, 0xff, sizeof b->slot_value);
    return ir_append(b, op, t, x, y, z, imm);
}

void ir_insn_start(struct ir_block *b, guest_addr pc, unsigned size_bytes)
{
    (void)ir_append(b, IR_INSN, IR_VOID, IR_NONE, IR_NONE, (ir_ref)size_bytes, pc.v);
    b->guest_count++;
    b->guest_bytes += size_bytes;
}

/* A branch whose way is known is a jump, and so is an indirect one to a constant (AUIPC and JALR); one on a negated condition has its
 * ways exchanged. */
void ir_end(struct ir_block *b, struct ir_end end)
{
    bool has_value = end.kind == IR_END_BRANCH || end.kind == IR_END_INDIRECT || end.kind == IR_END_LEAVE_INDIRECT;
    uint64_t k;
    if (!has_value) end.value = IR_NONE;
    if (end.kind == IR_END_BRANCH && end.value < b->count) {
        const struct ir_insn *condition = &b->insn[end.value];
        bool is_negated = condition->op == IR_XOR && ir_is_const(b, condition->b, &k) && k == 1;      /* how folding writes NOT of a truth value */
        if (is_negated) {
            guest_addr swap = end.taken;
            end.taken = end.fall;
            end.fall = swap;
            end.value = condition->a;
        } else if (ir_is_const(b, end.value, &k)) {
            if (!k) end.taken = end.fall;
            end.kind = IR_END_JUMP;
            end.value = IR_NONE;
            end.fall = (guest_addr){ 0 };
        }
    } else if (end.kind == IR_END_INDIRECT && end.value < b->count && ir_is_const(b, end.value, &k)) {
        end.kind = IR_END_JUMP;
        end.value = IR_NONE;
        end.taken = guest_addr_make(k);
    }
    b->end = end;
}
