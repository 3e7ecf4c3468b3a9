// SPDX-License-Identifier: Apache-2.0
/* Against memory: page tables that are none, RAM that goes away, jumps into devices. */
#include "hostile.h"

#define PAGES 16
static uint64_t table[PAGES][512] __attribute__((aligned(4096)));

static uint64_t entry(void)
{
    uint64_t r = random_u64(), flags = r & 0x3ff, page;
    switch (r >> 61) {
    case 0:  page = (uint64_t)table[(r >> 32) % PAGES] >> 12; break;       /* itself or a neighbour */
    case 1:  page = UART >> 12; break;
    case 2:  page = (RAM + RAM_BYTES) >> 12; break;                         /* just beyond */
    case 3:  page = (r >> 10) & 0xfffffffffff; break;                       /* anywhere */
    case 4:  page = PLIC >> 12; break;
    case 5:  page = (r >> 10) & 0x3ffff; break;                             /* devices */
    case 6:  return r;                                                      /* reserved bits too */
    default: page = (uint64_t)table[(r >> 32) % PAGES] >> 12; flags = 1; break;     /* a pointer to a table */
    }
    return page << 10 | flags | (r >> 20 & 1);
}

/* One access as S-mode would make it. */
static void as_supervisor(uint64_t at, uint64_t what)
{
    enum { MPRV = 1 << 17, MPP_S = 1 << 11, MPP = 3 << 11, SUM_MXR = 3 << 18 };
    uint64_t off = MPRV | MPP | SUM_MXR, on = MPRV | MPP_S | (what << 18 & SUM_MXR);
    switch (what % 3) {
    case 0: __asm__ volatile("csrc mstatus, %1; csrs mstatus, %2; ld t0, (%0); csrc mstatus, %1" ::"r"(at), "r"(off), "r"(on) : "t0", "t5", "t6", "memory"); break;
    case 1: __asm__ volatile("csrc mstatus, %1; csrs mstatus, %2; sw t0, (%0); csrc mstatus, %1" ::"r"(at), "r"(off), "r"(on) : "t0", "t5", "t6", "memory"); break;
    case 2: __asm__ volatile("csrc mstatus, %1; csrs mstatus, %2; amoadd.w t0, t0, (%0); csrc mstatus, %1" ::"r"(at), "r"(off), "r"(on) : "t0", "t5", "t6", "memory"); break;
    }
}

void page_tables(uint64_t hart)
{
    static const uint64_t modes[] = { 8, 9, 10, 1, 15 };
    if (hart) for (;;) __asm__ volatile("wfi");
    csr_write("pmpaddr0", ~0ull);
    csr_write("pmpcfg0", 0x1f);             /* S-mode may do everything */
    for (unsigned round = 0; round < 300; round++) {
        for (unsigned t = 0; t < PAGES; t++) for (unsigned i = 0; i < 512; i++) table[t][i] = entry();
        uint64_t root = round % 8 == 0 ? random_u64() & 0xfffffffffff : round % 8 == 1 ? UART >> 12 : (uint64_t)table[round % PAGES] >> 12;
        if (round % 4 == 3) for (unsigned i = 0; i < 512; i++) table[round % PAGES][i] = root << 10 | 1;     /* a loop of its own */
        csr_write("satp", modes[round % 5] << 60 | (random_u64() & 0xffff) << 44 | root);
        for (unsigned n = 0; n < 60; n++) {
            uint64_t r = random_u64(), at = r >> 63 ? random_u64() : (uint64_t)((int64_t)(random_u64() << 25) >> 25);
            as_supervisor(at, r);
            if (n % 16 == 0) below(at & ~3ull);
            if (n % 20 == 0) __asm__ volatile("sfence.vma");
        }
    }
    csr_write("satp", 0);
}

/* PMP entries of every kind over one another, changed before each access that S-mode makes at their edges, in the tables it
 * walks and in the code it runs; at last a locked one over data, which binds M-mode too. */
void pmp_games(uint64_t hart)
{
    enum { LOCK = 0x80, ENTRIES = 16 };
    static uint64_t field[2048] __attribute__((aligned(16384)));
    static uint64_t identity[512] __attribute__((aligned(4096)));
    uint64_t edge[ENTRIES];
    for (unsigned i = 0; i < 512; i++) identity[i] = (uint64_t)i << 28 | 0xcf;                  /* Sv39, 1 GiB leaves */
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t cfg[2] = { random_u64() & 0x1f1f1f1f1f1f1f1f, random_u64() & 0x1f1f1f1f1f1f1f1f };
        for (unsigned i = 0; i < ENTRIES; i++) {
            uint64_t r = random_u64();
            edge[i] = (r & 7) == 0 ? (uint64_t)identity : (r & 7) == 1 ? RAM + RAM_BYTES : (r & 7) == 2 ? r : (uint64_t)field + (r >> 8) % sizeof field;
        }
#define ENTRY(n) csr_write("pmpaddr" #n, edge[n] >> 2 | ((1ull << (random_u64() & 15)) - 1))   /* ones at the end: the size of a NAPOT one */
        ENTRY(0); ENTRY(1); ENTRY(2); ENTRY(3); ENTRY(4); ENTRY(5); ENTRY(6); ENTRY(7);
        ENTRY(8); ENTRY(9); ENTRY(10); ENTRY(11); ENTRY(12); ENTRY(13); ENTRY(14); ENTRY(15);
#undef ENTRY
        csr_write("pmpcfg0", cfg[0]);
        csr_write("pmpcfg2", cfg[1] | (uint64_t)(random_u64() & 7) << 56 | 0x18ull << 56);      /* the last one: often all of memory */
        csr_write("satp", round & 1 ? 8ull << 60 | (uint64_t)identity >> 12 : 0);
        if (round & 2) __asm__ volatile("sfence.vma");                                          /* or not, as it should */
        for (unsigned n = 0; n < 8; n++) {
            uint64_t r = random_u64();
            as_supervisor(edge[r % ENTRIES] - 4 + (r >> 8 & 7), r >> 16);
        }
        if (round % 16 == 0) below((uint64_t)field);
    }
    csr_write("satp", 0);
    csr_write("pmpaddr0", (uint64_t)field >> 2 | (sizeof field / 8 - 1));
    csr_write("pmpcfg0", LOCK | 0x18 | hart);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t r = random_u64(), at = (uint64_t)field - 16 + r % (sizeof field + 32);
        if (r >> 63) load(at, r >> 40 & 3); else if (at >= (uint64_t)field && at < (uint64_t)field + sizeof field) store(at & ~7ull, 3, r);
        csr_write("pmpaddr0", r);
        csr_write("pmpcfg0", r & 0x7f7f7f7f7f7f7f7f);                                    /* too late */
    }
}

/* From the top of RAM, the device tree first, down to and over this loop. */
void wiped(uint64_t hart)
{
    (void)hart;
    for (volatile uint64_t *at = (uint64_t *)(RAM + RAM_BYTES); (uint64_t)at > RAM;) *--at = 0;
}

void jumps_to_devices(uint64_t hart)
{
    static const uint64_t at[] = { 0, 4, 0x1000, TEST, TEST + 0x1000, CLINT, CLINT + 0x4000, CLINT + 0xbff8, PLIC, UART, UART + 4, VIRTIO, VIRTIO + 0x1000, 0x30000000,
                                   RAM - 4, RAM + RAM_BYTES, RAM + RAM_BYTES - 4, 0x7ffffffffffffffc, 0xfffffffffffffffc, 0x8000000000000000, 1ull << 40, 1ull << 56 };
    if (hart) for (;;) __asm__ volatile("wfi");
    *(volatile uint32_t *)(RAM + RAM_BYTES - 4) = 0x00000013;                /* a nop as the last word: runs over the edge */
    for (unsigned round = 0; round < 200; round++) {
        for (unsigned i = 0; i < sizeof at / sizeof *at; i++) call(at[i]);
        call(random_u64() & 0x7ffffffc);
    }
}
