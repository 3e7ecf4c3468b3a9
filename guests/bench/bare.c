// SPDX-License-Identifier: Apache-2.0
/* The bare body of a bench on the riscv64 `virt` map: UART, test finisher, and (PAGED) the way from M-mode
 * into S-mode under Sv39 with 4 KiB pages. One hart runs it, with interrupts off; any trap is a failure
 * and says so. */
#include "guests/bench/bench.h"

#define UART ((volatile u8 *)0x10000000)
#define FINISHER ((volatile u32 *)0x100000)
enum { UART_DATA = 0, UART_LSR = 5, LSR_THR_EMPTY = 0x20, FINISHER_PASS = 0x5555, FINISHER_FAIL = 0x3333 };

static void put(const char *s)
{
    for (; *s; s++) {
        while (!(UART[UART_LSR] & LSR_THR_EMPTY)) {
        }
        UART[UART_DATA] = (u8)*s;
    }
}

static void put_hex(u64 value)
{
    char digits[17] = {0};
    for (u32 i = 0; i < 16; i++) {
        digits[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    }
    put(digits);
}

static void finish(u32 code)
{
    *FINISHER = code;
    for (;;) {
    }
}

void bare_main(void);
void bare_main(void)
{
    put("START\n");
    u64 checksum = bench_kernel(SCALE);
    put("END ");
    put_hex(checksum);
    put("\n");
    finish(FINISHER_PASS);
}

void bare_trap(u64 cause, u64 value, u64 pc);
void bare_trap(u64 cause, u64 value, u64 pc)
{
    put("TRAP ");
    put_hex(cause);
    put(" ");
    put_hex(value);
    put(" ");
    put_hex(pc);
    put("\n");
    finish(1 << 16 | FINISHER_FAIL);
}

#ifdef PAGED
enum { RAM_BASE = 0x80000000u, RAM_PAGES = 0x2000, V = 1, R = 2, W = 4, X = 8, A = 64, D = 128 };
static u64 root[512] __attribute__((aligned(4096))), ram_middle[512] __attribute__((aligned(4096))),
    device_middle[512] __attribute__((aligned(4096))), ram_leaves[RAM_PAGES] __attribute__((aligned(4096))),
    device_leaves[2][512] __attribute__((aligned(4096)));
extern char text_end[];

static u64 pointer(const void *table)
{
    return (u64)table >> 12 << 10 | V;
}

static u64 leaf(u64 address, u64 flags)
{
    return address >> 12 << 10 | flags | V | A | D;
}

static void map_device(u64 address, u64 *leaves)             /* devices live in the first gigabyte */
{
    device_middle[address >> 21] = pointer(leaves);
    leaves[address >> 12 & 511] = leaf(address, R | W);
}

u64 bare_tables(void);
u64 bare_tables(void)                                        /* the satp to use */
{
    for (u32 i = 0; i < RAM_PAGES; i++) {
        u64 address = RAM_BASE + 4096ul * i;
        ram_leaves[i] = leaf(address, address < (u64)text_end ? R | X : R | W);
    }
    for (u32 i = 0; i < RAM_PAGES / 512; i++) {
        ram_middle[i] = pointer(&ram_leaves[512 * i]);
    }
    root[RAM_BASE >> 30] = pointer(ram_middle);
    root[0] = pointer(device_middle);
    map_device((u64)UART, device_leaves[0]);
    map_device((u64)FINISHER, device_leaves[1]);
    return 8ul << 60 | (u64)root >> 12;
}
#endif
