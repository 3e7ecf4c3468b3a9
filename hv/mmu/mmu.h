// SPDX-License-Identifier: Apache-2.0
/* One struct mmu per vCPU, owned by the thread that runs it: a soft TLB over the VM's RAM and MMIO bus.
 * Two levels: small direct-mapped tables that engines probe inline, one per *context* (an ISA's number for everything
 * but the address that decides a translation: privilege, SUM, MXR, translation off ...), and behind them a larger
 * table tagged by ASID that survives address-space switches. Others ask for flushes through the vCPU's request word. */
#pragma once
#include "hv/mmu/gmem.h"
#include "hv/mmu/mmio.h"

#define MMU_CONTEXTS    16
#define MMU_TLB_BITS    8
#define MMU_TLB_ENTRIES (1u << MMU_TLB_BITS)
#define MMU_TAG_INVALID (~0ull)

/* Engines test (va & (~0xfff | size-1)) == tag, so that a misaligned access misses too, and then use va + addend as a
 * host pointer. A page has its write tag only when W and D hold and every store may go straight to RAM. */
struct tlb_entry { uint64_t read, write, execute; uintptr_t addend; };
_Static_assert(sizeof(struct tlb_entry) == 32, "index scaling in engines");

enum { PERM_READ = 1, PERM_WRITE = 2, PERM_EXECUTE = 4 };
struct translation {
    guest_phys_addr gpa;            /* of the byte asked for */
    uint8_t  page_bits;             /* size of the mapping, 12..: a flush of one of its pages drops it all. Below 12: not
                                       cacheable (PMP splits the page) */
    uint8_t  perms;                 /* PERM_*: what the same context may do there without another walk (W: D is set) */
    bool     is_global;
    uint8_t  same_bits;             /* perms hold for this much around gpa; less than page_bits where PMP cuts through a
                                       large mapping. 0 is the same as 12; 21 and more may share one entry */
};
struct mmu;
/* The guest ISA's walker (hv/isa/<isa>/mmu.c). Sets A/D by the machine's policy. False: *why says how it failed. */
typedef bool mmu_walk_fn(struct mmu *m, guest_addr at, enum access_type how, unsigned context,
                         struct translation *out, struct fault *why);

/* misses: neither level had the translation with the rights asked for, so the guest's tables were walked (walks);
 * refills: the first level missed and the second had it; lookups: translations that no engine counts as an access
 * (fetches, the second page of a split access, accesses that faulted, the API's). Bare translation goes the same way and counts the same. */
struct mmu_stats { uint64_t tlb_hits, tlb_misses, mem_accesses, walks, refills, lookups; };

/* How often, and for how long. */
struct event_count { uint64_t count, time_ns; };
struct tick_count { uint64_t count, ticks; };           /* of arch_ticks: what is counted on every exit */
struct device_count { struct tick_count read, write; };

struct tlb2;                                            /* second level, mmu room's secret */
struct mmu {
    struct tlb_entry *tlb_data;                         /* table of the current data context: first, for engines */
    struct tlb_entry *tlb_fetch;
    unsigned          data_context, fetch_context;
    uint16_t          asid;
    uint32_t          epoch;                            /* moves whenever a translation that code may have been fetched
                                                           through may have changed: for jump caches by virtual address */
    const struct mmu_kind *kind;                        /* type tag for mmu_as_any */
    mmu_walk_fn      *walk;
    void             *owner;                            /* the vCPU, for the walker */
    struct gmem      *gmem;
    struct mmio_bus  *bus;
    struct mmio_region *last_device;                    /* that was found; NULL: none yet */
    struct mmu_stats  stats;
    struct tlb2      *second;
    struct tlb_entry (*table)[MMU_TLB_ENTRIES];         /* [MMU_CONTEXTS] */
    /* Upcall, may be NULL: mmu_write and mmu_write_bulk changed RAM that may hold translated code. */
    void            (*code_changed)(void *owner, guest_phys_addr at, uint64_t size_bytes);
    struct device_count *devices;                       /* [MMIO_MAX_REGIONS], the owner's: device accesses; NULL: not counted */
    struct mmu_watch *watch;                            /* mmu_watch; NULL: nobody looks */
};

/* Somebody looks at what engines do to memory (hv/audit): before each write to RAM that comes through a slow path, and instead of each
 * device access. Table walks' own writes are not told of. is_blind: engines' probes find nothing, so every access is slow and told of. */
struct mmu_watch {
    bool is_blind;
    void (*write)(struct mmu_watch *w, void *host, unsigned size_bytes);
    struct vm_error (*device)(struct mmu_watch *w, struct mmu *m, guest_phys_addr gpa, unsigned size_bytes, enum access_type how, uint64_t *value);
};
void mmu_watch(struct mmu *m, struct mmu_watch *w);    /* own thread, between two runs of an engine */

NODISCARD struct vm_error mmu_init(struct mmu *m, struct gmem *gmem, struct mmio_bus *bus, mmu_walk_fn *walk, void *owner);
void  mmu_destroy(struct mmu *m);
void  mmu_set_context(struct mmu *m, unsigned data_context, unsigned fetch_context);   /* no flush: contexts differ */
void  mmu_set_asid(struct mmu *m, uint16_t asid);      /* entries of other ASIDs stay in the second level */

/* Core, all in the current context. False: *why is the guest's fault. `translate` fills the TLB. */
NODISCARD bool mmu_translate_fault(struct mmu *m, guest_addr at, enum access_type how, struct translation *out, struct fault *why);
/* Slow paths of engines, complete in themselves: any alignment, page crossing, MMIO. size 1, 2, 4, 8. An access that
 * crosses pages translates both before it touches either; the fault names the first byte that failed. */
NODISCARD bool mmu_load (struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t *out, struct fault *why);
NODISCARD bool mmu_store(struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t value, struct fault *why);
/* Host pointer for an atomic of `size_bytes` (1..16, naturally aligned, else AlignmentFault) in RAM; NULL with *why set:
 * fault (MMIO: bus error). */
NODISCARD void *mmu_atomic(struct mmu *m, guest_addr at, unsigned size_bytes, enum access_type how, guest_phys_addr *gpa, struct fault *why);
/* Instruction bytes at pc, up to cap_bytes, as many as the first page has and, when those are too few, from the next.
 * *got_bytes < cap_bytes with *why set when the next page faults; false when the first does. *gpa is pc's. */
NODISCARD bool mmu_fetch(struct mmu *m, guest_addr pc, uint8_t *out, unsigned cap_bytes, unsigned *got_bytes,
                         guest_phys_addr *gpa, struct fault *why);

/* mmio_find, and mostly it is the same one again: mapped devices never move. */
static inline struct mmio_region *mmu_find_device(struct mmu *m, guest_phys_addr gpa)
{
    struct mmio_region *r = m->last_device;
    if (likely(r && gpa.v - r->base.v < r->size_bytes)) return r;
    r = mmio_find(m->bus, gpa);
    if (r) m->last_device = r;
    return r;
}
/* One device access at a guest-physical address, counted as the vCPU's. Errors are mmio_access's. */
NODISCARD struct vm_error mmu_device_access(struct mmu *m, guest_phys_addr gpa, unsigned size_bytes, enum access_type how, uint64_t *value);

/* The API's edge: the same with struct vm_error (Execution(Fault), Memory(InvalidAddress), Memory(Alignment) for an odd
 * size). Values are zero-extended; a write touches only its own bytes; length 0 is success. */
NODISCARD struct vm_error mmu_translate (struct mmu *m, guest_addr at, enum access_type how, guest_phys_addr *out);
NODISCARD struct vm_error mmu_read      (struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t *out);
NODISCARD struct vm_error mmu_write     (struct mmu *m, guest_addr at, unsigned size_bytes, uint64_t value);
NODISCARD struct vm_error mmu_fetch_insn(struct mmu *m, guest_addr pc, uint64_t *out);   /* up to 8 bytes, missing ones 0 */
/* Page by page; on error the bytes before the failing page were transferred, none after. Devices: byte by byte. */
NODISCARD struct vm_error mmu_read_bulk (struct mmu *m, guest_addr at, void *out, size_t size_bytes);
NODISCARD struct vm_error mmu_write_bulk(struct mmu *m, guest_addr at, const void *in, size_t size_bytes);

void mmu_flush_tlb     (struct mmu *m);                      /* everything */
void mmu_flush_tlb_asid(struct mmu *m, uint16_t asid);       /* that ASID's; global entries stay */
void mmu_flush_tlb_page(struct mmu *m, guest_addr at);       /* that page in every ASID, also inside larger mappings */
void mmu_flush_tlb_page_asid(struct mmu *m, guest_addr at, uint16_t asid);

/* hits = accesses + lookups - misses: a hit costs nothing to count. `accesses` comes from the engine. Exact while the
 * vCPU is stopped; any thread. */
void mmu_stats_read(const struct mmu *m, uint64_t accesses, struct mmu_stats *out);

/* Down-cast by type tag; NULL when it is another kind. */
struct mmu_kind { const char *name; };
extern const struct mmu_kind MMU_SOFT_TLB;
const struct mmu *mmu_as_any(const struct mmu *m, const struct mmu_kind *kind);
struct mmu       *mmu_as_any_mut(struct mmu *m, const struct mmu_kind *kind);
