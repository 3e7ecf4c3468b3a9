// SPDX-License-Identifier: Apache-2.0
/* VMs' lives in the event store; see history.h. A history is told, never relied on: without a store VMs go on. */
#include "hv/vm/history.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/core/log.h"
#include "hv/jit/info.h"
#include "hv/vm/event_log.h"
#include "hv/vm/hostdisk.h"

static struct event_store *store;

#define EVENTS 1024                              /* of 64 bytes; the oldest leave */

void                vm_history_open(struct event_store *s) { store = s; }
struct event_store *vm_events(void)                        { return store; }

static bool start_on_disk(const char *place)
{
    struct event_log_found f;
    struct event_store *s;
    struct block *disk;
    struct vm_error e = host_disk_open(place, false, &disk);
    if (vm_failed(e)) {
        log_error("events: %s; they are kept in memory", e.reason);
        return false;
    }
    e = event_log_open(disk, &s, &f);
    if (vm_failed(e)) {
        log_error("events: host:%s: %s; they are kept in memory", place, e.reason ? e.reason : "it cannot be used");
        block_destroy(disk);
        return false;
    }
    if (f.dropped_segments) log_error("events: host:%s: %u broken or disconnected segments are left out", place, f.dropped_segments);
    log_info("events: host:%s, %s%lu of %u VMs, up to frame %lu, checksum %08x", place, f.is_new ? "new, " : "", (unsigned long)f.event_count,
             f.vm_count, (unsigned long)f.last_frame, f.last_checksum);
    vm_numbers_after(f.highest_vm);
    vm_history_open(s);
    return true;
}

void vm_history_flush(void)
{
    if (store && vm_failed(event_flush(store))) log_error("events: the last ones are not on the disk");
}

void vm_history_start(const char *place)
{
    struct event_store *s;
    if (place && start_on_disk(place)) return;
    if (vm_failed(event_store_create_memory(EVENTS, &s))) log_error("no memory for the VMs' history");
    else vm_history_open(s);
}

static void note(const struct vm *vm, enum event_kind kind, uint64_t a, uint64_t b, uint64_t c)
{
    struct event e = { .vm = vm->number, .kind = (uint8_t)kind };
    if (!store) return;
    store_le64(e.payload, a);
    store_le64(e.payload + 8, b);
    store_le64(e.payload + 16, arch_wall_time_s());
    if (kind == EVENT_VM_CREATED) memcpy(e.payload + 24, vm->name, strnlen(vm->name, sizeof e.payload - 24));
    else store_le64(e.payload + 24, c);
    struct vm_error x = event_append(store, &e, NULL);
    static struct log_limit limit;
    if (vm_failed(x) && log_allowed(&limit, 3)) log_notice("vm %s: %s is not in its history", vm->name, event_kind_name(kind));
}

void vm_note(const struct vm *vm, enum event_kind kind, uint64_t a, uint64_t b) { note(vm, kind, a, b, 0); }

#define CODE_NOTES_A_SECOND 10

void vm_note_code(const struct vm *vm, const struct vcpu *v, struct code_notes *seen)
{
    struct jit_news n;
    if (!store || !jit_news_of(v, &n) || (n.compiles == seen->compiles && n.hotspots == seen->hotspots)) return;
    bool is_hot = n.hotspots != seen->hotspots;
    if (!log_allowed(&seen->limit, CODE_NOTES_A_SECOND)) return;
    if (is_hot) note(vm, EVENT_EXECUTION_HOTSPOT_DETECTED, n.hot_pc, n.hot_samples, v->id);
    else note(vm, EVENT_EXECUTION_CODE_BLOCK_COMPILED, n.compiled_pc, n.compiles, v->id);
    seen->compiles = n.compiles;
    seen->hotspots = n.hotspots;
}

void vm_note_change(const struct vm *vm, enum vm_lifecycle state, uint64_t count, enum vm_change why)
{
    note(vm, EVENT_VM_STATE_CHANGED, state, count, why);
}

void vm_forget_history(const struct vm *vm)
{
    if (store && vm_failed(event_delete(store, vm->number))) log_notice("vm %s: its history stays", vm->name);
}
