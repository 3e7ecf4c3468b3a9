// SPDX-License-Identifier: Apache-2.0
/* The riscv64 rows that compute on floating point, against Berkeley TestFloat 3e: its cases, its plain arithmetic
 * (slowfloat, which shares no line with the SoftFloat we lean on) as the judge, and ourselves by the way a guest goes:
 * encoding, decode, lift, interpreter. Every case runs twice: with no flag up, which SoftFloat computes, and with the
 * inexact flag up, which lets the host's FPU take what it may. A hosted program; argument 2: TestFloat's second level.
 * shows: R32 R33 */
#include "test/isa/cases.h"
#include <genCases.h>
#include <slowfloat.h>

#define BOX(w)  (0xffffffff00000000u | (uint32_t)(w))
#define WRONG   0x5a5a5a5a00000000u                                 /* an upper half that boxes nothing */

enum { ROUND_MODES = 5, MOST_CASES_1 = 50000, MOST_CASES_2 = 400000 };

/* ---- TestFloat's operands ---- */
enum source { F32_A, F32_AB, F32_ABC, F64_A, F64_AB, F64_ABC, I32_A, I64_A, U32_A, U64_A, SOURCE_COUNT };
struct operands { uint64_t v[3]; };

#define SOURCES(_)                                                                             \
    _(F32_A,   f32_a,   genCases_f32_a.v, 0, 0)                                                \
    _(F32_AB,  f32_ab,  genCases_f32_a.v, genCases_f32_b.v, 0)                                 \
    _(F32_ABC, f32_abc, genCases_f32_a.v, genCases_f32_b.v, genCases_f32_c.v)                  \
    _(F64_A,   f64_a,   genCases_f64_a.v, 0, 0)                                                \
    _(F64_AB,  f64_ab,  genCases_f64_a.v, genCases_f64_b.v, 0)                                 \
    _(F64_ABC, f64_abc, genCases_f64_a.v, genCases_f64_b.v, genCases_f64_c.v)                  \
    _(I32_A,   i32_a,   (uint64_t)(int64_t)genCases_i32_a, 0, 0)                               \
    _(I64_A,   i64_a,   (uint64_t)genCases_i64_a, 0, 0)                                        \
    _(U32_A,   ui32_a,  genCases_ui32_a, 0, 0)                                                 \
    _(U64_A,   ui64_a,  genCases_ui64_a, 0, 0)
#define X(name, f, a, b, c) static struct operands next_##name(void) { genCases_##f##_next(); return (struct operands){ { a, b, c } }; }
SOURCES(X)
#undef X
static const struct { void (*start)(void); struct operands (*next)(void); unsigned width, count; } sources[SOURCE_COUNT] = {
#define X(name, f, a, b, c) [name] = { genCases_##f##_init, next_##name, #f[1] == '3' ? 32 : 64, #f[4] == '_' ? 1 : sizeof #f - 5 },
    SOURCES(X)
#undef X
};

static struct operands *cases;
static unsigned case_count, most_cases = MOST_CASES_1;

static unsigned common(unsigned a, unsigned b) { return b ? common(b, a % b) : a; }

/* All of TestFloat's cases, or evenly many of them: every n-th, with n prime to the 2, 6 or 9 kinds that take turns. */
static void collect(enum source from)
{
    sources[from].start();
    unsigned stride = (unsigned)(genCases_total / most_cases) + 1;
    while (stride > 1 && common(stride, 6) != 1) stride++;
    case_count = 0;
    for (uint64_t n = 0; !genCases_done && case_count < most_cases; n++) {
        struct operands o = sources[from].next();
        if (n % stride == 0) cases[case_count++] = o;
    }
}

/* ---- the judge: value as the destination register holds it ---- */
typedef uint64_t judge_fn(const uint64_t *v);
static uint8_t rounding;
static float32_t s(uint64_t v) { return (float32_t){ (uint32_t)v }; }
static float64_t d(uint64_t v) { return (float64_t){ v }; }
static bool is_nan32(uint64_t v) { return (v & 0x7fffffff) > 0x7f800000; }
static bool is_nan64(uint64_t v) { return (v & 0x7fffffffffffffff) > 0x7ff0000000000000; }
/* Every NaN that arithmetic yields is the canonical one (unprivileged manual, 11.3). */
static uint64_t out_s(float32_t f) { return BOX(is_nan32(f.v) ? FP32_CANONICAL_NAN : f.v); }
static uint64_t out_d(float64_t f) { return is_nan64(f.v) ? FP64_CANONICAL_NAN : f.v; }
static uint64_t sx32(uint64_t v)   { return (uint64_t)(int64_t)(int32_t)v; }

#define S1(op)  static uint64_t s_##op(const uint64_t *v)  { return out_s(slow_f32_##op(s(v[0]))); }
#define D1(op)  static uint64_t d_##op(const uint64_t *v)  { return out_d(slow_f64_##op(d(v[0]))); }
#define S2(op)  static uint64_t s_##op(const uint64_t *v)  { return out_s(slow_f32_##op(s(v[0]), s(v[1]))); }
#define D2(op)  static uint64_t d_##op(const uint64_t *v)  { return out_d(slow_f64_##op(d(v[0]), d(v[1]))); }
#define CMP(op) static uint64_t s_##op(const uint64_t *v)  { return slow_f32_##op(s(v[0]), s(v[1])); } \
                static uint64_t d_##op(const uint64_t *v)  { return slow_f64_##op(d(v[0]), d(v[1])); }
#define TO(op, cut) static uint64_t s_##op(const uint64_t *v) { return cut(slow_f32_##op(s(v[0]), rounding, true)); } \
                    static uint64_t d_##op(const uint64_t *v) { return cut(slow_f64_##op(d(v[0]), rounding, true)); }
#define FROM(t) static uint64_t t##_to_s(const uint64_t *v) { return out_s(slow_##t##_to_f32((t##_number)v[0])); } \
                static uint64_t t##_to_d(const uint64_t *v) { return out_d(slow_##t##_to_f64((t##_number)v[0])); }
typedef int32_t i32_number; typedef int64_t i64_number; typedef uint32_t ui32_number; typedef uint64_t ui64_number;
S2(add) S2(sub) S2(mul) S2(div) S1(sqrt) D2(add) D2(sub) D2(mul) D2(div) D1(sqrt) CMP(eq) CMP(lt) CMP(le)
TO(to_i32, sx32) TO(to_ui32, sx32) TO(to_i64, (uint64_t)) TO(to_ui64, (uint64_t)) FROM(i32) FROM(i64) FROM(ui32) FROM(ui64)
static uint64_t s_to_d(const uint64_t *v) { return out_d(slow_f32_to_f64(s(v[0]))); }
static uint64_t d_to_s(const uint64_t *v) { return out_s(slow_f64_to_f32(d(v[0]))); }
/* The sign of an operand is a matter of its bits: the family of four is one function of TestFloat's. */
#define FUSED(name, p, c)                                                                                              \
    static uint64_t s_##name(const uint64_t *v) { return out_s(slow_f32_mulAdd(s(v[0] ^ (p) << 31), s(v[1]), s(v[2] ^ (c) << 31))); } \
    static uint64_t d_##name(const uint64_t *v) { return out_d(slow_f64_mulAdd(d(v[0] ^ (p) << 63), d(v[1]), d(v[2] ^ (c) << 63))); }
FUSED(madd, 0ull, 0ull) FUSED(msub, 0ull, 1ull) FUSED(nmsub, 1ull, 0ull) FUSED(nmadd, 1ull, 1ull)

/* What TestFloat has no function for: plain models over its cases. qemu-riscv64 and Unicorn judge these rows too. */
static bool is_signalling(uint64_t v, bool wide) { return wide ? is_nan64(v) && !(v >> 51 & 1) : is_nan32(v) && !(v >> 22 & 1); }
static uint64_t min_max(const uint64_t *v, bool wide, bool is_max)
{
    bool na = wide ? is_nan64(v[0]) : is_nan32(v[0]), nb = wide ? is_nan64(v[1]) : is_nan32(v[1]);
    uint64_t sign = wide ? 1ull << 63 : 1ull << 31, a = v[0], b = v[1];
    if (is_signalling(a, wide) || is_signalling(b, wide)) slowfloat_exceptionFlags |= FP_INVALID;
    if (na && nb) return wide ? FP64_CANONICAL_NAN : BOX(FP32_CANONICAL_NAN);
    /* the order of numbers is that of their sign-magnitude words */
    int64_t ka = a & sign ? -(int64_t)(a & ~sign) - 1 : (int64_t)a, kb = b & sign ? -(int64_t)(b & ~sign) - 1 : (int64_t)b;
    uint64_t out = na ? b : nb ? a : (ka < kb) != is_max ? a : b;
    return wide ? out : BOX(out);
}
static uint64_t classify(uint64_t v, bool wide)
{
    unsigned mantissa = wide ? 52 : 23, exponent_bits = wide ? 11 : 8;
    uint64_t exponent = v >> mantissa & ((1u << exponent_bits) - 1), rest = v & ((1ull << mantissa) - 1);
    bool negative = v >> (mantissa + exponent_bits) & 1, top = exponent == (1u << exponent_bits) - 1;
    if (top && rest) return 1ull << (rest >> (mantissa - 1) ? 9 : 8);
    unsigned magnitude = top ? 3 : exponent ? 2 : rest ? 1 : 0;     /* zero, subnormal, normal, infinity */
    return 1ull << (negative ? 3 - magnitude : 4 + magnitude);
}
#define MODEL(name, s_value, d_value)                                  \
    static uint64_t s_##name(const uint64_t *v) { return s_value; }    \
    static uint64_t d_##name(const uint64_t *v) { return d_value; }
#define SIGN_OF(x, bit) ((x) & 1ull << (bit))
#define REST_OF(x, bit) ((x) & ~(1ull << (bit)))
MODEL(min, min_max(v, false, false), min_max(v, true, false))
MODEL(max, min_max(v, false, true), min_max(v, true, true))
MODEL(class, classify(v[0], false), classify(v[0], true))
MODEL(sgnj, BOX(REST_OF(v[0], 31) | SIGN_OF(v[1], 31)), REST_OF(v[0], 63) | SIGN_OF(v[1], 63))
MODEL(sgnjn, BOX(REST_OF(v[0], 31) | SIGN_OF(~v[1], 31)), REST_OF(v[0], 63) | SIGN_OF(~v[1], 63))
MODEL(sgnjx, BOX(v[0] ^ SIGN_OF(v[1], 31)), v[0] ^ SIGN_OF(v[1], 63))
static uint64_t move(const uint64_t *v)       { return v[0]; }
static uint64_t move_word(const uint64_t *v)  { return sx32(v[0]); }
static uint64_t move_boxed(const uint64_t *v) { return BOX(v[0]); }

/* ---- the rows ---- */
enum { TO_F, TO_X };
enum { ROUNDS = 1, IS_MODEL = 2, IS_BITS = 4 };                     /* BITS: the register as it is, boxed or not */
static const struct row { unsigned row; enum source from; judge_fn *judge; uint8_t to, flags; } rows[] = {
#define R2(r, f, to, flags) { RVOP_##r##_S, F32_AB, s_##f, to, flags }, { RVOP_##r##_D, F64_AB, d_##f, to, flags },
    R2(FADD, add, TO_F, ROUNDS) R2(FSUB, sub, TO_F, ROUNDS) R2(FMUL, mul, TO_F, ROUNDS) R2(FDIV, div, TO_F, ROUNDS)
    R2(FEQ, eq, TO_X, 0) R2(FLT, lt, TO_X, 0) R2(FLE, le, TO_X, 0)
    R2(FMIN, min, TO_F, IS_MODEL) R2(FMAX, max, TO_F, IS_MODEL)
    R2(FSGNJ, sgnj, TO_F, IS_MODEL) R2(FSGNJN, sgnjn, TO_F, IS_MODEL) R2(FSGNJX, sgnjx, TO_F, IS_MODEL)
#define R3(r, f) { RVOP_##r##_S, F32_ABC, s_##f, TO_F, ROUNDS }, { RVOP_##r##_D, F64_ABC, d_##f, TO_F, ROUNDS },
    R3(FMADD, madd) R3(FMSUB, msub) R3(FNMSUB, nmsub) R3(FNMADD, nmadd)
#define R1(r, f, to, flags) { RVOP_##r##_S, F32_A, s_##f, to, flags }, { RVOP_##r##_D, F64_A, d_##f, to, flags },
    R1(FSQRT, sqrt, TO_F, ROUNDS) R1(FCLASS, class, TO_X, IS_MODEL)
    R1(FCVT_W, to_i32, TO_X, ROUNDS) R1(FCVT_WU, to_ui32, TO_X, ROUNDS) R1(FCVT_L, to_i64, TO_X, ROUNDS) R1(FCVT_LU, to_ui64, TO_X, ROUNDS)
    { RVOP_FCVT_S_W,  I32_A, i32_to_s,  TO_F, ROUNDS }, { RVOP_FCVT_D_W,  I32_A, i32_to_d,  TO_F, ROUNDS },
    { RVOP_FCVT_S_WU, U32_A, ui32_to_s, TO_F, ROUNDS }, { RVOP_FCVT_D_WU, U32_A, ui32_to_d, TO_F, ROUNDS },
    { RVOP_FCVT_S_L,  I64_A, i64_to_s,  TO_F, ROUNDS }, { RVOP_FCVT_D_L,  I64_A, i64_to_d,  TO_F, ROUNDS },
    { RVOP_FCVT_S_LU, U64_A, ui64_to_s, TO_F, ROUNDS }, { RVOP_FCVT_D_LU, U64_A, ui64_to_d, TO_F, ROUNDS },
    { RVOP_FCVT_D_S,  F32_A, s_to_d,    TO_F, ROUNDS }, { RVOP_FCVT_S_D,  F64_A, d_to_s,    TO_F, ROUNDS },
    { RVOP_FMV_X_W,   F64_A, move_word,  TO_X, IS_MODEL | IS_BITS }, { RVOP_FMV_X_D, F64_A, move, TO_X, IS_MODEL | IS_BITS },
    { RVOP_FMV_W_X,   U64_A, move_boxed, TO_F, IS_MODEL | IS_BITS }, { RVOP_FMV_D_X, U64_A, move, TO_F, IS_MODEL | IS_BITS },
};

/* ---- one row in one rounding mode ---- */
static struct ours ours;
static unsigned tried[RVOP_ROW_COUNT], failed[RVOP_ROW_COUNT];

/* `insn` and a jump to itself behind it: a block that runs once for a budget of 1. */
static void place(uint64_t at, uint32_t insn)
{
    const uint32_t code[2] = { insn, 0x0000006f };
    memcpy(ours_ram(&ours, at, sizeof code), code, sizeof code);
}

static uint32_t encode(unsigned row, uint32_t rd, uint32_t rm)
{
    return riscv64_rows[row].match | ((rd << 7 | 1u << 15 | 2u << 20 | 3u << 27 | rm << 12) & ~riscv64_rows[row].mask);
}

static void enter(uint8_t mode)
{
    struct vcpu *v = &ours.v;
    rv_set_boot(v, false, CODE, 0, 0);
    rv_csrs(v)->mtvec = TRAP;
    rv_csrs(v)->mstatus |= RV_FS;
    v->regs.fp.round = mode;
    rv_sync(v);
    v->engine->forget_code(v, guest_phys_addr_make(CODE), 4096);
    v->request = 0;                                                 /* resetting asks for a look at the timer */
}

static void run(const struct row *r, uint64_t at, unsigned rd, const uint64_t *reg, uint8_t before, uint64_t want, uint8_t want_flags, const char *how)
{
    struct vcpu *v = &ours.v;
    unsigned base = sources[r->from].width && (r->from >= I32_A) ? 0 : RV_SLOT_F;
    for (unsigned n = 0; n < sources[r->from].count; n++) v->regs.slot[base + 1 + n] = reg[n];
    v->regs.fp.flags = before;
    v->regs.pc = at;
    (void)v->engine->run(v, 1);
    uint64_t got = v->regs.slot[(r->to == TO_F ? RV_SLOT_F : 0) + rd];
    if (got == want && v->regs.fp.flags == (before | want_flags) && v->regs.pc == at + 4) return;
    if (failed[r->row]++ < 3) {
        printf("%s (rounding %u, %s): %016llx %016llx %016llx -> %016llx flags %02x, want %016llx flags %02x%s\n", riscv64_rows[r->row].name,
               rounding, how, (unsigned long long)reg[0], (unsigned long long)reg[1], (unsigned long long)reg[2], (unsigned long long)got,
               v->regs.fp.flags, (unsigned long long)want, before | want_flags, v->regs.pc == at + 4 ? "" : ", and it trapped");
    }
}

/* Registers of a case: singles are boxed, but now and then one is not, and then counts as the canonical NaN. */
static void fill(const struct row *r, unsigned n, uint64_t *operand, uint64_t *reg)
{
    const unsigned count = sources[r->from].count;
    for (unsigned k = 0; k < count; k++) {
        reg[k] = sources[r->from].width == 32 && r->from <= F64_ABC ? BOX(operand[k]) : operand[k];
    }
    if (r->from == I32_A || r->from == U32_A) reg[0] = (uint32_t)reg[0] | random64() << 32;
    if (r->from <= F32_ABC && n % 16 == 5 && !(r->flags & IS_BITS)) {
        unsigned k = n / 16 % count;
        reg[k] = (n & 256 ? WRONG : 0xfffffffe00000000u) | (uint32_t)operand[k];
        operand[k] = FP32_CANONICAL_NAN;
    }
}

/* slowfloat has only one kind of NaN; as in TestFloat's own loops, a signalling operand adds the invalid flag. */
static bool any_signalling(const struct row *r, const uint64_t *operand)
{
    bool any = false;
    for (unsigned k = 0; k < sources[r->from].count && r->from <= F64_ABC; k++) any |= is_signalling(operand[k], sources[r->from].width == 64);
    return any && !(r->flags & IS_MODEL);
}

static void try_row(const struct row *r, uint8_t mode)
{
    uint8_t others = 0;
    rounding = slowfloat_roundingMode = mode;
    enter(mode);
    place(CODE, encode(r->row, 4, mode));
    place(CODE + 16, encode(r->row, 1, FP_ROUND_DYNAMIC));          /* and the destination is a source */
    for (unsigned n = 0; n < case_count; n++) {
        uint64_t operand[3], reg[3];
        memcpy(operand, cases[n].v, sizeof operand);
        fill(r, n, operand, reg);
        slowfloat_exceptionFlags = 0;
        uint64_t want = r->judge(operand);
        uint8_t flags = (uint8_t)(slowfloat_exceptionFlags | (any_signalling(r, operand) ? FP_INVALID : 0));
        run(r, CODE, 4, reg, 0, want, flags, "no flag up");
        run(r, CODE + 16, 1, reg, FP_INEXACT | others, want, flags, "inexact up");
        others = (uint8_t)((others + 2) & 31);
        tried[r->row] += 2;
    }
}

static const char *not_here(unsigned row)
{
    return is_load(row) || is_store(row) ? "moves bits: qemu-riscv64 and Unicorn suites" : NULL;
}

static int report(void)
{
    FILE *out = getenv("ISA_ROWS") ? fopen(getenv("ISA_ROWS"), "a") : NULL;       /* for coverage.sh */
    unsigned passed = 0, bad = 0, all = 0, models = 0;
    unsigned long long sum = 0;
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        const char *name = riscv64_rows[row].name, *why = not_here(row);
        if (out && tried[row]) fprintf(out, "tried %s\n", name);
        if (!is_fp_row(row)) continue;
        if (out && !tried[row]) fprintf(out, "skipped %s %s\n", name, why ? why : "no reason");
        all++;
        sum += tried[row];
        if (!tried[row]) printf("not tried here: %-10s %s\n", name, why ? why : "NO REASON");
        if (tried[row] ? failed[row] : !why) bad++;
        else if (tried[row]) passed++;
    }
    for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
        bool is_model = rows[n].flags & IS_MODEL;
        models += is_model;
        printf("%-9s %8u%c%s", riscv64_rows[rows[n].row].name, tried[rows[n].row], is_model ? '*' : ' ', n % 5 == 4 || n == ARRAY_COUNT(rows) - 1 ? "\n" : "   ");
    }
    if (out) fclose(out);
    printf("TestFloat: rows tried %u / %u, %u of %u with floating point (* %u by models over its cases), %llu cases\n", passed + bad, RVOP_ROW_COUNT,
           passed + bad, all, models, sum);
    printf("%u passed, %u failed\n", passed, bad);
    return bad != 0;
}

int main(int argc, char **argv)
{
    int level = argc > 1 && atoi(argv[1]) == 2 ? 2 : 1;
    genCases_setLevel(level);
    if (level == 2) most_cases = MOST_CASES_2;
    slowfloat_detectTininess = softfloat_tininess_afterRounding;
    cases = malloc(most_cases * sizeof *cases);
    if (!cases) return 1;
    ours_start(&ours);
    for (enum source from = 0; from < SOURCE_COUNT; from++) {
        collect(from);
        for (unsigned n = 0; n < ARRAY_COUNT(rows); n++) {
            if (rows[n].from != from) continue;
            for (uint8_t mode = 0; mode < (rows[n].flags & ROUNDS ? ROUND_MODES : 1); mode++) try_row(&rows[n], mode);
        }
    }
    return report();
}
