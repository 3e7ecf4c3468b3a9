// SPDX-License-Identifier: Apache-2.0
/* vm ...: lives of machines. */
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/manage/command.h"
#include "hv/manage/monitor.h"
#include "hv/vm/config.h"

static void list(struct call *c)
{
    (void)c;
    struct exec_stats s;
    if (list_is_empty(vm_all())) {
        say("no VMs (vm create NAME KEY=VALUE... makes one)\n");
        return;
    }
    say("  # NAME           STATE   ARCH    MODE        VCPUS  MEMORY CPU TIME  MIPS END\n");
    unsigned n = 1;
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        char end[200] = "";
        uint64_t run_ns = 0;
        vm_stats(vm, &s);
        for (unsigned i = 0; i < vm->config.vcpu_count; i++) run_ns += __atomic_load_n(&vm->sched[i].run_ns, __ATOMIC_RELAXED);
        if (vm->end != VM_END_NONE) vm_describe_end(vm, end, sizeof end);
        const char *why = strchr(end, ':');
        say("%3u %-14s %-7s %-7s %-11s %5u %6luM %5lu.%lus %5lu %s\n", n++, vm->name, vm_lifecycle_name(vm_state(vm)),
            guest_arch_name(vm->config.guest_arch), exec_mode_name(vm->config.exec_mode), vm->config.vcpu_count,
            (unsigned long)(vm->config.memory_size >> 20), (unsigned long)(run_ns / 1000000000u), (unsigned long)(run_ns / 100000000u % 10),
            (unsigned long)(run_ns ? s.executed_insns * 1000 / run_ns : 0), why ? why + 2 : "");
    }
}

static void say_error(void *ctx, const char *message)
{
    (void)ctx;
    say("%s\n", message);
}

static void make(struct call *c, const struct vm_config *config)
{
    struct vm *vm;
    if (!succeeded(c, vm_create(config, monitor_host()->files, &vm), config->name)) return;
    monitor_host()->vm_made(vm);
    say("%s is created (vm start %s)\n", vm->name, vm->name);
}

/* A description in a file: all its VMs. */
static void create_from_file(struct call *c, const char *path)
{
    struct blob file;
    const char *why = monitor_host()->files->open(monitor_host()->files->ctx, path, &file);
    if (why) {
        fail(c, "%s", why);
        return;
    }
    struct config *config = heap_alloc(sizeof *config);
    char *text = heap_alloc(file.size_bytes + 1);
    if (config && text) {
        memcpy(text, file.data, file.size_bytes);
        if (vm_failed(config_parse(text, file.size_bytes, path, config, say_error, NULL))) c->has_failed = true;
        for (unsigned i = 0; i < config->count; i++) {
            if (!(config->broken >> i & 1)) make(c, &config->vm[i]);
        }
    } else {
        fail(c, "no memory for it");
    }
    heap_free(text);
    heap_free(config);
    if (monitor_host()->files->close) monitor_host()->files->close(monitor_host()->files->ctx, &file);
}

static void create(struct call *c)
{
    struct vm_config *config = heap_alloc(sizeof *config);
    char message[320];
    if (!config) {
        fail(c, "no memory for it");
        return;
    }
    *config = vm_config_default();
    config->name = c->argv[0];
    for (unsigned i = 1; i < c->argc && !c->has_failed; i++) {
        char *equals = strchr(c->argv[i], '=');
        if (!equals) {
            fail(c, "%.40s is not KEY=VALUE", c->argv[i]);
            break;
        }
        *equals = 0;
        if (!config_set(config, c->argv[i], equals + 1, message, sizeof message)) fail(c, "%s", message);
    }
    if (!c->has_failed && c->argc == 1) create_from_file(c, c->argv[0]);
    else if (!c->has_failed) make(c, config);
    heap_free(config);
}

/* One change of life; its row says which. */
static void change(struct call *c, struct vm_error (*run)(struct vm *vm), const char *done)
{
    struct vm *vm = want_vm(c, 0);
    char name[VM_NAME_BYTES];
    if (!vm) return;
    hv_snprintf(name, sizeof name, "%s", vm->name);
    if (succeeded(c, run(vm), name)) say("%s is %s\n", name, done);
}

static void start(struct call *c)   { change(c, vm_start, "running"); }
static void stop(struct call *c)    { change(c, vm_stop, "stopped"); }
static void pause(struct call *c)   { change(c, vm_pause, "paused"); }
static void resume(struct call *c)  { change(c, vm_resume, "running"); }
static void reset(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (vm && succeeded(c, vm_reset(vm), vm->name)) say("%s is as new, and %s\n", vm->name, vm_lifecycle_name(vm_state(vm)));
}
static void destroy(struct call *c) { change(c, vm_destroy, "no more"); }

static const struct command commands[] = {
    { "vm list",    "",                       "every VM: state, time, how it ended",           list },
    { "vm create",  "NAME|FILE [KEY=VALUE...]", "one VM by keys, or those of a description file", create },
    { "vm start",   "VM",                     "created -> running",                            start },
    { "vm pause",   "VM",                     "running -> paused",                             pause },
    { "vm resume",  "VM",                     "paused -> running",                             resume },
    { "vm stop",    "VM",                     "running or paused -> stopped",                  stop },
    { "vm reset",   "VM",                     "as at power-on; ended -> created",             reset },
    { "vm destroy", "VM",                     "gives everything back; not while it runs",      destroy },
};
const struct command_table VM_COMMANDS = { "Lives of machines", commands, ARRAY_COUNT(commands) };
