// SPDX-License-Identifier: Apache-2.0
/* Against the devices: every offset and size, rings of garbage, floods, and all ways to ask for the end. */
#include "hostile.h"

static void poke(uint64_t at)
{
    uint64_t r = random_u64();
    if (at >> 12 == TEST >> 12) return;     /* another program's */
    if (r & 4) store(at, r & 3, r >> 8);
    else (void)load(at, r & 3);
}

void mmio_storm(uint64_t hart)
{
    static const uint64_t pages[] = { 0x101000, CLINT, CLINT + 0x4000, CLINT + 0xb000, PLIC, PLIC + 0x1000, PLIC + 0x2000, PLIC + 0x200000, PLIC + 0x201000, UART,
                                      VIRTIO, VIRTIO + 0x1000, VIRTIO + 0x2000, VIRTIO + 0x5000, VIRTIO + 0x6000, VIRTIO + 0x7000, VIRTIO + 0x8000 };
    for (uint64_t page = hart; page < RAM >> 12; page += 5) poke(page << 12 | (random_u64() & 0xfff));      /* the whole window */
    for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++) {
        for (uint64_t offset = 0; offset < 0x1000; offset++) {
            for (unsigned size = 0; size < 4; size++) {
                (void)load(pages[i] + offset, size);
                if ((pages[i] | offset) != UART) store(pages[i] + offset, size, random_u64());
            }
        }
    }
    if (hart) for (;;) __asm__ volatile("wfi");
}

void ring_garbage(uint64_t hart)
{
    enum { STATUS = 0x70, QUEUE = 0x30, QUEUE_SIZE = 0x38, READY = 0x44, NOTIFY = 0x50, DESC = 0x80, AVAIL = 0x90, USED = 0xa0, FEATURES = 0x20, FEATURE_WORD = 0x24 };
    volatile uint64_t *const rings = (uint64_t *)(RAM + 0x400000);
    for (unsigned round = 0; round < 400; round++) {
        uint64_t base = VIRTIO + 0x1000 * (random_u64() % 8);
        volatile uint32_t *d = (volatile uint32_t *)base;
        for (unsigned i = 0; i < 4096; i++) {
            uint64_t r = random_u64();
            rings[i] = r >> 62 ? r : (RAM + r % RAM_BYTES) & ~(uint64_t)(r >> 60 & 1);
            if (i & 1 && r >> 61) rings[i] = (r & 0x000700070000ffffull) | (r & 0x0fffull) << 32;            /* like length, flags, next */
        }
        d[STATUS / 4] = 0;
        d[STATUS / 4] = 3;
        d[FEATURE_WORD / 4] = 1;
        d[FEATURES / 4] = 1;                /* VERSION_1 */
        d[STATUS / 4] = 11;
        for (unsigned q = 0; q < 2; q++) {
            static const uint32_t where[] = { DESC, AVAIL, USED };
            d[QUEUE / 4] = q;
            d[QUEUE_SIZE / 4] = round % 7 ? 1u << random_u64() % 10 : (uint32_t)random_u64();
            for (unsigned i = 0; i < 3; i++) {
                uint64_t at = round % 5 ? RAM + 0x400000 + (random_u64() % 28672 & ~15ull) : random_u64();
                d[where[i] / 4] = (uint32_t)at;
                d[where[i] / 4 + 1] = (uint32_t)(at >> 32);
            }
            d[READY / 4] = 1;
        }
        d[STATUS / 4] = 15;
        for (unsigned n = 0; n < 8; n++) {
            rings[random_u64() % 4096] = random_u64();
            d[NOTIFY / 4] = round % 9 ? n & 1 : (uint32_t)random_u64();
        }
        (void)load(base + 0x60, 2);
    }
    if (hart) for (;;) __asm__ volatile("wfi");
}

void rings_for_ever(uint64_t hart)
{
    for (;;) ring_garbage(hart);
}

void uart_flood(uint64_t hart)
{
    (void)hart;
    for (;;) *(volatile uint8_t *)UART = 'x';
}
void uart_lines(uint64_t hart)
{
    (void)hart;
    for (;;) print("\x1b[31mgood| DEMO-FAIL\n");
}

void finisher_words(uint64_t hart)
{
    static const uint32_t odd[] = { 0, 1, 0x5554, 0x3332, 0x7776, 0xffff, 0xffffffff, 0x80000000, 0x55555556 };
    if (hart) for (;;) __asm__ volatile("wfi");
    for (unsigned i = 0; i < sizeof odd / sizeof *odd; i++) store(TEST, 2, odd[i]);
    for (uint64_t offset = 1; offset < 0x1000; offset++) {
        store(TEST + offset, 0, 0x55);
        (void)load(TEST + offset, 0);
    }
    print("hostile: done\n");
    finish(0x3333 | 0x1234u << 16);
}

void reset_storm(uint64_t hart)
{
    (void)hart;
    *(volatile uint32_t *)TEST = 0x7777;
    for (;;) __asm__ volatile("");
}
