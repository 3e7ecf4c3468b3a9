// SPDX-License-Identifier: Apache-2.0
/* Checking for NaNs late. The host's NaN from F64 arithmetic is another than the guest's, but a NaN stays one through all further
 * arithmetic: so it is enough to ask the last values of a chain (those not *covered* by another that is still somewhere), two in one
 * comparison, before somebody may see the bits of any: at stores, moves to integers, calls of C, and the block's end. If one is a NaN,
 * every unchecked place is made canonical out of line. A way out in the middle - an access that faults - makes those canonical that
 * the guest can see, behind the block. */
#include "hv/base/string.h"
#include "hv/jit/lower.h"

void lower_nan_begin(struct lower *l)
{
    memset(l->nan_in, 0xff, sizeof l->nan_in);               /* NOBODY */
    memset(l->nan_slot, 0xff, sizeof l->nan_slot);
    memset(l->nan_copies, 0, sizeof l->nan_copies[0] * l->ir->count);
    memset(l->nan_by, 0xff, sizeof l->nan_by[0] * l->ir->count);
    l->nan_count = l->nan_slot_count = 0;
}

bool lower_nan_can_wait(const struct lower *l, const struct ir_insn *i)
{
    return l->t->fp_unchecked && has(l, JIT_NAN) && i->type == IR_F64 && i->op >= IR_FADD && i->op <= IR_FSQRT;
}

bool lower_nan_is_in(const struct lower *l, ir_ref root) { return l->nan_copies[root] != 0; }

static void forget(struct lower *l, ir_ref *place)
{
    if (*place == NOBODY) return;
    l->nan_copies[*place]--;
    l->nan_count--;
    *place = NOBODY;
}

void lower_nan_forget_slot(struct lower *l, unsigned slot)
{
    if (l->nan_slot[slot] != NOBODY) l->nan_slot_count--;
    forget(l, &l->nan_slot[slot]);
}

void lower_nan_forget_reg(struct lower *l, uint8_t reg) { forget(l, &l->nan_in[reg]); }

static struct jit_unchecked all_places(const struct lower *l)
{
    struct jit_unchecked u = { 0 };
    for (unsigned reg = 0; reg < 32; reg++) u.regs |= (l->nan_in[reg] != NOBODY ? 1u : 0) << reg;
    for (unsigned slot = 0; slot < VCPU_SLOTS && u.slot_count < l->nan_slot_count; slot++) {
        if (l->nan_slot[slot] != NOBODY) u.slot[u.slot_count++] = (uint8_t)slot;
    }
    return u;
}

void lower_nan_visible(const struct lower *l, struct jit_unchecked *out)
{
    *out = (struct jit_unchecked){ 0 };
    if (!l->nan_count) return;
    *out = all_places(l);
    out->regs &= ~l->temps[FP];
    unsigned kept = 0;
    for (unsigned i = 0; i < out->slot_count; i++) {
        if (out->slot[i] < JIT_SPILL_FIRST) out->slot[kept++] = out->slot[i];
    }
    out->slot_count = (uint8_t)kept;
}

/* Jumps to one stub, at most as many as it can take. */
struct asking { struct emit_stub *stub; unsigned jumps; };

static void ask(struct lower *l, struct asking *asking, jit_patch from)
{
    if (!asking->stub) {
        asking->stub = emit_stub(l->e);
        asking->stub->kind = STUB_UNCHECKED;
        asking->stub->access.unchecked = all_places(l);
        asking->stub->from = from;
    } else {
        asking->stub->also_from[asking->jumps - 1] = from;
    }
    asking->stub->back = l->e->at;
    if (++asking->jumps == 1 + sizeof asking->stub->also_from / sizeof asking->stub->also_from[0]) *asking = (struct asking){ 0 };
}

/* Does a value that is still unchecked tell of this one? */
static bool is_covered(const struct lower *l, ir_ref r)
{
    for (r = l->nan_by[r]; r != NOBODY; r = l->nan_by[r]) {
        if (l->nan_copies[r]) return true;
    }
    return false;
}

void lower_nan_check(struct lower *l)
{
    if (!l->nan_count) return;
    struct asking asking = { 0 };
    uint8_t first = NO_REG;
    ir_ref done[32 + JIT_UNCHECKED_SLOTS];
    unsigned done_count = 0;
    for (unsigned at = 0; at < 32 + VCPU_SLOTS; at++) {
        ir_ref r = at < 32 ? l->nan_in[at] : l->nan_slot[at - 32];
        if (r == NOBODY || is_covered(l, r)) continue;
        bool seen = false;
        for (unsigned i = 0; i < done_count && !seen; i++) seen = done[i] == r;
        if (seen) continue;
        done[done_count++] = r;
        if (at >= 32) {
            ask(l, &asking, l->t->if_nan_slot(l->e, at - 32));
        } else if (first == NO_REG) {
            first = (uint8_t)at;
        } else {
            ask(l, &asking, l->t->if_nan(l->e, first, (uint8_t)at));
            first = NO_REG;
        }
    }
    if (first != NO_REG) ask(l, &asking, l->t->if_nan(l->e, first, first));
    for (unsigned reg = 0; reg < 32; reg++) forget(l, &l->nan_in[reg]);
    for (unsigned slot = 0; slot < VCPU_SLOTS; slot++) lower_nan_forget_slot(l, slot);
}

void lower_nan_operands(struct lower *l, unsigned n)
{
    const struct ir_insn *i = &l->ir->insn[n];
    if (i->a != IR_NONE) l->nan_by[l->root[i->a]] = (ir_ref)n;
    if (i->b != IR_NONE) l->nan_by[l->root[i->b]] = (ir_ref)n;
}

void lower_nan_result(struct lower *l, uint8_t reg, ir_ref root)
{
    forget(l, &l->nan_in[reg]);
    l->nan_in[reg] = root;
    l->nan_copies[root] = 1;
    l->nan_count++;
}

void lower_nan_copy(struct lower *l, uint8_t reg, ir_ref root, unsigned slot)
{
    if ((reg != NO_REG ? l->nan_in[reg] : l->nan_slot[slot]) == root) return;
    if (reg != NO_REG) lower_nan_forget_reg(l, reg);
    else lower_nan_forget_slot(l, slot);
    if (reg == NO_REG && l->nan_slot_count == JIT_UNCHECKED_SLOTS) lower_nan_check(l);
    if (!l->nan_copies[root]) return;
    *(reg != NO_REG ? &l->nan_in[reg] : &l->nan_slot[slot]) = root;
    l->nan_copies[root]++;
    l->nan_count++;
    l->nan_slot_count += reg == NO_REG;
}

void lower_nan_release(struct lower *l, ir_ref root)
{
    if (!l->nan_copies[root]) return;
    uint8_t reg = l->in[FP][root], slot = l->mem[root];
    if (reg != NO_REG && l->temps[FP] >> reg & 1 && l->nan_in[reg] == root) forget(l, &l->nan_in[reg]);
    if (slot != NO_SLOT && slot >= JIT_SPILL_FIRST && l->nan_slot[slot] == root) lower_nan_forget_slot(l, slot);
}
