// SPDX-License-Identifier: Apache-2.0
/* Lock-step of the interpreter and this host's back end on random riscv64 programs in awkward states, by the audit's engine: with random
 * optimisations off, and host registers handed out in random order. What differs is shrunk and printed. JIT_FUZZ_SECONDS in the
 * environment: so long (make fuzz-jit), from a seed of its own. */
#include <time.h>
#include "hv/audit/audit.h"
#include "hv/core/log.h"
#include "hv/jit/target.h"
#include "test/isa/rows.h"
#include "test/unit/guest.h"

enum { SHORT_PROGRAMS = 400, PROGRAMS_A_VCPU = 100, MOST_INSNS = 120, POINTERS = 6, FIRST_POINTER = S0, BUDGET = 1500, DATA_BYTES = 4 * 4096 };
#define FUZZ_DATA (GUEST_DATA + 0x8000)                     /* two pages before and two behind the pointers */

struct program {
    struct insn insn[MOST_INSNS];
    unsigned count, budget, shift;                          /* shift: of the code in its page, in halfwords */
    uint64_t x[32], f[32], fcsr, data_seed;
    bool     is_paging;
    uint32_t off;
    struct jit_target target;
};

static struct guest g;
static struct vcpu *const v = &g.v[0];
static struct program p;
static const struct jit_target *host;

/* ---- making one ---- */
static uint64_t awkward_word(void)
{
    static const uint64_t table[] = { 0, 1, 2, ~0ull, 1ull << 63, (1ull << 63) - 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0xffffffff80000000,
                                      0xff, 0x80, 0x8000, 31, 32, 63, 64, GUEST_CODE, GUEST_CODE + 0x20, FUZZ_DATA, GUEST_POWER };
    return random_below(2) ? table[random_below(ARRAY_COUNT(table))] : random64() >> random_below(64);
}
static uint64_t awkward_float(void)
{
    static const uint32_t single[] = { 0, 0x80000000, 0x3f800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 1, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000 };
    static const uint64_t dbl[] = { 0, 1ull << 63, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 1, 0x000fffffffffffff,
                                    0x0010000000000000, 0x7fefffffffffffff, 0x43e0000000000000, 0x3810000000000000 };
    switch (random_below(5)) {
    case 0:  return 0xffffffff00000000 | single[random_below(ARRAY_COUNT(single))];
    case 1:  return dbl[random_below(ARRAY_COUNT(dbl))];
    case 2:  return 0xffffffff00000000 | (((uint32_t)random64() & 0x807fffff) | (97 + random_below(64)) << 23);
    case 3:  return (random64() & 0x800fffffffffffff) | (uint64_t)(993 + random_below(64)) << 52;
    default: return random64();
    }
}

static unsigned pointer(void) { return FIRST_POINTER + random_below(POINTERS); }

static void add_word(uint32_t bits, unsigned size_bytes)
{
    struct insn *i = &p.insn[p.count++];
    *i = (struct insn){ .bits = bits, .size_bytes = (uint8_t)size_bytes };
    (void)riscv64_decode(bits, size_bytes, i);
}

static void add_access(void)
{
    static const uint8_t loads[] = { 0, 1, 2, 3, 4, 5, 6 };
    unsigned reg = random_below(32), at = pointer();
    int32_t offset = (int32_t)random_below(random_below(3) ? 64 : 4096) - (random_below(3) ? 32 : 2048);
    if (random_below(3)) offset &= -8;
    switch (random_below(6)) {
    case 0: case 1: add_word(rv_i(0x03, loads[random_below(ARRAY_COUNT(loads))], reg >= FIRST_POINTER && reg < FIRST_POINTER + POINTERS ? T0 : reg, at, offset), 4); return;
    case 2: case 3: add_word(rv_s(random_below(4), reg, at, offset), 4); return;
    case 4:         add_word(rv_i(0x07, 2 + random_below(2), reg, at, offset), 4); return;
    default:        add_word((rv_s(2 + random_below(2), reg, at, offset) & ~0x7fu) | 0x27, 4); return;
    }
}

static void add_atomic(void)
{
    static const uint8_t ops[] = { 0x02, 0x03, 0x01, 0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c };
    unsigned op = ops[random_below(ARRAY_COUNT(ops))], at = pointer(), rd = T0 + random_below(3);
    add_word(rv_r(0x2f, 2 + random_below(2), op << 2 | random_below(4), rd, at, op == 2 ? 0 : random_below(32)), 4);
}

/* Forward mostly; a place between two instructions, now and then the middle of one. */
static int32_t somewhere(void)
{
    int32_t offset = 4 * (int32_t)random_below(12) - (random_below(4) ? 0 : 32);
    return random_below(8) ? offset : offset + 2;
}

static void add_jump(void)
{
    static const uint8_t compares[] = { 0, 1, 4, 5, 6, 7 };
    switch (random_below(6)) {
    case 0:  add_word(rv_jal(random_below(2), somewhere()), 4); return;
    case 1:  add_word(rv_jalr(random_below(3), RA, (int32_t)random_below(16)), 4); return;
    default: add_word(rv_b(compares[random_below(ARRAY_COUNT(compares))], random_below(32), random_below(32), somewhere()), 4); return;
    }
}

/* Any row; rows that would end the program or change where it may look are rare enough not to be worth a list. */
static void add_any(void)
{
    struct insn i;
    unsigned row;
    do {
        row = random_below(RVOP_ROW_COUNT);
    } while (!random_word(row, &i) || !strcmp(riscv64_rows[row].name, "wfi") || !strcmp(riscv64_rows[row].name, "sret"));
    add_word(i.bits, i.size_bytes);
}

static void make_target(void)
{
    p.target = *host;
    uint8_t *temps = p.target.temps, *fp = p.target.fp_temps;
    unsigned n = 0, m = 0;
    while (temps[n] != NO_REG) n++;
    while (fp[m] != NO_REG) m++;
    for (unsigned i = n; i-- > 1;) { unsigned k = random_below(i + 1); uint8_t t = temps[i]; temps[i] = temps[k], temps[k] = t; }
    for (unsigned i = m; i-- > 1;) { unsigned k = random_below(i + 1); uint8_t t = fp[i]; fp[i] = fp[k], fp[k] = t; }
}

static void make_program(void)
{
    static const uint32_t page_shifts[] = { 0, 1, 3, 0x7f0, 0x7f1, 0x7fe, 0x7ff };
    p.count = 0;
    p.shift = page_shifts[random_below(ARRAY_COUNT(page_shifts))];
    unsigned want = 4 + random_below(MOST_INSNS - 4);
    unsigned flavour = random_below(4);
    while (p.count < want) {
        unsigned k = random_below(16);
        if (k < 4) add_access();
        else if (k < 5) add_atomic();
        else if (k < 6 + flavour) add_jump();
        else add_any();
    }
    for (unsigned n = 0; n < 32; n++) p.x[n] = n ? awkward_word() : 0, p.f[n] = awkward_float();
    for (unsigned n = 0; n < POINTERS; n++) p.x[FIRST_POINTER + n] = FUZZ_DATA + 4096 * (random_below(3)) + (random_below(2) ? random_below(64) * 8 : random_below(4096)) - 256;
    p.x[RA] = GUEST_CODE + 2 * p.shift + 4 * random_below(16);
    p.fcsr = random_below(32) | (uint64_t)(random_below(4) ? 0 : random_below(5)) << 5;
    p.data_seed = random64();
    p.is_paging = random_below(2);
    p.budget = 1 + random_below(BUDGET);
    p.off = random_below(3) ? 0 : (uint32_t)random64();
    make_target();
}

/* ---- running it ---- */
static struct jit *jit(void) { return (struct jit *)(uintptr_t)AUDIT_ENGINE.part(v, &JIT_ENGINE); }

/* A trap skips its instruction, in the mode that it came from: t6 and t5 are the handler's. */
static void load_handler(void)
{
    GUEST_LOAD(&g, GUEST_HANDLER, rv_csrrs(T6, 0x341, ZERO), rv_addi(T6, T6, 4), rv_csrrw(ZERO, 0x341, T6), rv_mret());
}

static struct exec_result run_program(void)
{
    uint64_t seed = p.data_seed;
    guest_reset(&g);
    load_handler();
    memset(gmem_slice(&g.gmem, guest_phys_addr_make(GUEST_CODE), 0x2000, ACCESS_WRITE), 0, 0x2000);
    uint8_t *code = gmem_slice(&g.gmem, guest_phys_addr_make(GUEST_CODE + 2 * p.shift), 4 * MOST_INSNS, ACCESS_WRITE);
    for (unsigned n = 0; n < p.count; code += p.insn[n++].size_bytes) memcpy(code, &p.insn[n].bits, p.insn[n].size_bytes);
    uint64_t *data = gmem_slice(&g.gmem, guest_phys_addr_make(FUZZ_DATA - 8192), DATA_BYTES, ACCESS_WRITE);
    for (unsigned n = 0; n < DATA_BYTES / 8; n++) data[n] = (seed = seed * 6364136223846793005u + 1442695040888963407u) >> (n % 3 * 16);
    memcpy(v->regs.slot, p.x, sizeof p.x);
    memcpy(&v->regs.slot[RV_SLOT_F], p.f, sizeof p.f);
    rv_csrs(v)->mstatus |= RV_FS;
    v->regs.fp.flags = p.fcsr & 31;
    v->regs.fp.round = p.fcsr >> 5 & 7;
    rv_sync(v);
    if (p.is_paging) {
        guest_paging(&g, v);
        guest_map(&g, FUZZ_DATA + 4096, FUZZ_DATA + 4096, PTE_V | PTE_R | PTE_A);                   /* one to fault on stores */
        guest_map(&g, FUZZ_DATA - 8192, 0, 0);                                                      /* and one on all */
    }
    mmu_flush_tlb(&v->mmu);
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE + 2 * p.shift));
    struct jit *j = jit();
    j->target = &p.target;
    j->off = (j->off & 1u << JIT_PIN) | (p.off & ~(1u << JIT_PIN));
    v->engine->drop_code(v);
    struct exec_result r;
    uint64_t done = 0;
    do {
        r = v->engine->run(v, p.budget - done);
        done += r.stats.executed_insns + 1;
        v->hypercall = 0;
        v->request = 0;
    } while ((r.status == EXEC_CONTINUE || r.status == EXEC_IO_REQUEST || r.status == EXEC_HALTED) && done < p.budget);
    return r;
}

static void start_vcpu(uint32_t off)
{
    guest_start(&g, 1);
    v->engine->vcpu_destroy(v);
    jit_off = off;
    CHECK(!vm_failed(AUDIT_ENGINE.vcpu_init(v)));
    jit_off = 0;
    v->engine = &AUDIT_ENGINE;
    host = jit()->target;
}
static void end_vcpu(void)
{
    jit()->target = host;
    v->engine->vcpu_destroy(v);
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(v)));
    v->engine = &TEST_ENGINE;
    guest_end(&g);
}

/* ---- what differs ---- */
static void drop_line(void *ctx, enum log_level level, const char *line, size_t length) { (void)ctx, (void)level, (void)line, (void)length; }
static void print_line(void *ctx, enum log_level level, const char *line, size_t length)
{
    (void)ctx, (void)level;
    fprintf(stderr, "%.*s\n", (int)length, line);
}

static bool still_differs(void) { return run_program().status == EXEC_FAILED; }

/* Instructions become nops of their size, from halves down to single ones; then registers become 0. */
static void shrink(void)
{
    for (unsigned step = p.count / 2 ? p.count / 2 : 1; step; step /= 2) {
        for (unsigned from = 0; from < p.count; from += step) {
            struct insn old[MOST_INSNS];
            memcpy(old, p.insn, sizeof old);
            for (unsigned n = from; n < from + step && n < p.count; n++) p.insn[n].bits = p.insn[n].size_bytes == 2 ? 0x0001 : rv_nop();
            if (!still_differs()) memcpy(p.insn, old, sizeof old);
        }
    }
    for (unsigned n = 1; n < 64; n++) {
        uint64_t *r = n < 32 ? &p.x[n] : &p.f[n - 32], old = *r;
        *r = 0;
        if (!still_differs()) *r = old;
    }
}

static unsigned left(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p.count; i++) n += p.insn[i].bits != (p.insn[i].size_bytes == 2 ? 0x0001 : rv_nop());
    return n;
}

static void print_program(uint64_t seed)
{
    fprintf(stderr, "seed 0x%lx: the engines differ; what is left of the program, off 0x%x:\n", (unsigned long)seed, p.off);
    uint64_t at = GUEST_CODE + 2 * p.shift;
    for (unsigned n = 0; n < p.count; at += p.insn[n++].size_bytes) {
        char text[96] = "?";
        struct insn i = p.insn[n];
        if (riscv64_decode(i.bits, i.size_bytes, &i)) insn_text(&i, text, sizeof text);
        if (p.insn[n].bits != (i.size_bytes == 2 ? 0x0001 : rv_nop())) fprintf(stderr, "  0x%lx: %s\n", (unsigned long)at, text);
    }
    for (unsigned n = 0; n < 32; n++) if (p.x[n]) fprintf(stderr, "  x%u = 0x%lx\n", n, (unsigned long)p.x[n]);
    for (unsigned n = 0; n < 32; n++) if (p.f[n]) fprintf(stderr, "  f%u = 0x%lx\n", n, (unsigned long)p.f[n]);
    log_set_sink(print_line, NULL);
    (void)still_differs();
}

struct fuzzed { uint64_t programs, insns, races; };

/* False: one differs, and is in p. */
static bool fuzz(uint64_t seed, uint64_t programs, uint64_t seconds, void (*change)(struct jit_target *t), struct fuzzed *out)
{
    time_t until = time(NULL) + (time_t)seconds;
    bool ok = true;
    *out = (struct fuzzed){ 0 };
    log_set_sink(drop_line, NULL);
    random_state = seed;
    while (ok && (seconds ? time(NULL) < until : out->programs < programs)) {
        struct audit_stats a;
        start_vcpu(random_below(2) ? 1u << JIT_PIN : 0);
        for (unsigned n = 0; n < PROGRAMS_A_VCPU && ok && (seconds || out->programs < programs); n++) {
            uint64_t mine = random_state;
            make_program();
            if (change) change(&p.target);
            ok = run_program().status != EXEC_FAILED;
            out->programs++;
            if (ok) continue;
            shrink();
            if (!change) print_program(mine);
        }
        if (audit_stats_of(v, &a)) out->insns += a.insns, out->races += a.races;
        end_vcpu();
    }
    log_set_sink(NULL, NULL);
    return ok;
}

TEST(random_riscv64_programs_run_in_lock_step_on_both_engines)
{
    const char *seconds = getenv("JIT_FUZZ_SECONDS"), *seed = getenv("JIT_FUZZ_SEED");
    struct fuzzed f;
    uint64_t from = seed ? strtoull(seed, NULL, 0) : seconds ? (uint64_t)time(NULL) * 0x9e3779b97f4a7c15u : 1;
    bool ok = fuzz(from, SHORT_PROGRAMS, seconds ? strtoull(seconds, NULL, 0) : 0, NULL, &f);
    if (seconds) printf("fuzz-jit: %lu programs, %lu instructions from seed 0x%lx\n", (unsigned long)f.programs, (unsigned long)f.insns, (unsigned long)from);
    CHECK(ok && f.programs >= (seconds ? 1 : SHORT_PROGRAMS) && f.insns > 20 * f.programs && !f.races);
}

static bool (*good_binary)(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b);
static bool sub_is_add(struct emit *e, enum ir_op op, unsigned bits, uint8_t d, uint8_t a, uint8_t b)
{
    return good_binary(e, op == IR_SUB ? IR_ADD : op, bits, d, a, b);
}
static void break_sub(struct jit_target *t) { good_binary = t->binary, t->binary = sub_is_add; }

TEST(a_lowering_that_is_wrong_is_found_by_random_programs_and_shrunk)
{
    struct fuzzed f;
    CHECK(!fuzz(1, 500, 0, break_sub, &f));
    CHECK(left() <= 4);
}
