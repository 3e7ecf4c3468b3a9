// SPDX-License-Identifier: Apache-2.0
/* A guest that means ill, on the host's own CPU: what it does is the word after hostile= on its command line. It says so first. Linked
 * with the demo kernel's entry. */
#include "guests/demo/x86_64/demo.h"

extern u64 stubs[];
extern u64 idt[];
static u64 seed = 1;
static volatile u64 caught;

static u64 random(void)
{
    seed += 0x9e3779b97f4a7c15;
    u64 z = seed;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static void say(const char *text)
{
    for (; *text; text++) out8(0x3f8, (u8)*text);
}

/* Faults are stepped over: what follows the instruction is in rbx. */
void trap(struct frame *f);
void trap(struct frame *f)
{
    caught++;
    if (f->vector >= 32) *at32(0xfee000b0) = 0;
    else f->rip = f->rbx;
}

/* One instruction that may fault; the trap goes on behind it. */
#define TRY(insn, ...) __asm__ volatile("lea 1f(%%rip), %%rbx\n\t" insn "\n1:" : : __VA_ARGS__ : "rbx", "memory")

static void hypercalls(void)
{
    u32 r[4];
    cpuid(0, 0, r);
    for (;;) {
        if (r[1] == 0x756e6547) __asm__ volatile("vmcall" : : "a"(random()), "b"(random()), "c"(random()), "d"(random()));
        else __asm__ volatile("vmmcall" : : "a"(random()), "b"(random()), "c"(random()), "d"(random()));
    }
}

static void apic(void)
{
    __asm__ volatile("sti");
    for (;;) {
        u64 at = 0xfee00000 + (random() & 0xffc);
        u32 v = (u32)random();
        if ((at & 0xff0) == 0x300) v &= ~0x700u | 0x400;    /* to all and with INIT it would only end itself */
        if (random() & 1) *at32(at) = v;
        else (void)*at32(at);
        at = 0xfec00000 + (random() & 0x14);
        if (random() & 1) *at32(at) = (u32)random();
        else (void)*at32(at);
    }
}

static void ipis(void)
{
    *at32(0xfee000f0) = 0x1ff;
    __asm__ volatile("sti");
    for (;;) *at32(0xfee00300) = 33 | 1 << 18;
}

static void timer(void)
{
    *at32(0xfee000f0) = 0x1ff;
    *at32(0xfee003e0) = 0xb;
    *at32(0xfee00320) = 33 | 1 << 17;
    *at32(0xfee00380) = 1;
    __asm__ volatile("sti");
    for (;;) __asm__ volatile("hlt");
}

static void wild(void)
{
    for (;;) {
        u64 at = (random() & 0xfffffff8);
        if (at < 0x1000000) continue;                       /* its own code */
        if (at >= 0xfea00000 && at < 0xfea01000) continue;  /* power */
        if (random() & 1) *(volatile u64 *)at = random();
        else (void)*(volatile u64 *)at;
    }
}

static void ports(void)
{
    for (;;) {
        u16 port = (u16)random();
        if (port == 0x64 || port == 0x92 || (port >= 0xcf6 && port <= 0xcf9) || (port >= 0x61 && port <= 0x64) || (port & 0xfff8) == 0x3f8) continue;
        if (random() & 1) out32(port, (u32)random());
        else if (random() & 1) (void)in32(port);
        else out8(port, (u8)random());
    }
}

static void msrs(void)
{
    for (;;) {
        static const u32 base[] = { 0, 0x800, 0x4b564d00, 0xc0000080, 0xc0010000, 0x400, 0x200 };
        u32 n = base[random() % 7] + (u32)(random() & 0xff);
        if (n >= 0xc0000080 && n <= 0xc0000102) continue;   /* its own segments and mode */
        if (random() & 1) TRY("push %%rax\n\tpush %%rdx\n\tlea 2f(%%rip), %%rbx\n\trdmsr\n2:\tpop %%rdx\n\tpop %%rax", "c"(n));
        else TRY("wrmsr", "c"(n), "a"((u32)random()), "d"((u32)(random() & random() & random())));
    }
}

static void registers(void)
{
    for (;;) {
        TRY("mov %0, %%cr4", "r"(random() | 0x20));
        TRY("mov %0, %%cr0", "r"((random() & 0xffffffff) | 0x80000011));
        TRY("mov %0, %%dr7", "r"(random()));
        TRY("xsetbv", "c"((u32)random() & 1), "a"((u32)random()), "d"((u32)random() & 1));
        TRY("vmrun %%rax", "a"(random()));
        TRY("clgi", "r"(0));
        TRY("monitor", "c"(0), "a"(0), "d"(0));
        TRY("mov %0, %%cr8", "r"(random() & 0x1f));
    }
}

static void rings(void)
{
    for (;;) {
        u64 slot = 0xfeb00000 + 0x200 * (random() & 7);
        *at32(slot + 0x70) = 0;
        *at32(slot + 0x70) = 15;
        *at32(slot + 0x30) = random() & 1;
        *at32(slot + 0x38) = 1u << (random() & 7);
        for (u64 at = 0x80; at < 0xa8; at += 4) *at32(slot + at) = (u32)random() & 0xfffffff0;
        *at32(slot + 0x44) = 1;
        *at32(slot + 0x50) = random() & 1;
        *at32(slot + (random() & 0x1fc)) = (u32)random();
    }
}

static void run(const char *what)
{
    static const struct { const char *name; void (*go)(void); } all[] = {
        { "hypercalls", hypercalls }, { "apic", apic }, { "ipis", ipis }, { "timer", timer }, { "wild", wild }, { "ports", ports }, { "msrs", msrs },
        { "registers", registers }, { "rings", rings },
    };
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *a = all[i].name, *b = what;
        while (*a && *a == *b) a++, b++;
        if (!*a) all[i].go();
    }
    struct { u16 limit; u64 base; } __attribute__((packed)) none = { 0, 0 };
    switch (*what) {
    case 'S': __asm__ volatile("cli\n1: jmp 1b"); break;         /* Spin */
    case 'T': __asm__ volatile("lidt %0\n\tud2" : : "m"(none)); break;         /* Triple fault */
    case 'J': ((void (*)(void))0xfd000000)(); break;                   /* Jump to where nothing is */
    case 'P': __asm__ volatile("mov %0, %%cr3" : : "r"(0xf0000000ul)); break;      /* Page tables outside RAM */
    }
}

void main(void);
void main(void)
{
    const char *line = *(const char **)(start_info + 24);
    for (unsigned n = 0; n < 35; n++) {
        u64 a = stubs[n];
        if (!a) continue;
        idt[2 * n] = (a & 0xffff) | 8 << 16 | 0x8e00ul << 32 | (a >> 16 & 0xffff) << 48;
        idt[2 * n + 1] = a >> 32;
    }
    say("hostile: ");
    say(line);
    say("\r\n");
    run(line);
    for (;;) __asm__ volatile("cli\n\thlt");
}
void ap_main(void);
void ap_main(void) { for (;;) __asm__ volatile("cli\n\thlt"); }
