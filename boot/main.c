// SPDX-License-Identifier: Apache-2.0
/* The composition root of the firmware: takes what the machine's entry found, starts the cores, reads the bundle's
 * description of VMs, lets them run, and hands the console to the monitor or, where there is one guest, to that. Words on
 * the command line: `exit` powers the machine off when all guests have ended and no script runs (its last line is "hospes:
 * status N"); `loglevel=error|notice|info|debug`. */
#include "boot/boot_info.h"
#include "hv/arch/arch.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/entropy.h"
#include "hv/core/heap.h"
#include "hv/core/log.h"
#include "hv/core/page.h"
#include "hv/core/percpu.h"
#include "hv/core/timer.h"
#include "hv/core/work.h"
#include "hv/manage/monitor.h"
#include "hv/vm/bundle.h"
#include "hv/vm/config.h"
#include "hv/vm/console.h"
#include "hv/vm/history.h"
#include "hv/vm/sched.h"

#define POLL_NS 20000000u           /* of a console without interrupts, and of keys that a guest did not take */

extern const uint8_t hv_bundle_start[], hv_bundle_end[];

static const struct boot_info *boot;
static struct bundle bundle;
static unsigned vms_not_there;
static bool exit_when_done;
static struct work some_ended;
static struct timer poll_timer;
static bool is_poll_due = true;              /* atomic: poll_timer is not armed */

static bool has_word(const char *cmdline, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = cmdline; (at = strstr(at, word)); at += n) {
        if ((at == cmdline || at[-1] == ' ') && (!at[n] || at[n] == ' ')) return true;
    }
    return false;
}

static void set_log_level(const char *cmdline)
{
    static const char *const word[] = { "loglevel=error", "loglevel=notice", "loglevel=info", "loglevel=debug" };
    for (unsigned i = 0; i < ARRAY_COUNT(word); i++) {
        if (has_word(cmdline, word[i])) log_set_level((enum log_level)i);
    }
}

static const char *open_in_bundle(void *ctx, const char *path, struct blob *out)
{
    static char why[160];
    if (bundle_find(ctx, path, &out->data, &out->size_bytes)) return NULL;
    hv_snprintf(why, sizeof why, "the bundle has no file %s", path);
    return why;
}

static const struct file_source files = { .ctx = &bundle, .open = open_in_bundle };

static void say(const char *line)
{
    if (!boot->console) return;
    boot->console->write(boot->console->ctx, line, strlen(line));
    boot->console->write(boot->console->ctx, "\n", 1);
}

/* Every guest's end, and a status as the hosted build's: 0, a guest's own code, or 1. */
static int report(void)
{
    char line[256];
    int status = vms_not_there ? 1 : 0;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        vm_describe_end(vm, line, sizeof line);
        log_info("vm %s", line);
        if (status || vm->end == VM_END_POWER_OFF || vm_state(vm) == VM_CREATED) continue;
        status = vm->end == VM_END_CODE && vm->exit_code <= 255 ? (int)vm->exit_code : 1;
    }
    return status;
}

static NORETURN void finish(int status)
{
    char line[32];
    vm_history_flush();
    console_close();
    log_set_sink(NULL, NULL);
    hv_snprintf(line, sizeof line, "\nhospes: status %d", status);
    say(line);
    arch_power_off(status);
}

/* Work of core 0: perhaps that was the last one. */
static void look_for_end(void *arg)
{
    (void)arg;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm_state(vm) == VM_RUNNING || vm_state(vm) == VM_PAUSED || vm_is_coming_back(vm)) return;
    }
    if (exit_when_done && !monitor_is_busy()) finish(report());
}

static void vm_ended(struct vm *vm)                          /* on any core */
{
    (void)vm;
    work_post(0, &some_ended);
}

static void vm_made(struct vm *vm) { vm->ended = vm_ended; }

static void script_ended(void) { vm_ended(NULL); }

static void quit(void) { finish(report()); }

static void reboot(void)
{
    (void)report();
    vm_history_flush();
    console_close();
    arch_reboot();
}

static bool must_poll(void) { return boot->console && (!boot->console->has_irq || console_has_keys()); }

static void poll_again(void *arg)                            /* on any core */
{
    (void)arg;
    __atomic_store_n(&is_poll_due, true, __ATOMIC_RELEASE);
    arch_kick(0);
}

static void each_turn(void)
{
    console_poll();
    monitor_poll();
    if (!__atomic_load_n(&is_poll_due, __ATOMIC_ACQUIRE) || !must_poll()) return;
    __atomic_store_n(&is_poll_due, false, __ATOMIC_RELAXED);
    timer_arm(&poll_timer, arch_time_ns() + POLL_NS);
}

static void choose_bundle(void)
{
    bundle = (struct bundle){ hv_bundle_start, (uint64_t)(hv_bundle_end - hv_bundle_start) };
    for (unsigned i = 0; i < boot->module_count; i++) {
        struct bundle b = { boot->modules[i].base, boot->modules[i].size_bytes };
        if (bundle_is_valid(&b)) {
            bundle = b;
            return;
        }
        log_error("boot module %u (%s) is no cpio archive: ignored", i, boot->modules[i].name);
    }
}

static void start_vm(const struct vm_config *c)
{
    struct vm *vm;
    char text[200];
    struct vm_error e = vm_create(c, &files, &vm);
    if (vm_failed(e)) {
        vm_error_format(text, sizeof text, &e);
        log_error("vm %s: %s", c->name, text);
        vms_not_there++;
        return;
    }
    vm_made(vm);
    if (!c->is_manual && vm_failed(vm_start(vm))) log_error("vm %s does not start", vm->name);
}

static void say_error(void *ctx, const char *message)
{
    (void)ctx;
    log_error("%s", message);
}

/* What is wrong in the description costs only the VMs it is about. */
static void start_vms(void)
{
    static struct config config;
    const void *data;
    size_t size_bytes;
    char *text = NULL;
    if (!bundle_find(&bundle, "hospes.conf", &data, &size_bytes)) log_error("the bundle has no hospes.conf");
    else if (!(text = heap_alloc(size_bytes + 1))) log_error("no memory for hospes.conf");
    if (text) {
        memcpy(text, data, size_bytes);
        if (vm_failed(config_parse(text, size_bytes, "hospes.conf", &config, say_error, NULL))) vms_not_there++;
    } else {
        vms_not_there++;
    }
    vm_history_start(config.events);
    for (unsigned i = 0; i < config.count; i++) {
        if (!(config.broken >> i & 1)) start_vm(&config.vm[i]);
    }
}

static void start_script(void)
{
    const void *text;
    size_t size_bytes;
    if (!bundle_find(&bundle, "autoexec", &text, &size_bytes)) return;
    if (!monitor_script("autoexec", text, size_bytes)) log_error("no memory for autoexec");
}

/* A guest alone has the keyboard at once; of several the operator chooses. */
static void choose_console(void)
{
    if (exit_when_done) return;
    if (vm_count() != 1) console_to_front();
    else log_info("Ctrl-] m leads to the monitor, Ctrl-] h tells more");
}

static void core_entry(unsigned cpu)
{
    percpu_init(cpu);
    sched_loop(cpu);
}

NORETURN void hospes_main(const struct boot_info *info)
{
    char cpu[160];
    percpu_init(0);
    boot = info;
    set_log_level(info->cmdline);
    exit_when_done = has_word(info->cmdline, "exit");
    const struct host_console none = { .name = "none" };
    console_init(info->console ? info->console : &none, !exit_when_done);
    console_on_quit(quit);
    monitor_init(&(struct monitor_host){ .files = &files, .vm_made = vm_made, .script_ended = script_ended, .power_off = finish, .reboot = reboot,
                                         .is_interactive = !exit_when_done });
    log_info("Hospes on %s, by %s", arch_description(cpu, sizeof cpu), info->loader);
    log_info("%u cores, %lu MiB free, console %s", arch_cpu_count(), (unsigned long)(page_available() * HV_PAGE_BYTES >> 20),
             info->console ? info->console->name : "none");
    work_init(&some_ended, look_for_end, NULL);
    timer_init(&poll_timer, poll_again, NULL);
    choose_bundle();
    host_disks_start(boot->buses);
    log_info("entropy: %s", entropy_describe(cpu, sizeof cpu));
    start_vms();
    start_script();
    choose_console();
    vm_ended(NULL);
    sched_on_turn(each_turn);
    arch_start_cpus(core_entry);
    sched_loop(0);
}
