// SPDX-License-Identifier: Apache-2.0
/* riscv64 instructions against Unicorn 2: for each row of the decode table many random encodings in awkward states, one
 * step each, comparing x, f, pc, fcsr and memory. A hosted program. Known differences of Unicorn (it is built on QEMU
 * 5.0.1) are named below, with what covers them instead. shows: R29 R30 R31 R32 R33 R34 */
#include <unicorn/unicorn.h>
#include "test/isa/cases.h"

enum { ENCODINGS = 60, STATES = 4 };

static struct ours ours;
static uc_engine *uc;
static uc_context *fresh;
static struct tally tally;

static void must(uc_err e, const char *what)
{
    if (e != UC_ERR_OK) {
        fprintf(stderr, "unicorn: %s: %s\n0 passed, 1 failed\n", what, uc_strerror(e));
        exit(1);
    }
}

static const char *not_here(unsigned row)
{
    const char *e = riscv64_rows[row].extension;
    if (e[0] == 'Z' && e[1] == 'b') {
        return "Unicorn lacks bit manipulation: qemu-riscv64 suite";
    }
    if (!strcmp(e, "Svinval")) {
        return "privileged, and newer than Unicorn: test/unit/riscv64_{priv,mmu}_test.c";
    }
    return NULL;
}

/* CSRs that both have and that have no side effects on the run. */
static const uint16_t shared_csrs[] = { 0x001, 0x002, 0x003, 0x140, 0x340, 0x343, 0x143, 0x142 };

/* A random instruction of the row that the suite can run. */
static bool make_insn(unsigned row, struct insn *i)
{
    if (!random_word(row, i)) {
        return false;
    }
    if (is_csr(row)) {
        i->bits = (i->bits & 0xfffff) | (uint32_t)shared_csrs[random_below(sizeof shared_csrs / sizeof shared_csrs[0])] << 20;
        return riscv64_decode(i->bits, 4, i);
    }
    return true;
}

/* What ran before the instruction, so that it has something to work on: a reservation for SC. */
static unsigned make_prelude(const struct insn *i, struct insn *prelude)
{
    bool is_sc = is_one_of(lift_names[i->op], " sc_w sc_d ");
    if (!is_sc || random_below(4) == 0) {
        return 0;
    }
    memset(prelude, 0, sizeof *prelude);
    prelude->size_bytes = 4;
    prelude->bits = 0x1000002f | (i->bits & 0x7000) | (uint32_t)i->arg[1] << 15;        /* lr zero,(rs1) */
    return riscv64_decode(prelude->bits, 4, prelude) ? 1 : 0;
}

static void theirs_run(const struct insn *insns, unsigned count, const struct state *s, struct outcome *out)
{
    uint64_t mstatus = RV_FS | RV_M << RV_MPP_SHIFT, end = s->pc;
    int id[32 + 32];
    void *value[32 + 32];
    out->s = *s;
    must(uc_context_restore(uc, fresh), "restore");
    for (unsigned n = 0; n < count; end += insns[n++].size_bytes) {
        must(uc_mem_write(uc, end, &insns[n].bits, insns[n].size_bytes), "write code");
    }
    must(uc_ctl_remove_cache(uc, s->pc, end), "forget code");          /* uc_mem_write alone leaves stale translations */
    must(uc_mem_write(uc, DATA, s->data, DATA_BYTES), "write data");
    for (int n = 0; n < 32; n++) {
        id[n] = UC_RISCV_REG_X0 + n;
        id[32 + n] = UC_RISCV_REG_F0 + n;
        value[n] = &out->s.x[n];
        value[32 + n] = &out->s.f[n];
    }
    must(uc_reg_write(uc, UC_RISCV_REG_MSTATUS, &mstatus), "mstatus");
    must(uc_reg_write_batch(uc, id, value, 64), "write registers");
    must(uc_reg_write(uc, UC_RISCV_REG_FCSR, &s->fcsr), "fcsr");
    uc_err e = uc_emu_start(uc, s->pc, 0, 0, count);
    out->is_trap = e != UC_ERR_OK && e != UC_ERR_FETCH_UNMAPPED;      /* a jump out of RAM: the next fetch is not asked for */
    must(uc_reg_read_batch(uc, id, value, 64), "read registers");
    must(uc_reg_read(uc, UC_RISCV_REG_FCSR, &out->s.fcsr), "fcsr");
    must(uc_reg_read(uc, UC_RISCV_REG_PC, &out->s.pc), "pc");
    must(uc_mem_read(uc, DATA, out->s.data, DATA_BYTES), "read data");
}

static bool is_signalling_single(uint64_t f) { return ((uint32_t)f & 0x7fc00000) == 0x7f800000 && ((uint32_t)f & 0x3fffff); }
static bool is_signalling_double(uint64_t f) { return (f & 0x7ff8000000000000) == 0x7ff0000000000000 && (f & 0x7ffffffffffff); }

/* Known differences of Unicorn 2.0.1; qemu-riscv64 7.2 decides these cases in the other suite. */
static bool is_known_difference(const struct insn *i, const struct state *s)
{
    if (is_one_of(lift_names[i->op], " fmin_s fmax_s fmin_d fmax_d ")) {
        /* IEEE 754-2008 minNum of F 2.0: a signalling NaN makes the result NaN; since 2.2 it is the number */
        uint64_t a = s->f[i->arg[1]], b = s->f[i->arg[2]];
        return is_single(i->op) ? is_signalling_single(a) || is_signalling_single(b) : is_signalling_double(a) || is_signalling_double(b);
    }
    if (strstr(lift_names[i->op], "amomin") || strstr(lift_names[i->op], "amomax")) {
        /* the word forms compare all 64 bits of rs2 with the word zero-extended: only positive words come out right */
        uint64_t word = load_le32(&s->data[s->x[i->arg[1]] - DATA]);
        return strstr(lift_names[i->op], "_w") && (word >> 31 || s->x[i->arg[2]] >> 31);
    }
    return false;
}

static void try(const struct insn *i)
{
    struct insn run[3];
    struct state s;
    struct outcome mine, theirs;
    if (!awkward_state(i, false, &s) || is_known_difference(i, &s)) {
        return;
    }
    unsigned count = make_prelude(i, run);
    run[count++] = *i;
    if (is_csr(i->op)) {                                    /* what the write left behind: csrrs t1,csr,zero */
        struct insn *back = &run[count];
        *back = (struct insn){ .bits = 0x00002373u | (i->bits & 0xfff00000), .size_bytes = 4 };
        (void)riscv64_decode(back->bits, 4, back);
        if (i->arg[0] != 6) {
            count++;
        }
    }
    ours_run(&ours, run, count, &s, random_below(2), &mine);
    theirs_run(run, count, &s, &theirs);
    if ((is_single(i->op) || i->op == RVOP_FMV_W_X) && !mine.is_trap && i->arg[0] < 32) {
        /* leaves the upper half of singles 0: boxing is for the other suite */
        theirs.s.f[i->arg[0]] |= mine.s.f[i->arg[0]] & 0xffffffff00000000;
    }
    tally.tried[i->op]++;
    const char *what = mine.is_trap != theirs.is_trap ? mine.is_trap ? "we trap, they do not" : "they trap, we do not"
                       : mine.is_trap ? (mine.cause == RV_CAUSE_ILLEGAL ? NULL : "not an illegal instruction")
                                      : difference(&mine.s, &theirs.s, true, 32);
    if (what) {
        if (tally.failed[i->op]++ < 2) {
            print_case(i, &s, what);
        }
    }
}

/* ---- traps, returns from them, and wfi: what changes is pc and mstatus ---- */
static bool is_system(unsigned row) { return is_one_of(lift_names[row], " ecall ebreak mret sret wfi "); }

static uint32_t trap_number;
static void on_trap(uc_engine *u, uint32_t number, void *unused)
{
    (void)unused;
    trap_number = number;
    (void)uc_emu_stop(u);
}

static void try_system(const struct insn *i)
{
    struct rv_csrs *c = rv_csrs(&ours.v);
    struct state s;
    (void)awkward_state(i, false, &s);
    const uint64_t stacked = RV_SIE | RV_MIE | RV_SPIE | RV_MPIE;
    uint64_t epc = random64() & ~3ull, start = (random64() & stacked) | RV_SPP | RV_MPP | RV_FS, status, pc;
    bool is_trap = is_one_of(lift_names[i->op], " ecall ebreak "), is_sret = i->op == RVOP_SRET;

    /* ours: ours_run sets the state up, but not these CSRs, so step again from the same place */
    struct outcome mine;
    struct insn nop = { .bits = 0x13, .size_bytes = 4 };
    (void)riscv64_decode(nop.bits, 4, &nop);
    ours_run(&ours, &nop, 1, &s, true, &mine);
    memcpy(ours_ram(&ours, s.pc, 4), &i->bits, i->size_bytes);
    ours.v.engine->forget_code(&ours.v, guest_phys_addr_make(0), UINT64_MAX);
    ours.v.regs.pc = s.pc;
    c->mepc = c->sepc = epc;
    c->mstatus = start | RV_UXL | RV_SXL;
    rv_sync(&ours.v);
    (void)ours.v.engine->execute_instruction(&ours.v);

    must(uc_context_restore(uc, fresh), "restore");
    must(uc_mem_write(uc, s.pc, &i->bits, i->size_bytes), "write code");
    must(uc_ctl_remove_cache(uc, s.pc, s.pc + 4), "forget code");
    must(uc_reg_write(uc, UC_RISCV_REG_MSTATUS, &start), "mstatus");
    must(uc_reg_write(uc, UC_RISCV_REG_MEPC, &epc), "mepc");
    must(uc_reg_write(uc, UC_RISCV_REG_SEPC, &epc), "sepc");
    trap_number = ~0u;
    uc_hook hook;
    must(uc_hook_add(uc, &hook, UC_HOOK_INTR, (void *)on_trap, NULL, 1, 0), "hook");
    uc_err e = uc_emu_start(uc, s.pc, 0, 0, 1);
    must(uc_hook_del(uc, hook), "hook");
    must(uc_reg_read(uc, is_sret ? UC_RISCV_REG_SSTATUS : UC_RISCV_REG_MSTATUS, &status), "status");    /* as what it runs as now */
    must(uc_reg_read(uc, UC_RISCV_REG_PC, &pc), "pc");
    must(uc_context_restore(uc, fresh), "restore");             /* back to machine mode */

    const char *what = NULL;
    if (is_trap) {                      /* it reports every ecall as the user's, 8, and ebreak as an invalid instruction */
        bool is_same = c->mcause == RV_CAUSE_ECALL_M ? trap_number == RV_CAUSE_ECALL_U
                                                     : c->mcause == RV_CAUSE_BREAKPOINT && e == UC_ERR_INSN_INVALID;
        what = !is_same ? "another cause" : c->mepc != s.pc ? "mepc is not the instruction" : NULL;
    } else if (e != UC_ERR_OK && e != UC_ERR_FETCH_UNMAPPED && e != UC_ERR_FETCH_PROT) {
        what = uc_strerror(e);
    } else if (ours.v.regs.pc != pc) {
        what = "another pc";
    } else if ((c->mstatus ^ status) & (is_sret ? RV_SIE | RV_SPIE | RV_SPP : stacked | RV_SPP | RV_MPP)) {
        what = "another mstatus";
    }
    tally.tried[i->op]++;
    if (what && tally.failed[i->op]++ < 2) {
        printf("%s: %s (pc %llx %llx, mstatus %llx %llx, cause %llx %x, %s)\n", riscv64_rows[i->op].name, what,
               (unsigned long long)ours.v.regs.pc, (unsigned long long)pc, (unsigned long long)c->mstatus, (unsigned long long)status,
               (unsigned long long)c->mcause, trap_number, uc_strerror(e));
    }
}

int main(void)
{
    ours_start(&ours);
    must(uc_open(UC_ARCH_RISCV, UC_MODE_RISCV64, &uc), "open");
    must(uc_mem_map(uc, RAM, MIB(4), UC_PROT_ALL), "map");
    must(uc_context_alloc(uc, &fresh), "context");
    must(uc_context_save(uc, fresh), "context");
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        for (unsigned n = 0; n < ENCODINGS && !not_here(row); n++) {
            struct insn i;
            for (unsigned k = 0; k < STATES && make_insn(row, &i); k++) {
                (is_system(row) ? try_system : try)(&i);
            }
        }
    }
    return summary(&tally, "Unicorn", not_here);
}
