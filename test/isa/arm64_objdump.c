// SPDX-License-Identifier: Apache-2.0
/* Our decoding of A64 loads and stores against binutils: random encodings of every row, printed by both; and words at random, which
 * must be of no row where binutils sees no load or store of that kind. A hosted program that runs aarch64-linux-gnu-objdump. Prints
 * the rows tried, then `N passed, N failed`; a row is one test, the words at random are another. */
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

static bool is_register_form(uint32_t w) { return (w >> 24 & 0x3f) == 0x38 && w >> 21 & 1; }
/* Extensions by option<1> = 0 are not allocated (C4.1.88): no CPU gets as far as a data abort with them. */
static bool is_reserved(uint32_t w) { return is_register_form(w) && !(w >> 14 & 1); }

/* Loads of a pair into one register, or into the base that is written back: constrained unpredictable, and no text of binutils'. */
static bool is_unpredictable(uint32_t w)
{
    unsigned rt = w & 31, rn = w >> 5 & 31, rt2 = w >> 10 & 31;
    bool is_pair_load = (w >> 27 & 7) == 5 && w >> 22 & 1, writes_back = w >> 23 & 1;
    return is_pair_load && (rt == rt2 || (writes_back && rn != 31 && (rt == rn || rt2 == rn)));
}

static void add(uint32_t bits)
{
    struct insn *i = &words[word_count];
    *i = (struct insn){ 0 };
    if (!arm64_decode(bits, 4, i)) i->op = A64OP_ROW_COUNT;
    i->bits = bits;
    i->size_bytes = 4;
    if (!is_reserved(bits) && !is_unpredictable(bits)) word_count++;
}

static void make_words(void)
{
    for (unsigned row = 0; row < A64OP_ROW_COUNT; row++) {
        for (unsigned n = 0; n < WORDS_PER_ROW; n++) add(arm64_rows[row].match | ((uint32_t)random64() & ~arm64_rows[row].mask));
    }
    /* Loads and stores have bit 27 set and bit 25 clear; the others are mostly not even near. */
    for (unsigned n = 0; n < STRANGERS; n++) add(((uint32_t)random64() & ~(1u << 25)) | 1u << 27);
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
    char *bracket = strchr(out, '['), *comma = bracket ? strchr(bracket, ',') : NULL;
    if (is_register && comma) comma[1] = 0;
    strcpy(s, out);
}

/* What our rows are: loads and stores of general registers, of every form, but not exclusive, ordered, atomic or literal ones. */
static bool is_ours(const char *text)
{
    static const char *const names[] = { "strb", "ldrb", "ldrsb", "strh", "ldrh", "ldrsh", "str", "ldr", "ldrsw", "sturb", "ldurb", "ldursb", "sturh", "ldurh", "ldursh", "stur", "ldur",
                                         "ldursw", "sttrb", "ldtrb", "ldtrsb", "sttrh", "ldtrh", "ldtrsh", "sttr", "ldtr", "ldtrsw", "stnp", "ldnp", "stp", "ldp", "ldpsw" };
    const char *end = strchr(text, ' ');
    if (!end || (end[1] != 'w' && end[1] != 'x') || !strchr(text, '[')) return false;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == (size_t)(end - text) && !strncmp(names[i], text, (size_t)(end - text))) return true;
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
