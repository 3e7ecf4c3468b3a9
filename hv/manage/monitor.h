// SPDX-License-Identifier: Apache-2.0
/* The monitor: the operator's commands, from the console's keyboard or from a script. It lives on core 0's loop between
 * turns of guests, so it answers whatever they do; what takes time (wait, sleep, follow) is looked at once a turn. */
#pragma once
#include "hv/vm/vm.h"

struct monitor_host {
    const struct file_source *files;               /* where paths of descriptions come from */
    void (*vm_made)(struct vm *vm);                /* a VM was created here: boot wants to know its end */
    void (*script_ended)(void);
    void (*power_off)(int status);
    void (*reboot)(void);
    bool is_interactive;                           /* somebody sits at a terminal: long output is shown by pages */
};

/* After console_init. Everything here: core 0 only. */
void monitor_init(const struct monitor_host *h);
const struct monitor_host *monitor_host(void);
/* Runs a text of commands, a line each, from the next turn on; the text is copied. False: one runs already, or no memory. */
bool monitor_script(const char *name, const char *text, size_t size_bytes);
bool monitor_is_busy(void);                        /* a script runs, or a command waits */
void monitor_poll(void);                           /* each turn of core 0 */
void monitor_line(const char *text, size_t length);   /* a line that came up by itself, below which the prompt is shown again */

/* For commands that take time: the command goes on when `is_done` says so (false and *why: it has failed), asked each turn. */
enum monitor_wait { MONITOR_WAITS, MONITOR_DONE, MONITOR_FAILED };
void monitor_wait(enum monitor_wait (*is_done)(char *why, size_t cap_bytes));
/* The rest of the current line again, `times` times in all. */
void monitor_repeat(uint64_t times);

/* cmd_events.c: shows followed events each turn. */
void event_follow_poll(void);
bool event_follow_is_on(void);
