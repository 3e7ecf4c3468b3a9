// SPDX-License-Identifier: Apache-2.0
/* Short loops that show what things cost here, and the floating-point show. Boot hart only. */
#include "demo.h"

static volatile u64 sink;
static u64 memory[8192];

static void integer(u32 n)
{
    u64 x = 88172645463325252;
    while (n--) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    }
    sink = x;
}

static void loads(u32 n)
{
    u64 sum = 0;
    for (u32 i = 0; i < n; i++) {
        sum += ((volatile u64 *)memory)[i % COUNT_OF(memory)];
    }
    sink = sum;
}

static __attribute__((noinline)) u64 leaf(u64 x)
{
    __asm__ volatile("");
    return x + 1;
}

static void calls(u32 n)
{
    u64 x = 0;
    while (n--) {
        x = leaf(x);
    }
    sink = x;
}

static void floats(u32 n)
{
    double x = 1;
    while (n--) {
        x = x * 0.999 + 0.002;
    }
    sink = (u64)(x * 1000);
}

static void atomics(u32 n)
{
    static u64 counter;
    while (n--) {
        __atomic_fetch_add(&counter, 1, __ATOMIC_ACQ_REL);
    }
}

static void sbi_calls(u32 n)
{
    while (n--) {
        sink = (u64)sbi_null_call();
    }
}

static void device_reads(u32 n)
{
    while (n--) {
        sink = *(volatile u8 *)(machine.uart.base + (5ul << machine.uart_shift));
    }
}

static void user_trips(u32 n)
{
    while (n--) {
        sink = user_round_trip();
    }
}

static void page_changes(u32 n)
{
    while (n--) {
        paging_set(WINDOW, (u64)memory & ~(PAGE_SIZE - 1), PAGE_RW);
        sink = *(volatile u64 *)WINDOW;
    }
}

static void nothing(u64 argument)
{
    (void)argument;
}

static void hart_calls(u32 n)
{
    while (n--) {
        hart_call(&harts[1], nothing, 0);
        hart_wait(&harts[1]);
    }
}

static void sector_reads(u32 n)
{
    u8 data[512];
    while (n--) {
        disk_transfer(0, data, false);
    }
}

void bench_run(void)
{
    const struct { const char *name; void (*run)(u32); u32 rounds; bool possible; } rows[] = {
        {"xorshift step", integer, 2000000, true},
        {"load", loads, 2000000, true},
        {"call and return", calls, 2000000, true},
        {"double multiply and add", floats, 1000000, true},
        {"atomic add", atomics, 500000, true},
        {"SBI call", sbi_calls, 20000, true},
        {"UART register read", device_reads, 20000, machine.uart.base},
        {"user mode and back", user_trips, 20000, true},
        {"page change and fence", page_changes, 20000, true},
        {"call on another hart", hart_calls, 500, machine.hart_count > 1 && harts[1].online},
        {"disk sector read", sector_reads, 500, disk.present},
    };
    for (u32 i = 0; i < COUNT_OF(rows) && !console_break(); i++) {
        if (rows[i].possible) {
            u64 start = now();
            rows[i].run(rows[i].rounds);
            u64 tenths_ns = microseconds(start) * 10000 / rows[i].rounds;
            print("  %-26s %8lu.%lu ns\n", rows[i].name, tenths_ns / 10, tenths_ns % 10);
        }
    }
}

static void print_double(const char *name, double d)         /* positive and small: enough for a show */
{
    u64 u;
    memcpy(&u, &d, sizeof u);
    u64 whole = (u64)d, fraction = (u64)((d - (double)whole) * 1e15);
    print("  %-26s %lu.%015lu  0x%016lx\n", name, whole, fraction, u);
}

void float_demo(void)
{
    static const char *const modes[] = {"1/3 to nearest even", "1/3 towards zero", "1/3 down", "1/3 up",
                                        "1/3 to nearest away"};
    volatile double one = 1, two = 2, three = 3;
    double root, pi = 0, power = 1;
    u64 flags;
    for (u32 k = 0; k < 12; k++, power /= 16) {              /* Bailey, Borwein, Plouffe */
        pi += power * (4.0 / (8 * k + 1) - 2.0 / (8 * k + 4) - 1.0 / (8 * k + 5) - 1.0 / (8 * k + 6));
    }
    __asm__("fsqrt.d %0, %1" : "=f"(root) : "f"(two));
    print_double("square root of 2", root);
    print_double("pi", pi);
    for (u32 mode = 0; mode < COUNT_OF(modes); mode++) {
        double third;
        __asm__ volatile("fsrm %3; fdiv.d %0, %1, %2; fsrmi 0"
                         : "=&f"(third)
                         : "f"(one), "f"(three), "r"(mode));
        print_double(modes[mode], third);
    }
    __asm__ volatile("frflags %0; fsflags zero" : "=r"(flags));
    print("  flags raised:%s%s%s%s%s\n", flags & 16 ? " NV" : "", flags & 8 ? " DZ" : "",
          flags & 4 ? " OF" : "", flags & 2 ? " UF" : "", flags & 1 ? " NX" : "");
}
