// SPDX-License-Identifier: Apache-2.0
/* Words, rows and completion of the monitor; its commands themselves are tried by test/monitor/commands.sh. */
#include "hv/manage/command.h"
#include "test/harness/test.h"

static char text[256];
static char *words[COMMAND_MAX_WORDS];
static unsigned count;
static const char *error;

static char *cut(const char *line)
{
    snprintf(text, sizeof text, "%s", line);
    return command_words(text, words, COMMAND_MAX_WORDS, &count, &error);
}

TEST(monitor_words_are_parted_by_blanks_and_kept_together_by_quotes)
{
    CHECK(!cut("  vm\tcreate x cmdline=\"console=ttyS0 quiet\" 'a b'c # more"));
    CHECK(!error && count == 5);
    CHECK_STR(words[0], "vm");
    CHECK_STR(words[3], "cmdline=console=ttyS0 quiet");
    CHECK_STR(words[4], "a bc");
}

TEST(monitor_words_end_at_a_semicolon_and_the_rest_follows)
{
    char *rest = cut("repeat 3;vm list; echo ';'");
    CHECK(count == 2);
    CHECK_STR(words[1], "3");
    CHECK_STR(rest, "vm list; echo ';'");
    rest = command_words(rest, words, COMMAND_MAX_WORDS, &count, &error);
    CHECK(count == 2);
    rest = command_words(rest, words, COMMAND_MAX_WORDS, &count, &error);
    CHECK(!rest && count == 2);
    CHECK_STR(words[1], ";");
}

TEST(monitor_words_that_are_wrong_are_errors)
{
    CHECK(!cut("echo \"open") && error);
    CHECK(!cut("a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a") && error);
    CHECK(!cut("") && !error && !count);
    CHECK(!cut("# nothing") && !error && !count);
    cut(";");
    CHECK(!error && !count);
}

TEST(monitor_rows_have_unique_names_help_and_an_arity)
{
    const struct command_table *t, *other;
    unsigned rows = 0;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++, rows++) {
            const struct command *c = &t->command[i];
            unsigned least, most, same = 0;
            CHECK(*c->name && *c->help && c->run && strlen(c->name) <= 16 && strlen(c->arguments) <= 34);
            command_arity(c, &least, &most);
            CHECK(least <= most && most <= COMMAND_MAX_WORDS);
            for (unsigned k = 0; (other = command_table(k)); k++) {
                for (unsigned m = 0; m < other->count; m++) same += !strcmp(other->command[m].name, c->name);
            }
            CHECK_EQ_U64(same, 1);
        }
    }
    CHECK(rows > 25);
}

TEST(monitor_arity_follows_the_arguments_text)
{
    static const struct { const char *arguments; unsigned least, most; } rows[] = {
        { "", 0, 0 }, { "VM", 1, 1 }, { "[VM]", 0, 1 }, { "VM [VCPU] [N]", 1, 3 }, { "NAME [KEY=VALUE...]", 1, COMMAND_MAX_WORDS },
        { "KIND on|off", 2, 2 }, { "[TEXT...]", 0, COMMAND_MAX_WORDS },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct command c = { .arguments = rows[i].arguments };
        unsigned least, most;
        command_arity(&c, &least, &most);
        CHECK_EQ_U64(least, rows[i].least);
        CHECK_EQ_U64(most, rows[i].most);
    }
}

static char found[1024];
static void take(void *ctx, const char *name)
{
    (void)ctx;
    strcat(strcat(found, name), " ");
}
static const char *complete(const char *line)
{
    found[0] = 0;
    command_complete(line, take, NULL);
    return found;
}

TEST(monitor_completes_commands_their_second_words_and_choices)
{
    CHECK_STR(complete("att"), "attach ");
    CHECK(strstr(complete(""), "help ") && strstr(complete(""), " vm ") && !strstr(complete(""), "vm list"));
    CHECK_STR(complete("vm l"), "list ");
    CHECK(strstr(complete("info "), "devices "));
    CHECK_STR(complete("log d"), "debug ");
    CHECK_STR(complete("events record vm.p"), "vm.paused ");
    CHECK_STR(complete("events record vm.paused o"), "on off ");
    CHECK_STR(complete("vm list; att"), "attach ");
    CHECK_STR(complete("vm create x mem"), "memory ");
    CHECK_STR(complete("nonsense x"), "");
    CHECK_STR(complete("# comment"), "");
    CHECK_STR(complete("echo \"open"), "");
}

TEST(monitor_completes_nothing_in_a_comment_or_an_open_quote)
{
    static const char *const lines[] = { "#", "#a", "vm list;#x", "\"ab", "echo 'ab", "vm list; \"", "a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a b" };
    for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) CHECK_STR(complete(lines[i]), "");
}
