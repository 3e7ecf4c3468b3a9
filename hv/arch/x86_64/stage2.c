// SPDX-License-Identifier: Apache-2.0
/* Guest-physical to host-physical: four levels for AMD-V (APM 15.25) and VT-x (SDM 28.3.2) alike. Entries only ever appear
 * while vCPUs run, and an entry that is not present is cached by no TLB: mapping needs no flush. */
#include "hv/arch/x86_64/hw.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define PRESENT  1ull
#define WRITE    2ull
#define EXECUTE  4ull                       /* EPT; the user bit of nested tables, where all accesses are user's */
#define LARGE    (1ull << 7)
#define ADDRESS  0x000ffffffffff000ull
#define TOP      3

static uint64_t *table_of(uint64_t entry) { return (uint64_t *)(entry & ADDRESS); }

static uint64_t *new_table(struct hw_vm *vm)
{
    uint64_t *t = vm->memory.alloc(1, 1);
    if (t) memset(t, 0, HV_PAGE_BYTES);
    return t;
}

bool x86_64_stage2_init(struct hw_vm *vm)
{
    vm->root = new_table(vm);
    return vm->root != NULL;
}

/* Bytes from gpa on that are mapped now, or were before; 0: no memory for a table. */
static uint64_t step(struct hw_vm *vm, uint64_t gpa, uint64_t host, uint64_t left, uint64_t bits)
{
    uint64_t *table = vm->root;
    for (unsigned level = TOP;; level--) {
        uint64_t size = bit64(12 + 9 * level), *entry = &table[gpa >> (12 + 9 * level) & 511];
        bool is_leaf = level == 0 || (*entry & PRESENT && *entry & LARGE);
        bool may_be_large = level == 1 && !(*entry & PRESENT) && left >= size && !((gpa | host) & (size - 1));
        if (is_leaf || may_be_large) {
            if (!(*entry & PRESENT)) __atomic_store_n(entry, host | bits | (level ? LARGE : 0), __ATOMIC_RELEASE);
            uint64_t to_end = size - gpa % size;
            return to_end < left ? to_end : left;
        }
        if (!(*entry & PRESENT)) {
            uint64_t *next = new_table(vm);
            if (!next) return 0;
            __atomic_store_n(entry, (uint64_t)next | PRESENT | WRITE | EXECUTE, __ATOMIC_RELEASE);
        }
        table = table_of(*entry);
    }
}

bool x86_64_stage2_map(struct hw_vm *vm, uint64_t gpa, uint64_t host, uint64_t size_bytes, bool is_writable)
{
    uint64_t bits = vm->leaf_bits | PRESENT | EXECUTE | (is_writable ? WRITE : 0), done = 0, n = 1;
    if (gpa >> 48 || size_bytes > bit64(48) - gpa) return false;
    spin_lock(&vm->lock);
    for (; done < size_bytes && n; done += n) n = step(vm, gpa + done, host + done, size_bytes - done, bits);
    spin_unlock(&vm->lock);
    return n != 0;
}

static void free_below(struct hw_vm *vm, uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < 512; i++) {
        uint64_t entry = table[i];
        table[i] = 0;
        if (!level || !(entry & PRESENT) || entry & LARGE) continue;
        free_below(vm, table_of(entry), level - 1);
        vm->memory.free(table_of(entry), 1);
    }
}

void x86_64_stage2_clear(struct hw_vm *vm)
{
    spin_lock(&vm->lock);
    free_below(vm, vm->root, TOP);
    spin_unlock(&vm->lock);
}

void x86_64_stage2_free(struct hw_vm *vm)
{
    free_below(vm, vm->root, TOP);
    vm->memory.free(vm->root, 1);
}

uint64_t x86_64_stage2_find(const struct hw_vm *vm, uint64_t gpa)
{
    const uint64_t *table = vm->root;
    for (unsigned level = TOP;; level--) {
        uint64_t entry = table[gpa >> (12 + 9 * level) & 511];
        if (!(entry & PRESENT) || !level || entry & LARGE) return entry;
        table = table_of(entry);
    }
}
