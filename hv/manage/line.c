// SPDX-License-Identifier: Apache-2.0
/* The line editor; see line.h. Keys are ECMA-48's sequences as terminals send them, and the control keys of readline. */
#include "hv/manage/line.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

#define CONTROL(letter) ((letter) & 0x1f)

void line_init(struct line *l, const char *prompt, void (*write)(void *ctx, const char *text, size_t length), void *ctx)
{
    *l = (struct line){ .write = write, .ctx = ctx, .prompt = prompt };
}

static void put(struct line *l, const char *text, size_t length) { l->write(l->ctx, text, length); }

static unsigned columns(const struct line *l) { return LINE_COLUMNS - (unsigned)strlen(l->prompt); }

void line_show(struct line *l)
{
    char move[16];
    unsigned wide = columns(l);
    if (l->cursor < l->first) l->first = l->cursor;
    if (l->cursor >= l->first + wide) l->first = l->cursor - wide + 1;
    unsigned shown = l->length - l->first < wide ? l->length - l->first : wide;
    put(l, "\r", 1);
    put(l, l->prompt, strlen(l->prompt));
    put(l, l->text + l->first, shown);
    put(l, "\x1b[K", 3);
    unsigned back = l->first + shown - l->cursor;
    if (back) put(l, move, (size_t)hv_snprintf(move, sizeof move, "\x1b[%uD", back));
}

static void bell(struct line *l) { put(l, "\a", 1); }

/* ---- changing the text ---- */
static void insert(struct line *l, const char *text, size_t n)
{
    if (n > LINE_BYTES - 1 - l->length) n = LINE_BYTES - 1 - l->length;
    if (!n) {
        bell(l);
        return;
    }
    bool at_end = l->cursor == l->length && l->length + n < l->first + columns(l);
    memmove(l->text + l->cursor + n, l->text + l->cursor, l->length - l->cursor + 1);
    memcpy(l->text + l->cursor, text, n);
    l->cursor += (unsigned)n;
    l->length += (unsigned)n;
    if (at_end) put(l, text, n);
    else line_show(l);
}

void line_insert(struct line *l, const char *text) { insert(l, text, strlen(text)); }

/* Deletes text[from..to) and leaves the cursor there. */
static void cut(struct line *l, unsigned from, unsigned to)
{
    if (from == to) return;
    memmove(l->text + from, l->text + to, l->length - to + 1);
    l->length -= to - from;
    l->cursor = from;
    line_show(l);
}

static void move_to(struct line *l, unsigned at)
{
    l->cursor = at;
    line_show(l);
}

static unsigned word_start(const struct line *l)
{
    unsigned at = l->cursor;
    while (at && l->text[at - 1] == ' ') at--;
    while (at && l->text[at - 1] != ' ') at--;
    return at;
}

static void replace(struct line *l, const char *text)
{
    l->length = (unsigned)hv_snprintf(l->text, sizeof l->text, "%s", text);
    l->cursor = l->length;
    l->first = 0;
    line_show(l);
}

/* ---- history ---- */
static void look_back(struct line *l)
{
    unsigned oldest = l->history_count > LINE_HISTORY ? l->history_count - LINE_HISTORY : 0;
    if (l->history_at == oldest) return;
    if (l->history_at == l->history_count) memcpy(l->typed, l->text, sizeof l->typed);
    l->history_at--;
    replace(l, l->history[l->history_at % LINE_HISTORY]);
}

static void look_forward(struct line *l)
{
    if (l->history_at == l->history_count) return;
    l->history_at++;
    replace(l, l->history_at == l->history_count ? l->typed : l->history[l->history_at % LINE_HISTORY]);
}

void line_next(struct line *l)
{
    bool is_same = l->history_count && !strcmp(l->history[(l->history_count - 1) % LINE_HISTORY], l->text);
    if (l->length && !is_same) memcpy(l->history[l->history_count++ % LINE_HISTORY], l->text, sizeof l->text);
    l->history_at = l->history_count;
    l->text[0] = 0;
    l->length = l->cursor = l->first = 0;
}

/* ---- keys ---- */
static void left(struct line *l)      { if (l->cursor) move_to(l, l->cursor - 1); }
static void right(struct line *l)     { if (l->cursor < l->length) move_to(l, l->cursor + 1); }
static void home(struct line *l)      { move_to(l, 0); }
static void end(struct line *l)       { move_to(l, l->length); }
static void backspace(struct line *l) { if (l->cursor) cut(l, l->cursor - 1, l->cursor); }
static void delete(struct line *l)    { if (l->cursor < l->length) cut(l, l->cursor, l->cursor + 1); }
static void cut_end(struct line *l)   { cut(l, l->cursor, l->length); }
static void cut_all(struct line *l)   { cut(l, 0, l->cursor); }
static void cut_word(struct line *l)  { cut(l, word_start(l), l->cursor); }

static void clear_screen(struct line *l)
{
    put(l, "\x1b[H\x1b[2J", 7);
    line_show(l);
}

typedef void key_fn(struct line *l);

static key_fn *const control_keys[32] = {
    [CONTROL('A')] = home,         [CONTROL('B')] = left,      [CONTROL('D')] = delete,    [CONTROL('E')] = end,
    [CONTROL('F')] = right,        [CONTROL('H')] = backspace, [CONTROL('K')] = cut_end,   [CONTROL('L')] = clear_screen,
    [CONTROL('N')] = look_forward, [CONTROL('P')] = look_back, [CONTROL('U')] = cut_all,   [CONTROL('W')] = cut_word,
};

/* The end of a CSI or SS3 sequence. */
static void sequence(struct line *l, char final)
{
    static const struct { char final; uint8_t parameter; key_fn *run; } keys[] = {
        { 'A', 0, look_back }, { 'B', 0, look_forward }, { 'C', 0, right }, { 'D', 0, left }, { 'H', 0, home }, { 'F', 0, end },
        { '~', 1, home },      { '~', 3, delete },       { '~', 4, end },   { '~', 7, home }, { '~', 8, end },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(keys); i++) {
        if (keys[i].final == final && (final != '~' || keys[i].parameter == l->parameter)) {
            keys[i].run(l);
            return;
        }
    }
}

/* True: the key was part of an escape sequence. */
static bool in_sequence(struct line *l, char key)
{
    if (l->escape == 1) {
        l->escape = key == '[' || key == 'O' ? 2 : 0;
        l->parameter = 0;
        return true;
    }
    if (l->escape != 2) return false;
    if (key >= '0' && key <= '9') {
        l->parameter = l->parameter % 100 * 10 + (unsigned)(key - '0');
    } else if (key >= '@' && key <= '~') {
        l->escape = 0;
        sequence(l, key);
    }
    return true;
}

enum line_event line_key(struct line *l, char key)
{
    if (in_sequence(l, key)) return LINE_GOES_ON;
    switch (key) {
    case '\r': case '\n':
        put(l, "\n", 1);
        return LINE_DONE;
    case '\t':
        return LINE_WANTS_COMPLETION;
    case 0x1b:
        l->escape = 1;
        return LINE_GOES_ON;
    case 0x7f:
        backspace(l);
        return LINE_GOES_ON;
    case CONTROL('C'):
        put(l, "^C\n", 3);
        l->length = 0;
        line_next(l);
        return LINE_CANCELLED;
    default:
        break;
    }
    if ((unsigned char)key >= ' ') insert(l, &key, 1);
    else if (control_keys[(unsigned)key & 31]) control_keys[(unsigned)key & 31](l);
    return LINE_GOES_ON;
}
