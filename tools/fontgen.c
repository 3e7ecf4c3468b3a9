// SPDX-License-Identifier: Apache-2.0
/* fontgen FONT.psf - writes a PC screen font (version 1 or 2, 8 pixels wide, with a table of Unicode) to its standard
 * output as C, a `struct font` of drivers/host/font.h. Runs on the building machine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 1 << 20, MAX_CODES = 8192 };
static uint8_t data[MAX_BYTES];
static size_t size;
static struct code { unsigned code, glyph; } codes[MAX_CODES];
static unsigned code_count;

static void fail(const char *why)
{
    fprintf(stderr, "fontgen: %s\n", why);
    exit(1);
}

static uint32_t u32(size_t at) { return data[at] | data[at + 1] << 8 | data[at + 2] << 16 | (uint32_t)data[at + 3] << 24; }

static void add(unsigned code, unsigned glyph)
{
    if (code > 0xffff) return;
    if (code_count == MAX_CODES) fail("more characters than expected");
    codes[code_count++] = (struct code){ code, glyph };
}

/* UTF-16 code units; ffff ends a glyph's, and what follows fffe are sequences, which we have no use for. */
static void read_codes_1(size_t at, unsigned count)
{
    for (unsigned glyph = 0; glyph < count; glyph++) {
        int is_sequence = 0;
        for (;; at += 2) {
            if (at + 2 > size) fail("the table of characters ends too early");
            unsigned code = data[at] | data[at + 1] << 8;
            if (code == 0xffff) break;
            if (code == 0xfffe) is_sequence = 1;
            else if (!is_sequence) add(code, glyph);
        }
        at += 2;
    }
}

/* UTF-8; ff ends a glyph's, and what follows fe are sequences. */
static void read_codes_2(size_t at, unsigned count)
{
    for (unsigned glyph = 0; glyph < count; glyph++) {
        int is_sequence = 0;
        for (; at < size && data[at] != 0xff;) {
            uint8_t c = data[at++];
            if (c == 0xfe) is_sequence = 1;
            if (c == 0xfe) continue;
            unsigned left = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3, code = left ? c & (0x3fu >> left) : c;
            for (; left && at < size; left--) code = code << 6 | (data[at++] & 0x3f);
            if (!is_sequence) add(code, glyph);
        }
        if (at++ >= size) fail("the table of characters ends too early");
    }
}

static int by_code(const void *a, const void *b)
{
    const struct code *x = a, *y = b;
    return x->code != y->code ? (x->code < y->code ? -1 : 1) : x->glyph < y->glyph ? -1 : x->glyph > y->glyph;
}

int main(int argc, char **argv)
{
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) fail("usage: fontgen FONT.psf");
    size = fread(data, 1, sizeof data, f);
    fclose(f);
    unsigned count, height;
    size_t lines;
    if (size > 4 && data[0] == 0x36 && data[1] == 0x04) {
        if (!(data[2] & 2)) fail("this font does not say which characters it has");
        count = data[2] & 1 ? 512 : 256;
        height = data[3];
        lines = 4;
        if (!height || lines + count * height > size) fail("glyphs are missing");
        read_codes_1(lines + count * height, count);
    } else if (size > 32 && u32(0) == 0x864ab572) {
        if (!(u32(12) & 1)) fail("this font does not say which characters it has");
        lines = u32(8);
        count = u32(16);
        height = u32(24);
        if (u32(28) != 8 || !height || height > 32 || u32(20) != height) fail("only fonts of 8 pixels' width");
        if (count > 4096 || lines > size || lines + count * height > size) fail("glyphs are missing");
        read_codes_2(lines + count * height, count);
    } else {
        fail("not a PC screen font");
        return 1;
    }
    qsort(codes, code_count, sizeof *codes, by_code);
    printf("/* Made by tools/fontgen from %s. */\n#include \"drivers/host/font.h\"\nstatic const uint8_t lines[] = {", strrchr(argv[1], '/') ? strrchr(argv[1], '/') + 1 : argv[1]);
    for (unsigned i = 0; i < count * height; i++) printf("%s0x%02x,", i % height ? " " : "\n    ", data[lines + i]);
    printf("\n};\nstatic const struct font_code codes[] = {");
    unsigned kept = 0;
    for (unsigned i = 0; i < code_count; i++) {
        if (i && codes[i].code == codes[i - 1].code) continue;
        printf("%s{ 0x%04x, %u },", kept++ % 6 ? " " : "\n    ", codes[i].code, codes[i].glyph);
    }
    printf("\n};\nconst struct font font_screen = { .height = %u, .lines = lines, .codes = codes, .code_count = %u };\n", height, kept);
    return 0;
}
