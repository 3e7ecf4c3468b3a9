// SPDX-License-Identifier: Apache-2.0
/* Exceptions of the hypervisor itself: all are fatal. Prints what the CPU says, in the words of the Arm ARM (ESR_ELx,
 * D17.2.37), and hands over to the panic. Runs on the core's exception stack, on the core that failed.
 * Upcall: hv/core's panic_exception, set at init, since this room is below it. */
#include "hv/arch/aarch64/aarch64.h"
#include "hv/arch/aarch64/exception.h"
#include "hv/base/bits.h"
#include "hv/base/fmt.h"

struct aarch64_frame { uint64_t x[31]; };

extern const char __image_start[], __rodata_start[], __stacks_start[], __image_end[];
void aarch64_fatal(unsigned vector, const struct aarch64_frame *f);

static aarch64_exception_fn *report;

void aarch64_exception_handler(aarch64_exception_fn *f) { report = f; }

static const char *const class_name[64] = {
    [0x00] = "unknown instruction",             [0x01] = "trapped WFI or WFE",
    [0x07] = "trapped FP or SIMD",              [0x0d] = "branch target",
    [0x0e] = "illegal execution state",         [0x15] = "SVC",
    [0x16] = "HVC",                             [0x17] = "SMC",
    [0x18] = "trapped system register",         [0x19] = "trapped SVE",
    [0x1c] = "pointer authentication",          [0x20] = "instruction abort, lower level",
    [0x21] = "instruction abort",               [0x22] = "misaligned PC",
    [0x24] = "data abort, lower level",         [0x25] = "data abort",
    [0x26] = "misaligned SP",                   [0x2c] = "trapped FP exception",
    [0x2f] = "SError",                          [0x30] = "breakpoint, lower level",
    [0x31] = "breakpoint",                      [0x32] = "single step, lower level",
    [0x33] = "single step",                     [0x34] = "watchpoint, lower level",
    [0x35] = "watchpoint",                      [0x3c] = "BRK",
};

static const char *const fault_name[64] = {
    [0x00] = "address size, level 0",  [0x01] = "address size, level 1", [0x02] = "address size, level 2", [0x03] = "address size, level 3",
    [0x04] = "translation, level 0",   [0x05] = "translation, level 1",  [0x06] = "translation, level 2",  [0x07] = "translation, level 3",
    [0x08] = "access flag, level 0",   [0x09] = "access flag, level 1",  [0x0a] = "access flag, level 2",  [0x0b] = "access flag, level 3",
    [0x0c] = "permission, level 0",    [0x0d] = "permission, level 1",   [0x0e] = "permission, level 2",   [0x0f] = "permission, level 3",
    [0x10] = "external",               [0x14] = "external on walk, level 0", [0x15] = "external on walk, level 1",
    [0x16] = "external on walk, level 2", [0x17] = "external on walk, level 3",
    [0x18] = "parity or ECC",          [0x21] = "alignment",             [0x30] = "TLB conflict",
    [0x31] = "unsupported atomic update",
};

static bool is_code(uintptr_t a)  { return a >= (uintptr_t)__image_start && a < (uintptr_t)__rodata_start; }
static bool is_stack(uintptr_t a)
{
    /* Within one slot, and not in its guards: those are unmapped. */
    uintptr_t in_slot = (a - (uintptr_t)__stacks_start) % AARCH64_STACK_SLOT_BYTES;
    bool is_mapped = (in_slot >= AARCH64_GUARD_BYTES && in_slot + 16 <= AARCH64_STACK_TOP)
                  || (in_slot >= AARCH64_STACK_TOP + AARCH64_GUARD_BYTES && in_slot + 16 <= AARCH64_STACK_SLOT_BYTES);
    return a >= (uintptr_t)__stacks_start && a + 16 <= (uintptr_t)__image_end && (a & 7) == 0 && is_mapped;
}

/* Return addresses along the chain of frame records {next, return address} that starts at fp. */
static unsigned walk(uintptr_t fp, uintptr_t *out, unsigned cap)
{
    unsigned n = 0;
    while (n < cap && is_stack(fp)) {
        const uintptr_t *record = (const uintptr_t *)fp;
        if (!is_code(record[1])) break;
        out[n++] = record[1];
        if (record[0] == fp) break;
        fp = record[0];
    }
    return n;
}

unsigned arch_backtrace(uintptr_t *out, unsigned cap) { return walk((uintptr_t)__builtin_frame_address(0), out, cap); }

static void describe(char *out, size_t cap_bytes, unsigned vector, uint64_t esr)
{
    static const char *const kind[] = { "exception", "interrupt", "FIQ", "SError" };
    static const char *const from[] = { "", " on the exception stack", " from a lower level", " from a lower level (32-bit)" };
    unsigned class = (unsigned)bits64(esr, 31, 26);
    const char *name = class_name[class] ? class_name[class] : "unnamed class";
    if (vector % 4 != 0) {
        hv_snprintf(out, cap_bytes, "%s%s", kind[vector % 4], from[vector / 4 % 4]);
    } else if (class == 0x24 || class == 0x25) {
        const char *fault = fault_name[esr & 63];
        hv_snprintf(out, cap_bytes, "%s, %s, %s fault%s", name, esr & 64 ? "write" : "read", fault ? fault : "unnamed", from[vector / 4 % 4]);
    } else if (class == 0x20 || class == 0x21) {
        const char *fault = fault_name[esr & 63];
        hv_snprintf(out, cap_bytes, "%s, %s fault%s", name, fault ? fault : "unnamed", from[vector / 4 % 4]);
    } else {
        hv_snprintf(out, cap_bytes, "%s%s", name, from[vector / 4 % 4]);
    }
}

/* An overflown stack faults in its lower guard page. */
static bool is_guard(uintptr_t a)
{
    return a >= (uintptr_t)__stacks_start && a < (uintptr_t)__image_end
        && (a - (uintptr_t)__stacks_start) % AARCH64_STACK_SLOT_BYTES < AARCH64_GUARD_BYTES;
}

void aarch64_fatal(unsigned vector, const struct aarch64_frame *f)
{
    uint64_t esr = AARCH64_READ_EL(esr), elr = AARCH64_READ_EL(elr), far = AARCH64_READ_EL(far), spsr = AARCH64_READ_EL(spsr);
    uint64_t sp = vector < 4 ? AARCH64_READ(sp_el0) : (uint64_t)f + 0x110;
    char reason[128], text[1400];
    uintptr_t frames[26];
    describe(reason, sizeof reason, vector, esr);
    int n = hv_snprintf(text, sizeof text, "  elr %016lx  esr %016lx  far %016lx  spsr %lx%s\n", (unsigned long)elr, (unsigned long)esr,
                        (unsigned long)far, (unsigned long)spsr, is_guard(far) ? "  (stack overflow)" : "");
    for (unsigned i = 0; i < 31; i++) {
        n += hv_snprintf(text + n, sizeof text - (size_t)n, "%s x%-2u %016lx%s", i % 4 ? "  " : "  ", i, (unsigned long)f->x[i],
                         i % 4 == 3 ? "\n" : "");
    }
    n += hv_snprintf(text + n, sizeof text - (size_t)n, "   sp  %016lx\n", (unsigned long)sp);

    /* A leaf function keeps no record: its caller is in x30, which the chain may not have. */
    unsigned count = 0;
    frames[count++] = elr;
    unsigned more = walk(f->x[29], frames + 2, ARRAY_COUNT(frames) - 2);
    if (is_code(f->x[30]) && !(more && frames[2] == f->x[30])) {
        frames[count++] = f->x[30];
        count += more;
    } else {
        for (unsigned i = 0; i < more; i++) frames[count++] = frames[2 + i];
    }
    if (report) report(reason, text, frames, count);
    arch_halt();
}
