// SPDX-License-Identifier: Apache-2.0
/* Entry, console, traps, power-off. */
#include "demo.h"

extern u64 stubs[];
extern u64 idt[];
volatile u64 ticks[256];
u64 recover;
int is_x2apic;
void (*served)(void);
static volatile u32 printing;

void print(const char *text)
{
    while (__atomic_exchange_n(&printing, 1, __ATOMIC_ACQUIRE)) __asm__ volatile("pause");
    for (; *text; text++) {
        if (*text == '\n') out8(0x3f8, '\r');
        out8(0x3f8, (u8)*text);
    }
    __atomic_store_n(&printing, 0, __ATOMIC_RELEASE);
}

void print_number(u64 v, unsigned base)
{
    char text[24];
    unsigned i = sizeof text;
    text[--i] = 0;
    do text[--i] = "0123456789abcdef"[v % base]; while (v /= base);
    print(text + i);
}

void power_off(void)
{
    *(volatile u8 *)0xfea00200 = 5 << 2 | 1 << 5;
    for (;;) __asm__ volatile("cli\n\thlt");
}

void trap(struct frame *f);
void trap(struct frame *f)
{
    ticks[f->vector]++;
    if (f->vector >= 32) {
        if (served) served();
        if (is_x2apic) write_msr(0x80b, 0);
        else *at32(0xfee000b0) = 0;
        return;
    }
    if (recover) {
        f->rip = recover;
        recover = 0;
        return;
    }
    print("DEMO-FAIL exception ");
    print_number(f->vector, 10);
    print(" at ");
    print_number(f->rip, 16);
    print("\n");
    power_off();
}

void traps_init(void)
{
    for (unsigned n = 0; n < 36; n++) {
        u64 a = stubs[n];
        if (!a) continue;
        idt[2 * n] = (a & 0xffff) | 8 << 16 | 0x8e00ul << 32 | (a >> 16 & 0xffff) << 48;
        idt[2 * n + 1] = a >> 32;
    }
}

void ap_main(void);
void ap_main(void)
{
    *at32(0xfee000f0) = 0x1ff;
    for (;;) __asm__ volatile("sti\n\thlt");
}

void main(void);
void main(void)
{
    traps_init();
    print("\nHospes demo kernel for x86_64\n");
    unsigned failed = selftest();
    if (failed) {
        print("DEMO-FAIL ");
        print_number(failed, 10);
        print("\n");
    } else {
        print("DEMO-OK\n");
    }
    power_off();
}
