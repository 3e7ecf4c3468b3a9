// SPDX-License-Identifier: Apache-2.0
/* The nastiest instructions of x86_64, arm64 and ppc64, lifted by hand: the proof that the IR carries four ISAs. Each is
 * built, verified, run on the interpreter in awkward states, and compared with a plain C model; and docs/ir.md shows
 * each in the words that ir_dump prints (IR_TEXT=1 prints them all). */
#include "test/unit/ir_model.h"
#include "test/unit/ir_rig.h"

#define NEXT_PC 0x1100ull
enum { SLOTS = 80, STATES = 600 };

/* Registers' slots. One truth value a slot for each flag and CR bit: what nobody reads is deleted one by one. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, X86_CF = 32, X86_PF, X86_AF, X86_ZF, X86_SF, X86_OF, XMM = 40 };
enum { ARM_N = 32, ARM_Z, ARM_C, ARM_V };
enum { PPC_CR = 32, CR_LT = 0, CR_GT, CR_EQ, CR_SO, PPC_CTR = 65, PPC_CA, PPC_SO };
enum { FIRST_TRUTH = 32, LAST_TRUTH = 63, XER_FIRST = PPC_CA, XER_LAST = PPC_SO };

/* ---- words for lifting; a call has at most one argument that emits, since C leaves their order open ---- */
static struct ir_block *b;
static ir_ref k(enum ir_type t, uint64_t v)                         { return ir_const(b, t, v); }
static ir_ref get(unsigned slot)                                    { return ir_get(b, IR_I64, slot); }
static ir_ref get32(unsigned slot)                                  { return ir_un(b, IR_TRUNC, IR_I32, get(slot)); }
static ir_ref flag(unsigned slot)                                   { return ir_get(b, IR_I1, slot); }
static void   set(unsigned slot, ir_ref v)                          { ir_set(b, slot, v); }
static ir_ref bin(enum ir_op op, enum ir_type t, ir_ref x, ir_ref y){ return ir_bin(b, op, t, x, y); }
static ir_ref un(enum ir_op op, enum ir_type t, ir_ref x)           { return ir_un(b, op, t, x); }
static ir_ref with(enum ir_op op, enum ir_type t, ir_ref x, ir_ref y, ir_ref carry) { return ir_emit(b, op, t, x, y, carry, 0); }
static ir_ref not1(ir_ref c)                                        { return bin(IR_XOR, IR_I1, c, k(IR_I1, 1)); }
static ir_ref field(enum ir_type t, ir_ref x, unsigned lsb, unsigned length) { return ir_emit(b, IR_EXTRACT, t, x, IR_NONE, IR_NONE, ir_field(lsb, length)); }
static ir_ref put(enum ir_type t, ir_ref x, ir_ref y, unsigned lsb, unsigned length) { return ir_emit(b, IR_DEPOSIT, t, x, y, IR_NONE, ir_field(lsb, length)); }
static ir_ref address(unsigned slot, int64_t offset)
{
    ir_ref base = get(slot);
    return bin(IR_ADD, IR_I64, base, k(IR_I64, (uint64_t)offset));
}
static void   end(struct ir_end e)                                  { ir_end(b, e); }

/* ---- the models' world ---- */
struct world { uint64_t r[SLOTS]; uint8_t data[RIG_DATA_BYTES]; uint64_t pc; bool faulted; };
static struct world want;
static uint64_t *const r = want.r;

static bool may(uint64_t at, unsigned bytes, bool aligned)
{
    bool ok = at - RIG_DATA <= RIG_DATA_BYTES - bytes && !(aligned && at % bytes);
    want.faulted |= !ok;
    return ok;
}
static uint64_t peek(uint64_t at, unsigned bytes, bool big)
{
    uint64_t v = 0;
    for (unsigned n = 0; n < bytes; n++) v |= (uint64_t)want.data[at - RIG_DATA + (big ? bytes - 1 - n : n)] << 8 * n;
    return v;
}
static void poke(uint64_t at, unsigned bytes, bool big, uint64_t v)
{
    for (unsigned n = 0; n < bytes; n++) want.data[at - RIG_DATA + (big ? bytes - 1 - n : n)] = (uint8_t)(v >> 8 * n);
}
static bool even(uint64_t v) { return !(__builtin_popcount((uint8_t)v) & 1); }

/* Where an access may go: in the data, at its edges, beside it, aligned or not. */
static uint64_t somewhere(unsigned bytes)
{
    switch (test_random() % 6) {
    case 0:  return RIG_NOTHING - test_random() % (2 * bytes + 1);
    case 1:  return RIG_DATA + test_random() % 4096;
    case 2:  return RIG_NOTHING + 64;
    case 3:  return RIG_DATA + 4096 - test_random() % bytes;
    default: return RIG_DATA + test_random() % 256 * 16;
    }
}

/* ======== x86_64 ======== */
/* Flags of x + y + c = sum; sub: of x - y - c. */
static void x86_flags(enum ir_type t, bool sub, ir_ref x, ir_ref y, ir_ref c, ir_ref sum)
{
    set(X86_CF, with(sub ? IR_BORROW : IR_CARRY, IR_I1, x, y, c));
    set(X86_OF, with(sub ? IR_SUBOV : IR_ADDOV, IR_I1, x, y, c));
    set(X86_AF, un(IR_TRUNC, IR_I1, field(t, bin(IR_XOR, t, bin(IR_XOR, t, x, y), sum), 4, 1)));
    set(X86_ZF, bin(IR_EQ, IR_I1, sum, k(t, 0)));
    set(X86_SF, bin(IR_SLT, IR_I1, sum, k(t, 0)));
    set(X86_PF, not1(un(IR_TRUNC, IR_I1, un(IR_POPCNT, IR_I8, un(IR_TRUNC, IR_I8, sum)))));
}
static void x86_model_flags(unsigned bits, bool sub, uint64_t x, uint64_t y, bool c)
{
    u128 mask = ((u128)1 << bits) - 1, ux = x & mask, uy = y & mask, sum = (sub ? ux - uy - c : ux + uy + c) & mask;
    s128 exact = sub ? model_sign(ux, bits) - model_sign(uy, bits) - c : model_sign(ux, bits) + model_sign(uy, bits) + c;
    r[X86_CF] = sub ? ux < uy + c : ux + uy + c > mask;
    r[X86_OF] = !model_fits(exact, bits);
    r[X86_AF] = sub ? (ux & 15) < (uy & 15) + c : (ux & 15) + (uy & 15) + c > 15;
    r[X86_ZF] = !sum;
    r[X86_SF] = model_bit(sum, bits - 1);
    r[X86_PF] = even((uint64_t)sum);
}

static void x86_adc(unsigned n)                     /* add rax, rcx; adc rdx, rbx */
{
    ir_ref x = get(n ? RDX : RAX), y = get(n ? RBX : RCX), c = n ? flag(X86_CF) : k(IR_I1, 0);
    ir_ref sum = with(IR_ADC, IR_I64, x, y, c);
    x86_flags(IR_I64, false, x, y, c, sum);
    set(n ? RDX : RAX, sum);
}
static void x86_adc_model(void)
{
    u128 sum = ((u128)r[RDX] << 64 | r[RAX]) + ((u128)r[RBX] << 64 | r[RCX]);
    bool c = (u128)r[RAX] + r[RCX] > ~0ull;
    x86_model_flags(64, false, r[RDX], r[RBX], c);
    r[RAX] = (uint64_t)sum, r[RDX] = (uint64_t)(sum >> 64);
}

static void x86_sbb(unsigned n)                     /* sub rax, rcx; sbb edx, ebx */
{
    enum ir_type t = n ? IR_I32 : IR_I64;
    ir_ref x = n ? get32(RDX) : get(RAX), y = n ? get32(RBX) : get(RCX), c = n ? flag(X86_CF) : k(IR_I1, 0);
    ir_ref rest = with(IR_SBB, t, x, y, c);
    x86_flags(t, true, x, y, c, rest);
    set(n ? RDX : RAX, rest);
}
static void x86_sbb_model(void)
{
    bool c = r[RAX] < r[RCX];
    r[RAX] -= r[RCX];
    x86_model_flags(32, true, r[RDX], r[RBX], c);
    r[RDX] = (uint32_t)(r[RDX] - r[RBX] - c);
}

static void x86_shl(unsigned n)                     /* shl eax, cl: a count of 0 keeps every flag */
{
    (void)n;
    ir_ref x = get32(RAX), cl = un(IR_TRUNC, IR_I8, get(RCX)), count = bin(IR_AND, IR_I8, cl, k(IR_I8, 31));
    ir_ref keep = bin(IR_EQ, IR_I1, count, k(IR_I8, 0)), y = bin(IR_SHL, IR_I32, x, count);
    ir_ref out = un(IR_TRUNC, IR_I1, bin(IR_SHR, IR_I32, x, un(IR_NEG, IR_I8, count)));
    ir_ref is_negative = bin(IR_SLT, IR_I1, y, k(IR_I32, 0)), overflow = bin(IR_XOR, IR_I1, is_negative, out);
    ir_ref is_zero = bin(IR_EQ, IR_I1, y, k(IR_I32, 0)), is_even = not1(un(IR_TRUNC, IR_I1, un(IR_POPCNT, IR_I8, un(IR_TRUNC, IR_I8, y))));
    set(X86_CF, ir_sel(b, IR_I1, keep, flag(X86_CF), out));
    set(X86_OF, ir_sel(b, IR_I1, keep, flag(X86_OF), overflow));
    set(X86_SF, ir_sel(b, IR_I1, keep, flag(X86_SF), is_negative));
    set(X86_ZF, ir_sel(b, IR_I1, keep, flag(X86_ZF), is_zero));
    set(X86_PF, ir_sel(b, IR_I1, keep, flag(X86_PF), is_even));
    set(RAX, y);
}
static void x86_shl_model(void)
{
    unsigned count = r[RCX] & 31;
    uint32_t y = (uint32_t)r[RAX] << count;
    if (count) {
        r[X86_CF] = r[RAX] >> (32 - count) & 1;
        r[X86_OF] = y >> 31 ^ r[X86_CF];
        r[X86_SF] = y >> 31, r[X86_ZF] = !y, r[X86_PF] = even(y);
    }
    r[RAX] = y;
}

static void x86_high(unsigned n)                    /* add ah, bl */
{
    (void)n;
    ir_ref x = un(IR_TRUNC, IR_I8, field(IR_I64, get(RAX), 8, 8)), y = un(IR_TRUNC, IR_I8, get(RBX)), sum = bin(IR_ADD, IR_I8, x, y);
    x86_flags(IR_I8, false, x, y, k(IR_I1, 0), sum);
    set(RAX, put(IR_I64, get(RAX), un(IR_ZEXT, IR_I64, sum), 8, 8));
}
static void x86_high_model(void)
{
    uint8_t x = (uint8_t)(r[RAX] >> 8), y = (uint8_t)r[RBX];
    x86_model_flags(8, false, x, y, false);
    r[RAX] = (r[RAX] & ~0xff00ull) | (uint64_t)(uint8_t)(x + y) << 8;
}

static void x86_push(unsigned n)                    /* push rbx: rsp moves only if the store went well */
{
    (void)n;
    ir_ref at = address(RSP, -8);
    ir_store(b, at, get(RBX), MEM_64);
    set(RSP, at);
}
static void x86_push_state(void) { r[RSP] = somewhere(8) + 8; }
static void x86_push_model(void)
{
    if (!may(r[RSP] - 8, 8, false)) return;
    poke(r[RSP] - 8, 8, false, r[RBX]);
    r[RSP] -= 8;
}

static void x86_call(unsigned n)                    /* call 0x2000 */
{
    (void)n;
    ir_ref at = address(RSP, -8);
    ir_store(b, at, k(IR_I64, RIG_CODE + 4), MEM_64);
    set(RSP, at);
    end((struct ir_end){ .kind = IR_END_JUMP, .hint = IR_HINT_CALL, .value = IR_NONE, .taken = { 0x2000 } });
}
static void x86_call_model(void)
{
    if (!may(r[RSP] - 8, 8, false)) return;
    poke(r[RSP] - 8, 8, false, RIG_CODE + 4);
    r[RSP] -= 8;
    want.pc = 0x2000;
}

static void x86_cmpxchg(unsigned n)                 /* lock cmpxchg [rdi], ecx */
{
    (void)n;
    ir_ref eax = get32(RAX), ecx = get32(RCX), old = ir_emit(b, IR_CAS, IR_I32, get(RDI), eax, ecx, MEM_32 | MEM_ACQUIRE | MEM_RELEASE);
    ir_ref rest = bin(IR_SUB, IR_I32, eax, old);
    x86_flags(IR_I32, true, eax, old, k(IR_I1, 0), rest);
    set(RAX, ir_sel(b, IR_I64, flag(X86_ZF), get(RAX), un(IR_ZEXT, IR_I64, old)));
}
static void x86_cmpxchg_state(void)
{
    r[RDI] = somewhere(4);
    if (may(r[RDI], 4, true) && test_random() % 2) r[RAX] = (r[RAX] & ~0xffffffffull) | peek(r[RDI], 4, false);
    want.faulted = false;
}
static void x86_cmpxchg_model(void)
{
    if (!may(r[RDI], 4, true)) return;
    uint64_t old = peek(r[RDI], 4, false);
    x86_model_flags(32, true, r[RAX], old, false);
    if (r[X86_ZF]) poke(r[RDI], 4, false, r[RCX]);
    else r[RAX] = old;
}

/* rep movsb: a block has no inner branch, so the accesses that may not happen at all are a helper's. It copies to a page's
 * end at most (an interrupt may come between), and a fault finds rcx, rsi and rdi at the byte that did not go. */
static uint64_t rep_movsb(struct vcpu *v, uint64_t a, uint64_t c, uint64_t d)
{
    uint64_t *slot = v->regs.slot, value;
    (void)a, (void)c, (void)d;
    while (slot[RCX]) {
        struct fault why;
        if (!mmu_load(&v->mmu, guest_addr_make(slot[RSI]), 1, &value, &why) || !mmu_store(&v->mmu, guest_addr_make(slot[RDI]), 1, value, &why)) {
            v->fault = why;
            return 0;
        }
        slot[RCX]--, slot[RSI]++, slot[RDI]++;
        if (!(slot[RDI] & 4095)) break;
    }
    return !slot[RCX];
}
static const struct ir_helper REP_MOVSB = { "rep_movsb", rep_movsb, HELPER_MAY_FAULT };
static void x86_rep(unsigned n)
{
    (void)n;
    ir_ref is_done = ir_call(b, IR_I1, &REP_MOVSB, IR_NONE, IR_NONE, IR_NONE);
    end((struct ir_end){ .kind = IR_END_BRANCH, .value = is_done, .taken = { NEXT_PC }, .fall = { RIG_CODE } });
}
static void x86_rep_state(void) { r[RCX] = test_random() % 200, r[RSI] = somewhere(8), r[RDI] = somewhere(64); }
static void x86_rep_model(void)
{
    for (; r[RCX]; r[RCX]--, r[RSI]++, r[RDI]++) {
        if (!may(r[RSI], 1, false) || !may(r[RDI], 1, false)) return;
        poke(r[RDI], 1, false, peek(r[RSI], 1, false));
    }
}

static void x86_pxor(unsigned n)                    /* movdqu xmm0, [rdi]; pxor xmm0, xmm1 */
{
    if (!n) {
        set(XMM, ir_load(b, IR_V128, get(RDI), MEM_128));
        return;
    }
    ir_ref x = ir_get(b, IR_V128, XMM), y = ir_get(b, IR_V128, XMM + 2);
    set(XMM, bin(IR_XOR, IR_V128, x, y));
}
static void x86_pxor_state(void) { r[RDI] = somewhere(16); }
static void x86_pxor_model(void)
{
    if (!may(r[RDI], 16, false)) return;
    r[XMM] = peek(r[RDI], 8, false) ^ r[XMM + 2];
    r[XMM + 1] = peek(r[RDI] + 8, 8, false) ^ r[XMM + 3];
}

/* ======== arm64 ======== */
static void arm_flags_sub(ir_ref x, ir_ref y, ir_ref out[4])
{
    ir_ref rest = bin(IR_SUB, IR_I64, x, y);
    out[0] = bin(IR_SLT, IR_I1, rest, k(IR_I64, 0));
    out[1] = bin(IR_EQ, IR_I1, rest, k(IR_I64, 0));
    out[2] = bin(IR_ULE, IR_I1, y, x);              /* C is "no borrow" */
    out[3] = with(IR_SUBOV, IR_I1, x, y, k(IR_I1, 0));
}
static void arm_ccmp(unsigned n)                    /* adds x0, x1, x2; ccmp x0, #5, #4, ne */
{
    if (!n) {
        ir_ref x = get(1), y = get(2), zero = k(IR_I1, 0), sum = bin(IR_ADD, IR_I64, x, y);
        set(ARM_N, bin(IR_SLT, IR_I1, sum, k(IR_I64, 0)));
        set(ARM_Z, bin(IR_EQ, IR_I1, sum, k(IR_I64, 0)));
        set(ARM_C, with(IR_CARRY, IR_I1, x, y, zero));
        set(ARM_V, with(IR_ADDOV, IR_I1, x, y, zero));
        set(0, sum);
        return;
    }
    ir_ref compared[4], is_equal = flag(ARM_Z);
    arm_flags_sub(get(0), k(IR_I64, 5), compared);
    for (unsigned f = 0; f < 4; f++) set(ARM_N + f, ir_sel(b, IR_I1, is_equal, k(IR_I1, f == 1), compared[f]));
}
static void arm_ccmp_model(void)
{
    r[0] = r[1] + r[2];
    bool z = !r[0];
    r[ARM_N] = z ? 0 : (r[0] - 5) >> 63;
    r[ARM_Z] = z || r[0] == 5;
    r[ARM_C] = z ? 0 : r[0] >= 5;
    r[ARM_V] = z ? 0 : !model_fits((s128)(int64_t)r[0] - 5, 64);
}

static void arm_ldp(unsigned n)                     /* ldp x1, x2, [x3], #16: both loads, then the three registers */
{
    (void)n;
    ir_ref base = get(3), one = ir_load(b, IR_I64, base, MEM_64), two = ir_load(b, IR_I64, address(3, 8), MEM_64);
    set(1, one);
    set(2, two);
    set(3, address(3, 16));
}
static void arm_ldp_state(void) { r[3] = somewhere(16); }
static void arm_ldp_model(void)
{
    if (!may(r[3], 8, false) || !may(r[3] + 8, 8, false)) return;
    r[1] = peek(r[3], 8, false), r[2] = peek(r[3] + 8, 8, false);
    r[3] += 16;
}

static void arm_exclusive(unsigned n)               /* ldaxr w1, [x2]; add w1, w1, #1; stlxr w3, w1, [x2] */
{
    ir_ref at = get(2), w1 = n ? get32(1) : IR_NONE;
    if (n == 0) set(1, ir_emit(b, IR_LL, IR_I32, at, IR_NONE, IR_NONE, MEM_32 | MEM_ALIGNED | MEM_ACQUIRE));
    else if (n == 1) set(1, bin(IR_ADD, IR_I32, w1, k(IR_I32, 1)));
    else set(3, not1(ir_emit(b, IR_SC, IR_I1, at, w1, IR_NONE, MEM_32 | MEM_ALIGNED | MEM_RELEASE)));
}
static void arm_exclusive_state(void) { r[2] = somewhere(4); }
static void arm_exclusive_model(void)
{
    if (!may(r[2], 4, true)) return;
    r[1] = (uint32_t)(peek(r[2], 4, false) + 1);
    poke(r[2], 4, false, r[1]);
    r[3] = 0;
}

static void arm_casp(unsigned n)                    /* casp x0, x1, x4, x5, [x6] */
{
    (void)n;
    ir_ref low = get(0), high = get(1), expected = bin(IR_PAIR, IR_I128, low, high);
    ir_ref new_low = get(4), new_high = get(5), new = bin(IR_PAIR, IR_I128, new_low, new_high);
    ir_ref old = ir_emit(b, IR_CAS, IR_I128, get(6), expected, new, MEM_128 | MEM_ALIGNED);
    set(0, un(IR_LOW, IR_I64, old));
    set(1, un(IR_HIGH, IR_I64, old));
}
static void arm_casp_state(void)
{
    r[6] = somewhere(16);
    if (may(r[6], 16, true) && test_random() % 2) r[0] = peek(r[6], 8, false), r[1] = peek(r[6] + 8, 8, false);
    want.faulted = false;
}
static void arm_casp_model(void)
{
    if (!may(r[6], 16, true)) return;
    uint64_t low = peek(r[6], 8, false), high = peek(r[6] + 8, 8, false);
    if (low == r[0] && high == r[1]) poke(r[6], 8, false, r[4]), poke(r[6] + 8, 8, false, r[5]);
    r[0] = low, r[1] = high;
}

static void arm_csel(unsigned n)                    /* csel x0, x1, x2, lt; cset x3, hi */
{
    if (n) {
        ir_ref carry = flag(ARM_C), not_zero = not1(flag(ARM_Z));
        set(3, un(IR_ZEXT, IR_I64, bin(IR_AND, IR_I1, carry, not_zero)));
        return;
    }
    ir_ref negative = flag(ARM_N), overflow = flag(ARM_V), less = bin(IR_NE, IR_I1, negative, overflow), x = get(1), y = get(2);
    set(0, ir_sel(b, IR_I64, less, x, y));
}
static void arm_csel_model(void)
{
    r[0] = r[ARM_N] != r[ARM_V] ? r[1] : r[2];
    r[3] = r[ARM_C] && !r[ARM_Z];
}

static void arm_bitfield(unsigned n)                /* bfi x0, x1, #8, #12; ubfx w2, w3, #4, #9 */
{
    if (n) {
        set(2, field(IR_I32, get32(3), 4, 9));
        return;
    }
    ir_ref x = get(0), y = get(1);
    set(0, put(IR_I64, x, y, 8, 12));
}
static void arm_bitfield_model(void)
{
    r[0] = (r[0] & ~0xfff00ull) | (r[1] & 0xfff) << 8;
    r[2] = r[3] >> 4 & 0x1ff;
}

static void arm_operands(unsigned n)                /* add x0, x1, w2, sxtw #2; sub x3, x4, x5, asr #7 */
{
    ir_ref x = get(n ? 4 : 1), y = n ? get(5) : un(IR_SEXT, IR_I64, get32(2));
    y = bin(n ? IR_SAR : IR_SHL, IR_I64, y, k(IR_I8, n ? 7 : 2));
    set(n ? 3 : 0, bin(n ? IR_SUB : IR_ADD, IR_I64, x, y));
}
static void arm_operands_model(void)
{
    r[0] = r[1] + (uint64_t)(int64_t)(int32_t)r[2] * 4;
    r[3] = r[4] - (uint64_t)((int64_t)r[5] >> 7);
}

/* ======== ppc64, big-endian ======== */
static unsigned cr(unsigned bit) { return PPC_CR + bit; }
static void ppc_record(ir_ref v)                    /* CR0 of a result */
{
    set(cr(CR_LT), bin(IR_SLT, IR_I1, v, k(IR_I64, 0)));
    set(cr(CR_GT), bin(IR_SLT, IR_I1, k(IR_I64, 0), v));
    set(cr(CR_EQ), bin(IR_EQ, IR_I1, v, k(IR_I64, 0)));
    set(cr(CR_SO), flag(PPC_SO));
}
static void ppc_rlwimi(unsigned n)                  /* rlwimi r3, r4, 8, 28, 3: a mask that wraps around */
{
    const uint64_t mask = 0xfffffffff000000f;
    (void)n;
    ir_ref source = get32(4), turned = un(IR_ZEXT, IR_I64, bin(IR_ROR, IR_I32, source, k(IR_I8, 24)));
    ir_ref both = bin(IR_OR, IR_I64, turned, bin(IR_SHL, IR_I64, turned, k(IR_I8, 32)));
    ir_ref inserted = bin(IR_AND, IR_I64, both, k(IR_I64, mask)), old = get(3), kept = bin(IR_AND, IR_I64, old, k(IR_I64, ~mask));
    set(3, bin(IR_OR, IR_I64, inserted, kept));
}
static void ppc_rlwimi_model(void)
{
    uint32_t w = (uint32_t)r[4], turned = w << 8 | w >> 24;
    r[3] = (r[3] & 0x0ffffff0) | ((uint64_t)turned << 32 | (turned & 0xf000000f));
}

static void ppc_reserve(unsigned n)                 /* lwarx r3, 0, r4; addi r3, r3, 1; stwcx. r3, 0, r4 */
{
    const uint64_t memop = MEM_32 | MEM_BIG_ENDIAN | MEM_ALIGNED;
    if (n == 0) set(3, ir_emit(b, IR_LL, IR_I32, get(4), IR_NONE, IR_NONE, memop));
    else if (n == 1) set(3, address(3, 1));
    else {
        ir_ref at = get(4), value = get32(3), stored = ir_emit(b, IR_SC, IR_I1, at, value, IR_NONE, memop);
        set(cr(CR_LT), k(IR_I1, 0));
        set(cr(CR_GT), k(IR_I1, 0));
        set(cr(CR_EQ), stored);
        set(cr(CR_SO), flag(PPC_SO));
    }
}
static void ppc_reserve_state(void) { r[4] = somewhere(4); }
static void ppc_reserve_model(void)
{
    if (!may(r[4], 4, true)) return;
    r[3] = peek(r[4], 4, true) + 1;
    poke(r[4], 4, true, r[3]);
    r[cr(CR_LT)] = r[cr(CR_GT)] = 0, r[cr(CR_EQ)] = 1, r[cr(CR_SO)] = r[PPC_SO];
}

static void ppc_carry(unsigned n)                   /* addc r3, r4, r5; adde r6, r7, r8; addze r9, r10 */
{
    ir_ref x = get(n == 0 ? 4 : n == 1 ? 7 : 10), y = n == 0 ? get(5) : n == 1 ? get(8) : k(IR_I64, 0), c = n ? flag(PPC_CA) : k(IR_I1, 0);
    set(n == 0 ? 3 : n == 1 ? 6 : 9, with(IR_ADC, IR_I64, x, y, c));
    set(PPC_CA, with(IR_CARRY, IR_I1, x, y, c));
}
static void ppc_carry_model(void)
{
    u128 one = (u128)r[4] + r[5], two = (u128)r[7] + r[8] + (uint64_t)(one >> 64), three = (u128)r[10] + (uint64_t)(two >> 64);
    r[3] = (uint64_t)one, r[6] = (uint64_t)two, r[9] = (uint64_t)three;
    r[PPC_CA] = three >> 64 != 0;
}

static void ppc_lwbrx(unsigned n)                   /* lwbrx r3, r4, r5: the other byte order is the access's own */
{
    (void)n;
    ir_ref base = get(4), index = get(5);
    set(3, un(IR_ZEXT, IR_I64, ir_load(b, IR_I32, bin(IR_ADD, IR_I64, base, index), MEM_32)));
}
static void ppc_lwbrx_state(void) { r[5] = test_random() % 64, r[4] = somewhere(4) - r[5]; }
static void ppc_lwbrx_model(void)
{
    if (may(r[4] + r[5], 4, false)) r[3] = peek(r[4] + r[5], 4, false);
}

static void ppc_crandc(unsigned n)                  /* crandc 2, 5, 7 */
{
    (void)n;
    ir_ref x = flag(cr(5)), y = not1(flag(cr(7)));
    set(cr(2), bin(IR_AND, IR_I1, x, y));
}
static void ppc_crandc_model(void) { r[cr(2)] = r[cr(5)] && !r[cr(7)]; }

static void ppc_bdnz(unsigned n)                    /* bdnz 0x2000 */
{
    (void)n;
    ir_ref count = address(PPC_CTR, -1);
    set(PPC_CTR, count);
    end((struct ir_end){ .kind = IR_END_BRANCH, .value = bin(IR_NE, IR_I1, count, k(IR_I64, 0)), .taken = { 0x2000 }, .fall = { NEXT_PC } });
}
static void ppc_bdnz_model(void)
{
    if (--r[PPC_CTR]) want.pc = 0x2000;
}

static void ppc_stwu(unsigned n)                    /* stwu r1, -32(r1) */
{
    (void)n;
    ir_ref at = address(1, -32);
    ir_store(b, at, get32(1), MEM_32 | MEM_BIG_ENDIAN);
    set(1, at);
}
static void ppc_stwu_state(void) { r[1] = somewhere(4) + 32; }
static void ppc_stwu_model(void)
{
    if (!may(r[1] - 32, 4, false)) return;
    poke(r[1] - 32, 4, true, r[1]);
    r[1] -= 32;
}

static void ppc_add(unsigned n)                     /* add. r3, r4, r5 */
{
    (void)n;
    ir_ref x = get(4), y = get(5), sum = bin(IR_ADD, IR_I64, x, y);
    set(3, sum);
    ppc_record(sum);
}
static void ppc_add_model(void)
{
    r[3] = r[4] + r[5];
    r[cr(CR_LT)] = r[3] >> 63, r[cr(CR_GT)] = (int64_t)r[3] > 0, r[cr(CR_EQ)] = !r[3], r[cr(CR_SO)] = r[PPC_SO];
}

/* ---- the table, in the page's order ---- */
static const struct stranger { const char *text; unsigned count; void (*lift)(unsigned n), (*state)(void), (*model)(void); } strangers[] = {
    { "x86_64: add rax, rcx; adc rdx, rbx",                          2, x86_adc,       NULL,                x86_adc_model },
    { "x86_64: sub rax, rcx; sbb edx, ebx",                          2, x86_sbb,       NULL,                x86_sbb_model },
    { "x86_64: shl eax, cl",                                         1, x86_shl,       NULL,                x86_shl_model },
    { "x86_64: add ah, bl",                                          1, x86_high,      NULL,                x86_high_model },
    { "x86_64: push rbx",                                            1, x86_push,      x86_push_state,      x86_push_model },
    { "x86_64: call 0x2000",                                         1, x86_call,      x86_push_state,      x86_call_model },
    { "x86_64: lock cmpxchg [rdi], ecx",                             1, x86_cmpxchg,   x86_cmpxchg_state,   x86_cmpxchg_model },
    { "x86_64: rep movsb",                                           1, x86_rep,       x86_rep_state,       x86_rep_model },
    { "x86_64: movdqu xmm0, [rdi]; pxor xmm0, xmm1",                 2, x86_pxor,      x86_pxor_state,      x86_pxor_model },
    { "arm64: adds x0, x1, x2; ccmp x0, #5, #4, ne",                 2, arm_ccmp,      NULL,                arm_ccmp_model },
    { "arm64: ldp x1, x2, [x3], #16",                                1, arm_ldp,       arm_ldp_state,       arm_ldp_model },
    { "arm64: ldaxr w1, [x2]; add w1, w1, #1; stlxr w3, w1, [x2]",   3, arm_exclusive, arm_exclusive_state, arm_exclusive_model },
    { "arm64: casp x0, x1, x4, x5, [x6]",                            1, arm_casp,      arm_casp_state,      arm_casp_model },
    { "arm64: csel x0, x1, x2, lt; cset x3, hi",                     2, arm_csel,      NULL,                arm_csel_model },
    { "arm64: bfi x0, x1, #8, #12; ubfx w2, w3, #4, #9",             2, arm_bitfield,  NULL,                arm_bitfield_model },
    { "arm64: add x0, x1, w2, sxtw #2; sub x3, x4, x5, asr #7",      2, arm_operands,  NULL,                arm_operands_model },
    { "ppc64: rlwimi r3, r4, 8, 28, 3",                              1, ppc_rlwimi,    NULL,                ppc_rlwimi_model },
    { "ppc64: lwarx r3, 0, r4; addi r3, r3, 1; stwcx. r3, 0, r4",    3, ppc_reserve,   ppc_reserve_state,   ppc_reserve_model },
    { "ppc64: addc r3, r4, r5; adde r6, r7, r8; addze r9, r10",      3, ppc_carry,     NULL,                ppc_carry_model },
    { "ppc64: lwbrx r3, r4, r5",                                     1, ppc_lwbrx,     ppc_lwbrx_state,     ppc_lwbrx_model },
    { "ppc64: crandc 2, 5, 7",                                       1, ppc_crandc,    NULL,                ppc_crandc_model },
    { "ppc64: bdnz 0x2000",                                          1, ppc_bdnz,      NULL,                ppc_bdnz_model },
    { "ppc64: stwu r1, -32(r1)",                                     1, ppc_stwu,      ppc_stwu_state,      ppc_stwu_model },
    { "ppc64: add. r3, r4, r5",                                      1, ppc_add,       NULL,                ppc_add_model },
};

static enum lift_next lift(struct ir_block *block, const struct insn *i, void *arg)
{
    const struct stranger *s = arg;
    unsigned n = (unsigned)(i->pc.v - RIG_CODE) / 4;
    b = block;
    s->lift(n);
    if (b->end.kind != IR_END_NONE) return LIFT_END;
    if (n + 1 < s->count) return LIFT_NEXT;
    end((struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { NEXT_PC } });
    return LIFT_END;
}

/* The sealed block, checked before and after sealing. */
static const struct ir_block *build(const struct stranger *s)
{
    static struct ir_block block;
    ir_begin(&block, guest_addr_make(RIG_CODE), 0);
    for (unsigned n = 0; n < s->count; n++) {
        struct insn i = { .pc = { RIG_CODE + 4 * n }, .size_bytes = 4 };
        ir_insn_start(&block, i.pc, 4);
        if (lift(&block, &i, (void *)(uintptr_t)s) == LIFT_END) break;
    }
    for (unsigned sealed = 0; sealed < 2; sealed++) {
        const char *wrong = ir_verify(&block);
        if (wrong) test_fail(__FILE__, __LINE__, "%s: %s", s->text, wrong);
        ir_seal(&block);
    }
    return &block;
}

static void try_state(const struct stranger *s)
{
    for (unsigned n = 0; n < SLOTS; n++) r[n] = awkward(64);
    for (unsigned n = FIRST_TRUTH; n <= LAST_TRUTH; n++) {
        if (n < XMM || s->text[0] == 'p') r[n] &= 1;
    }
    for (unsigned n = XER_FIRST; n <= XER_LAST; n++) r[n] &= 1;
    for (unsigned n = 0; n < RIG_DATA_BYTES; n += 8) memcpy(want.data + n, &(uint64_t){ test_random() }, 8);
    want.pc = NEXT_PC;
    want.faulted = false;
    if (s->state) s->state();
    memcpy(rig.v.regs.slot, r, sizeof want.r);
    memcpy(rig_data(), want.data, sizeof want.data);
    rig.v.regs.pc = RIG_CODE;
    s->model();
    struct exec_result e;
    do e = rig_run();
    while (e.status == EXEC_CONTINUE && rig.v.regs.pc == RIG_CODE);          /* a loop that lets interrupts in */
    if ((e.status == EXEC_FAULT) != want.faulted) test_fail(__FILE__, __LINE__, "%s: %s", s->text, want.faulted ? "no fault" : "a fault");
    if (!want.faulted && rig.v.regs.pc != want.pc) test_fail(__FILE__, __LINE__, "%s: pc 0x%" PRIx64, s->text, rig.v.regs.pc);
    for (unsigned n = 0; n < SLOTS; n++) {
        if (rig.v.regs.slot[n] != r[n]) test_fail(__FILE__, __LINE__, "%s: slot %u is 0x%" PRIx64 ", want 0x%" PRIx64, s->text, n, rig.v.regs.slot[n], r[n]);
    }
    if (memcmp(rig_data(), want.data, sizeof want.data)) test_fail(__FILE__, __LINE__, "%s: memory", s->text);
}

TEST(strangers_of_three_isas_run_as_their_manuals_say)
{
    for (unsigned n = 0; n < ARRAY_COUNT(strangers); n++) {
        const struct stranger *s = &strangers[n];
        (void)build(s);
        rig_start(lift, (void *)(uintptr_t)s);
        rig_new();
        for (unsigned state = 0; state < STATES; state++) try_state(s);
    }
}

static unsigned count_of(const struct ir_block *block, enum ir_op op)
{
    unsigned n = 0;
    for (unsigned i = 0; i < block->count; i++) n += block->insn[i].op == op;
    return n;
}

TEST(flags_that_the_next_instruction_overwrites_are_not_computed)
{
    const struct ir_block *block = build(&strangers[0]);
    CHECK_EQ_U64(count_of(block, IR_POPCNT), 1);            /* parity of the second sum alone */
    CHECK_EQ_U64(count_of(block, IR_ADDOV), 1);
    CHECK_EQ_U64(count_of(block, IR_CARRY), 2);             /* the first carry is the second's operand */
    CHECK_EQ_U64(count_of(block, IR_SETR), 8);
}

/* docs/ir.md shows each stranger's block behind a line of its own. Run from the top of the tree. */
TEST(the_ir_page_shows_what_is_printed)
{
    static char page[1 << 17], text[1 << 14], wanted[(1 << 14) + 128];
    FILE *f = fopen("docs/ir.md", "r");
    CHECK(f);
    size_t length = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    CHECK(length < sizeof page - 1);
    page[length] = 0;
    unsigned missing = 0;
    for (unsigned n = 0; n < ARRAY_COUNT(strangers); n++) {
        (void)ir_dump(build(&strangers[n]), text, sizeof text);
        snprintf(wanted, sizeof wanted, "`%.80s`\n```\n%s```\n", strangers[n].text, text);
        if (getenv("IR_TEXT")) printf("%s\n", wanted);
        if (!strstr(page, wanted)) missing++, fprintf(stderr, "docs/ir.md lacks, or has differently:\n%s", wanted);
    }
    CHECK_EQ_U64(missing, 0);
}
