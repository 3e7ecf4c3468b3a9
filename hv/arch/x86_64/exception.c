// SPDX-License-Identifier: Apache-2.0
/* Every vector arrives here: interrupts go to their chip's file, exceptions of the hypervisor itself are fatal. Prints
 * what the CPU says in the SDM's words (6.15, 4.7) and hands over to the panic. Runs on the failing core, on its own or
 * one of its special stacks. Upcall: hv/core's panic_exception, set at boot, since this room is below it. */
#include "hv/arch/x86_64/exception.h"
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

extern const uint8_t __image_start[], __rodata_start[];

static x86_64_exception_fn *report;
static void (*raw_output)(const char *text, size_t length);

void x86_64_exception_handler(x86_64_exception_fn *f, void (*raw)(const char *text, size_t length))
{
    report = f;
    raw_output = raw;
}

static const char *const vector_name[32] = {
    "#DE divide error",             "#DB debug",                  "NMI",                         "#BP breakpoint",
    "#OF overflow",                 "#BR bound range",            "#UD invalid opcode",          "#NM no FPU",
    "#DF double fault",             "coprocessor overrun",        "#TS invalid TSS",             "#NP segment not present",
    "#SS stack fault",              "#GP general protection",     "#PF page fault",              "reserved vector 15",
    "#MF x87 error",                "#AC alignment check",        "#MC machine check",           "#XM SIMD exception",
    "#VE virtualization exception", "#CP control protection",     "reserved vector 22",          "reserved vector 23",
    "reserved vector 24",           "reserved vector 25",         "reserved vector 26",          "reserved vector 27",
    "#HV hypervisor injection",     "#VC VMM communication",      "#SX security exception",      "reserved vector 31",
};
enum { VECTOR_NMI = 2, VECTOR_DOUBLE_FAULT = 8, VECTOR_PAGE_FAULT = 14 };

static bool is_code(uintptr_t a) { return a >= (uintptr_t)__image_start && a < (uintptr_t)__rodata_start; }

/* Where in its slot of stacks an address is; X86_64_SLOT_BYTES: in none. */
static uint64_t in_slot(uintptr_t a)
{
    uint64_t others = x86_64_platform.stacks, boot = (uint64_t)x86_64_boot_slot;
    if (a >= boot && a - boot < X86_64_SLOT_BYTES) return a - boot;
    uint64_t size = x86_64_platform.cpu_count ? (x86_64_platform.cpu_count - 1) * (uint64_t)X86_64_SLOT_BYTES : 0;
    if (others && a >= others && a - others < size) return (a - others) % X86_64_SLOT_BYTES;
    return X86_64_SLOT_BYTES;
}

static bool is_stack(uintptr_t a)
{
    uint64_t at = in_slot(a);
    if (a & 7) return false;
    return (at >= X86_64_STACK_FROM && at + 16 <= X86_64_STACK_TO)
        || (at >= X86_64_DOUBLE_FAULT_TO - 0x2000 && at + 16 <= X86_64_DOUBLE_FAULT_TO)
        || (at >= X86_64_NMI_TO - 0x2000 && at + 16 <= X86_64_NMI_TO)
        || (at >= X86_64_MCHECK_TO - 0x2000 && at + 16 <= X86_64_MCHECK_TO);
}

static bool is_guard(uintptr_t a) { return in_slot(a) < X86_64_STACK_FROM; }

/* Return addresses along the chain of frame records {caller's record, return address} that starts at rbp. */
static unsigned walk(uintptr_t rbp, uintptr_t *out, unsigned cap)
{
    unsigned n = 0;
    while (n < cap && is_stack(rbp)) {
        const uintptr_t *record = (const uintptr_t *)rbp;
        if (!is_code(record[1])) break;
        out[n++] = record[1];
        if (record[0] == rbp) break;
        rbp = record[0];
    }
    return n;
}

unsigned arch_backtrace(uintptr_t *out, unsigned cap) { return walk((uintptr_t)__builtin_frame_address(0), out, cap); }

static void describe(char *out, size_t cap_bytes, const struct x86_64_frame *f, uint64_t cr2)
{
    const char *name = f->vector < ARRAY_COUNT(vector_name) ? vector_name[f->vector] : "unexpected interrupt";
    if (f->vector == VECTOR_PAGE_FAULT) {
        hv_snprintf(out, cap_bytes, "%s, %s, %s%s", name, f->error & 16 ? "execute" : f->error & 2 ? "write" : "read",
                    f->error & 8 ? "reserved bit" : f->error & 1 ? "forbidden" : "not present",
                    cr2 < HV_PAGE_BYTES ? ", null pointer" : "");
    } else {
        hv_snprintf(out, cap_bytes, "%s", name);
    }
}

void x86_64_fatal(const struct x86_64_frame *f)
{
    uint64_t cr2 = X86_64_READ_CR(2);
    char reason[96], text[1200];
    uintptr_t frames[26];
    describe(reason, sizeof reason, f, cr2);
    if (x86_64_self()->fatal_depth++) {                   /* the report itself failed: one line, no more */
        int length = hv_snprintf(text, sizeof text, "\n*** %s at 0x%lx, cr2 0x%lx, while reporting\n", reason, (unsigned long)f->rip,
                                 (unsigned long)cr2);
        if (raw_output && x86_64_self()->fatal_depth == 2) raw_output(text, (size_t)length);
        arch_halt();
    }
    const struct { const char *name; uint64_t value; } reg[] = {
        { "rax", f->rax }, { "rbx", f->rbx }, { "rcx", f->rcx }, { "rdx", f->rdx }, { "rsi", f->rsi }, { "rdi", f->rdi },
        { "rbp", f->rbp }, { "rsp", f->rsp }, { "r8",  f->r8 },  { "r9",  f->r9 },  { "r10", f->r10 }, { "r11", f->r11 },
        { "r12", f->r12 }, { "r13", f->r13 }, { "r14", f->r14 }, { "r15", f->r15 },
        { "cr0", X86_64_READ_CR(0) }, { "cr2", cr2 }, { "cr3", X86_64_READ_CR(3) }, { "cr4", X86_64_READ_CR(4) },
    };
    bool is_overflow = (f->vector == VECTOR_DOUBLE_FAULT || f->vector == VECTOR_PAGE_FAULT) && is_guard(cr2);
    int n = hv_snprintf(text, sizeof text, "  rip %016lx  error %lx  rflags %lx  cs %lx  ss %lx%s\n", (unsigned long)f->rip,
                        (unsigned long)f->error, (unsigned long)f->rflags, (unsigned long)f->cs, (unsigned long)f->ss,
                        is_overflow ? "  (stack overflow)" : "");
    for (unsigned i = 0; i < ARRAY_COUNT(reg); i++) {
        n += hv_snprintf(text + n, sizeof text - (size_t)n, "  %-3s %016lx%s", reg[i].name, (unsigned long)reg[i].value, i % 4 == 3 ? "\n" : "");
    }
    frames[0] = f->rip;
    unsigned count = 1;
    /* A call to nowhere: the caller is on top of the stack. */
    if (!is_code(f->rip) && is_stack(f->rsp) && is_code(*(const uintptr_t *)f->rsp)) frames[count++] = *(const uintptr_t *)f->rsp;
    count += walk(f->rbp, frames + count, ARRAY_COUNT(frames) - count);
    if (report) report(reason, text, frames, count);
    arch_halt();
}

void x86_64_interrupt(struct x86_64_frame *f)
{
    switch (f->vector) {
    case X86_64_VECTOR_TIMER:
        x86_64_apic_eoi();
        x86_64_timer_interrupt();
        return;
    case X86_64_VECTOR_KICK:
        x86_64_apic_eoi();
        x86_64_upcall(ARCH_IRQ_KICK, 0);
        return;
    case X86_64_VECTOR_APIC_ERROR:
        x86_64_apic_eoi();
        return;
    case X86_64_VECTOR_SPURIOUS:                          /* SDM 10.9: no end-of-interrupt */
        return;
    case VECTOR_NMI:
        if (__atomic_load_n(&x86_64_is_stopping, __ATOMIC_ACQUIRE)) arch_halt();    /* pairs with arch_stop_others */
        break;
    }
    if (f->vector >= X86_64_VECTOR_DEVICE) x86_64_device_interrupt((unsigned)f->vector);
    else if (f->vector < X86_64_VECTOR_LEGACY) x86_64_fatal(f);
    /* else: a spurious interrupt of the masked 8259s */
}
