// SPDX-License-Identifier: Apache-2.0
/* Commands about commands and consoles: help, attach, history, and the words of scripts: echo, wait, sleep, repeat. */
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/manage/command.h"
#include "hv/manage/monitor.h"
#include "hv/vm/console.h"

/* ---- help ---- */
static void help_row(const struct command *c) { say("  %-16s %-34s %s\n", c->name, c->arguments, c->help); }

static void help_all(void)
{
    const struct command_table *t;
    for (unsigned n = 0; (t = command_table(n)); n++) {
        say("%s\n", t->title);
        for (unsigned i = 0; i < t->count; i++) help_row(&t->command[i]);
    }
    say("Keys: Tab completes, arrows edit and look back, Ctrl-C gives up. In a guest, Ctrl-] m leads here, Ctrl-] h tells more.\n");
}

static bool is_of(const char *name, char *const words[], unsigned count)
{
    size_t length = strlen(words[0]);
    if (strncmp(name, words[0], length)) return false;
    if (count == 1) return !name[length] || name[length] == ' ';
    return name[length] == ' ' && !strcmp(name + length + 1, words[1]);
}

static void help(struct call *c)
{
    const struct command_table *t;
    unsigned rows = 0;
    if (!c->argc) {
        help_all();
        return;
    }
    for (unsigned n = 0; (t = command_table(n)); n++) {
        for (unsigned i = 0; i < t->count; i++) {
            if (is_of(t->command[i].name, c->argv, c->argc)) help_row(&t->command[i]), rows++;
        }
    }
    if (!rows) fail(c, "there is no %s (help lists all commands)", c->argv[0]);
}

/* ---- consoles ---- */
static void attach(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm) return;
    if (vm_state(vm) == VM_STOPPED || vm_state(vm) == VM_FAILED) {
        fail(c, "%s is %s: nobody would read the keys (history %s shows what it said)", vm->name, vm_lifecycle_name(vm_state(vm)), vm->name);
        return;
    }
    if (monitor_host()->is_interactive) console_attach(vm);
    else fail(c, "there is no keyboard here");
}

/* The last `lines` lines of text. */
static const char *tail(const char *text, size_t length, uint64_t lines)
{
    size_t at = length && text[length - 1] == '\n' ? length - 1 : length;
    while (at && lines) lines -= text[--at] == '\n';
    return lines ? text : text + at + 1;
}

static void history(struct call *c)
{
    uint64_t lines = UINT64_MAX;
    struct vm *vm = want_vm(c, 0);
    if (!vm || (c->argc > 1 && !want_number(c, 1, "number of lines", &lines))) return;
    char *text = heap_alloc(CONSOLE_HISTORY_BYTES + 1);
    if (!text) {
        fail(c, "no memory for it");
        return;
    }
    size_t n = console_history(vm, text, CONSOLE_HISTORY_BYTES);
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r' || !text[i]) text[i] = ' ';
    }
    const char *from = tail(text, n, lines);
    say("%s", from);
    if (n && text[n - 1] != '\n') say("\n");
    heap_free(text);
}

/* ---- scripts ---- */
static void echo(struct call *c)
{
    for (unsigned i = 0; i < c->argc; i++) say("%s%s", i ? " " : "", c->argv[i]);
    say("\n");
}

/* What the one waiting command waits for. */
static struct { char name[VM_NAME_BYTES], text[96]; enum vm_lifecycle state; bool is_gone, is_text; uint64_t until_ns, seconds; } awaited;

static bool want_seconds(struct call *c, unsigned n, uint64_t otherwise)
{
    awaited.seconds = otherwise;
    if (n < c->argc && !want_number(c, n, "number of seconds", &awaited.seconds)) return false;
    if (awaited.seconds > 1000000) awaited.seconds = 1000000;
    awaited.until_ns = arch_time_ns() + awaited.seconds * 1000000000u;
    return true;
}

static bool has_said(struct vm *vm, const char *text)
{
    char *all = heap_alloc(CONSOLE_HISTORY_BYTES + 1);
    if (!all) return false;
    size_t n = console_history(vm, all, CONSOLE_HISTORY_BYTES);
    for (size_t i = 0; i < n; i++) all[i] = all[i] ? all[i] : ' ';
    bool has = strstr(all, text) != NULL;
    heap_free(all);
    return has;
}

static enum monitor_wait look_at_vm(char *why, size_t cap_bytes)
{
    struct vm *vm = vm_find(awaited.name);
    if (!vm) {
        hv_snprintf(why, cap_bytes, "wait: there is no %s any more", awaited.name);
        return MONITOR_FAILED;
    }
    enum vm_lifecycle now = vm_state(vm);
    if (awaited.is_text ? has_said(vm, awaited.text) : now == awaited.state) return MONITOR_DONE;
    if (arch_time_ns() < awaited.until_ns) return MONITOR_WAITS;
    if (awaited.is_text) hv_snprintf(why, cap_bytes, "wait: %s has not said \"%s\" in %lu s", vm->name, awaited.text, (unsigned long)awaited.seconds);
    else hv_snprintf(why, cap_bytes, "wait: %s is still %s after %lu s", vm->name, vm_lifecycle_name(now), (unsigned long)awaited.seconds);
    return MONITOR_FAILED;
}

static bool is_state(const char *word, enum vm_lifecycle *out)
{
    for (*out = VM_CREATED; *out <= VM_FAILED; (*out)++) {
        if (!strcmp(word, vm_lifecycle_name(*out))) return true;
    }
    return false;
}

static void wait(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm) return;
    awaited.is_text = !is_state(c->argv[1], &awaited.state);
    if (!want_seconds(c, 2, 60)) return;
    hv_snprintf(awaited.name, sizeof awaited.name, "%s", vm->name);
    hv_snprintf(awaited.text, sizeof awaited.text, "%s", c->argv[1]);
    monitor_wait(look_at_vm);
}

static enum monitor_wait look_at_clock(char *why, size_t cap_bytes)
{
    (void)why, (void)cap_bytes;
    return arch_time_ns() < awaited.until_ns ? MONITOR_WAITS : MONITOR_DONE;
}

static void sleep(struct call *c)
{
    if (want_seconds(c, 0, 1)) monitor_wait(look_at_clock);
}

static void repeat(struct call *c)
{
    uint64_t times;
    if (want_number(c, 0, "number of times", &times)) monitor_repeat(times);
}

static const struct command commands[] = {
    { "help",    "[COMMAND] [COMMAND]",     "what there is, or one command",                          help },
    { "attach",  "VM",                      "the VM's console: what it said, then live; Ctrl-] m: back", attach },
    { "history", "VM [LINES]",              "what the VM's console was told lately",                  history },
    { "echo",    "[TEXT...]",               "say it",                                                 echo },
    { "wait",    "VM STATE|TEXT [SECONDS]",   "until the VM is running, paused, ... or has said TEXT", wait },
    { "sleep",   "SECONDS",                 "wait",                                                   sleep },
    { "repeat",  "TIMES",                   "the rest of the line, behind a ;",                       repeat },
};
const struct command_table CONSOLE_COMMANDS = { "Consoles and scripts", commands, ARRAY_COUNT(commands) };
