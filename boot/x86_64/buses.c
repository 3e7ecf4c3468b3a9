// SPDX-License-Identifier: Apache-2.0
/* Where a PC's devices are: PCI through ECAM when ACPI names it, else through ports 0xcf8 and 0xcfc; virtio-mmio slots by
 * the command line (`virtio_mmio.device=SIZE@BASE:IRQ`, as Linux has it, `.device` may be left out) and by ACPI's DSDT.
 * Boot core, while the first 4 GiB are mapped. */
#include "boot/x86_64/found.h"
#include "hv/base/string.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA    0xcfc

/* PCI 3.2.2.3.2: a dword's address, then the bytes wanted of it. */
static uint16_t select_dword(uintptr_t at)
{
    x86_64_out32(PORT_ADDRESS, 1u << 31 | ((uint32_t)at & 0xfffffcu));
    return (uint16_t)(PORT_DATA + (at & 3));
}

static uint32_t config_get(void *ctx, uintptr_t at, unsigned bytes)
{
    (void)ctx;
    uint16_t port = select_dword(at);
    return bytes == 1 ? x86_64_in8(port) : bytes == 2 ? x86_64_in16(port) : x86_64_in32(port);
}

static void config_put(void *ctx, uintptr_t at, unsigned bytes, uint32_t v)
{
    (void)ctx;
    uint16_t port = select_dword(at);
    if (bytes == 1) x86_64_out8(port, (uint8_t)v);
    else if (bytes == 2) x86_64_out16(port, (uint16_t)v);
    else x86_64_out32(port, v);
}

static const struct register_ops config_ports = { config_get, config_put };

/* The address register keeps what is written; where there is no such bridge nothing does. */
static bool has_config_ports(void)
{
    uint32_t before = x86_64_in32(PORT_ADDRESS);
    x86_64_out32(PORT_ADDRESS, 1u << 31);
    bool is_there = x86_64_in32(PORT_ADDRESS) == 1u << 31;
    x86_64_out32(PORT_ADDRESS, before);
    return is_there;
}

static unsigned long number(const char *s, char **end)
{
    unsigned long v = strtoul(s, end, 0);
    char unit = **end;
    if (unit == 'K' || unit == 'k') v <<= 10, ++*end;
    return v;
}

static void read_words(const char *cmdline, const struct x86_64_platform *p, struct host_buses *b)
{
    static const char word[] = "virtio_mmio.";
    for (const char *at = cmdline; (at = strstr(at, word)); at++) {
        char *end;
        const char *value = at + sizeof word - 1;
        if (at != cmdline && at[-1] != ' ') continue;
        if (!strncmp(value, "device=", 7)) value += 7;
        uint64_t size = number(value, &end);
        if (*end != '@') continue;
        uint64_t base = number(end + 1, &end);
        unsigned long irq = *end == ':' ? strtoul(end + 1, &end, 0) : 0;
        struct arch_line line = { .number = (uint32_t)(irq < 16 && irq ? p->isa_irq[irq].gsi : irq) };
        buses_add_slot(b, base, size, &line);
    }
}

void buses_find(const char *cmdline, const struct x86_64_platform *p, struct host_buses *b)
{
    if (has_config_ports()) {
        b->pci.config = &config_ports;
        if (!b->pci.ecam) b->pci.last_bus = 255;
    }
    read_words(cmdline, p, b);
}
