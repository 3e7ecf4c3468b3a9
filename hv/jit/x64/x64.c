// SPDX-License-Identifier: Apache-2.0
/* The x64 back end: entering and leaving, gates to C, ends of blocks, and the table that lower.c works with. Follows the System V
 * ABI at its edges (integer arguments rdi, rsi, rdx, rcx; results rax, rdx). */
#include "hv/jit/x64/x64.h"

static const uint8_t saved[] = { RBX, RBP, R12, R13, R14, R15 };
static const uint8_t callers[] = { RSI, RDI, R8, R9, R10, R11 };             /* that C may change */
enum { FIRST_XMM = 1, XMMS = 15, GATE_BYTES = 168 };                         /* 6 registers, 15 halves */
_Static_assert(sizeof callers * 8 + XMMS * 8 <= GATE_BYTES && GATE_BYTES % 16 == 8, "room, and rsp aligned for C");

#if defined(__x86_64__)
/* Zeros where the CPU has no such leaf. */
static bool cpuid(uint32_t leaf, unsigned *a, unsigned *b, unsigned *c, unsigned *d)
{
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "0"(leaf & 0x80000000), "2"(0));
    if (*a < leaf) return false;
    __asm__ volatile("cpuid" : "=a"(*a), "=b"(*b), "=c"(*c), "=d"(*d) : "0"(leaf), "2"(0));
    return true;
}
#endif

uint32_t x64_features(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d, f = 0;
    if (cpuid(1, &a, &b, &c, &d)) {
        bool has_avx_state = false;
        if (c >> 27 & 1) {                                   /* OSXSAVE: XCR0 may be read */
            uint32_t low, high;
            __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
            has_avx_state = (low & 6) == 6;
        }
        if (c >> 12 & 1 && has_avx_state) f |= X64_FMA;
        if (c >> 23 & 1) f |= X64_POPCNT;
    }
    if (cpuid(7, &a, &b, &c, &d) && b >> 3 & 1) f |= X64_TZCNT;
    if (cpuid(0x80000001, &a, &b, &c, &d) && c >> 5 & 1) f |= X64_LZCNT;
    return f;
#else
    return 0;
#endif
}

static void load_slot(struct emit *e, uint8_t d, unsigned slot)     { x64_rm(e, 0x8b | X_W, d, RBP, X64_SLOT(slot)); }
static void store_slot(struct emit *e, uint8_t a, unsigned slot)    { x64_rm(e, 0x89 | X_W, a, RBP, X64_SLOT(slot)); }
static void fp_mov(struct emit *e, uint8_t d, uint8_t a)            { if (d != a) x64_rr(e, 0x28 | X_0F, d, a); }
static void fp_load_slot(struct emit *e, uint8_t d, unsigned slot)  { x64_rm(e, 0x10 | X_0F | X_F2, d, RBP, X64_SLOT(slot)); }
static void fp_store_slot(struct emit *e, uint8_t a, unsigned slot) { x64_rm(e, 0x11 | X_0F | X_F2, a, RBP, X64_SLOT(slot)); }
static void fp_from(struct emit *e, uint8_t d, uint8_t a)           { x64_rr(e, 0x6e | X_0F | X_66 | X_W, d, a); }
static void fp_to(struct emit *e, uint8_t d, uint8_t a)             { x64_rr(e, 0x7e | X_0F | X_66 | X_W, a, d); }
static void imm(struct emit *e, uint8_t d, uint64_t v)              { x64_mov_imm(e, d, v); }
static bool fits_compare(int64_t v)                                 { return v == (int32_t)v; }

static bool store_slot_imm(struct emit *e, uint64_t v, unsigned slot)
{
    if (v != (uint64_t)(int64_t)(int32_t)v) return false;
    x64_rm(e, 0xc7 | X_W, 0, RBP, X64_SLOT(slot));
    emit32(e, (uint32_t)v);
    return true;
}

/* ---- prologue ---- */

static void mxcsr(struct emit *e, bool is_load, int32_t disp)       { x64_rm(e, 0xae | X_0F, is_load ? 2 : 3, RBP, disp); }

/* The host's control word comes back, ours is told to C. */
static void fp_leave(struct emit *e)
{
    mxcsr(e, false, X64_SLOT(JIT_SLOT_HOST_FP) + 4);
    mxcsr(e, true, X64_SLOT(JIT_SLOT_HOST_FP));
}
static void fp_come(struct emit *e, const struct jit_prologue *p)   { x64_rip(e, 0xae | X_0F, 2, p->constants + X64_MXCSR); }

static void pinned(struct emit *e, const struct jit *j, bool is_load)
{
    for (unsigned slot = 0; slot < VCPU_SLOTS; slot++) {
        if (j->pin[0][slot] != NO_REG) (is_load ? load_slot : store_slot)(e, j->pin[0][slot], slot);
        if (j->pin[1][slot] != NO_REG) (is_load ? fp_load_slot : fp_store_slot)(e, j->pin[1][slot], slot);
    }
}

static void load_tlb(struct emit *e) { x64_rm(e, 0x8b | X_W, R14, RBP, X64_FIELD(mmu.tlb_data)); }

static void callers_saved(struct emit *e, bool is_load)
{
    for (unsigned i = 0; i < sizeof callers; i++) x64_rm(e, (is_load ? 0x8bu : 0x89u) | X_W, callers[i], RSP, (int32_t)(8 * i));
    for (unsigned i = 0; i < XMMS; i++) {
        x64_rm(e, (is_load ? 0x10u : 0x11u) | X_0F | X_F2, FIRST_XMM + i, RSP, (int32_t)(8 * (sizeof callers + i)));
    }
}

static uint32_t gate(struct emit *e, const struct jit_prologue *p, const struct jit *j, bool all)
{
    uint32_t start = e->at;
    if (all) pinned(e, j, false);
    x64_alu_imm(e, ALU_SUB, true, RSP, GATE_BYTES);
    callers_saved(e, false);
    store_slot(e, R15, JIT_SLOT_COUNTS);
    fp_leave(e);
    x64_mov(e, RSI, RAX);
    x64_rr(e, 0x87 | X_W, RCX, RDX);                         /* xchg: b and c */
    x64_rm(e, 0x8d | X_W, RDI, RBP, -X64_BIAS);
    x64_mov_imm(e, RAX, (uint64_t)(uintptr_t)jit_call);
    x64_rr(e, 0xff, 2, RAX);
    fp_come(e, p);
    callers_saved(e, true);
    load_tlb(e);
    x64_alu_imm(e, ALU_ADD, true, RSP, GATE_BYTES);
    if (all) pinned(e, j, true);
    x64_rr(e, 0x85, RDX, RDX);
    uint32_t failed = x64_jcc(e, CC_E);
    emit8(e, 0xc3);
    x64_patch(e->base, failed, e->at);                       /* a fault: not back to the block, but out */
    x64_alu_imm(e, ALU_ADD, true, RSP, 8);
    load_slot(e, R15, JIT_SLOT_COUNTS);
    x64_rr(e, 0x31, RDX, RDX);
    x64_jmp_to(e, p->leave[LEFT_FAULT]);
    return start;
}

static void constant(struct emit *e, uint64_t low, uint64_t high)
{
    emit32(e, (uint32_t)low), emit32(e, (uint32_t)(low >> 32));
    emit32(e, (uint32_t)high), emit32(e, (uint32_t)(high >> 32));
}

void x64_prologue(struct emit *e, struct jit_prologue *p, const struct jit *j)
{
    uint32_t patch[LEFT_RESOLVE + 1];
    *p = (struct jit_prologue){ .constants = e->at };
    constant(e, FP64_CANONICAL_NAN, 0);
    constant(e, FP32_CANONICAL_NAN, 0);
    constant(e, 1ull << 63, 0);
    constant(e, 1ull << 31, 0);
    constant(e, 0xffffffff00000000ull, 0);
    constant(e, 0x1f80, 0);                                  /* MXCSR: all masked, nearest, no flags */

    p->enter = e->at;
    for (unsigned i = 0; i < sizeof saved; i++) x64_rr(e, 0xff, 6, saved[i]);
    x64_alu_imm(e, ALU_SUB, true, RSP, 8);
    x64_rm(e, 0x8d | X_W, RBP, RDI, X64_BIAS);
    x64_mov(e, RAX, RSI);
    mxcsr(e, false, X64_SLOT(JIT_SLOT_HOST_FP));
    fp_come(e, p);
    load_slot(e, R15, JIT_SLOT_COUNTS);
    load_tlb(e);
    pinned(e, j, true);
    x64_rr(e, 0xff, 4, RAX);                                 /* jmp */

    p->leave_at = e->at;
    x64_rm(e, 0x89 | X_W, RAX, RBP, X64_FIELD(regs.pc));
    x64_rr(e, 0x31, RDX, RDX);
    patch[0] = x64_jmp(e);
    p->budget_at = e->at;
    x64_rm(e, 0x89 | X_W, RAX, RBP, X64_FIELD(regs.pc));
    x64_rr(e, 0x31, RDX, RDX);
    patch[1] = x64_jmp(e);

    uint32_t to_end[LEFT_RESOLVE + 1];
    for (unsigned i = 0; i <= LEFT_RESOLVE; i++) {
        p->leave[i] = e->at;
        x64_mov_imm(e, RAX, i);
        to_end[i] = x64_jmp(e);
    }
    x64_patch(e->base, patch[0], p->leave[LEFT_DISPATCH]);
    x64_patch(e->base, patch[1], p->leave[LEFT_BUDGET]);
    for (unsigned i = 0; i <= LEFT_RESOLVE; i++) x64_patch(e->base, to_end[i], e->at);
    store_slot(e, RDX, JIT_SLOT_LINK);
    store_slot(e, R15, JIT_SLOT_COUNTS);
    pinned(e, j, false);
    fp_leave(e);
    x64_alu_imm(e, ALU_ADD, true, RSP, 8);
    for (unsigned i = sizeof saved; i-- > 0;) x64_rr(e, 0x8f, 0, saved[i]);
    emit8(e, 0xc3);

    p->gate = gate(e, p, j, false);
    p->gate_all = gate(e, p, j, true);
    p->jump_to = e->at;
    e->prologue = p;
    JIT_X64.jump_cached(e);
}

void x64_call(struct emit *e, uint32_t place, bool all)
{
    x64_rm(e, 0xc7, 0, RBP, X64_SLOT(JIT_SLOT_PLACE));
    emit32(e, place);
    x64_call_to(e, all ? e->prologue->gate_all : e->prologue->gate);
}

/* ---- ends ---- */

static void count(struct emit *e, int32_t counts, bool poll, jit_patch out[2])
{
    x64_alu_imm(e, ALU_ADD, true, R15, counts);
    out[0] = x64_jcc(e, CC_S);
    if (!poll) return;
    x64_rm(e, 0x83, ALU_CMP, RBP, X64_FIELD(request));
    emit8(e, 0);
    out[1] = x64_jcc(e, CC_NE);
}

static void count_excess(struct emit *e, unsigned accesses)
{
    x64_rm(e, 0x81 | X_W, ALU_ADD, RBP, X64_SLOT(JIT_SLOT_EXCESS));
    emit32(e, accesses);
}

static jit_patch branch(struct emit *e, const struct jit_compare *c) { return x64_jcc(e, x64_compare(e, c)); }

static void leave(struct emit *e, uint32_t link, uint32_t to)
{
    x64_mov_imm(e, RDX, link);
    x64_jmp_to(e, to);
}

/* The line at line + offset, of the cache at rdx, for the pc in rax. */
static void compare_and_jump(struct emit *e, unsigned line, int32_t offset)
{
    unsigned tag = line == RDX ? RCX : RDX;
    x64_rm(e, 0x39 | X_W, RAX, line, offset + (int32_t)offsetof(struct jump_entry, pc));
    uint32_t miss = x64_jcc(e, CC_NE);
    x64_rm(e, 0x8b | X_W, tag, RDX, offsetof(struct jit, blocks.tag));
    x64_rm(e, 0x39 | X_W, tag, line, offset + (int32_t)offsetof(struct jump_entry, tag));
    uint32_t stale = x64_jcc(e, CC_NE);
    x64_rm(e, 0xff, 4, line, offset + (int32_t)offsetof(struct jump_entry, entry));
    if (e->is_full) return;
    x64_patch(e->base, miss, e->prologue->leave_at);
    x64_patch(e->base, stale, e->prologue->leave_at);
}

static void jump_cached(struct emit *e)
{
    _Static_assert(offsetof(struct jit, blocks.jump) == 0, "the cache is where engine_state points");
    x64_rm(e, 0x8b | X_W, RDX, RBP, X64_FIELD(engine_state));
    x64_rr(e, 0x8b, RCX, RAX);
    x64_shift_imm(e, SH_SHL, false, RCX, 4);
    x64_alu_imm(e, ALU_AND, false, RCX, (BLOCKS_JUMPS - 1) << 5);
    x64_rr(e, 0x03 | X_W, RCX, RDX);
    compare_and_jump(e, RCX, 0);
}

static void jump_cached_to(struct emit *e, uint64_t pc)
{
    x64_rm(e, 0x8b | X_W, RDX, RBP, X64_FIELD(engine_state));
    x64_mov_imm(e, RAX, pc);
    compare_and_jump(e, RDX, (int32_t)((pc >> 1 & (BLOCKS_JUMPS - 1)) * sizeof(struct jump_entry)));
}

const struct jit_target JIT_X64 = {
    .name = "x64",
    .scratch = { RAX, RCX, RDX },
    .temps = { R11, R12, R13, NO_REG },
    .pins = { RBX, RSI, RDI, R8, R9, R10, NO_REG },
    .fp_temps = { 1, 2, 3, 4, NO_REG },
    .fp_pins = { 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, NO_REG },
    .is_tiny_before = false,
    .features = x64_features, .fp_flags = x64_fp_flags,
    .prologue = x64_prologue,
    .mov = x64_mov, .imm = imm, .load_slot = load_slot, .store_slot = store_slot, .store_slot_imm = store_slot_imm,
    .fp_mov = fp_mov, .fp_load_slot = fp_load_slot, .fp_store_slot = fp_store_slot, .fp_from = fp_from, .fp_to = fp_to,
    .binary = x64_binary, .binary_imm = x64_binary_imm, .unary = x64_unary, .extend = x64_extend, .field = x64_field,
    .binary_slot = x64_binary_slot, .extend_slot = x64_extend_slot, .fits_compare = fits_compare, .set_if = x64_set_if, .select = x64_select, .fence = x64_fence,
    .fp = x64_fp, .fp_unchecked = x64_fp_unchecked, .if_nan = x64_if_nan, .if_nan_slot = x64_if_nan_slot,
    .access = x64_access, .call = x64_call, .stubs = x64_stubs,
    .count = count, .count_excess = count_excess, .branch = branch, .jump = x64_jmp, .go = x64_jmp_to, .leave = leave,
    .jump_cached = jump_cached, .jump_cached_to = jump_cached_to, .patch = x64_patch,
};
