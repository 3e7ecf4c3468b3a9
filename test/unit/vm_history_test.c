// SPDX-License-Identifier: Apache-2.0
/* A VM's life as the event store tells it. No core runs here: starting only queues the vCPUs. */
#include "hv/vm/history.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

static const char *no_file(void *ctx, const char *path, struct blob *out)
{
    (void)ctx, (void)path, (void)out;
    return "no such file";
}

static struct event_store *open_store(void)
{
    struct event_store *s = NULL;
    test_pages();
    CHECK(!vm_failed(event_store_create_memory(64, &s)));
    vm_history_open(s);
    return s;
}
static void close_store(struct event_store *s)
{
    vm_history_open(NULL);
    event_store_destroy(s);
}

static struct vm *bare(const char *name)
{
    const struct file_source files = { .open = no_file };
    struct vm_config c = vm_config_default();
    struct vm *vm = NULL;
    c.name = name;
    c.memory_size = MIB(4);
    CHECK(!vm_failed(vm_create(&c, &files, &vm)));
    return vm;
}

TEST(R12_a_vms_life_is_told_by_its_events_and_replay_ends_where_it_ended)
{
    static const uint8_t want[] = { EVENT_VM_CREATED, EVENT_VM_STARTED, EVENT_VM_PAUSED, EVENT_VM_RESUMED, EVENT_VM_STOPPED };
    enum { WANTED = sizeof want };
    struct event_store *s = open_store();
    struct vm *vm = bare("told"), *other = bare("other");
    struct event e[WANTED + 1];
    struct event_history live, replayed;
    unsigned count = 0;
    CHECK(!vm_failed(vm_start(vm)) && !vm_failed(vm_pause(vm)) && !vm_failed(vm_resume(vm)) && !vm_failed(vm_stop(vm)));
    CHECK(!vm_failed(event_load(s, vm->number, 1, UINT64_MAX, e, WANTED + 1, &count)));
    CHECK_EQ_U64(count, WANTED);
    event_history_init(&live);
    for (unsigned i = 0; i < count; i++) {
        CHECK_EQ_U64(e[i].kind, want[i]);
        CHECK(e[i].vm == vm->number && e[i].vm != other->number && (!i || e[i].seq > e[i - 1].seq));
        event_history_add(&live, &e[i]);
    }
    CHECK_EQ_U64(e[0].payload[0] | e[0].payload[1] << 8 | e[0].payload[2] << 16, MIB(4));
    CHECK_EQ_U64(e[WANTED - 1].payload[0], VM_END_STOPPED_BY_HOST);
    CHECK(!vm_failed(event_history_replay(s, vm->number, &replayed)));
    CHECK(replayed.last_vm_kind == EVENT_VM_STOPPED && replayed.digest == live.digest);
    CHECK(!vm_failed(event_history_replay(s, other->number, &replayed)));
    CHECK(replayed.last_vm_kind == EVENT_VM_CREATED);
    CHECK(!vm_failed(vm_destroy(vm)) && !vm_failed(vm_destroy(other)));
    close_store(s);
}

TEST(history_a_refused_change_leaves_no_event)
{
    struct event_store *s = open_store();
    struct vm *vm = bare("refused");
    uint64_t count = 0;
    CHECK(vm_failed(vm_pause(vm)) && vm_failed(vm_resume(vm)) && vm_failed(vm_stop(vm)));
    CHECK(!vm_failed(event_count(s, vm->number, &count)));
    CHECK_EQ_U64(count, 1);
    CHECK(!vm_failed(vm_destroy(vm)));
    close_store(s);
}

TEST(history_ends_with_its_vm_and_numbers_are_never_given_again)
{
    struct event_store *s = open_store();
    struct vm *vm = bare("first");
    uint32_t number = vm->number;
    uint64_t count = 1;
    CHECK(!vm_failed(vm_destroy(vm)));
    CHECK(!vm_failed(event_count(s, number, &count)));
    CHECK_EQ_U64(count, 0);
    vm = bare("first");
    CHECK(vm->number > number);
    CHECK(!vm_failed(vm_destroy(vm)));
    close_store(s);
}

TEST(history_is_in_the_statistics)
{
    static char json[65536];
    struct event_store *s = open_store();
    struct vm *vm = bare("json");
    int n = vm_stats_json(json, sizeof json);
    CHECK(n > 0 && (size_t)n < sizeof json && strstr(json, "\"kind\":\"vm.created\"}]"));
    CHECK(!vm_failed(vm_destroy(vm)));
    close_store(s);
}

TEST(history_without_a_store_vms_live_on)
{
    test_pages();
    vm_history_open(NULL);
    struct vm *vm = bare("untold");
    CHECK(!vm_failed(vm_start(vm)) && !vm_failed(vm_stop(vm)) && !vm_failed(vm_destroy(vm)));
}
