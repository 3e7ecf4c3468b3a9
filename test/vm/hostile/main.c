// SPDX-License-Identifier: Apache-2.0
/* Chooses the program by the boot arguments, read out of the device tree as plain bytes. */
#include "hostile.h"

uint64_t is_machine = 1, seed = 1;
static uint64_t random_state;

static const struct { const char *name; program *run; } programs[] = {
    { "illegal-storm", illegal_storm },       { "trap-loop", trap_loop },         { "hopeless-handler", hopeless_handler },
    { "spin", spin },                         { "sleep", sleep_for_ever },        { "ipi-storm", ipi_storm },
    { "timer-past", timer_past },             { "csrs", all_csrs },               { "pmp", locked_pmp },
    { "sbi", sbi_garbage },                   { "random", random_code },          { "rewritten", rewritten_code },
    { "rewritten-unfenced", rewritten_unfenced },
    { "page-tables", page_tables },           { "pmp-games", pmp_games },         { "wiped", wiped },
    { "jumps", jumps_to_devices },
    { "mmio", mmio_storm },                   { "rings", ring_garbage },          { "uart-flood", uart_flood },
    { "uart-lines", uart_lines },             { "finisher", finisher_words },     { "reset-storm", reset_storm },
    { "rings-for-ever", rings_for_ever },     { "torture", torture },
};

uint64_t random_u64(void)
{
    random_state += 0x9e3779b97f4a7c15u;                    /* splitmix64 */
    uint64_t z = random_state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void reseed(uint64_t s) { random_state = s; }

void finish(uint32_t word)
{
    *(volatile uint32_t *)TEST = word;
    for (;;) __asm__ volatile("wfi");
}

void print(const char *text)
{
    while (*text) *(volatile uint8_t *)UART = (uint8_t)*text++;
}

static bool starts_with(const char *text, const char *word)
{
    while (*word) if (*text++ != *word++) return false;
    return true;
}

static const char *argument(const char *dtb)
{
    const uint8_t *size = (const uint8_t *)dtb + 4;          /* totalsize, big-endian */
    uint32_t bytes = (uint32_t)size[0] << 24 | (uint32_t)size[1] << 16 | (uint32_t)size[2] << 8 | size[3];
    for (uint32_t i = 0; i + 8 < bytes; i++) if (starts_with(dtb + i, "hostile=")) return dtb + i + 8;
    return "";
}

void hostile(uint64_t hart, const char *dtb);
void hostile(uint64_t hart, const char *dtb)
{
    const char *word = argument(dtb), *at;
    for (unsigned i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (!starts_with(word, programs[i].name)) continue;
        for (at = programs[i].name; *at; at++) word++;
        if (*word && *word != ':' && *word != ' ') { word -= at - programs[i].name; continue; }
        for (seed = 0; *word == ':' || (*word >= '0' && *word <= '9'); word++) if (*word != ':') seed = seed * 10 + (uint64_t)(*word - '0');
        random_state = seed * 1000 + hart;
        programs[i].run(hart);
        break;
    }
    if (hart == 0) print("hostile: done\n"), finish(0x5555);
}
