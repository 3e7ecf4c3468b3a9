// SPDX-License-Identifier: Apache-2.0
/* info ...: what there is and what it does, of VMs and of the host. Counters of a running VM are a glance, not a snapshot. */
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/core/heap.h"
#include "hv/core/page.h"
#include "hv/core/percpu.h"
#include "hv/audit/audit.h"
#include "hv/jit/info.h"
#include "hv/manage/command.h"
#include "hv/vm/config.h"
#include "hv/vm/hostdisk.h"
#include "hv/vm/network.h"

/* ---- a VM ---- */
static void regs(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    struct vcpu *v;
    unsigned column = 0;
    bool all = c->argc > 2;
    if (!vm || !want_vcpu(c, vm, 1, &v)) return;
    if (all && strcmp(c->argv[2], "all")) {
        command_usage(c);
        return;
    }
    if (vm_state(vm) == VM_RUNNING) say("(%s runs: values of different moments; vm pause %s holds it)\n", vm->name, vm->name);
    say("pc       %016lx", (unsigned long)vcpu_get_pc(v).v);
    for (unsigned i = 0; i < vm->ops->isa->reg_count; i++) {
        const struct reg_desc *r = &vm->ops->isa->regs[i];
        char name[24];
        uint64_t value;
        if ((r->class != REG_GENERAL && !all) || !strcmp(r->name, "pc") || vm_failed(vcpu_get_reg(v, i, &value))) continue;
        hv_snprintf(name, sizeof name, r->alias ? "%s/%s" : "%s", r->name, r->alias);
        say("%s%-8s %016lx", column++ % 3 == 2 ? "\n" : "  ", name, (unsigned long)value);
    }
    say("\nprivilege %u%s\n", vm->ops->isa->privilege(v), __atomic_load_n(&v->is_halted, __ATOMIC_RELAXED) ? ", waits for an interrupt" : "");
}

static void mem(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm) return;
    for (unsigned i = 0; i < vm->gmem.range_count; i++) {
        const struct gmem_range *r = &vm->gmem.range[i];
        say("%016lx-%016lx  %s  %lu MiB\n", (unsigned long)r->base, (unsigned long)(r->base + r->size_bytes - 1),
            r->kind == GMEM_RAM ? "RAM" : "ROM", (unsigned long)(r->size_bytes >> 20));
    }
}

static void mmu(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    struct vcpu *v;
    struct exec_stats s;
    if (!vm || !want_vcpu(c, vm, 1, &v)) return;
    vcpu_stats(v, &s);
    uint64_t all = s.tlb_hits + s.tlb_misses;
    say("address space %u, context %u for data, %u for code\n", v->mmu.asid, v->mmu.data_context, v->mmu.fetch_context);
    say("TLB: %lu hits, %lu misses (%lu per million), %lu refills from the second level\n", (unsigned long)s.tlb_hits,
        (unsigned long)s.tlb_misses, (unsigned long)(all ? s.tlb_misses * 1000000 / all : 0), (unsigned long)v->mmu.stats.refills);
}

static void devices(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm) return;
    for (unsigned i = 0; i < vm->bus.count; i++) {
        const struct mmio_region *r = &vm->bus.region[vm->bus.order[i]];
        say("%016lx-%016lx  %s\n", (unsigned long)r->base.v, (unsigned long)(r->base.v + r->size_bytes - 1), r->ops->name);
    }
    for (unsigned i = 0; i < vm->machine_config.disk_count; i++) {
        const struct block *b = vm->machine_config.disk[i];
        say("disk %u: %s, %lu KiB%s\n", i, b->ops->name, (unsigned long)(b->sector_count / 2), b->is_read_only ? ", read-only" : "");
    }
}

static void network(struct call *c)
{
    struct net_port_view p;
    unsigned count = 0;
    (void)c;
    for (unsigned i = 0; i < NET_PORTS_MOST; i++) {
        if (!net_port_view(network_switch(), i, &p)) continue;
        if (!count++) say("port             address            VLAN        sent   received   lost  refused\n");
        say("%-16s %02x:%02x:%02x:%02x:%02x:%02x %5u%s %10lu %10lu %6lu %8lu\n", p.name, p.mac[0], p.mac[1], p.mac[2], p.mac[3], p.mac[4], p.mac[5], p.vlan,
            p.is_trunk ? "+" : " ", (unsigned long)p.count.sent_frames, (unsigned long)p.count.received_frames, (unsigned long)p.count.lost, (unsigned long)p.count.refused);
    }
    if (!count) say("nobody is on the network\n");
}

/* How often the CPU left the guest, and what that costs. */
static void exits_of_hardware(const struct vm *vm)
{
    enum { MOST = 128 };
    struct vm_exit_row *row = heap_alloc(sizeof *row * MOST);
    unsigned count = row ? vm_exit_rows(vm, VM_ALL_VCPUS, row, MOST) : 0;
    for (unsigned i = 0; i < count && i < MOST; i++) {
        if (strcmp(row[i].reason, "exit")) continue;
        say("  exit %-20s %10lu, %lu ns and %lu ticks each\n", row[i].detail, (unsigned long)row[i].count,
            (unsigned long)(row[i].time_ns / row[i].count), (unsigned long)(row[i].ticks / row[i].count));
    }
    heap_free(row);
}

static void stats_of(const struct vm *vm)
{
    struct exec_stats s;
    say("%s: %s, %u reboots\n", vm->name, vm_lifecycle_name(vm_state(vm)), vm->reboots);
    say("  vCPU  run time ms     instructions   memory accesses   TLB misses   compiled\n");
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        vcpu_stats(&vm->vcpus[i], &s);
        if (vm->config.exec_mode == EXEC_HARDWARE) {         /* the CPU does not tell; misses are stage 2's */
            say("  %4u %12lu %16s %17s %12lu %10s\n", i, (unsigned long)(__atomic_load_n(&vm->sched[i].run_ns, __ATOMIC_RELAXED) / 1000000), "-", "-",
                (unsigned long)s.tlb_misses, "-");
            continue;
        }
        say("  %4u %12lu %16lu %17lu %12lu %10lu\n", i, (unsigned long)(__atomic_load_n(&vm->sched[i].run_ns, __ATOMIC_RELAXED) / 1000000),
            (unsigned long)s.executed_insns, (unsigned long)s.mem_accesses, (unsigned long)s.tlb_misses, (unsigned long)s.jit_compiles);
    }
    if (vm->config.exec_mode == EXEC_HARDWARE) exits_of_hardware(vm);
}

static void jit(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    struct jit_info j;
    if (!vm) return;
    if (!jit_info_of(&vm->vcpus[0], &j)) {
        say("%s: mode = %s compiles nothing\n", vm->name, exec_mode_name(vm->config.exec_mode));
        return;
    }
    say("%s: %s, code memory of %lu KiB a vCPU\n", vm->name, j.target, (unsigned long)(j.limit_bytes >> 10));
    say("  vCPU   blocks    links   KiB used  compiled  guest KiB   host KiB     ms  resolved   dispatched  drops  checked\n");
    for (unsigned i = 0; i < vm->config.vcpu_count && jit_info_of(&vm->vcpus[i], &j); i++) {
        say("  %4u %8lu %8lu %10lu %9lu %10lu %10lu %6lu %9lu %12lu %6lu %8lu\n", i, (unsigned long)j.blocks, (unsigned long)j.links,
            (unsigned long)(j.used_bytes >> 10), (unsigned long)j.compiles, (unsigned long)(j.guest_bytes >> 10), (unsigned long)(j.code_bytes >> 10),
            (unsigned long)(j.compile_ns / 1000000), (unsigned long)j.resolves, (unsigned long)j.dispatches, (unsigned long)j.drops, (unsigned long)j.checks);
    }
    struct audit_stats a;
    if (!audit_stats_of(&vm->vcpus[0], &a)) return;
    say("  audit: %lu pieces with %lu instructions agree, %lu at the second try; %lu not compared\n", (unsigned long)a.checks, (unsigned long)a.insns,
        (unsigned long)a.races, (unsigned long)a.skipped);
}

/* The guest's instructions, then the host's bytes. */
static void show_hot(const struct vm *vm, const struct jit_hot *h, uint64_t all)
{
    const struct isa_ops *isa = vm->ops->isa;
    const struct jit_code *k = &h->code;
    say("%016lx  %lu.%lu%% (%lu samples), %u bytes -> %u of %s\n", (unsigned long)k->pc, (unsigned long)(h->samples * 100 / all),
        (unsigned long)(h->samples * 1000 / all % 10), (unsigned long)h->samples, k->guest_bytes, k->host_bytes, k->target);
    for (uint32_t at = 0; at < k->guest_bytes;) {
        struct insn i;
        struct fault why;
        char text[96] = "?";
        if (isa->decode_insn(k->guest + at, k->guest_bytes - at, guest_addr_make(k->pc + at), k->mode, &i, &why)) isa->disasm(&i, text, sizeof text);
        else i.size_bytes = isa->insn_align_bytes;
        say("  %016lx  %s\n", (unsigned long)(k->pc + at), text);
        at += i.size_bytes;
    }
    for (uint32_t at = 0; at < k->host_bytes; at += 32) {
        say("   ");
        for (uint32_t i = at; i < at + 32 && i < k->host_bytes; i++) say(" %02x", k->host[i]);
        say("\n");
    }
}

static void hot(struct call *c)
{
    enum { MOST = 32 };
    struct vm *vm = want_vm(c, 0);
    struct jit_hot *h;
    uint64_t wanted = 5;
    if (!vm || (c->argc > 1 && !want_number(c, 1, "number of blocks", &wanted))) return;
    if (!(h = heap_alloc(MOST * sizeof *h))) {
        fail(c, "no memory");
        return;
    }
    for (unsigned i = 0; i < vm->config.vcpu_count; i++) {
        uint64_t all;
        unsigned count = jit_hottest(&vm->vcpus[i], h, wanted < MOST ? (unsigned)wanted : MOST, &all);
        if (count) say("vCPU %u, of %lu samples:\n", i, (unsigned long)all);
        for (unsigned n = 0; n < count; n++) show_hot(vm, &h[n], all);
        if (!count) say("vCPU %u: no block is hot\n", i);
    }
    heap_free(h);
}

static void stats(struct call *c)
{
    struct vm *vm;
    if (c->argc) {
        if ((vm = want_vm(c, 0))) stats_of(vm);
        return;
    }
    LIST_FOR_EACH(it, vm_all()) stats_of(CONTAINER_OF(it, struct vm, link));
}

/* What it took and what one takes, as far as it was measured. */
static void show_exits(const struct vm_exit_row *r)
{
    say("%-12s %-28s %10lu", r->reason, r->detail ? r->detail : "", (unsigned long)r->count);
    if (r->time_ns) say(" %12lu %10lu", (unsigned long)(r->time_ns / 1000), (unsigned long)(r->time_ns / r->count));
    if (r->ticks) say(" %11lu", (unsigned long)(r->ticks / r->count));
    say("\n");
}

static void exits(struct call *c)
{
    enum { MOST = 128 };
    struct vm *vm = want_vm(c, 0);
    struct vcpu *v = NULL;
    if (!vm || (c->argc > 1 && !want_vcpu(c, vm, 1, &v))) return;
    struct vm_exit_row *row = heap_alloc(sizeof *row * MOST);
    unsigned count = row ? vm_exit_rows(vm, v ? v->id : VM_ALL_VCPUS, row, MOST) : 0;
    if (!row) fail(c, "no memory for it");
    else say("reason       detail                            count      time us    ns each  ticks each\n");
    for (unsigned i = 0; i < count && i < MOST; i++) show_exits(&row[i]);
    heap_free(row);
}

static void config_of(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm) return;
    const struct vm_config *k = &vm->config;
    say("[vm %s]\narch = %s\nmemory = %luK\nvcpus = %u\nmode = %s\n", vm->name, guest_arch_name(k->guest_arch),
        (unsigned long)(k->memory_size >> 10), k->vcpu_count, k->is_mode_auto ? "auto" : exec_mode_name(k->exec_mode));
    const struct { const char *key, *value; } text[] = {
        { "kernel", k->kernel_path }, { "firmware", k->firmware_path }, { "initrd", k->initrd_path }, { "cmdline", k->cmdline },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(text); i++) {
        if (text[i].value && *text[i].value) say("%s = %s\n", text[i].key, text[i].value);
    }
    for (unsigned i = 0; i < k->option_count; i++) say("option = %s\n", k->option[i]);
}

/* ---- the host ---- */
static void cpus(struct call *c)
{
    char text[160];
    (void)c;
    say("%s\n", arch_description(text, sizeof text));
    uint64_t now = arch_time_ns();
    for (unsigned i = 0; i < arch_cpu_count(); i++) {
        const struct percpu *p = percpu_of(i);
        uint64_t idle = p ? __atomic_load_n(&p->idle_ns, __ATOMIC_RELAXED) : 0;
        say("core %u: %lu ms idle of %lu\n", i, (unsigned long)(idle / 1000000), (unsigned long)(now / 1000000));
    }
}

static void memory(struct call *c)
{
    (void)c;
    say("pages free %lu of %lu (4 KiB each)\nheap in use %lu bytes\n", (unsigned long)page_available(), (unsigned long)page_total(),
        (unsigned long)heap_used_bytes());
}

static void say_line(void *ctx, const char *line)
{
    unsigned *count = ctx;
    (*count)++;
    say("%s\n", line);
}

static void disks(struct call *c)
{
    unsigned count = 0;
    (void)c;
    host_disk_list(say_line, &count);
    if (!count) say("no disks of the host's own\n");
}

static void time(struct call *c)
{
    (void)c;
    uint64_t now = arch_time_ns() / 1000000, wall = arch_wall_time_s();
    say("up %lu.%03lu s\n", (unsigned long)(now / 1000), (unsigned long)(now % 1000));
    if (wall) say("%lu s since 1970 (UTC)\n", (unsigned long)wall);
    else say("this machine has no clock\n");
}

static const struct command commands[] = {
    { "info regs",    "VM [VCPU] [all]", "registers; all: control and floating-point too",   regs },
    { "info mem",     "VM",              "its RAM",                                          mem },
    { "info mmu",     "VM [VCPU]",       "address space and TLB",                            mmu },
    { "info devices", "VM",              "where its devices lie, and its disks",             devices },
    { "info stats",   "[VM]",            "what its vCPUs have done",                         stats },
    { "info exits",   "VM [VCPU]",       "why its vCPUs left guest code, and what they met", exits },
    { "info jit",     "VM",              "what its vCPUs have compiled, and their code memory", jit },
    { "info hot",     "VM [N]",          "its hottest blocks, in the guest's instructions and the host's bytes", hot },
    { "info config",  "VM",              "its description",                                  config_of },
    { "info cpus",    "",                "the host's cores, and how long they idled",        cpus },
    { "info memory",  "",                "the host's free pages and heap",                   memory },
    { "info net",     "",                "who is on the switch: addresses and frames",       network },
    { "info disks",   "",                "the host's disks and their partitions",            disks },
    { "info time",    "",                "time since boot, and of day",                      time },
};
const struct command_table INFO_COMMANDS = { "What there is", commands, ARRAY_COUNT(commands) };
