// SPDX-License-Identifier: Apache-2.0
/* Segments, task state and interrupt gates (SDM 3.4, 6.14, 8.7). A core's GDT and TSS are its own; the IDT is shared and
 * never changes once the boot core has written it. */
#include "hv/arch/x86_64/x86_64.h"

#define MSR_GS_BASE 0xc0000101u
enum { SELECTOR_CODE = 0x08, SELECTOR_DATA = 0x10, SELECTOR_TSS = 0x18 };
enum { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MCHECK };

struct gate { uint16_t offset_low, selector; uint8_t ist, type; uint16_t offset_mid; uint32_t offset_high, zero; };
_Static_assert(sizeof(struct gate) == 16, "SDM figure 6-8");
struct table_pointer { uint16_t limit; uint64_t base; } __attribute__((packed));

extern const uint8_t x86_64_vectors[];
static struct gate idt[256] ALIGNED(16);

static void fill_idt(void)
{
    static const uint8_t ist[256] = { [2] = IST_NMI, [8] = IST_DOUBLE_FAULT, [18] = IST_MCHECK };
    for (unsigned i = 0; i < 256; i++) {
        uint64_t at = (uint64_t)x86_64_vectors + 16 * i;
        idt[i] = (struct gate){ .offset_low = (uint16_t)at, .selector = SELECTOR_CODE, .ist = ist[i], .type = 0x8e,
                                .offset_mid = (uint16_t)(at >> 16), .offset_high = (uint32_t)(at >> 32) };
    }
}

uint64_t x86_64_slot(unsigned cpu)
{
    return cpu ? x86_64_platform.stacks + (cpu - 1) * (uint64_t)X86_64_SLOT_BYTES : (uint64_t)x86_64_boot_slot;
}

static void set_ist(struct x86_64_cpu *c, unsigned ist, uint64_t top)
{
    c->tss[9 + 2 * (ist - 1)] = (uint32_t)top;           /* IST1 is at byte 36 */
    c->tss[10 + 2 * (ist - 1)] = (uint32_t)(top >> 32);
}

void x86_64_load_descriptors(unsigned cpu)
{
    struct x86_64_cpu *c = &x86_64_cpus[cpu];
    uint64_t tss = (uint64_t)c->tss, slot = x86_64_slot(cpu);
    c->self = c;
    c->id = cpu;
    c->deadline_ns = UINT64_MAX;
    c->gdt[1] = 0x00af9b000000ffff;                      /* 64-bit code, ring 0 */
    c->gdt[2] = 0x00cf93000000ffff;                      /* data */
    c->gdt[3] = (sizeof c->tss - 1) | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    c->gdt[4] = tss >> 32;
    set_ist(c, IST_DOUBLE_FAULT, slot + X86_64_DOUBLE_FAULT_TO);
    set_ist(c, IST_NMI, slot + X86_64_NMI_TO);
    set_ist(c, IST_MCHECK, slot + X86_64_MCHECK_TO);
    c->tss[25] = sizeof c->tss << 16;                    /* no I/O permission map */
    if (cpu == 0) fill_idt();

    struct table_pointer gdtr = { sizeof c->gdt - 1, (uint64_t)c->gdt }, idtr = { sizeof idt - 1, (uint64_t)idt };
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "lea 1f(%%rip), %%rax\n\t"
                     "push %%rax\n\t"
                     "lretq\n"
                     "1:\tmov %w2, %%ds\n\t"
                     "mov %w2, %%es\n\t"
                     "mov %w2, %%ss\n\t"
                     "mov %w3, %%fs\n\t"
                     "mov %w3, %%gs\n\t"
                     "ltr %w4\n\t"
                     "lidt %5"
                     : : "m"(gdtr), "i"(SELECTOR_CODE), "r"(SELECTOR_DATA), "r"(0), "r"(SELECTOR_TSS), "m"(idtr) : "rax", "memory");
    x86_64_wrmsr(MSR_GS_BASE, (uint64_t)c);
}
