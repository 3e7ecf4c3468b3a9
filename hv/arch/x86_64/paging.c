// SPDX-License-Identifier: Apache-2.0
/* The hypervisor's own address space: one to one, never writable and executable at once, page 0 and guard pages absent
 * (SDM 4.5). Tables are written by the boot core until the other cores run; afterwards code made at run time gets its second
 * view, far above all memory: entries that were absent, which no core has cached. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define PRESENT  (1ull << 0)
#define WRITE    (1ull << 1)
#define UNCACHED (1ull << 3 | 1ull << 4)                 /* PWT, PCD: entry 3 of the PAT, UC unless someone changed it */
#define COMBINED (1ull << 3)                             /* PWT: entry 1, which x86_64_features_on makes WC */
#define LARGE    (1ull << 7)
#define GLOBAL   (1ull << 8)
#define NX       (1ull << 63)
#define ADDRESS  0x000ffffffffff000ull

extern const uint8_t __image_start[], __rodata_start[], __data_start[], __image_end[];

static uint64_t root[512] ALIGNED(4096);
static void *(*take_page)(void);
static bool has_gigabyte_pages, has_nx;

static const uint64_t kind_bits[] = {
    [X86_64_RAM]    = WRITE | NX,
    [X86_64_CODE]   = 0,
    [X86_64_RODATA] = NX,
    [X86_64_DEVICE] = WRITE | NX | UNCACHED,
    [X86_64_SCREEN] = WRITE | NX | COMBINED,
};

uint64_t x86_64_root_table(void)                        { return (uint64_t)root; }

void x86_64_table_source(void *(*f)(void))
{
    take_page = f;
    struct x86_64_cpuid c = x86_64_cpuid_if(0x80000001, 0);
    has_nx = c.d >> 20 & 1;
    has_gigabyte_pages = c.d >> 26 & 1;
}

static bool may_be_large(unsigned level, uint64_t at, uint64_t left)
{
    uint64_t size = bit64(12 + 9 * level);
    return (level == 1 || (level == 2 && has_gigabyte_pages)) && at % size == 0 && left >= size;
}

/* Level 3 is the root. Returns how many bytes from `at` on are mapped now (or were before), to the addresses `above` below them;
 * 0: no memory for a table. */
static uint64_t map_step(uint64_t at, uint64_t left, uint64_t bits, uint64_t above)
{
    uint64_t *table = root;
    for (unsigned level = 3;; level--) {
        uint64_t size = bit64(12 + 9 * level), *entry = &table[at >> (12 + 9 * level) & 511];
        if (level == 0 || (may_be_large(level, at, left) && !(*entry & PRESENT)) || (*entry & PRESENT && *entry & LARGE && level)) {
            if (!(*entry & PRESENT)) *entry = (at - above) | bits | (level ? LARGE : 0);
            uint64_t to_end = size - at % size;
            return to_end < left ? to_end : left;
        }
        if (!(*entry & PRESENT)) {
            void *page = take_page();
            if (!page) return 0;
            memset(page, 0, HV_PAGE_BYTES);
            *entry = (uint64_t)page | PRESENT | WRITE;
        }
        table = (uint64_t *)(*entry & ADDRESS);
    }
}

void x86_64_map(uint64_t base, uint64_t size_bytes, enum x86_64_memory kind)
{
    uint64_t bits = (kind_bits[kind] & (has_nx ? ~0ull : ~NX)) | PRESENT | GLOBAL;
    uint64_t end = align_up(base + size_bytes, HV_PAGE_BYTES);
    base = align_down(base, HV_PAGE_BYTES);
    if (base == 0) base = HV_PAGE_BYTES;                 /* a null pointer must fault */
    while (base < end) {
        uint64_t done = map_step(base, end - base, bits, 0);
        if (!done) return;                               /* out of memory at boot: the access will tell */
        base += done;
    }
}

#define CODE_VIEW (1ull << 46)                           /* added to an address: where its code runs; RAM ends far below */

const void *arch_code_map(void *pages, uint64_t size_bytes)
{
    uint64_t at = (uint64_t)pages + CODE_VIEW, end = at + size_bytes;
    while (at < end) {
        uint64_t done = map_step(at, end - at, kind_bits[X86_64_CODE] | PRESENT | GLOBAL, CODE_VIEW);
        if (!done) return NULL;
        at += done;
    }
    return (const void *)((uint64_t)pages + CODE_VIEW);
}

/* Written and run by one core at a time, through two addresses: between them stands a serialising instruction (SDM 8.1.3). */
void arch_code_written(const void *run, size_t size_bytes)
{
    (void)run, (void)size_bytes;
    X86_64_WRITE_CR(2, 0);                               /* one that no hypervisor below traps */
}

void x86_64_map_stacks(uint64_t base, unsigned slot_count)
{
    static const struct { uint32_t from, to; } part[] = {
        { X86_64_STACK_FROM, X86_64_STACK_TO },
        { X86_64_DOUBLE_FAULT_TO - 0x2000, X86_64_DOUBLE_FAULT_TO },
        { X86_64_NMI_TO - 0x2000, X86_64_NMI_TO },
        { X86_64_MCHECK_TO - 0x2000, X86_64_MCHECK_TO },
    };
    for (; slot_count; slot_count--, base += X86_64_SLOT_BYTES) {
        for (unsigned i = 0; i < ARRAY_COUNT(part); i++) {
            /* page by page: a large page would swallow the guards */
            for (uint64_t at = part[i].from; at < part[i].to; at += HV_PAGE_BYTES) x86_64_map(base + at, HV_PAGE_BYTES, X86_64_RAM);
        }
    }
}

void x86_64_map_image(void)
{
    uint64_t text = (uint64_t)__image_start, rodata = (uint64_t)__rodata_start, data = (uint64_t)__data_start;
    uint64_t slot = (uint64_t)x86_64_boot_slot, end = (uint64_t)__image_end;
    x86_64_map(text, rodata - text, X86_64_CODE);
    x86_64_map(rodata, data - rodata, X86_64_RODATA);
    x86_64_map(data, slot - data, X86_64_RAM);
    x86_64_map_stacks(slot, 1);
    x86_64_map(slot + X86_64_SLOT_BYTES, end - slot - X86_64_SLOT_BYTES, X86_64_RAM);
}

void x86_64_paging_on(void)
{
    X86_64_WRITE_CR(3, root);
    X86_64_WRITE_CR(4, X86_64_READ_CR(4) | 1u << 7);     /* PGE, after CR3: drops what the boot tables left behind */
}

void *arch_map_device(uint64_t base, uint64_t size_bytes)
{
    if (!base || !size_bytes || base + size_bytes < base || base + size_bytes > 1ull << 47) return NULL;
    x86_64_map(base, size_bytes, X86_64_DEVICE);
    return (void *)base;
}
