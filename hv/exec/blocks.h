// SPDX-License-Identifier: Apache-2.0
/* What a vCPU has translated, whatever an engine makes of it: blocks found by (guest-physical address, pc, mode), with a copy of
 * the bytes they were made from, and a jump cache by virtual address. Code memory is fixed at creation; when any part of it
 * is full, all of it is dropped. Links between blocks exist only inside one guest page, so a remapping can make none stale;
 * everything else goes through the jump cache, whose entries carry a serial that moves with translations and code. After a code
 * fence a page's blocks compare their bytes, all of them, before the first of them runs: so links inside the page stay.
 * Owner: the vCPU's thread. */
#pragma once
#include "hv/exec/engine.h"

#define BLOCKS_MAX    (1u << 15)
#define BLOCKS_SOURCE (1u << 21)                 /* bytes of guest code */
#define BLOCKS_HASH   (1u << 15)
#define BLOCKS_JUMPS  (1u << 12)
#define BLOCKS_PAGES  (1u << 13)                 /* guest pages with code */
#define BLOCKS_PAGE_HASH (1u << 12)
#define NO_BLOCK      0xffffffffu

struct code_block {
    uint64_t pc, gpa;
    void    *entry;                              /* what the engine runs */
    uint32_t mode, next, next_in_page;           /* chains */
    uint32_t source;                             /* index of the copy of its bytes */
    uint16_t source_bytes;
    uint32_t samples;                            /* how often it was met when an engine looked: its share of the instructions */
    bool     crosses, is_stale;                  /* is_stale: its bytes have changed; never found again */
    uint64_t second_gpa;                         /* of the second page when it crosses */
};

/* A page of guest-physical memory with blocks; they are known good in `epoch`. */
struct code_page { uint64_t gpa; uint32_t epoch, first, next; };

/* A line of the jump cache: what to run at pc, as long as the tag is struct blocks'. Engines read the first three. */
struct jump_entry { uint64_t pc, tag; void *entry; const struct code_block *block; };
_Static_assert(sizeof(struct jump_entry) == 32, "index scaling in engines");

/* The engine's side. */
struct blocks_ops {
    void *(*compile)(struct vcpu *v, const struct ir_block *ir, uint32_t block);   /* NULL: no room for so much */
    bool  (*is_full)(struct vcpu *v);                                              /* not even a small block would fit */
    void  (*drop)(struct vcpu *v);                                                 /* everything compiled goes */
    void  (*unlink_stale)(struct vcpu *v);                                         /* links to stale blocks go */
};

struct blocks {
    struct jump_entry jump[BLOCKS_JUMPS];
    uint64_t          tag;                       /* serial << 32 | mode: what a jump entry must carry to be valid now */
    uint32_t          serial, seen_epoch, code_epoch;
    uint32_t          count, source_count;
    uint32_t          hash[BLOCKS_HASH], page_hash[BLOCKS_PAGE_HASH];
    uint32_t          page_count;
    const struct code_block *found;                   /* what lookup found last, for blocks_may_link */
    bool              is_at_break;               /* lookup found nothing because pc has a breakpoint */
    uint64_t          accesses;                  /* of this run */
    uint64_t          flushes, lifts, revalidations;
    const struct blocks_ops *ops;
    struct code_block     *block;
    struct code_page *page;
    uint8_t          *source;
    struct ir_block   ir;
};

NODISCARD bool blocks_init(struct blocks *b, const struct blocks_ops *ops);       /* false: no memory */
void  blocks_destroy(struct blocks *b);
void  blocks_drop(struct vcpu *v, struct blocks *b);
void  blocks_forget(struct vcpu *v, struct blocks *b);                            /* all blocks are suspects */
/* What to run at regs.pc; NULL: v->fault, or is_at_break. */
NODISCARD void *blocks_lookup(struct vcpu *v, struct blocks *b);
/* May a direct jump from one block to another, which is at regs.pc, be linked? */
bool  blocks_may_link(const struct vcpu *v, const struct code_block *from, const struct code_block *to);
