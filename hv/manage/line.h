// SPDX-License-Identifier: Apache-2.0
/* A line editor for a serial terminal of 80 columns: arrows, Home, End, Delete, Emacs' control keys, history, completion.
 * What does not fit scrolls sideways. Pure: keys come in, bytes go out through `write`; the struct is its owner's. */
#pragma once
#include "hv/base/types.h"

#define LINE_BYTES    256
#define LINE_HISTORY  32
#define LINE_COLUMNS  79

enum line_event {
    LINE_GOES_ON,
    LINE_DONE,                                  /* Enter: text is a whole line */
    LINE_CANCELLED,                             /* Ctrl-C: text is gone */
    LINE_WANTS_COMPLETION,                      /* Tab: the owner completes by line_insert, then line_show */
};

struct line {
    void      (*write)(void *ctx, const char *text, size_t length);
    void       *ctx;
    const char *prompt;
    char        text[LINE_BYTES];               /* zero-terminated */
    unsigned    length, cursor;
    unsigned    first;                          /* column 0 shows this letter: long lines scroll */
    unsigned    escape;                         /* 0: plain, 1: after ESC, 2: in a CSI */
    unsigned    parameter;                      /* the CSI's number */
    char        history[LINE_HISTORY][LINE_BYTES];
    unsigned    history_count, history_at;      /* lines ever kept; the one shown now (history_count: the line being typed) */
    char        typed[LINE_BYTES];              /* what was typed before history was looked at */
};

void line_init(struct line *l, const char *prompt, void (*write)(void *ctx, const char *text, size_t length), void *ctx);
/* Shows prompt and text anew, from the first column. */
void line_show(struct line *l);
enum line_event line_key(struct line *l, char key);
/* Empties the text for the next line; the old one goes into the history unless it is empty or the same as the last. */
void line_next(struct line *l);
/* Puts text at the cursor as if it were typed. */
void line_insert(struct line *l, const char *text);
