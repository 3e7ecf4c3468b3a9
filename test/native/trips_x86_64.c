// SPDX-License-Identifier: Apache-2.0
/* Round trips out of the guest and work that needs nobody, in ticks of the TSC: with QEMU's -icount shift=0 a tick is an instruction, in
 * Bochs too. `run=trips` on its command line, which no other than a guest can do; else the work. Linked with the demo
 * kernel's entry. */
#include "guests/demo/x86_64/demo.h"

enum { ROUNDS = 1000, VECTOR = 33 };
extern u64 stubs[];
extern u64 idt[];
static volatile u64 interrupts;

static void say(const char *text)
{
    for (; *text; text++) out8(0x3f8, (u8)*text);
}
static void say_number(u64 v)
{
    char text[21];
    unsigned i = sizeof text;
    text[--i] = 0;
    do text[--i] = (char)('0' + v % 10); while (v /= 10);
    say(text + i);
}
static void line(const char *what, const char *name, u64 v)
{
    say(what);
    say(name);
    say(" ");
    say_number(v);
    say(" instructions\r\n");
}

void trap(struct frame *f);
void trap(struct frame *f)
{
    if (f->vector < 32) {
        line("FAIL exception ", "", f->vector);
        power_off();
    }
    interrupts++;
    *at32(0xfee000b0) = 0;
}
void power_off(void)
{
    *(volatile u8 *)0xfea00200 = 5 << 2 | 1 << 5;
    for (;;) __asm__ volatile("cli\n\thlt");
}

static u64 start;
static void begin(void)             { start = tsc(); }
static void end(const char *name)   { line("trip ", name, (tsc() - start) / ROUNDS); }

static void wait_from(u64 before)
{
    while (interrupts == before) __asm__ volatile("" : : : "memory");
}

static void trips(void)
{
    u32 r[4];
    cpuid(0, 0, r);
    int is_intel = r[1] == 0x756e6547;
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) __asm__ volatile("" : : : "memory");
    end("loop");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 a = 1000;
        if (is_intel) __asm__ volatile("vmcall" : "+a"(a));
        else __asm__ volatile("vmmcall" : "+a"(a));
    }
    end("hypercall");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) cpuid(1, 0, r);
    end("cpuid");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)read_msr(0xfe);
    end("rdmsr");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)in8(0x3ff);
    end("port-read");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) out8(0x3ff, 0);
    end("port-write");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)*at32(0xfeb00000);
    end("mmio-virtio");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) (void)*at32(0xfee00030);
    end("mmio-apic");
    *at32(0xfee000f0) = 0x1ff;
    *at32(0xfee00320) = VECTOR | 2 << 17;
    __asm__ volatile("sti");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 before = interrupts;
        *at32(0xfee00300) = VECTOR | 1 << 18;
        wait_from(before);
    }
    end("ipi");
    begin();
    for (unsigned i = 0; i < ROUNDS; i++) {
        u64 before = interrupts;
        write_msr(0x6e0, 1);
        wait_from(before);
    }
    end("timer");
    __asm__ volatile("cli");
}

/* The same with us below and without us. */
static void work(void)
{
    u64 sum = 1;
    say("START\r\n");
    begin();
    for (unsigned i = 0; i < 200000000; i++) {
        sum = sum * 6364136223846793005u + 1442695040888963407u;
        sum ^= sum >> (i & 31);
    }
    u64 took = tsc() - start;
    say("END ");
    say_number(sum);
    say("\r\n");
    line("work", "", took);
}

static int is_named(const char *text, const char *word)
{
    for (; *text; text++) {
        const char *a = text, *b = word;
        while (*b && *a == *b) a++, b++;
        if (!*b) return 1;
    }
    return 0;
}

void main(void);
void main(void)
{
    const char *words = *(const char **)(start_info + 24);
    for (unsigned n = 0; n < 35; n++) {
        u64 a = stubs[n];
        if (!a) continue;
        idt[2 * n] = (a & 0xffff) | 8 << 16 | 0x8e00ul << 32 | (a >> 16 & 0xffff) << 48;
        idt[2 * n + 1] = a >> 32;
    }
    if (is_named(words, "run=trips")) trips();
    else work();
    say("TRIPS-OK\r\n");
    power_off();
}
void ap_main(void);
void ap_main(void) { for (;;) __asm__ volatile("cli\n\thlt"); }
