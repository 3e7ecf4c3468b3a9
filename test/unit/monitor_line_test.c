// SPDX-License-Identifier: Apache-2.0
/* The monitor's line editor: what the keys make of the text, and what a terminal of 80 columns then shows. */
#include "hv/manage/line.h"
#include "test/harness/test.h"

/* One row of a terminal: CR, LF, BEL, and the two sequences that the editor sends. */
static struct { char row[256]; unsigned column; unsigned bells, rows; } screen;

static void show(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    for (size_t i = 0; i < length; i++) {
        unsigned n = 0;
        if (text[i] == '\r') screen.column = 0;
        else if (text[i] == '\n') screen.column = 0, screen.rows++, memset(screen.row, 0, sizeof screen.row);
        else if (text[i] == '\a') screen.bells++;
        else if (text[i] == 0x1b) {
            CHECK(text[++i] == '[');
            for (i++; text[i] >= '0' && text[i] <= '9'; i++) n = n * 10 + (unsigned)(text[i] - '0');
            if (text[i] == 'K') memset(screen.row + screen.column, 0, sizeof screen.row - screen.column);
            else if (text[i] == 'D') screen.column -= n <= screen.column ? n : 1000;
            else if (text[i] == 'J' || text[i] == 'H') continue;
            else CHECK(!"a sequence that is not known");
        } else {
            CHECK(screen.column < 80);
            screen.row[screen.column++] = text[i];
        }
    }
}

static struct line line;

static void start(void)
{
    memset(&screen, 0, sizeof screen);
    line_init(&line, "> ", show, NULL);
    line_show(&line);
}

static enum line_event type(const char *keys)
{
    enum line_event e = LINE_GOES_ON;
    for (; *keys; keys++) e = line_key(&line, *keys);
    return e;
}

static void check_shown(const char *row, unsigned column)
{
    CHECK_STR(screen.row, row);
    CHECK_EQ_U64(screen.column, column);
}

TEST(line_typed_letters_stand_behind_the_prompt)
{
    start();
    CHECK(type("vm list") == LINE_GOES_ON);
    check_shown("> vm list", 9);
    CHECK(type("\r") == LINE_DONE);
    CHECK_STR(line.text, "vm list");
}

TEST(line_keys_insert_and_delete_in_the_middle)
{
    start();
    type("vm lst");
    type("\x1b[D\x1b[Di");
    CHECK_STR(line.text, "vm list");
    check_shown("> vm list", 7);
    type("\x01X\x05Y");
    CHECK_STR(line.text, "Xvm listY");
    type("\x7f\x1b[H\x1b[3~");
    CHECK_STR(line.text, "vm list");
    type("\x1bOF\x17");
    CHECK_STR(line.text, "vm ");
    type("abc\x1b[D\x0b");
    CHECK_STR(line.text, "vm ab");
    type("\x15");
    CHECK_EQ_U64(line.length, 0);
    check_shown("> ", 2);
}

TEST(line_history_is_looked_through_and_back_to_what_was_typed)
{
    start();
    const char *const lines[] = { "one", "two", "two", "three" };
    for (unsigned i = 0; i < 4; i++) {
        type(lines[i]);
        CHECK(type("\r") == LINE_DONE);
        line_next(&line);
    }
    CHECK_EQ_U64(line.history_count, 3);                    /* the same twice is once */
    type("half");
    type("\x1b[A");
    CHECK_STR(line.text, "three");
    type("\x1b[A\x10");
    CHECK_STR(line.text, "one");
    type("\x1b[A");
    CHECK_STR(line.text, "one");
    type("\x1b[B\x0e\x0e\x0e");
    CHECK_STR(line.text, "half");
}

TEST(line_history_is_bounded)
{
    char text[16];
    start();
    for (unsigned i = 0; i < 100; i++) {
        snprintf(text, sizeof text, "line %u", i);
        type(text);
        type("\r");
        line_next(&line);
    }
    for (unsigned i = 0; i < 200; i++) type("\x1b[A");
    CHECK_STR(line.text, "line 68");
}

TEST(line_ctrl_c_gives_up)
{
    start();
    type("vm destroy all");
    CHECK(type("\x03") == LINE_CANCELLED);
    CHECK_EQ_U64(line.length, 0);
    CHECK_EQ_U64(line.history_count, 0);
}

TEST(line_that_is_wider_than_the_terminal_scrolls)
{
    start();
    for (unsigned i = 0; i < 200; i++) type("x");
    CHECK_EQ_U64(line.length, 200);
    CHECK(strlen(screen.row) < 80 && screen.column < 80);
    type("\x01");
    CHECK_EQ_U64(screen.column, 2);
    CHECK(strlen(screen.row) == 79);
    for (unsigned i = 0; i < 100; i++) type("x");
    CHECK_EQ_U64(line.length, LINE_BYTES - 1);
    CHECK(screen.bells == 45);
}

TEST(line_survives_any_keys)
{
    start();
    for (unsigned i = 0; i < 200000; i++) {
        char key = (char)test_random();
        if (line_key(&line, key) == LINE_DONE) line_next(&line);
        CHECK(line.cursor <= line.length && line.length < LINE_BYTES && strlen(line.text) == line.length);
        CHECK(line.first <= line.cursor);
    }
}
