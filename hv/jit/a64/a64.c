// SPDX-License-Identifier: Apache-2.0
/* The a64 back end: entering and leaving, gates to C, ends of blocks, and the table that lower.c works with. Follows AAPCS64 at its
 * edges (arguments x0 to x3, results x0, x1; x19 to x28 and the low halves of v8 to v15 are C's). */
#include "hv/jit/a64/a64.h"

#define LDR_X 0xf9400000u
#define STR_X 0xf9000000u
#define LDR_D 0xfd400000u
#define STR_D 0xfd000000u
#define LDR_W 0xb9400000u
#define STR_W 0xb9000000u
#define FPCR_DEFAULT_NAN (1u << 25)

enum { ENTER_BYTES = 160, GATE_BYTES = 256 };
static const uint8_t callers[] = { 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, A64_LR };          /* that C may change */
static const uint8_t fp_callers[] = { 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27 };
_Static_assert(sizeof callers * 8 + sizeof fp_callers * 8 <= GATE_BYTES && GATE_BYTES % 16 == 0, "room, and sp aligned");

static void load_slot(struct emit *e, uint8_t d, unsigned slot)     { a64_ldr(e, LDR_X, d, A64_BASE, 8 * slot, 3); }
static void store_slot(struct emit *e, uint8_t a, unsigned slot)    { a64_ldr(e, STR_X, a, A64_BASE, 8 * slot, 3); }
static void fp_mov(struct emit *e, uint8_t d, uint8_t a)            { if (d != a) emit32(e, 0x1e604000u | (unsigned)a << 5 | d); }
static void fp_load_slot(struct emit *e, uint8_t d, unsigned slot)  { a64_ldr(e, LDR_D, d, A64_BASE, 8 * slot, 3); }
static void fp_store_slot(struct emit *e, uint8_t a, unsigned slot) { a64_ldr(e, STR_D, a, A64_BASE, 8 * slot, 3); }
static uint32_t features(void)                                      { return 0; }

static bool store_slot_imm(struct emit *e, uint64_t v, unsigned slot)
{
    if (v) return false;
    store_slot(e, A64_ZR, slot);
    return true;
}

/* ---- prologue ---- */

static void fp_leave(struct emit *e)
{
    emit32(e, 0xd53b4420u | A64_T0);                                 /* mrs x16, fpsr */
    a64_ldr(e, STR_W, A64_T0, A64_BASE, 8 * JIT_SLOT_HOST_FP + 4, 2);
    a64_ldr(e, LDR_W, A64_T0, A64_BASE, 8 * JIT_SLOT_HOST_FP, 2);
    emit32(e, 0xd51b4400u | A64_T0);                                 /* msr fpcr, x16 */
}
static void fp_come(struct emit *e)
{
    a64_imm(e, A64_T0, FPCR_DEFAULT_NAN);
    emit32(e, 0xd51b4400u | A64_T0);
    emit32(e, 0xd51b4420u | A64_ZR);                                 /* msr fpsr, xzr */
}

static void pinned(struct emit *e, const struct jit *j, bool is_load)
{
    for (unsigned slot = 0; slot < VCPU_SLOTS; slot++) {
        if (j->pin[0][slot] != NO_REG) (is_load ? load_slot : store_slot)(e, j->pin[0][slot], slot);
        if (j->pin[1][slot] != NO_REG) (is_load ? fp_load_slot : fp_store_slot)(e, j->pin[1][slot], slot);
    }
}

static void load_tlb(struct emit *e) { a64_ldr(e, LDR_X, A64_TLB, A64_BASE, A64_FIELD(mmu.tlb_data), 3); }

static void callers_saved(struct emit *e, bool is_load)
{
    unsigned at = 0;
    for (unsigned i = 0; i < sizeof callers; i++, at += 8) a64_ldr(e, is_load ? LDR_X : STR_X, callers[i], A64_SP, at, 3);
    for (unsigned i = 0; i < sizeof fp_callers; i++, at += 8) a64_ldr(e, is_load ? LDR_D : STR_D, fp_callers[i], A64_SP, at, 3);
}

static uint32_t gate(struct emit *e, const struct jit_prologue *p, const struct jit *j, bool all)
{
    uint32_t start = e->at;
    if (all) pinned(e, j, false);
    a64_add_imm(e, true, A64_SP, A64_SP, -GATE_BYTES);
    callers_saved(e, false);
    store_slot(e, A64_COUNTS, JIT_SLOT_COUNTS);
    fp_leave(e);
    a64_mov(e, 3, 2);
    a64_mov(e, 2, 1);
    a64_mov(e, 1, 0);
    a64_mov(e, 0, A64_BASE);
    a64_imm(e, A64_T0, (uint64_t)(uintptr_t)jit_call);
    emit32(e, 0xd63f0000u | A64_T0 << 5);                            /* blr */
    fp_come(e);
    callers_saved(e, true);
    load_tlb(e);
    a64_add_imm(e, true, A64_SP, A64_SP, GATE_BYTES);
    if (all) pinned(e, j, true);
    emit32(e, 0xb5000000u | 2u << 5 | 1);                            /* cbnz x1, +8: no fault */
    uint32_t failed = a64_b(e);
    emit32(e, 0xd65f03c0u);                                          /* ret */
    a64_patch(e->base, failed, e->at);
    load_slot(e, A64_COUNTS, JIT_SLOT_COUNTS);
    a64_imm(e, A64_LINK, 0);
    a64_b_to(e, p->leave[LEFT_FAULT]);
    return start;
}

static void callee_saved(struct emit *e, bool is_load)
{
    for (unsigned i = 0; i < 10; i++) a64_ldr(e, is_load ? LDR_X : STR_X, 19 + i, A64_SP, 8 * i, 3);
    for (unsigned i = 0; i < 8; i++) a64_ldr(e, is_load ? LDR_D : STR_D, 8 + i, A64_SP, 80 + 8 * i, 3);
    a64_ldr(e, is_load ? LDR_X : STR_X, A64_LR, A64_SP, 144, 3);
}

/* The line at x2, of the cache at x1, for the pc in x0. */
static void compare_and_jump(struct emit *e)
{
    _Static_assert(offsetof(struct jit, blocks.jump) == 0 && offsetof(struct jit, blocks.tag) % 4096 == 0, "one add reaches the tag");
    emit32(e, 0xa9400000u | 16u << 10 | 2u << 5 | 3);                /* ldp x3, x16, [x2]: pc, tag */
    a64_add_imm(e, true, 1, 1, (int32_t)offsetof(struct jit, blocks.tag));
    a64_ldr(e, LDR_X, 1, 1, 0, 3);
    a64_rrr(e, 0xeb000000u, A64_ZR, 3, 0);
    emit32(e, 0xfa400000u | (unsigned)A64_T0 << 16 | A64_EQ << 12 | 1u << 5);      /* ccmp x1, x16, #0, eq */
    emit32(e, 0x54000000u | 2u << 5 | A64_EQ);                        /* b.eq +8 */
    a64_b_to(e, e->prologue->leave_at);
    a64_ldr(e, LDR_X, 2, 2, offsetof(struct jump_entry, entry), 3);
    emit32(e, 0xd61f0000u | 2u << 5);                                /* br */
}

static void jump_cached(struct emit *e)
{
    _Static_assert(BLOCKS_JUMPS == 1 << 12, "bits of pc");
    a64_ldr(e, LDR_X, 1, A64_BASE, A64_FIELD(engine_state), 3);
    a64_bitfield(e, A64_UBFM, true, 2, 0, 1, 12);                    /* ubfx x2, x0, #1, #12 */
    emit32(e, 0x8b000000u | 2u << 16 | 5u << 10 | 1u << 5 | 2);      /* add x2, x1, x2, lsl #5 */
    compare_and_jump(e);
}

static void jump_cached_to(struct emit *e, uint64_t pc)
{
    a64_ldr(e, LDR_X, 1, A64_BASE, A64_FIELD(engine_state), 3);
    a64_imm(e, 0, pc);
    a64_add_imm(e, true, 2, 1, (int32_t)((pc >> 1 & (BLOCKS_JUMPS - 1)) * sizeof(struct jump_entry)));
    compare_and_jump(e);
}

static void prologue(struct emit *e, struct jit_prologue *p, const struct jit *j)
{
    *p = (struct jit_prologue){ .enter = e->at };
    a64_add_imm(e, true, A64_SP, A64_SP, -ENTER_BYTES);
    callee_saved(e, false);
    emit32(e, 0xd5033fdfu);                                          /* isb: another core may have written this code */
    a64_mov(e, A64_BASE, 0);
    a64_mov(e, A64_T1, 1);
    emit32(e, 0xd53b4400u | A64_T0);                                 /* mrs x16, fpcr */
    a64_ldr(e, STR_W, A64_T0, A64_BASE, 8 * JIT_SLOT_HOST_FP, 2);
    fp_come(e);
    load_slot(e, A64_COUNTS, JIT_SLOT_COUNTS);
    load_tlb(e);
    pinned(e, j, true);
    emit32(e, 0xd61f0000u | A64_T1 << 5);

    uint32_t at[2], to_end[LEFT_RESOLVE + 1];
    for (unsigned i = 0; i < 2; i++) {
        *(i ? &p->budget_at : &p->leave_at) = e->at;
        a64_ldr(e, STR_X, 0, A64_BASE, A64_FIELD(regs.pc), 3);
        a64_imm(e, A64_LINK, 0);
        at[i] = a64_b(e);
    }
    for (unsigned i = 0; i <= LEFT_RESOLVE; i++) {
        p->leave[i] = e->at;
        a64_imm(e, 0, i);
        to_end[i] = a64_b(e);
    }
    a64_patch(e->base, at[0], p->leave[LEFT_DISPATCH]);
    a64_patch(e->base, at[1], p->leave[LEFT_BUDGET]);
    for (unsigned i = 0; i <= LEFT_RESOLVE; i++) a64_patch(e->base, to_end[i], e->at);
    store_slot(e, A64_LINK, JIT_SLOT_LINK);
    store_slot(e, A64_COUNTS, JIT_SLOT_COUNTS);
    pinned(e, j, false);
    fp_leave(e);
    callee_saved(e, true);
    a64_add_imm(e, true, A64_SP, A64_SP, ENTER_BYTES);
    emit32(e, 0xd65f03c0u);

    p->gate = gate(e, p, j, false);
    p->gate_all = gate(e, p, j, true);
    p->jump_to = e->at;
    e->prologue = p;
    jump_cached(e);
}

void a64_call(struct emit *e, uint32_t place, bool all)
{
    a64_imm(e, A64_T0, place);
    store_slot(e, A64_T0, JIT_SLOT_PLACE);
    a64_bl_to(e, all ? e->prologue->gate_all : e->prologue->gate);
}

/* ---- ends ---- */

static void count(struct emit *e, int32_t counts, bool poll, jit_patch out[2])
{
    a64_imm(e, A64_T0, (uint64_t)(int64_t)counts);
    a64_rrr(e, 0xab000000u, A64_COUNTS, A64_COUNTS, A64_T0);         /* adds */
    out[0] = a64_b_cond(e, A64_MI);
    if (!poll) return;
    a64_ldr(e, LDR_W, A64_T0, A64_BASE, A64_FIELD(request), 2);
    emit32(e, 0x35000000u | A64_T0);                                 /* cbnz */
    out[1] = e->at - 4;
}

static void count_excess(struct emit *e, unsigned accesses)
{
    load_slot(e, A64_T1, JIT_SLOT_EXCESS);
    a64_add_imm(e, true, A64_T1, A64_T1, (int32_t)accesses);
    store_slot(e, A64_T1, JIT_SLOT_EXCESS);
}

/* Over an unconditional branch, which reaches all of the code memory. */
static jit_patch branch(struct emit *e, const struct jit_compare *c)
{
    unsigned cc = a64_compare(e, c);
    emit32(e, 0x54000000u | 2u << 5 | (cc ^ 1));
    return a64_b(e);
}

static void leave(struct emit *e, uint32_t link, uint32_t to)
{
    a64_imm(e, A64_LINK, link);
    a64_b_to(e, to);
}

const struct jit_target JIT_A64 = {
    .name = "a64",
    .scratch = { 0, 1, 2 },
    .temps = { 4, 5, 6, 7, 8, 9, NO_REG },
    .pins = { 19, 20, 21, 22, 23, 24, 25, 10, 11, 12, 13, 14, 15, NO_REG },
    .fp_temps = { 2, 3, 4, 5, 6, 7, NO_REG },
    .fp_pins = { 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, NO_REG },
    .is_tiny_before = false,                                         /* as seen through fp.c */
    .features = features, .fp_flags = a64_fp_flags,
    .prologue = prologue,
    .mov = a64_mov, .imm = a64_imm, .load_slot = load_slot, .store_slot = store_slot, .store_slot_imm = store_slot_imm,
    .fp_mov = fp_mov, .fp_load_slot = fp_load_slot, .fp_store_slot = fp_store_slot, .fp_from = a64_fp_from, .fp_to = a64_fp_to,
    .binary = a64_binary, .binary_imm = a64_binary_imm, .unary = a64_unary, .extend = a64_extend, .field = a64_field,
    .fits_compare = a64_fits_compare, .set_if = a64_set_if, .select = a64_select, .fence = a64_fence,
    .fp = a64_fp, .access = a64_access, .call = a64_call, .stubs = a64_stubs,
    .count = count, .count_excess = count_excess, .branch = branch, .jump = a64_b, .go = a64_b_to, .leave = leave,
    .jump_cached = jump_cached, .jump_cached_to = jump_cached_to, .patch = a64_patch,
};
