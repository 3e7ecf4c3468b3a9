// SPDX-License-Identifier: Apache-2.0
/* riscv64 and the interpreter together: precise faults, atomics, FP state, traps, counters, waits, calls to the machine. */
#include "test/unit/engine.h"
#include "test/unit/riscv64_hart.h"

static struct hart h;

static void start(void)
{
    hart_start(&h, true);
    h.v.engine = &TEST_ENGINE;
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(&h.v)));
    csrs_of(&h)->mtvec = RAM + 0x1000;
    ram_put(&h, RAM + 0x1000, 0x0000006f);                  /* the handler: j . */
    csrs_of(&h)->mcause = ~0ull;
    h.v.request = 0;
}
static void end(void)
{
    TEST_ENGINE.vcpu_destroy(&h.v);
    hart_end(&h);
}
static void code(uint64_t at, const uint32_t *words, unsigned count)
{
    CHECK(!vm_failed(gmem_write_bulk(&h.gmem, guest_phys_addr_make(at), words, 4ull * count)));
    h.v.engine->forget_code(&h.v, guest_phys_addr_make(0), UINT64_MAX);
}
#define CODE_AT(at, ...) do { static const uint32_t w_[] = { __VA_ARGS__ }; code(at, w_, ARRAY_COUNT(w_)); } while (0)
static void steps(unsigned n)
{
    while (n--) {
        (void)TEST_ENGINE.execute_instruction(&h.v);
    }
}
static struct exec_result run(uint64_t budget) { return TEST_ENGINE.run(&h.v, budget); }
#define X(n) h.v.regs.slot[n]
#define F(n) h.v.regs.slot[RV_SLOT_F + (n)]

TEST(R82_misaligned_atomics_fault_as_loads_or_stores)
{
    static const struct { uint32_t bits; uint64_t cause; } rows[] = {
        { 0x1005252f, RV_CAUSE_LOAD_MISALIGNED },           /* lr.w a0,(a0) */
        { 0x1005352f, RV_CAUSE_LOAD_MISALIGNED },           /* lr.d a0,(a0) */
        { 0x18b5252f, RV_CAUSE_STORE_MISALIGNED },          /* sc.w a0,a1,(a0) */
        { 0x00b5252f, RV_CAUSE_STORE_MISALIGNED },          /* amoadd.w a0,a1,(a0) */
        { 0x08b5352f, RV_CAUSE_STORE_MISALIGNED },          /* amoswap.d a0,a1,(a0) */
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        start();
        code(RAM, &rows[i].bits, 1);
        X(10) = RAM + 0x2002;
        steps(1);
        CHECK_EQ_U64(csrs_of(&h)->mcause, rows[i].cause);
        CHECK_EQ_U64(csrs_of(&h)->mtval, RAM + 0x2002);
        CHECK_EQ_U64(csrs_of(&h)->mepc, RAM);
        CHECK_EQ_U64(X(10), RAM + 0x2002);
        end();
    }
}

TEST(R72_atomics_outside_of_ram_fault_as_stores_and_lr_as_a_load)
{
    start();
    CODE_AT(RAM, 0x1005252f, 0x00b5252f);                   /* lr.w a0,(a0); amoadd.w a0,a1,(a0) */
    X(10) = 0x1000;
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_LOAD_ACCESS);
    h.v.regs.pc = RAM + 4;
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_STORE_ACCESS);
    CHECK_EQ_U64(csrs_of(&h)->mtval, 0x1000);
    end();
}

TEST(R15_effective_addresses_wrap)
{
    start();
    CODE_AT(RAM, 0x01053583);                               /* ld a1,16(a0) */
    X(10) = ~7ull;
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_LOAD_ACCESS);
    CHECK_EQ_U64(csrs_of(&h)->mtval, 8);
    end();
}

/* Sv39 with an identity map of RAM's first megabyte but for the pages named. */
static void paging(uint64_t hole)
{
    enum { V = 1, RWX = 14, A = 64, D = 128 };
    uint64_t root = RAM + 0x200000, middle = root + 0x1000, last = root + 0x2000;
    csrs_of(&h)->pmpaddr[0] = (1ull << 54) - 1;
    csrs_of(&h)->pmpcfg[0] = RV_PMP_NAPOT << 3 | 7;
    rv_pmp_sync(&h.v);
    ram_put(&h, root + 8 * 2, middle >> 2 | V);
    ram_put(&h, middle, last >> 2 | V);
    for (uint64_t page = 0; page < 256; page++) {
        ram_put(&h, last + 8 * page, (RAM + page * 0x1000) >> 2 | (RAM + page * 0x1000 == hole ? 0 : V | RWX | A | D));
    }
    csr_put(&h, SATP, 8ull << 60 | root >> 12);
    hart_privilege(&h, RV_S);
}

TEST(R34_an_instruction_across_a_page_boundary)
{
    start();
    CODE_AT(RAM + 0x4ffe, 0x00c58533);                      /* add a0,a1,a2 in two pages */
    paging(0);
    X(11) = 40;
    X(12) = 2;
    h.v.regs.pc = RAM + 0x4ffe;
    steps(1);
    CHECK_EQ_U64(X(10), 42);
    CHECK_EQ_U64(h.v.regs.pc, RAM + 0x5002);
    end();
}

TEST(R76_a_fetch_fault_names_the_second_page_of_the_instruction)
{
    start();
    CODE_AT(RAM + 0x4ffe, 0x00c58533);
    paging(RAM + 0x5000);
    h.v.regs.pc = RAM + 0x4ffe;
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_FETCH_PAGE);
    CHECK_EQ_U64(csrs_of(&h)->mtval, RAM + 0x5000);
    CHECK_EQ_U64(csrs_of(&h)->mepc, RAM + 0x4ffe);
    end();
}

TEST(R76_a_split_store_that_faults_on_its_second_page_stores_nothing)
{
    start();
    CODE_AT(RAM, 0x00b53023);                               /* sd a1,0(a0) */
    paging(RAM + 0x5000);
    ram_put(&h, RAM + 0x4ff8, 0x1111111111111111);
    X(10) = RAM + 0x4ffc;
    X(11) = ~0ull;
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_STORE_PAGE);
    CHECK_EQ_U64(csrs_of(&h)->mtval, RAM + 0x5000);
    CHECK_EQ_U64(ram_get(&h, RAM + 0x4ff8), 0x1111111111111111);
    end();
}

TEST(code_found_in_supervisor_mode_is_not_entered_from_user_mode)
{
    start();
    CODE_AT(RAM, 0x00150513, 0x00050067);                   /* addi a0,a0,1; jr a0 */
    paging(0);
    for (unsigned i = 0; i < 3; i++) {
        h.v.regs.pc = RAM;
        X(10) = RAM - 1;
        (void)run(4);
    }
    CHECK_EQ_U64(csrs_of(&h)->mcause, ~0ull);
    hart_privilege(&h, RV_U);
    h.v.regs.pc = RAM;
    (void)run(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_FETCH_PAGE);  /* the page is not a user's */
    CHECK_EQ_U64(csrs_of(&h)->mepc, RAM);
    end();
}

TEST(lr_and_sc_keep_a_reservation)
{
    start();
    CODE_AT(RAM, 0x18c5a52f, 0x1005a52f, 0x18c5a52f, 0x18c5a52f);   /* sc.w a0,a2,(a1); lr.w a0,(a1); sc.w; sc.w */
    X(11) = RAM + 0x2000;
    X(12) = 7;
    ram_put(&h, RAM + 0x2000, 0xffffffff80000005);
    steps(1);
    CHECK_EQ_U64(X(10), 1);                                 /* no reservation yet */
    CHECK_EQ_U64(ram_get(&h, RAM + 0x2000), 0xffffffff80000005);
    steps(1);
    CHECK_EQ_U64(X(10), 0xffffffff80000005);
    steps(1);
    CHECK_EQ_U64(X(10), 0);
    CHECK_EQ_U64(ram_get(&h, RAM + 0x2000), 0xffffffff00000007);
    steps(1);
    CHECK_EQ_U64(X(10), 1);                                 /* used up */
    h.v.regs.pc = RAM + 4;
    steps(1);
    ram_put(&h, RAM + 0x2000, 9);                           /* somebody else's store */
    steps(1);
    CHECK_EQ_U64(X(10), 1);
    CHECK_EQ_U64(ram_get(&h, RAM + 0x2000), 9);
    end();
}

TEST(R32_fp_marks_fs_dirty_and_traps_while_it_is_off)
{
    start();
    CODE_AT(RAM, 0x02c5f553, 0x02c5f553);                   /* fadd.d fa0,fa1,fa2, twice */
    steps(1);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_ILLEGAL);
    CHECK_EQ_U64(csrs_of(&h)->mtval, 0x02c5f553);
    csr_put(&h, MSTATUS, 1u << RV_FS_SHIFT);
    h.v.regs.pc = RAM;
    F(11) = 0x3ff0000000000000;
    F(12) = 0x4000000000000000;
    (void)run(2);
    CHECK_EQ_U64(F(10), 0x4008000000000000);
    CHECK_EQ_U64(csr_get(&h, MSTATUS) & RV_FS, RV_FS);
    end();
}

TEST(R88_an_illegal_instruction_runs_the_guests_handler)
{
    start();
    CODE_AT(RAM, 0x00150513, 0xffffffff);                   /* addi a0,a0,1; illegal */
    CODE_AT(RAM + 0x1000, 0x34202573, 0x0000006f);          /* csrr a0,mcause; j . */
    struct exec_result r = run(20);
    CHECK_EQ_U64(r.status, EXEC_CONTINUE);
    CHECK_EQ_U64(X(10), RV_CAUSE_ILLEGAL);
    CHECK_EQ_U64(csrs_of(&h)->mepc, RAM + 4);
    CHECK_EQ_U64(csrs_of(&h)->mtval, 0xffffffff);
    end();
}

TEST(R157_a_fault_without_a_handler_is_the_runs_status)
{
    start();
    csrs_of(&h)->mtvec = 0;
    CODE_AT(RAM, 0x00150513, 0x00053503);                   /* addi a0,a0,1; ld a0,0(a0) */
    struct exec_result r = run(20);
    CHECK_EQ_U64(r.status, EXEC_FAULT);
    CHECK_EQ_U64(r.next_pc.v, RAM + 4);
    CHECK_EQ_U64(r.error.kind, VM_EXECUTION_FAULT);
    CHECK_EQ_U64(r.error.fault.kind, FAULT_BUS);
    CHECK_EQ_U64(X(10), 1);                                 /* what came before has happened */
    end();
}

TEST(R158_an_sbi_call_leaves_with_io_request)
{
    start();
    rv_set_boot(&h.v, true, RAM, 0, 0);
    h.v.request = 0;
    CODE_AT(RAM, 0x00150513, 0x00000073, 0x00150513, 0x0000006f);   /* addi; ecall; addi; j . */
    struct exec_result r = run(100);
    CHECK_EQ_U64(r.status, EXEC_IO_REQUEST);
    CHECK_EQ_U64(h.v.hypercall, RV_HYPERCALL_SBI);
    CHECK_EQ_U64(r.next_pc.v, RAM + 8);
    CHECK_EQ_U64(X(10), 1);
    h.v.hypercall = 0;
    (void)run(2);
    CHECK_EQ_U64(X(10), 2);
    end();
}

TEST(wfi_halts_behind_itself_and_a_pending_interrupt_wakes)
{
    start();
    CODE_AT(RAM, 0x10500073, 0x00150513);                   /* wfi; addi */
    struct exec_result r = run(100);
    CHECK_EQ_U64(r.status, EXEC_HALTED);
    CHECK_EQ_U64(r.next_pc.v, RAM + 4);
    CHECK(!RISCV64_ISA.wakes(&h.v));
    csr_put(&h, MIE, 1u << RV_IRQ_MTI);
    vcpu_set_pin(&h.v, RV_IRQ_MTI, true);
    CHECK(RISCV64_ISA.wakes(&h.v));
    CHECK(!RISCV64_ISA.has_irq(&h.v));                      /* MIE is off: it goes on behind the wfi */
    end();
}

TEST(R159_an_interrupt_ends_the_run_at_a_block_boundary)
{
    start();
    CODE_AT(RAM, 0x00150513, 0x30046073, 0x0000006f);       /* addi a0,a0,1; csrsi mstatus,8; j . */
    csr_put(&h, MIE, 1u << RV_IRQ_MTI);
    vcpu_set_pin(&h.v, RV_IRQ_MTI, true);
    struct exec_result r = run(1000);
    CHECK_EQ_U64(r.status, EXEC_INTERRUPT_PENDING);
    CHECK_EQ_U64(r.next_pc.v, RAM + 8);
    CHECK(RISCV64_ISA.take_irq(&h.v));
    CHECK_EQ_U64(h.v.regs.pc, RAM + 0x1000);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_INTERRUPT | RV_IRQ_MTI);
    end();
}

TEST(R144_instret_counts_each_instruction_once)
{
    start();
    /* csrr a0,minstret; 3 x addi; csrr a1,minstret; bne zero,zero,.; csrr a2,minstret; j . */
    CODE_AT(RAM, 0xb0202573, 0x00168693, 0x00168693, 0x00168693, 0xb02025f3, 0x00001063, 0xb0202673, 0x0000006f);
    struct exec_result r = run(7);
    CHECK_EQ_U64(X(11) - X(10), 4);
    CHECK_EQ_U64(X(12) - X(11), 2);
    CHECK_EQ_U64(r.stats.executed_insns, 7);
    h.v.regs.pc = RAM;                                      /* and the same step by step */
    steps(7);
    CHECK_EQ_U64(X(11) - X(10), 4);
    CHECK_EQ_U64(X(12) - X(11), 2);
    end();
}

TEST(R53_R98_single_steps_and_a_run_reach_the_same_state)
{
    static const uint32_t words[] = {                       /* a loop over memory, multiplication and FP */
        0x00000513, 0x00a00593, 0x02b50633, 0x00c6b023, 0x0006b707, 0xd2260553, 0x02a77753, 0x00e6b427, 0x01068693, 0x00150513,
        0xfeb540e3, 0x0000006f };
    static uint64_t slots[64], memory[32];
    for (unsigned way = 0; way < 2; way++) {
        start();
        csr_put(&h, MSTATUS, 1u << RV_FS_SHIFT);
        h.v.request = 0;
        X(13) = RAM + 0x3000;
        code(RAM, words, ARRAY_COUNT(words));
        if (way) {
            while (h.v.regs.pc != RAM + 44) {
                steps(1);
            }
        } else {
            while (h.v.regs.pc != RAM + 44) {
                (void)run(1);
            }
            memcpy(slots, h.v.regs.slot, sizeof slots);
            for (unsigned i = 0; i < 32; i++) {
                memory[i] = ram_get(&h, RAM + 0x3000 + 8 * i);
            }
        }
        CHECK_EQ_U64(csrs_of(&h)->mcause, ~0ull);
        CHECK_EQ_U64(X(10), 10);
        for (unsigned i = 0; i < 64; i++) {
            CHECK_EQ_U64(h.v.regs.slot[i], slots[i]);
        }
        for (unsigned i = 0; i < 32; i++) {
            CHECK_EQ_U64(ram_get(&h, RAM + 0x3000 + 8 * i), memory[i]);
        }
        end();
    }
}

TEST(fence_i_makes_new_code_visible)
{
    start();
    CODE_AT(RAM, 0x00b52023, 0x0000100f, 0x00000013, 0x0000006f);   /* sw a1,0(a0); fence.i; nop (patched); j . */
    X(10) = RAM + 8;
    X(11) = 0x02a00613;                                     /* li a2,42 */
    (void)run(4);
    CHECK_EQ_U64(X(12), 42);
    end();
}

TEST(mret_goes_to_user_mode_and_ecall_comes_back)
{
    start();
    csrs_of(&h)->pmpaddr[0] = (1ull << 54) - 1;
    csrs_of(&h)->pmpcfg[0] = RV_PMP_NAPOT << 3 | 7;
    rv_pmp_sync(&h.v);
    CODE_AT(RAM, 0x30200073);                               /* mret */
    CODE_AT(RAM + 0x100, 0x00000073);                       /* ecall */
    csr_put(&h, MEPC, RAM + 0x100);
    steps(1);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_U);
    CHECK_EQ_U64(h.v.regs.pc, RAM + 0x100);
    steps(1);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_ECALL_U);
    CHECK_EQ_U64(csrs_of(&h)->mepc, RAM + 0x100);
    end();
}
