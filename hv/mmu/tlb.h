// SPDX-License-Identifier: Apache-2.0
/* The soft TLB's inside; the room's own header. Owner: the vCPU's thread.
 * First level: what engines probe (mmu.h), with a shadow that says which entries hold anything, so that a flush costs
 * what was filled and not what fits. It only ever holds global entries and those of the current ASID.
 * Second level: set-associative, one array for 4 KiB pieces and one for 2 MiB pieces, tagged by address, context and
 * ASID; an entry of an old generation is empty. A mapping of another size is stored as pieces that know its size. */
#pragma once
#include "hv/mmu/mmu.h"

#define TLB_PAGE_MASK   (~(uint64_t)(HV_PAGE_BYTES - 1))
#define TLB_LARGE_BITS  21
#define TLB_WAYS        4
#define TLB_SMALL_SETS  512
#define TLB_LARGE_SETS  64
#define TLB_ASID_SETS   8u               /* sets that one address may use, far apart, chosen by its ASID */
#define TLB_FILTER_BITS 4096u
#define TLB_WORDS       (MMU_TLB_ENTRIES / 64)

/* A range of addresses, grown and then reset as a whole; empty when low > high. */
struct va_range { uint64_t low, high; };

/* key: address of the piece | context. page_bits: of the mapping, may differ from the piece's. */
struct tlb2_entry { uint64_t key, gpa; uint32_t generation; uint16_t asid; uint8_t perms, page_bits; };
enum { TLB2_GLOBAL = 8 };                /* beside PERM_* in perms */
_Static_assert(sizeof(struct tlb2_entry) == 24, "a set is two or three cache lines");

struct tlb2_level {
    struct tlb2_entry *entry;            /* [sets][TLB_WAYS] */
    unsigned sets, shift, next_way;
    struct va_range fractured;           /* where mappings lie whose pieces these are only parts of */
};

struct tlb1_shadow {
    uint64_t valid[TLB_WORDS];           /* entries that hold a tag */
    uint64_t local[TLB_WORDS];           /* of those: not global */
    struct va_range large;               /* where entries lie that belong to larger mappings */
    uint8_t  page_bits[MMU_TLB_ENTRIES];
};

struct tlb2 {
    uint32_t generation;
    uint32_t dirty_contexts;             /* first-level tables with any valid entry */
    struct tlb2_level small, large;
    struct tlb1_shadow shadow[MMU_CONTEXTS];
    /* Mappings that code may have been fetched through since the last full flush (a Bloom filter): a page flush that
     * hits none of them leaves the epoch alone, since most flushes are for data. */
    uint64_t fetched[TLB_FILTER_BITS / 64];
    uint64_t fetched_sizes;              /* page_bits seen */
    bool     fetched_split;              /* code was fetched from a page that could not be cached */
    struct tlb2_entry small_entry[TLB_SMALL_SETS * TLB_WAYS], large_entry[TLB_LARGE_SETS * TLB_WAYS];
};

void tlb_init(struct mmu *m);
/* The cached translation of `at` in this context when it allows all of `needs`. */
bool tlb2_find(struct mmu *m, uint64_t at, unsigned context, unsigned needs, struct translation *out);
void tlb2_fill(struct mmu *m, uint64_t at, unsigned context, const struct translation *t);
/* Puts a RAM page into a context's first-level table; perms without PERM_WRITE when it is ROM. */
void tlb1_fill(struct mmu *m, uint64_t page, unsigned context, const struct translation *t, unsigned perms, void *host_page);
/* Code was fetched through a translation that cannot be cached. */
void tlb_note_split_fetch(struct mmu *m);
