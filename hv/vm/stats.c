// SPDX-License-Identifier: Apache-2.0
/* What VMs have done, as numbers and as one JSON object for tools. Exact while none runs; any core's loop. */
#include "hv/audit/audit.h"
#include "hv/base/fmt.h"
#include "hv/jit/info.h"
#include "hv/exec/native.h"
#include "hv/vm/history.h"

void vm_stats(const struct vm *vm, struct exec_stats *out)
{
    *out = (struct exec_stats){ 0 };
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        struct exec_stats one;
        vcpu_stats(&vm->vcpus[i], &one);
        exec_stats_add(out, &one);
    }
}

/* ---- exits ---- */
struct rows { struct vm_exit_row *out; unsigned cap, count; };

static void add_measured(struct rows *r, const struct vm_exit_row *row)
{
    if (!row->count) return;
    if (r->count < r->cap) r->out[r->count] = *row;
    r->count++;
}
static void add_row(struct rows *r, const char *reason, const char *detail, struct event_count c)
{
    add_measured(r, &(struct vm_exit_row){ reason, detail, c.count, c.time_ns, 0 });
}
static void add_ticks(struct rows *r, const char *reason, const char *detail, struct tick_count c)
{
    add_measured(r, &(struct vm_exit_row){ reason, detail, c.count, arch_ticks_ns(c.ticks), c.ticks });
}
static void add_count(struct rows *r, const char *reason, const char *detail, uint64_t count)
{
    add_row(r, reason, detail, (struct event_count){ count, 0 });
}

/* Every word of struct vcpu_exits is a number that may be summed. */
static void add_exits(struct vcpu_exits *sum, const struct vcpu_exits *one)
{
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++) to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static void add_rows(const struct vm *vm, const struct vcpu_exits *x, struct rows *r)
{
    static const char *const reason[] = { "budget", "host", "interrupt", "halted", "hypercall", "breakpoint", "other" };
    _Static_assert(ARRAY_COUNT(reason) == EXIT_REASON_COUNT, "every reason has a name");
    const char *name;
    for (unsigned i = 0; i < EXIT_REASON_COUNT; i++) add_row(r, reason[i], "", x->reason[i]);
    const struct native_ops *native = vm->ops->isa->native;
    for (unsigned i = 0; native && i < EXITS_NATIVE && (name = native->exit_name(i)); i++) add_ticks(r, "exit", name, x->native[i]);
    for (unsigned i = 0; i < EXITS_HYPERCALLS && (name = vm->ops->hypercall_name(i)); i++) add_row(r, "hypercall", name, x->hypercall[i]);
    for (unsigned i = 0; i < vm->bus.count; i++) {
        add_ticks(r, "mmio-read", vm->device_name[i], x->device[i].read);
        add_ticks(r, "mmio-write", vm->device_name[i], x->device[i].write);
    }
    for (unsigned i = 0; i < FAULT_KIND_COUNT; i++) add_count(r, "fault", fault_kind_name((enum fault_kind)i), x->fault[i]);
    for (unsigned i = 0; i < EXITS_IRQS; i++) {
        name = vm->ops->isa->irq_name(i);
        add_count(r, "irq", name ? name : "other", x->irq[i]);
    }
    add_count(r, "fence", "tlb", x->tlb_fences);
    add_count(r, "fence", "code", x->code_fences);
}

unsigned vm_exit_rows(const struct vm *vm, unsigned vcpu, struct vm_exit_row *out, unsigned cap)
{
    struct vcpu_exits sum = { 0 };
    struct rows r = { out, cap, 0 };
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        if (vcpu == VM_ALL_VCPUS || vcpu == i) add_exits(&sum, &vm->vcpus[i].exits);
    }
    add_rows(vm, &sum, &r);
    return r.count;
}

/* ---- JSON ---- */
struct json { char *at; size_t cap_bytes; size_t length; };

static void add(struct json *j, const char *format, ...) PRINTF(2, 3);
static void add(struct json *j, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    size_t used = j->length < j->cap_bytes ? j->length : j->cap_bytes;
    j->length += (size_t)hv_vsnprintf(used < j->cap_bytes ? j->at + used : NULL, j->cap_bytes - used, format, args);
    va_end(args);
}

/* RFC 8259, section 7. What is no ASCII is shown as '?': a guest's words may be in it. */
static void add_text(struct json *j, const char *text)
{
    add(j, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') add(j, "\\%c", c);
        else if (c < ' ') add(j, "\\u%04x", c);
        else add(j, "%c", c < 0x7f ? c : '?');
    }
    add(j, "\"");
}

/* What a CPU does not tell of the guests it runs itself is null. */
static void add_stats(struct json *j, const struct exec_stats *s, enum exec_mode mode)
{
    bool is_hidden = mode == EXEC_HARDWARE;
    const struct { const char *name; uint64_t value; bool is_hidden; } row[] = {
        { "executed_insns", s->executed_insns, is_hidden }, { "mem_accesses", s->mem_accesses, is_hidden }, { "exec_time_ns", s->exec_time_ns, false },
        { "tlb_hits", s->tlb_hits, is_hidden },             { "tlb_misses", s->tlb_misses, false },         { "jit_compiles", s->jit_compiles, false },
        { "jit_compile_time_ns", s->jit_compile_time_ns, false },
    };
    _Static_assert(sizeof *s == sizeof(uint64_t) * ARRAY_COUNT(row), "every statistic has a row");
    for (unsigned i = 0; i < ARRAY_COUNT(row); i++) {
        if (row[i].is_hidden) add(j, ",\"%s\":null", row[i].name);
        else add(j, ",\"%s\":%lu", row[i].name, (unsigned long)row[i].value);
    }
}

struct event_list { struct json *j; bool has_one; };

static bool add_event(void *ctx, const struct event *e)
{
    struct event_list *l = ctx;
    add(l->j, "%s{\"seq\":%lu,\"time_ns\":%lu,\"kind\":\"%s\"}", l->has_one ? "," : "", (unsigned long)e->seq, (unsigned long)e->time_ns,
        event_kind_name((enum event_kind)e->kind));
    l->has_one = true;
    return true;
}

static void add_events(struct json *j, const struct vm *vm)
{
    struct event_list l = { j, false };
    if (vm_events() && vm_failed(event_replay(vm_events(), vm->number, 1, add_event, &l))) log_error("vm %s: its history cannot be read", vm->name);
}

static void add_exit_rows(struct json *j, const struct vm *vm, unsigned vcpu)
{
    enum { MOST = 2 * MMIO_MAX_REGIONS + EXIT_REASON_COUNT + EXITS_HYPERCALLS + EXITS_NATIVE + EXITS_IRQS + FAULT_KIND_COUNT + 2 };
    static struct vm_exit_row row[MOST];                     /* one asks at a time */
    unsigned n = vm_exit_rows(vm, vcpu, row, MOST);
    add(j, ",\"exits\":[");
    for (unsigned i = 0; i < n; i++) {
        add(j, "%s{\"reason\":\"%s\",\"detail\":", i ? "," : "", row[i].reason);
        add_text(j, row[i].detail);
        add(j, ",\"count\":%lu,\"time_ns\":%lu,\"mean_ns\":%lu,\"mean_ticks\":", (unsigned long)row[i].count, (unsigned long)row[i].time_ns,
            (unsigned long)(row[i].time_ns / row[i].count));
        if (row[i].ticks) add(j, "%lu}", (unsigned long)(row[i].ticks / row[i].count));
        else add(j, "null}");
    }
    add(j, "]");
}

static void add_audit(struct json *j, const struct vcpu *v)
{
    struct audit_stats a;
    if (!audit_stats_of(v, &a)) return;
    add(j, ",\"audit\":{\"pieces\":%lu,\"insns\":%lu,\"blocks\":%lu,\"races\":%lu,\"skipped\":%lu}", (unsigned long)a.checks, (unsigned long)a.insns,
        (unsigned long)v->stats.jit_compiles, (unsigned long)a.races, (unsigned long)a.skipped);
}

/* The JIT's hottest blocks: pc, samples, host code in hexadecimal. */
static void add_hot(struct json *j, const struct vcpu *v)
{
    enum { MOST = 10, BYTES = 256 };
    static struct jit_hot hot[MOST];                         /* one asks at a time */
    uint64_t all;
    struct jit_info info;
    if (!jit_info_of(v, &info)) return;
    unsigned count = jit_hottest(v, hot, MOST, &all);
    add(j, ",\"hot_samples\":%lu,\"hot\":[", (unsigned long)all);
    for (unsigned n = 0; n < count; n++) {
        const struct jit_code *k = &hot[n].code;
        add(j, "%s{\"pc\":%lu,\"samples\":%lu,\"guest_bytes\":%u,\"host_bytes\":%u,\"host\":\"", n ? "," : "", (unsigned long)k->pc, (unsigned long)hot[n].samples,
            k->guest_bytes, k->host_bytes);
        for (uint32_t i = 0; i < k->host_bytes && i < BYTES; i++) add(j, "%02x", k->host[i]);
        add(j, "\"}");
    }
    add(j, "]");
}

static void add_vm(struct json *j, const struct vm *vm)
{
    struct exec_stats s;
    char why[256];
    add(j, "{\"name\":");
    add_text(j, vm->name);
    add(j, ",\"arch\":\"%s\",\"mode\":\"%s\",\"state\":\"%s\",\"exit_reason\":\"%s\",\"exit_code\":%u,\"reason\":",
        guest_arch_name(vm->config.guest_arch), exec_mode_name(vm->config.exec_mode), vm_lifecycle_name(vm_state(vm)),
        vm_end_name(vm->end), vm->exit_code);
    vm_describe_end(vm, why, sizeof why);
    add_text(j, why);
    add(j, ",\"vcpus\":%u,\"memory_size\":%lu,\"reboots\":%u,\"restarts\":%u", vm->config.vcpu_count, (unsigned long)vm->config.memory_size, vm->reboots, vm->keep.restarts);
    vm_stats(vm, &s);
    add_stats(j, &s, vm->config.exec_mode);
    add_audit(j, &vm->vcpus[0]);
    add(j, ",\"vcpu\":[");
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        vcpu_stats(&vm->vcpus[i], &s);
        add(j, "%s{\"id\":%u,\"run_time_ns\":%lu", i ? "," : "", i, (unsigned long)__atomic_load_n(&vm->sched[i].run_ns, __ATOMIC_RELAXED));
        add_stats(j, &s, vm->config.exec_mode);
        add_hot(j, &vm->vcpus[i]);
        add_exit_rows(j, vm, i);
        add(j, "}");
    }
    add(j, "]");
    add_exit_rows(j, vm, VM_ALL_VCPUS);
    add(j, ",\"events\":[");
    add_events(j, vm);
    add(j, "]}");
}

int vm_stats_json(char *out, size_t cap_bytes)
{
    struct json j = { out, cap_bytes, 0 };
    const char *comma = "";
    add(&j, "{\"vms\":[");
    LIST_FOR_EACH(it, vm_all()) {
        add(&j, "%s", comma);
        add_vm(&j, CONTAINER_OF(it, struct vm, link));
        comma = ",";
    }
    add(&j, "]}");
    return (int)j.length;
}
