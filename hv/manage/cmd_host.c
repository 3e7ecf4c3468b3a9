// SPDX-License-Identifier: Apache-2.0
/* The machine itself: log, statistics for tools, power. */
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/manage/command.h"
#include "hv/manage/monitor.h"

static void log_level(struct call *c)
{
    static const char *const names[] = { "error", "notice", "info", "debug" };
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(c->argv[0], names[i])) continue;
        log_set_level((enum log_level)i);
        return;
    }
    fail(c, "%.40s is no level (error, notice, info, debug)", c->argv[0]);
}

static void stats_json(struct call *c)
{
    int length = vm_stats_json(NULL, 0);
    char *text = heap_alloc((size_t)length + 256);             /* they rise meanwhile */
    if (text) {
        vm_stats_json(text, (size_t)length + 256);
        say("%s\n", text);
    } else {
        fail(c, "no memory for it");
    }
    heap_free(text);
}

static void version(struct call *c)
{
    char text[160];
    (void)c;
    say("Hospes on %s\n", arch_description(text, sizeof text));
}

static void power_off(struct call *c)
{
    uint64_t status = 0;
    if (c->argc && !want_number(c, 0, "status", &status)) return;
    monitor_host()->power_off((int)(status & 0xff));
}

static void reboot(struct call *c)
{
    (void)c;
    monitor_host()->reboot();
}

static const struct command commands[] = {
    { "log",        "LEVEL",    "how much of the log is shown: error, notice, info, debug", log_level },
    { "stats json", "",         "all statistics as one JSON object",                        stats_json },
    { "version",    "",         "what this is",                                             version },
    { "poweroff",   "[STATUS]", "end all guests, switch the machine off",                   power_off },
    { "reboot",     "",         "end all guests, start the machine anew",                   reboot },
};
const struct command_table HOST_COMMANDS = { "The machine", commands, ARRAY_COUNT(commands) };
