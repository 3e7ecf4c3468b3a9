// SPDX-License-Identifier: Apache-2.0
/* events ...: the history of VMs, as it was and as it comes. */
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/manage/command.h"
#include "hv/manage/monitor.h"
#include "hv/vm/history.h"

#define MAX_FOLLOWED 64
#define BATCH        32
#define FOLLOW_NS    100000000u

static const char *name_of(uint32_t number)
{
    static char text[16];
    LIST_FOR_EACH(it, vm_all()) {
        struct vm *vm = CONTAINER_OF(it, struct vm, link);
        if (vm->number == number) return vm->name;
    }
    hv_snprintf(text, sizeof text, "#%u", number);
    return text;
}

static int format_event(char *out, size_t cap_bytes, const struct event *e)
{
    uint64_t a, b, ms = e->time_ns / 1000000;
    memcpy(&a, e->payload, sizeof a);
    memcpy(&b, e->payload + sizeof a, sizeof b);
    return hv_snprintf(out, cap_bytes, "[%5lu.%03lu] %-16s %5lu %-18s %lu %lu", (unsigned long)(ms / 1000), (unsigned long)(ms % 1000),
                       name_of(e->vm), (unsigned long)e->seq, event_kind_name((enum event_kind)e->kind), (unsigned long)a, (unsigned long)b);
}

static bool show(void *ctx, const struct event *e)
{
    char line[160];
    unsigned *count = ctx;
    (*count)++;
    format_event(line, sizeof line, e);
    say("%s\n", line);
    return true;
}

static struct event_store *want_store(struct call *c)
{
    if (!vm_events()) fail(c, "no event store is open");
    return vm_events();
}

static void list(struct call *c)
{
    struct event_store *s = want_store(c);
    uint32_t numbers[MAX_FOLLOWED];
    unsigned count = 0, shown = 0;
    struct vm *vm = NULL;
    if (!s || (c->argc && !(vm = want_vm(c, 0)))) return;
    if (vm) numbers[count++] = vm->number;
    else if (!succeeded(c, event_list_vms(s, numbers, MAX_FOLLOWED, &count), "the store")) return;
    if (count > MAX_FOLLOWED) count = MAX_FOLLOWED;
    for (unsigned i = 0; i < count; i++) {
        if (!succeeded(c, event_replay(s, numbers[i], 1, show, &shown), "the store")) return;
    }
    if (!shown) say("no events\n");
}

/* ---- follow ---- */
static struct {
    bool     is_on;
    uint32_t only;                         /* a VM's number; 0: all */
    uint64_t due_ns;
    unsigned count;
    struct { uint32_t vm; uint64_t seq; } seen[MAX_FOLLOWED];
} followed;

static uint64_t *seen_of(uint32_t vm)
{
    for (unsigned i = 0; i < followed.count; i++) {
        if (followed.seen[i].vm == vm) return &followed.seen[i].seq;
    }
    if (followed.count == MAX_FOLLOWED) return NULL;
    followed.seen[followed.count].vm = vm;
    followed.seen[followed.count].seq = 0;
    return &followed.seen[followed.count++].seq;
}

/* What came since the last look; `is_shown` false: it is only noted. */
static void look(struct event_store *s, uint32_t vm, bool is_shown)
{
    struct event *e = heap_alloc(sizeof *e * BATCH);
    uint64_t *seen = seen_of(vm);
    unsigned count = BATCH;
    while (e && seen && count == BATCH && !vm_failed(event_load(s, vm, *seen + 1, UINT64_MAX, e, BATCH, &count)) && count) {
        for (unsigned i = 0; is_shown && i < count; i++) {
            char line[160];
            monitor_line(line, (size_t)format_event(line, sizeof line, &e[i]));
        }
        *seen = e[count - 1].seq;
    }
    heap_free(e);
}

static void look_at_all(bool is_shown)
{
    uint32_t numbers[MAX_FOLLOWED];
    unsigned count;
    if (!vm_events() || vm_failed(event_list_vms(vm_events(), numbers, MAX_FOLLOWED, &count))) return;
    for (unsigned i = 0; i < count && i < MAX_FOLLOWED; i++) {
        if (!followed.only || followed.only == numbers[i]) look(vm_events(), numbers[i], is_shown);
    }
}

bool event_follow_is_on(void) { return followed.is_on; }

void event_follow_poll(void)
{
    uint64_t now = arch_time_ns();
    if (!followed.is_on || now < followed.due_ns) return;
    followed.due_ns = now + FOLLOW_NS;
    look_at_all(true);
}

static void follow(struct call *c)
{
    struct vm *vm = NULL;
    bool is_off = c->argc && !strcmp(c->argv[0], "off");
    if (!want_store(c) || (c->argc && !is_off && strcmp(c->argv[0], "all") && !(vm = want_vm(c, 0)))) return;
    followed.is_on = false;
    followed.count = 0;
    if (is_off) return;
    followed.only = vm ? vm->number : 0;
    look_at_all(false);                                       /* from here on */
    followed.is_on = true;
}

static void record(struct call *c)
{
    struct event_store *s = want_store(c);
    bool is_on = !strcmp(c->argv[1], "on");
    if (!s) return;
    if (!is_on && strcmp(c->argv[1], "off")) {
        command_usage(c);
        return;
    }
    for (unsigned i = 0; i < EVENT_KIND_COUNT; i++) {
        if (strcmp(event_kind_name((enum event_kind)i), c->argv[0])) continue;
        event_store_enable(s, (enum event_kind)i, is_on);
        return;
    }
    fail(c, "no kind of event is named %.40s (events kinds lists them)", c->argv[0]);
}

static void kinds(struct call *c)
{
    struct event_store *s = want_store(c);
    for (unsigned i = 0; s && i < EVENT_KIND_COUNT; i++) {
        say("%-32s %s\n", event_kind_name((enum event_kind)i), event_store_is_enabled(s, (enum event_kind)i) ? "on" : "off");
    }
}

static const struct command commands[] = {
    { "events list",   "[VM]",         "what happened: time, VM, number, kind, two numbers", list },
    { "events follow", "[VM|all|off]", "show them as they come",                             follow },
    { "events kinds",  "",             "which kinds are recorded",                           kinds },
    { "events record", "KIND on|off",  "record a kind, or do not",                           record },
};
const struct command_table EVENT_COMMANDS = { "Events", commands, ARRAY_COUNT(commands) };
