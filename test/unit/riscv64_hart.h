// SPDX-License-Identifier: Apache-2.0
/* One riscv64 hart with 4 MiB of RAM at 0x80000000, no engine: what the privilege, CSR, PMP and walker tests stand on. */
#pragma once
#include "hv/isa/riscv64/state.h"
#include "test/harness/test.h"
#include "test/unit/pages.h"

#define RAM      0x80000000ull
#define RAM_SIZE MIB(4)
#define TICK_NS  100                                        /* 10 MHz */

struct hart { struct vcpu v; struct gmem gmem; struct mmio_bus bus; struct guest_clock clock; };

static inline void hart_pages(void) { test_pages(); }

/* The guest's clock stands still at this tick. */
static inline void hart_time(struct hart *h, uint64_t ticks)
{
    h->clock = (struct guest_clock){ .frequency_hz = 10000000, .offset_ns = 1000, .stopped_at_ns = 1000 + ticks * TICK_NS };
}

static inline void hart_start(struct hart *h, bool svadu)
{
    test_pages();
    memset(h, 0, sizeof *h);
    gmem_init(&h->gmem);
    mmio_init(&h->bus);
    CHECK(!vm_failed(gmem_add(&h->gmem, guest_phys_addr_make(RAM), RAM_SIZE, GMEM_RAM)));
    h->v.isa = &RISCV64_ISA;
    h->v.clock = &h->clock;
    CHECK(!vm_failed(mmu_init(&h->v.mmu, &h->gmem, &h->bus, RISCV64_ISA.walk, &h->v)));
    hart_time(h, 1000);
    rv_reset(&h->v);
    rv_set_svadu(&h->v, svadu);
    h->v.regs.pc = RAM;
}
static inline void hart_end(struct hart *h)
{
    mmu_destroy(&h->v.mmu);
    gmem_free(&h->gmem);
}
static inline struct rv_csrs *csrs_of(struct hart *h) { return rv_csrs(&h->v); }

static inline void hart_privilege(struct hart *h, enum rv_privilege p)
{
    csrs_of(h)->privilege = p;
    rv_sync(&h->v);
}

/* One CSR instruction with register operand: how is funct3 (1 swap, 2 set, 3 clear). False: it was illegal. */
static inline bool hart_csr(struct hart *h, unsigned how, unsigned number, uint64_t operand, bool has_operand, uint64_t *old)
{
    uint64_t opcode = (uint64_t)number << 20 | (has_operand ? 1u << 15 : 0u) | how << 12 | 0x73u;
    h->v.fault.kind = FAULT_NONE;
    uint64_t got = RV_HELPER_CSR.run(&h->v, opcode, operand, 0);
    if (h->v.fault.kind != FAULT_NONE) {
        CHECK_EQ_U64(h->v.fault.kind, FAULT_INVALID_OPCODE);
        CHECK_EQ_U64(h->v.fault.invalid_opcode.opcode, opcode);
        CHECK_EQ_U64(h->v.fault.invalid_opcode.pc.v, h->v.regs.pc);
        h->v.fault.kind = FAULT_NONE;
        return false;
    }
    if (old) {
        *old = got;
    }
    return true;
}
static inline bool csr_may_read(struct hart *h, unsigned number)                    { return hart_csr(h, 2, number, 0, false, NULL); }
static inline bool csr_may_write(struct hart *h, unsigned number, uint64_t value)   { return hart_csr(h, 1, number, value, true, NULL); }
static inline uint64_t csr_get(struct hart *h, unsigned number)
{
    uint64_t v = 0;
    CHECK(hart_csr(h, 2, number, 0, false, &v));
    return v;
}
static inline void csr_put(struct hart *h, unsigned number, uint64_t value)         { CHECK(csr_may_write(h, number, value)); }
static inline void csr_set(struct hart *h, unsigned number, uint64_t bits)          { CHECK(hart_csr(h, 2, number, bits, true, NULL)); }
static inline void csr_clear(struct hart *h, unsigned number, uint64_t bits)        { CHECK(hart_csr(h, 3, number, bits, true, NULL)); }

enum { FFLAGS = 1, FRM, FCSR, SSTATUS = 0x100, SIE = 0x104, STVEC, SCOUNTEREN, SSCRATCH = 0x140, SEPC, SCAUSE, STVAL, SIP, STIMECMP = 0x14d, SATP = 0x180,
       MSTATUS = 0x300, MISA, MEDELEG, MIDELEG, MIE, MTVEC, MCOUNTEREN, MENVCFG = 0x30a, MSCRATCH = 0x340, MEPC, MCAUSE, MTVAL, MIP,
       PMPCFG0 = 0x3a0, PMPCFG2 = 0x3a2, PMPADDR0 = 0x3b0, MCYCLE = 0xb00, MINSTRET = 0xb02, CYCLE = 0xc00, TIME, INSTRET, MHARTID = 0xf14 };

/* Runs a helper of the system instructions; false: it was illegal. */
static inline bool hart_system(struct hart *h, const struct ir_helper *helper, uint64_t opcode, uint64_t b, uint64_t c, uint64_t *out)
{
    h->v.fault.kind = FAULT_NONE;
    uint64_t got = helper->run(&h->v, opcode, b, c);
    if (out) {
        *out = got;
    }
    return h->v.fault.kind == FAULT_NONE;
}
static inline void ram_put(struct hart *h, uint64_t gpa, uint64_t value)
{
    uint64_t *p = gmem_slice(&h->gmem, guest_phys_addr_make(gpa), 8, ACCESS_WRITE);
    CHECK(p);
    *p = value;
}
static inline uint64_t ram_get(struct hart *h, uint64_t gpa)
{
    uint64_t *p = gmem_slice(&h->gmem, guest_phys_addr_make(gpa), 8, ACCESS_READ);
    CHECK(p);
    return *p;
}
