// SPDX-License-Identifier: Apache-2.0
/* Our decoding of A64 against binutils: random encodings of every row, printed by both; and words at random, which must be of no row
 * where binutils sees no instruction of that name. A hosted program that runs aarch64-linux-gnu-objdump. Prints the rows tried, then
 * `N passed, N failed`; a row is one test, the words at random are another. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "arm64_decode.h"
#include "hv/exec/isa.h"
#include "hv/isa/machine.h"

enum { WORDS_PER_ROW = 100, STRANGERS = 20000, TEXT = 96, MAX_WORDS = A64OP_ROW_COUNT * WORDS_PER_ROW + STRANGERS };

static struct insn words[MAX_WORDS];                        /* op A64OP_ROW_COUNT: of no row */
static char        theirs[MAX_WORDS][TEXT];
static unsigned    word_count;
static bool        row_failed[A64OP_ROW_COUNT], row_tried[A64OP_ROW_COUNT];

static uint64_t random64(void)
{
    static uint64_t state = 1;
    uint64_t z = state += 0x9e3779b97f4a7c15u;              /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool is_register_form(uint32_t w) { return (w >> 24 & 0x3f) == 0x38 && (w >> 21 & 1) && (w >> 10 & 3) == 2; }

/* Loads of a pair into one register, or into the base that is written back; exclusives with fields that should be ones: constrained
 * unpredictable, and no text of binutils' or a remark. */
static bool is_unpredictable(uint32_t w)
{
    unsigned rt = w & 31, rn = w >> 5 & 31, rt2 = w >> 10 & 31, rs = w >> 16 & 31;
    bool is_pair_load = (w >> 27 & 7) == 5 && w >> 22 & 1, writes_back = w >> 23 & 1;
    bool is_exclusive = (w >> 24 & 0x3f) == 8, is_exclusive_pair = is_exclusive && (w >> 31) && (w >> 21 & 5) == 1 && !(w >> 23 & 1);
    if (is_exclusive_pair) return w >> 22 & 1 ? rs != 31 || rt == rt2 : rs == rt || rs == rt2 || rs == rn;
    if (is_exclusive && !(w >> 21 & 1)) return rt2 != 31 || ((w >> 22 & 1 || w >> 23 & 1) && rs != 31);
    return is_pair_load && (rt == rt2 || (writes_back && rn != 31 && (rt == rn || rt2 == rn)));
}

/* Names binutils has for registers, operations and hints that ours prints by their numbers. */
static bool has_other_names(unsigned row)
{
    return row == A64OP_MSR || row == A64OP_MRS || row == A64OP_MSR_IMM || row == A64OP_SYS || row == A64OP_SYSL || row == A64OP_HINT;
}

static void add(uint32_t bits)
{
    struct insn *i = &words[word_count];
    struct fault why;
    uint8_t bytes[4];
    memcpy(bytes, &bits, 4);
    *i = (struct insn){ 0 };
    if (!ARM64_VIRT.isa->decode_insn(bytes, 4, guest_addr_make(4ull * word_count), 0, i, &why)) i->op = A64OP_ROW_COUNT;
    i->pc = guest_addr_make(4ull * word_count);              /* where binutils thinks it stands */
    i->bits = bits;
    i->size_bytes = 4;
    if (!is_unpredictable(bits)) word_count++;
}

static void make_words(void)
{
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        /* fields of exclusives that should be ones: one, both, the other, none */
        bool is_exclusive = (arm64_rows[row].match >> 24 & 0x3f) == 8;
        for (unsigned n = 0; n < WORDS_PER_ROW; n++) {
            uint32_t ones = !is_exclusive ? 0 : n & 1 ? 31u << 10 : n & 2 ? 31u << 16 | 31u << 10 : n & 4 ? 31u << 16 : 0;
            add(arm64_rows[row].match | (((uint32_t)random64() | ones) & ~arm64_rows[row].mask));
        }
    }
    for (unsigned n = 0; n < STRANGERS; n++) add((uint32_t)random64());
}

static bool run_theirs(void)
{
    char path[] = "/tmp/arm64-objdump-XXXXXX", command[256], line[512];
    int fd = mkstemp(path);
    if (fd < 0) return false;
    for (unsigned i = 0; i < word_count; i++) {
        if (write(fd, &words[i].bits, 4) != 4) return false;
    }
    close(fd);
    snprintf(command, sizeof command, "aarch64-linux-gnu-objdump -D -z -b binary -m aarch64 -M no-aliases %s; rm -f %s", path, path);
    FILE *p = popen(command, "r");
    unsigned n = 0;
    while (p && fgets(line, sizeof line, p)) {
        unsigned long long at;
        unsigned bits;
        int text_at = 0;
        if (sscanf(line, " %llx: %x %n", &at, &bits, &text_at) == 2 && text_at && n < word_count) {
            if (bits != words[n].bits) return false;
            snprintf(theirs[n++], TEXT, "%.*s", TEXT - 1, line + text_at);
        }
    }
    return p && pclose(p) == 0 && n == word_count;
}

/* One spelling for both: no blanks behind commas, no comments, no offset of 0 that changes nothing; of a register as offset, only
 * that it is one: ours does not print how it is extended. */
static void normalise(char *s, bool is_register)
{
    char out[TEXT], *o = out, *cut = strpbrk(s, "\n;/");
    if (cut) *cut = 0;
    for (const char *t = s; *t; t++) {
        if ((*t == ' ' || *t == '\t') && (t == s || t[-1] == ',' || !t[1])) continue;
        *o++ = *t == '\t' ? ' ' : *t;
    }
    while (o > out && o[-1] == ' ') o--;
    *o = 0;
    char *zero = strstr(out, ",#0]");
    if (zero && !zero[4]) strcpy(zero, "]");
    static const char *const spelled[][2] = { { "ret x30", "ret" }, { "isb #0xf", "isb" }, { "clrex #0xf", "clrex" } };
    for (unsigned i = 0; i < sizeof spelled / sizeof spelled[0]; i++) if (!strcmp(out, spelled[i][0])) strcpy(out, spelled[i][1]);
    char *bracket = strchr(out, '['), *comma = bracket ? strchr(bracket, ',') : NULL;
    if (is_register && comma) comma[1] = 0;
    strcpy(s, out);
}

/* Is it one of the names in our table, of general registers? Floating point and vectors have some of the same. */
static bool is_ours(const char *text)
{
    size_t length = strcspn(text, " ");
    const char *operand = text + length + (text[length] == ' ');
    if (strstr(text, ",s0_")) return false;                  /* MRS has op0 of 2 and 3 */
    bool is_general = *operand == 'w' || *operand == 'x' || *operand == '#' || *operand == '0' || !strncmp(operand, "sp", 2);
    if (!is_general || strstr(text, "nxs")) return false;    /* DSB nXS is of a later architecture */
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        if (strlen(arm64_rows[row].name) == length && !strncmp(arm64_rows[row].name, text, length)) return true;
    }
    return false;
}

int main(void)
{
    unsigned tried = 0, failed = 0, strangers = 0;
    bool strangers_failed = false;
    make_words();
    if (!run_theirs()) {
        fprintf(stderr, "aarch64-linux-gnu-objdump did not do its work\n0 passed, 1 failed\n");
        return 1;
    }
    for (unsigned n = 0; n < word_count; n++) {
        char ours[TEXT] = "";
        bool is_register = is_register_form(words[n].bits);
        unsigned row = words[n].op;
        normalise(theirs[n], is_register);
        bool is_nothing = strstr(theirs[n], ".inst") != NULL;
        if (row < A64OP_ROW_COUNT && has_other_names(row)) {
            row_tried[row] = true;
            row_failed[row] |= is_nothing;
            continue;
        }
        if (row == A64OP_ROW_COUNT) {
            strangers++;
            if (is_ours(theirs[n]) && !strangers_failed) printf("%08x: ours nothing, binutils \"%s\"\n", words[n].bits, theirs[n]);
            strangers_failed |= is_ours(theirs[n]);
            continue;
        }
        (void)ARM64_VIRT.isa->disasm(&words[n], ours, sizeof ours);
        normalise(ours, is_register);
        row_tried[row] = true;
        if (strcmp(ours, theirs[n]) && !row_failed[row]) printf("%08x: ours \"%s\", binutils \"%s\"\n", words[n].bits, ours, theirs[n]);
        row_failed[row] |= strcmp(ours, theirs[n]) != 0;
    }
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        tried += row_tried[row];
        failed += row_failed[row] || !row_tried[row];
        if (!row_tried[row]) printf("not tried: %s\n", arm64_rows[row].name);
    }
    printf("arm64 disassembly: rows tried %u / %u, %u words, %u of no row\n", tried, A64OP_ROW_COUNT, word_count, strangers);
    failed += strangers_failed;
    printf("%u passed, %u failed\n", A64OP_ROW_COUNT + 1 - failed, failed);
    return failed != 0;
}
