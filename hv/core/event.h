// SPDX-License-Identifier: Apache-2.0
/* EventStore: the numbered history of each VM. A store is an ops table, so that one in memory (here) and one on a block
 * device can stand behind the same calls. Numbers rise strictly within a VM and start at 1; gaps are lawful. A VM that
 * has no events is not an error: it has none, and its last number is 0.
 * Own lock; any core, not in interrupt context. Visitors are called with no lock held and may use the store. */
#pragma once
#include "hv/arch/spin.h"
#include "hv/base/error.h"

#define EVENT_PAYLOAD_BYTES 40
#define EVENT_VERSION       1               /* of the payloads' layout, stored with each event */

/*  enumerator                      name                              high rate: off unless asked for */
#define EVENT_KIND_LIST(_)                                                     \
    _(EVENT_VM_CREATED,             "vm.created",                     false)   \
    _(EVENT_VM_STARTED,             "vm.started",                     false)   \
    _(EVENT_VM_PAUSED,              "vm.paused",                      false)   \
    _(EVENT_VM_RESUMED,             "vm.resumed",                     false)   \
    _(EVENT_VM_STOPPED,             "vm.stopped",                     false)   \
    _(EVENT_VM_STATE_CHANGED,       "vm.state_changed",               false)   \
    _(EVENT_MEMORY_ALLOCATED,       "memory.allocated",               false)   \
    _(EVENT_MEMORY_FREED,           "memory.freed",                   false)   \
    _(EVENT_MEMORY_MAPPED,          "memory.mapped",                  false)   \
    _(EVENT_MEMORY_UNMAPPED,        "memory.unmapped",                false)   \
    _(EVENT_MEMORY_PAGE_FAULT,      "memory.page_fault",              true)    \
    _(EVENT_EXECUTION_STARTED,      "execution.started",              false)   \
    _(EVENT_EXECUTION_STOPPED,      "execution.stopped",              false)   \
    _(EVENT_EXECUTION_VCPU_EXITED,  "execution.vcpu_exited",          true)    \
    _(EVENT_EXECUTION_CODE_BLOCK_COMPILED, "execution.code_block_compiled", true) \
    _(EVENT_EXECUTION_HOTSPOT_DETECTED,    "execution.hotspot_detected",    true) \
    _(EVENT_DEVICE_ADDED,           "device.added",                   false)   \
    _(EVENT_DEVICE_REMOVED,         "device.removed",                 false)   \
    _(EVENT_DEVICE_INTERRUPT,       "device.interrupt",               true)    \
    _(EVENT_DEVICE_IO_COMPLETED,    "device.io_completed",            true)    \
    _(EVENT_SNAPSHOT_CREATED,       "snapshot.created",               false)   \
    _(EVENT_SNAPSHOT_RESTORED,      "snapshot.restored",              false)   \
    _(EVENT_SNAPSHOT_DELETED,       "snapshot.deleted",               false)
enum event_kind {
#define X(e, n, h) e,
    EVENT_KIND_LIST(X)
#undef X
    EVENT_KIND_COUNT
};
_Static_assert(EVENT_KIND_COUNT <= 32, "sets of kinds are 32-bit masks");
const char *event_kind_name(enum event_kind k);
bool        event_kind_is_high_rate(enum event_kind k);

/* What the maker fills: vm, kind, vcpu, payload and, if he has a better one than now, time_ns. */
struct event {
    uint64_t seq;                           /* the store's; for an append: EVENT_SEQ_NEXT, or the number it must get */
    uint64_t time_ns;                       /* host's monotonic clock; 0: the store stamps it */
    uint32_t vm;
    uint16_t vcpu;
    uint8_t  kind, version;                 /* enum event_kind; version 0: the store writes EVENT_VERSION */
    uint8_t  payload[EVENT_PAYLOAD_BYTES];  /* numbers of the kind, in host order; unused bytes are 0 */
};
_Static_assert(sizeof(struct event) == 64, "one event is one cache line");
#define EVENT_SEQ_NEXT 0ull

struct event_filter {
    uint32_t kinds;                         /* mask of 1 << kind; 0: all */
    bool     is_one_vm;
    uint32_t vm;
    uint64_t from_seq, to_seq;              /* inclusive; to 0: no end */
    uint64_t from_ns, to_ns;                /* inclusive; to 0: no end */
};
bool event_matches(const struct event_filter *f, const struct event *e);       /* and it is of a kind that there is */
typedef bool event_visitor_fn(void *ctx, const struct event *e);    /* false: enough */

struct event_store;
struct event_store_ops {
    const char *name;
    /* All or none. seq[] as in struct event; the given numbers are returned in out_seq[] (NULL: not wanted). */
    struct vm_error (*append_batch)(struct event_store *s, const struct event *e, unsigned count, uint64_t *out_seq);
    /* Copies the events that match, oldest first within a VM, starting after *cursor; advances it. */
    struct vm_error (*scan)        (struct event_store *s, const struct event_filter *f, uint64_t *cursor, struct event *out, unsigned cap,
                                    unsigned *count);
    struct vm_error (*last_seq)    (struct event_store *s, uint32_t vm, uint64_t *out);
    struct vm_error (*count)       (struct event_store *s, uint32_t vm, uint64_t *out);
    struct vm_error (*list_vms)    (struct event_store *s, uint32_t *out, unsigned cap, unsigned *count);
    struct vm_error (*delete_vm)   (struct event_store *s, uint32_t vm);
    struct vm_error (*flush)       (struct event_store *s);         /* what was appended is safe now */
    void            (*destroy)     (struct event_store *s);
};
struct event_store { const struct event_store_ops *ops; uint32_t enabled; /* atomic: mask of kinds that are stored */ };

/* In memory, bounded: when `capacity` events are held the oldest leaves, and the gap in its VM's numbers tells.
 * A batch must fit whole. At most 64 VMs have events at a time. */
NODISCARD struct vm_error event_store_create_memory(unsigned capacity, struct event_store **out);
void                      event_store_destroy(struct event_store *s);                    /* NULL is fine */

/* Switches a kind on or off; high-rate kinds start off. An event of a kind that is off is accepted and not stored: its
 * number comes back as 0. */
void                      event_store_enable(struct event_store *s, enum event_kind k, bool is_on);
bool                      event_store_is_enabled(const struct event_store *s, enum event_kind k);

/* Appends one event and tells its number. An explicit number not above the VM's last one: Core(InvalidState). */
NODISCARD struct vm_error event_append(struct event_store *s, const struct event *e, uint64_t *out_seq);
/* All of them or, on any error, none; out_seq[count] may be NULL. */
NODISCARD struct vm_error event_append_batch(struct event_store *s, const struct event *e, unsigned count, uint64_t *out_seq);
/* A VM's events from_seq..to_seq (inclusive, UINT64_MAX: to the end), at most cap; go on from the last one's number + 1. */
NODISCARD struct vm_error event_load(struct event_store *s, uint32_t vm, uint64_t from_seq, uint64_t to_seq, struct event *out, unsigned cap,
                                     unsigned *count);
NODISCARD struct vm_error event_last_seq(struct event_store *s, uint32_t vm, uint64_t *out);
NODISCARD struct vm_error event_count(struct event_store *s, uint32_t vm, uint64_t *out);
NODISCARD struct vm_error event_list_vms(struct event_store *s, uint32_t *out, unsigned cap, unsigned *count);
/* Forgets a VM and its numbering. */
NODISCARD struct vm_error event_delete(struct event_store *s, uint32_t vm);
/* Shows a VM's events from `from_seq` on to the visitor, in order, also those appended meanwhile. */
NODISCARD struct vm_error event_replay(struct event_store *s, uint32_t vm, uint64_t from_seq, event_visitor_fn *visit, void *ctx);
/* The oldest `limit` events that match. */
NODISCARD struct vm_error event_query(struct event_store *s, const struct event_filter *f, struct event *out, unsigned limit, unsigned *count);
NODISCARD struct vm_error event_flush(struct event_store *s);

/* What a VM's history amounts to: the result of folding its events, live or replayed. */
struct event_history {
    uint64_t count, last_seq, digest;       /* digest: order and content of all events but their times */
    uint8_t  last_vm_kind;                  /* the latest of the vm.* kinds: its lifecycle; EVENT_KIND_COUNT: none yet */
    uint64_t per_kind[EVENT_KIND_COUNT];
};
void                      event_history_init(struct event_history *h);
void                      event_history_add(struct event_history *h, const struct event *e);
NODISCARD struct vm_error event_history_replay(struct event_store *s, uint32_t vm, struct event_history *out);
