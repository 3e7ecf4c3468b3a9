// SPDX-License-Identifier: Apache-2.0
/* The event store: hv/core/event.h. The contract is shown on the store in memory and on the one on a disk. */
#include "hv/core/event.h"
#include <pthread.h>
#include "test/harness/test.h"
#include "test/unit/pages.h"
#include "hv/vm/event_log.h"

static struct event_store *s;
static struct event got[2048];
static unsigned count;
static bool is_on_disk;

/* One test of each store. */
#define CONTRACT(name)                                                   \
    static void name##_by(void);                                         \
    TEST(name)             { is_on_disk = false; name##_by(); }          \
    TEST(name##_on_a_disk) { is_on_disk = true;  name##_by(); is_on_disk = false; } \
    static void name##_by(void)

static void start(unsigned capacity)
{
    struct event_log_found found;
    struct block *disk;
    test_pages();
    if (!is_on_disk) {
        CHECK(!vm_failed(event_store_create_memory(capacity, &s)));
        return;
    }
    CHECK(!vm_failed(block_ram_create(MIB(8), &disk)));            /* each of 2,000 events may be a frame of its own */
    CHECK(!vm_failed(event_log_open(disk, &s, &found)) && found.is_new);
}
static struct event made(uint32_t vm, enum event_kind kind, uint64_t seq) { return (struct event){ .vm = vm, .kind = (uint8_t)kind, .seq = seq }; }
static uint64_t append(uint32_t vm, enum event_kind kind)
{
    struct event e = made(vm, kind, EVENT_SEQ_NEXT);
    uint64_t seq;
    CHECK(!vm_failed(event_append(s, &e, &seq)));
    return seq;
}
static uint64_t last_of(uint32_t vm)
{
    uint64_t v;
    CHECK(!vm_failed(event_last_seq(s, vm, &v)));
    return v;
}
static uint64_t count_of(uint32_t vm)
{
    uint64_t v;
    CHECK(!vm_failed(event_count(s, vm, &v)));
    return v;
}

TEST(R8_a_store_is_a_table_of_functions_that_a_persistent_one_can_fill)
{
    start(4);
    const struct event_store_ops *o = s->ops;
    CHECK(o->append_batch && o->scan && o->last_seq && o->count && o->list_vms && o->delete_vm && o->flush && o->destroy);
    CHECK_STR(o->name, "memory");
    CHECK(!vm_failed(event_flush(s)));
    event_store_destroy(s);
    event_store_destroy(NULL);
    is_on_disk = true;
    start(0);
    is_on_disk = false;
    o = s->ops;
    CHECK(o->append_batch && o->scan && o->last_seq && o->count && o->list_vms && o->delete_vm && o->flush && o->destroy);
    CHECK_STR(o->name, "log");
    event_store_destroy(s);
    CHECK(event_store_create_memory(0, &s).kind == VM_CORE_INVALID_PARAMETER);
}

CONTRACT(R9_a_thousand_appends_rise_strictly_in_each_vm)
{
    start(4096);
    for (unsigned i = 1; i <= 1000; i++) {
        CHECK_EQ_U64(append(1, EVENT_DEVICE_ADDED), i);
        if (i % 3 == 0) CHECK_EQ_U64(append(2, EVENT_VM_STATE_CHANGED), i / 3);
    }
    CHECK(last_of(1) == 1000 && last_of(2) == 333 && count_of(1) == 1000 && count_of(2) == 333);
    event_store_destroy(s);
}

CONTRACT(R9_an_explicit_number_must_be_above_the_last)
{
    start(16);
    struct event e = made(1, EVENT_VM_CREATED, 10);
    uint64_t seq = 0;
    CHECK(!vm_failed(event_append(s, &e, &seq)) && seq == 10);
    static const uint64_t bad[] = { 10, 9, 1 };
    for (unsigned i = 0; i < 3; i++) {
        e.seq = bad[i];
        struct vm_error r = event_append(s, &e, &seq);
        CHECK(r.domain == VM_ERROR_CORE && r.kind == VM_CORE_INVALID_STATE);
    }
    CHECK(last_of(1) == 10 && count_of(1) == 1);
    CHECK_EQ_U64(append(1, EVENT_VM_STARTED), 11);
    e.seq = UINT64_MAX;
    CHECK(!vm_failed(event_append(s, &e, &seq)) && seq == UINT64_MAX);
    e.seq = EVENT_SEQ_NEXT;
    CHECK(event_append(s, &e, &seq).kind == VM_CORE_INVALID_STATE);                  /* used up, never wraps */
    e.vm = 2, e.seq = 10;
    CHECK(!vm_failed(event_append(s, &e, &seq)));                                    /* another VM, its own numbers */
    event_store_destroy(s);
}

CONTRACT(R9_a_batch_is_appended_whole_or_not_at_all)
{
    start(8);
    append(1, EVENT_VM_CREATED);
    struct event good[3] = { made(1, EVENT_VM_STARTED, 0), made(2, EVENT_VM_CREATED, 5), made(1, EVENT_VM_PAUSED, 7) };
    uint64_t seq[3] = { 0 };
    CHECK(!vm_failed(event_append_batch(s, good, 3, seq)) && seq[0] == 2 && seq[1] == 5 && seq[2] == 7);
    struct event bad[3] = { made(1, EVENT_VM_STOPPED, 0), made(3, EVENT_VM_CREATED, 0), made(1, EVENT_VM_PAUSED, 8) };
    CHECK(event_append_batch(s, bad, 3, NULL).kind == VM_CORE_INVALID_STATE);        /* 8 is taken by the first of them */
    CHECK(last_of(1) == 7 && count_of(1) == 3 && last_of(3) == 0);
    struct event odd[2] = { made(1, EVENT_VM_STOPPED, 0), made(1, (enum event_kind)200, 0) };
    CHECK(event_append_batch(s, odd, 2, NULL).kind == VM_CORE_INVALID_PARAMETER && last_of(1) == 7);
    static struct event many[2000];
    unsigned too_many = is_on_disk ? 2000 : 9;
    for (unsigned i = 0; i < too_many; i++) many[i] = made(1, EVENT_VM_PAUSED, 0);
    CHECK(event_append_batch(s, many, too_many, NULL).kind == VM_CORE_RESOURCE_EXHAUSTED && last_of(1) == 7);
    uint32_t vms[4];
    CHECK(!vm_failed(event_list_vms(s, vms, 4, &count)) && count == 2);              /* the refused VM 3 left no trace */
    CHECK(!vm_failed(event_append_batch(s, many, 0, NULL)));
    event_store_destroy(s);
}

CONTRACT(R10_load_a_range_an_open_range_nothing_and_an_unknown_vm)
{
    start(64);
    for (unsigned i = 0; i < 20; i++) append(1 + i % 2, EVENT_DEVICE_ADDED);
    CHECK(!vm_failed(event_load(s, 1, 3, 6, got, 64, &count)) && count == 4);
    for (unsigned i = 0; i < 4; i++) CHECK(got[i].seq == 3 + i && got[i].vm == 1);
    CHECK(!vm_failed(event_load(s, 2, 8, UINT64_MAX, got, 64, &count)) && count == 3 && got[0].seq == 8 && got[2].seq == 10);
    CHECK(!vm_failed(event_load(s, 1, 11, UINT64_MAX, got, 64, &count)) && count == 0);
    CHECK(!vm_failed(event_load(s, 1, 6, 3, got, 64, &count)) && count == 0);
    CHECK(!vm_failed(event_load(s, 1, 0, 0, got, 64, &count)) && count == 0);
    CHECK(!vm_failed(event_load(s, 99, 0, UINT64_MAX, got, 64, &count)) && count == 0 && last_of(99) == 0 && count_of(99) == 0);
    CHECK(!vm_failed(event_load(s, 1, 0, UINT64_MAX, got, 3, &count)) && count == 3 && got[2].seq == 3);      /* small buffer */
    CHECK(!vm_failed(event_load(s, 1, got[2].seq + 1, UINT64_MAX, got, 64, &count)) && count == 7 && got[0].seq == 4);
    event_store_destroy(s);
}

CONTRACT(R10_list_and_delete)
{
    uint32_t vms[8];
    start(64);
    append(7, EVENT_VM_CREATED), append(5, EVENT_VM_CREATED), append(7, EVENT_VM_STARTED);
    CHECK(!vm_failed(event_list_vms(s, vms, 8, &count)) && count == 2 && vms[0] + vms[1] == 12);
    CHECK(!vm_failed(event_delete(s, 7)) && count_of(7) == 0 && last_of(7) == 0 && count_of(5) == 1);
    CHECK(!vm_failed(event_list_vms(s, vms, 8, &count)) && count == 1 && vms[0] == 5);
    CHECK(!vm_failed(event_load(s, 7, 0, UINT64_MAX, got, 64, &count)) && count == 0);
    CHECK(!vm_failed(event_delete(s, 7)) && !vm_failed(event_delete(s, 1234)));
    CHECK_EQ_U64(append(7, EVENT_VM_CREATED), 1);                    /* a new life */
    event_store_destroy(s);
}

TEST(a_full_store_loses_the_oldest_and_keeps_the_numbering)
{
    start(10);
    for (unsigned i = 0; i < 25; i++) append(1, EVENT_DEVICE_ADDED);
    append(2, EVENT_VM_CREATED);
    CHECK(count_of(1) == 9 && last_of(1) == 25 && count_of(2) == 1);
    CHECK(!vm_failed(event_load(s, 1, 0, UINT64_MAX, got, 64, &count)) && count == 9 && got[0].seq == 17 && got[8].seq == 25);
    for (unsigned i = 0; i < 10; i++) append(2, EVENT_DEVICE_ADDED);
    CHECK(count_of(1) == 0 && last_of(1) == 25);                     /* all gone, and still nothing may be numbered twice */
    CHECK_EQ_U64(append(1, EVENT_DEVICE_ADDED), 26);
    event_store_destroy(s);
}

TEST(events_of_more_vms_than_the_table_holds_are_refused)
{
    start(256);
    for (uint32_t vm = 0; vm < 64; vm++) append(vm, EVENT_VM_CREATED);
    struct event e = made(64, EVENT_VM_CREATED, 0);
    CHECK(event_append(s, &e, NULL).kind == VM_CORE_RESOURCE_EXHAUSTED);
    CHECK(!vm_failed(event_delete(s, 3)) && !vm_failed(event_append(s, &e, NULL)));
    event_store_destroy(s);
}

TEST(the_23_kinds_have_their_names)
{
    static const char *const want[] = {
        "vm.created", "vm.started", "vm.paused", "vm.resumed", "vm.stopped", "vm.state_changed", "memory.allocated", "memory.freed",
        "memory.mapped", "memory.unmapped", "memory.page_fault", "execution.started", "execution.stopped", "execution.vcpu_exited",
        "execution.code_block_compiled", "execution.hotspot_detected", "device.added", "device.removed", "device.interrupt",
        "device.io_completed", "snapshot.created", "snapshot.restored", "snapshot.deleted" };
    CHECK_EQ_U64(EVENT_KIND_COUNT, ARRAY_COUNT(want));
    for (unsigned k = 0; k < EVENT_KIND_COUNT; k++) CHECK_STR(event_kind_name((enum event_kind)k), want[k]);
    CHECK_STR(event_kind_name((enum event_kind)99), "?");
}

CONTRACT(high_rate_kinds_are_off_unless_asked_for)
{
    start(16);
    unsigned off = 0;
    for (unsigned k = 0; k < EVENT_KIND_COUNT; k++) off += !event_store_is_enabled(s, (enum event_kind)k);
    CHECK_EQ_U64(off, 6);
    CHECK_EQ_U64(append(1, EVENT_MEMORY_PAGE_FAULT), 0);             /* accepted, not stored */
    CHECK_EQ_U64(count_of(1), 0);
    event_store_enable(s, EVENT_MEMORY_PAGE_FAULT, true);
    CHECK_EQ_U64(append(1, EVENT_MEMORY_PAGE_FAULT), 1);
    struct event mixed[3] = { made(1, EVENT_VM_STARTED, 0), made(1, EVENT_DEVICE_INTERRUPT, 0), made(1, EVENT_VM_PAUSED, 0) };
    uint64_t seq[3];
    CHECK(!vm_failed(event_append_batch(s, mixed, 3, seq)) && seq[0] == 2 && seq[1] == 0 && seq[2] == 3);
    event_store_enable(s, EVENT_VM_PAUSED, false);
    CHECK_EQ_U64(append(1, EVENT_VM_PAUSED), 0);
    event_store_destroy(s);
}

CONTRACT(events_carry_kind_version_time_and_payload)
{
    start(4);
    struct event e = made(3, EVENT_DEVICE_ADDED, 0);
    e.vcpu = 2, e.payload[0] = 0xaa, e.payload[39] = 0xbb;
    uint64_t before = arch_time_ns(), seq;
    CHECK(!vm_failed(event_append(s, &e, &seq)) && !vm_failed(event_load(s, 3, seq, seq, got, 4, &count)) && count == 1);
    CHECK(got[0].vm == 3 && got[0].vcpu == 2 && got[0].kind == EVENT_DEVICE_ADDED && got[0].version == EVENT_VERSION);
    CHECK(got[0].time_ns >= before && got[0].time_ns <= arch_time_ns() && got[0].payload[0] == 0xaa && got[0].payload[39] == 0xbb);
    e.time_ns = 12345, e.version = 9;
    CHECK(!vm_failed(event_append(s, &e, &seq)) && !vm_failed(event_load(s, 3, seq, seq, got, 4, &count)));
    CHECK(got[0].time_ns == 12345 && got[0].version == 9);
    event_store_destroy(s);
}

CONTRACT(query_filters_by_kind_vm_number_and_time)
{
    start(256);
    for (unsigned i = 0; i < 100; i++) {
        struct event e = made(1 + i % 2, i % 5 ? EVENT_DEVICE_ADDED : EVENT_VM_PAUSED, 0);
        e.time_ns = 1000 + i;
        CHECK(!vm_failed(event_append(s, &e, NULL)));
    }
    struct event_filter f = { .kinds = 1u << EVENT_VM_PAUSED };
    CHECK(!vm_failed(event_query(s, &f, got, 256, &count)) && count == 20);
    f.is_one_vm = true, f.vm = 1;
    CHECK(!vm_failed(event_query(s, &f, got, 256, &count)) && count == 10);
    CHECK(!vm_failed(event_query(s, &f, got, 4, &count)) && count == 4 && got[0].time_ns == 1000);       /* the limit; oldest first */
    f = (struct event_filter){ .from_ns = 1010, .to_ns = 1019 };
    CHECK(!vm_failed(event_query(s, &f, got, 256, &count)) && count == 10);
    f = (struct event_filter){ .from_seq = 50, .to_seq = 50 };
    CHECK(!vm_failed(event_query(s, &f, got, 256, &count)) && count == 2);           /* one in each VM */
    f = (struct event_filter){ 0 };
    CHECK(!vm_failed(event_query(s, &f, got, 256, &count)) && count == 100);
    event_store_destroy(s);
}

static unsigned visits;
static bool visit(void *limit, const struct event *e)
{
    visits++;
    if (visits == 5) append(e->vm, EVENT_VM_PAUSED);                 /* no lock is held: the visitor may append */
    return visits < *(unsigned *)limit;
}

CONTRACT(replay_shows_all_in_order_also_what_comes_meanwhile_and_stops_when_told)
{
    unsigned limit = 1000;
    start(128);
    for (unsigned i = 0; i < 50; i++) append(1, EVENT_DEVICE_ADDED), append(2, EVENT_DEVICE_ADDED);
    visits = 0;
    CHECK(!vm_failed(event_replay(s, 1, 0, visit, &limit)));
    CHECK_EQ_U64(visits, 51);
    visits = 10;
    CHECK(!vm_failed(event_replay(s, 1, 40, visit, &limit)));
    CHECK_EQ_U64(visits, 10 + 12);
    visits = 10, limit = 13;
    CHECK(!vm_failed(event_replay(s, 1, 0, visit, &limit)));
    CHECK_EQ_U64(visits, 13);
    event_store_destroy(s);
}

CONTRACT(R12_replay_rebuilds_the_history_of_the_live_run)
{
    struct event_history live, replayed;
    start(1024);
    event_history_init(&live);
    CHECK(live.last_vm_kind == EVENT_KIND_COUNT);
    static const enum event_kind life[] = { EVENT_VM_CREATED, EVENT_MEMORY_ALLOCATED, EVENT_VM_STARTED, EVENT_EXECUTION_STARTED,
        EVENT_VM_PAUSED, EVENT_SNAPSHOT_CREATED, EVENT_VM_RESUMED, EVENT_DEVICE_REMOVED, EVENT_VM_STOPPED, EVENT_MEMORY_FREED };
    for (unsigned i = 0; i < ARRAY_COUNT(life); i++) {
        struct event e = made(4, life[i], 0);
        for (unsigned b = 0; b < EVENT_PAYLOAD_BYTES; b++) e.payload[b] = (uint8_t)test_random();
        CHECK(!vm_failed(event_append(s, &e, &e.seq)));
        event_history_add(&live, &e);
        append(5, EVENT_DEVICE_ADDED);                               /* another VM in between */
    }
    CHECK(!vm_failed(event_history_replay(s, 4, &replayed)));
    CHECK(replayed.last_vm_kind == EVENT_VM_STOPPED && replayed.count == 10 && replayed.last_seq == 10);
    CHECK(!memcmp(&live, &replayed, sizeof live));
    CHECK(!vm_failed(event_history_replay(s, 5, &replayed)) && replayed.digest != live.digest);
    event_store_destroy(s);
}

static void *append_many(void *arg)
{
    bool rises = true;
    for (uint64_t i = 0, before = 0, seq; i < 500; i++) {
        struct event e = made(*(uint32_t *)arg, EVENT_DEVICE_ADDED, 0);
        rises &= !vm_failed(event_append(s, &e, &seq)) && seq > before;
        before = seq;
    }
    return rises ? arg : NULL;
}

CONTRACT(R9_appends_from_many_threads_still_rise)
{
    pthread_t thread[4];
    uint32_t vm[4] = { 1, 1, 1, 2 };
    void *ok;
    start(2048);
    for (unsigned i = 0; i < 4; i++) CHECK(!pthread_create(&thread[i], NULL, append_many, &vm[i]));
    for (unsigned i = 0; i < 4; i++) {
        pthread_join(thread[i], &ok);
        CHECK(ok);
    }
    CHECK(last_of(1) == 1500 && count_of(1) == 1500 && last_of(2) == 500);
    CHECK(!vm_failed(event_load(s, 1, 0, UINT64_MAX, got, 2048, &count)) && count == 1500);
    for (unsigned i = 0; i < 1500; i++) CHECK_EQ_U64(got[i].seq, i + 1);
    event_store_destroy(s);
}
