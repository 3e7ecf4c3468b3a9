// SPDX-License-Identifier: Apache-2.0
/* The host's terminal: bytes in, the whole screen out. A screen is written as its rows, blanks at their ends left out,
 * with | between them. */
#include "drivers/host/palette.c"
#include "drivers/host/terminal.c"
#include "test/harness/test.h"

static struct terminal term;
static struct terminal_cell cells_of_20_by_5[20 * 5 + 2];          /* one before and one behind: nobody writes there */
static char text[4096];

static void start(unsigned columns, unsigned rows)
{
    memset(cells_of_20_by_5, 0xa5, sizeof cells_of_20_by_5);
    terminal_init(&term, cells_of_20_by_5 + 1, columns, rows);
    term.is_newline_return = true;
}

static void type(const char *s) { terminal_write(&term, s, strlen(s)); }

static const char *screen(void)
{
    size_t n = 0;
    unsigned last = term.rows;
    for (unsigned row = 0; row < last; row++) {
        size_t end = n;
        for (unsigned column = 0; column < term.columns; column++) {
            unsigned code = term.cells[row * term.columns + column].code;
            if (code < 0x80) text[n++] = (char)code;
            else n += (size_t)sprintf(text + n, "<%x>", code);
            if (code != ' ') end = n;
        }
        n = end;
        text[n++] = '|';
    }
    while (n && text[n - 1] == '|') n--;
    text[n] = 0;
    return text;
}

static struct terminal_cell cell(unsigned column, unsigned row) { return term.cells[row * term.columns + column]; }

#define SHOWS(input, want) do { start(20, 5); type(input); CHECK_STR(screen(), want); } while (0)
#define CURSOR(c, r) do { CHECK_EQ_U64(term.at.column, c); CHECK_EQ_U64(term.at.row, r); } while (0)

TEST(terminal_text_goes_from_left_to_right_and_line_by_line)
{
    SHOWS("hello\nworld", "hello|world");
    CURSOR(5, 1);
    SHOWS("one\r\ntwo\rT", "one|Two");
    SHOWS("ab\bc", "ac");
    SHOWS("a\tb\tc", "a       b       c");
    SHOWS("\t\t\tx", "                   x");       /* a tab stops at the last column */
    SHOWS("a\a\vb", "a|b");
}

TEST(terminal_line_that_is_too_long_goes_on_in_the_next_but_not_before_it_has_to)
{
    SHOWS("12345678901234567890", "12345678901234567890");
    CURSOR(19, 0);
    type("x");
    CHECK_STR(screen(), "12345678901234567890|x");
    SHOWS("12345678901234567890\nx", "12345678901234567890|x");   /* no empty line between */
    SHOWS("12345678901234567890\rx", "x2345678901234567890");
    SHOWS("\033[?7l1234567890123456789abcdef", "1234567890123456789f");
}

TEST(terminal_scrolls_at_its_foot)
{
    SHOWS("1\n2\n3\n4\n5\n6\n7", "3|4|5|6|7");
    CURSOR(1, 4);
    type("\033[H\033M");                                 /* and down at its head */
    CHECK_STR(screen(), "|3|4|5|6");
}

TEST(terminal_cursor_is_moved_and_stays_on_the_screen)
{
    SHOWS("\033[3;5Hx", "||    x");
    SHOWS("\033[3;5fx\033[A\033[Dy\033[Bz", "|    y|    xz");
    SHOWS("\033[99;99Hx", "||||                   x");
    SHOWS("x\033[99A\033[99Dy", "y");
    SHOWS("\033[4dx\033[6Gy", "|||x    y");
    SHOWS("\033[2Bx\033[3Cy\033[1Ez\033[2Fw", "|w|x   y|z");
    SHOWS("ab\0337cd\033[5;5H\0338X", "abXd");
    SHOWS("ab\033[scd\033[5;5H\033[uX", "abXd");
}

TEST(terminal_erases_lines_and_screens)
{
    const char *full = "aaaaa\nbbbbb\nccccc\033[2;3H";
    start(20, 5), type(full), type("\033[K");
    CHECK_STR(screen(), "aaaaa|bb|ccccc");
    start(20, 5), type(full), type("\033[1K");
    CHECK_STR(screen(), "aaaaa|   bb|ccccc");
    start(20, 5), type(full), type("\033[2K");
    CHECK_STR(screen(), "aaaaa||ccccc");
    CURSOR(2, 1);
    start(20, 5), type(full), type("\033[J");
    CHECK_STR(screen(), "aaaaa|bb");
    start(20, 5), type(full), type("\033[1J");
    CHECK_STR(screen(), "|   bb|ccccc");
    start(20, 5), type(full), type("\033[2J");
    CHECK_STR(screen(), "");
    CURSOR(2, 1);
    start(20, 5), type(full), type("\033[2X");
    CHECK_STR(screen(), "aaaaa|bb  b|ccccc");
}

TEST(terminal_inserts_and_deletes)
{
    SHOWS("abcdef\033[3G\033[2@", "ab  cdef");
    SHOWS("abcdef\033[3G\033[2P", "abef");
    SHOWS("abcdef\033[3G\033[99P", "ab");
    SHOWS("abcdef\033[3G\033[99@", "ab");
    SHOWS("1\n2\n3\n4\033[2H\033[L", "1||2|3|4");
    SHOWS("1\n2\n3\n4\033[2H\033[2M", "1|4");
    SHOWS("1\n2\n3\n4\033[S", "2|3|4");
    SHOWS("1\n2\n3\n4\033[2T", "||1|2|3");
    SHOWS("1\n2\n3\n4\033[99S", "");
}

TEST(terminal_region_scrolls_alone)
{
    SHOWS("1\n2\n3\n4\n5\033[2;4r\033[4H\nx", "1|3|4|x|5");
    SHOWS("1\n2\n3\n4\n5\033[2;4r\033[2H\033Mx", "1|x|2|3|5");
    SHOWS("1\n2\n3\n4\n5\033[2;4r\033[5H\nx", "1|2|3|4|x");         /* below it, nothing does */
    SHOWS("1\n2\n3\n4\n5\033[4;2r\033[5H\nx", "2|3|4|5|x");         /* upside down: not taken */
    SHOWS("1\n2\n3\n4\n5\033[2;99r\033[5H\nx", "1|3|4|5|x");
}

TEST(terminal_colours_are_those_of_sgr)
{
    start(20, 5);
    type("a\033[31mb\033[1mc\033[44md\033[7me\033[0mf\033[92;103mg\033[38;5;196mh\033[48;2;0;170;0mi\033[mj\033[4mk\033[24;8ml\033[39;49;28mm");
    const uint8_t want[] = { 0x07, 0x01, 0x09, 0x49, 0, 0x07, 0xba };
    CHECK_EQ_U64(cell(0, 0).colours, want[0]);
    CHECK_EQ_U64(cell(1, 0).colours, want[1]);
    CHECK_EQ_U64(cell(2, 0).colours, want[2]);
    CHECK_EQ_U64(cell(3, 0).colours, want[3]);
    CHECK_EQ_U64(cell(4, 0).colours, 0x14);              /* reversed: blue on red, the light one stays in front */
    CHECK_EQ_U64(cell(5, 0).colours, want[5]);
    CHECK_EQ_U64(cell(6, 0).colours, want[6]);
    CHECK_EQ_U64(cell(7, 0).colours, 0xb0 | palette_from_256(196));
    CHECK_EQ_U64(cell(8, 0).colours, 0x20 | palette_from_256(196));
    CHECK_EQ_U64(cell(9, 0).colours, 0x07);
    CHECK_EQ_U64(cell(10, 0).flags, TERMINAL_UNDERLINED);
    CHECK_EQ_U64(cell(11, 0).colours, 0x00);
    CHECK_EQ_U64(cell(11, 0).flags, 0);
    CHECK_EQ_U64(cell(12, 0).colours, 0x07);
    SHOWS("\033[44m\033[2J", "");
    CHECK_EQ_U64(cell(7, 3).colours, 0x47);              /* what is erased keeps the background */
}

TEST(terminal_colours_beyond_sixteen_become_the_nearest)
{
    for (unsigned i = 0; i < 16; i++) {
        CHECK_EQ_U64(palette_from_256(i), i);
        CHECK_EQ_U64(palette_nearest(palette[i].red, palette[i].green, palette[i].blue), i);
    }
    CHECK_EQ_U64(palette_from_256(231), 15);
    CHECK_EQ_U64(palette_from_256(232), 0);
    CHECK_EQ_U64(palette_from_256(9999), 7);
    CHECK_EQ_U64(palette_nearest(9999, 9999, 9999), 15);
    for (unsigned i = 0; i < 300; i++) CHECK(palette_from_256(i) < 16);
}

TEST(terminal_knows_utf_8_and_line_drawing_and_shows_what_is_broken)
{
    SHOWS("\xc3\xa9\xe2\x94\x80x", "<e9><2500>x");
    SHOWS("\xf0\x9f\x98\x80x", "<fffd>x");               /* beyond the first plane */
    SHOWS("\xc3x\xe2\x94y\xff\x80", "<fffd>x<fffd>y<fffd><fffd>");
    SHOWS("\033(0lqk\033(Bl", "<250c><2500><2510>l");
    SHOWS("\xe2\x94\nz", "<fffd>|z");
}

TEST(terminal_strings_and_sequences_that_are_none_of_ours_leave_no_trace)
{
    SHOWS("\033]0;title\007a\033]2;more\033\\b\033P1;2q stuff\033\\c", "abc");
    SHOWS("\033[>c\033[=1;2v\033[?2004hx\033[ qy\033[!pz", "xyz");
    SHOWS("\033=\033>\033)0x\033#8y\033%Gz", "xyz");
    SHOWS("\033[3\030x\033[2\032y", "xy");
    SHOWS("\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20mx", "x");
    SHOWS("\033[99999999999999999999;99999999999999999999Hx", "||||                   x");
}

TEST(terminal_answers_where_the_cursor_is)
{
    start(20, 5);
    type("\033[3;4H\033[6n");
    CHECK(term.reply_bytes == 6 && !memcmp(term.reply, "\033[3;4R", 6));
    for (unsigned i = 0; i < 100; i++) type("\033[6n\033[c\033[5n");
    CHECK(term.reply_bytes <= sizeof term.reply);
}

TEST(terminal_screen_of_a_full_screen_program_is_left_empty)
{
    SHOWS("shell\033[?1049h\033[2;2Hfull\033[?1049lx", "     x");
    start(20, 5), type("\033[?25l");
    CHECK_EQ_U64(terminal_look(&term, 0, 0).flags, 0);
    type("\033[?25h");
    CHECK_EQ_U64(terminal_look(&term, 0, 0).flags, TERMINAL_CURSOR);
    type("\033[31;44mx\033c");
    CHECK_STR(screen(), "");
    CHECK_EQ_U64(cell(0, 0).colours, 7);
}

TEST(terminal_says_which_rows_changed)
{
    start(20, 5);
    type("\033[2Hx");
    term.dirty_from = 5, term.dirty_end = 0;
    type("y");
    CHECK(term.dirty_from == 1 && term.dirty_end == 2);
    term.dirty_from = 5, term.dirty_end = 0;
    type("\033[4H");
    CHECK(term.dirty_from == 1 && term.dirty_end == 4);  /* the cursor left one and came to another */
}

/* Every state is reached by bytes that are likely in it; the sanitizer and the cells around the screen look on. */
TEST(terminal_survives_whatever_is_written)
{
    static const char likely[] = "\033\033\033[[[[??;;;0123456789999999ABCDEFGHJKLMPSTX@`abcdefhlmnrsu78c()]P\\\n\r\b\t\x18\xc3\xa9\xe2\x94 x";
    const struct { unsigned columns, rows; } size[] = { { 20, 5 }, { 1, 1 }, { 1, 5 }, { 20, 1 }, { 2, 2 } };
    for (unsigned round = 0; round < 60; round++) {
        unsigned columns = size[round % 5].columns, rows = size[round % 5].rows;
        start(columns, rows);
        struct terminal_cell fence = cells_of_20_by_5[0];
        for (unsigned i = 0; i < 4000; i++) {
            uint64_t r = test_random();
            char c = r % 16 ? likely[(r >> 8) % (sizeof likely - 1)] : (char)(r >> 8);
            terminal_write(&term, &c, 1);
            CHECK(term.at.column < columns && term.at.row < rows && term.scroll_top < term.scroll_end && term.scroll_end <= rows);
            CHECK(term.dirty_end <= rows && term.reply_bytes <= sizeof term.reply);
        }
        CHECK(!memcmp(&fence, &cells_of_20_by_5[0], sizeof fence));
        CHECK(!memcmp(&fence, &cells_of_20_by_5[1 + columns * rows], sizeof fence));
    }
}
