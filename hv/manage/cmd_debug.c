// SPDX-License-Identifier: Apache-2.0
/* Looking into a guest: registers, code, memory. What must hold still wants the VM paused (or not running). */
#include "hv/base/fmt.h"
#include "hv/base/string.h"
#include "hv/manage/command.h"
#include "hv/vm/debug.h"

#define MAX_DUMP_BYTES 65536u
#define MAX_DISAS      1000u
#define MAX_STEPS      100000u              /* the other guests of this core wait */

/* NULL: told. */
static struct vm *want_still_vm(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    if (!vm || vm_state(vm) != VM_RUNNING) return vm;
    fail(c, "%s runs (vm pause %s first)", vm->name, vm->name);
    return NULL;
}

static void reg(struct call *c)
{
    struct vm *vm = c->argc > 3 ? want_still_vm(c) : want_vm(c, 0);
    struct vcpu *v;
    uint64_t value;
    if (!vm || !want_vcpu(c, vm, 1, &v)) return;
    int n = vcpu_find_reg(v, c->argv[2]);
    if (n < 0) {
        fail(c, "%s has no register %.40s (info regs %s 0 all lists them)", guest_arch_name(vm->config.guest_arch), c->argv[2], vm->name);
        return;
    }
    if (c->argc > 3 && (!want_number(c, 3, "value", &value) || !succeeded(c, vcpu_set_reg(v, (unsigned)n, value), c->argv[2]))) return;
    if (succeeded(c, vcpu_get_reg(v, (unsigned)n, &value), c->argv[2])) say("%s = 0x%lx\n", c->argv[2], (unsigned long)value);
}

static void disas(struct call *c)
{
    struct vm *vm = want_still_vm(c);
    struct vcpu *v;
    struct insn i;
    char text[96];
    uint64_t at, count = 10;
    if (!vm || !want_vcpu(c, vm, 1, &v)) return;
    at = vcpu_get_pc(v).v;
    if (c->argc > 2 && strcmp(c->argv[2], "pc") && !want_number(c, 2, "address", &at)) return;
    if (c->argc > 3 && !want_number(c, 3, "number of instructions", &count)) return;
    for (uint64_t n = 0; n < count && n < MAX_DISAS; n++) {
        struct vm_error e = decode_insn(v, guest_addr_make(at), &i);
        if (vm_failed(e)) {
            vm_error_format(text, sizeof text, &e);
            say("%016lx  %s\n", (unsigned long)at, text);
            return;
        }
        vm->ops->isa->disasm(&i, text, sizeof text);
        say("%016lx  %0*x%*s  %s\n", (unsigned long)at, i.size_bytes * 2, i.bits, 8 - i.size_bytes * 2 > 0 ? 8 - i.size_bytes * 2 : 0, "", text);
        at += i.size_bytes;
    }
}

/* 16 bytes a line, as hexdump -C has them. */
static void dump(uint64_t at, const uint8_t *bytes, size_t n)
{
    for (size_t row = 0; row < n; row += 16) {
        say("%016lx ", (unsigned long)(at + row));
        for (size_t i = row; i < row + 16; i++) {
            if (i < n) say(i % 8 ? " %02x" : "  %02x", bytes[i]);
            else say(i % 8 ? "   " : "    ");
        }
        say("  |");
        for (size_t i = row; i < row + 16 && i < n; i++) say("%c", bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.');
        say("|\n");
    }
}

/* Memory from argv[1] on, argv[2] bytes of it. */
static void show_memory(struct call *c, bool is_physical)
{
    struct vm *vm = want_vm(c, 0);
    uint64_t at, count = 64, vcpu = 0;
    uint8_t bytes[64];
    if (!vm || !want_number(c, 1, "address", &at)) return;
    if (c->argc > 2 && !want_number(c, 2, "number of bytes", &count)) return;
    if (c->argc > 3 && !want_number(c, 3, "vCPU number", &vcpu)) return;
    if (count > MAX_DUMP_BYTES) count = MAX_DUMP_BYTES;
    for (uint64_t done = 0; done < count; done += sizeof bytes) {
        size_t n = count - done < sizeof bytes ? (size_t)(count - done) : sizeof bytes;
        if (!succeeded(c, vm_read_memory(vm, (unsigned)vcpu, is_physical, at + done, bytes, n), "memory")) return;
        dump(at + done, bytes, n);
    }
}

static void x(struct call *c)        { show_memory(c, false); }
static void physical(struct call *c) { show_memory(c, true); }

/* RAM, or the device at an address. */
static const char *what_is_at(const struct vm *vm, guest_phys_addr at)
{
    if (gmem_is_ram(&vm->gmem, at, 1)) return "RAM";
    for (unsigned i = 0; i < vm->bus.count; i++) {
        const struct mmio_region *r = &vm->bus.region[i];
        if (at.v - r->base.v < r->size_bytes) return vm->device_name[i];
    }
    return "nothing there";
}

static void trans(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    struct vcpu *v;
    guest_phys_addr to;
    uint64_t at;
    unsigned rights;
    if (!vm || !want_number(c, 1, "address", &at) || !want_vcpu(c, vm, 2, &v)) return;
    if (vm_failed(vm_translate(vm, v->id, guest_addr_make(at), &to, &rights))) {
        fail(c, "0x%lx is not mapped for vCPU %u of %s", (unsigned long)at, v->id, vm->name);
        return;
    }
    say("0x%lx -> 0x%lx  %c%c%c  %s\n", (unsigned long)at, (unsigned long)to.v, rights & PERM_READ ? 'r' : '-', rights & PERM_WRITE ? 'w' : '-',
        rights & PERM_EXECUTE ? 'x' : '-', what_is_at(vm, to));
}

static void poke(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    uint64_t at, size, value;
    if (!vm || !want_number(c, 1, "address", &at) || !want_number(c, 2, "size", &size) || !want_number(c, 3, "value", &value)) return;
    if (size != 1 && size != 2 && size != 4 && size != 8) {
        fail(c, "the size is 1, 2, 4 or 8 bytes");
        return;
    }
    if (size < 8 && value >> 8 * size) {
        fail(c, "0x%lx does not fit into %lu bytes", (unsigned long)value, (unsigned long)size);
        return;
    }
    if (succeeded(c, vm_write_memory(vm, 0, false, at, &value, (size_t)size), "memory")) say("0x%lx <- 0x%lx\n", (unsigned long)at, (unsigned long)value);
}

static void show_instruction(struct vcpu *v)
{
    struct insn i;
    char text[96];
    guest_addr pc = vcpu_get_pc(v);
    struct vm_error e = decode_insn(v, pc, &i);
    if (vm_failed(e)) vm_error_format(text, sizeof text, &e);
    else v->isa->disasm(&i, text, sizeof text);
    say("vCPU %u at %016lx  %s\n", v->id, (unsigned long)pc.v, text);
}

static void step(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    struct exec_result last = { .status = EXEC_CONTINUE };
    struct vcpu *v;
    uint64_t count = 1;
    if (!vm || !want_vcpu(c, vm, 1, &v)) return;
    if (c->argc > 2 && !want_number(c, 2, "number of instructions", &count)) return;
    if (count > MAX_STEPS) {
        fail(c, "at most %u at a time (break add and vm resume go further)", MAX_STEPS);
        return;
    }
    if (!succeeded(c, vm_step(vm, v->id, (unsigned)count, &last), vm->name)) return;
    if (last.status != EXEC_CONTINUE) say("%s\n", exec_status_name(last.status));
    show_instruction(v);
}

static void break_add(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    uint64_t at;
    if (vm && want_number(c, 1, "address", &at)) (void)succeeded(c, vm_break_add(vm, guest_addr_make(at)), c->argv[1]);
}

static void break_delete(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    uint64_t at;
    if (vm && want_number(c, 1, "address", &at)) (void)succeeded(c, vm_break_remove(vm, guest_addr_make(at)), c->argv[1]);
}

static void break_list(struct call *c)
{
    struct vm *vm = want_vm(c, 0);
    guest_addr at[VCPU_MAX_BREAKS];
    if (!vm) return;
    unsigned count = vm_break_list(vm, at, VCPU_MAX_BREAKS);
    for (unsigned i = 0; i < count; i++) say("%016lx\n", (unsigned long)at[i].v);
    if (!count) say("%s has no breakpoints\n", vm->name);
}

static const struct command commands[] = {
    { "reg",          "VM VCPU REG [VALUE]",     "one register, or sets it",                  reg },
    { "disas",        "VM [VCPU] [ADDR|pc] [N]", "N instructions from there",                 disas },
    { "x",            "VM ADDR [BYTES] [VCPU]",  "memory as that vCPU sees it",               x },
    { "xp",           "VM ADDR [BYTES]",         "physical memory",                           physical },
    { "trans",        "VM ADDR [VCPU]",         "physical address and rights, as that vCPU's tables have them", trans },
    { "poke",         "VM ADDR SIZE VALUE",      "writes memory as vCPU 0 sees it",           poke },
    { "step",         "VM [VCPU] [N]",           "N instructions of one vCPU, the others stand still", step },
    { "break add",    "VM ADDR",                 "the VM pauses before it runs what is there", break_add },
    { "break delete", "VM ADDR",                 "no longer",                                 break_delete },
    { "break list",   "VM",                      "its breakpoints",                           break_list },
};
const struct command_table DEBUG_COMMANDS = { "Looking into a guest", commands, ARRAY_COUNT(commands) };
