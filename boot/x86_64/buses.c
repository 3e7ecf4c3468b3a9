// SPDX-License-Identifier: Apache-2.0
/* Where a PC's devices are: PCI through ECAM when ACPI names it, else through ports 0xcf8 and 0xcfc; virtio-mmio slots by
 * the command line (`virtio_mmio.device=SIZE@BASE:IRQ`, as Linux has it, `.device` may be left out) and by ACPI's DSDT.
 * Boot core, while the first 4 GiB are mapped. */
#include "boot/x86_64/found.h"
#include "hv/base/bits.h"
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

void buses_add_slot(struct host_buses *b, uint64_t base, uint64_t size_bytes, const struct arch_line *line)
{
    for (unsigned i = 0; i < b->mmio_count; i++) {
        if (b->mmio[i].base == base) return;
    }
    if (b->mmio_count < BOOT_MAX_MMIO_SLOTS && base && size_bytes >= 0x200) b->mmio[b->mmio_count++] = (struct mmio_slot){ base, size_bytes, *line };
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

/* A look at AML's bytes, without an interpreter: behind each _HID "LNRO0005" (virtio-mmio), the first Memory32Fixed and
 * the first extended interrupt descriptor of the resources that follow (ACPI 6.4.3.4, 6.4.3.6). */
void aml_find_virtio(const uint8_t *aml, uint32_t length, struct host_buses *b)
{
    static const char id[] = "LNRO0005";
    enum { NEAR = 160, MEMORY = 0x86, MEMORY_BYTES = 12, INTERRUPT = 0x89, INTERRUPT_BYTES = 9 };
    for (uint32_t at = 0; at + sizeof id - 1 < length; at++) {
        if (memcmp(aml + at, id, sizeof id - 1)) continue;
        uint32_t from = at + (uint32_t)sizeof id - 1, to = length - from < NEAR ? length : from + NEAR;
        uint64_t base = 0, size = 0;
        struct arch_line line = { 0 };
        for (uint32_t i = from; i + MEMORY_BYTES <= to; i++) {
            if (!memcmp(aml + i, id, sizeof id - 1)) break;                      /* the next device's */
            if (!base && aml[i] == MEMORY && load_le16(aml + i + 1) == MEMORY_BYTES - 3) {
                base = load_le32(aml + i + 4);
                size = load_le32(aml + i + 8);
            } else if (base && aml[i] == INTERRUPT && load_le16(aml + i + 1) == INTERRUPT_BYTES - 3 && aml[i + 4] == 1) {
                line = (struct arch_line){ load_le32(aml + i + 5), !(aml[i + 3] & 2), aml[i + 3] & 4 };
                break;
            }
        }
        buses_add_slot(b, base, size, &line);
    }
}
