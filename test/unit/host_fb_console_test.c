// SPDX-License-Identifier: Apache-2.0
/* The screen as a console, in every pixel format: what lies in video memory afterwards is looked up glyph by glyph. Video
 * memory is filled with a colour of its own around what belongs to the screen. */
#include "drivers/host/fb_console.c"
#include "drivers/host/font.c"
#include "drivers/host/framebuffer.c"
#include "test/harness/test.h"

enum { WIDTH = 324, HEIGHT = 70, COLUMNS = 40, ROWS = 4, PITCH = 1312, FENCE = 0x5a };
static uint8_t video[PITCH * HEIGHT + 64] ALIGNED(8);

static struct framebuffer screen_of(unsigned bits)
{
    struct framebuffer f = { .base = video, .pitch_bytes = PITCH, .width = WIDTH, .height = HEIGHT, .pixel_bits = (uint8_t)bits };
    if (bits >= 24) f.red = (struct framebuffer_colour){ 16, 8 }, f.green = (struct framebuffer_colour){ 8, 8 }, f.blue = (struct framebuffer_colour){ 0, 8 };
    else if (bits == 16) f.red = (struct framebuffer_colour){ 11, 5 }, f.green = (struct framebuffer_colour){ 5, 6 }, f.blue = (struct framebuffer_colour){ 0, 5 };
    else f.red = (struct framebuffer_colour){ 10, 5 }, f.green = (struct framebuffer_colour){ 5, 5 }, f.blue = (struct framebuffer_colour){ 0, 5 };
    return f;
}

static void start(struct framebuffer f)
{
    memset(video, FENCE, sizeof video);
    CHECK(fb_console_init(&f));
}

static void say(const char *text) { fb_console_write(NULL, text, strlen(text)); }

static uint32_t pixel_at(unsigned x, unsigned y)
{
    unsigned bytes = (fb.pixel_bits + 7) / 8;
    uint32_t v = 0;
    memcpy(&v, video + y * PITCH + x * bytes, bytes);
    return v;
}

/* Whether the cell shows exactly this letter in these colours of the palette. */
static bool shows(unsigned column, unsigned row, unsigned code, uint32_t front, uint32_t back)
{
    const uint8_t *lines = font_lines(&font_screen, code);
    for (unsigned y = 0; y < font_screen.height; y++) {
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            uint32_t want = lines[y] >> (7 - x) & 1 ? front : back;
            if (pixel_at(column * FONT_WIDTH + x, row * font_screen.height + y) != want) return false;
        }
    }
    return true;
}

TEST(screen_shows_text_in_every_pixel_format_and_touches_nothing_else)
{
    static const struct { unsigned bits; uint32_t grey, red, white; } format[] = {
        { 32, 0xaaaaaa, 0xaa0000, 0xffffff }, { 24, 0xaaaaaa, 0xaa0000, 0xffffff },
        { 16, 0xad55, 0xa800, 0xffff },       { 15, 0x56b5, 0x5400, 0x7fff },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(format); i++) {
        start(screen_of(format[i].bits));
        say("Hi \033[31m\xe2\x94\x80\033[1;37m!\n");
        CHECK(shows(0, 0, 'H', format[i].grey, 0));
        CHECK(shows(1, 0, 'i', format[i].grey, 0));
        CHECK(shows(3, 0, 0x2500, format[i].red, 0));
        CHECK(shows(4, 0, '!', format[i].white, 0));
        CHECK(shows(5, 0, ' ', 0, 0));
        CHECK(shows(0, 1, ' ', 0, format[i].grey));      /* the cursor */
        CHECK_EQ_U64(pixel_at(WIDTH - 1, HEIGHT - 1), 0);          /* the margin is black */
        unsigned used = WIDTH * ((format[i].bits + 7) / 8);
        for (unsigned y = 0; y < HEIGHT; y++) {
            for (unsigned at = used; at < PITCH; at++) CHECK_EQ_U64(video[y * PITCH + at], FENCE);
        }
        CHECK_EQ_U64(video[PITCH * HEIGHT], FENCE);
    }
}

TEST(screen_colours_go_where_the_masks_say)
{
    struct framebuffer f = screen_of(32);
    f.red = (struct framebuffer_colour){ 0, 8 }, f.blue = (struct framebuffer_colour){ 20, 10 }, f.green = (struct framebuffer_colour){ 10, 10 };
    start(f);
    say("\033[31mr\033[32mg\033[34mb");
    CHECK(shows(0, 0, 'r', 0xaa, 0));
    CHECK(shows(1, 0, 'g', 0xaau << 2 << 10, 0));
    CHECK(shows(2, 0, 'b', 0xaau << 2 << 20, 0));
}

/* What is not on the screen as it was remembered would stay: so it is seen what is drawn. */
TEST(screen_draws_only_the_cells_that_change)
{
    start(screen_of(32));
    say("same\nother\nsame\nlast");
    memset(video, FENCE, sizeof video);
    say("\nsame");                                       /* scrolls: other, same, last, same */
    CHECK_EQ_U64(pixel_at(0 * FONT_WIDTH, 3 * 16), 0);   /* l -> s */
    CHECK(shows(0, 0, 'o', 0xaaaaaa, 0));
    CHECK(shows(0, 1, 's', 0xaaaaaa, 0));
    CHECK(shows(1, 1, 'a', 0xaaaaaa, 0));
    uint32_t untouched;
    memset(&untouched, FENCE, sizeof untouched);
    CHECK_EQ_U64(pixel_at(1 * FONT_WIDTH, 3 * 16), untouched);     /* l-a-st, s-a-me: the a was there */
    CHECK_EQ_U64(pixel_at(20 * FONT_WIDTH, 2 * 16), untouched);
}

TEST(screen_of_many_pixels_has_large_letters)
{
    static uint8_t large[2560 * 4 * 128];
    struct framebuffer f = screen_of(32);
    f.base = large, f.width = 2560, f.height = 128, f.pitch_bytes = 2560 * 4;
    CHECK(fb_console_init(&f));
    CHECK_EQ_U64(terminal.columns, 160);
    CHECK_EQ_U64(terminal.rows, 4);
    say("H");
    const uint32_t *p = (const uint32_t *)large;
    for (unsigned y = 0; y < 32; y++) {
        for (unsigned x = 0; x < 16; x++) {
            bool is_on = font_lines(&font_screen, 'H')[y / 2] >> (7 - x / 2) & 1;
            CHECK_EQ_U64(p[y * 2560 + x], is_on ? 0xaaaaaa : 0);
        }
    }
}

TEST(screen_in_text_mode_gets_letters_and_attributes)
{
    struct framebuffer f = { .base = video, .pitch_bytes = 160, .width = 80, .height = 8, .pixel_bits = 16, .is_text = true };
    start(f);
    say("A\033[31mB\033[1;34;42mC\033[m\xe2\x94\x80\xe4\xb8\xad\n");
    const uint16_t *cell = (const uint16_t *)video;
    const uint16_t want[] = { 0x0741, 0x0442, 0x2943, 0x07c4, 0x073f, 0x0720 };
    for (unsigned i = 0; i < ARRAY_COUNT(want); i++) CHECK_EQ_U64(cell[i], want[i]);
    CHECK_EQ_U64(cell[80], 0x7020);                      /* the cursor */
    CHECK_EQ_U64(video[160 * 8], FENCE);
}

TEST(screen_that_cannot_be_drawn_on_is_refused)
{
    const struct framebuffer good = screen_of(32);
    CHECK(framebuffer_is_usable(&good));
    struct framebuffer f = good;
    f.base = NULL;
    CHECK(!fb_console_init(&f));
    f = good, f.pixel_bits = 8;
    CHECK(!framebuffer_is_usable(&f));
    f = good, f.pitch_bytes = WIDTH * 4 - 1;
    CHECK(!framebuffer_is_usable(&f));
    f = good, f.width = 100000, f.pitch_bytes = 400000;
    CHECK(!framebuffer_is_usable(&f));
    f = good, f.height = 10;
    CHECK(!framebuffer_is_usable(&f));
    f = good, f.green = (struct framebuffer_colour){ 28, 8 };
    CHECK(!framebuffer_is_usable(&f));
    f = good, f.blue.bits = 0;
    CHECK(!framebuffer_is_usable(&f));
    f = (struct framebuffer){ .base = video, .is_text = true, .width = 80, .height = 25, .pitch_bytes = 80 };
    CHECK(!framebuffer_is_usable(&f));
}

TEST(screen_letters_that_the_font_lacks_are_its_replacement)
{
    CHECK(font_lines(&font_screen, 0x4e2d) == font_lines(&font_screen, 0xfffd));
    CHECK(font_lines(&font_screen, 'A') != font_lines(&font_screen, 'B'));
    for (unsigned c = ' ' + 1; c < 0x7f; c++) CHECK(font_lines(&font_screen, c) != font_lines(&font_screen, 0xfffd));
    CHECK(font_screen.code_count > 400 && font_screen.height == 16);
    for (unsigned i = 1; i < font_screen.code_count; i++) CHECK(font_screen.codes[i - 1].code < font_screen.codes[i].code);
}
