// SPDX-License-Identifier: Apache-2.0
/* The event store on a disk, hv/vm/event_log.h: over closing and opening, rotation, and power cuts at every write. */
#include "hv/vm/event_log.h"
#include "hv/vm/event_log_inside.h"
#include "test/unit/block_power.h"
#include "test/unit/pages.h"

enum { SECTORS = 8 + 4 * 32, MOST = 2000, VMS = 6 };      /* four segments of 32 sectors */

static struct event_store *s;
static struct event_log_found found;
static struct event got[MOST];
static unsigned count;

static struct vm_error open_on(struct power_disk *d) { return event_log_open(&d->block, &s, &found); }
static void must_open(struct power_disk *d)
{
    test_pages();
    struct vm_error e = open_on(d);
    if (vm_failed(e)) test_fail(__FILE__, __LINE__, "not opened: %s", e.reason);
}
static uint64_t append(uint32_t vm, uint8_t mark)
{
    struct event e = { .vm = vm, .kind = EVENT_VM_STATE_CHANGED, .payload = { mark } };
    uint64_t seq;
    CHECK(!vm_failed(event_append(s, &e, &seq)));
    return seq;
}
static unsigned load(uint32_t vm)
{
    CHECK(!vm_failed(event_load(s, vm, 0, UINT64_MAX, got, MOST, &count)));
    return count;
}
static uint64_t last_of(uint32_t vm)
{
    uint64_t v;
    CHECK(!vm_failed(event_last_seq(s, vm, &v)));
    return v;
}

TEST(R11_events_are_there_after_closing_and_opening)
{
    struct power_disk *d = power_new(SECTORS, NULL);
    must_open(d);
    CHECK(found.is_new && !found.event_count && !found.highest_vm);
    for (unsigned i = 0; i < 10; i++) append(3, (uint8_t)i), append(4, (uint8_t)(100 + i));
    CHECK(!vm_failed(event_flush(s)) && !vm_failed(event_delete(s, 4)));
    event_store_destroy(s);
    CHECK(d->is_destroyed);
    must_open(d);
    CHECK(!found.is_new && found.event_count == 10 && found.vm_count == 1 && found.highest_vm == 4 && !found.dropped_segments);
    CHECK(load(3) == 10 && load(4) == 0 && last_of(3) == 10 && last_of(4) == 0);
    CHECK(load(3) == 10);
    for (unsigned i = 0; i < 10; i++) CHECK(got[i].seq == i + 1 && got[i].payload[0] == i && got[i].kind == EVENT_VM_STATE_CHANGED && got[i].time_ns);
    CHECK_EQ_U64(append(3, 0), 11);
    event_store_destroy(s);
    power_free(d);
}

TEST(a_full_log_loses_its_oldest_segment_whole_and_keeps_the_numbering)
{
    struct power_disk *d = power_new(SECTORS, NULL);
    must_open(d);
    append(2, 1);
    for (unsigned i = 1, before = 0; i <= 1000; i++) {
        CHECK_EQ_U64(append(1, (uint8_t)i), i);
        CHECK(load(1) > 0 && got[count - 1].seq == i && got[0].seq + count - 1 == i);
        CHECK(count == before + 1 || before - count > 20);           /* one more, or a segment less */
        before = count;
    }
    CHECK(load(2) == 0 && last_of(2) == 1);
    for (unsigned life = 0; life < 2; life++) {
        unsigned had = load(1);
        uint64_t first = got[0].seq;
        event_store_destroy(s);
        must_open(d);
        CHECK(load(1) == had && got[0].seq == first && last_of(1) == 1000 && last_of(2) == 1 && found.highest_vm == 2);
    }
    CHECK(append(2, 1) == 2 && append(1, 1) == 1001);
    event_store_destroy(s);
    power_free(d);
}

TEST(a_log_survives_many_short_lives_without_losing_more_than_rotation_takes)
{
    struct power_disk *d = power_new(SECTORS, NULL);
    for (unsigned life = 0; life < 60; life++) {
        must_open(d);
        CHECK_EQ_U64(found.event_count, life);
        CHECK_EQ_U64(append(1, (uint8_t)life), life + 1);
        event_store_destroy(s);
    }
    power_free(d);
}

TEST(what_is_no_event_log_is_refused_and_left_alone)
{
    static const struct { uint32_t at; uint8_t value; } foreign[] = { { 510, 0x55 }, { 1080, 0x53 }, { 65535, 1 }, { 0, 'E' } };
    for (unsigned i = 0; i < ARRAY_COUNT(foreign); i++) {
        struct power_disk *d = power_new(SECTORS, NULL);
        test_pages();
        d->data[foreign[i].at] = foreign[i].value;
        struct vm_error e = open_on(d);
        CHECK(e.kind == VM_DEVICE_CONFIG && strstr(e.reason, "no event log") && !d->journal_count);
        power_free(d);
    }
    struct power_disk *small = power_new(64, NULL), *d = power_new(SECTORS, NULL);
    CHECK(open_on(small).kind == VM_DEVICE_CONFIG);
    must_open(d);
    append(1, 1);
    event_store_destroy(s);
    d->data[20] ^= 1;                                                /* the label lies */
    CHECK(open_on(d).kind == VM_DEVICE_CONFIG);
    power_free(small);
    power_free(d);
}

TEST(a_broken_segment_costs_itself_and_the_older_ones)
{
    struct power_disk *d = power_new(SECTORS, NULL);
    must_open(d);
    for (unsigned i = 1; i <= 80; i++) append(1, (uint8_t)i);        /* into the third segment */
    event_store_destroy(s);
    struct power_disk *broken = power_new(SECTORS, d->data);
    broken->data[(8 + 2 * 32 + 5) * 512 + 77] ^= 4;                  /* in the second */
    must_open(broken);
    CHECK(found.dropped_segments == 2 && load(1) > 0 && got[count - 1].seq == 80 && last_of(1) == 80 && got[0].seq + count - 1 == 80);
    event_store_destroy(s);
    power_free(broken);
    broken = power_new(SECTORS, d->data);
    broken->data[(8 + 3 * 32 + 4) * 512 + 77] ^= 4;                  /* in the newest: what follows cannot be trusted */
    must_open(broken);
    CHECK(load(1) > 60 && got[0].seq == 1 && got[count - 1].seq == count && count < 80);
    event_store_destroy(s);
    power_free(broken);
    power_free(d);
}

TEST(a_disk_that_fails_leaves_the_store_in_memory_and_flush_tells)
{
    struct power_disk *d = power_new(SECTORS, NULL);
    must_open(d);
    append(1, 1);
    CHECK(!vm_failed(event_flush(s)));
    d->fail_at = 2;
    for (unsigned i = 2; i <= 300; i++) CHECK_EQ_U64(append(1, (uint8_t)i), i);
    CHECK(event_flush(s).kind == VM_DEVICE_IO_FAILED && load(1) > 20 && got[count - 1].seq == 300);
    event_store_destroy(s);
    for (unsigned n = 1; n < 8; n++) {                               /* an opening that fails leaks nothing, and says why */
        struct power_disk *e = power_new(SECTORS, d->data);
        uint64_t pages = page_available();
        e->fail_at = n + 1;
        struct vm_error why = open_on(e);
        CHECK(n > 6 || why.kind == VM_DEVICE_IO_FAILED);
        if (!vm_failed(why)) event_store_destroy(s);
        CHECK_EQ_U64(page_available(), pages);
        power_free(e);
    }
    power_free(d);
}

TEST(a_vm_of_an_earlier_start_makes_room_in_the_table_one_of_this_start_does_not)
{
    struct power_disk *d = power_new(8 + 64 * 128, NULL);
    struct event e = { .vm = 1000, .kind = EVENT_VM_CREATED };
    uint32_t vms[EVENT_LOG_MOST_VMS];
    must_open(d);
    for (uint32_t vm = 1; vm <= EVENT_LOG_MOST_VMS; vm++) append(vm, 1);
    CHECK(event_append(s, &e, NULL).kind == VM_CORE_RESOURCE_EXHAUSTED);
    event_store_destroy(s);
    for (unsigned life = 0; life < 2; life++) {
        must_open(d);
        CHECK(found.vm_count == EVENT_LOG_MOST_VMS);
        if (!life) CHECK(append(2, 1) == 2 && append(300, 7) == 1 && last_of(1) == 0 && last_of(3) == 1 && load(300) == 1);
        else CHECK(last_of(1) == 0 && last_of(2) == 2 && last_of(300) == 1);
        CHECK(!vm_failed(event_list_vms(s, vms, EVENT_LOG_MOST_VMS, &count)) && count == EVENT_LOG_MOST_VMS);
        event_store_destroy(s);
    }
    power_free(d);
}

/* ---- power cuts ---- */
/* What was appended, in order; kind LOG_DELETED: a VM was deleted. A batch ends where ends[] says. */
static struct event model[MOST];
static bool ends[MOST];
static unsigned model_count;
static struct { unsigned journal, count; } safe_at[MOST];            /* at this length of the journal so much was known to be safe */
static unsigned safe_count;

static void model_append(struct power_disk *d, unsigned batch)
{
    struct event e[24];
    uint64_t seq[24];
    uint32_t doomed = 1 + (uint32_t)(test_random() % VMS);
    bool is_delete = test_random() % 16 == 0 && last_of(doomed);
    for (unsigned i = 0; i < batch; i++) {
        e[i] = (struct event){ .vm = 1 + (uint32_t)(test_random() % VMS), .kind = EVENT_VM_STATE_CHANGED };
        for (unsigned k = 0; k < EVENT_PAYLOAD_BYTES; k++) e[i].payload[k] = (uint8_t)test_random();
    }
    if (is_delete) {
        CHECK(!vm_failed(event_delete(s, doomed)));
        model[model_count] = (struct event){ .vm = doomed, .kind = LOG_DELETED };
        ends[model_count++] = true;
    }
    CHECK(!vm_failed(event_append_batch(s, e, batch, seq)));
    for (unsigned i = 0; i < batch; i++) {
        e[i].seq = seq[i];
        model[model_count] = e[i];
        ends[model_count++] = i + 1 == batch;
    }
    if (test_random() & 1) {
        CHECK(!vm_failed(event_flush(s)));
        safe_at[safe_count].journal = d->journal_count;
        safe_at[safe_count++].count = model_count;
    }
}

/* Is what the store has now the end of what is left of the first `length` appended? */
static bool is_prefix(unsigned length)
{
    static struct event left[MOST];
    uint64_t last[VMS + 1] = { 0 };
    unsigned n = 0;
    for (unsigned i = 0; i < length; i++) {
        if (model[i].kind != LOG_DELETED) {
            last[model[i].vm] = model[i].seq;
            left[n++] = model[i];
            continue;
        }
        last[model[i].vm] = 0;
        unsigned kept = 0;
        for (unsigned k = 0; k < n; k++) if (left[k].vm != model[i].vm) left[kept++] = left[k];
        n = kept;
    }
    for (uint32_t vm = 1; vm <= VMS; vm++) if (last_of(vm) != last[vm]) return false;
    if (count > n) return false;
    for (unsigned i = 0; i < count; i++) {
        const struct event *a = &got[count - 1 - i], *b = &left[n - 1 - i];
        if (a->vm != b->vm || a->seq != b->seq || memcmp(a->payload, b->payload, sizeof a->payload)) return false;
    }
    return true;
}

/* The length of the valid prefix that the store has; fails the test when it has something else, or less than `least`. */
static unsigned prefix_length(unsigned least)
{
    const struct event_filter all = { .kinds = 0 };
    CHECK(!vm_failed(event_query(s, &all, got, MOST, &count)));
    for (unsigned n = model_count; n + 1 > least; n--) {
        if ((!n || ends[n - 1]) && is_prefix(n)) return n;
        if (!n) break;
    }
    test_fail(__FILE__, __LINE__, "%u events, no prefix of the %u appended with the %u safe ones", count, model_count, least);
}

static unsigned safe_before(unsigned journal)
{
    unsigned n = 0;
    for (unsigned i = 0; i < safe_count; i++) if (safe_at[i].journal <= journal) n = safe_at[i].count;
    return n;
}

/* Opens what a cut left, checks it, lives on a little, is cut again, checks again. */
static void live_on(const uint8_t *image, unsigned least)
{
    static uint8_t second[SECTORS * 512];
    struct power_disk *d = power_new(SECTORS, image);
    must_open(d);
    unsigned had = prefix_length(least), journal = d->journal_count, was_count = model_count, was_safe = safe_count;
    model_count = had;                                               /* what came after the cut never was */
    for (unsigned i = 0; i < 6; i++) model_append(d, 1 + (unsigned)(test_random() % 3));
    unsigned all = model_count, cut = journal + (unsigned)(test_random() % (d->journal_count - journal + 1)), safe = 0;
    memcpy(second, image, sizeof second);
    for (unsigned i = 0; i < cut; i++) {
        if (d->journal[i].count) continue;
        for (; safe < i; safe++) power_apply(second, &d->journal[safe]);
    }
    event_store_destroy(s);
    static uint8_t out[SECTORS * 512];
    power_cut(d, second, safe, cut, (unsigned)(test_random() % 4), out);
    struct power_disk *e = power_new(SECTORS, out);
    must_open(e);
    model_count = all;
    prefix_length(had);
    event_store_destroy(s);
    power_free(e);
    power_free(d);
    model_count = was_count;
    safe_count = was_safe;
}

static void cut_everywhere(unsigned batches, unsigned largest)
{
    enum { MODES = 5 };
    static uint8_t image[SECTORS * 512], out[SECTORS * 512];
    static struct event kept[MOST];
    static bool kept_ends[MOST];
    struct power_disk *d = power_new(SECTORS, NULL);
    unsigned safe = 0;
    model_count = safe_count = 0;
    must_open(d);
    for (unsigned i = 0; i < batches; i++) model_append(d, 1 + (unsigned)(test_random() % largest));
    event_store_destroy(s);
    memset(image, 0, sizeof image);
    memcpy(kept, model, sizeof kept);
    memcpy(kept_ends, ends, sizeof kept_ends);
    for (unsigned cut = 0; cut <= d->journal_count; cut++) {
        for (unsigned mode = 0; mode < MODES; mode++) {
            power_cut(d, image, safe, cut, mode, out);
            live_on(out, safe_before(cut));
            memcpy(model, kept, sizeof kept);
            memcpy(ends, kept_ends, sizeof kept_ends);
        }
        if (cut < d->journal_count && !d->journal[cut].count) {      /* a flush: all before it is safe */
            for (; safe < cut; safe++) power_apply(image, &d->journal[safe]);
        }
    }
    power_free(d);
}

TEST(R11_after_a_power_cut_at_any_write_the_log_is_a_valid_prefix_with_all_that_was_safe) { cut_everywhere(70, 4); }
TEST(R11_batches_are_whole_after_a_power_cut_also_large_ones)                               { cut_everywhere(20, 24); }
