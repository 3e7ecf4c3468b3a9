// SPDX-License-Identifier: Apache-2.0
/* Our disassembler against binutils: random encodings of every row, printed by both. A hosted program that runs
 * riscv64-linux-gnu-as and -objdump. Prints the rows tried, then `N passed, N failed`; a row is one test.
 * shows: R92 */
#include <unistd.h>
#include "test/isa/rows.h"

enum { WORDS_PER_ROW = 100, MAX_WORDS = RVOP_ROW_COUNT * WORDS_PER_ROW, TEXT = 96 };

static struct insn words[MAX_WORDS];
static char        theirs[MAX_WORDS][TEXT];
static unsigned    word_count;
static bool        row_failed[RVOP_ROW_COUNT], row_tried[RVOP_ROW_COUNT];

/* Encodings whose reserved fields binutils 2.40 refuses to print, where hardware must ignore them. */
static bool is_beyond_binutils(const struct insn *i)
{
    const int32_t *arg = i->arg;
    switch (i->op) {
    case RVOP_FENCE:                                        /* fm, rd and rs1 are to be ignored (2.7) */
        return (i->bits & 0xf00fff80u) != 0;
    case RVOP_FENCE_I:                                      /* imm, rd and rs1 likewise (3) */
        return (i->bits & 0xffff8f80u) != 0;
    case RVOP_FCVT_D_S: case RVOP_FCVT_D_W: case RVOP_FCVT_D_WU: /* always exact: binutils knows one rounding mode, or two */
        return arg[3] != 0;
    case RVOP_C_SLLI: case RVOP_C_SRLI: case RVOP_C_SRAI:   /* by 0: a hint with a name of its own there, c.slli64 */
        return arg[2] == 0;
    case RVOP_CSRRW: case RVOP_CSRRS: case RVOP_CSRRC: case RVOP_CSRRWI: case RVOP_CSRRSI: case RVOP_CSRRCI: {
        char name[32];                                      /* CSRs that we do not have, they may name */
        (void)riscv64_print_csr(arg[2], name, sizeof name);
        return name[0] == '0';
    }
    default:
        return false;
    }
}

static void make_words(void)
{
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        for (unsigned n = 0; n < WORDS_PER_ROW; n++) {
            struct insn i;
            /* the reserved fields are mostly set in random words: narrow them so that enough is left to compare */
            if (!random_word(row, &i)) {
                continue;
            }
            if (row == RVOP_FENCE || row == RVOP_FENCE_I) {
                i.bits &= row == RVOP_FENCE ? ~0xf00fff80u : ~0xffff8f80u;
                (void)riscv64_decode(i.bits, 4, &i);
            } else if (is_beyond_binutils(&i) && riscv64_rows[row].extension[0] == 'D') {
                i.bits &= ~0x7000u;
                (void)riscv64_decode(i.bits, 4, &i);
            }
            if (i.op == row && !is_beyond_binutils(&i)) {
                words[word_count++] = i;
            }
        }
    }
    for (unsigned number = 0; number < 4096 && word_count < MAX_WORDS; number++) {      /* csrrw of each CSR there is */
        struct insn i = { .bits = 0x00059073u | number << 20, .size_bytes = 4 };
        if (riscv64_decode(i.bits, 4, &i) && !is_beyond_binutils(&i)) {
            words[word_count++] = i;
        }
    }
}

static bool run_theirs(void)
{
    char folder[] = "/tmp/riscv64-objdump-XXXXXX", path[64], command[512], line[512];
    if (!mkdtemp(folder)) {
        return false;
    }
    snprintf(path, sizeof path, "%s/t.s", folder);
    FILE *f = fopen(path, "w");
    if (!f) {
        return false;
    }
    for (unsigned i = 0; i < word_count; i++) {
        fprintf(f, ".insn %u,0x%x\n", words[i].size_bytes, words[i].bits);
    }
    fclose(f);
    snprintf(command, sizeof command, "cd %s && riscv64-linux-gnu-as -march=rv64gc_zba_zbb_zbs_svinval_zihintpause t.s -o t.o && "
             "riscv64-linux-gnu-objdump -d -M no-aliases t.o; rm -rf %s", folder, folder);
    FILE *p = popen(command, "r");
    unsigned n = 0;
    while (p && fgets(line, sizeof line, p)) {
        unsigned long long at;
        unsigned bits;
        int text_at = 0;
        if (sscanf(line, " %llx: %x %n", &at, &bits, &text_at) == 2 && text_at && n < word_count) {
            if (bits != words[n].bits) {
                fprintf(stderr, "objdump's line %u is 0x%x, not 0x%x\n", n, bits, words[n].bits);
                break;
            }
            words[n].pc.v = at;
            snprintf(theirs[n++], TEXT, "%.*s", TEXT - 1, line + text_at);
        }
    }
    return p && pclose(p) == 0 && n == word_count;
}

/* Theirs in our spelling: one blank, no comments, no symbols; a jump's target with 0x. */
static void normalise(char *s, bool has_target)
{
    char out[TEXT + 8], *cut = strpbrk(s, "\n#<");
    if (cut) {
        *cut = 0;
    }
    for (char *t = s; *t; t++) {
        *t = *t == '\t' ? ' ' : *t;
    }
    for (size_t n = strlen(s); n && s[n - 1] == ' '; n--) {
        s[n - 1] = 0;
    }
    char *target = strrchr(s, ',') ? strrchr(s, ',') + 1 : strchr(s, ' ') ? strchr(s, ' ') + 1 : NULL;
    if (has_target && target && strncmp(target, "0x", 2)) {
        snprintf(out, sizeof out, "%.*s0x%s", (int)(target - s), s, target);
        snprintf(s, TEXT, "%.*s", TEXT - 1, out);
    }
}

int main(void)
{
    unsigned tried = 0, failed = 0;
    make_words();
    if (!run_theirs()) {
        fprintf(stderr, "riscv64-linux-gnu-as or -objdump did not do its work\n0 passed, 1 failed\n");
        return 1;
    }
    for (unsigned n = 0; n < word_count; n++) {
        char ours[TEXT];
        unsigned row = words[n].op;
        const char *operands = riscv64_rows[row].operands;
        normalise(theirs[n], operands[0] && operands[strlen(operands) - 1] == 'p');
        insn_text(&words[n], ours, sizeof ours);
        row_tried[row] = true;
        if (strcmp(ours, theirs[n])) {
            if (!row_failed[row]) {
                printf("%08x: ours \"%s\", binutils \"%s\"\n", words[n].bits, ours, theirs[n]);
            }
            row_failed[row] = true;
        }
    }
    for (unsigned row = 0; row < RVOP_ROW_COUNT; row++) {
        tried += row_tried[row];
        failed += row_failed[row];
        if (!row_tried[row]) {
            printf("not tried: %s\n", riscv64_rows[row].name);
        }
    }
    printf("disassembly: rows tried %u / %u, %u words\n%u passed, %u failed\n", tried, RVOP_ROW_COUNT, word_count, tried - failed, failed);
    return failed || tried != RVOP_ROW_COUNT;
}
