// SPDX-License-Identifier: Apache-2.0
/* The terminal's screen; see terminal.h. Section numbers are those of ECMA-48, fifth edition. */
#include "drivers/host/terminal.h"
#include "drivers/host/palette.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

#define MAX_PARAMETER 9999u
#define TAB_COLUMNS   8u
#define REPLACEMENT   0xfffdu

static const struct terminal_pen plain = { .foreground = 7 };

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

static void touch(struct terminal *t, unsigned from, unsigned end)
{
    if (from < t->dirty_from) t->dirty_from = from;
    if (end > t->dirty_end) t->dirty_end = end;
}

static uint8_t colours(const struct terminal_pen *p)
{
    unsigned front = p->foreground | (p->is_bold ? 8u : 0), back = p->background;
    if (p->is_reverse) front = p->background, back = p->foreground;
    if (p->is_hidden) front = back;
    return (uint8_t)(front | back << 4);
}

/* Erased cells keep the background, as xterm and Linux do. */
static struct terminal_cell blank(const struct terminal *t)
{
    return (struct terminal_cell){ .code = ' ', .colours = (uint8_t)(7u | (unsigned)t->at.pen.background << 4) };
}

static void erase(struct terminal *t, unsigned row, unsigned from, unsigned end)
{
    struct terminal_cell *line = t->cells + row * t->columns;
    for (unsigned i = from; i < least(end, t->columns); i++) line[i] = blank(t);
    touch(t, row, row + 1);
}

/* Rows [from, end) move up by n (down when is_down), and empty ones come in. */
static void move_rows(struct terminal *t, unsigned from, unsigned end, unsigned n, bool is_down)
{
    unsigned count = end - from, wide = t->columns;
    n = least(n, count);
    size_t bytes = (size_t)(count - n) * wide * sizeof *t->cells;
    struct terminal_cell *first = t->cells + from * wide;
    if (is_down) memmove(first + n * wide, first, bytes);
    else memmove(first, first + n * wide, bytes);
    for (unsigned i = 0; i < n; i++) erase(t, is_down ? from + i : end - 1 - i, 0, wide);
    touch(t, from, end);
}

static void go(struct terminal *t, unsigned column, unsigned row)
{
    t->at.column = least(column, t->columns - 1);
    t->at.row = least(row, t->rows - 1);
    t->is_at_edge = false;
}

static void line_feed(struct terminal *t)
{
    t->is_at_edge = false;
    if (t->at.row + 1 == t->scroll_end) move_rows(t, t->scroll_top, t->scroll_end, 1, false);
    else if (t->at.row + 1 < t->rows) t->at.row++;
}

static void reverse_line_feed(struct terminal *t)
{
    t->is_at_edge = false;
    if (t->at.row == t->scroll_top) move_rows(t, t->scroll_top, t->scroll_end, 1, true);
    else if (t->at.row) t->at.row--;
}

/* DEC's special graphics, from '`' on. */
static const uint16_t line_drawing[] = {
    0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba,
    0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

static void put(struct terminal *t, uint32_t code)
{
    if (code >= 0x80 && code < 0xa0) return;             /* C1 controls, as UTF-8: none of ours */
    if (code > 0xffff) code = REPLACEMENT;
    if (t->at.pen.is_line_drawing && code >= '`' && code - '`' < ARRAY_COUNT(line_drawing)) code = line_drawing[code - '`'];
    if (t->is_at_edge) {
        t->at.column = 0;
        line_feed(t);
    }
    t->cells[t->at.row * t->columns + t->at.column] = (struct terminal_cell){
        .code = (uint16_t)code, .colours = colours(&t->at.pen), .flags = t->at.pen.is_underlined ? TERMINAL_UNDERLINED : 0
    };
    touch(t, t->at.row, t->at.row + 1);
    if (t->at.column + 1 < t->columns) t->at.column++;
    else t->is_at_edge = !t->has_no_wrap;
}

static void reset(struct terminal *t)
{
    t->at = t->saved = (struct terminal_place){ .pen = plain };
    t->is_at_edge = t->is_cursor_hidden = t->has_no_wrap = false;
    t->scroll_top = 0;
    t->scroll_end = t->rows;
    for (unsigned row = 0; row < t->rows; row++) erase(t, row, 0, t->columns);
}

void terminal_init(struct terminal *t, struct terminal_cell *cells, unsigned columns, unsigned rows)
{
    *t = (struct terminal){ .cells = cells, .columns = least(columns, TERMINAL_MAX_COLUMNS), .rows = least(rows, TERMINAL_MAX_ROWS) };
    reset(t);
}

static void restore(struct terminal *t)
{
    t->at.pen = t->saved.pen;
    go(t, t->saved.column, t->saved.row);
}

/* ---- control sequences, 5.4 ---- */

/* Parameter i; `otherwise` where it is left out or zero. */
static unsigned parameter(const struct terminal *t, unsigned i, unsigned otherwise)
{
    return i < t->parameter_count && t->parameter[i] ? t->parameter[i] : otherwise;
}

/* 38 and 48: "5;n" of the 256 colours, "2;r;g;b". Returns how many parameters it took. */
static unsigned extended_colour(const struct terminal *t, unsigned i, uint8_t *out)
{
    unsigned kind = parameter(t, i, 0);
    if (kind == 5) {
        *out = (uint8_t)palette_from_256(parameter(t, i + 1, 0));
        return 2;
    }
    if (kind != 2) return 0;
    *out = (uint8_t)palette_nearest(parameter(t, i + 1, 0), parameter(t, i + 2, 0), parameter(t, i + 3, 0));
    return 4;
}

/* 8.3.117, and the bright colours of 90 and 100 on. */
static void select_graphics(struct terminal *t)
{
    struct terminal_pen *p = &t->at.pen;
    bool is_line_drawing = p->is_line_drawing;
    for (unsigned i = 0; i < t->parameter_count || i == 0; i++) {
        unsigned v = parameter(t, i, 0);
        if (v == 0)                    *p = plain;
        else if (v == 1)               p->is_bold = true;
        else if (v == 4)               p->is_underlined = true;
        else if (v == 7)               p->is_reverse = true;
        else if (v == 8)               p->is_hidden = true;
        else if (v == 21 || v == 22)   p->is_bold = false;
        else if (v == 24)              p->is_underlined = false;
        else if (v == 27)              p->is_reverse = false;
        else if (v == 28)              p->is_hidden = false;
        else if (v >= 30 && v <= 37)   p->foreground = (uint8_t)(v - 30);
        else if (v == 38)              i += extended_colour(t, i + 1, &p->foreground);
        else if (v == 39)              p->foreground = plain.foreground;
        else if (v >= 40 && v <= 47)   p->background = (uint8_t)(v - 40);
        else if (v == 48)              i += extended_colour(t, i + 1, &p->background);
        else if (v == 49)              p->background = plain.background;
        else if (v >= 90 && v <= 97)   p->foreground = (uint8_t)(v - 90 + 8);
        else if (v >= 100 && v <= 107) p->background = (uint8_t)(v - 100 + 8);
    }
    p->is_line_drawing = is_line_drawing;
}

static void erase_display(struct terminal *t, unsigned how)
{
    unsigned row = t->at.row, column = t->at.column;
    t->is_at_edge = false;
    if (how == 0) erase(t, row, column, t->columns);
    if (how == 1) erase(t, row, 0, column + 1);
    unsigned from = how == 0 ? row + 1 : 0, end = how == 1 ? row : how <= 3 ? t->rows : 0;
    for (unsigned i = from; i < end; i++) erase(t, i, 0, t->columns);
}

static void erase_line(struct terminal *t, unsigned how)
{
    t->is_at_edge = false;
    if (how <= 2) erase(t, t->at.row, how == 0 ? t->at.column : 0, how == 1 ? t->at.column + 1 : t->columns);
}

/* n cells come in at the cursor, or go away there. */
static void shift_line(struct terminal *t, unsigned n, bool is_insert)
{
    unsigned left = t->columns - t->at.column;
    n = least(n, left);
    struct terminal_cell *here = t->cells + t->at.row * t->columns + t->at.column;
    size_t bytes = (size_t)(left - n) * sizeof *here;
    t->is_at_edge = false;
    if (is_insert) memmove(here + n, here, bytes);
    else memmove(here, here + n, bytes);
    if (is_insert) erase(t, t->at.row, t->at.column, t->at.column + n);
    else erase(t, t->at.row, t->columns - n, t->columns);
}

static void insert_or_delete_lines(struct terminal *t, unsigned n, bool is_insert)
{
    if (t->at.row < t->scroll_top || t->at.row >= t->scroll_end) return;
    t->at.column = 0;
    t->is_at_edge = false;
    move_rows(t, t->at.row, t->scroll_end, n, is_insert);
}

static void set_scroll_region(struct terminal *t)
{
    unsigned top = parameter(t, 0, 1) - 1, end = least(parameter(t, 1, t->rows), t->rows);
    if (top + 1 >= end) return;
    t->scroll_top = top;
    t->scroll_end = end;
    go(t, 0, 0);
}

static void set_mode(struct terminal *t, bool is_on)
{
    for (unsigned i = 0; i < t->parameter_count; i++) {
        unsigned mode = t->parameter[i];
        if (!t->private_mark && mode == 20) t->is_newline_return = is_on;
        if (t->private_mark != '?') continue;
        if (mode == 7)  t->has_no_wrap = !is_on;
        if (mode == 25) t->is_cursor_hidden = !is_on;
        if (mode != 47 && mode != 1047 && mode != 1049) continue;          /* the other screen: we have one, emptied each way */
        if (mode == 1049 && is_on) t->saved = t->at;
        erase_display(t, 2);
        if (mode == 1049 && !is_on) restore(t);
    }
}

/* 8.3.35; and device attributes: a VT102. A question that is not read takes no room for ever: answers that do not fit are lost. */
static void answer(struct terminal *t, char final)
{
    char text[24] = "";
    if (final == 'c' && !t->private_mark) hv_snprintf(text, sizeof text, "\033[?6c");
    else if (final == 'n' && parameter(t, 0, 0) == 5) hv_snprintf(text, sizeof text, "\033[0n");
    else if (final == 'n' && parameter(t, 0, 0) == 6) hv_snprintf(text, sizeof text, "\033[%u;%uR", t->at.row + 1, t->at.column + 1);
    size_t n = strlen(text);
    if (n > sizeof t->reply - t->reply_bytes) return;
    memcpy(t->reply + t->reply_bytes, text, n);
    t->reply_bytes += (unsigned)n;
}

static void control_sequence(struct terminal *t, char final)
{
    unsigned n = parameter(t, 0, 1), column = t->at.column, row = t->at.row;
    if (t->has_intermediate || (t->private_mark && t->private_mark != '?')) return;
    if (t->private_mark && !strchr("hlJKn", final)) return;
    switch (final) {
    case 'A': go(t, column, row - least(n, row >= t->scroll_top ? row - t->scroll_top : row)); break;
    case 'B':
    case 'e': go(t, column, least(row + n, (row < t->scroll_end ? t->scroll_end : t->rows) - 1)); break;
    case 'C':
    case 'a': go(t, column + n, row); break;
    case 'D': go(t, column - least(n, column), row); break;
    case 'E': go(t, 0, row + n); break;
    case 'F': go(t, 0, row - least(n, row)); break;
    case 'G':
    case '`': go(t, n - 1, row); break;
    case 'd': go(t, column, n - 1); break;
    case 'H':
    case 'f': go(t, parameter(t, 1, 1) - 1, n - 1); break;
    case 'J': erase_display(t, parameter(t, 0, 0)); break;
    case 'K': erase_line(t, parameter(t, 0, 0)); break;
    case 'L': insert_or_delete_lines(t, n, true); break;
    case 'M': insert_or_delete_lines(t, n, false); break;
    case '@': shift_line(t, n, true); break;
    case 'P': shift_line(t, n, false); break;
    case 'X': erase(t, row, column, column + n); break;
    case 'S': move_rows(t, t->scroll_top, t->scroll_end, n, false); break;
    case 'T': move_rows(t, t->scroll_top, t->scroll_end, n, true); break;
    case 'm': select_graphics(t); break;
    case 'r': set_scroll_region(t); break;
    case 's': t->saved = t->at; break;
    case 'u': restore(t); break;
    case 'h': set_mode(t, true); break;
    case 'l': set_mode(t, false); break;
    case 'n':
    case 'c': answer(t, final); break;
    }
}

static void csi_byte(struct terminal *t, char c)
{
    if (c >= '0' && c <= '9') {
        if (!t->parameter_count) t->parameter_count = 1;
        unsigned *p = &t->parameter[t->parameter_count - 1];
        *p = least(*p * 10 + (unsigned)(c - '0'), MAX_PARAMETER);
    } else if (c == ';' || c == ':') {
        if (!t->parameter_count) t->parameter_count = 1;
        if (t->parameter_count < TERMINAL_MAX_PARAMETERS) t->parameter[t->parameter_count++] = 0;
    } else if (c >= '<' && c <= '?') {
        t->private_mark = c;
    } else if (c >= ' ' && c <= '/') {
        t->has_intermediate = true;
    } else {
        t->state = TERMINAL_GROUND;
        if (c >= '@' && c <= '~') control_sequence(t, c);
    }
}

static void escape_byte(struct terminal *t, char c)
{
    t->state = TERMINAL_GROUND;
    switch (c) {
    case '[':
        t->state = TERMINAL_CSI;
        memset(t->parameter, 0, sizeof t->parameter);
        t->parameter_count = 0;
        t->private_mark = 0;
        t->has_intermediate = false;
        break;
    case ']': case 'P': case 'X': case '^': case '_': t->state = TERMINAL_STRING; break;
    case '(': case ')': case '*': case '+': case '-': case '.': case '/': case '#': case '%': case ' ':
        t->state = TERMINAL_CHARSET;
        t->has_intermediate = c != '(';                  /* other sets than the first, line sizes: taken, and not known */
        break;
    case '7': t->saved = t->at; break;
    case '8': restore(t); break;
    case 'D': line_feed(t); break;
    case 'E': t->at.column = 0; line_feed(t); break;
    case 'M': reverse_line_feed(t); break;
    case 'c': reset(t); break;
    }
}

/* C0 controls act in the midst of a sequence, too. */
static void control(struct terminal *t, char c)
{
    switch (c) {
    case '\b': go(t, t->at.column - least(1, t->at.column), t->at.row); break;
    case '\t': go(t, (t->at.column / TAB_COLUMNS + 1) * TAB_COLUMNS, t->at.row); break;
    case '\r': go(t, 0, t->at.row); break;
    case '\n': case '\v': case '\f':
        line_feed(t);
        if (t->is_newline_return) t->at.column = 0;
        break;
    case 0x18: case 0x1a: t->state = TERMINAL_GROUND; break;
    case 0x1b: t->state = TERMINAL_ESCAPE; break;
    }
}

/* A byte of UTF-8; what is none becomes one replacement character for each broken sequence. */
static void text_byte(struct terminal *t, uint8_t c)
{
    if (t->utf8_left && (c & 0xc0) == 0x80) {
        t->utf8_code = t->utf8_code << 6 | (c & 0x3f);
        if (--t->utf8_left == 0) put(t, t->utf8_code);
        return;
    }
    if (t->utf8_left) put(t, REPLACEMENT);
    t->utf8_left = c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : c >= 0xf0 && c < 0xf5 ? 3 : 0;
    t->utf8_code = c & (t->utf8_left == 1 ? 0x1fu : t->utf8_left == 2 ? 0x0fu : 0x07u);
    if (c < 0x80) put(t, c);
    else if (!t->utf8_left) put(t, REPLACEMENT);
}

static void byte(struct terminal *t, char c)
{
    uint8_t u = (uint8_t)c;
    if (t->state == TERMINAL_STRING || t->state == TERMINAL_STRING_ESCAPE) {      /* to BEL or ESC \ */
        if (c == 7 || c == 0x18 || c == 0x1a || (t->state == TERMINAL_STRING_ESCAPE && c == '\\')) t->state = TERMINAL_GROUND;
        else t->state = c == 0x1b ? TERMINAL_STRING_ESCAPE : TERMINAL_STRING;
        return;
    }
    if (u < ' ' || u == 0x7f) {
        if (t->utf8_left) put(t, REPLACEMENT);
        t->utf8_left = 0;
        control(t, c);
        return;
    }
    switch (t->state) {
    case TERMINAL_GROUND: text_byte(t, u); break;
    case TERMINAL_ESCAPE: escape_byte(t, c); break;
    case TERMINAL_CSI:    csi_byte(t, c); break;
    case TERMINAL_CHARSET:
        if (!t->has_intermediate) t->at.pen.is_line_drawing = c == '0';
        t->state = TERMINAL_GROUND;
        break;
    case TERMINAL_STRING: case TERMINAL_STRING_ESCAPE: break;
    }
}

void terminal_write(struct terminal *t, const char *text, size_t length)
{
    touch(t, t->at.row, t->at.row + 1);                  /* the cursor leaves a row, and comes to one */
    for (size_t i = 0; i < length; i++) byte(t, text[i]);
    touch(t, t->at.row, t->at.row + 1);
}

struct terminal_cell terminal_look(const struct terminal *t, unsigned column, unsigned row)
{
    struct terminal_cell c = t->cells[row * t->columns + column];
    if (!t->is_cursor_hidden && row == t->at.row && column == t->at.column) c.flags |= TERMINAL_CURSOR;
    return c;
}
