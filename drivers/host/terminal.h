// SPDX-License-Identifier: Apache-2.0
/* A terminal's screen as an array of cells: what programs for a VT220 or xterm write comes out as text, colours and a
 * cursor (ECMA-48; the private modes are xterm's and DEC's). Plain computing: nothing is drawn here, its owner looks at
 * the rows that changed. Bytes come from guests: whatever they are, every index stays inside the array. */
#pragma once
#include "hv/base/types.h"

#define TERMINAL_MAX_COLUMNS    256u
#define TERMINAL_MAX_ROWS       128u
#define TERMINAL_MAX_PARAMETERS 16u

/* Colours are numbers of the usual sixteen, in ANSI's order (1 is red); foreground in the low half of `colours`. */
enum { TERMINAL_UNDERLINED = 1, TERMINAL_CURSOR = 2 };
struct terminal_cell { uint16_t code; uint8_t colours, flags; };      /* code: of Unicode's first plane */

/* What the next character will look like. */
struct terminal_pen { uint8_t foreground, background; bool is_bold, is_underlined, is_reverse, is_hidden, is_line_drawing; };

/* Where, and as what; and how far a sequence has come. */
struct terminal_place { unsigned column, row; struct terminal_pen pen; };
enum terminal_state { TERMINAL_GROUND, TERMINAL_ESCAPE, TERMINAL_CHARSET, TERMINAL_CSI, TERMINAL_STRING, TERMINAL_STRING_ESCAPE };

struct terminal {
    struct terminal_cell *cells;                         /* rows * columns, row after row */
    unsigned columns, rows;
    struct terminal_place at, saved;
    bool     is_at_edge;                                 /* the last column is written: the next character wraps */
    bool     is_cursor_hidden, has_no_wrap;
    bool     is_newline_return;                          /* LF goes to the line's start as well (mode 20) */
    unsigned scroll_top, scroll_end;                     /* rows [top, end) scroll */
    unsigned dirty_from, dirty_end;                      /* rows that changed since the owner set from = rows, end = 0 */

    enum terminal_state state;
    unsigned parameter[TERMINAL_MAX_PARAMETERS], parameter_count;
    char     private_mark;                               /* '?', '>', '<', '=' after CSI; 0: none */
    bool     has_intermediate;                           /* of a sequence that is none of ours */
    uint32_t utf8_code;
    unsigned utf8_left;
    char     reply[32];                                  /* answers to the sender's questions; its owner takes them */
    unsigned reply_bytes;
};

/* `cells` is the owner's; columns and rows at most the maxima, at least 1. */
void terminal_init(struct terminal *t, struct terminal_cell *cells, unsigned columns, unsigned rows);
void terminal_write(struct terminal *t, const char *text, size_t length);
/* The cell as it is to be seen: with the cursor in it. */
struct terminal_cell terminal_look(const struct terminal *t, unsigned column, unsigned row);
