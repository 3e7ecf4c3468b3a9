// SPDX-License-Identifier: Apache-2.0
/* One host console for all guests, the monitor and the log. Each VM has a console of its own with a bounded history; one is
 * attached and sees the keys, or the front (the monitor) does. Log lines never land inside a guest's line: an open line is
 * ended first and taken up again after; the front's is taken away and shown again below.
 * Escape key: Ctrl-] then m (monitor), a digit (attach the VM of that number), n (next), l (list), q (end all), Ctrl-] (send it). */
#pragma once
#include "drivers/host/console.h"
#include "hv/core/log.h"
#include "hv/vm/vm.h"

#define CONSOLE_ESCAPE 0x1d

/* `is_interactive`: keys go to the attached guest and only it is shown; otherwise every guest is shown, when there is
 * more than one then by whole lines with its name before each. */
void console_init(const struct host_console *host, bool is_interactive);
NODISCARD struct vm_error console_create(struct vm *vm, struct vm_console **out);
void console_destroy(struct vm_console *c);                              /* NULL is fine */
void console_guest_output(void *vm, const char *text, size_t length);   /* machine_host.console_write; any core */
void console_poll(void);                                                /* core 0: reads keys, feeds the guest */
bool console_has_keys(void);                                            /* core 0: keys wait for a running guest to take them */
void console_attach(struct vm *vm);
/* Who has the keys when no guest is attached. All are called on core 0 with no lock held. */
struct console_front {
    void (*key)(char c);
    void (*came)(void);                     /* it is in front from now on: greet */
    void (*show_line)(void);                /* its open line was taken away: show it again */
};
void console_set_front(const struct console_front *f);
void console_to_front(void);                /* core 0 */
bool console_is_front(void);
void console_say(const char *text, size_t length);                      /* the front's output; core 0 */
/* The last `cap_bytes` at most of what a VM's console was told, oldest first; returns how many. */
size_t console_history(struct vm *vm, char *out, size_t cap_bytes);
#define CONSOLE_HISTORY_BYTES 16384
void console_on_quit(void (*quit)(void));                               /* escape, then q */
void console_close(void);                                               /* shows half lines, and ends the open one */
