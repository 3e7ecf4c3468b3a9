// SPDX-License-Identifier: Apache-2.0
/* The journal of one piece; see journal.h. */
#include "hv/audit/journal.h"
#include "hv/base/string.h"
#include "hv/exec/vcpu.h"

static void on_write(struct mmu_watch *watch, void *host, unsigned size_bytes)
{
    struct journal *j = (struct journal *)watch;
    uint8_t *at = host;
    if (j->is_checking) {
        for (unsigned i = j->write_count; i-- > 0;) {
            if (at >= j->write[i].at && at + size_bytes <= j->write[i].at + j->write[i].size_bytes) return;
        }
        j->has_other_access = true;
        return;
    }
    if (j->write_count == JOURNAL_WRITES) {
        j->is_full = true;
        return;
    }
    struct journal_write *w = &j->write[j->write_count++];
    w->at = at;
    w->size_bytes = (uint8_t)size_bytes;
    memcpy(w->old, at, size_bytes);
}

static struct vm_error refuse(struct journal *j, guest_phys_addr gpa)
{
    j->has_other_access = true;
    return vm_error_at(VM_MEMORY_INVALID_ADDRESS, guest_addr_make(gpa.v));
}

static struct vm_error reach(struct mmu *m, guest_phys_addr gpa, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    struct mmu_watch *watch = m->watch;
    m->watch = NULL;
    struct vm_error e = mmu_device_access(m, gpa, size_bytes, how, value);
    m->watch = watch;
    return e;
}

void journal_settle(struct journal *j, struct mmu *m)
{
    for (unsigned i = 0; i < j->next_device; i++) {
        struct journal_device *d = &j->device[i];
        if (!d->is_pending) continue;
        d->is_pending = false;
        struct vm_error e = reach(m, d->gpa, d->size_bytes, ACCESS_WRITE, &d->value);
        (void)e;                                      /* it was asked before whether this gets there */
    }
}

/* A device sees each access once. The piece ends behind it: what the device wrote into memory belongs to the next one. */
static struct vm_error on_device(struct mmu_watch *watch, struct mmu *m, guest_phys_addr gpa, unsigned size_bytes, enum access_type how, uint64_t *value)
{
    struct journal *j = (struct journal *)watch;
    if (!j->is_checking) __atomic_fetch_or(&j->v->request, VCPU_REQUEST_HOST, __ATOMIC_RELEASE);
    if (j->next_device < j->device_count) {
        const struct journal_device *d = &j->device[j->next_device++];
        if (d->gpa.v != gpa.v || d->size_bytes != size_bytes || d->how != how || (how == ACCESS_WRITE && d->value != *value)) return refuse(j, gpa);
        *value = d->value;
        return d->error;
    }
    if (j->is_checking) return refuse(j, gpa);
    bool is_write = how == ACCESS_WRITE, is_lost = j->device_count == JOURNAL_DEVICES;
    if (!is_write || is_lost) journal_settle(j, m);
    struct vm_error e = is_write && !is_lost ? mmio_check(mmio_find(m->bus, gpa), gpa, size_bytes) : reach(m, gpa, size_bytes, how, value);
    if (is_lost) {
        j->is_full = true;
        return e;
    }
    j->device[j->device_count++] = (struct journal_device){ gpa, (uint8_t)size_bytes, how, is_write && !vm_failed(e), *value, e };
    j->next_device++;
    return e;
}

void journal_empty(struct journal *j)
{
    j->write_count = 0;
    j->is_full = j->has_other_access = false;
}

static const uint8_t *page_of(const void *at) { return (const uint8_t *)((uintptr_t)at & ~(uintptr_t)(HV_PAGE_BYTES - 1)); }

void journal_finish(struct journal *j)
{
    for (unsigned i = 0; i < j->write_count; i++) {
        struct journal_write *w = &j->write[i];
        unsigned before = JOURNAL_MARGIN, behind = JOURNAL_MARGIN;
        if (page_of(w->at - before) != page_of(w->at)) before = 0;
        if (page_of(w->at + w->size_bytes + behind) != page_of(w->at)) behind = 0;
        w->window_at = w->at - before;
        w->window_bytes = (uint8_t)(before + w->size_bytes + behind);
        memcpy(w->window, w->window_at, w->window_bytes);
    }
}

void journal_undo(struct journal *j)
{
    for (unsigned i = j->write_count; i-- > 0;) memcpy(j->write[i].at, j->write[i].old, j->write[i].size_bytes);
}

void journal_redo(struct journal *j)
{
    for (unsigned i = 0; i < j->write_count; i++) memcpy(j->write[i].window_at, j->write[i].window, j->write[i].window_bytes);
}

const struct journal_write *journal_difference(const struct journal *j)
{
    for (unsigned i = 0; i < j->write_count; i++) {
        if (memcmp(j->write[i].window, j->write[i].window_at, j->write[i].window_bytes)) return &j->write[i];
    }
    return NULL;
}

static void look(struct journal *j, struct vcpu *v, bool is_checking)
{
    j->watch = (struct mmu_watch){ .is_blind = !is_checking, .write = on_write, .device = on_device };
    j->v = v;
    j->is_checking = is_checking;
    mmu_watch(&v->mmu, &j->watch);
}

void journal_record(struct journal *j, struct vcpu *v) { look(j, v, false); }
void journal_check(struct journal *j, struct vcpu *v)  { look(j, v, true); }

void journal_end(struct journal *j, struct vcpu *v)
{
    (void)j;
    mmu_watch(&v->mmu, NULL);
}
