// SPDX-License-Identifier: Apache-2.0
/* The whole arm64 machine, built as a VM builds it, with vCPUs that do not run, on a host that is pretended: a GIC of some version and
 * identification registers that read as all ones where nothing else is said. Single thread. */
#pragma once
#include "hv/arch/hosted/hosted.h"
#include "hv/isa/arm64/machine.h"
#include "test/unit/chip.h"

#define RAM    0x40000000ull
#define MEMORY MIB(16)
#define CPUS   3
#define TICK_NS 16                                          /* 62.5 MHz, as QEMU's */

struct world {
    struct gmem gmem;
    struct mmio_bus bus;
    struct guest_clock clock;
    struct vcpu v[CPUS];
    struct machine_config config;
    void *machine;
    char out[64];
    size_t out_length;
    unsigned powers;
    enum power_request last_power;
    uint64_t gicv_at;
};
static struct world *world_now;

/* ---- the host ---- */
static uint64_t world_ids[16][8];
static inline uint64_t world_id(unsigned crm, unsigned op2) { return world_ids[crm & 15][op2 & 7]; }
static inline bool world_map_gicv(struct hw_vm *vm, uint64_t at)
{
    (void)vm;
    if (world_now) world_now->gicv_at = at;
    return true;
}
static inline void world_host(unsigned gic_version)
{
    static struct hw_arm64 arm64;
    static struct hw_support support;
    memset(world_ids, 0xff, sizeof world_ids);
    arm64 = (struct hw_arm64){ gic_version, 4, world_map_gicv, world_id };
    support = (struct hw_support){ GUEST_ARM64, "EL2", NULL, 1000000000 / TICK_NS, &arm64 };
    hosted_pretend(&support);
}

/* ---- the VM ---- */
static inline void world_power(void *vm, enum power_request what, uint32_t code)
{
    struct world *w = vm;
    CHECK_EQ_U64(code, 0);
    w->powers++;
    w->last_power = what;
}
static inline void world_console(void *vm, const char *text, size_t length)
{
    struct world *w = vm;
    CHECK(w->out_length + length < sizeof w->out);
    memcpy(w->out + w->out_length, text, length);
    w->out_length += length;
}
static inline uint64_t world_wall(void) { return 1700000000; }
static inline bool world_random(void *out, size_t size_bytes)
{
    memset(out, 0x5a, size_bytes);
    return true;
}
static inline void world_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes) { (void)v, (void)at, (void)size_bytes; }
static const struct engine_ops WORLD_ENGINE = { .mode = EXEC_HARDWARE, .name = "idle", .forget_code = world_forget };

/* The guest's clock stands still at this tick. */
static inline void world_time(struct world *w, uint64_t ticks)
{
    w->clock = (struct guest_clock){ .frequency_hz = 1000000000 / TICK_NS, .offset_ns = 1000, .stopped_at_ns = 1000 + ticks * TICK_NS };
}

static inline struct world *world_start(unsigned gic_version, const struct machine_config *c)
{
    struct world *w = calloc(1, sizeof *w);
    world_now = w;
    chip_pages();
    world_host(gic_version);
    gmem_init(&w->gmem);
    mmio_init(&w->bus);
    w->config = c ? *c : (struct machine_config){ .memory_size = MEMORY, .vcpu_count = CPUS };
    world_time(w, 1000);
    for (unsigned i = 0; i < CPUS; i++) {
        struct vcpu *v = &w->v[i];
        v->isa = &ARM64_ISA;
        v->engine = &WORLD_ENGINE;
        v->clock = &w->clock;
        v->id = i;
        v->vm = w;
        v->deadline_ns = UINT64_MAX;
        CHECK(!vm_failed(mmu_init(&v->mmu, &w->gmem, &w->bus, ARM64_ISA.walk, v)));
    }
    const struct machine_host host = { w, world_power, world_console, world_wall, world_random };
    CHECK(!vm_failed(ARM64_VIRT.create(&w->config, &host, &w->gmem, &w->bus, w->v, &w->clock, &w->machine)));
    CHECK(!vm_failed(ARM64_VIRT.reset(w->machine)));
    return w;
}
static inline void world_end(struct world *w)
{
    mmio_destroy(&w->bus);
    ARM64_VIRT.destroy(w->machine);
    for (unsigned i = 0; i < CPUS; i++) mmu_destroy(&w->v[i].mmu);
    gmem_free(&w->gmem);
    free(w);
    world_now = NULL;
    hosted_pretend(NULL);
}

static inline struct arm64_frame *frame_of(struct world *w) { return &arm64_state(&w->v[0])->hw; }
static inline uint64_t *x_of(struct world *w)               { return w->v[0].regs.slot; }
static inline void ram_put(struct world *w, uint64_t at, const void *bytes, size_t size_bytes)
{
    CHECK(!vm_failed(gmem_write_bulk(&w->gmem, guest_phys_addr_make(at), bytes, size_bytes)));
}
static inline void ram_put64(struct world *w, uint64_t at, uint64_t v) { ram_put(w, at, &v, 8); }
static inline void ram_put32(struct world *w, uint64_t at, uint32_t v) { ram_put(w, at, &v, 4); }
static inline uint64_t world_in(struct world *w, uint64_t at, unsigned size_bytes)
{
    uint64_t v = 0;
    CHECK(mmio_read(&w->bus, guest_phys_addr_make(at), size_bytes, &v));
    return v;
}
static inline void world_out(struct world *w, uint64_t at, unsigned size_bytes, uint64_t v)
{
    CHECK(mmio_write(&w->bus, guest_phys_addr_make(at), size_bytes, v));
}

/* A device of sixteen 64-bit words at DEVICE, which refuses from `refuses_from` on. */
#define DEVICE 0x0b000000ull
struct world_device { uint64_t word[16]; unsigned accesses; uint64_t refuses_from; };
static struct world_device device;

static inline struct vm_error device_access(uint64_t offset) { return offset >= device.refuses_from ? vm_error_because(VM_MEMORY_INVALID_ADDRESS, NULL) : VM_SUCCESS; }
static inline struct vm_error device_read(void *dev, uint64_t offset, unsigned size_bytes, uint64_t *out)
{
    (void)dev, (void)size_bytes;
    device.accesses++;
    *out = offset < sizeof device.word ? device.word[offset / 8] >> offset % 8 * 8 : 0;
    return device_access(offset);
}
static inline struct vm_error device_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    (void)dev;
    device.accesses++;
    if (offset < sizeof device.word && offset < device.refuses_from) memcpy((uint8_t *)device.word + offset, &value, size_bytes);
    return device_access(offset);
}
static inline void world_device(struct world *w)
{
    static const struct mmio_ops ops = { "words", device_read, device_write, NULL, NULL, NULL };
    const struct mmio_region r = { .base = { DEVICE }, .size_bytes = 0x2000, .min_access_bytes = 1, .max_access_bytes = 8, .ops = &ops };
    device = (struct world_device){ .refuses_from = UINT64_MAX };
    for (unsigned i = 0; i < 16; i++) device.word[i] = 0xf0e0d0c0b0a09080ull + 0x0101010101010101ull * i;
    CHECK(!vm_failed(mmu_map_mmio(&w->bus, &r)));
}
