// SPDX-License-Identifier: Apache-2.0
/* The hypervisor as an ordinary process: `hospes run ...`. Composition root of the hosted build: RAM, cores, console,
 * files, then one or several VMs; the exit status tells how the guests ended. Core 0 ends the process; a thread that is
 * no core watches signals and the time, so that it ends whatever the cores do. */
#include "boot/hosted/arguments.h"
#include "boot/hosted/stdio.h"
#include "drivers/net/hosted/sock.h"
#include "hv/arch/arch.h"
#include "hv/arch/hosted/hosted.h"
#include "hv/core/page.h"
#include "hv/core/panic.h"
#include "hv/core/percpu.h"
#include "hv/core/work.h"
#include "hv/jit/info.h"
#include "hv/manage/monitor.h"
#include "hv/vm/console.h"
#include "hv/vm/history.h"
#include "hv/vm/network.h"
#include "hv/vm/sched.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS_AGAIN_NS  5000000u            /* a guest that does not take its keys is asked again, less and less often */
#define KEYS_RARELY_NS 80000000u
#define PATIENCE_S     5                   /* for cores that do not answer */

enum { STATUS_FAILED = 1, STATUS_TIMEOUT = 124, STATUS_SIGNAL = 128 };

static struct arguments arguments;
static struct work some_ended, stop_all;
static int asked_status;                                     /* by the monitor's poweroff */
static unsigned vms_not_there;                               /* described, and not made or not started */
/* Why everything ends before the guests do; written once, before stop_all is posted. */
static struct { uint32_t is_set; int status; char text[80]; } cause;

/* ---- the end ---- */
static void write_stats(void)
{
    int length = vm_stats_json(NULL, 0);
    char *json = malloc((size_t)length + 1);
    FILE *f = json ? fopen(arguments.stats_path, "w") : NULL;
    if (json) vm_stats_json(json, (size_t)length + 1);
    if (!f || fprintf(f, "%s\n", json) < 0 || fclose(f))
        fprintf(stderr, "hospes: cannot write %s: %s\n", arguments.stats_path, strerror(errno));
}

static int status_of(const struct vm *vm)
{
    switch (vm->end) {
    case VM_END_POWER_OFF:       return 0;
    case VM_END_CODE:            return vm->exit_code <= 255 ? (int)vm->exit_code : STATUS_FAILED;
    case VM_END_STOPPED_BY_HOST: return cause.is_set ? cause.status : STATUS_FAILED;
    case VM_END_FAILED: case VM_END_NONE: break;
    }
    return STATUS_FAILED;
}

/* No VM runs any more. A line for each; the first that is not a normal power-off decides the status. */
static NORETURN void finish(void)
{
    char line[256];
    int status = vms_not_there || arguments.has_errors ? STATUS_FAILED : 0;
    vm_history_flush();
    console_close();
    stdio_drain(cause.is_set ? 1000 : -1);
    if (arguments.stats_path) write_stats();
    stdio_restore_terminal();
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm_state(vm) == VM_CREATED) continue;            /* nobody has started it */
        int own = status_of(vm);
        vm_describe_end(vm, line, sizeof line);
        if (vm->end == VM_END_STOPPED_BY_HOST && cause.is_set) snprintf(line, sizeof line, "%s: stopped: %s", vm->name, cause.text);
        if (own || !arguments.is_quiet) fprintf(stderr, "hospes: %s\n", line);
        if (!status) status = own;
    }
    arch_power_off(status ? status : asked_status);
}

/* Perhaps that was the last one. */
static void look_for_end(void *arg)
{
    (void)arg;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm_state(vm) == VM_RUNNING || vm_state(vm) == VM_PAUSED || vm_is_coming_back(vm)) return;
    }
    if (!arguments.stays && !monitor_is_busy()) finish();
}

static void run_stop_all(void *arg)
{
    (void)arg;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm_failed(vm_stop(vm))) continue;                /* it has ended by itself */
    }
    finish();
}

static void vm_ended(struct vm *vm)                          /* on any core */
{
    (void)vm;
    work_post(0, &some_ended);
}

static void script_ended(void)   { vm_ended(NULL); }
static void vm_made(struct vm *vm) { vm->ended = vm_ended; }

static void end_everything(int status, const char *format, ...) PRINTF(2, 3);
static void end_everything(int status, const char *format, ...)
{
    if (__atomic_exchange_n(&cause.is_set, 1, __ATOMIC_ACQ_REL)) return;
    va_list args;
    va_start(args, format);
    vsnprintf(cause.text, sizeof cause.text, format, args);
    va_end(args);
    cause.status = status;
    stdio_stop_waiting();                                    /* a core may wait for room in the output */
    work_post(0, &stop_all);
}

static void quit(void)          { end_everything(STATUS_SIGNAL + SIGINT, "Ctrl-] q"); }
static void output_closed(void) { end_everything(STATUS_FAILED, "nobody reads standard output"); }

static void power_off(int status)
{
    asked_status = status;
    end_everything(status, "poweroff");
}
static void refuse_reboot(void)
{
    static const char text[] = "a process cannot be rebooted (poweroff ends it)";
    monitor_line(text, sizeof text - 1);
}

/* ---- signals and time: a thread of its own ---- */
static sigset_t ending_signals;

/* The clock of --timeout starts with the guests. */
static struct timespec time_left(uint64_t from_ns, unsigned timeout_s)
{
    uint64_t passed = arch_time_ns() - from_ns, all = timeout_s * 1000000000ull, left = passed < all ? all - passed : 0;
    return (struct timespec){ (time_t)(left / 1000000000u), (long)(left % 1000000000u) };
}

static void *watch(void *arg)
{
    uint64_t start = arch_time_ns();
    struct timespec left;
    int n;
    (void)arg;
    if (arguments.timeout_s) {
        do {
            left = time_left(start, arguments.timeout_s);
            n = sigtimedwait(&ending_signals, NULL, &left);
        } while (n < 0 && errno == EINTR);
    } else {
        do n = sigwaitinfo(&ending_signals, NULL); while (n < 0 && errno == EINTR);
    }
    if (n > 0) end_everything(STATUS_SIGNAL + n, "signal %d (%s)", n, strsignal(n));
    else end_everything(STATUS_TIMEOUT, "not done after %u s (--timeout)", arguments.timeout_s);
    /* A second signal, or cores that do not let go: without them. */
    do {
        left = (struct timespec){ PATIENCE_S, 0 };
        n = sigtimedwait(&ending_signals, NULL, &left);
    } while (n < 0 && errno == EINTR);
    stdio_restore_terminal();
    fprintf(stderr, "hospes: %s; the guests were not waited for\n", cause.text);
    _exit(cause.status);
}

/* A crash of ours leaves a usable terminal, then takes its usual way (core dump, sanitizer's report). */
static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP };
static struct sigaction crash_actions[ARRAY_COUNT(crash_signals)];

static void crashed(int n, siginfo_t *info, void *context)
{
    (void)context;
    static const char text[] = "hospes: crashed\n";
    stdio_restore_terminal();
    if (write(STDERR_FILENO, text, sizeof text - 1) < 0) _exit(STATUS_SIGNAL + n);
    for (unsigned i = 0; i < ARRAY_COUNT(crash_signals); i++) {
        if (crash_signals[i] == n) sigaction(n, &crash_actions[i], NULL);
    }
    if (info->si_code <= 0) raise(n);                        /* sent, by abort() or by somebody: a fault comes again by itself */
}

/* Before the first thread: all inherit the mask. */
static void set_signals(void)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
    struct sigaction crash = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };
    sigemptyset(&ending_signals);
    for (unsigned i = 0; i < ARRAY_COUNT(ending); i++) {
        struct sigaction now;
        /* nohup and background jobs of a shell: what is ignored stays so */
        if (!sigaction(ending[i], NULL, &now) && now.sa_handler == SIG_IGN) continue;
        sigaddset(&ending_signals, ending[i]);
    }
    pthread_sigmask(SIG_BLOCK, &ending_signals, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(crash_signals); i++) sigaction(crash_signals[i], &crash, &crash_actions[i]);
    signal(SIGPIPE, SIG_IGN);
}

static void write_panic(const char *text, size_t length)
{
    stdio_restore_terminal();
    if (write(STDERR_FILENO, text, length) < 0) return;
}

/* ---- keys ---- */
static struct timer key_timer;
static bool is_asking;                     /* atomic: key_timer is armed */

static void wake_core_0(void) { arch_kick(0); }

static void ask_again(void *arg)           /* on any core */
{
    (void)arg;
    __atomic_store_n(&is_asking, false, __ATOMIC_RELEASE);
    arch_kick(0);
}

static void each_turn(void)
{
    static uint64_t wait_ns = KEYS_AGAIN_NS;
    console_poll();
    monitor_poll();
    if (!console_has_keys() && !stdio_has_keys()) {
        wait_ns = KEYS_AGAIN_NS;
        return;
    }
    if (__atomic_exchange_n(&is_asking, true, __ATOMIC_ACQ_REL)) return;
    timer_arm(&key_timer, arch_time_ns() + wait_ns);
    if (wait_ns < KEYS_RARELY_NS) wait_ns *= 2;
}

/* ---- files ---- */
static const char *open_file(void *ctx, const char *path, struct blob *out)
{
    static char why[256];
    struct stat st;
    (void)ctx;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const char *wrong = fd < 0 || fstat(fd, &st) ? strerror(errno) : S_ISREG(st.st_mode) ? NULL : "is not a file";
    *out = (struct blob){ "", 0 };
    if (!wrong && st.st_size) {
        void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED) wrong = strerror(errno);
        else *out = (struct blob){ at, (size_t)st.st_size };
    }
    if (fd >= 0) close(fd);
    if (wrong) snprintf(why, sizeof why, "%s: %s", path, wrong);
    return wrong ? why : NULL;
}

static void close_file(void *ctx, const struct blob *b)
{
    (void)ctx;
    if (b->size_bytes) munmap((void *)(uintptr_t)b->data, b->size_bytes);
}

/* ---- the start ---- */
/* For people: the reason alone where there is one. */
static const char *describe(const struct vm_error *e, char *text, size_t cap_bytes)
{
    bool has_reason = e->domain == VM_ERROR_CORE || e->domain == VM_ERROR_DEVICE || e->domain == VM_ERROR_PLATFORM;
    if (has_reason && e->reason) return e->reason;
    vm_error_format(text, cap_bytes, e);
    return text;
}

static void add_host_disks(void)
{
    for (unsigned i = 0; i < arguments.host_disk_count; i++) {
        const char *path = arguments.host_disk[i];
        struct block *disk;
        struct vm_error e = block_file_create(path, false, &disk);
        if (e.kind == VM_PLATFORM_PERMISSION_DENIED) e = block_file_create(path, true, &disk);
        if (vm_failed(e)) die(STATUS_FAILED, "host disk %s: %s", path, e.reason);
        host_disk_add(disk, path);
    }
}

static void start_uplink(void)
{
    struct net_sock *s;
    struct vm_error e = arguments.uplink ? net_sock_create(network_switch(), arguments.uplink, &s) : VM_SUCCESS;
    if (vm_failed(e)) die(STATUS_FAILED, "uplink: %s", e.reason);
    if (arguments.uplink && net_sock_port(s)) log_notice("uplink: at 127.0.0.1:%u", net_sock_port(s));
}

static const struct file_source files = { .open = open_file, .close = close_file };

/* What is wrong with one costs only that one. */
static void not_there(const char *name, struct vm_error e)
{
    char text[256];
    fprintf(stderr, "hospes: %s: %s\n", name, describe(&e, text, sizeof text));
    vms_not_there++;
}

static void start_vms(const struct config *config)
{
    for (unsigned i = 0; i < config->count; i++) {
        struct vm *vm;
        if (config->broken >> i & 1) continue;
        struct vm_error e = vm_create(&config->vm[i], &files, &vm);
        if (vm_failed(e)) not_there(config->vm[i].name, e);
        else vm_made(vm);
    }
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        struct vm_error e = vm->config.is_manual ? VM_SUCCESS : vm_start(vm);
        if (vm_failed(e)) not_there(vm->name, e);
    }
    if (vm_count() || !vms_not_there || arguments.stays || arguments.script) return;
    stdio_restore_terminal();
    fflush(NULL);
    _exit(STATUS_FAILED);                                    /* threads run already */
}

/* RAM and RAM disks. */
static uint64_t bytes_wanted(const struct vm_config *c)
{
    uint64_t bytes = c->memory_size;
    for (unsigned d = 0; d < c->disk_count; d++) bytes += c->disk[d].kind == DISK_RAM ? c->disk[d].size_bytes : 0;
    return bytes;
}

/* What the guests ask for, and room for what belongs to them; only what is touched costs memory. One that wants more than there
 * is, beside those before it, is left out. */
static void add_ram(struct config *config)
{
    uint64_t host_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE), bytes = MIB(64), guests_bytes = 0;
    for (unsigned i = 0; i < config->count; i++) {
        const struct vm_config *c = &config->vm[i];
        uint64_t wanted = bytes_wanted(c);
        if (config->broken >> i & 1) continue;
        if (wanted > host_bytes - guests_bytes) {
            fprintf(stderr, "hospes: %s: memory: wants %lu MiB with its RAM disks, this host has %lu MiB for it\n", c->name, (unsigned long)(wanted >> 20),
                    (unsigned long)((host_bytes - guests_bytes) >> 20));
            config->broken |= 1u << i;
            vms_not_there++;
            continue;
        }
        guests_bytes += wanted;
        bytes += wanted + MIB(64) * (c->vcpu_count + c->disk_count);
    }
    if (arguments.stays || arguments.script) bytes += host_bytes / 2 / HV_PAGE_BYTES * HV_PAGE_BYTES;     /* for VMs that are made later */
    void *ram = hosted_map(bytes);
    if (!ram) die(STATUS_FAILED, "memory: the system refuses %lu MiB", (unsigned long)(bytes >> 20));
    page_add_range(host_addr_make(ram), bytes);
}

static void core_entry(unsigned cpu)
{
    percpu_init(cpu);
    sched_loop(cpu);
}

int main(int argc, char **argv)
{
    struct host_console console;
    pthread_t t;
    stdio_make_streams();
    arguments_parse(argc, argv, &arguments);
    set_signals();
    const char *off = getenv("HOSPES_JIT_OFF");              /* for bisection and measuring */
    if (off && !jit_switch_off(off)) die(STATUS_FAILED, "HOSPES_JIT_OFF: no such switch");
    hosted_init(arguments.cores);
    panic_set_output(write_panic);
    percpu_init(0);
    add_ram(&arguments.config);
    work_init(&some_ended, look_for_end, NULL);
    work_init(&stop_all, run_stop_all, NULL);
    timer_init(&key_timer, ask_again, NULL);
    bool is_interactive = stdio_take_terminal();
    atexit(stdio_restore_terminal);
    if (!stdio_start(&console, wake_core_0, output_closed)) die(STATUS_FAILED, "no threads for the console");
    console_init(&console, is_interactive);
    console_on_quit(quit);
    log_set_level(arguments.is_quiet ? LOG_ERROR : is_interactive && arguments.config.count > 1 ? LOG_INFO : LOG_NOTICE);
    add_host_disks();
    start_uplink();
    monitor_init(&(struct monitor_host){ .files = &files, .vm_made = vm_made, .script_ended = script_ended, .power_off = power_off,
                                         .reboot = refuse_reboot, .is_interactive = is_interactive });
    vm_history_start(arguments.config.events);
    start_vms(&arguments.config);
    if (arguments.script && !monitor_script(arguments.script_path, arguments.script, arguments.script_bytes)) die(STATUS_FAILED, "no memory for the script");
    if (is_interactive && (arguments.stays || arguments.config.count > 1)) console_to_front();
    if (pthread_create(&t, NULL, watch, NULL)) die(STATUS_FAILED, "no thread for signals");
    sched_on_turn(each_turn);
    arch_start_cpus(core_entry);
    sched_loop(0);
}
