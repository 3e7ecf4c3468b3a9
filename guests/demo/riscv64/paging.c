// SPDX-License-Identifier: Apache-2.0
/* One Sv39 address space for all harts (privileged spec, 12.4). Built by the boot hart before paging is on;
 * later only single pages of the window and the user page change.
 *   low     devices, image (text RX, rodata R, data RW), RAM at their physical addresses; user page at 64 KiB
 *   STACKS  per hart: guard page, stack, guard page, trap stack
 *   WINDOW  empty, for tests */
#include "demo.h"

enum { LEVELS = 3, ENTRIES = 512, TABLES_MAX = 64 };
#define SATP_SV39 (8ul << 60)

static u64 tables[TABLES_MAX][ENTRIES] __attribute__((aligned(4096)));
static u32 tables_used;
static u8 stacks[HARTS_MAX][2 * STACK_SIZE] __attribute__((aligned(4096)));

static u64 level_size(u32 level)
{
    return PAGE_SIZE << 9 * level;
}

static u64 *entry_at(u64 va, u32 level)                    /* makes the tables on the way; NULL = none left */
{
    u64 *table = tables[0];
    for (u32 l = LEVELS - 1;; l--) {
        u64 *entry = &table[va >> (12 + 9 * l) & (ENTRIES - 1)];
        if (l == level) {
            return entry;
        }
        if (!(*entry & PTE_V)) {
            if (tables_used == TABLES_MAX) {
                return NULL;
            }
            *entry = (u64)tables[tables_used++] >> 12 << 10 | PTE_V;
        }
        table = (u64 *)(*entry >> 10 << 12);
    }
}

/* Each step takes the largest page that fits. */
bool paging_map(u64 va, u64 pa, u64 size_bytes, u64 flags)
{
    while (size_bytes) {
        u32 level = LEVELS - 1;
        while (level && ((va | pa) % level_size(level) || size_bytes < level_size(level))) {
            level--;
        }
        u64 *entry = entry_at(va, level);
        if (!entry) {
            return false;
        }
        *entry = pa >> 12 << 10 | flags | PTE_V;
        u64 step = size_bytes < level_size(level) ? size_bytes : level_size(level);
        va += step, pa += step, size_bytes -= step;
    }
    return true;
}

void paging_set(u64 va, u64 pa, u64 flags)
{
    u64 *entry = entry_at(va, 0);
    *entry = flags ? pa >> 12 << 10 | flags | PTE_V : 0;
    __asm__ volatile("sfence.vma %0" ::"r"(va) : "memory");
}

static void map_device(const struct region *region)
{
    if (region->base) {
        u64 first = region->base / PAGE_SIZE * PAGE_SIZE;
        u64 size =
            region->size_bytes < 0x400000 ? region->size_bytes : 0x400000; /* as much of a PLIC as we use */
        paging_map(first, first, (region->base - first + size + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE,
                   PAGE_RW);
    }
}

void paging_init(void)
{
    u64 text = (u64)image_start, rodata = (u64)text_end, data = (u64)rodata_end, end = (u64)image_end;
    u64 ram_end = machine.ram.base + machine.ram.size_bytes;
    tables_used = 1;
    paging_map(text, text, rodata - text, PAGE_RX);
    paging_map(rodata, rodata, data - rodata, PAGE_RO);
    paging_map(data, data, end - data, PAGE_RW);
    paging_map(end, end, ram_end - end, PAGE_RW);           /* below the image lives the firmware: not ours */
    paging_map(USER_PAGE, (u64)user_code, PAGE_SIZE, PAGE_RX | PTE_U);
    map_device(&machine.uart);
    map_device(&machine.plic);
    map_device(&machine.finisher);
    map_device(&machine.rtc);
    for (u32 i = 0; i < machine.virtio_count; i++) {
        map_device(&machine.virtio[i]);
    }
    for (u32 h = 0; h < machine.hart_count; h++) {
        u64 stack = STACKS + h * 4 * STACK_SIZE + PAGE_SIZE, trap_stack = stack + STACK_SIZE + PAGE_SIZE;
        paging_map(stack, (u64)stacks[h], STACK_SIZE, PAGE_RW);
        paging_map(trap_stack, (u64)stacks[h] + STACK_SIZE, STACK_SIZE, PAGE_RW);
        harts[h].satp = SATP_SV39 | (u64)tables[0] >> 12;
        harts[h].stack = stack + STACK_SIZE;
        harts[h].trap_stack = trap_stack + STACK_SIZE - 16;
        *(struct hart **)(stacks[h] + 2 * STACK_SIZE - 16) = &harts[h];
    }
}
