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
