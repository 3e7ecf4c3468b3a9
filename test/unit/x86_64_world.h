// SPDX-License-Identifier: Apache-2.0
/* The whole x86_64 machine, built as a VM builds it, with vCPUs that do not run. Single thread. */
#pragma once
#include "drivers/virt/lapic.h"
#include "hv/exec/native.h"
#include "hv/isa/x86_64/machine.h"
#include "test/harness/test.h"
#include "test/unit/chip.h"

#define MEMORY MIB(16)
#define CPUS   2

static struct world {
    struct gmem gmem;
    struct mmio_bus bus;
    struct guest_clock clock;
    struct vcpu v[CPUS];
    struct machine_config config;
    void *machine;
    char out[64];
    size_t out_length;
    int powered;
} *w;
static uint8_t file[0x3000];

static inline void power(void *vm, enum power_request what, uint32_t code)
{
    (void)vm, (void)code;
    w->powered = 1 + (int)what;
}
static inline void console_write(void *vm, const char *text, size_t length)
{
    (void)vm;
    if (length > sizeof w->out - 1 - w->out_length) length = sizeof w->out - 1 - w->out_length;         /* the beginning is looked at */
    memcpy(w->out + w->out_length, text, length);
    w->out_length += length;
}
static inline uint64_t wall_time_s(void) { return 1700000000; }

/* An ELF file of one segment at 2 MiB with Xen's note, or without. */
static inline void make_elf(bool has_note)
{
    memset(file, 0, sizeof file);
    memcpy(file, "\177ELF\2\1\1", 7);
    store_le16(file + 16, 2);
    store_le16(file + 18, 62);
    store_le64(file + 24, 0x200000);
    store_le64(file + 32, 64);
    store_le16(file + 54, 56);
    store_le16(file + 56, 2);
    uint8_t *h = file + 64;
    store_le32(h, 1);
    store_le64(h + 8, 0x1000);
    store_le64(h + 16, 0x200000);
    store_le64(h + 24, 0x200000);
    store_le64(h + 32, 0x1000);
    store_le64(h + 40, 0x2000);
    h += 56;
    store_le32(h, has_note ? 4 : 0);
    store_le64(h + 8, 0x800);
    store_le64(h + 32, 20);
    store_le32(file + 0x800, 4);
    store_le32(file + 0x804, 4);
    store_le32(file + 0x808, 18);
    memcpy(file + 0x80c, "Xen", 4);
    store_le32(file + 0x810, 0x200010);
}

static inline struct machine_config config_of(void)
{
    return (struct machine_config){ .memory_size = MEMORY, .vcpu_count = CPUS, .kernel = { file, sizeof file }, .cmdline = "hello" };
}

static inline void begin(void)
{
    chip_pages();
    w = calloc(1, sizeof *w);
    gmem_init(&w->gmem);
    mmio_init(&w->bus);
    w->clock = (struct guest_clock){ .frequency_hz = 10000000, .offset_ns = 1000, .stopped_at_ns = 5000 };
    make_elf(true);
    w->config = config_of();
    const struct machine_host host = { .vm = w, .power = power, .console_write = console_write, .wall_time_s = wall_time_s };
    for (unsigned i = 0; i < CPUS; i++) {
        w->v[i].id = i;
        w->v[i].isa = &X86_64_ISA;
        w->v[i].clock = &w->clock;
        CHECK(!vm_failed(mmu_init(&w->v[i].mmu, &w->gmem, &w->bus, X86_64_ISA.walk, &w->v[i])));
    }
    CHECK(!vm_failed(X86_64_MICROVM.create(&w->config, &host, &w->gmem, &w->bus, w->v, &w->clock, &w->machine)));
    mmio_freeze(&w->bus);
    CHECK(!vm_failed(X86_64_MICROVM.reset(w->machine)));
}
static inline void end(void)
{
    mmio_destroy(&w->bus);
    for (unsigned i = 0; i < CPUS; i++) mmu_destroy(&w->v[i].mmu);
    X86_64_MICROVM.destroy(w->machine);
    gmem_free(&w->gmem);
    free(w);
}
static inline uint64_t at(uint64_t gpa, unsigned bytes)
{
    uint64_t v = 0;
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(gpa), &v, bytes)));
    return v;
}
static inline void set(uint64_t gpa, uint64_t v, unsigned bytes) { CHECK(!vm_failed(gmem_write_bulk(&w->gmem, guest_phys_addr_make(gpa), &v, bytes))); }
