// SPDX-License-Identifier: Apache-2.0
/* What the machine promises: docs/x86_64-machine.md. Each check prints its name and counts when it fails. */
#include "demo.h"

static unsigned failed;

static void check(const char *name, int ok)
{
    print(ok ? "  ok   " : "  FAIL ");
    print(name);
    print("\n");
    failed += !ok;
}

/* ---- how it was started: PVH's or multiboot's information, of which the map of memory must make sense ---- */
static u64 usable_bytes(u64 row, u64 end, u64 skip, u64 next)
{
    u64 sum = 0;
    for (; row < end; row += next) {
        if (*at32(row + skip + 16) == 1) sum += *(volatile u64 *)(row + skip + 8);
    }
    return sum;
}

static void test_start(void)
{
    enum { PVH = 0x336ec578, MULTIBOOT = 0x2badb002, MB_MEMORY = 1, MB_CMDLINE = 4, MB_MAP = 64 };
    u64 usable = 0;
    if (start_magic == MULTIBOOT) {
        print("  started by multiboot\n");
        check("multiboot tells of memory and a command line", (*at32(start_info) & (MB_MEMORY | MB_CMDLINE | MB_MAP)) == (MB_MEMORY | MB_CMDLINE | MB_MAP));
        usable = usable_bytes(*at32(start_info + 48), *at32(start_info + 48) + *at32(start_info + 44), 4, 24);
        check("its two sizes are the map's", *at32(start_info + 4) * 1024ul + *at32(start_info + 8) * 1024ul <= usable);
    } else {
        print("  started by PVH\n");
        check("PVH's start information", *at32(start_info) == PVH && *(volatile u64 *)(start_info + 24));
        u64 map = *(volatile u64 *)(start_info + 40);
        usable = usable_bytes(map, map + *at32(start_info + 48) * 24ul, 0, 24);
    }
    check("there are more than 4 MiB of memory", usable > 4ul << 20);
}

/* ---- CPU ---- */
static void test_cpu(void)
{
    u32 r[4];
    cpuid(1, 0, r);
    check("CPUID tells of a hypervisor, x2APIC, TSC deadline", r[2] >> 31 && r[2] >> 21 & 1 && r[2] >> 24 & 1);
    check("CPUID hides virtualization", !(r[2] >> 5 & 1));
    cpuid(0x40000000, 0, r);
    check("the hypervisor's name", r[1] == 0x4b4d564b);
    __asm__ volatile("lea 1f(%%rip), %%rax\n\tmov %%rax, %0\n\trdmsr\n1:" : "=m"(recover) : "c"(0x12345678) : "rax", "rdx", "memory");
    check("an unknown MSR is #GP", !recover && ticks[13] == 1);
    write_msr(0xc0000103, 77);
    check("an MSR keeps its value", read_msr(0xc0000103) == 77);
}

/* A hypercall that nobody offers answers, with its own kind of instruction on either vendor's CPU. */
static void test_hypercall(void)
{
    long a = 1000;
    u32 r[4];
    cpuid(0, 0, r);
    if (r[1] == 0x756e6547) __asm__ volatile("vmcall" : "+a"(a));
    else __asm__ volatile("vmmcall" : "+a"(a));
    check("a hypercall returns", a == -1000);
}

/* ---- time ---- */

/* Ticks of the TSC in 10 ms of PIT channel 2. */
static u64 measure_pit(void)
{
    out8(0x61, (in8(0x61) & ~2u) | 1);
    out8(0x43, 0xb0);
    out8(0x42, 11932 & 0xff);
    out8(0x42, 11932 >> 8);
    u64 from = tsc();
    while (!(in8(0x61) & 0x20)) { }
    return tsc() - from;
}

static void test_time(void)
{
    u32 r[4];
    cpuid(0x15, 0, r);
    u64 hz = (u64)r[2] * r[1] / r[0], pit = measure_pit() * 100;
    print("  TSC ");
    print_number(hz / 1000000, 10);
    print(" MHz, by the PIT ");
    print_number(pit / 1000000, 10);
    print("\n");
    check("10 ms of the PIT are not fewer ticks than CPUID 15H says", pit > hz - hz / 10);
    u8 seconds = (out8(0x70, 0), in8(0x71));
    check("the CMOS clock runs in BCD", (seconds & 15) < 10 && seconds < 0x60);
    static volatile struct { u32 version, pad; u64 stamp, system; u32 mul; signed char shift; u8 flags; u8 rest[2]; } clock __attribute__((aligned(32)));
    write_msr(0x4b564d01, (u64)&clock | 1);
    u64 base = clock.shift < 0 ? hz >> -clock.shift : hz << clock.shift;
    u64 ns = (u64)(((unsigned __int128)base * clock.mul) >> 32);
    check("kvmclock's scale makes a second of a second's ticks", ns > 999000000 && ns < 1001000000 && clock.version == 2);
}

/* ---- interrupts ---- */
static void wait_for(unsigned vector, u64 count)
{
    u64 until = tsc() + 4000000000ul;
    while (ticks[vector] < count && tsc() < until) __asm__ volatile("pause");
}

static void test_apic(void)
{
    *at32(0xfee000f0) = 0x1ff;
    check("the local APIC is there", (*at32(0xfee00030) & 0xff) == 0x14);
    *at32(0xfee00320) = 33;
    *at32(0xfee003e0) = 0xb;
    *at32(0xfee00380) = 1000000;
    check("its counter counts", *at32(0xfee00390) <= 1000000);
    __asm__ volatile("sti");
    wait_for(33, 1);
    check("its timer interrupts once", ticks[33] == 1 && !*at32(0xfee00390));
    *at32(0xfee00320) = 33 | 2 << 17;
    write_msr(0x6e0, tsc() + 1000000);
    wait_for(33, 2);
    check("a TSC deadline interrupts", ticks[33] == 2 && !read_msr(0x6e0));
    __asm__ volatile("cli");
    write_msr(0x6e0, tsc() + 1000000);
    __asm__ volatile("sti\n\thlt\n\tcli");
    check("HLT ends with the interrupt", ticks[33] == 3);
    *at32(0xfee00310) = 0;
    *at32(0xfee00300) = 34 | 1 << 18 | 1 << 14;
    check("an interrupt waits while IF is 0", !ticks[34]);
    __asm__ volatile("sti\n\tnop\n\tcli");
    check("and comes behind STI", ticks[34] == 1);
    *at32(0xfee00080) = 0x30;
    *at32(0xfee00300) = 34 | 1 << 18 | 1 << 14;
    __asm__ volatile("sti\n\tnop\n\tnop\n\tcli");
    check("the TPR holds it back", ticks[34] == 1);
    u64 zero = 0;
    __asm__ volatile("mov %0, %%cr8\n\tsti\n\tnop\n\tnop\n\tcli" : : "r"(zero));
    check("CR8 lets it go", ticks[34] == 2 && *at32(0xfee00080) == 0);
}

/* PIT channel 0 through I/O APIC input 2. */
static void test_ioapic(void)
{
    *at32(0xfec00000) = 0x10 + 2 * 2;
    *at32(0xfec00010) = 32;
    out8(0x43, 0x34);
    out8(0x40, 0xa9);
    out8(0x40, 0x04);
    __asm__ volatile("sti");
    wait_for(32, 3);
    __asm__ volatile("cli");
    check("the PIT interrupts through the I/O APIC", ticks[32] >= 3);
    *at32(0xfec00000) = 0x10 + 2 * 2;
    *at32(0xfec00010) = 1 << 16 | 32;
    out8(0x43, 0x30);
}

/* ---- instructions on device memory ---- */
static void test_instructions(void)
{
    volatile u8 *tpr = (volatile u8 *)0xfee00080;
    u64 a;
    u32 b;
    __asm__ volatile("movl $0x21, (%1)\n\tmovzbl (%1), %0" : "=r"(b) : "r"(tpr));
    check("MOVZX", b == 0x21);
    __asm__ volatile("orl $2, (%1)\n\tmovl (%1), %0" : "=r"(b) : "r"(tpr) : "cc");
    check("OR", b == 0x23);
    __asm__ volatile("btsl $3, (%1)\n\tmovl (%1), %0" : "=r"(b) : "r"(tpr) : "cc");
    check("BTS", b == 0x2b);
    __asm__ volatile("addl $0x14, (%1)\n\tmovslq (%1), %0" : "=r"(a) : "r"(tpr) : "cc");
    check("ADD, MOVSXD", a == 0x3f);
    b = 0;
    __asm__ volatile("xchgl %0, (%1)" : "+r"(b) : "r"(tpr));
    check("XCHG", b == 0x3f && *at32((u64)tpr) == 0);
    u32 word = 0;
    void *from = (void *)0xfee00030, *to = &word;
    __asm__ volatile("movsl" : "+S"(from), "+D"(to) : : "memory");
    check("MOVS", (word & 0xff) == 0x14);
    check("nobody there reads as ones", *at32(0xfd000000) == 0xffffffff && in32(0x5000) == 0xffffffff);
    char text[] = "  strings of ports\n";
    const char *s = text;
    u64 n = sizeof text - 1;
    __asm__ volatile("rep outsb" : "+S"(s), "+c"(n) : "d"(0x3f8) : "memory");
    check("REP OUTS", n == 0 && s == text + sizeof text - 1);
}

static void test_sse(void)
{
    u64 x = 0x3ff8000000000000, y;          /* 1.5 */
    __asm__ volatile("movq %1, %%xmm5\n\tmov $0x40000000, %%eax\n\tcpuid\n\taddsd %%xmm5, %%xmm5\n\tmovq %%xmm5, %0"
                     : "=m"(y) : "m"(x) : "eax", "ebx", "ecx", "edx");
    check("SSE registers stay over an exit", y == 0x4008000000000000);
}

/* ---- other CPUs: as many as the MADT's or MP table's; here simply until none comes ---- */
extern const u8 ap_start[], ap_end[];
static void test_cpus(void)
{
    u8 *to = (u8 *)0x8000;
    u32 r[4];
    cpuid(1, 0, r);
    u32 others = (r[1] >> 16 & 0xff) - 1;
    for (const u8 *p = ap_start; p < ap_end; p++) *to++ = *p;
    *at32(0xfee00300) = 5 << 8 | 1 << 14 | 3 << 18;
    *at32(0xfee00300) = 6 << 8 | 1 << 14 | 3 << 18 | 8;
    u64 until = tsc() + 8000000000ul;
    while (cpus_started < others && tsc() < until) __asm__ volatile("sti\n\tpause\n\tcli");
    print("  other CPUs: ");
    print_number(cpus_started, 10);
    print("\n");
    check("all other CPUs start", cpus_started == others);
}

/* ---- the x2APIC: what a CPU may carry out by itself ---- */
static void stop_uart_at_ten(void)
{
    if (ticks[35] == 10) out8(0x3f9, 0);
}

static void test_x2apic(void)
{
    u64 before = ticks[34], zero = 0, five = 5;
    write_msr(0x1b, read_msr(0x1b) | 1 << 10);
    is_x2apic = 1;
    check("the x2APIC is on", read_msr(0x803) == 0x50014 && read_msr(0x802) == 0);
    write_msr(0x80f, 0x1ff);
    __asm__ volatile("sti");
    for (unsigned i = 0; i < 100; i++) write_msr(0x83f, 34);
    __asm__ volatile("nop\n\tcli");
    check("a hundred self-IPIs come and end", ticks[34] == before + 100);
    write_msr(0x83f, 34);
    check("one waits for IF", ticks[34] == before + 100 && read_msr(0x821) == 4);
    __asm__ volatile("mov %0, %%cr8\n\tsti\n\tnop\n\tnop\n\tcli" : : "r"(five));
    check("and for the TPR", ticks[34] == before + 100 && read_msr(0x808) == 0x50);
    __asm__ volatile("mov %0, %%cr8\n\tsti\n\tnop\n\tnop\n\tcli" : : "r"(zero));
    check("then it comes", ticks[34] == before + 101 && read_msr(0x821) == 0 && read_msr(0x811) == 0);
    before = ticks[33];
    write_msr(0x832, 33 | 2 << 17);
    __asm__ volatile("sti");
    for (unsigned i = 1; i <= 10; i++) {
        write_msr(0x6e0, tsc() + 100000);
        wait_for(33, before + i);
    }
    __asm__ volatile("cli");
    check("ten TSC deadlines interrupt", ticks[33] == before + 10);
    served = stop_uart_at_ten;                              /* level-triggered, it comes again after each end */
    *at32(0xfec00000) = 0x10 + 2 * 4;
    *at32(0xfec00010) = 35 | 1 << 15;
    out8(0x3f9, 2);
    __asm__ volatile("sti");
    wait_for(35, 10);
    for (unsigned i = 0; i < 1000; i++) __asm__ volatile("pause");
    __asm__ volatile("cli");
    served = 0;
    check("a level interrupt comes until its line falls", ticks[35] == 10 && read_msr(0x811) == 0);
}

unsigned selftest(void)
{
    test_start();
    test_cpu();
    test_hypercall();
    test_sse();
    test_time();
    test_apic();
    test_ioapic();
    test_instructions();
    test_cpus();
    test_x2apic();
    return failed;
}
