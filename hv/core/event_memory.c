// SPDX-License-Identifier: Apache-2.0
/* The event store in memory: a ring of events in order of arrival, and a small table of VMs with their numbering. Events
 * of a deleted VM stay as holes until they are overwritten, so positions never move. Everything is under the one lock. */
#include "hv/core/event.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"

#define MAX_VMS 64
#define HOLE    EVENT_KIND_COUNT

struct vm_row { uint32_t vm; bool is_used; uint64_t last_seq, count; };
struct memory_store {
    struct event_store base;
    struct spinlock lock;
    unsigned capacity;
    uint64_t appended;                       /* position p is in ring[p % capacity]; held: the last `capacity` positions */
    struct vm_row vms[MAX_VMS];
    struct event *ring;
};

static struct memory_store *self(struct event_store *s) { return CONTAINER_OF(s, struct memory_store, base); }

static struct vm_row *row_of(struct memory_store *m, uint32_t vm)
{
    for (unsigned i = 0; i < MAX_VMS; i++) {
        if (m->vms[i].is_used && m->vms[i].vm == vm) return &m->vms[i];
    }
    return NULL;
}

static struct vm_row *new_row(struct memory_store *m, uint32_t vm)
{
    for (unsigned i = 0; i < MAX_VMS; i++) {
        if (m->vms[i].is_used) continue;
        m->vms[i] = (struct vm_row){ .vm = vm, .is_used = true };
        return &m->vms[i];
    }
    return NULL;
}

static void store(struct memory_store *m, const struct event *e, struct vm_row *row, uint64_t seq)
{
    struct event *slot = &m->ring[m->appended % m->capacity];
    struct vm_row *left = m->appended >= m->capacity && slot->kind != HOLE ? row_of(m, slot->vm) : NULL;
    if (left) left->count--;                 /* the oldest leaves; its VM keeps its numbering */
    *slot = *e;
    slot->seq = seq;
    if (!slot->time_ns) slot->time_ns = arch_time_ns();
    if (!slot->version) slot->version = EVENT_VERSION;
    m->appended++;
    row->last_seq = seq;
    row->count++;
}

/* Judges the batch on a copy of the table, so that a refusal leaves no trace; then stores it. */
static struct vm_error append_locked(struct memory_store *m, const struct event *e, unsigned count, uint64_t *out_seq)
{
    struct vm_row before[MAX_VMS];
    struct vm_error result = VM_SUCCESS;
    unsigned stored = 0;
    uint32_t enabled = __atomic_load_n(&m->base.enabled, __ATOMIC_RELAXED);      /* one answer for both passes */
    memcpy(before, m->vms, sizeof before);
    for (unsigned i = 0; i < count && !vm_failed(result); i++) {
        if (!(enabled >> e[i].kind & 1)) continue;
        struct vm_row *row = row_of(m, e[i].vm);
        if (!row) row = new_row(m, e[i].vm);
        if (!row) result = vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "events of too many VMs");
        else if (row->last_seq == UINT64_MAX) result = vm_error_because(VM_CORE_INVALID_STATE, "event numbers are used up");
        else if (e[i].seq != EVENT_SEQ_NEXT && e[i].seq <= row->last_seq) result = vm_error_because(VM_CORE_INVALID_STATE, "event numbers must rise");
        else row->last_seq = e[i].seq != EVENT_SEQ_NEXT ? e[i].seq : row->last_seq + 1;
        stored++;
    }
    if (!vm_failed(result) && stored > m->capacity) result = vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "batch is larger than the event store");
    memcpy(m->vms, before, sizeof before);
    for (unsigned i = 0; i < count && !vm_failed(result); i++) {
        uint64_t seq = 0;
        if (enabled >> e[i].kind & 1) {
            struct vm_row *row = row_of(m, e[i].vm);
            if (!row) row = new_row(m, e[i].vm);
            seq = e[i].seq != EVENT_SEQ_NEXT ? e[i].seq : row->last_seq + 1;
            store(m, &e[i], row, seq);
        }
        if (out_seq) out_seq[i] = seq;
    }
    return result;
}

static struct vm_error memory_append(struct event_store *s, const struct event *e, unsigned count, uint64_t *out_seq)
{
    struct memory_store *m = self(s);
    spin_lock(&m->lock);
    struct vm_error result = append_locked(m, e, count, out_seq);
    spin_unlock(&m->lock);
    return result;
}

/* The cursor is a position. */
static struct vm_error memory_scan(struct event_store *s, const struct event_filter *f, uint64_t *cursor, struct event *out, unsigned cap,
                                   unsigned *count)
{
    struct memory_store *m = self(s);
    *count = 0;
    spin_lock(&m->lock);
    uint64_t oldest = m->appended > m->capacity ? m->appended - m->capacity : 0;
    if (*cursor < oldest) *cursor = oldest;
    for (; *cursor < m->appended && *count < cap; ++*cursor) {
        const struct event *e = &m->ring[*cursor % m->capacity];
        if (event_matches(f, e)) out[(*count)++] = *e;
    }
    spin_unlock(&m->lock);
    return VM_SUCCESS;
}

static struct vm_error memory_last_seq(struct event_store *s, uint32_t vm, uint64_t *out)
{
    struct memory_store *m = self(s);
    spin_lock(&m->lock);
    const struct vm_row *row = row_of(m, vm);
    *out = row ? row->last_seq : 0;
    spin_unlock(&m->lock);
    return VM_SUCCESS;
}

static struct vm_error memory_count(struct event_store *s, uint32_t vm, uint64_t *out)
{
    struct memory_store *m = self(s);
    spin_lock(&m->lock);
    const struct vm_row *row = row_of(m, vm);
    *out = row ? row->count : 0;
    spin_unlock(&m->lock);
    return VM_SUCCESS;
}

static struct vm_error memory_list(struct event_store *s, uint32_t *out, unsigned cap, unsigned *count)
{
    struct memory_store *m = self(s);
    *count = 0;
    spin_lock(&m->lock);
    for (unsigned i = 0; i < MAX_VMS && *count < cap; i++) {
        if (m->vms[i].is_used) out[(*count)++] = m->vms[i].vm;
    }
    spin_unlock(&m->lock);
    return VM_SUCCESS;
}

static struct vm_error memory_delete(struct event_store *s, uint32_t vm)
{
    struct memory_store *m = self(s);
    spin_lock(&m->lock);
    struct vm_row *row = row_of(m, vm);
    if (row) row->is_used = false;
    for (unsigned i = 0; row && i < m->capacity; i++) {
        if (m->ring[i].vm == vm) m->ring[i].kind = HOLE;
    }
    spin_unlock(&m->lock);
    return VM_SUCCESS;
}

static struct vm_error memory_flush(struct event_store *s)
{
    (void)s;                                 /* memory is as safe as it gets at once */
    return VM_SUCCESS;
}

static void memory_destroy(struct event_store *s)
{
    heap_free(self(s)->ring);
    heap_free(self(s));
}

static const struct event_store_ops MEMORY_OPS = {
    .name = "memory", .append_batch = memory_append, .scan = memory_scan, .last_seq = memory_last_seq, .count = memory_count,
    .list_vms = memory_list, .delete_vm = memory_delete, .flush = memory_flush, .destroy = memory_destroy,
};

struct vm_error event_store_create_memory(unsigned capacity, struct event_store **out)
{
    if (!capacity) return vm_error_because(VM_CORE_INVALID_PARAMETER, "an event store needs room");
    struct memory_store *m = heap_alloc(sizeof *m);
    if (m) m->ring = heap_alloc((size_t)capacity * sizeof *m->ring);
    if (!m || !m->ring) {
        heap_free(m);
        return vm_error_because(VM_CORE_RESOURCE_EXHAUSTED, "no memory for an event store");
    }
    m->base.ops = &MEMORY_OPS;
    m->capacity = capacity;
    for (unsigned k = 0; k < EVENT_KIND_COUNT; k++) event_store_enable(&m->base, (enum event_kind)k, !event_kind_is_high_rate((enum event_kind)k));
    for (unsigned i = 0; i < capacity; i++) m->ring[i].kind = HOLE;
    *out = &m->base;
    return VM_SUCCESS;
}
