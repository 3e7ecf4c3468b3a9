// SPDX-License-Identifier: Apache-2.0
/* One case of the riscv64 suites: an instruction and an awkward state, run by us through lift and the interpreter's
 * single step. Both oracles (Unicorn, qemu-riscv64) see the same cases. */
#pragma once
#include <sys/mman.h>
#include "hv/core/page.h"
#include "test/isa/rows.h"
#include "test/unit/engine.h"

#define RAM        0x80000000ull
#define CODE       (RAM + 0x8000)
#define TRAP       (RAM + 0x4000)
#define DATA       (RAM + 0x100000)
#define DATA_BYTES 64

struct state { uint64_t x[32], f[32], fcsr, pc; uint8_t data[DATA_BYTES]; };
struct outcome { struct state s; bool is_trap; uint64_t cause; };

static const char *const lift_names[RVOP_ROW_COUNT] = {
#define X(row, name) [row] = #name,
    RVOP_ROW_LIST(X)
#undef X
};
static inline bool is_one_of(const char *name, const char *list)        /* blanks around each word of the list */
{
    char word[32];
    snprintf(word, sizeof word, " %s ", name);
    return strstr(list, word) != NULL;
}
static inline bool is_load(unsigned row)   { return is_one_of(lift_names[row], " lb lh lw ld lbu lhu lwu flw fld "); }
static inline bool is_store(unsigned row)  { return is_one_of(lift_names[row], " sb sh sw sd fsw fsd "); }
static inline bool is_atomic(unsigned row) { return !strcmp(riscv64_rows[row].extension, "A"); }
static inline bool is_csr(unsigned row)    { return !strcmp(riscv64_rows[row].extension, "Zicsr"); }
static inline bool is_single(unsigned row) { return is_fp_row(row) && strstr(riscv64_rows[row].name, ".s"); }
static inline bool is_control(unsigned row) { return is_one_of(lift_names[row], " jal jalr beq bne blt bge bltu bgeu "); }

/* The argument that is the address register, or -1. */
static inline int address_arg(unsigned row) { return is_load(row) || is_atomic(row) ? 1 : is_store(row) ? 0 : -1; }
static inline int32_t address_offset(const struct insn *i) { return is_atomic(i->op) ? 0 : i->arg[2]; }

/* Does the instruction name this x register? (Operands of kind A in the row's text; sp is implied by compressed ones.) */
static inline bool names_x(const struct insn *i, int32_t reg)
{
    for (const char *s = riscv64_rows[i->op].operands; (s = strchr(s, '%')); s += 3) {
        if (s[2] == 'A' && i->arg[s[1] - '0'] == reg) {
            return true;
        }
    }
    return reg == 2 && strstr(riscv64_rows[i->op].operands, "sp");
}

/* ---- awkward values ---- */
static inline uint64_t awkward_integer(void)
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
static inline uint32_t awkward_single(void)
{
    static const uint32_t table[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x3fc00000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00000, 0x7f800001,
                                      0xffbfffff, 0x7fc12345, 1, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff,
                                      0x4effffff, 0x4f000000, 0xcf000000, 0xcf000001, 0x4f7fffff, 0x4f800000, 0x5effffff, 0x5f000000, 0xdf000000,
                                      0x5f7fffff, 0x5f800000, 0x3f000000, 0xbf000000, 0x3f7fffff, 0xbf7fffff, 0x00000002, 0x34000000 };
    switch (random_below(4)) {
    case 0: case 1: return table[random_below(sizeof table / sizeof table[0])];
    case 2:  return (uint32_t)random64();
    default: return ((uint32_t)random64() & 0x807fffff) | (97 + random_below(64)) << 23;
    }
}
static inline uint64_t awkward_double(void)
{
    static const uint64_t table[] = { 0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x3ff8000000000000, 0x7ff0000000000000,
                                      0xfff0000000000000, 0x7ff8000000000000, 0xfff8000000000000, 0x7ff0000000000001, 0xfff7ffffffffffff,
                                      0x7ff8123456789abc, 1, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x8010000000000000,
                                      0x7fefffffffffffff, 0xffefffffffffffff, 0x41dfffffffc00000, 0x41dfffffffe00000, 0x41e0000000000000,
                                      0xc1e0000000000000, 0xc1e0000000200000, 0xc1e0000000100000, 0x41efffffffe00000, 0x41effffffff00000,
                                      0x41f0000000000000, 0x43dfffffffffffff, 0x43e0000000000000, 0xc3e0000000000000, 0xc3e0000000000001,
                                      0x43efffffffffffff, 0x43f0000000000000, 0x3fe0000000000000, 0xbfe0000000000000, 0x3fefffffffffffff,
                                      0x47efffffe0000000, 0x47efffffefffffff, 0x47effffff0000000, 0x36a0000000000000, 0x3690000000000000,
                                      0x3810000000000000, 0x380fffffc0000000, 0x380fffffffffffff };
    switch (random_below(4)) {
    case 0: case 1: return table[random_below(sizeof table / sizeof table[0])];
    case 2:  return random64();
    default: return (random64() & 0x800fffffffffffff) | (uint64_t)(993 + random_below(64)) << 52;
    }
}
static inline uint64_t awkward_fp(bool single, bool may_be_unboxed)
{
    bool boxed = may_be_unboxed ? random_below(100) < (single ? 85 : 15) : single;
    return boxed ? 0xffffffff00000000 | awkward_single() : awkward_double();
}

/* A state for this instruction; loads and stores point into DATA. False: it cannot (address register is x0). */
static inline bool awkward_state(const struct insn *i, bool may_be_unboxed, struct state *s)
{
    int a = address_arg(i->op);
    for (unsigned n = 0; n < 32; n++) {
        s->x[n] = n ? awkward_integer() : 0;
        s->f[n] = awkward_fp(is_single(i->op), may_be_unboxed);
    }
    for (unsigned n = 0; n < DATA_BYTES; n++) {
        s->data[n] = (uint8_t)random64();
    }
    s->fcsr = random_below(32) | (uint64_t)random_below(5) << 5;
    s->pc = CODE;
    if (a >= 0) {
        unsigned at = 16 + random_below(33);
        if (i->arg[a] == 0) {
            return false;
        }
        s->x[i->arg[a]] = DATA + (is_atomic(i->op) ? at & ~7u : at) - (uint64_t)(int64_t)address_offset(i);
    }
    return true;
}

/* ---- our side ---- */
struct ours { struct vcpu v; struct gmem gmem; struct mmio_bus bus; struct guest_clock clock; };

static inline void ours_start(struct ours *o)
{
    void *at = mmap(NULL, MIB(64), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    page_add_range(host_addr_make(at), MIB(64));
    gmem_init(&o->gmem);
    mmio_init(&o->bus);
    o->v.isa = &RISCV64_ISA;
    o->v.clock = &o->clock;
    guest_clock_start(&o->clock, 10000000);
    o->v.engine = &TEST_ENGINE;
    if (at == MAP_FAILED || vm_failed(gmem_add(&o->gmem, guest_phys_addr_make(RAM), MIB(4), GMEM_RAM)) ||
        vm_failed(mmu_init(&o->v.mmu, &o->gmem, &o->bus, RISCV64_ISA.walk, &o->v)) || vm_failed(TEST_ENGINE.vcpu_init(&o->v))) {
        fprintf(stderr, "no memory for the machine\n");
        exit(1);
    }
}

static inline void *ours_ram(struct ours *o, uint64_t gpa, size_t size)
{
    return gmem_slice(&o->gmem, guest_phys_addr_make(gpa), size, ACCESS_WRITE);
}

/* Runs `count` instructions from s->pc, laid out one behind the other; M-mode, FS initial or dirty, TRAP as the handler. */
static inline void ours_run(struct ours *o, const struct insn *insns, unsigned count, const struct state *s, bool is_fs_dirty, struct outcome *out)
{
    struct vcpu *v = &o->v;
    uint8_t *code = ours_ram(o, s->pc, 4 * count);
    rv_set_boot(v, false, s->pc, 0, 0);
    struct rv_csrs *c = rv_csrs(v);
    for (unsigned n = 0, at = 0; n < count; at += insns[n++].size_bytes) {
        memcpy(code + at, &insns[n].bits, insns[n].size_bytes);
    }
    v->engine->forget_code(v, guest_phys_addr_make(s->pc & ~4095ull), 4096);
    memcpy(v->regs.slot, s->x, sizeof s->x);
    memcpy(v->regs.slot + RV_SLOT_F, s->f, sizeof s->f);
    v->regs.fp.flags = s->fcsr & 31;
    v->regs.fp.round = (uint8_t)(s->fcsr >> 5);
    c->mtvec = TRAP;
    c->mcause = ~0ull;
    c->mstatus |= is_fs_dirty ? RV_FS : 1u << RV_FS_SHIFT;
    rv_sync(v);
    memcpy(ours_ram(o, DATA, DATA_BYTES), s->data, DATA_BYTES);
    for (unsigned n = 0; n < count && c->mcause == ~0ull; n++) {
        (void)v->engine->execute_instruction(v);
    }
    memcpy(out->s.x, v->regs.slot, sizeof out->s.x);
    memcpy(out->s.f, v->regs.slot + RV_SLOT_F, sizeof out->s.f);
    out->s.fcsr = v->regs.fp.flags | (uint64_t)v->regs.fp.round << 5;
    out->s.pc = v->regs.pc;
    memcpy(out->s.data, ours_ram(o, DATA, DATA_BYTES), DATA_BYTES);
    out->is_trap = c->mcause != ~0ull;
    out->cause = c->mcause;
}

/* First difference as text, or NULL. */
static inline const char *difference(const struct state *ours, const struct state *theirs, bool with_pc, unsigned skip_x_from)
{
    static char text[128];
    for (unsigned n = 0; n < skip_x_from; n++) {
        if (ours->x[n] != theirs->x[n]) {
            snprintf(text, sizeof text, "x%u: ours %016llx, theirs %016llx", n, (unsigned long long)ours->x[n], (unsigned long long)theirs->x[n]);
            return text;
        }
    }
    for (unsigned n = 0; n < 32; n++) {
        if (ours->f[n] != theirs->f[n]) {
            snprintf(text, sizeof text, "f%u: ours %016llx, theirs %016llx", n, (unsigned long long)ours->f[n], (unsigned long long)theirs->f[n]);
            return text;
        }
    }
    if (ours->fcsr != theirs->fcsr) {
        snprintf(text, sizeof text, "fcsr: ours %02x, theirs %02x", (unsigned)ours->fcsr, (unsigned)theirs->fcsr);
        return text;
    }
    if (with_pc && ours->pc != theirs->pc) {
        snprintf(text, sizeof text, "pc: ours %llx, theirs %llx", (unsigned long long)ours->pc, (unsigned long long)theirs->pc);
        return text;
    }
    for (unsigned n = 0; n < DATA_BYTES; n++) {
        if (ours->data[n] != theirs->data[n]) {
            snprintf(text, sizeof text, "memory +%u: ours %02x, theirs %02x", n, ours->data[n], theirs->data[n]);
            return text;
        }
    }
    return NULL;
}

/* ---- counting by row ---- */
struct tally { unsigned tried[RVOP_ROW_COUNT], failed[RVOP_ROW_COUNT]; };

static inline void print_case(const struct insn *i, const struct state *s, const char *what)
{
    char text[96];
    insn_text(i, text, sizeof text);
    printf("%-10s %08x %s: %s\n", riscv64_rows[i->op].name, i->bits, text, what);
    for (unsigned n = 0; n < i->arg_count; n++) {           /* what its operands held */
        if (i->arg[n] >= 0 && i->arg[n] < 32) {
            printf("    %u: x %016llx f %016llx\n", (unsigned)i->arg[n], (unsigned long long)s->x[i->arg[n]], (unsigned long long)s->f[i->arg[n]]);
        }
    }
    printf("    fcsr %02x\n", (unsigned)s->fcsr);
}

/* Prints the summary; `reason` says why a row was not tried (NULL: it should have been). Returns the exit status. */
static inline int summary(const struct tally *t, const char *suite, const char *(*reason)(unsigned row))
{
    unsigned tried = 0, failed = 0, missing = 0, cases = 0;
    FILE *rows = getenv("ISA_ROWS") ? fopen(getenv("ISA_ROWS"), "a") : NULL;           /* for coverage.sh */
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        const char *name = riscv64_rows[row].name;
        if (rows && t->tried[row]) {
            fprintf(rows, "tried %s\n", name);
        } else if (rows) {
            fprintf(rows, "skipped %s %s\n", name, reason(row) ? reason(row) : "no reason");
        }
        cases += t->tried[row];
        tried += t->tried[row] != 0;
        failed += t->failed[row] != 0;
        if (!t->tried[row]) {
            const char *why = reason(row);
            missing += !why;
            printf("not tried here: %-16s %s\n", name, why ? why : "NO REASON");
        }
    }
    if (rows) {
        fclose(rows);
    }
    printf("%s: rows tried %u / %u, %u cases\n%u passed, %u failed\n", suite, tried, RVOP_ROW_COUNT, cases, tried - failed, failed + missing);
    return failed + missing != 0;
}
