// SPDX-License-Identifier: Apache-2.0
/* Stage-2 tables; see stage2.h. */
#include "hv/arch/aarch64/stage2.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

/* Stage-2 descriptors (Arm ARM D8.3.2, D8.5.2). */
#define S2_VALID    1ull
#define S2_TABLE    2ull                                     /* and page, at level 3 */
#define S2_NORMAL   (15ull << 2)                             /* MemAttr: write-back, inner and outer */
#define S2_DEVICE   (1ull << 2)                              /* MemAttr: Device-nGnRE */
#define S2_READ     (1ull << 6)
#define S2_WRITE    (2ull << 6)
#define S2_INNER    (3ull << 8)
#define S2_ACCESSED (1ull << 10)
#define S2_XN       (2ull << 53)
#define S2_ADDRESS  0x0000fffffffff000ull

static uint64_t attributes(enum stage2_kind kind)
{
    switch (kind) {
    case STAGE2_RAM:    return S2_VALID | S2_ACCESSED | S2_INNER | S2_NORMAL | S2_READ | S2_WRITE;
    case STAGE2_ROM:    return S2_VALID | S2_ACCESSED | S2_INNER | S2_NORMAL | S2_READ;
    case STAGE2_DEVICE: return S2_VALID | S2_ACCESSED | S2_DEVICE | S2_READ | S2_WRITE | S2_XN;
    }
    return 0;
}

static uint64_t *new_table(const struct stage2 *s)
{
    uint64_t *t = s->memory->alloc(1, 1);
    if (t) memset(t, 0, HV_PAGE_BYTES);
    return t;
}

bool stage2_init(struct stage2 *s, const struct hw_memory *memory)
{
    s->memory = memory;
    s->root = new_table(s);
    return s->root != NULL;
}

/* A walker may look as soon as the entry is there. */
static void set(uint64_t *entry, uint64_t value) { __atomic_store_n(entry, value, __ATOMIC_RELEASE); }

bool stage2_map(struct stage2 *s, uint64_t at, uint64_t host, uint64_t size_bytes, enum stage2_kind kind)
{
    uint64_t end = at + size_bytes, attr = attributes(kind);
    if ((at | host | size_bytes) & (HV_PAGE_BYTES - 1) || end < at || end > bit64(STAGE2_ADDRESS_BITS)) return false;
    while (at < end) {
        uint64_t *table = s->root, step = 0;
        for (unsigned level = 1;; level++) {
            unsigned shift = 39 - 9 * level;
            uint64_t *entry = &table[at >> shift & 511];
            step = bit64(shift);
            bool fits = ((at | host) & (step - 1)) == 0 && end - at >= step;
            if (level == 3 || (fits && !*entry)) {
                if (!*entry) set(entry, host | attr | (level == 3 ? S2_TABLE : 0));
                break;
            }
            if (!*entry) {
                uint64_t *below = new_table(s);
                if (!below) return false;
                set(entry, (uint64_t)below | S2_VALID | S2_TABLE);
            }
            if (!(*entry & S2_TABLE)) break;                 /* a block is there */
            table = (uint64_t *)(*entry & S2_ADDRESS);
        }
        uint64_t next = align_down(at, step) + step;
        host += next - at;
        at = next;
    }
    stage2_publish();
    return true;
}

static void clear_table(const struct stage2 *s, uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < 512; i++) {
        uint64_t entry = table[i];
        set(&table[i], 0);
        if (level == 3 || !(entry & S2_VALID) || !(entry & S2_TABLE)) continue;
        clear_table(s, (uint64_t *)(entry & S2_ADDRESS), level + 1);
        s->memory->free((void *)(entry & S2_ADDRESS), 1);
    }
}

void stage2_clear(struct stage2 *s) { clear_table(s, s->root, 1); }

void stage2_destroy(struct stage2 *s)
{
    if (!s->root) return;
    stage2_clear(s);
    s->memory->free(s->root, 1);
    s->root = NULL;
}
