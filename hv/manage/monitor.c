// SPDX-License-Identifier: Apache-2.0
/* Prompt, pages, scripts; see monitor.h. A *run* is a text of commands on its way: a script, or the line that was typed.
 * Everything belongs to core 0. */
#include "hv/manage/monitor.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/manage/command.h"
#include "hv/manage/line.h"
#include "hv/vm/console.h"

#define PROMPT         "hospes> "
#define OUTPUT_BYTES   (1u << 20)                  /* of one command */
#define SCREEN_LINES   23
#define RUN_LINE_BYTES 1024
#define TURN_NS        10000000u                   /* while something waits */
#define COMMANDS_TURN  16                          /* then the guests of core 0 have theirs */

struct run {
    const char *name;                              /* NULL: the keyboard */
    char       *text;                              /* owned; NULL: nothing runs */
    size_t      size_bytes, at;
    unsigned    line_number, commands, failures;
    char        line[RUN_LINE_BYTES];              /* as it was written */
    char        work[RUN_LINE_BYTES];              /* cut up by command_words */
    char       *rest;                              /* of work, not run yet; NULL: the line is done */
    size_t      loop_from;                         /* in line: what is repeated */
    uint64_t    loops_left;
    enum monitor_wait (*is_done)(char *why, size_t cap_bytes);    /* what the last command waits for; NULL: nothing */
};

static struct monitor_host host;
static struct line line;
static struct run run;
static char *output;                               /* of the command that runs, or is shown by pages */
static size_t output_length, output_room, output_shown;
static bool is_output_cut, is_paging;
static const char *why_cut;
static struct timer turn_timer;
static char typed_ahead[64];
static unsigned typed_count;

const struct monitor_host *monitor_host(void) { return &host; }

/* ---- output of a command ---- */
static bool make_room(size_t wanted)
{
    if (wanted <= output_room) return true;
    size_t room = output_room ? output_room : 4096;
    while (room < wanted) room *= 2;
    char *larger = room <= OUTPUT_BYTES ? heap_alloc(room) : NULL;
    why_cut = room <= OUTPUT_BYTES ? "(the rest is left out: no memory for it)\n" : "(the rest is left out)\n";
    if (!larger) return false;
    if (output_length) memcpy(larger, output, output_length);
    heap_free(output);
    output = larger;
    output_room = room;
    return true;
}

void say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = hv_vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n <= 0 || is_output_cut) return;
    if (!make_room(output_length + (size_t)n + 1)) {
        is_output_cut = true;
        return;
    }
    va_start(args, format);
    hv_vsnprintf(output + output_length, (size_t)n + 1, format, args);
    va_end(args);
    output_length += (size_t)n;
}

static void forget_output(void)
{
    heap_free(output);
    output = NULL;
    output_length = output_room = output_shown = 0;
    is_output_cut = is_paging = false;
}

/* The next `lines` lines of the output. */
static void show_lines(unsigned lines)
{
    size_t from = output_shown;
    while (lines && output_shown < output_length) lines -= output[output_shown++] == '\n';
    console_say(output + from, output_shown - from);
}

static unsigned count_lines(void)
{
    unsigned n = 0;
    for (size_t i = 0; i < output_length; i++) n += output[i] == '\n';
    return n;
}

static void end_output(void)
{
    if (is_output_cut) console_say(why_cut, strlen(why_cut));
    forget_output();
}

static void show_more(unsigned lines)
{
    static const char more[] = "--more-- (space, Enter, q)";
    show_lines(lines);
    is_paging = output_shown < output_length;
    if (is_paging) console_say(more, sizeof more - 1);
    else end_output();
}

static void show_output(void)
{
    if (!run.name && host.is_interactive && count_lines() > SCREEN_LINES) {
        show_more(SCREEN_LINES - 1);
        return;
    }
    console_say(output, output_length);
    end_output();
}

static void page_key(char c)
{
    console_say("\r\x1b[K", 4);
    switch (c) {
    case ' ': case 'f': show_more(SCREEN_LINES - 1); break;
    case '\r': case '\n': case 'j': show_more(1); break;
    case 'q': case 'Q': case 0x03: forget_output(); break;
    default: show_more(0); break;
    }
}

/* ---- prompt ---- */
static void write_line(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    console_say(text, length);
}

static bool is_ready(void) { return !run.text && !is_paging; }

static void show_prompt(void)
{
    if (console_is_front() && is_ready()) line_show(&line);
}

static void came(void)
{
    static const char greeting[] = "[monitor; help lists commands, attach VM leads to a guest]\n";
    console_say(greeting, sizeof greeting - 1);
    if (is_paging) show_more(0);
    show_prompt();
}

void monitor_line(const char *text, size_t length)
{
    char whole[256];                               /* at once: guests write meanwhile */
    int n = hv_snprintf(whole, sizeof whole, "%s%.*s\n", host.is_interactive ? "\r\x1b[K" : "", (int)(length < 240 ? length : 240), text);
    console_say(whole, (size_t)n);
    show_prompt();
}

/* ---- runs ---- */
static void wake(void *arg)                        /* on any core */
{
    (void)arg;
    arch_kick(0);
}

static void begin_run(const char *name, char *text, size_t size_bytes)
{
    run = (struct run){ .name = name, .text = text, .size_bytes = size_bytes };
}

static void end_run(void)
{
    char text[120];
    int n = 0;
    if (run.name) n = hv_snprintf(text, sizeof text, "%s: %u commands, %u failed\n", run.name, run.commands, run.failures);
    console_say(text, (size_t)n);
    bool was_script = run.name != NULL;
    heap_free(run.text);
    run = (struct run){ .name = NULL };
    show_prompt();
    if (was_script) host.script_ended();
}

bool monitor_script(const char *name, const char *text, size_t size_bytes)
{
    char *copy = run.text ? NULL : heap_alloc(size_bytes + 1);
    if (!copy) return false;
    memcpy(copy, text, size_bytes);
    begin_run(name, copy, size_bytes);
    return true;
}

bool monitor_is_busy(void) { return run.text || is_paging; }

void monitor_wait(enum monitor_wait (*is_done)(char *why, size_t cap_bytes)) { run.is_done = is_done; }

void monitor_repeat(uint64_t times)
{
    if (!run.rest) return;                         /* nothing follows */
    run.loop_from = (size_t)(run.rest - run.work);
    run.loops_left = times;
    if (!times) run.rest = NULL;
}

/* Takes the next line of the text; false: there is none. */
static bool next_line(void)
{
    if (run.at >= run.size_bytes) return false;
    const char *from = run.text + run.at, *end = memchr(from, '\n', run.size_bytes - run.at);
    size_t n = end ? (size_t)(end - from) : run.size_bytes - run.at;
    run.at += n + 1;
    run.line_number++;
    if (n >= RUN_LINE_BYTES) {
        say("%s:%u: the line is longer than %u letters\n", run.name ? run.name : "line", run.line_number, RUN_LINE_BYTES - 1);
        run.failures++;
        show_output();
        n = 0;
    }
    memcpy(run.line, from, n);
    run.line[n] = 0;
    if (n && run.line[n - 1] == '\r') run.line[n - 1] = 0;
    memcpy(run.work, run.line, RUN_LINE_BYTES);
    run.rest = run.work;
    run.loops_left = 0;
    if (run.name && n && *run.line != '#') {
        say(PROMPT "%s\n", run.line);             /* whole: guests write meanwhile */
        show_output();
    }
    return true;
}

/* The line is done: once more, if it loops. */
static void loop(void)
{
    if (run.loops_left <= 1) return;
    run.loops_left--;
    memcpy(run.work, run.line, RUN_LINE_BYTES);
    run.rest = run.work + run.loop_from;
}

static void run_command(void)
{
    char *words[COMMAND_MAX_WORDS];
    const char *error;
    unsigned count;
    run.rest = command_words(run.rest, words, COMMAND_MAX_WORDS, &count, &error);
    if (error) say("%s\n", error);
    if (count || error) run.commands++;
    if (error || (count && !command_run(words, count))) run.failures++;
    show_output();
    if (!run.rest && run.text) loop();
}

/* False: it waits, or there is nothing left. */
static bool go_on(void)
{
    char why[160] = "";
    if (is_paging) return false;
    if (run.is_done) {
        enum monitor_wait w = run.is_done(why, sizeof why);
        if (w == MONITOR_WAITS) return false;
        if (w == MONITOR_FAILED) {
            say("%s\n", why);
            run.failures++;
            show_output();
        }
        run.is_done = NULL;
    }
    if (run.rest || next_line()) {
        if (run.rest) run_command();
        return true;
    }
    end_run();
    return false;
}

static void cancel_run(void)
{
    static const char text[] = "^C\n";
    console_say(text, sizeof text - 1);
    run.at = run.size_bytes;
    run.rest = NULL;
    run.is_done = NULL;
    typed_count = 0;                               /* as a terminal does */
}

static void advance(void)
{
    for (unsigned n = 0; run.text && n < COMMANDS_TURN && go_on(); n++) {}
}

static void run_typed(void)
{
    char *text = heap_alloc(line.length + 1);
    if (text) {
        memcpy(text, line.text, line.length);
        begin_run(NULL, text, line.length);
    } else {
        static const char none[] = "no memory for a line\n";
        console_say(none, sizeof none - 1);
    }
    line_next(&line);
}

/* ---- completion ---- */
struct names { unsigned count; size_t common; char first[64]; unsigned column; };

static void note_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    size_t length = 0;
    while (n->count && length < n->common && n->first[length] == name[length]) length++;
    if (!n->count) length = (size_t)hv_snprintf(n->first, sizeof n->first, "%s", name);
    n->common = length < sizeof n->first ? length : sizeof n->first - 1;
    n->count++;
}

static void list_name(void *ctx, const char *name)
{
    struct names *n = ctx;
    if (n->column + 20 > LINE_COLUMNS) {
        say("\n");
        n->column = 0;
    }
    say("%-19s ", name);
    n->column += 20;
}

static void complete(void)
{
    char before[LINE_BYTES];
    struct names n = { 0 };
    hv_snprintf(before, sizeof before, "%.*s", (int)line.cursor, line.text);
    command_complete(before, note_name, &n);
    const char *word = before + strlen(before);
    while (word > before && word[-1] != ' ' && word[-1] != ';') word--;
    size_t typed = strlen(word);
    if (!n.count || typed > n.common) return;
    if (n.common > typed) {
        n.first[n.common] = 0;
        line_insert(&line, n.first + typed);
    }
    if (n.count == 1) {
        line_insert(&line, " ");
    } else if (n.common == typed) {
        say("\n");
        command_complete(before, list_name, &n);
        say("\n");
        console_say(output, output_length);
        forget_output();
        line_show(&line);
    }
}

/* ---- keys ---- */
static void line_key_came(char c)
{
    switch (line_key(&line, c)) {
    case LINE_GOES_ON:          break;
    case LINE_DONE:             run_typed(); break;
    case LINE_CANCELLED:        show_prompt(); break;
    case LINE_WANTS_COMPLETION: complete(); break;
    }
}

static void key(char c)
{
    if (is_paging) {
        page_key(c);
        advance();
    } else if (run.text && c == 0x03) {
        cancel_run();
    } else if (!run.text) {
        line_key_came(c);
    } else if (typed_count < sizeof typed_ahead) {
        typed_ahead[typed_count++] = c;
    }
    if (run.text && !is_paging) arch_kick(0);                /* it goes on in this or the next turn */
}

static void take_typed_ahead(void)
{
    unsigned taken = 0;
    while (taken < typed_count && is_ready()) line_key_came(typed_ahead[taken++]);
    memmove(typed_ahead, typed_ahead + taken, typed_count - taken);
    typed_count -= taken;
}

void monitor_poll(void)
{
    advance();
    if (is_ready()) take_typed_ahead();
    event_follow_poll();
    bool is_running = run.text && !run.is_done && !is_paging;
    if (is_running || run.is_done || event_follow_is_on()) timer_arm(&turn_timer, arch_time_ns() + (is_running ? 0 : TURN_NS));
}

void monitor_init(const struct monitor_host *h)
{
    static const struct console_front front = { .key = key, .came = came, .show_line = show_prompt };
    host = *h;
    line_init(&line, PROMPT, write_line, NULL);
    timer_init(&turn_timer, wake, NULL);
    console_set_front(&front);
}
