// SPDX-License-Identifier: Apache-2.0
/* riscv64 instructions against qemu-riscv64 (user mode): every unprivileged row but jumps and branches, as one program of
 * many records that runs once (riscv64_batch.S). Singles that are not NaN-boxed, bit manipulation and all that Unicorn
 * lacks or gets wrong are decided here. A hosted program; runs riscv64-linux-gnu-gcc and qemu-riscv64.
 * shows: R29 R30 R31 R32 R33 R34 */
#include <unistd.h>
#include "test/isa/cases.h"

enum { ENCODINGS = 50, STATES = 4, MAX_RECORDS = RVOP_ROW_COUNT * ENCODINGS * STATES };
enum { X_OURS = 30 };                                       /* x30 and x31 are the batch program's */

/* riscv64_batch.S knows this layout. */
struct record { uint64_t x[32], f[32], fcsr, stub; uint8_t data[DATA_BYTES]; };
_Static_assert(sizeof(struct record) == 592, "REC_BYTES of riscv64_batch.S");

struct one { struct insn insn[2]; unsigned count; struct state before; };

static struct ours ours;
static struct tally tally;
static struct one cases[MAX_RECORDS];
static struct record records[MAX_RECORDS];
static unsigned case_count;

static const char *not_here(unsigned row)
{
    const char *e = riscv64_rows[row].extension, *l = lift_names[row];
    if (is_control(row)) {
        return "leaves its stub: Unicorn suite";
    }
    if (!strcmp(e, "Svinval")) {
        return "privileged, and newer than Unicorn: test/unit/riscv64_{priv,mmu}_test.c";
    }
    if (is_one_of(l, " mret sret wfi sfence_vma ")) {
        return "privileged: test/unit/riscv64_{priv,mmu}_test.c";
    }
    if (is_one_of(l, " ecall ebreak ")) {
        return "traps: test/unit/riscv64_{priv,lift}_test.c, and every guest";
    }
    return NULL;
}

/* A random instruction of the row that a user program may run, and that keeps off x30 and x31. */
static bool make_insn(unsigned row, struct insn *i)
{
    if (!random_word(row, i)) {
        return false;
    }
    if (is_csr(row)) {
        i->bits = (i->bits & 0xfffff) | (1 + random_below(3)) << 20;                    /* fflags, frm, fcsr */
        (void)riscv64_decode(i->bits, 4, i);
    }
    if (is_fp_row(row) && strstr(riscv64_rows[row].operands, "%")) {                    /* rm 5 and 6 would kill the program */
        for (const char *s = riscv64_rows[row].operands; (s = strchr(s, '%')); s += 3) {
            bool is_rm = s[2] == 'C' || s[2] == 'D';
            if (is_rm && (i->arg[s[1] - '0'] == 5 || i->arg[s[1] - '0'] == 6)) {
                return false;
            }
        }
    }
    return !names_x(i, 30) && !names_x(i, 31);
}

static void make_cases(void)
{
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        for (unsigned n = 0; n < ENCODINGS && !not_here(row); n++) {
            struct insn i;
            unsigned k = 0;
            while (k < 100 && !make_insn(row, &i)) {
                k++;
            }
            for (unsigned t = 0; k < 100 && t < STATES; t++) {
                struct one *o = &cases[case_count];
                if (!awkward_state(&i, true, &o->before)) {
                    continue;
                }
                o->before.x[30] = o->before.x[31] = 0;
                o->count = 0;
                if (is_one_of(lift_names[row], " sc_w sc_d ") && t) {                   /* a reservation first */
                    o->insn[0] = (struct insn){ .bits = 0x1000002f | (i.bits & 0x7000) | (uint32_t)i.arg[1] << 15, .size_bytes = 4 };
                    o->count = riscv64_decode(o->insn[0].bits, 4, &o->insn[0]) ? 1 : 0;
                }
                o->insn[o->count++] = i;
                if (o->before.fcsr >> 5 > 4) {
                    o->before.fcsr &= 31;
                }
                struct record *r = &records[case_count++];
                memcpy(r->x, o->before.x, sizeof r->x);
                memcpy(r->f, o->before.f, sizeof r->f);
                memcpy(r->data, o->before.data, DATA_BYTES);
                r->fcsr = o->before.fcsr;
            }
        }
    }
}

/* Stubs: the instructions of a case, then back. 16 bytes each, so that their addresses are known. */
static bool write_program(const char *folder)
{
    char path[128];
    snprintf(path, sizeof path, "%s/stubs.s", folder);
    FILE *f = fopen(path, "w");
    if (!f) {
        return false;
    }
    fprintf(f, "    .balign 16\nstubs:\n");
    for (unsigned n = 0; n < case_count; n++) {
        fprintf(f, "    .balign 16\n");
        for (unsigned k = 0; k < cases[n].count; k++) {
            fprintf(f, "    .%ubyte 0x%x\n", cases[n].insn[k].size_bytes, cases[n].insn[k].bits);
        }
        fprintf(f, "    .option norvc\n    jal x0, back\n    .option rvc\n");
        records[n].stub = cases[n].before.pc = RAM + 0x10000 + 16 * n;
    }
    fclose(f);
    snprintf(path, sizeof path, "%s/records.bin", folder);
    f = fopen(path, "w");
    bool ok = f && fwrite(records, sizeof records[0], case_count, f) == case_count;
    return f && fclose(f) == 0 && ok;
}

static bool run_theirs(void)
{
    char folder[] = "/tmp/riscv64-qemu-XXXXXX", command[1400];
    if (!mkdtemp(folder) || !write_program(folder)) {
        return false;
    }
    snprintf(command, sizeof command,
             "riscv64-linux-gnu-gcc -march=rv64gc -mabi=lp64d -nostdlib -static -Wl,--build-id=none -DDATA_AT=0x%llx -Wl,--no-relax"
             " -Wl,-Ttext=0x%llx -Wl,--section-start=.text.start=0x%llx -Wl,-Tdata=0x90000000 -Wl,--section-start=.window=0x%llx"
             " -I%s -Wa,-I%s -o %s/batch test/isa/riscv64_batch.S && qemu=$(command -v qemu-riscv64 || command -v qemu-riscv64-static) &&"
             " $qemu -cpu rv64,zba=true,zbb=true,zbs=true %s/batch; s=$?; rm -rf %s; exit $s",
             (unsigned long long)DATA, (unsigned long long)(RAM + 0x10000), (unsigned long long)RAM, (unsigned long long)DATA,
             folder, folder, folder, folder, folder);
    FILE *p = popen(command, "r");
    size_t got = p ? fread(records, sizeof records[0], case_count, p) : 0;
    return p && pclose(p) == 0 && got == case_count;
}

/* Known difference of qemu-riscv64 7.2: ctzw of a word of zeros goes on counting into the upper half. */
static bool is_known_difference(const struct insn *i, const struct state *s)
{
    return i->op == RVOP_CTZW && (uint32_t)s->x[i->arg[1]] == 0;
}

static void compare(const struct one *o, const struct record *r)
{
    struct outcome mine;
    struct state theirs = { .fcsr = r->fcsr };
    unsigned row = o->insn[o->count - 1].op;
    if (is_known_difference(&o->insn[o->count - 1], &o->before)) {
        return;
    }
    memcpy(theirs.x, r->x, sizeof theirs.x);
    memcpy(theirs.f, r->f, sizeof theirs.f);
    memcpy(theirs.data, r->data, DATA_BYTES);
    ours_run(&ours, o->insn, o->count, &o->before, random_below(2), &mine);
    tally.tried[row]++;
    const char *what = mine.is_trap ? "we trap, they do not" : difference(&mine.s, &theirs, false, X_OURS);
    if (what && tally.failed[row]++ < 2) {
        print_case(&o->insn[o->count - 1], &o->before, what);
    }
}

int main(void)
{
    make_cases();
    if (!run_theirs()) {
        fprintf(stderr, "riscv64-linux-gnu-gcc or qemu-riscv64 did not do its work\n0 passed, 1 failed\n");
        return 1;
    }
    ours_start(&ours);
    for (unsigned n = 0; n < case_count; n++) {
        compare(&cases[n], &records[n]);
    }
    return summary(&tally, "qemu-riscv64", not_here);
}
