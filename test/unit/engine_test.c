// SPDX-License-Identifier: Apache-2.0
/* The engine's contract (hv/exec/engine.h) on the interpreter and a riscv64 guest: statuses, budgets, single steps, states. */
#include "test/unit/digest.h"

static struct guest g, other;
static struct vcpu *const v = &g.v[0];
static struct exec_result run(uint64_t budget) { return v->engine->run(v, budget); }
static struct exec_result step(void)           { return v->engine->execute_instruction(v); }
#define X(n) v->regs.slot[n]

TEST(R97_an_engine_is_one_table_and_runs_blocks_on_the_vcpus_state)
{
    const struct engine_ops *e = &INTERP_ENGINE;
    CHECK(e->vcpu_init && e->vcpu_destroy && e->run && e->execute_instruction && e->forget_code && e->mode == EXEC_INTERPRETER);
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_li(A0, 20), rv_addi(A1, A1, 3), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -8), rv_sd(A1, A2, 0), rv_j(0));
    X(A2) = GUEST_DATA;
    struct exec_result r = run(1 + 20 * 3 + 2);
    CHECK(r.status == EXEC_CONTINUE && r.stats.executed_insns == 63);
    CHECK(X(A0) == 0 && X(A1) == 60 && guest_peek(&g, GUEST_DATA) == 60 && v->regs.pc == GUEST_CODE + 20);
    guest_end(&g);
}

/* ---- every status, and its next_pc ---- */

static void ask_host(void)    { vcpu_ask(v, VCPU_REQUEST_HOST); }
static void raise_timer(void) { guest_set_reg(v, "mie", 1u << RV_IRQ_MTI), guest_set_reg(v, "mstatus", RV_MIE), vcpu_set_pin(v, RV_IRQ_MTI, true); }
static void no_handler(void)  { guest_set_reg(v, "mtvec", 0); }
static void sbi(void)         { rv_set_boot(v, true, GUEST_CODE, 0, 0), v->request = 0; }
static void nothing(void)     {}

TEST(R99_R155_R156_R157_R158_R159_R160_R162_every_status_with_the_next_pc)
{
    static const struct { const char *what; void (*prepare)(void); uint32_t code[3]; uint64_t budget; enum exec_status status; uint64_t next, executed; } rows[] = {
        { "budget spent",           nothing,     { 0x00150513, 0x00150513, 0xff9ff06f }, 3,     EXEC_CONTINUE,          0,             3 },   /* addi, addi, j .-8 */
        { "host work",              ask_host,    { 0x00150513, 0x00150513, 0xff9ff06f }, 1000,  EXEC_CONTINUE,          0,             0 },
        { "the guest powers off",   nothing,     { 0x00100637, 0x00c62023, 0x0040006f }, 1000,  EXEC_OK,                12,            3 },   /* lui a2,0x100; sw a2,0(a2); j .+4 */
        { "fault, no handler",      no_handler,  { 0x00150513, 0xffffffff, 0 },          1000,  EXEC_FAULT,             4,             1 },
        { "fault, at once",         no_handler,  { 0x00000000, 0, 0 },                   1000,  EXEC_FAULT,             0,             0 },
        { "hypercall",              sbi,         { 0x00150513, 0x00000073, 0 },          1000,  EXEC_IO_REQUEST,        8,             2 },   /* addi; ecall */
        { "interrupt",              raise_timer, { 0x00150513, 0x00150513, 0xff9ff06f }, 1000,  EXEC_INTERRUPT_PENDING, 0,             0 },
        { "wait for an interrupt",  nothing,     { 0x00150513, 0x10500073, 0 },          1000,  EXEC_HALTED,            8,             2 },   /* addi; wfi */
        { "the guest has a handler", nothing,    { 0x00150513, 0xffffffff, 0 },          5,     EXEC_CONTINUE,          0x1000 - 0x10000, 0 },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        guest_start(&g, 1);
        guest_load(&g, GUEST_CODE, rows[i].code, 3);
        rows[i].prepare();
        struct exec_result r = run(rows[i].budget);
        if (r.status != rows[i].status || r.next_pc.v != GUEST_CODE + rows[i].next) {
            test_fail(__FILE__, __LINE__, "%s: %s at 0x%" PRIx64, rows[i].what, exec_status_name(r.status), r.next_pc.v);
        }
        CHECK(r.next_pc.v == vcpu_get_pc(v).v);
        if (rows[i].next < 0x1000) CHECK_EQ_U64(r.stats.executed_insns, rows[i].executed);
        CHECK((r.status == EXEC_FAULT) == vm_failed(r.error));
        if (r.status == EXEC_FAULT) CHECK(r.error.kind == VM_EXECUTION_FAULT && r.error.fault.invalid_opcode.pc.v == r.next_pc.v);
        guest_end(&g);
    }
}

TEST(R157_a_run_that_ended_in_a_fault_goes_on_when_the_cause_is_gone)
{
    guest_start(&g, 1);
    no_handler();
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), 0, rv_j(0));
    CHECK(run(100).status == EXEC_FAULT && X(A0) == 1);
    GUEST_LOAD(&g, GUEST_CODE + 4, rv_addi(A0, A0, 5));
    struct exec_result r = run(2);
    CHECK(r.status == EXEC_CONTINUE && X(A0) == 6 && r.stats.executed_insns == 2);
    guest_end(&g);
}

TEST(R158_an_io_request_is_left_pending_until_it_is_served)
{
    guest_start(&g, 1);
    sbi();
    GUEST_LOAD(&g, GUEST_CODE, rv_ecall(), rv_addi(A0, A0, 1), rv_j(0));
    CHECK(run(100).status == EXEC_IO_REQUEST && v->hypercall);
    struct exec_result r = run(100);                                 /* nobody served it: nothing runs */
    CHECK(r.status == EXEC_IO_REQUEST && r.stats.executed_insns == 0);
    v->hypercall = 0;
    CHECK(run(2).status == EXEC_CONTINUE && X(A0) == 1);
    guest_end(&g);
}

TEST(R159_an_interrupt_comes_at_the_next_block_boundary)
{
    guest_start(&g, 1);
    /* raises its own pin by a store to a device in the middle of a block of 6 */
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), rv_sw(A0, A2, 0), rv_addi(A0, A0, 1), rv_addi(A0, A0, 1), rv_j(-16));
    X(A2) = GUEST_POWER;
    for (unsigned i = 0; i < 5; i++) {                               /* warm: blocks are linked by now */
        CHECK(run(5).status == EXEC_OK);
        v->request = 0;
    }
    raise_timer();
    v->regs.pc = GUEST_CODE;
    struct exec_result r = run(1000);
    CHECK(r.status == EXEC_INTERRUPT_PENDING && r.stats.executed_insns == 0);
    vcpu_set_pin(v, RV_IRQ_MTI, false);
    v->request = 0;
    r = run(1000);
    CHECK(r.status == EXEC_OK && r.stats.executed_insns == 5);       /* asked for in mid-block: left at its end */
    guest_end(&g);
}

/* ---- budgets ---- */

TEST(R100_a_budget_is_spent_to_the_block_and_counted_to_the_instruction)
{
    enum { LOOP = 7 };
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), rv_nop(), rv_nop(), rv_nop(), rv_nop(), rv_nop(), rv_j(-24));
    uint64_t sum = 0, stepped = 0;
    struct exec_stats before;
    vcpu_stats(v, &before);
    CHECK(run(0).status == EXEC_CONTINUE && X(A0) == 0);             /* nothing to spend, nothing done */
    for (unsigned i = 0; i < 500; i++) {
        uint64_t budget = 1 + test_random() % 100;
        struct exec_result r = run(budget);
        CHECK(r.status == EXEC_CONTINUE);
        CHECK_EQ_U64(r.stats.executed_insns, (budget + LOOP - 1) / LOOP * LOOP);     /* to the boundary at or after it */
        CHECK_EQ_U64(r.next_pc.v, GUEST_CODE);
        sum += r.stats.executed_insns;
        CHECK_EQ_U64(X(A0), sum / LOOP);
    }
    for (unsigned i = 0; i < 100; i++) stepped += step().stats.executed_insns;
    struct exec_stats after;
    vcpu_stats(v, &after);
    CHECK_EQ_U64(stepped, 100);
    CHECK_EQ_U64(after.executed_insns - before.executed_insns, sum + stepped);
    CHECK_EQ_U64(guest_reg(v, "minstret"), sum + stepped);
    guest_end(&g);
}

TEST(R100_a_budget_of_one_is_exactly_one_block)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_nop(), rv_nop(), rv_beq(ZERO, ZERO, 8), rv_nop(), rv_nop(), rv_j(-20));
    for (unsigned i = 0; i < 20; i++) {
        struct exec_result r = run(1);
        CHECK(r.next_pc.v == GUEST_CODE + (i & 1 ? 0 : 16) && r.stats.executed_insns == (i & 1 ? 2 : 3));
    }
    guest_end(&g);
}

TEST(R100_an_unlimited_run_ends_at_the_event)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_lui(A0, 0x10), rv_addi(A0, A0, -1), rv_bne(A0, ZERO, -4), rv_wfi());
    struct exec_result r = run(UINT64_MAX);
    CHECK(r.status == EXEC_HALTED && r.stats.executed_insns == 1 + 2 * 0x10000 + 1);
    guest_end(&g);
}

TEST(R100_a_storm_of_faults_ends_at_the_budget)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_HANDLER, 0);                                /* the handler itself is illegal */
    GUEST_LOAD(&g, GUEST_CODE, 0);
    struct exec_result r = run(1000);
    CHECK(r.status == EXEC_CONTINUE && r.stats.executed_insns == 0 && v->regs.pc == GUEST_HANDLER);
    guest_end(&g);
}

/* ---- single steps ---- */

TEST(R98_execute_instruction_is_exactly_one_instruction)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), rv_sd(A0, A2, 0), rv_ld(A1, A2, 0), rv_amoadd_d(A3, A1, A2), rv_j(-16));
    X(A2) = GUEST_DATA;
    static const uint64_t next[] = { 4, 8, 12, 16, 0 };
    for (unsigned i = 0; i < 50; i++) {
        struct exec_result r = step();
        CHECK(r.status == EXEC_CONTINUE && r.stats.executed_insns == 1 && r.next_pc.v == GUEST_CODE + next[i % 5]);
        CHECK(r.stats.mem_accesses == (i % 5 >= 1 && i % 5 <= 3));
    }
    vcpu_ask(v, VCPU_REQUEST_HOST);                                  /* what others ask for waits, and is not lost */
    CHECK(step().stats.executed_insns == 1 && v->request == VCPU_REQUEST_HOST);
    guest_end(&g);
}

TEST(R98_a_step_that_faults_enters_the_handler_or_says_so)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, 0);
    struct exec_result r = step();
    CHECK(r.status == EXEC_CONTINUE && r.next_pc.v == GUEST_HANDLER && r.stats.executed_insns == 0);
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE));
    no_handler();
    r = step();
    CHECK(r.status == EXEC_FAULT && r.next_pc.v == GUEST_CODE && r.error.fault.kind == FAULT_INVALID_OPCODE);
    guest_end(&g);
}

/* Brings `b` where a's run has ended, by single steps: as many as a executed, and those that only entered the handler. */
static void follow(struct vcpu *a, struct vcpu *b, enum exec_status status, unsigned at)
{
    uint64_t target = vcpu_insns_retired(a, 0);
    for (unsigned faults = 0; vcpu_insns_retired(b, 0) != target || regs_differ(a, b);) {
        uint64_t before = vcpu_insns_retired(b, 0);
        struct exec_result r = b->engine->execute_instruction(b);
        bool is_last = r.status == EXEC_FAULT || r.status == EXEC_HALTED;
        faults = vcpu_insns_retired(b, 0) == before ? faults + 1 : 0;
        if (vcpu_insns_retired(b, 0) > target || faults > 300 || (is_last && r.status != status)) {
            const char *name = regs_differ(a, b);
            int reg = name ? vcpu_find_reg(a, name) : -1;
            uint64_t x = 0, y = 0;
            if (reg >= 0 && (vm_failed(vcpu_get_reg(a, (unsigned)reg, &x)) || vm_failed(vcpu_get_reg(b, (unsigned)reg, &y)))) CHECK(false);
            test_fail(__FILE__, __LINE__, "program %u: %s is 0x%" PRIx64 " after the run, 0x%" PRIx64 " after the steps", at, name ? name : "count", x, y);
        }
        if (is_last) break;
    }
    const char *name = regs_differ(a, b);
    if (name) test_fail(__FILE__, __LINE__, "program %u: %s differs", at, name);
}

TEST(R68_R98_single_steps_and_runs_of_random_programs_reach_the_same_states)
{
    guest_start(&g, 1);
    guest_start(&other, 1);
    struct vcpu *b = &other.v[0];
    uint64_t executed = 0;
    for (unsigned program = 0; program < 150; program++) {
        random_program(&g, &other, program % 3 == 2);
        for (unsigned turn = 0; turn < 30; turn++) {
            struct exec_result r = run(turn % 2 ? 1 : 1 + test_random() % 60);
            executed += r.stats.executed_insns;
            follow(v, b, r.status, program);
            if (r.status == EXEC_INTERRUPT_PENDING) CHECK(v->isa->take_irq(v) && b->isa->take_irq(b));
            if (r.status == EXEC_FAULT || r.status == EXEC_IO_REQUEST) break;
        }
        CHECK(!ram_differs(&g, &other));
    }
    CHECK(executed > 20000);                                         /* they do run */
    guest_end(&other);
    guest_end(&g);
}

/* ---- the MMU that the engine uses ---- */

TEST(R101_one_engine_runs_with_two_mmus_in_turn)
{
    guest_start(&g, 1);
    guest_start(&other, 1);
    struct mmu second;
    CHECK(!vm_failed(mmu_init(&second, &other.gmem, &other.bus, RISCV64_ISA.walk, v)));
    GUEST_LOAD(&g, GUEST_CODE, rv_ld(A1, A2, 0), rv_addi(A0, A0, 1), rv_j(-8));
    GUEST_LOAD(&other, GUEST_CODE, rv_ld(A1, A2, 0), rv_addi(A0, A0, 100), rv_j(-8));        /* other code, other data, same addresses */
    guest_poke(&g, GUEST_DATA, 11);
    guest_poke(&other, GUEST_DATA, 22);
    X(A2) = GUEST_DATA;
    for (unsigned i = 0; i < 4; i++) {
        X(A0) = 0;
        CHECK(run(6).status == EXEC_CONTINUE);
        CHECK_EQ_U64(X(A0), i & 1 ? 200 : 2);
        CHECK_EQ_U64(X(A1), i & 1 ? 22 : 11);
        CHECK(!vm_failed(vcpu_bind_mmu(v, &second)));
        v->request = 0;
        CHECK(v->mmu.gmem == (i & 1 ? &g.gmem : &other.gmem));
    }
    v->running = true;
    CHECK(vcpu_bind_mmu(v, &second).kind == VM_CORE_INVALID_STATE);
    v->running = false;
    mmu_destroy(&second);
    guest_end(&other);
    guest_end(&g);
}

/* ---- registers and pc ---- */

TEST(R102_registers_are_x0_to_x31_then_f0_to_f31_then_pc)
{
    guest_start(&g, 1);
    char name[8];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "%c%u", i < 32 ? 'x' : 'f', i % 32);
        CHECK(vcpu_find_reg(v, name) == (int)i);
    }
    CHECK(vcpu_find_reg(v, "pc") == 64);
    GUEST_LOAD(&g, GUEST_CODE, rv_li(A0, -1), rv_nop(), rv_j(0));
    (void)run(3);
    CHECK(guest_reg(v, "x10") == ~0ull && guest_reg(v, "x0") == 0 && guest_reg(v, "pc") == GUEST_CODE + 8);
    CHECK(guest_reg(v, "mcycle") == 3 && guest_reg(v, "minstret") == 3);             /* as the guest would read them */
    guest_end(&g);
}

TEST(R103_what_set_reg_wrote_is_what_the_guest_computes_with)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_add(A0, A1, ZERO), rv_csrrs(A3, 0xb02, ZERO), rv_j(0));
    guest_set_reg(v, "x11", 0x123456789abcdef0);
    guest_set_reg(v, "x0", 77);
    guest_set_reg(v, "minstret", 1000);
    CHECK(guest_reg(v, "minstret") == 1000);
    (void)run(3);
    CHECK(X(A0) == 0x123456789abcdef0 && guest_reg(v, "x0") == 0);
    CHECK_EQ_U64(X(A3), 1001);
    CHECK_EQ_U64(guest_reg(v, "minstret"), 1003);
    guest_end(&g);
}

TEST(R104_R105_the_pc_is_exact_after_every_run_and_the_next_run_starts_there)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), rv_addi(A0, A0, 1), rv_j(-8));
    GUEST_LOAD(&g, GUEST_CODE + 0x100, rv_addi(A1, A1, 1), rv_j(-4));
    for (unsigned i = 0; i < 10; i++) {
        (void)run(3);
        CHECK_EQ_U64(vcpu_get_pc(v).v, GUEST_CODE);
    }
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE + 4));                 /* into the middle of a block that is known */
    (void)run(1);
    CHECK(X(A0) == 21 && vcpu_get_pc(v).v == GUEST_CODE);
    vcpu_set_pc(v, guest_addr_make(GUEST_CODE + 0x101));             /* instructions start at even addresses */
    CHECK_EQ_U64(vcpu_get_pc(v).v, GUEST_CODE + 0x100);
    (void)run(2);
    CHECK(X(A1) == 1 && X(A0) == 21);
    guest_end(&g);
}

/* ---- the whole state ---- */

TEST(R106_R107_R152_a_state_set_into_a_fresh_vcpu_continues_as_the_original)
{
    static struct vcpu_state s, again;
    guest_start(&g, 1);
    guest_start(&other, 1);
    struct vcpu *b = &other.v[0];
    for (unsigned program = 0; program < 60; program++) {
        random_program(&g, &other, program % 2);
        struct exec_result r = run(200 + test_random() % 500), q;
        v->reservation.size_bytes = 0;                             /* the one thing that a state does not carry */
        vcpu_get_state(v, &s);
        for (unsigned i = 0; i < 32; i++) guest_set_reg(b, RISCV64_ISA.regs[test_random() % RISCV64_ISA.reg_count].name, test_random());
        (void)b->engine->run(b, 100);                                /* a life of its own, all of which must go */
        b->fault.kind = FAULT_NONE;
        ram_copy(&other, &g);
        CHECK(!vm_failed(vcpu_set_state(b, &s)));
        CHECK(!regs_differ(v, b));
        vcpu_get_state(b, &again);
        CHECK(again.vcpu_id == b->id && again.state.pc.v == s.state.pc.v && again.state.memory == &other.gmem);
        b->request = v->request = 0;
        for (unsigned turn = 0; turn < 5 && r.status != EXEC_FAULT; turn++) {
            uint64_t budget = 1 + test_random() % 300;
            r = run(budget);
            q = b->engine->run(b, budget);
            const char *name = regs_differ(v, b);
            if (name || r.status != q.status) test_fail(__FILE__, __LINE__, "program %u turn %u: %s differs", program, turn, name ? name : "status");
            CHECK(r.next_pc.v == q.next_pc.v && r.stats.executed_insns == q.stats.executed_insns && r.stats.mem_accesses == q.stats.mem_accesses);
            if (r.status == EXEC_INTERRUPT_PENDING) CHECK(v->isa->take_irq(v) && b->isa->take_irq(b));
        }
        CHECK(!ram_differs(&g, &other));
    }
    guest_end(&other);
    guest_end(&g);
}

TEST(R106_the_state_holds_general_fp_and_control_registers_privilege_and_counters)
{
    static struct vcpu_state s;
    guest_start(&g, 1);
    guest_start(&other, 1);
    struct vcpu *b = &other.v[0];
    GUEST_LOAD(&g, GUEST_CODE, rv_nop(), rv_nop(), rv_j(-8));
    (void)run(30);
    guest_paging(&g, v);
    v->regs.slot[5] = 5, v->regs.slot[RV_SLOT_F + 7] = 0x3ff0000000000000;
    guest_set_reg(v, "fflags", 0x15), guest_set_reg(v, "frm", 3), guest_set_reg(v, "sscratch", 99), guest_set_reg(v, "medeleg", 0x100);
    vcpu_get_state(v, &s);
    CHECK(!s.running && s.guest_arch == GUEST_RISCV64 && s.state.pc.v == GUEST_CODE);
    CHECK(!vm_failed(vcpu_set_state(b, &s)));
    CHECK(guest_reg(b, "x5") == 5 && guest_reg(b, "f7") == 0x3ff0000000000000 && guest_reg(b, "fflags") == 0x15 && guest_reg(b, "frm") == 3);
    CHECK(guest_reg(b, "sscratch") == 99 && guest_reg(b, "medeleg") == 0x100 && guest_reg(b, "satp") == rv_csrs(v)->satp);
    CHECK(b->isa->privilege(b) == RV_S && guest_reg(b, "minstret") == 30 && guest_reg(b, "mcycle") == 30);
    struct exec_stats mine;
    vcpu_stats(b, &mine);
    CHECK_EQ_U64(mine.executed_insns, 0);                            /* statistics are the vCPU's own, not the guest's */
    guest_end(&other);
    guest_end(&g);
}
