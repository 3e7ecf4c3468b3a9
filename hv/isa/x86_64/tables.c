// SPDX-License-Identifier: Apache-2.0
/* What firmware would tell about the machine: ACPI tables of reduced hardware, the MP table, the list of memory.
 * ACPI 6.4, chapter 5 and 20 (AML); MultiProcessor specification 1.4, chapter 4. */
#include "drivers/virt/ioapic.h"
#include "drivers/virt/pc_power.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"
#include "hv/isa/x86_64/board.h"

/* A buffer that fills from the front; what does not fit is counted and not written. */
struct writer { uint8_t *to; size_t cap, used; };

static void put(struct writer *w, const void *bytes, size_t n)
{
    if (w->used + n <= w->cap) memcpy(w->to + w->used, bytes, n);
    w->used += n;
}
static void put8(struct writer *w, unsigned v)    { uint8_t b = (uint8_t)v; put(w, &b, 1); }
static void put16(struct writer *w, unsigned v)   { uint8_t b[2]; store_le16(b, (uint16_t)v); put(w, b, 2); }
static void put32(struct writer *w, uint32_t v)   { uint8_t b[4]; store_le32(b, v); put(w, b, 4); }
static void put64(struct writer *w, uint64_t v)   { uint8_t b[8]; store_le64(b, v); put(w, b, 8); }
static void put_zeroes(struct writer *w, size_t n) { while (n--) put8(w, 0); }
static void align(struct writer *w, size_t to)    { while (w->used % to) put8(w, 0); }
static bool is_full(const struct writer *w)       { return w->used > w->cap; }

/* So that the bytes from `from` on add up to 0. */
static void set_checksum(struct writer *w, size_t from, size_t end, size_t at)
{
    uint8_t sum = 0;
    if (end > w->cap) return;
    w->to[at] = 0;
    for (size_t i = from; i < end; i++) sum = (uint8_t)(sum + w->to[i]);
    w->to[at] = (uint8_t)-sum;
}

/* ---- tables: 5.2.6 ---- */
enum { TABLE_LENGTH = 4, TABLE_CHECKSUM = 9 };

static size_t begin_table(struct writer *w, const char signature[4], unsigned revision)
{
    align(w, 16);
    size_t at = w->used;
    put(w, signature, 4);
    put32(w, 0);
    put8(w, revision);
    put8(w, 0);
    put(w, "HOSPES", 6);
    put(w, "MICROVM ", 8);
    put32(w, 1);
    put(w, "HOSP", 4);
    put32(w, 1);
    return at;
}

static void end_table(struct writer *w, size_t at)
{
    if (!is_full(w)) store_le32(w->to + at + TABLE_LENGTH, (uint32_t)(w->used - at));
    set_checksum(w, at, w->used, at + TABLE_CHECKSUM);
}

/* 5.2.3.2: a byte in memory. */
static void put_register(struct writer *w, uint64_t at)
{
    put8(w, 0);
    put8(w, 8);
    put8(w, 0);
    put8(w, 1);
    put64(w, at);
}

/* 5.2.9 */
static size_t put_fadt(struct writer *w, uint64_t dsdt)
{
    enum { RESET_REGISTER = 1 << 10, NO_POWER_BUTTON = 1 << 4, NO_SLEEP_BUTTON = 1 << 5, REDUCED = 1 << 20, NO_VGA = 1 << 2, NO_ASPM = 1 << 4 };
    size_t at = begin_table(w, "FACP", 6);
    put32(w, 0);
    put32(w, (uint32_t)dsdt);
    put_zeroes(w, 109 - 44);
    put16(w, NO_VGA | NO_ASPM);             /* offset 109: IAPC_BOOT_ARCH */
    put8(w, 0);
    put32(w, RESET_REGISTER | NO_POWER_BUTTON | NO_SLEEP_BUTTON | REDUCED);
    put_register(w, X86_POWER_BASE + PC_POWER_RESET);
    put8(w, PC_POWER_RESET_VALUE);
    put16(w, 0);
    put8(w, 4);                             /* offset 131: minor version */
    put64(w, 0);
    put64(w, dsdt);
    put_zeroes(w, 244 - 148);
    put_register(w, X86_POWER_BASE + PC_POWER_SLEEP_CONTROL);
    put_register(w, X86_POWER_BASE + PC_POWER_SLEEP_STATUS);
    put64(w, 0);
    end_table(w, at);
    return at;
}

/* 5.2.12 */
static size_t put_madt(struct writer *w, unsigned cpu_count)
{
    enum { LOCAL_APIC, IO_APIC, OVERRIDE, LOCAL_NMI = 4, HAS_8259 = 1, ENABLED = 1 };
    size_t at = begin_table(w, "APIC", 5);
    put32(w, LAPIC_BASE);
    put32(w, HAS_8259);
    for (unsigned i = 0; i < cpu_count; i++) {
        put8(w, LOCAL_APIC);
        put8(w, 8);
        put8(w, i);
        put8(w, i);
        put32(w, ENABLED);
    }
    put8(w, IO_APIC);
    put8(w, 12);
    put16(w, 0);
    put32(w, IOAPIC_BASE);
    put32(w, 0);
    put8(w, OVERRIDE);                      /* interrupt 0 of the PC is input 2 */
    put8(w, 10);
    put8(w, 0);
    put8(w, 0);
    put32(w, X86_PIT_GSI);
    put16(w, 0);
    put8(w, LOCAL_NMI);
    put8(w, 6);
    put8(w, 0xff);
    put16(w, 0);
    put8(w, 1);
    end_table(w, at);
    return at;
}

/* ---- AML: chapter 20. A package's length counts its own bytes; two of them are enough for us. ---- */
static size_t begin_package(struct writer *w)
{
    size_t at = w->used;
    put16(w, 0);
    return at;
}
static void end_package(struct writer *w, size_t at)
{
    size_t n = w->used - at;
    if (!is_full(w)) store_le16(w->to + at, (uint16_t)(0x40 | (n & 15) | n >> 4 << 8));
}

static void put_name(struct writer *w, const char name[4])
{
    put8(w, 0x08);
    put(w, name, 4);
}
static void put_string(struct writer *w, const char *text)
{
    put8(w, 0x0d);
    put(w, text, strlen(text) + 1);
}
static void put_byte(struct writer *w, unsigned v)
{
    put8(w, 0x0a);
    put8(w, v);
}

static size_t begin_device(struct writer *w, const char name[4], unsigned number)
{
    put16(w, 0x825b);
    size_t at = begin_package(w);
    put(w, name, 4);
    put_name(w, "_UID");
    put_byte(w, number);
    return at;
}

/* The buffer of _CRS: what `fill` writes, and the end tag. */
static size_t begin_resources(struct writer *w, unsigned bytes)
{
    put_name(w, "_CRS");
    put8(w, 0x11);
    size_t at = begin_package(w);
    put_byte(w, bytes + 2);
    return at;
}
static void end_resources(struct writer *w, size_t at)
{
    put16(w, 0x0079);
    end_package(w, at);
}

static void put_virtio(struct writer *w, unsigned n)
{
    enum { CONSUMER = 1, MEMORY_BYTES = 12, INTERRUPT_BYTES = 9 };
    char name[4] = { 'V', 'R', '0', (char)('0' + n) };
    size_t device = begin_device(w, name, n);
    put_name(w, "_HID");
    put_string(w, "LNRO0005");
    size_t resources = begin_resources(w, MEMORY_BYTES + INTERRUPT_BYTES);
    put8(w, 0x86);                          /* 6.4.3.4: 32-bit fixed memory, writable */
    put16(w, 9);
    put8(w, 1);
    put32(w, X86_VIRTIO_BASE + n * X86_VIRTIO_BYTES);
    put32(w, X86_VIRTIO_BYTES);
    put8(w, 0x89);                          /* 6.4.3.6: extended interrupt, level, active high */
    put16(w, 6);
    put8(w, CONSUMER);
    put8(w, 1);
    put32(w, X86_VIRTIO_GSI + n);
    end_resources(w, resources);
    end_package(w, device);
}

/* An ISA device: EISA name, ports, interrupt. */
static void put_isa(struct writer *w, const char name[4], uint32_t eisa, unsigned port, unsigned ports, unsigned irq)
{
    enum { IO_BYTES = 8, IRQ_BYTES = 3 };
    size_t device = begin_device(w, name, 0);
    put_name(w, "_HID");
    put8(w, 0x0c);
    put32(w, eisa);
    size_t resources = begin_resources(w, IO_BYTES + IRQ_BYTES);
    put8(w, 0x47);                          /* 6.4.2.5 */
    put8(w, 1);
    put16(w, port);
    put16(w, port);
    put8(w, 1);
    put8(w, ports);
    put8(w, 0x22);                          /* 6.4.2.1 */
    put16(w, 1u << irq);
    end_resources(w, resources);
    end_package(w, device);
}

static size_t put_dsdt(struct writer *w)
{
    enum { PNP0501 = 0x0105d041, PNP0B00 = 0x000bd041 };
    size_t at = begin_table(w, "DSDT", 2);
    put_name(w, "_S5_");
    put8(w, 0x12);
    size_t package = begin_package(w);
    put8(w, 2);
    put_byte(w, PC_POWER_S5);
    put8(w, 0x00);
    end_package(w, package);
    put8(w, 0x10);                          /* Scope(\_SB) */
    size_t scope = begin_package(w);
    put8(w, '\\');
    put(w, "_SB_", 4);
    put_isa(w, "COM1", PNP0501, X86_COM1_PORT, 8, X86_COM1_IRQ);
    put_isa(w, "RTC_", PNP0B00, 0x70, 2, X86_RTC_IRQ);
    for (unsigned n = 0; n < X86_VIRTIO_SLOTS; n++) put_virtio(w, n);
    end_package(w, scope);
    end_table(w, at);
    return at;
}

size_t x86_make_acpi(void *out, size_t cap_bytes, uint64_t at, unsigned cpu_count, uint64_t *rsdp_at)
{
    struct writer w = { out, cap_bytes, 0 };
    size_t rsdp = w.used;
    put(&w, "RSD PTR ", 8);                 /* 5.2.5.3 */
    put8(&w, 0);
    put(&w, "HOSPES", 6);
    put8(&w, 2);
    put32(&w, 0);
    put32(&w, 36);
    put64(&w, 0);
    put32(&w, 0);
    uint64_t dsdt = at + put_dsdt(&w), fadt = at + put_fadt(&w, dsdt), madt = at + put_madt(&w, cpu_count);
    size_t xsdt = begin_table(&w, "XSDT", 1);
    put64(&w, fadt);
    put64(&w, madt);
    end_table(&w, xsdt);
    if (is_full(&w)) return 0;
    store_le64(w.to + rsdp + 24, at + xsdt);
    set_checksum(&w, rsdp, rsdp + 20, rsdp + 8);
    set_checksum(&w, rsdp, rsdp + 36, rsdp + 32);
    *rsdp_at = at + rsdp;
    return w.used;
}

/* ---- the MP table ---- */
static void put_route(struct writer *w, unsigned kind, unsigned type, unsigned irq, unsigned chip, unsigned input, unsigned how)
{
    put8(w, kind);
    put8(w, type);
    put16(w, how);
    put8(w, 0);                             /* the only bus */
    put8(w, irq);
    put8(w, chip);
    put8(w, input);
}

size_t x86_make_mp_table(void *out, size_t cap_bytes, uint64_t at, unsigned cpu_count)
{
    enum { PROCESSOR, BUS, CHIP, ROUTE, LOCAL_ROUTE };
    enum { INT, NMI, SMI, EXTINT, BOOT_CPU = 3, CPU = 1, CHIP_ID = 0, LEVEL_HIGH = 0xd, ALL = 0xff };
    struct writer w = { out, cap_bytes, 0 };
    unsigned entries = 0;
    put(&w, "_MP_", 4);                     /* 4.1 */
    put32(&w, (uint32_t)at + 16);
    put8(&w, 1);
    put8(&w, 4);
    put_zeroes(&w, 6);
    set_checksum(&w, 0, 16, 10);
    put(&w, "PCMP", 4);                     /* 4.2 */
    put32(&w, 4u << 16);                    /* length: below; revision 1.4 */
    put(&w, "HOSPES  MICROVM     ", 20);
    put_zeroes(&w, 8);
    put32(&w, LAPIC_BASE);
    put32(&w, 0);
    for (unsigned i = 0; i < cpu_count; i++, entries++) {
        put8(&w, PROCESSOR);
        put8(&w, i);
        put8(&w, LAPIC_VERSION & 0xff);
        put8(&w, i ? CPU : BOOT_CPU);
        put32(&w, 0x600);
        put32(&w, 0x201);
        put64(&w, 0);
    }
    put8(&w, BUS);
    put8(&w, 0);
    put(&w, "ISA   ", 6);
    put8(&w, CHIP);
    put8(&w, CHIP_ID);
    put8(&w, 0x20);
    put8(&w, 1);
    put32(&w, IOAPIC_BASE);
    entries += 2;
    for (unsigned irq = 0; irq < IOAPIC_INPUTS; irq++) {
        if (irq == X86_PIT_GSI) continue;   /* the 8259s' cascade */
        put_route(&w, ROUTE, INT, irq, CHIP_ID, irq ? irq : X86_PIT_GSI, irq >= X86_VIRTIO_GSI ? LEVEL_HIGH : 0);
        entries++;
    }
    put_route(&w, LOCAL_ROUTE, EXTINT, 0, 0, 0, 0);
    put_route(&w, LOCAL_ROUTE, NMI, 0, ALL, 1, 0);
    entries += 2;
    if (is_full(&w)) return 0;
    store_le16(w.to + 16 + 4, (uint16_t)(w.used - 16));
    w.to[16 + 6] = 4;
    store_le16(w.to + 16 + 34, (uint16_t)entries);
    set_checksum(&w, 16, w.used, 16 + 7);
    return w.used;
}

unsigned x86_memory_map(uint64_t memory_size, struct x86_memory_row out[X86_MAX_MEMORY_ROWS])
{
    enum { USABLE = 1, RESERVED = 2 };
    uint64_t low = memory_size < X86_LOW_RAM_END ? memory_size : X86_LOW_RAM_END, high = memory_size - low;
    unsigned n = 0;
    out[n++] = (struct x86_memory_row){ 0, X86_LOW_RAM_FREE_TO, USABLE };
    out[n++] = (struct x86_memory_row){ X86_LOW_RAM_FREE_TO, X86_MEGABYTE - X86_LOW_RAM_FREE_TO, RESERVED };
    out[n++] = (struct x86_memory_row){ X86_MEGABYTE, low - X86_MEGABYTE, USABLE };
    if (high) out[n++] = (struct x86_memory_row){ X86_HIGH_RAM_BASE, high, USABLE };
    return n;
}
