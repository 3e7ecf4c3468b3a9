// SPDX-License-Identifier: Apache-2.0
/* Sealing: one walk backwards deletes what nobody needs, and counts the uses of the rest. The block belongs to the
 * thread that lifts. Laws. 1: what may fault or has an effect stays. 2: a SETR goes only when a later SETR overwrites its
 * whole slot and nothing between the two reads the slot, may fault, or calls a helper that is not PURE: whoever looks at
 * the registers - a fault's handler, a helper, the next block - finds them as the program order says. */
#include "hv/base/string.h"
#include "hv/ir/ir.h"

static bool is_pure_call(const struct ir_insn *i)
{
    return i->op == IR_CALL && (((const struct ir_helper *)(uintptr_t)i->imm)->flags & HELPER_PURE);
}

static bool is_live_by_itself(const struct ir_insn *i)
{
    return (ir_op_flags[i->op] & (IRF_E | IRF_F)) && !is_pure_call(i);
}

/* Slots that will be overwritten before anyone looks, seen from the walk's place. */
struct overwritten { uint64_t bit[4]; };
static bool get(const struct overwritten *o, uint64_t slot)           { return o->bit[slot >> 6 & 3] >> (slot & 63) & 1; }
static void put(struct overwritten *o, uint64_t slot, bool is)
{
    uint64_t mask = 1ull << (slot & 63);
    o->bit[slot >> 6 & 3] = is ? o->bit[slot >> 6 & 3] | mask : o->bit[slot >> 6 & 3] & ~mask;
}

/* True: this SETR is dead. Else it, or what reads slots, is noted. */
static bool note_slots(const struct ir_block *b, const struct ir_insn *i, struct overwritten *o)
{
    if (i->op == IR_SETR) {
        bool wide = ir_type_bits((enum ir_type)b->insn[i->a].type) > 64;
        if (get(o, i->imm) && (!wide || get(o, i->imm + 1))) return true;
        put(o, i->imm, true);
        if (wide) put(o, i->imm + 1, true);
    } else if (i->op == IR_GETR) {
        put(o, i->imm, false);
        if (ir_type_bits((enum ir_type)i->type) > 64) put(o, i->imm + 1, false);
    } else if ((ir_op_flags[i->op] & IRF_F) && !is_pure_call(i)) {
        *o = (struct overwritten){ 0 };
    }
    return false;
}

void ir_seal(struct ir_block *b)
{
    struct overwritten slots = { 0 };
    memset(b->uses, 0, sizeof b->uses[0] * b->count);
    if (b->end.value != IR_NONE) b->uses[b->end.value]++;
    for (unsigned n = b->count; n--;) {
        struct ir_insn *i = &b->insn[n];
        bool is_dead = !b->uses[n] && !is_live_by_itself(i);
        if (is_dead || note_slots(b, i, &slots)) {
            *i = (struct ir_insn){ IR_CONST, IR_VOID, IR_NONE, IR_NONE, IR_NONE, 0 };
            continue;
        }
        if (i->op == IR_INSN) continue;
        if (i->a != IR_NONE) b->uses[i->a]++;
        if (i->b != IR_NONE) b->uses[i->b]++;
        if (i->c != IR_NONE) b->uses[i->c]++;
    }
    b->is_sealed = true;
}
