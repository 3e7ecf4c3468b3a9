// SPDX-License-Identifier: Apache-2.0
/* The n-th allocation fails, for every n until there is none any more: whatever was asked for says that memory is missing, keeps
 * nothing, and is done when it is asked again. Objects of the heap by heap_fail_at, runs of pages by page_fail_at. */
#include "hv/core/heap.h"
#include "hv/manage/monitor.h"
#include "hv/vm/config.h"
#include "hv/vm/console.h"
#include "hv/vm/event_log.h"
#include "hv/vm/history.h"
#include "test/unit/block_faulty.h"
#include "test/unit/block_power.h"
#include "test/unit/disk.h"
#include "test/unit/one_core.h"
#include "test/unit/sweep.h"

ONE_FILE(sleeper, rv_j(0))
static const struct file_source files = { .ctx = &sleeper, .open = one_open, .close = one_close };

/* ---- lives ---- */
static struct vm_config everything(void)
{
    struct vm_config c = vm_config_default();
    c.name = "unborn", c.memory_size = MIB(8), c.vcpu_count = 2, c.kernel_path = "kernel", c.cmdline = "console=ttyS0";
    c.disk[0] = (struct disk_config){ .kind = DISK_RAM, .size_bytes = MIB(1) };
    c.disk[1] = (struct disk_config){ .kind = DISK_IMAGE, .path = "image", .has_overlay = true };
    c.disk[2] = (struct disk_config){ .kind = DISK_IMAGE, .path = "image", .is_read_only = true };
    c.disk_count = 3;
    return c;
}

static struct vm_error whole_life(void)
{
    const struct vm_config c = everything();
    struct vm *vm;
    struct vm_error e = vm_create(&c, &files, &vm);
    if (vm_failed(e)) {
        CHECK(!vm_count() && !sleeper.opened);
        return e;
    }
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(2);
    e = vm_reset(vm);
    CHECK(!vm_failed(e));
    one_end(vm);
    return e;
}

TEST(R52_a_life_goes_on_or_never_was_whichever_object_or_page_is_missing)
{
    one_core();
    CHECK(sweep(&sweep_objects, "a life", whole_life) > 30);
    CHECK(sweep(&sweep_pages, "a life", whole_life) > 10);
}

static struct vm *living;
static struct vm_error start_and_reset(void)
{
    struct vm_error e = vm_start(living);
    if (!vm_failed(e)) one_turns(2);
    if (!vm_failed(e)) e = vm_pause(living);
    if (!vm_failed(e)) e = vm_reset(living);
    if (!vm_failed(e)) e = vm_resume(living);
    if (!vm_failed(e)) e = vm_stop(living);
    return vm_failed(e) ? e : vm_reset(living);
}

TEST(a_vm_that_was_made_needs_no_more_memory_for_its_life)
{
    living = one_vm_of(&sleeper, vm_config_default(), "living");
    CHECK_EQ_U64(sweep(&sweep_objects, "start to reset", start_and_reset) + sweep(&sweep_pages, "start to reset", start_and_reset), 0);
    one_end(living);
}

/* ---- texts ---- */
static struct vm_error parse(void)
{
    static struct config c;
    char text[] = "[host]\nevents = memory\n[vm a]\nmemory = 16M\nkernel = k\ndisk = ram:1M\noption = mmu=sv39\n[vm b]\nkernel = k\n";
    return config_parse(text, sizeof text - 1, "t", &c, NULL, NULL);
}

TEST(descriptions_are_read_without_memory)
{
    one_core();
    CHECK_EQ_U64(sweep(&sweep_objects, "a description", parse) + sweep(&sweep_pages, "a description", parse), 0);
}

/* ---- disks ---- */
static struct faulty *disk;

static struct vm_error use_overlay(void)
{
    uint8_t data[4096];
    struct block *base, *over;
    struct vm_error e = block_part_create(&disk->block, 8, 2048, false, NULL, NULL, &base);
    if (vm_failed(e)) return e;
    e = block_overlay_create(base, &over);
    if (vm_failed(e)) {
        block_destroy(base);
        return e;
    }
    memset(data, 0x5a, sizeof data);
    for (unsigned i = 0; i < 4 && !vm_failed(e); i++) e = disk_ask(over, BLOCK_WRITE, i * 300, 8, data);
    for (unsigned i = 0; i < 4 && !vm_failed(e); i++) {
        e = disk_ask(over, BLOCK_READ, i * 300, 8, data);
        CHECK(vm_failed(e) || data[0] == 0x5a);
    }
    if (!vm_failed(e)) e = disk_ask(over, BLOCK_DISCARD, 0, 2048, NULL);
    block_destroy(over);
    return e;
}

static struct vm_error use_ram_disk(void)
{
    uint8_t data[512] = "x";
    struct block *b;
    struct vm_error e = block_ram_create(MIB(3), &b);
    if (vm_failed(e)) return e;
    e = disk_ask(b, BLOCK_WRITE, 5000, 1, data);
    block_destroy(b);
    return e;
}

TEST(disks_are_made_and_serve_or_say_what_is_missing)
{
    one_core();
    disk = faulty_new();
    CHECK(sweep(&sweep_objects, "an overlay", use_overlay) >= 3);
    CHECK(sweep(&sweep_pages, "an overlay", use_overlay) >= 4);
    CHECK(sweep(&sweep_objects, "a RAM disk", use_ram_disk) >= 1);
    CHECK(sweep(&sweep_pages, "a RAM disk", use_ram_disk) >= 2);
    free(disk);
}

/* ---- the event store ---- */
static struct power_disk *log_disk;

static struct vm_error use_log(void)
{
    struct event_log_found found;
    struct event_store *s;
    struct event e = { .vm = 1, .kind = EVENT_VM_STATE_CHANGED }, got[8];
    unsigned count;
    struct vm_error x = event_log_open(&log_disk->block, &s, &found);
    if (vm_failed(x)) {
        CHECK(!log_disk->is_destroyed);                              /* the caller's still */
        return x;
    }
    for (unsigned i = 0; i < 4 && !vm_failed(x); i++) x = event_append(s, &e, NULL);
    if (!vm_failed(x)) x = event_load(s, 1, 0, UINT64_MAX, got, 8, &count);
    if (!vm_failed(x)) x = event_flush(s);
    event_store_destroy(s);
    log_disk->is_destroyed = false;
    return x;
}

TEST(the_event_log_opens_or_leaves_its_disk_alone)
{
    one_core();
    log_disk = power_new(8 + 4 * 32, NULL);
    CHECK(sweep(&sweep_objects, "an event log", use_log) >= 1);
    CHECK(sweep(&sweep_pages, "an event log", use_log) >= 1);
    power_free(log_disk);
}

static struct vm_error use_memory_store(void)
{
    struct event_store *s;
    struct vm_error e = event_store_create_memory(64, &s);
    if (!vm_failed(e)) event_store_destroy(s);
    return e;
}

TEST(the_event_store_in_memory_is_made_or_is_not)
{
    one_core();
    CHECK(sweep(&sweep_objects, "a store", use_memory_store) + sweep(&sweep_pages, "a store", use_memory_store) >= 1);
}

/* ---- the monitor ---- */
static char told[1 << 16];
static size_t told_length;
static void take(void *ctx, const char *text, size_t length)
{
    (void)ctx;
    if (length > sizeof told - 1 - told_length) length = sizeof told - 1 - told_length;
    memcpy(told + told_length, text, length);
    told[told_length += length] = 0;
}
static size_t no_keys(void *ctx, char *out, size_t cap_bytes) { (void)ctx, (void)out, (void)cap_bytes; return 0; }
static void vm_made(struct vm *vm) { (void)vm; }
static void script_ended(void) {}
static const char *open_text(void *ctx, const char *path, struct blob *out)
{
    static const char text[] = "[vm filed]\nmemory = 8M\nkernel = kernel\n";
    if (strcmp(path, "vms.conf")) return one_open(ctx, path, out);
    *out = (struct blob){ text, sizeof text - 1 };
    return NULL;
}
static void close_text(void *ctx, const struct blob *b) { if (b->data == sleeper.code) one_close(ctx, b); }

static const char *command;
static bool has_run;
static struct vm_error run_command(void)
{
    told_length = 0;
    told[0] = 0;
    has_run = monitor_script("s", command, strlen(command));
    for (unsigned n = 0; n < 1000 && monitor_is_busy(); n++) {
        one_turn();
        monitor_poll();
    }
    CHECK(!monitor_is_busy());
    struct vm *left = vm_find("made") ? vm_find("made") : vm_find("filed");
    if (left) one_end(left);
    bool is_whole = has_run && strstr(told, ", 0 failed") && !strstr(told, "left out");
    if (is_whole) return VM_SUCCESS;
    if (has_run && !strstr(told, "memory")) test_fail(__FILE__, __LINE__, "%s says: %s", command, told);
    return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory, as it said");
}

TEST(every_command_of_the_monitor_does_its_work_or_says_that_memory_is_missing)
{
    static const char *const commands[] = {
        "help", "help vm", "vm list", "vm create made memory=8M kernel=kernel disk=ram:1M", "vm create vms.conf", "info regs held 0 all", "info mem held",
        "info mmu held", "info devices held", "info stats", "info stats held", "info exits held", "info config held", "info cpus", "info memory", "info disks",
        "info time", "reg held 0 pc", "reg held 0 a0 5", "disas held 0 0x80200000 3", "x held 0x80200000 64", "xp held 0x80200000 64",
        "poke held 0x80300000 8 1", "step held 0 2", "break add held 0x80200000; break list held; break delete held 0x80200000", "trans held 0x80200000", "history held",
        "events list", "events kinds", "log info", "stats json", "version", "echo hallo", "vm start held; vm pause held; vm resume held; vm stop held; vm reset held",
    };
    static const struct host_console console = { .name = "test", .write = take, .read = no_keys };
    const struct file_source with_text = { .ctx = &sleeper, .open = open_text, .close = close_text };
    one_core();
    console_init(&console, false);
    monitor_init(&(struct monitor_host){ .files = &with_text, .vm_made = vm_made, .script_ended = script_ended });
    struct event_store *events = vm_events(), *own;
    CHECK(!vm_failed(event_store_create_memory(256, &own)));
    vm_history_open(own);
    struct vm *held = one_vm_of(&sleeper, vm_config_default(), "held");
    for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        command = commands[i];
        if (vm_failed(run_command())) test_fail(__FILE__, __LINE__, "%s: %s", command, told);
        CHECK(sweep(&sweep_objects, command, run_command) >= 2);           /* the script's text, and the output */
        CHECK(sweep(&sweep_pages, command, run_command) < 200);
    }
    one_end(held);
    vm_history_open(events);
    event_store_destroy(own);
    console_close();
    log_set_sink(NULL, NULL);
}
