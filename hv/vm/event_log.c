// SPDX-License-Identifier: Apache-2.0
/* The event store on a disk: what it holds, in memory, and the calls of the store. Every event that is on the disk is also
 * here, so nothing but the opening reads. See event_log.h, event_log_inside.h. */
#include "hv/vm/event_log_inside.h"
#include "hv/base/string.h"
#include "hv/core/device.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"
#include "hv/core/percpu.h"

#define URGENT_ENTRIES 128                                /* so many do not wait for their second */
#define HEAD_SECTORS   log_frame_sectors(EVENT_LOG_MOST_VMS, 0)

static struct event_log *self(struct event_store *s) { return CONTAINER_OF(s, struct event_log, base); }

static struct vm_row *row_in(struct vm_row *table, uint32_t vm)
{
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) {
        if (table[i].is_used && table[i].vm == vm) return &table[i];
    }
    return NULL;
}

/* A free row, or that of the lowest VM that has had no event since the opening: it must go. NULL: there is none. */
static struct vm_row *new_row_in(struct vm_row *table, uint32_t vm)
{
    struct vm_row *place = NULL;
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) {
        struct vm_row *r = &table[i];
        if (!r->is_used) {
            place = r;
            break;
        }
        if (!r->is_current && (!place || r->vm < place->vm)) place = r;
    }
    if (place) *place = (struct vm_row){ .vm = vm, .is_used = true, .is_current = true };
    return place;
}

/* ---- segments in memory ---- */
static uint64_t segment_pages(const struct event_log *l) { return (uint64_t)l->label.segment_sectors * BLOCK_SECTOR_BYTES / HV_PAGE_BYTES; }

bool log_open_segment(struct event_log *l, uint64_t number)
{
    struct segment *s = log_segment(l, number);
    struct event *entry = page_alloc(segment_pages(l), 1);
    if (!entry) return false;
    *s = (struct segment){ .number = number, .first = l->appended, .entry = entry, .at = log_frame_sectors(0, 0) };
    l->newest = number;
    return true;
}

static void free_segment(struct event_log *l, struct segment *s)
{
    if (s->entry) page_free(s->entry, segment_pages(l));
    heap_free(s->rows);
    *s = (struct segment){ .entry = NULL };
}

void log_drop_oldest(struct event_log *l)
{
    struct segment *s = log_segment(l, l->oldest++);
    for (unsigned i = 0; i < s->count; i++) {
        struct vm_row *row = s->entry[i].kind < EVENT_KIND_COUNT ? row_in(l->vms, s->entry[i].vm) : NULL;
        if (row) row->count--;                            /* its numbering stays */
    }
    free_segment(l, s);
}

void log_free(struct event_log *l)
{
    for (unsigned i = 0; i < LOG_MOST_SEGMENTS; i++) free_segment(l, &l->segment[i]);
    if (l->frame) page_free(l->frame, LOG_BLANK_BYTES / HV_PAGE_BYTES);
    heap_free(l);
}

static void forget(struct event_log *l, uint32_t vm)
{
    struct vm_row *row = row_in(l->vms, vm);
    if (row) row->is_used = false;
    for (uint64_t n = l->oldest; row && n <= l->newest; n++) {
        struct segment *s = log_segment(l, n);
        for (unsigned i = 0; i < s->count; i++) {
            if (s->entry[i].vm == vm && s->entry[i].kind < EVENT_KIND_COUNT) s->entry[i].kind = LOG_HOLE;
        }
    }
}

void log_store(struct event_log *l, const struct event *e)
{
    struct segment *s = log_segment(l, l->newest);
    struct event *place = &s->entry[s->count++];
    *place = *e;
    l->appended++;
    if (e->vm > l->highest_vm && e->kind != LOG_HOLE) l->highest_vm = e->vm;
    if (e->kind == LOG_DELETED) forget(l, e->vm);
    if (e->kind >= EVENT_KIND_COUNT) return;
    struct vm_row *row = row_in(l->vms, e->vm);
    if (!row) row = new_row_in(l->vms, e->vm);
    if (!row) {
        place->kind = LOG_HOLE;
        return;
    }
    row->last_seq = e->seq;
    row->count++;
}

/* ---- appending; lock held ---- */
static struct vm_error exhausted(const char *why) { return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, why); }

static struct vm_error next_segment(struct event_log *l)
{
    bool may_drop = l->is_broken || l->oldest < l->writing;
    uint32_t rows = 0;
    if (l->newest - l->oldest + 1 == l->label.segment_count) {
        if (!may_drop) return exhausted("the events' disk is too slow for so many");
        log_drop_oldest(l);
    }
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) rows += l->vms[i].is_used;
    struct log_row *row = heap_alloc((rows + 1) * sizeof *row);
    if (!row || !log_open_segment(l, l->newest + 1)) {
        heap_free(row);
        return exhausted("no memory for events");
    }
    struct segment *s = log_segment(l, l->newest);
    s->rows = row;
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) {
        if (l->vms[i].is_used) row[s->row_count++] = (struct log_row){ .last_seq = l->vms[i].last_seq, .vm = l->vms[i].vm };
    }
    s->highest_vm = l->highest_vm;
    s->at = log_frame_sectors(rows, 0);
    return VM_SUCCESS;
}

/* Room for so many entries in one frame of the newest segment, together with those that wait. */
static struct vm_error make_room(struct event_log *l, unsigned count)
{
    const struct segment *s = log_segment(l, l->newest);
    if (count > (l->label.segment_sectors - HEAD_SECTORS) * (BLOCK_SECTOR_BYTES / sizeof(struct event)) - 1) return exhausted("batch is larger than the event store");
    if (log_frame_sectors(0, s->count - s->framed + count) <= l->label.segment_sectors - s->at) return VM_SUCCESS;
    return next_segment(l);
}

/* What the table would be after the batch, in l->judged. *stored: entries it makes. */
static struct vm_error judge(struct event_log *l, const struct event *e, unsigned count, uint32_t enabled, unsigned *stored)
{
    *stored = 0;
    memcpy(l->judged, l->vms, sizeof l->judged);
    for (unsigned i = 0; i < count; i++) {
        if (!(enabled >> e[i].kind & 1)) continue;
        struct vm_row *row = row_in(l->judged, e[i].vm);
        if (!row) row = new_row_in(l->judged, e[i].vm);
        if (!row) return exhausted("events of too many VMs");
        if (row->last_seq == UINT64_MAX) return vm_error_because(VM_CORE_INVALID_STATE, "event numbers are used up");
        if (e[i].seq != EVENT_SEQ_NEXT && e[i].seq <= row->last_seq) return vm_error_because(VM_CORE_INVALID_STATE, "event numbers must rise");
        row->last_seq = e[i].seq != EVENT_SEQ_NEXT ? e[i].seq : row->last_seq + 1;
        row->is_current = true;
        ++*stored;
    }
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) *stored += l->vms[i].is_used && l->judged[i].vm != l->vms[i].vm;
    return VM_SUCCESS;
}

static void delete_entry(struct event_log *l, uint32_t vm)
{
    const struct event e = { .vm = vm, .kind = LOG_DELETED, .version = EVENT_VERSION, .time_ns = arch_time_ns() };
    log_store(l, &e);
}

static void commit(struct event_log *l, const struct event *e, unsigned count, uint32_t enabled, uint64_t *out_seq)
{
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS; i++) {
        if (l->vms[i].is_used && l->judged[i].vm != l->vms[i].vm) delete_entry(l, l->vms[i].vm);
    }
    for (unsigned i = 0; i < count; i++) {
        struct event copy = e[i];
        if (out_seq) out_seq[i] = 0;
        if (!(enabled >> copy.kind & 1)) continue;
        struct vm_row *row = row_in(l->vms, copy.vm);
        if (copy.seq == EVENT_SEQ_NEXT) copy.seq = row ? row->last_seq + 1 : 1;
        if (!copy.time_ns) copy.time_ns = arch_time_ns();
        if (!copy.version) copy.version = EVENT_VERSION;
        log_store(l, &copy);
        row = row_in(l->vms, copy.vm);
        if (row) row->is_current = true;
        if (out_seq) out_seq[i] = copy.seq;
    }
}

static bool is_urgent(struct event_log *l, const struct event *e, unsigned count)
{
    const struct segment *s = log_segment(l, l->newest);
    bool is_urgent = s->count - s->framed >= URGENT_ENTRIES;
    for (unsigned i = 0; i < count; i++) is_urgent |= !event_kind_is_high_rate((enum event_kind)e[i].kind);
    return is_urgent;
}

static struct vm_error log_append(struct event_store *store, const struct event *e, unsigned count, uint64_t *out_seq)
{
    struct event_log *l = self(store);
    uint32_t enabled = __atomic_load_n(&store->enabled, __ATOMIC_RELAXED);
    unsigned stored;
    spin_lock(&l->lock);
    struct vm_error result = judge(l, e, count, enabled, &stored);
    if (!vm_failed(result) && stored) result = make_room(l, stored);
    if (!vm_failed(result)) commit(l, e, count, enabled, out_seq);
    bool is_now = !vm_failed(result) && stored && is_urgent(l, e, count);
    l->is_urgent |= is_now;
    spin_unlock(&l->lock);
    if (is_now) log_pump(l);
    else if (!vm_failed(result) && stored) log_pump_soon(l);
    return result;
}

static struct vm_error log_delete(struct event_store *store, uint32_t vm)
{
    struct event_log *l = self(store);
    struct vm_error result = VM_SUCCESS;
    spin_lock(&l->lock);
    bool is_there = row_in(l->vms, vm);
    if (is_there) result = make_room(l, 1);
    if (is_there && !vm_failed(result)) delete_entry(l, vm);
    l->is_urgent = true;
    spin_unlock(&l->lock);
    log_pump(l);
    return result;
}

/* ---- asking ---- */
/* The cursor is a position. */
static struct vm_error log_scan(struct event_store *store, const struct event_filter *f, uint64_t *cursor, struct event *out, unsigned cap,
                                unsigned *count)
{
    struct event_log *l = self(store);
    *count = 0;
    spin_lock(&l->lock);
    for (uint64_t n = l->oldest; n <= l->newest && *count < cap; n++) {
        const struct segment *s = log_segment(l, n);
        if (*cursor < s->first) *cursor = s->first;
        for (; *cursor - s->first < s->count && *count < cap; ++*cursor) {
            const struct event *e = &s->entry[*cursor - s->first];
            if (event_matches(f, e)) out[(*count)++] = *e;
        }
    }
    spin_unlock(&l->lock);
    return VM_SUCCESS;
}

static struct vm_error log_last_seq(struct event_store *store, uint32_t vm, uint64_t *out)
{
    struct event_log *l = self(store);
    spin_lock(&l->lock);
    const struct vm_row *row = row_in(l->vms, vm);
    *out = row ? row->last_seq : 0;
    spin_unlock(&l->lock);
    return VM_SUCCESS;
}

static struct vm_error log_count(struct event_store *store, uint32_t vm, uint64_t *out)
{
    struct event_log *l = self(store);
    spin_lock(&l->lock);
    const struct vm_row *row = row_in(l->vms, vm);
    *out = row ? row->count : 0;
    spin_unlock(&l->lock);
    return VM_SUCCESS;
}

static struct vm_error log_list(struct event_store *store, uint32_t *out, unsigned cap, unsigned *count)
{
    struct event_log *l = self(store);
    *count = 0;
    spin_lock(&l->lock);
    for (unsigned i = 0; i < EVENT_LOG_MOST_VMS && *count < cap; i++) {
        if (l->vms[i].is_used) out[(*count)++] = l->vms[i].vm;
    }
    spin_unlock(&l->lock);
    return VM_SUCCESS;
}

static void wait_a_little(void)
{
    if (percpu()) percpu_service();
    device_serve_all();
    arch_cpu_relax();
}

static struct vm_error log_flush(struct event_store *store)
{
    struct event_log *l = self(store);
    spin_lock(&l->lock);
    uint64_t target = l->appended;
    l->is_urgent = true;
    spin_unlock(&l->lock);
    log_pump(l);
    for (;;) {
        spin_lock(&l->lock);
        bool is_broken = l->is_broken, is_safe = l->safe >= target;
        spin_unlock(&l->lock);
        if (is_safe) return VM_SUCCESS;
        if (is_broken) return vm_error_because(VM_DEVICE_IO_FAILED, "the events' disk has failed: they are in memory only");
        wait_a_little();
    }
}

static void log_destroy(struct event_store *store)
{
    struct event_log *l = self(store);
    struct block *disk = l->disk;
    bool is_busy = !vm_failed(log_flush(store));          /* the last step may still be on its way out */
    do {
        spin_lock(&l->lock);
        is_busy = l->is_busy;
        spin_unlock(&l->lock);
        if (is_busy) wait_a_little();
    } while (is_busy);
    timer_cancel_sync(&l->timer);
    log_free(l);
    block_destroy(disk);
}

static const struct event_store_ops LOG_OPS = {
    .name = "log", .append_batch = log_append, .scan = log_scan, .last_seq = log_last_seq, .count = log_count,
    .list_vms = log_list, .delete_vm = log_delete, .flush = log_flush, .destroy = log_destroy,
};

struct vm_error event_log_open(struct block *disk, struct event_store **out, struct event_log_found *found)
{
    struct event_log *l = heap_alloc(sizeof *l);
    if (!l) return exhausted("no memory for an event store");
    l->base.ops = &LOG_OPS;
    l->disk = disk;
    for (unsigned k = 0; k < EVENT_KIND_COUNT; k++) event_store_enable(&l->base, (enum event_kind)k, !event_kind_is_high_rate((enum event_kind)k));
    log_writer_init(l);
    struct vm_error e = log_recover(l, found);
    if (vm_failed(e)) log_free(l);
    else *out = &l->base;
    return e;
}
