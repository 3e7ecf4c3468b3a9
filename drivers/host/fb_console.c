// SPDX-License-Identifier: Apache-2.0
/* A terminal on a framebuffer; see fb_console.h. Video memory is slow, and reading it slower still: what is on the screen
 * is kept in `shown`, and only cells that are to look different are drawn. So a scroll costs what it changes. No lock:
 * console.h says who may call; a panic that cuts in finds indices that are in bounds at every moment. */
#include "drivers/host/fb_console.h"
#include "drivers/host/font.h"
#include "drivers/host/palette.h"
#include "drivers/host/terminal.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define WIDE_SCREEN 2560u                                /* from here on a pixel of the font is more than one */
#define MAX_CELLS   (TERMINAL_MAX_COLUMNS * TERMINAL_MAX_ROWS)

static struct framebuffer fb;
static struct terminal terminal;
static struct terminal_cell cells[MAX_CELLS], shown[MAX_CELLS];
static uint32_t pixel[16];                               /* the palette, as this screen wants it */
static unsigned scale;

/* The upper `bits` bits of an 8-bit value, where they belong. */
static uint32_t part(struct framebuffer_colour c, uint32_t value)
{
    uint32_t v = c.bits >= 8 ? value << (c.bits - 8) : value >> (8 - c.bits);
    return v << c.shift;
}

static void store(uint8_t *at, uint32_t v)
{
    switch (fb.pixel_bits) {
    case 32: *(uint32_t *)at = v; break;
    case 24:
        at[0] = (uint8_t)v;
        at[1] = (uint8_t)(v >> 8);
        at[2] = (uint8_t)(v >> 16);
        break;
    default: *(uint16_t *)at = (uint16_t)v; break;
    }
}

static void draw_line(uint8_t *at, uint8_t line, uint32_t front, uint32_t back)
{
    unsigned bytes = (fb.pixel_bits + 7) / 8;
    for (unsigned bit = 0x80; bit; bit >>= 1) {
        for (unsigned i = 0; i < scale; i++, at += bytes) store(at, line & bit ? front : back);
    }
}

static void draw_pixels(unsigned column, unsigned row, struct terminal_cell c)
{
    const uint8_t *lines = font_lines(&font_screen, c.code);
    unsigned height = font_screen.height, bytes = (fb.pixel_bits + 7) / 8;
    unsigned front = c.colours & 15, back = c.colours >> 4;
    if (c.flags & TERMINAL_CURSOR) {
        back = front;
        front = c.colours >> 4;
        if (front == back) back = front ^ 7;             /* hidden text: the cursor is not */
    }
    uint8_t *at = (uint8_t *)fb.base + (size_t)row * height * scale * fb.pitch_bytes + (size_t)column * FONT_WIDTH * scale * bytes;
    for (unsigned y = 0; y < height * scale; y++, at += fb.pitch_bytes) {
        bool is_underline = c.flags & TERMINAL_UNDERLINED && y / scale == height - 2;
        draw_line(at, is_underline ? 0xff : lines[y / scale], pixel[front], pixel[back]);
    }
}

/* The letters of code page 437 beyond ASCII that consoles use. */
static const struct { uint16_t code; uint8_t byte; } page_437[] = {
    { 0x2500, 0xc4 }, { 0x2502, 0xb3 }, { 0x250c, 0xda }, { 0x2510, 0xbf }, { 0x2514, 0xc0 }, { 0x2518, 0xd9 }, { 0x251c, 0xc3 },
    { 0x2524, 0xb4 }, { 0x252c, 0xc2 }, { 0x2534, 0xc1 }, { 0x253c, 0xc5 }, { 0x2550, 0xcd }, { 0x2551, 0xba }, { 0x2554, 0xc9 },
    { 0x2557, 0xbb }, { 0x255a, 0xc8 }, { 0x255d, 0xbc }, { 0x2588, 0xdb }, { 0x2591, 0xb0 }, { 0x2592, 0xb1 }, { 0x2593, 0xb2 },
    { 0x00b0, 0xf8 }, { 0x00b1, 0xf1 }, { 0x00b7, 0xfa }, { 0x00b5, 0xe6 }, { 0x00e4, 0x84 }, { 0x00f6, 0x94 }, { 0x00fc, 0x81 },
    { 0x00c4, 0x8e }, { 0x00d6, 0x99 }, { 0x00dc, 0x9a }, { 0x00df, 0xe1 }, { 0x00e9, 0x82 }, { 0x00e8, 0x8a }, { 0x00e0, 0x85 },
};

static uint8_t letter_437(unsigned code)
{
    if (code >= ' ' && code < 0x7f) return (uint8_t)code;
    for (size_t i = 0; i < ARRAY_COUNT(page_437); i++) {
        if (page_437[i].code == code) return page_437[i].byte;
    }
    return '?';
}

/* EGA's colours are ANSI's with red and blue changed over; bit 7 of an attribute would blink. */
static unsigned ega(unsigned ansi) { return (ansi & 10) | (ansi >> 2 & 1) | (ansi & 1) << 2; }

static void draw_text(unsigned column, unsigned row, struct terminal_cell c)
{
    unsigned front = c.colours & 15, back = c.colours >> 4;
    if (c.flags & TERMINAL_CURSOR) {
        back = front;
        front = c.colours >> 4 & 7;
        if (front == (back & 7)) back = front ^ 7;
    }
    uint16_t *at = (uint16_t *)((uint8_t *)fb.base + (size_t)row * fb.pitch_bytes) + column;
    *at = (uint16_t)(letter_437(c.code) | ega(front) << 8 | ega(back & 7) << 12);
}

static bool looks_same(struct terminal_cell a, struct terminal_cell b)
{
    return a.code == b.code && a.colours == b.colours && a.flags == b.flags;
}

static void refresh(void)
{
    for (unsigned row = terminal.dirty_from; row < terminal.dirty_end; row++) {
        for (unsigned column = 0; column < terminal.columns; column++) {
            struct terminal_cell *was = &shown[row * terminal.columns + column], now = terminal_look(&terminal, column, row);
            if (looks_same(*was, now)) continue;
            *was = now;
            if (fb.is_text) draw_text(column, row, now);
            else draw_pixels(column, row, now);
        }
    }
    terminal.dirty_from = terminal.rows;
    terminal.dirty_end = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);             /* write-combining buffers are emptied: the machine may stop next */
}

/* Everything black, the margins too: what is there is not known. */
static void clear(void)
{
    unsigned bytes = (fb.pixel_bits + 7) / 8;
    for (uint32_t y = 0; y < fb.height; y++) {
        uint8_t *at = (uint8_t *)fb.base + (size_t)y * fb.pitch_bytes;
        for (uint32_t x = 0; x < fb.width; x++) {
            if (fb.is_text) ((uint16_t *)at)[x] = 0x0720;
            else store(at + (size_t)x * bytes, pixel[0]);
        }
    }
}

bool fb_console_init(const struct framebuffer *f)
{
    if (!framebuffer_is_usable(f)) return false;
    fb = *f;
    for (unsigned i = 0; i < ARRAY_COUNT(pixel) && !fb.is_text; i++) {
        pixel[i] = part(fb.red, palette[i].red) | part(fb.green, palette[i].green) | part(fb.blue, palette[i].blue);
    }
    scale = 1 + fb.width / WIDE_SCREEN;
    unsigned columns = fb.is_text ? fb.width : fb.width / (FONT_WIDTH * scale);
    unsigned rows = fb.is_text ? fb.height : fb.height / (font_screen.height * scale);
    terminal_init(&terminal, cells, columns, rows);
    terminal.is_newline_return = true;                   /* console.h: LF is a new line */
    clear();
    for (unsigned i = 0; i < terminal.columns * terminal.rows; i++) {
        shown[i] = (struct terminal_cell){ .code = ' ', .colours = 7 };
    }
    refresh();
    return true;
}

void fb_console_write(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    terminal_write(&terminal, text, length);
    refresh();
}

size_t fb_console_read_answers(void *ctx, char *out, size_t cap_bytes)
{
    (void)ctx;
    size_t n = terminal.reply_bytes < cap_bytes ? terminal.reply_bytes : cap_bytes;
    memcpy(out, terminal.reply, n);
    memmove(terminal.reply, terminal.reply + n, terminal.reply_bytes - n);
    terminal.reply_bytes -= (unsigned)n;
    return n;
}
