// SPDX-License-Identifier: Apache-2.0
/* Panics and symbols; see panic.h. The symbol table is made by tools/mksyms.c from the linked image and linked in by a
 * second pass: a count, then {offset from __image_start, offset of the name}, sorted by address, then the names. */
#include "hv/core/panic.h"
#include "hv/arch/arch.h"
#include "hv/base/fmt.h"
#include "hv/base/string.h"

struct symbol { uint32_t offset, name; };
extern const uint32_t hv_symbol_count __attribute__((weak));
extern const struct symbol hv_symbols[] __attribute__((weak));
extern const char hv_symbol_names[] __attribute__((weak));
extern const char __image_start[] __attribute__((weak)), __image_end[] __attribute__((weak));

static void (*output)(const char *text, size_t length);
static uint32_t is_panicking;

void panic_set_output(void (*write)(const char *text, size_t length)) { output = write; }

void symbol_format(char *out, size_t cap_bytes, uintptr_t address)
{
    uintptr_t base = (uintptr_t)__image_start;
    uint32_t count = &hv_symbol_count ? hv_symbol_count : 0, low = 0, high = count;
    if (!count || address < base || address >= (uintptr_t)__image_end) {
        hv_snprintf(out, cap_bytes, "0x%lx", (unsigned long)address);
        return;
    }
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (base + hv_symbols[mid].offset <= address) low = mid;
        else high = mid;
    }
    uintptr_t into = address - base - hv_symbols[low].offset;
    hv_snprintf(out, cap_bytes, into < MIB(1) ? "%s+0x%lx" : "%.0s0x%lx", hv_symbol_names + hv_symbols[low].name,
                (unsigned long)(into < MIB(1) ? into : address));
}

static void say(const char *format, ...) PRINTF(1, 2);
static void say(const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    hv_vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (output) output(line, strlen(line));
}

NORETURN void panic_exception(const char *reason, const char *registers, const uintptr_t *frames, unsigned count)
{
    if (__atomic_exchange_n(&is_panicking, 1, __ATOMIC_ACQ_REL)) arch_halt();      /* one core speaks */
    arch_stop_others();
    say("\n*** hospes panic on cpu %u: %s\n", arch_cpu_id(), reason);
    if (registers && output) output(registers, strlen(registers));
    for (unsigned i = 0; i < count; i++) {
        char name[96];
        symbol_format(name, sizeof name, frames[i]);
        say("  #%-2u 0x%016lx %s\n", i, (unsigned long)frames[i], name);
    }
    say("*** halted\n");
    arch_power_off(101);
}

NORETURN void panic(const char *format, ...)
{
    char reason[256];
    uintptr_t frames[24];
    va_list args;
    va_start(args, format);
    hv_vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    panic_exception(reason, NULL, frames, arch_backtrace(frames, ARRAY_COUNT(frames)));
}
