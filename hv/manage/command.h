// SPDX-License-Identifier: Apache-2.0
/* What a monitor command is: one row of a table in a cmd_*.c. The row's text makes help, usage, the count of arguments and
 * completion. Core 0's loop, with no vCPU in hand: a command may pause, stop or destroy any VM, and must not wait. */
#pragma once
#include "hv/vm/vm.h"

#define COMMAND_MAX_WORDS 32

struct call;
struct command {
    const char *name;           /* one word, or two: "vm list" */
    /* "VM [VCPU] on|off KEY=VALUE...": [] may be left out, ... may repeat, a|b is a choice. Words in capitals that the
     * completion knows: VM, REG, KIND, LEVEL, COMMAND. */
    const char *arguments;
    const char *help;           /* one line */
    void      (*run)(struct call *c);
};

/* One line of the operator's on its way through a command. */
struct call {
    const struct command *command;
    unsigned  argc;
    char     *argv[COMMAND_MAX_WORDS];
    bool      has_failed;
};

/* One of these for each cmd_*.c, in the order of `help`; NULL behind the last. */
struct command_table { const char *title; const struct command *command; unsigned count; };
extern const struct command_table CONSOLE_COMMANDS, VM_COMMANDS, INFO_COMMANDS, DEBUG_COMMANDS, EVENT_COMMANDS, HOST_COMMANDS;
const struct command_table *command_table(unsigned n);

/* Cuts a line into words: blanks part them, "double quotes" and 'single quotes' keep them together, # begins a comment, ;
 * ends the command. In place. Returns what follows the ; or NULL, *count the words; NULL *error or what is wrong. */
char *command_words(char *line, char *words[], unsigned cap, unsigned *count, const char **error);
/* The command that the words begin with, and how many of them name it; NULL: there is none. */
const struct command *command_find(char *const words[], unsigned count, unsigned *used);
/* Runs one command. False: it has failed, or there is none (and a line says so). */
bool command_run(char *words[], unsigned count);
/* How many arguments the row takes; *most is COMMAND_MAX_WORDS where one may repeat. */
void command_arity(const struct command *c, unsigned *least, unsigned *most);
/* Shows usage and fails. */
void command_usage(struct call *c);
/* Every name of a completion list that begins with `begin`, to `take`. `line` is cut at the cursor. */
typedef void command_take_fn(void *ctx, const char *name);
void command_complete(const char *line, command_take_fn *take, void *ctx);

/* ---- for cmd_*.c: output, and arguments that say what is wrong with them ---- */
void say(const char *format, ...) PRINTF(1, 2);                                    /* no newline of its own */
void fail(struct call *c, const char *format, ...) PRINTF(2, 3);                   /* a line, and the call has failed */
bool succeeded(struct call *c, struct vm_error e, const char *what);               /* false: the error was told */
struct vm *want_vm(struct call *c, unsigned n);                                    /* NULL: told */
bool want_number(struct call *c, unsigned n, const char *what, uint64_t *out);     /* decimal, 0x, K M G */
/* vCPU number argv[n], 0 when it was left out. */
bool want_vcpu(struct call *c, const struct vm *vm, unsigned n, struct vcpu **out);
