// SPDX-License-Identifier: Apache-2.0
/* hv/isa/riscv64/priv.c: traps and their values, delegation, returns, interrupts, WFI, fences, the S-mode timer, start-up. */
#include "hv/exec/engine.h"
#include "test/unit/riscv64_hart.h"

static struct hart h;

static void handlers(void)
{
    csr_put(&h, MTVEC, 0x80001000);
    csr_put(&h, STVEC, 0x80002000);
}

struct row { struct fault fault; uint64_t cause, value; };

TEST(R75_R80_R82_R83_R84_every_fault_becomes_its_cause_and_value)
{
    guest_addr at = { 0x4567 };
    guest_phys_addr gpa = { 0x1234 };
    const struct row rows[] = {
        { fault_page(at, ACCESS_EXECUTE, false),              12, 0x4567 },
        { fault_page(at, ACCESS_READ, true),                  13, 0x4567 },
        { fault_page(at, ACCESS_WRITE, false),                15, 0x4567 },
        { fault_page(at, ACCESS_ATOMIC, false),               15, 0x4567 },
        { fault_bus(gpa, at, ACCESS_EXECUTE),                  1, 0x4567 },
        { fault_bus(gpa, at, ACCESS_READ),                     5, 0x4567 },
        { fault_bus(gpa, at, ACCESS_WRITE),                    7, 0x4567 },
        { fault_bus(gpa, at, ACCESS_ATOMIC),                   7, 0x4567 },
        { fault_alignment(at, 4, ACCESS_READ),                 4, 0x4567 },
        { fault_alignment(at, 4, ACCESS_ATOMIC),               6, 0x4567 },
        { fault_invalid_opcode(guest_addr_make(RAM), 0x9c41),  2, 0x9c41 },
        { fault_protection(0x1234),                            2, 0x1234 },
        { fault_trap(3, 0),                                    3, 0 },
        { fault_trap(8, 0),                                    8, 0 },
    };
    hart_start(&h, true);
    handlers();
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        h.v.regs.pc = RAM + 2 * i;
        CHECK(RISCV64_ISA.take_fault(&h.v, &rows[i].fault));
        CHECK_EQ_U64(csr_get(&h, MCAUSE), rows[i].cause);
        CHECK_EQ_U64(csr_get(&h, MTVAL), rows[i].value);
        CHECK_EQ_U64(csr_get(&h, MEPC), RAM + 2 * i);
        CHECK_EQ_U64(h.v.regs.pc, 0x80001000);
    }
    hart_end(&h);
}

TEST(R88_faults_below_machine_mode_go_where_medeleg_says)
{
    struct fault f = fault_page(guest_addr_make(0x10), ACCESS_READ, true);
    hart_start(&h, true);
    handlers();
    csr_put(&h, MEDELEG, 1u << RV_CAUSE_LOAD_PAGE);
    csr_put(&h, MSTATUS, RV_SIE | RV_MIE);
    hart_privilege(&h, RV_U);
    CHECK(RISCV64_ISA.take_fault(&h.v, &f));
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_S);
    CHECK_EQ_U64(h.v.regs.pc, 0x80002000);
    CHECK_EQ_U64(csrs_of(&h)->scause, RV_CAUSE_LOAD_PAGE);
    CHECK_EQ_U64(csrs_of(&h)->stval, 0x10);
    CHECK_EQ_U64(csrs_of(&h)->mstatus & (RV_SIE | RV_SPIE | RV_SPP | RV_MIE), RV_SPIE | RV_MIE);
    f = fault_page(guest_addr_make(0x20), ACCESS_WRITE, false);         /* not delegated */
    CHECK(RISCV64_ISA.take_fault(&h.v, &f));
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    CHECK_EQ_U64(csrs_of(&h)->mstatus & (RV_MIE | RV_MPIE | RV_MPP), RV_MPIE | RV_S << RV_MPP_SHIFT);
    f = fault_page(guest_addr_make(0x30), ACCESS_READ, false);          /* from M never delegated */
    CHECK(RISCV64_ISA.take_fault(&h.v, &f));
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    CHECK_EQ_U64(csrs_of(&h)->mtval, 0x30);
    hart_end(&h);
}

TEST(R88_a_fault_without_a_handler_surfaces)
{
    struct fault f = fault_page(guest_addr_make(0x10), ACCESS_READ, true);
    hart_start(&h, true);
    CHECK(!RISCV64_ISA.take_fault(&h.v, &f));                           /* mtvec was never set */
    CHECK_EQ_U64(h.v.regs.pc, RAM);
    csr_put(&h, MTVEC, 0x1000);
    csr_put(&h, MEDELEG, 0xb3ff);
    hart_privilege(&h, RV_S);
    CHECK(!RISCV64_ISA.take_fault(&h.v, &f));                           /* stvec was not */
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_S);
    hart_end(&h);
}

TEST(a_trap_breaks_the_reservation)
{
    struct fault f = fault_trap(3, 0);
    hart_start(&h, true);
    handlers();
    h.v.reservation.size_bytes = 8;
    CHECK(RISCV64_ISA.take_fault(&h.v, &f));
    CHECK(!h.v.reservation.size_bytes);
    hart_end(&h);
}

TEST(mret_and_sret_restore_what_the_trap_stacked)
{
    uint64_t to;
    hart_start(&h, true);
    csr_put(&h, MEPC, 0x3000);
    csr_put(&h, SEPC, 0x4000);
    csr_put(&h, MSTATUS, RV_MPIE | RV_S << RV_MPP_SHIFT | RV_MPRV | RV_SPIE);
    CHECK(hart_system(&h, &RV_HELPER_MRET, 0x30200073, 0, 0, &to));
    CHECK_EQ_U64(to, 0x3000);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_S);
    CHECK_EQ_U64(csrs_of(&h)->mstatus & (RV_MIE | RV_MPIE | RV_MPP | RV_MPRV), RV_MIE | RV_MPIE);
    CHECK(hart_system(&h, &RV_HELPER_SRET, 0x10200073, 0, 0, &to));
    CHECK_EQ_U64(to, 0x4000);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_U);
    CHECK_EQ_U64(csrs_of(&h)->mstatus & (RV_SIE | RV_SPIE | RV_SPP), RV_SIE | RV_SPIE);
    hart_end(&h);
}

TEST(R80_privileged_instructions_are_illegal_below_their_level)
{
    static const struct { const struct ir_helper *helper; uint32_t opcode, trap_bit; enum rv_privilege lowest; } rows[] = {
        { &RV_HELPER_MRET,         0x30200073, 0,      RV_M },
        { &RV_HELPER_SRET,         0x10200073, RV_TSR, RV_S },
        { &RV_HELPER_WFI,          0x10500073, RV_TW,  RV_S },
        { &RV_HELPER_SFENCE,       0x12000073, RV_TVM, RV_S },
        { &RV_HELPER_SFENCE_INVAL, 0x18000073, 0,      RV_S },
    };
    static const enum rv_privilege levels[] = { RV_U, RV_S, RV_M };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned k = 0; k < 3; k++) {
            for (unsigned is_trapped = 0; is_trapped < 2; is_trapped++) {
                hart_start(&h, true);
                csr_put(&h, MSTATUS, is_trapped ? rows[i].trap_bit : 0);
                hart_privilege(&h, levels[k]);
                bool is_legal = levels[k] >= rows[i].lowest && !(is_trapped && rows[i].trap_bit && levels[k] == RV_S);
                CHECK_EQ_U64(hart_system(&h, rows[i].helper, rows[i].opcode, 0, 0, NULL), is_legal);
                if (!is_legal) {
                    CHECK_EQ_U64(h.v.fault.kind, FAULT_INVALID_OPCODE);
                    CHECK_EQ_U64(h.v.fault.invalid_opcode.opcode, rows[i].opcode);
                    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), levels[k]);
                }
                hart_end(&h);
            }
        }
    }
}

TEST(ecall_names_the_level_it_came_from)
{
    static const struct { enum rv_privilege from; uint64_t cause; } rows[] = { { RV_U, 8 }, { RV_S, 9 }, { RV_M, 11 } };
    for (unsigned i = 0; i < 3; i++) {
        hart_start(&h, true);
        hart_privilege(&h, rows[i].from);
        CHECK(!hart_system(&h, &RV_HELPER_ECALL, 0x73, 0, 0, NULL));
        CHECK_EQ_U64(h.v.fault.kind, FAULT_TRAP);
        CHECK_EQ_U64(h.v.fault.trap.number, rows[i].cause);
        CHECK_EQ_U64(h.v.hypercall, 0);
        hart_end(&h);
    }
}

/* ---- interrupts ---- */

TEST(interrupts_are_taken_by_priority)
{
    static const unsigned order[] = { RV_IRQ_MEI, RV_IRQ_MSI, RV_IRQ_MTI, RV_IRQ_SEI, RV_IRQ_SSI, RV_IRQ_STI };
    uint64_t pending = 0xaaa;
    hart_start(&h, true);
    handlers();
    csr_put(&h, MIE, 0xaaa);
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        h.v.pins = (uint32_t)pending & RV_PINS;
        csr_put(&h, MIP, pending & 1u << RV_IRQ_STI);
        h.v.pins = (uint32_t)pending & RV_PINS;
        csr_put(&h, MSTATUS, RV_MIE);
        CHECK(RISCV64_ISA.has_irq(&h.v));
        CHECK(RISCV64_ISA.take_irq(&h.v));
        CHECK_EQ_U64(csr_get(&h, MCAUSE), RV_CAUSE_INTERRUPT | order[i]);
        CHECK_EQ_U64(csr_get(&h, MTVAL), 0);
        CHECK(!RISCV64_ISA.has_irq(&h.v));                              /* MIE is off inside the handler */
        pending &= ~(1ull << order[i]);
    }
    hart_end(&h);
}

TEST(machine_interrupts_go_before_delegated_ones_whatever_their_number)
{
    hart_start(&h, true);
    handlers();
    csr_put(&h, MIE, 0xaaa);
    csr_put(&h, MIDELEG, 1u << RV_IRQ_SEI);
    vcpu_set_pin(&h.v, RV_IRQ_SEI, true);
    csr_put(&h, MIP, 1u << RV_IRQ_STI);
    csrs_of(&h)->mstatus |= RV_SIE | RV_MIE;
    hart_privilege(&h, RV_S);
    CHECK(RISCV64_ISA.take_irq(&h.v));
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_INTERRUPT | RV_IRQ_STI);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    hart_end(&h);
}

TEST(a_level_is_open_to_its_interrupts_below_it_always_and_at_it_when_enabled)
{
    static const enum rv_privilege levels[] = { RV_U, RV_S, RV_M };
    for (unsigned delegated = 0; delegated < 2; delegated++) {
        for (unsigned k = 0; k < 3; k++) {
            for (unsigned enabled = 0; enabled < 2; enabled++) {
                hart_start(&h, true);
                handlers();
                csr_put(&h, MIE, 1u << RV_IRQ_SEI);
                csr_put(&h, MIDELEG, delegated ? 1u << RV_IRQ_SEI : 0);
                csr_put(&h, MSTATUS, enabled ? RV_SIE | RV_MIE : 0);
                vcpu_set_pin(&h.v, RV_IRQ_SEI, true);
                hart_privilege(&h, levels[k]);
                enum rv_privilege target = delegated ? RV_S : RV_M;
                bool is_open = levels[k] < target || (levels[k] == target && enabled);
                CHECK_EQ_U64(RISCV64_ISA.has_irq(&h.v), is_open);
                CHECK(RISCV64_ISA.wakes(&h.v));                          /* WFI ends whatever the global enables say */
                CHECK_EQ_U64(RISCV64_ISA.take_irq(&h.v), is_open);
                if (is_open) {
                    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), target);
                }
                hart_end(&h);
            }
        }
    }
}

TEST(vectored_mode_adds_four_bytes_a_cause_for_interrupts_only)
{
    struct fault f = fault_trap(3, 0);
    hart_start(&h, true);
    csr_put(&h, MTVEC, 0x80001001);
    csr_put(&h, MIE, 1u << RV_IRQ_MTI);
    csr_put(&h, MSTATUS, RV_MIE);
    vcpu_set_pin(&h.v, RV_IRQ_MTI, true);
    CHECK(RISCV64_ISA.take_irq(&h.v));
    CHECK_EQ_U64(h.v.regs.pc, 0x80001000 + 4 * RV_IRQ_MTI);
    CHECK(RISCV64_ISA.take_fault(&h.v, &f));
    CHECK_EQ_U64(h.v.regs.pc, 0x80001000);
    hart_end(&h);
}

TEST(enabling_an_interrupt_that_waits_asks_the_engine_to_look)
{
    hart_start(&h, true);
    handlers();
    vcpu_set_pin(&h.v, RV_IRQ_MTI, true);
    csr_put(&h, MIE, 1u << RV_IRQ_MTI);
    h.v.request = 0;
    csr_set(&h, MSTATUS, RV_MIE);
    CHECK(h.v.request & VCPU_REQUEST_IRQ);
    hart_end(&h);
}

TEST(stimecmp_raises_stip_when_the_clock_reaches_it)
{
    hart_start(&h, true);
    handlers();
    hart_time(&h, 5000);
    csr_put(&h, MENVCFG, RV_ENVCFG_STCE);
    csr_put(&h, MIE, 1u << RV_IRQ_STI);
    csr_put(&h, MSTATUS, RV_MIE);
    csr_put(&h, STIMECMP, 5100);
    CHECK_EQ_U64(h.v.deadline_ns, 1000 + 5100 * TICK_NS);
    CHECK(!RISCV64_ISA.has_irq(&h.v));
    CHECK_EQ_U64(csr_get(&h, MIP), 0);
    hart_time(&h, 5100);
    RISCV64_ISA.deadline(&h.v);
    CHECK(RISCV64_ISA.has_irq(&h.v) && RISCV64_ISA.wakes(&h.v));
    CHECK_EQ_U64(h.v.deadline_ns, UINT64_MAX);
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_STI);
    csr_put(&h, MIP, 0);                                                /* read-only while stimecmp drives it */
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_STI);
    csr_put(&h, STIMECMP, 9000);
    CHECK(!RISCV64_ISA.has_irq(&h.v));
    csr_put(&h, STIMECMP, 10);                                          /* already past */
    CHECK(RISCV64_ISA.has_irq(&h.v));
    csr_put(&h, MENVCFG, 0);
    CHECK(!RISCV64_ISA.has_irq(&h.v));
    csr_put(&h, MIP, 1u << RV_IRQ_STI);                                 /* software's again */
    CHECK(RISCV64_ISA.has_irq(&h.v));
    hart_end(&h);
}

TEST(a_deadline_that_comes_early_is_armed_again)
{
    hart_start(&h, true);
    csr_put(&h, MENVCFG, RV_ENVCFG_STCE);
    csr_put(&h, MIE, 1u << RV_IRQ_STI);
    csr_put(&h, STIMECMP, 7000);
    h.v.deadline_ns = UINT64_MAX;
    hart_time(&h, 6000);
    RISCV64_ISA.deadline(&h.v);
    CHECK(!RISCV64_ISA.wakes(&h.v));
    CHECK_EQ_U64(h.v.deadline_ns, 1000 + 7000 * TICK_NS);
    hart_end(&h);
}

/* ---- fences ---- */

static unsigned forgotten;
static void count_forget(struct vcpu *v, guest_phys_addr at, uint64_t size_bytes)
{
    (void)v;
    forgotten += at.v == 0 && size_bytes == UINT64_MAX;
}

TEST(fence_i_makes_the_engine_forget_all_code)
{
    static const struct engine_ops engine = { .forget_code = count_forget };
    hart_start(&h, true);
    h.v.engine = &engine;
    forgotten = 0;
    CHECK(hart_system(&h, &RV_HELPER_FENCE_I, 0x100f, 0, 0, NULL));
    CHECK_EQ_U64(forgotten, 1);
    h.v.engine = NULL;
    hart_end(&h);
}

/* ---- start-up ---- */

TEST(firmware_starts_in_machine_mode)
{
    hart_start(&h, true);
    rv_set_boot(&h.v, false, 0x80000000, 1, 0x82000000);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    CHECK_EQ_U64(h.v.regs.pc, 0x80000000);
    CHECK_EQ_U64(h.v.regs.slot[10], 1);
    CHECK_EQ_U64(h.v.regs.slot[11], 0x82000000);
    CHECK_EQ_U64(csrs_of(&h)->medeleg | csrs_of(&h)->mideleg, 0);
    hart_end(&h);
}

TEST(a_kernel_starts_in_supervisor_mode_with_everything_open)
{
    uint64_t out;
    struct fault why;
    hart_start(&h, true);
    rv_set_boot(&h.v, true, 0x80200000, 0, 0x82000000);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_S);
    CHECK(csr_may_read(&h, TIME) && csr_may_read(&h, CYCLE) && csr_may_read(&h, STIMECMP));
    CHECK(mmu_load(&h.v.mmu, guest_addr_make(RAM), 8, &out, &why));     /* PMP lets S-mode in */
    CHECK(hart_system(&h, &RV_HELPER_ECALL, 0x73, 0, 0, NULL));
    CHECK_EQ_U64(h.v.hypercall, RV_HYPERCALL_SBI);
    h.v.hypercall = 0;
    csr_put(&h, STVEC, 0x80002000);
    hart_privilege(&h, RV_U);
    CHECK(!hart_system(&h, &RV_HELPER_ECALL, 0x73, 0, 0, NULL));        /* a user's call is the kernel's affair */
    CHECK_EQ_U64(h.v.hypercall, 0);
    CHECK(RISCV64_ISA.take_fault(&h.v, &h.v.fault));
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_S);
    CHECK_EQ_U64(csr_get(&h, SCAUSE), RV_CAUSE_ECALL_U);
    csr_put(&h, SIE, 0x222);
    csr_put(&h, SSTATUS, RV_SIE);
    vcpu_set_pin(&h.v, RV_IRQ_SSI, true);
    CHECK(RISCV64_ISA.take_irq(&h.v));
    CHECK_EQ_U64(csr_get(&h, SCAUSE), RV_CAUSE_INTERRUPT | RV_IRQ_SSI);
    hart_end(&h);
}
