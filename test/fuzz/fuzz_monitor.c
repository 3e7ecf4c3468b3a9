// SPDX-License-Identifier: Apache-2.0
/* Any keys at the monitor's prompt, any line as a command, and what completion makes of it. Lives of real VMs are small
 * here: they are made, and no core runs them. */
#include "hv/manage/command.h"
#include "hv/manage/line.h"
#include "hv/manage/monitor.h"
#include "hv/vm/console.h"
#include "hv/vm/history.h"
#include "test/fuzz/input.h"

static const char *no_file(void *ctx, const char *path, struct blob *out) { return (void)ctx, (void)path, (void)out, "there are no files"; }
static const struct file_source files = { .open = no_file };
static void made(struct vm *vm) { (void)vm; }
static void nothing(void) {}
static void power_off(int status) { (void)status; }
static size_t shown;
static void show(void *ctx, const char *text, size_t length) { (void)ctx, (void)text, shown += length; }
static void take(void *ctx, const char *name) { (void)ctx, shown += strlen(name); }

static void start(void)
{
    static const struct host_console console = { .name = "none", .write = show };
    test_pages();
    console_init(&console, false);
    log_set_level(LOG_ERROR);
    monitor_init(&(struct monitor_host){ .files = &files, .vm_made = made, .script_ended = nothing, .power_off = power_off, .reboot = nothing });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static bool is_started;
    static struct line line;
    if (!is_started) start();
    is_started = true;
    line_init(&line, "> ", show, NULL);
    for (size_t i = 0; i < size_bytes; i++) {
        enum line_event e = line_key(&line, (char)data[i]);
        CHECK(line.cursor <= line.length && line.length < LINE_BYTES && strlen(line.text) == line.length);
        if (e == LINE_WANTS_COMPLETION) command_complete(line.text, take, NULL);
        if (e != LINE_DONE) continue;
        if (!strstr(line.text, "sleep") && !strstr(line.text, "wait") && !strstr(line.text, "repeat") && monitor_script("fuzz", line.text, line.length)) {
            for (unsigned n = 0; n < 300 && monitor_is_busy(); n++) monitor_poll();
        }
        line_next(&line);
    }
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm_state(vm) == VM_RUNNING || vm_state(vm) == VM_PAUSED) CHECK(!vm_failed(vm_stop(vm)));
        CHECK(!vm_failed(vm_destroy(vm)));
    }
    return 0;
}
