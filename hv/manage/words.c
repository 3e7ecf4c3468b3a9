// SPDX-License-Identifier: Apache-2.0
/* From a line to words, from words to a row, from the row's text to its arity. Pure; see command.h. */
#include "hv/manage/command.h"
#include "hv/base/string.h"

const struct command_table *command_table(unsigned n)
{
    static const struct command_table *const tables[] = { &CONSOLE_COMMANDS, &VM_COMMANDS, &INFO_COMMANDS, &DEBUG_COMMANDS,
                                                          &EVENT_COMMANDS,   &HOST_COMMANDS };
    return n < ARRAY_COUNT(tables) ? tables[n] : NULL;
}

/* A word without its quotes is copied to *to; returns where it ended in the line, NULL: a quote is not closed. */
static char *take_word(char *from, char *to, char **end)
{
    char quote = 0;
    for (; *from; from++) {
        if (quote && *from == quote) quote = 0;
        else if (!quote && (*from == '"' || *from == '\'')) quote = *from;
        else if (!quote && (*from == ' ' || *from == '\t' || *from == '\r' || *from == ';')) break;
        else *to++ = *from;
    }
    *end = to;
    return quote ? NULL : from;
}

char *command_words(char *line, char *words[], unsigned cap, unsigned *count, const char **error)
{
    *count = 0;
    *error = NULL;
    for (;;) {
        while (*line == ' ' || *line == '\t' || *line == '\r') line++;
        if (!*line || *line == '#') return NULL;
        if (*line == ';') return line + 1;
        if (*count == cap) *error = "too many words";
        if (*error) return NULL;
        char *end, *next = take_word(line, line, &end);
        if (!next) {
            *error = "a quote is not closed";
            return NULL;
        }
        words[(*count)++] = line;
        char after = *next;                     /* before the word's end overwrites it */
        *end = 0;
        if (after == ';') return next + 1;
        if (!after) return NULL;
        line = next + 1;
    }
}

static bool is_named(const struct command *c, char *const words[], unsigned count, unsigned *used)
{
    const char *space = strchr(c->name, ' ');
    *used = space ? 2 : 1;
    if (count < *used) return false;
    if (!space) return !strcmp(c->name, words[0]);
    size_t n = (size_t)(space - c->name);
    return strlen(words[0]) == n && !strncmp(c->name, words[0], n) && !strcmp(space + 1, words[1]);
}

const struct command *command_find(char *const words[], unsigned count, unsigned *used)
{
    const struct command_table *t;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++) {
            if (is_named(&t->command[i], words, count, used)) return &t->command[i];
        }
    }
    return NULL;
}

void command_arity(const struct command *c, unsigned *least, unsigned *most)
{
    *least = *most = 0;
    for (const char *at = c->arguments; *at;) {
        const char *end = strchr(at, ' ');
        size_t n = end ? (size_t)(end - at) : strlen(at);
        bool repeats = n > 3 && memchr(at, '.', n) && strstr(at, "...") < at + n && strstr(at, "...");
        if (*at != '[') (*least)++;
        if (repeats) *most = COMMAND_MAX_WORDS;
        else if (*most < COMMAND_MAX_WORDS) (*most)++;
        at += n;
        while (*at == ' ') at++;
    }
}
