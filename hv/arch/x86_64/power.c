// SPDX-License-Identifier: Apache-2.0
/* The ends: halt, power off (ACPI 4.8.3.2, 16.1.7; 4.8.3.7 for hardware-reduced machines), reset (ACPI 4.8.3.6, the
 * keyboard controller, a triple fault). Any core, any context. */
#include "hv/arch/x86_64/x86_64.h"
#include "hv/base/bits.h"

#define SCI_EN 1u
#define SLP_EN (1u << 13)

static void register_write(const struct x86_64_register *r, uint32_t v)
{
    if (!r->address) return;
    if (r->is_io) {
        if (r->width_bits <= 8) x86_64_out8((uint16_t)r->address, (uint8_t)v);
        else if (r->width_bits <= 16) x86_64_out16((uint16_t)r->address, (uint16_t)v);
        else x86_64_out32((uint16_t)r->address, v);
    } else if (r->width_bits <= 8) {
        *(volatile uint8_t *)r->address = (uint8_t)v;
    } else if (r->width_bits <= 16) {
        *(volatile uint16_t *)r->address = (uint16_t)v;
    } else {
        *(volatile uint32_t *)r->address = v;
    }
}

NORETURN void arch_halt(void)
{
    for (;;) __asm__ volatile("cli\n\thlt" : : : "memory");
}

static NORETURN void triple_fault(void)
{
    struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };
    __asm__ volatile("cli\n\tlidt %0\n\tud2" : : "m"(none));
    arch_halt();
}

/* Registers in memory are reached like devices. Boot core, before the other cores run. */
void x86_64_power_init(void)
{
    const struct x86_64_platform *p = &x86_64_platform;
    const struct x86_64_register *const used[] = { &p->pm1a_control, &p->pm1b_control, &p->sleep_control, &p->reset };
    for (unsigned i = 0; i < ARRAY_COUNT(used); i++) {
        if (used[i]->address && !used[i]->is_io) x86_64_map(used[i]->address, 4, X86_64_DEVICE);
    }
}

/* ACPI 4.8.2.5: firmware keeps the power register to itself until it is asked. */
static void take_acpi_mode(const struct x86_64_platform *p)
{
    if (!p->smi_command_port || !p->acpi_enable || !p->pm1a_control.is_io) return;
    if (x86_64_in16((uint16_t)p->pm1a_control.address) & SCI_EN) return;
    x86_64_out8((uint16_t)p->smi_command_port, p->acpi_enable);
    for (unsigned i = 0; i < 1000 && !(x86_64_in16((uint16_t)p->pm1a_control.address) & SCI_EN); i++) x86_64_delay_us(100);
}

NORETURN void arch_power_off(int status)
{
    const struct x86_64_platform *p = &x86_64_platform;
    __asm__ volatile("cli" : : : "memory");
    if (p->debug_exit_port) {
        x86_64_out32(p->debug_exit_port, (uint32_t)status);
        for (const char *word = "Shutdown"; *word; word++) x86_64_out8(0x8900, (uint8_t)*word);      /* Bochs */
    }
    if (p->has_s5) {
        if (p->sleep_control.address) register_write(&p->sleep_control, (uint32_t)p->s5_a << 2 | 1u << 5);
        if (p->pm1a_control.address) {
            take_acpi_mode(p);
            register_write(&p->pm1a_control, (uint32_t)p->s5_a << 10 | SLP_EN);
            register_write(&p->pm1b_control, (uint32_t)p->s5_b << 10 | SLP_EN);
        }
        x86_64_delay_us(500000);
        arch_halt();                                      /* the machine refuses: stay, do not start again */
    }
    if (x86_64_cpuid(1, 0).c >> 31) triple_fault();       /* no way is known: a virtual machine ends so, or starts again */
    arch_halt();
}

NORETURN void arch_reboot(void)
{
    const struct x86_64_platform *p = &x86_64_platform;
    __asm__ volatile("cli" : : : "memory");
    if (p->reset.address) {
        register_write(&p->reset, p->reset_value);
        x86_64_delay_us(50000);
    }
    for (unsigned i = 0; i < 100 && x86_64_in8(0x64) & 2; i++) x86_64_delay_us(100);
    x86_64_out8(0x64, 0xfe);                              /* pulse the reset line */
    x86_64_delay_us(50000);
    triple_fault();
}
