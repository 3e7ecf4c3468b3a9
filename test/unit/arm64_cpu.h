// SPDX-License-Identifier: Apache-2.0
/* One arm64 vCPU on the engine under test, with 4 MiB of RAM and no machine around it. Single thread. */
#pragma once
#include "hv/isa/arm64/state.h"
#include "test/harness/test.h"
#include "test/unit/engine.h"
#include "test/unit/pages.h"

#define RAM       0x40000000ull
#define RAM_BYTES MIB(4)
#define DATA      (RAM + 0x10000)

/* Translated vCPUs have no machine yet, so the table leaves them out. */
static struct isa_ops cpu_isa;

struct cpu { struct vcpu v; struct gmem gmem; struct mmio_bus bus; struct guest_clock clock; };

static inline void cpu_start(struct cpu *c)
{
    memset(c, 0, sizeof *c);
    test_pages();
    gmem_init(&c->gmem);
    mmio_init(&c->bus);
    guest_clock_start(&c->clock, 62500000);
    cpu_isa = ARM64_ISA;
    cpu_isa.lift = arm64_lift;
    c->v.isa = &cpu_isa;
    c->v.engine = &TEST_ENGINE;
    c->v.clock = &c->clock;
    CHECK(!vm_failed(gmem_add(&c->gmem, guest_phys_addr_make(RAM), RAM_BYTES, GMEM_RAM)));
    CHECK(!vm_failed(mmu_init(&c->v.mmu, &c->gmem, &c->bus, ARM64_ISA.walk, &c->v)));
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(&c->v)));
    arm64_set_boot(&c->v, RAM, 0);
}
static inline void cpu_end(struct cpu *c)
{
    TEST_ENGINE.vcpu_destroy(&c->v);
    mmu_destroy(&c->v.mmu);
    gmem_free(&c->gmem);
}
static inline uint64_t *cpu_x(struct cpu *c) { return c->v.regs.slot; }
static inline void *cpu_ram(struct cpu *c, uint64_t at) { return gmem_slice(&c->gmem, guest_phys_addr_make(at), 16, ACCESS_WRITE); }

/* Writes instructions at pc and runs them one by one; the last one's result. */
static inline struct exec_result cpu_run(struct cpu *c, const uint32_t *words, unsigned count)
{
    struct exec_result r = { 0 };
    memcpy(cpu_ram(c, c->v.regs.pc), words, 4 * count);
    c->v.engine->forget_code(&c->v, guest_phys_addr_make(c->v.regs.pc), 4 * count);
    for (unsigned n = 0; n < count && r.status != EXEC_FAULT; n++) r = c->v.engine->execute_instruction(&c->v);
    return r;
}
#define CPU_RUN(c, ...) cpu_run(c, (const uint32_t[]){ __VA_ARGS__ }, sizeof (const uint32_t[]){ __VA_ARGS__ } / 4)
