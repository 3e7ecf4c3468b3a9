// SPDX-License-Identifier: Apache-2.0
/* Translation tables of the running level: 4 KiB granule, 48-bit addresses, virtual = physical, blocks as large as they
 * fit. Built by the boot core, shared by all; table pages come from a fixed pool. Nothing is writable and executable: code made
 * at run time has a second view, far above all memory.
 * Arm ARM D8.3 (descriptors). */
#include "hv/arch/aarch64/aarch64.h"
#include "hv/base/assert.h"
#include "hv/base/bits.h"

#define TABLE_COUNT 320                                   /* four for each end of BOOT_MAX_RANGES pieces of RAM, and devices */

static uint64_t tables[TABLE_COUNT][512] ALIGNED(4096);
static unsigned tables_used = 1;                          /* [0] is the root */
static bool is_on;

enum { MEM_DEVICE_NGNRNE, MEM_NORMAL_WB, MEM_NORMAL_NC };
#define MAIR_VALUE 0x44ff00ull

#define DESC_VALID     1ull
#define DESC_TABLE     2ull                               /* and page, at level 3 */
#define DESC_READ_ONLY (1ull << 7)
#define DESC_INNER     (3ull << 8)
#define DESC_ACCESSED  (1ull << 10)
#define DESC_PXN       (1ull << 53)
#define DESC_XN        (1ull << 54)
#define DESC_ADDRESS   0x0000fffffffff000ull

static uint64_t attributes(enum aarch64_memory kind)
{
    /* At EL2 bit 54 is the only execute-never bit and AP[1] is RES1; at EL1 it is the unprivileged one, 53 is ours. */
    uint64_t never = aarch64_at_el2 ? DESC_XN : DESC_XN | DESC_PXN, base = DESC_VALID | DESC_ACCESSED | (aarch64_at_el2 ? 1ull << 6 : 0);
    switch (kind) {
    case AARCH64_RAM:    return base | DESC_INNER | never | MEM_NORMAL_WB << 2;
    case AARCH64_RODATA: return base | DESC_INNER | never | DESC_READ_ONLY | MEM_NORMAL_WB << 2;
    case AARCH64_CODE:   return base | DESC_INNER | DESC_READ_ONLY | (aarch64_at_el2 ? 0 : DESC_XN) | MEM_NORMAL_WB << 2;
    case AARCH64_DEVICE: return base | never | MEM_DEVICE_NGNRNE << 2;
    case AARCH64_SCREEN: return base | never | MEM_NORMAL_NC << 2;       /* writes may be gathered */
    }
    return 0;
}

/* The table below *entry, made if there is none; NULL when a block is there already. */
static uint64_t *descend(uint64_t *entry)
{
    if (!*entry) {
        ASSERT(tables_used < TABLE_COUNT);
        *entry = (uint64_t)tables[tables_used++] | DESC_VALID | DESC_TABLE;
    }
    return *entry & DESC_TABLE ? (uint64_t *)(*entry & DESC_ADDRESS) : NULL;
}

/* [at, end) to the addresses `above` below. */
static void map(uint64_t at, uint64_t end, uint64_t attr, uint64_t above)
{
    while (at < end) {
        uint64_t *table = tables[0], step = 0;
        for (unsigned level = 0; table; level++) {
            unsigned shift = 39 - 9 * level;
            uint64_t *entry = &table[at >> shift & 511];
            step = bit64(shift);
            bool fits = level > 0 && at % step == 0 && end - at >= step;
            if (level == 3) {
                if (!*entry) *entry = (at - above) | attr | DESC_TABLE;
                break;
            }
            if (fits && !*entry) {
                *entry = (at - above) | attr;
                break;
            }
            table = descend(entry);
        }
        at = align_down(at, step) + step;
    }
    if (is_on) {
        aarch64_dsb();                                    /* new entries were invalid before: no TLB holds them */
        aarch64_isb();
    }
}

void aarch64_map(uint64_t base, uint64_t size_bytes, enum aarch64_memory kind)
{
    uint64_t at = align_down(base, HV_PAGE_BYTES), end = align_up(base + size_bytes, HV_PAGE_BYTES);
    if (end <= 1ull << 48 && end > at) map(at, end, attributes(kind), 0);
}

#define CODE_VIEW   (1ull << 46)                          /* added to an address: where its code runs; RAM ends far below */
#define CODE_TABLES 2                                     /* that one more unit may need */

const void *arch_code_map(void *pages, uint64_t size_bytes)
{
    uint64_t at = (uint64_t)pages + CODE_VIEW;
    if (tables_used + CODE_TABLES + size_bytes / bit64(30) > TABLE_COUNT) return NULL;
    map(at, at + size_bytes, attributes(AARCH64_CODE), CODE_VIEW);
    return (const void *)at;
}

/* What was written through one view reaches the other's instruction fetches (Arm ARM B2.7.4.2): data to the point of
 * unification, then the instruction lines go. Broadcast, as code may have run on another core before. */
void arch_code_written(const void *run, size_t size_bytes)
{
    uint64_t ctr = AARCH64_READ(ctr_el0), data_line = 4ull << (ctr >> 16 & 15), code_line = 4ull << (ctr & 15), end = (uint64_t)run + size_bytes;
    for (uint64_t at = align_down((uint64_t)run, data_line); at < end; at += data_line) __asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb ish" : : : "memory");
    for (uint64_t at = align_down((uint64_t)run, code_line); at < end; at += code_line) __asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
    __asm__ volatile("dsb ish" : : : "memory");
    aarch64_isb();
}

extern const char __image_start[], __rodata_start[], __data_start[], __stacks_start[], __image_end[];

void aarch64_map_image(void)
{
    uint64_t text = (uint64_t)__image_start, rodata = (uint64_t)__rodata_start, data = (uint64_t)__data_start;
    uint64_t stacks = (uint64_t)__stacks_start;
    aarch64_map(text, rodata - text, AARCH64_CODE);
    aarch64_map(rodata, data - rodata, AARCH64_RODATA);
    aarch64_map(data, stacks - data, AARCH64_RAM);
    for (; stacks < (uint64_t)__image_end; stacks += AARCH64_STACK_SLOT_BYTES) {
        aarch64_map(stacks + AARCH64_GUARD_BYTES, AARCH64_STACK_BYTES, AARCH64_RAM);
        aarch64_map(stacks + AARCH64_STACK_SLOT_BYTES - AARCH64_EXCEPTION_BYTES, AARCH64_EXCEPTION_BYTES, AARCH64_RAM);
    }
}

/* TCR_ELx: 48 bits, write-back walks, inner shareable, 4 KiB; the rest differs by level (Arm ARM D17.2.139, .140). */
void aarch64_paging_registers(struct aarch64_start *s)
{
    uint64_t pa_size = AARCH64_READ(id_aa64mmfr0_el1) & 15;
    uint64_t tcr = 16 | 1ull << 8 | 1ull << 10 | 3ull << 12;
    pa_size = pa_size > 5 ? 5 : pa_size;
    s->mair = MAIR_VALUE;
    s->tcr = aarch64_at_el2 ? tcr | pa_size << 16 | 1ull << 23 | 1ull << 31 : tcr | 1ull << 23 | 2ull << 30 | pa_size << 32;
    s->ttbr = (uint64_t)tables[0];
    /* RES1 bits and M, C, SA, I, WXN */
    s->sctlr = (aarch64_at_el2 ? 0x30c50830ull : 0x30d00800ull) | 1 | 1ull << 2 | 1ull << 3 | 1ull << 12 | 1ull << 19;
}

void aarch64_stacks(unsigned cpu, struct aarch64_start *s)
{
    uint64_t slot = (uint64_t)__stacks_start + (uint64_t)cpu * AARCH64_STACK_SLOT_BYTES;
    s->stack_top = slot + AARCH64_STACK_TOP;
    s->exception_stack_top = slot + AARCH64_STACK_SLOT_BYTES;
    s->cpu = cpu;
}

void aarch64_paging_on(void)
{
    struct aarch64_start s;
    aarch64_paging_registers(&s);
    aarch64_stacks(0, &s);
    /* What was written so far went past the caches: drop stale lines of our memory before they come on. */
    uint64_t line = 4ull << (AARCH64_READ(ctr_el0) >> 16 & 15);
    aarch64_dsb();
    for (uint64_t at = (uint64_t)__data_start; at < (uint64_t)__image_end; at += line) {
        __asm__ volatile("dc ivac, %0" : : "r"(at) : "memory");
    }
    aarch64_dsb();
    aarch64_mmu_on(&s);
    is_on = true;
}

void *arch_map_device(uint64_t base, uint64_t size_bytes)
{
    if (!base || !size_bytes || base + size_bytes < base || base + size_bytes > 1ull << 47) return NULL;
    aarch64_map(base, size_bytes, AARCH64_DEVICE);
    return (void *)base;
}
