// SPDX-License-Identifier: Apache-2.0
/* What every event store shares: kinds, checks, replay, query, histories; see event.h. */
#include "hv/core/event.h"
#include "hv/base/string.h"

static const struct { const char *name; bool is_high_rate; } kinds[EVENT_KIND_COUNT] = {
#define X(e, n, h) [e] = { n, h },
    EVENT_KIND_LIST(X)
#undef X
};

const char *event_kind_name(enum event_kind k)         { return (unsigned)k < EVENT_KIND_COUNT ? kinds[k].name : "?"; }
bool        event_kind_is_high_rate(enum event_kind k) { return (unsigned)k < EVENT_KIND_COUNT && kinds[k].is_high_rate; }

void event_store_destroy(struct event_store *s)
{
    if (s) s->ops->destroy(s);
}

void event_store_enable(struct event_store *s, enum event_kind k, bool is_on)
{
    if ((unsigned)k >= EVENT_KIND_COUNT) return;
    if (is_on) __atomic_fetch_or(&s->enabled, 1u << k, __ATOMIC_RELAXED);
    else __atomic_fetch_and(&s->enabled, ~(1u << k), __ATOMIC_RELAXED);
}

bool event_store_is_enabled(const struct event_store *s, enum event_kind k)
{
    return (unsigned)k < EVENT_KIND_COUNT && __atomic_load_n(&s->enabled, __ATOMIC_RELAXED) >> k & 1;
}

bool event_matches(const struct event_filter *f, const struct event *e)
{
    return e->kind < EVENT_KIND_COUNT && (!f->kinds || f->kinds >> e->kind & 1) && (!f->is_one_vm || e->vm == f->vm) && e->seq >= f->from_seq &&
           (!f->to_seq || e->seq <= f->to_seq) && e->time_ns >= f->from_ns && (!f->to_ns || e->time_ns <= f->to_ns);
}

struct vm_error event_append(struct event_store *s, const struct event *e, uint64_t *out_seq)
{
    return event_append_batch(s, e, 1, out_seq);
}

struct vm_error event_append_batch(struct event_store *s, const struct event *e, unsigned count, uint64_t *out_seq)
{
    for (unsigned i = 0; i < count; i++) {
        if (e[i].kind >= EVENT_KIND_COUNT) return vm_error_because(VM_CORE_INVALID_PARAMETER, "no such event kind");
    }
    return count ? s->ops->append_batch(s, e, count, out_seq) : VM_SUCCESS;
}

struct vm_error event_load(struct event_store *s, uint32_t vm, uint64_t from_seq, uint64_t to_seq, struct event *out, unsigned cap,
                           unsigned *count)
{
    struct event_filter f = { .is_one_vm = true, .vm = vm, .from_seq = from_seq, .to_seq = to_seq };
    *count = 0;
    return to_seq < from_seq || !to_seq ? VM_SUCCESS : event_query(s, &f, out, cap, count);
}

struct vm_error event_last_seq(struct event_store *s, uint32_t vm, uint64_t *out) { return s->ops->last_seq(s, vm, out); }
struct vm_error event_count(struct event_store *s, uint32_t vm, uint64_t *out)    { return s->ops->count(s, vm, out); }
struct vm_error event_delete(struct event_store *s, uint32_t vm)                  { return s->ops->delete_vm(s, vm); }
struct vm_error event_flush(struct event_store *s)                                { return s->ops->flush(s); }

struct vm_error event_list_vms(struct event_store *s, uint32_t *out, unsigned cap, unsigned *count)
{
    return s->ops->list_vms(s, out, cap, count);
}

struct vm_error event_query(struct event_store *s, const struct event_filter *f, struct event *out, unsigned limit, unsigned *count)
{
    uint64_t cursor = 0;
    return s->ops->scan(s, f, &cursor, out, limit, count);
}

struct vm_error event_replay(struct event_store *s, uint32_t vm, uint64_t from_seq, event_visitor_fn *visit, void *ctx)
{
    struct event_filter f = { .is_one_vm = true, .vm = vm, .from_seq = from_seq };
    struct event some[16];
    for (uint64_t cursor = 0;;) {
        unsigned count;
        struct vm_error e = s->ops->scan(s, &f, &cursor, some, ARRAY_COUNT(some), &count);
        if (vm_failed(e) || !count) return e;
        for (unsigned i = 0; i < count; i++) {
            if (!visit(ctx, &some[i])) return VM_SUCCESS;
        }
    }
}

void event_history_init(struct event_history *h) { *h = (struct event_history){ .last_vm_kind = EVENT_KIND_COUNT }; }

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t digest, const void *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
    return digest;
}

void event_history_add(struct event_history *h, const struct event *e)
{
    if (e->kind >= EVENT_KIND_COUNT) return;
    if (!h->count) h->digest = 0xcbf29ce484222325ull;
    h->digest = mix(h->digest, &e->seq, sizeof e->seq);
    h->digest = mix(h->digest, &e->vm, sizeof e->vm);
    h->digest = mix(h->digest, &e->vcpu, sizeof e->vcpu);
    h->digest = mix(h->digest, &e->kind, sizeof e->kind);
    h->digest = mix(h->digest, e->payload, sizeof e->payload);
    h->count++;
    h->last_seq = e->seq;
    h->per_kind[e->kind]++;
    if (e->kind <= EVENT_VM_STOPPED) h->last_vm_kind = e->kind;
}

static bool add(void *history, const struct event *e)
{
    event_history_add(history, e);
    return true;
}

struct vm_error event_history_replay(struct event_store *s, uint32_t vm, struct event_history *out)
{
    event_history_init(out);
    return event_replay(s, vm, 0, add, out);
}
