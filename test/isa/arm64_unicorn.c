// SPDX-License-Identifier: Apache-2.0
/* A64 instructions against Unicorn 2: for each row of the decode table many random encodings in awkward states, one step each, then
 * random sequences as one block, where flags are values and conditions comparisons; x, sp, NZCV, pc and memory must be the same. A
 * hosted program; at EL1, MMU off. UNIT_ENGINE says which engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unicorn/unicorn.h>
#include "arm64_decode.h"
#include "hv/core/page.h"
#include "hv/isa/arm64/state.h"
#include "test/unit/engine.h"

enum { ENCODINGS = 60, STATES = 4, SEQUENCES = 20000, MOST = 8 };

#define RAM        0x80000000ull
#define RAM_BYTES  MIB(4)
#define CODE       (RAM + MIB(2))
#define DATA       (CODE + 0x10000)          /* within reach of literals */
#define DATA_BYTES 64

/* x[31] is the stack pointer. */
struct state { uint64_t x[32], nzcv, pc; uint8_t data[DATA_BYTES]; };

static uint64_t random64(void)
{
    static uint64_t state = 1;
    uint64_t z = state += 0x9e3779b97f4a7c15u;              /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static unsigned random_below(unsigned n) { return (unsigned)(random64() % n); }

static uint64_t awkward_integer(void)
{
    static const uint64_t table[] = { 0, 1, 2, ~0ull, ~0ull - 1, 1ull << 63, (1ull << 63) - 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
                                      0xffffffff80000000, 0xffffffff7fffffff, 0x8000000080000000, 0x5555555555555555, 0xaaaaaaaaaaaaaaaa, 0xff,
                                      0x80, 0x8000, 0x00ff00ff00ff00ff, 0x0100000000000080, 31, 32, 63, 64, 65 };
    switch (random_below(5)) {
    case 0: case 1: return table[random_below(sizeof table / sizeof table[0])];
    case 2:  return random64() >> random_below(64);
    case 3:  return 0 - (random64() >> random_below(64));
    default: return random64();
    }
}

/* ---- what a row is, by its lift ---- */
static const char *const lift_names[A64OP_ROW_COUNT] = {
#define X(row, name) [row] = #name,
    A64OP_ROW_LIST(X)
#undef X
};
static bool is_one_of(const char *name, const char *list)   /* blanks around each word of the list */
{
    char word[32];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(list, word) != NULL;
}
static bool lifts_as(const struct insn *i, const char *list) { return is_one_of(lift_names[i->op], list); }

#define SINGLE    " ldr str ldtr sttr ldr_pre str_pre ldr_post str_post "
#define PAIR      " ldp stp ldp_pre stp_pre ldp_post stp_post "
#define ORDERED   " ldar stlr "
#define EXCLUSIVE " ldxr stxr ldxp stxp "
#define LSE       " amo cas casp "
static bool is_memory(const struct insn *i) { return lifts_as(i, SINGLE PAIR ORDERED EXCLUSIVE LSE " ldr_reg str_reg ldr_lit "); }
static bool is_jump(const struct insn *i)   { return lifts_as(i, " b b_cond bl br blr ret cbz cbnz tbz tbnz udf "); }

/* Why a row is not tried; NULL: it must be. */
static const char *not_here(unsigned row) { return strcmp(lift_names[row], "missing") ? NULL : "it has no lift yet"; }

/* ---- instructions ---- */
static bool decode(uint32_t bits, struct insn *i)
{
    struct fault why;
    uint8_t bytes[4];
    memcpy(bytes, &bits, 4);
    memset(i, 0, sizeof *i);
    return ARM64_ISA.decode_insn(bytes, 4, guest_addr_make(CODE), 0, i, &why);
}

/* Constrained unpredictable: loads of a pair into one register, a base that is written back and also loaded or stored, a status
 * register that is one of the others (C6.2). */
static bool is_unpredictable(const struct insn *i)
{
    unsigned rt = i->bits & 31, rn = i->bits >> 5 & 31, rt2 = i->bits >> 10 & 31, rs = i->bits >> 16 & 31;
    if (lifts_as(i, " ldp ldp_pre ldp_post ldxp ") && rt == rt2) return true;
    if (lifts_as(i, " ldr_pre str_pre ldr_post str_post ldp_pre stp_pre ldp_post stp_post ") && rn != 31 && rt == rn) return true;
    if (lifts_as(i, " ldp_pre stp_pre ldp_post stp_post ") && rn != 31 && rt2 == rn) return true;
    if (lifts_as(i, " stxr stxp ") && (rs == rt || (rs == rn && rn != 31))) return true;
    return lifts_as(i, " stxp ") && rs == rt2;
}

/* A random instruction of the row that the suite can run. */
static bool make_insn(unsigned row, struct insn *i)
{
    uint32_t bits = arm64_rows[row].match | ((uint32_t)random64() & ~arm64_rows[row].mask);
    if (!strcmp(lift_names[row], "ldr_lit")) bits = (bits & ~0xffffe0u) | (uint32_t)(DATA - CODE + 4 * random_below(14)) / 4 << 5;
    if (!strcmp(lift_names[row], "hint")) bits = (bits & ~0xfe0u) | (8 + random_below(120)) << 5;       /* others wait, or strip a signature */
    if (is_one_of(lift_names[row], EXCLUSIVE ORDERED)) {                                                 /* fields that should be ones */
        if (is_one_of(lift_names[row], " ldxr ldxp ldar stlr ")) bits |= 31u << 16;
        if (is_one_of(lift_names[row], " ldxr stxr ldar stlr ") && strncmp(arm64_rows[row].name, "ldapr", 5)) bits |= 31u << 10;
    }
    return decode(bits, i) && i->op == row && !is_unpredictable(i);
}

static unsigned access_bytes(const struct insn *i)
{
    if (lifts_as(i, PAIR)) return i->bits >> 31 ? 16 : 8;
    if (lifts_as(i, " ldxp stxp casp ")) return i->bits >> 30 & 1 ? 16 : 8;
    return 1u << (i->bits >> 30);
}

/* A register as an index (C6.2, LDR (register)). */
static uint64_t index_of(const struct insn *i, uint64_t rm)
{
    unsigned option = i->bits >> 13 & 7, shift = i->bits >> 12 & 1 ? i->bits >> 30 : 0;
    uint64_t x = option == 2 ? (uint32_t)rm : option == 6 ? (uint64_t)(int64_t)(int32_t)rm : rm;
    return x << shift;
}

/* A state for this instruction; loads and stores point into DATA. False: it cannot. */
static bool awkward_state(const struct insn *i, struct state *s)
{
    for (unsigned n = 0; n < 32; n++) s->x[n] = awkward_integer();
    for (unsigned n = 0; n < DATA_BYTES; n++) s->data[n] = (uint8_t)random64();
    s->nzcv = (uint64_t)random_below(16) << 28;
    s->pc = CODE;
    if (!is_memory(i) || lifts_as(i, " ldr_lit ")) return true;
    unsigned rn = i->bits >> 5 & 31, rm = i->bits >> 16 & 31, bytes = access_bytes(i), at = random_below(DATA_BYTES - bytes + 1);
    uint64_t to = DATA + (lifts_as(i, ORDERED EXCLUSIVE LSE) ? at & ~(bytes - 1) : at);
    if (lifts_as(i, " ldr_reg str_reg ")) {
        if (rm == rn && rn != 31) return false;
        to -= index_of(i, rm == 31 ? 0 : s->x[rm]);
    } else if (lifts_as(i, SINGLE) && !lifts_as(i, " ldr_post str_post ")) {
        to -= (uint64_t)(int64_t)i->arg[2];
    } else if (lifts_as(i, PAIR) && !lifts_as(i, " ldp_post stp_post ")) {
        to -= (uint64_t)(int64_t)i->arg[3];
    }
    s->x[rn] = to;
    if (lifts_as(i, " amo ") && i->bits >> 14 & 1 && bytes < 8) {
        /* Unicorn's minimum and maximum compare all 64 bits of the register with what memory has, zero-extended: only where that is
         * the same is it right. test/unit/arm64_lift_test.c has the others. */
        if (rm != 31) s->x[rm] &= (1ull << (8 * bytes - 1)) - 1;
        if (!(i->bits >> 13 & 1)) s->data[to - DATA + bytes - 1] &= 0x7f;
        if (rm == rn) return false;
    }
    if (lifts_as(i, " cas casp ") && random_below(2)) {     /* as expected */
        uint64_t both[2] = { 0 };
        memcpy(both, s->data + (to - DATA), bytes);
        if (lifts_as(i, " casp ") && bytes == 8) both[1] = both[0] >> 32;
        if (rm != 31 && rm != rn) s->x[rm] = both[0];
        if (lifts_as(i, " casp ") && rm != 30 && rm + 1 != rn) s->x[rm + 1] = both[1];
    }
    return true;
}

/* What runs before the instruction, so that it has something to work on: a reservation for store-exclusives. */
static unsigned make_prelude(const struct insn *i, struct insn *prelude)
{
    if (!lifts_as(i, " stxr stxp ") || random_below(4) == 0) return 0;
    uint32_t w = i->bits, rn = w & 31u << 5, rt2 = 31, free = 0;
    while (free == (w & 31) || free == (w >> 5 & 31) || free == (w >> 10 & 31) || free == (w >> 16 & 31)) free++;
    if (lifts_as(i, " stxp ")) rt2 = free;
    return decode((w & 3u << 30) | 0x085f001fu | (w & 1u << 21) | rn | rt2 << 10, prelude) ? 1 : 0;       /* ldxr wzr, ldxp wzr,free */
}

/* ---- our side ---- */
static struct isa_ops isa;                                  /* the table leaves translated vCPUs out: they have no machine yet */
static struct { struct vcpu v; struct gmem gmem; struct mmio_bus bus; struct guest_clock clock; } ours;

static void ours_start(void)
{
    void *at = mmap(NULL, MIB(64), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    page_add_range(host_addr_make(at), MIB(64));
    gmem_init(&ours.gmem);
    mmio_init(&ours.bus);
    isa = ARM64_ISA;
    isa.lift = arm64_lift;
    ours.v.isa = &isa;
    ours.v.clock = &ours.clock;
    guest_clock_start(&ours.clock, 62500000);
    ours.v.engine = &TEST_ENGINE;
    if (at == MAP_FAILED || vm_failed(gmem_add(&ours.gmem, guest_phys_addr_make(RAM), RAM_BYTES, GMEM_RAM)) ||
        vm_failed(mmu_init(&ours.v.mmu, &ours.gmem, &ours.bus, ARM64_ISA.walk, &ours.v)) || vm_failed(TEST_ENGINE.vcpu_init(&ours.v))) {
        fprintf(stderr, "no memory for the machine\n");
        exit(1);
    }
}
static void *ours_ram(uint64_t gpa, size_t size) { return gmem_slice(&ours.gmem, guest_phys_addr_make(gpa), size, ACCESS_WRITE); }

/* True: it faulted. as_block: they are one block that ends with the last of them. */
static bool ours_run(const struct insn *insns, unsigned count, const struct state *s, bool as_block, struct state *out)
{
    struct vcpu *v = &ours.v;
    enum exec_status status = EXEC_CONTINUE;
    uint8_t *code = ours_ram(s->pc, 4 * count);
    arm64_set_boot(v, s->pc, 0);
    for (unsigned n = 0; n < count; n++) memcpy(code + 4 * n, &insns[n].bits, 4);
    v->engine->forget_code(v, guest_phys_addr_make(s->pc & ~4095ull), 4096);
    memcpy(v->regs.slot, s->x, sizeof s->x);                /* sp is slot 31 */
    for (unsigned n = 0; n < 4; n++) v->regs.slot[ARM64_SLOT_N + n] = s->nzcv >> (31 - n) & 1;
    memcpy(ours_ram(DATA, DATA_BYTES), s->data, DATA_BYTES);
    if (as_block) status = v->engine->run(v, 1).status;
    else for (unsigned n = 0; n < count && status != EXEC_FAULT; n++) status = v->engine->execute_instruction(v).status;
    memcpy(out->x, v->regs.slot, sizeof out->x);
    out->nzcv = 0;
    for (unsigned n = 0; n < 4; n++) out->nzcv |= v->regs.slot[ARM64_SLOT_N + n] << (31 - n);
    out->pc = v->regs.pc;
    memcpy(out->data, ours_ram(DATA, DATA_BYTES), DATA_BYTES);
    return status == EXEC_FAULT;
}

/* ---- theirs ---- */
static uc_engine *uc;
static uc_context *fresh;

static void must(uc_err e, const char *what)
{
    if (e == UC_ERR_OK) return;
    fprintf(stderr, "unicorn: %s: %s\n0 passed, 1 failed\n", what, uc_strerror(e));
    exit(1);
}

/* Exceptions go to no handler: the first is the end. */
static bool has_trapped;
static void on_trap(uc_engine *u, uint32_t number, void *unused)
{
    (void)number, (void)unused;
    has_trapped = true;
    (void)uc_emu_stop(u);
}

static void theirs_start(void)
{
    uc_hook hook;
    must(uc_open(UC_ARCH_ARM64, UC_MODE_ARM, &uc), "open");
    must(uc_ctl_set_cpu_model(uc, UC_CPU_ARM64_MAX), "model");
    must(uc_mem_map(uc, RAM, RAM_BYTES, UC_PROT_ALL), "map");
    must(uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_trap, NULL, 1, 0), "hook");
    must(uc_context_alloc(uc, &fresh), "context");
    must(uc_context_save(uc, fresh), "context");
}

static bool theirs_run(const struct insn *insns, unsigned count, const struct state *s, struct state *out)
{
    int id[34];
    void *value[34];
    *out = *s;
    must(uc_context_restore(uc, fresh), "restore");
    for (unsigned n = 0; n < count; n++) must(uc_mem_write(uc, s->pc + 4 * n, &insns[n].bits, 4), "write code");
    must(uc_ctl_remove_cache(uc, s->pc, s->pc + 4 * count), "forget code");
    must(uc_mem_write(uc, DATA, s->data, DATA_BYTES), "write data");
    for (int n = 0; n < 31; n++) {
        id[n] = n < 29 ? UC_ARM64_REG_X0 + n : n == 29 ? UC_ARM64_REG_X29 : UC_ARM64_REG_X30;
        value[n] = &out->x[n];
    }
    id[31] = UC_ARM64_REG_SP, value[31] = &out->x[31];
    id[32] = UC_ARM64_REG_NZCV, value[32] = &out->nzcv;
    id[33] = UC_ARM64_REG_PC, value[33] = &out->pc;
    must(uc_reg_write_batch(uc, id, value, 31), "write registers");
    must(uc_reg_write_batch(uc, id + 31, value + 31, 2), "write registers");
    has_trapped = false;
    uc_err e = uc_emu_start(uc, s->pc, 0, 0, count);
    has_trapped |= e != UC_ERR_OK && e != UC_ERR_FETCH_UNMAPPED;       /* a jump out of RAM: the next fetch is not asked for */
    out->nzcv = 0;
    must(uc_reg_read_batch(uc, id, value, 31), "read registers");
    must(uc_reg_read_batch(uc, id + 31, value + 31, 3), "read registers");
    must(uc_mem_read(uc, DATA, out->data, DATA_BYTES), "read data");
    return has_trapped;
}

/* ---- comparing ---- */
static const char *difference(const struct state *mine, const struct state *theirs)
{
    static char text[128];
    for (unsigned n = 0; n < 32; n++) {
        if (mine->x[n] == theirs->x[n]) continue;
        snprintf(text, sizeof text, "x%u: ours %016llx, theirs %016llx", n, (unsigned long long)mine->x[n], (unsigned long long)theirs->x[n]);
        return text;
    }
    if (mine->nzcv != theirs->nzcv) {
        snprintf(text, sizeof text, "nzcv: ours %x, theirs %x", (unsigned)(mine->nzcv >> 28), (unsigned)(theirs->nzcv >> 28));
        return text;
    }
    if (mine->pc != theirs->pc) {
        snprintf(text, sizeof text, "pc: ours %llx, theirs %llx", (unsigned long long)mine->pc, (unsigned long long)theirs->pc);
        return text;
    }
    for (unsigned n = 0; n < DATA_BYTES; n++) {
        if (mine->data[n] == theirs->data[n]) continue;
        snprintf(text, sizeof text, "memory +%u: ours %02x, theirs %02x", n, mine->data[n], theirs->data[n]);
        return text;
    }
    return NULL;
}

static void print_case(const struct insn *insns, unsigned count, const struct state *s, const char *what)
{
    char text[96];
    printf("%s, nzcv %x\n", what, (unsigned)(s->nzcv >> 28));
    for (unsigned n = 0; n < count; n++) {
        (void)ARM64_ISA.disasm(&insns[n], text, sizeof text);
        printf("    %08x %s\n", insns[n].bits, text);
    }
    for (unsigned n = 0; n < 4; n++) {
        unsigned r = insns[count - 1].bits >> (unsigned[]){ 0, 5, 10, 16 }[n] & 31;
        printf("    x%u %016llx\n", r, (unsigned long long)s->x[r]);
    }
}

static unsigned tried[A64OP_ROW_COUNT], failed[A64OP_ROW_COUNT];

static void try(const struct insn *i)
{
    struct insn run[2];
    struct state s, mine, theirs;
    if (!awkward_state(i, &s)) return;
    unsigned count = make_prelude(i, run);
    run[count++] = *i;
    bool we_trap = ours_run(run, count, &s, false, &mine), they_trap = theirs_run(run, count, &s, &theirs);
    const char *what = we_trap != they_trap ? we_trap ? "we trap, they do not" : "they trap, we do not" : we_trap ? NULL : difference(&mine, &theirs);
    tried[i->op]++;
    if (what && failed[i->op]++ < 2) print_case(run, count, &s, what);
}

/* Random instructions that touch no memory, closed by a branch of any kind. */
static bool try_sequence(void)
{
    struct insn run[MOST];
    struct state s, mine, theirs;
    unsigned count = 1 + random_below(MOST - 1), n = 0;
    while (n < count) {
        bool is_last = n == count - 1;
        if (!make_insn(random_below(A64OP_ROW_COUNT), &run[n]) || not_here(run[n].op)) continue;
        if (is_last ? !is_jump(&run[n]) || lifts_as(&run[n], " udf ") : is_jump(&run[n]) || is_memory(&run[n]) || lifts_as(&run[n], " isb ")) continue;
        if (!is_last && random_below(3) && !lifts_as(&run[n], " adds subs adcs sbcs adds_imm subs_imm ands bics ands_imm ccmp ccmn ccmp_imm ccmn_imm csel csinc csinv csneg ")) continue;
        run[n].pc = guest_addr_make(CODE + 4 * n);
        n++;
    }
    (void)awkward_state(&run[0], &s);
    if (random_below(2)) {                                  /* equal operands too */
        for (n = 0; n < 31; n++) if (random_below(2)) s.x[n] = s.x[30];
    }
    bool we_trap = ours_run(run, count, &s, true, &mine), they_trap = theirs_run(run, count, &s, &theirs);
    const char *what = we_trap || they_trap ? "a trap" : difference(&mine, &theirs);
    static unsigned printed;
    if (what && printed++ < 4) print_case(run, count, &s, what);
    return !what;
}

int main(void)
{
    unsigned rows = 0, bad = 0, missing = 0, cases = 0, wrong_sequences = 0;
    ours_start();
    theirs_start();
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        for (unsigned n = 0; n < ENCODINGS && !not_here(row); n++) {
            struct insn i;
            for (unsigned k = 0; k < STATES && make_insn(row, &i); k++) try(&i);
        }
    }
    for (unsigned n = 0; n < SEQUENCES; n++) wrong_sequences += !try_sequence();

    FILE *list = getenv("ISA_ROWS") ? fopen(getenv("ISA_ROWS"), "a") : NULL;                             /* for arm64_table.sh */
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        const char *why = not_here(row) ? not_here(row) : "NO REASON";
        if (list && tried[row]) fprintf(list, "tried %u\n", row);
        cases += tried[row];
        rows += tried[row] != 0;
        bad += failed[row] != 0;
        if (tried[row]) continue;
        missing += !not_here(row);
        printf("not tried here: %-16s %s\n", arm64_rows[row].name, why);
    }
    if (list) fclose(list);
    printf("sequences: %u, %u of them wrong\n", SEQUENCES, wrong_sequences);
    printf("Unicorn: rows tried %u / %u, %u cases\n%u passed, %u failed\n", rows, A64OP_ROW_COUNT, cases, rows - bad + !wrong_sequences, bad + missing + (wrong_sequences != 0));
    return bad + missing + wrong_sequences != 0;
}
