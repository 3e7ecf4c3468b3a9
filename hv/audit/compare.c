// SPDX-License-Identifier: Apache-2.0
/* What two engines made of one piece of guest code, held against each other. */
#include "hv/audit/inside.h"
#include "hv/base/fmt.h"

static const char *differs(struct audit *a, const char *what, uint64_t first, uint64_t second)
{
    hv_snprintf(a->what, sizeof a->what, "%s: %s 0x%lx, %s 0x%lx", what, a->engine[FIRST]->name, (unsigned long)first, a->engine[SECOND]->name, (unsigned long)second);
    return a->what;
}

/* The ISA's name for a word of the register file or of its own state. */
static const char *name_of(const struct vcpu *v, size_t offset)
{
    for (unsigned i = 0; i < v->isa->reg_count; i++) {
        if (v->isa->regs[i].offset_bytes == offset) return v->isa->regs[i].name;
    }
    return "inner state";
}

static const char *compare_words(struct audit *a, const struct vcpu *v, size_t from, size_t to)
{
    const uint64_t *x = (const uint64_t *)(const void *)&a->end.regs, *y = (const uint64_t *)(const void *)&v->regs;
    for (size_t i = from / 8; i < to / 8; i++) {
        if (x[i] != y[i]) return differs(a, name_of(v, 8 * i), x[i], y[i]);
    }
    return NULL;
}

static const char *compare_state(struct audit *a, const struct vcpu *v)
{
    const struct audit_point *e = &a->end;
    const struct { const char *name; uint64_t first, second; } word[] = {
        { "pc", e->regs.pc, v->regs.pc },
        { "mode", e->regs.mode, v->regs.mode },
        { "rounding", e->regs.fp.round, v->regs.fp.round },
        { "floating-point flags", e->regs.fp.flags, v->regs.fp.flags },
        { "a reservation", e->reservation.size_bytes, v->reservation.size_bytes },
        { "the reserved address", e->reservation.size_bytes ? e->reservation.host : 0, v->reservation.size_bytes ? v->reservation.host : 0 },
        { "the reserved value", e->reservation.size_bytes ? e->reservation.value : 0, v->reservation.size_bytes ? v->reservation.value : 0 },
        { "the deadline", e->deadline_ns, v->deadline_ns },
        { "a call", e->hypercall, v->hypercall },
        { "the data context", e->data_context, v->mmu.data_context },
        { "the fetch context", e->fetch_context, v->mmu.fetch_context },
        { "the ASID", e->asid, v->mmu.asid },
        { "device accesses", e->next_device, a->journal.next_device },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(word); i++) {
        if (word[i].first != word[i].second) return differs(a, word[i].name, word[i].first, word[i].second);
    }
    const char *slots = compare_words(a, v, offsetof(struct vcpu_regs, slot), offsetof(struct vcpu_regs, slot) + 8 * VCPU_TEMP_SLOT);
    return slots ? slots : compare_words(a, v, offsetof(struct vcpu_regs, isa), offsetof(struct vcpu_regs, isa) + VCPU_ISA_BYTES);
}

static const char *compare_memory(struct audit *a)
{
    const struct journal_write *w = journal_difference(&a->journal);
    if (!w) return NULL;
    unsigned at = 0;
    while (w->window[at] == w->window_at[at]) at++;
    hv_snprintf(a->what, sizeof a->what, "memory, byte %d of a write of %u bytes: %s 0x%02x, %s 0x%02x", (int)(w->window_at + at - w->at), w->size_bytes,
                a->engine[FIRST]->name, w->window[at], a->engine[SECOND]->name, w->window_at[at]);
    return a->what;
}

const char *audit_compare(struct audit *a, struct vcpu *v)
{
    const struct audit_outcome *x = &a->outcome[FIRST], *y = &a->outcome[SECOND];
    if (x->status != y->status) {
        hv_snprintf(a->what, sizeof a->what, "status: %s, %s", exec_status_name(x->status), exec_status_name(y->status));
        return a->what;
    }
    if (x->fault != y->fault) return differs(a, "kind of the fault", x->fault, y->fault);
    if (x->insns != y->insns) return differs(a, "instructions", x->insns, y->insns);
    const char *state = compare_state(a, v);
    if (state) return state;
    if (x->accesses != y->accesses) return differs(a, "memory accesses", x->accesses, y->accesses);
    if (a->journal.has_other_access) {
        hv_snprintf(a->what, sizeof a->what, "an access that the %s did not make", a->engine[FIRST]->name);
        return a->what;
    }
    return compare_memory(a);
}
