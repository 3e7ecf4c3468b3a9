// SPDX-License-Identifier: Apache-2.0
/* Small guest programs on one hart with the interpreter: what the rows about addresses, accesses and faults mean to the
 * guest that meets them. */
#include "hv/isa/arm64/state.h"
#include "hv/isa/x86_64/state.h"
#include "hv/isa/machine.h"
#include "test/unit/riscv64_asm.h"
#include "test/unit/engine.h"
#include "test/unit/riscv64_hart.h"

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128, PTE_RWX = 14 };
#define HANDLER (RAM + 0x1000)
#define DATA    (RAM + 0x3000)
#define TABLES  (RAM + 0x200000)                            /* 16 KiB for each address space */
#define WINDOW  0x4000ull                                   /* a page of low addresses that tests map */

static struct hart h;

static void load(uint64_t at, const void *bytes, size_t size_bytes)
{
    CHECK(!vm_failed(gmem_write_bulk(&h.gmem, guest_phys_addr_make(at), bytes, size_bytes)));
    h.v.engine->forget_code(&h.v, guest_phys_addr_make(0), UINT64_MAX);
}
#define PROGRAM(at, ...) do { static const uint32_t w_[] = { __VA_ARGS__ }; load(at, w_, sizeof w_); } while (0)
#define REG(n) h.v.regs.slot[n]

static void start(bool svadu)
{
    hart_start(&h, svadu);
    h.v.engine = &TEST_ENGINE;
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(&h.v)));
    csrs_of(&h)->mtvec = HANDLER;
    csrs_of(&h)->mcause = ~0ull;
    PROGRAM(HANDLER, J(0));
    csr_put(&h, PMPADDR0 + 15, (1ull << 54) - 1);           /* all memory is open to S and U */
    csr_put(&h, PMPCFG2, (uint64_t)(RV_PMP_NAPOT << 3 | RV_PMP_R | RV_PMP_W | RV_PMP_X) << 56);
    h.v.request = 0;
}
static void end(void)
{
    TEST_ENGINE.vcpu_destroy(&h.v);
    hart_end(&h);
}
/* Runs until it stands at `at`, as it does in a jump to itself. */
static void run_to(uint64_t at)
{
    for (unsigned n = 0; h.v.regs.pc != at && n < 1000; n++) {
        struct exec_result r = TEST_ENGINE.run(&h.v, 1);
        CHECK(r.status == EXEC_CONTINUE || r.status == EXEC_INTERRUPT_PENDING);
    }
    CHECK_EQ_U64(h.v.regs.pc, at);
}

/* Address space n: the first MiB of RAM at its own addresses, and one page at WINDOW. Returns satp. */
static uint64_t space(unsigned n, uint64_t window_pte)
{
    uint64_t root = TABLES + n * 0x4000ull;
    ram_put(&h, root + 8 * 2, (root + 0x1000) >> 2 | PTE_V);                    /* 0x80000000.. */
    ram_put(&h, root + 0x1000, (root + 0x2000) >> 2 | PTE_V);
    for (uint64_t page = 0; page < 256; page++) {
        ram_put(&h, root + 0x2000 + 8 * page, (RAM + page * 0x1000) >> 2 | PTE_V | PTE_RWX | PTE_A | PTE_D);
    }
    ram_put(&h, root, (root + 0x3000) >> 2 | PTE_V);                            /* 0.. : tables of the window */
    ram_put(&h, root + 0x3000, (TABLES + 0x100000 + n * 0x1000) >> 2 | PTE_V);
    ram_put(&h, TABLES + 0x100000 + n * 0x1000 + 8 * (WINDOW >> 12), window_pte);
    return 8ull << 60 | (uint64_t)(n + 1) << 44 | root >> 12;
}
static void window_page(unsigned n, uint64_t va, uint64_t pte) { ram_put(&h, TABLES + 0x100000 + n * 0x1000 + 8 * (va >> 12), pte); }
#define PTE(gpa, flags) ((gpa) >> 2 | (flags))
static void supervisor(uint64_t satp)
{
    csr_put(&h, SATP, satp);
    hart_privilege(&h, RV_S);
    h.v.regs.pc = RAM;
}

TEST(R15_a_guests_load_wraps_to_the_start_of_the_address_space)
{
    start(true);
    uint64_t satp = space(0, 0);
    window_page(0, 0, PTE(DATA, PTE_V | PTE_R | PTE_A));
    ram_put(&h, DATA + 8, 0x1122334455667788);
    PROGRAM(RAM, LI(a0, -8), LD(a1, 16, a0), J(0));
    supervisor(satp);
    run_to(RAM + 8);
    CHECK_EQ_U64(REG(a1), 0x1122334455667788);
    CHECK_EQ_U64(csrs_of(&h)->mcause, ~0ull);
    end();
}

TEST(R25_one_address_in_two_address_spaces)
{
    start(true);
    uint64_t one = space(0, PTE(DATA, PTE_V | PTE_R | PTE_A)), two = space(1, PTE(DATA + 0x1000, PTE_V | PTE_R | PTE_A));
    ram_put(&h, DATA + 8, 111);
    ram_put(&h, DATA + 0x1008, 222);
    PROGRAM(RAM, LD(s0, 8, a2), CSRW(SATP, a1), LD(s1, 8, a2), CSRW(SATP, a0), LD(s2, 8, a2), J(0));
    supervisor(one);
    REG(a0) = one, REG(a1) = two, REG(a2) = WINDOW;
    run_to(RAM + 20);
    CHECK_EQ_U64(REG(s0), 111);
    CHECK_EQ_U64(REG(s1), 222);
    CHECK_EQ_U64(REG(s2), 111);
    end();
}

TEST(R34_a_jump_to_a_target_aligned_to_2)
{
    static const uint8_t bytes[] = { 0x05, 0x05, 0x13, 0x05, 0xa5, 0x00, 0x6f, 0x00, 0x00, 0x00 };   /* c.addi a0,1; addi a0,a0,10; j . */
    CHECK_EQ_U64(C_ADDI(a0, 1), 0x0505);
    start(true);
    PROGRAM(RAM, J(6));
    load(RAM + 6, bytes, sizeof bytes);
    run_to(RAM + 12);
    CHECK_EQ_U64(REG(a0), 11);
    PROGRAM(RAM + 0x100, JALR(ra, 1, a1));                  /* bit 0 of the target is dropped */
    REG(a1) = RAM + 6;
    h.v.regs.pc = RAM + 0x100;
    run_to(RAM + 12);
    CHECK_EQ_U64(REG(a0), 22);
    CHECK_EQ_U64(REG(ra), RAM + 0x104);
    CHECK_EQ_U64(csrs_of(&h)->mcause, ~0ull);
    end();
}

/* ---- the interpreter as what one debugs with ---- */
struct trace_line { uint64_t pc; char text[32]; };
static struct trace_line lines[32];
static unsigned line_count;
static void note(struct vcpu *v, const struct insn *i)
{
    CHECK(line_count < ARRAY_COUNT(lines) && i->pc.v == v->regs.pc);
    lines[line_count].pc = i->pc.v;
    (void)v->isa->disasm(i, lines[line_count++].text, sizeof lines->text);
}

TEST(R54_R65_single_steps_show_each_instruction_and_stop_where_told)
{
    static const struct trace_line want[] = {
        { RAM,      "addi a0,zero,2" },                     /* a0 = 2, a1 = 1; do a1 = a1 * a0; while (--a0); */
        { RAM + 4,  "addi a1,zero,1" }, { RAM + 8, "mul a1,a1,a0" }, { RAM + 12, "addi a0,a0,-1" }, { RAM + 16, "bne a0,zero,0x80000008" },
        { RAM + 8,  "mul a1,a1,a0" },   { RAM + 12, "addi a0,a0,-1" }, { RAM + 16, "bne a0,zero,0x80000008" },
        { RAM + 20, "ebreak" },         { HANDLER, "jal zero,0x80001000" },
    };
    start(true);
    PROGRAM(RAM, LI(a0, 2), LI(a1, 1), MUL(a1, a1, a0), ADDI(a0, a0, -1), BNE(a0, zero, -8), EBREAK);
    h.v.trace = note;
    line_count = 0;
    for (unsigned n = 0; n < ARRAY_COUNT(want); n++) {
        CHECK_EQ_U64(h.v.regs.pc, want[n].pc);
        struct exec_result r = TEST_ENGINE.execute_instruction(&h.v);
        CHECK_EQ_U64(r.status, EXEC_CONTINUE);
        CHECK_EQ_U64(line_count, n + 1);                    /* one step, one instruction */
        CHECK_EQ_U64(lines[n].pc, want[n].pc);
        CHECK_STR(lines[n].text, want[n].text);
    }
    CHECK_EQ_U64(REG(a1), 2);
    CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_BREAKPOINT);
    CHECK_EQ_U64(csrs_of(&h)->mepc, RAM + 20);
    end();
}

TEST(R55_only_the_jit_compiles)
{
    start(true);
    PROGRAM(RAM, LI(a0, 1000), ADDI(a0, a0, -1), BNE(a0, zero, -4), J(0));
    struct exec_result r = TEST_ENGINE.run(&h.v, 1500);
    CHECK(r.stats.executed_insns >= 1500);
    bool compiles = TEST_ENGINE.mode == EXEC_JIT;
    struct exec_stats all;
    vcpu_stats(&h.v, &all);
    CHECK(!!r.stats.jit_compiles == compiles && !!r.stats.jit_compile_time_ns == compiles);
    CHECK(all.executed_insns == r.stats.executed_insns && all.jit_compiles == r.stats.jit_compiles && all.jit_compile_time_ns == r.stats.jit_compile_time_ns);
    end();
}

/* ---- accesses against page tables, by the instructions that make them ---- */
TEST(R69_R70_R71_R72_R78_instructions_need_their_rights)
{
    enum { READ = 1, WRITE = 2, EXEC = 4 };
    static const struct { uint32_t bits; const char *what; unsigned needs; uint64_t cause; } insns[] = {
        { LD(a1, 0, a0),        "ld",     READ,         RV_CAUSE_LOAD_PAGE },
        { SD(a1, 0, a0),        "sd",     WRITE,        RV_CAUSE_STORE_PAGE },
        { JALR(zero, 0, a0),    "fetch",  EXEC,         RV_CAUSE_FETCH_PAGE },
        { LR_D(a1, a0),         "lr.d",   READ,         RV_CAUSE_LOAD_PAGE },
        { SC_D(a1, a2, a0),     "sc.d",   READ | WRITE, RV_CAUSE_STORE_PAGE },
        { AMOADD_D(a1, a2, a0), "amoadd", READ | WRITE, RV_CAUSE_STORE_PAGE },
    };
    for (unsigned i = 0; i < ARRAY_COUNT(insns); i++) {
        for (unsigned rights = 0; rights < 8; rights++) {
            if ((rights & WRITE) && !(rights & READ)) continue;                 /* no such page */
            start(true);
            uint64_t satp = space(0, PTE(DATA, (rights ? PTE_V : 0) | rights << 1 | PTE_A | PTE_D));
            load(RAM, &insns[i].bits, 4);
            PROGRAM(RAM + 4, J(0));
            PROGRAM(DATA, J(0));
            supervisor(satp);
            REG(a0) = WINDOW;
            bool is_allowed = (rights & insns[i].needs) == insns[i].needs;
            run_to(!is_allowed ? HANDLER : insns[i].needs == EXEC ? WINDOW : RAM + 4);
            uint64_t want = is_allowed ? ~0ull : insns[i].cause;
            if (csrs_of(&h)->mcause != want) printf("%s on a page of rights %u\n", insns[i].what, rights);
            CHECK_EQ_U64(csrs_of(&h)->mcause, want);
            CHECK_EQ_U64(csrs_of(&h)->mtval, is_allowed ? 0 : WINDOW);
            end();
        }
    }
}

TEST(R70_a_store_sets_d_or_faults_by_the_machines_policy)
{
    for (unsigned svadu = 0; svadu < 2; svadu++) {
        start(svadu);
        uint64_t satp = space(0, PTE(DATA, PTE_V | PTE_R | PTE_W | PTE_A));
        PROGRAM(RAM, LD(a1, 0, a0), SD(a2, 0, a0), J(0));
        supervisor(satp);
        ram_put(&h, DATA, 5);
        REG(a0) = WINDOW, REG(a2) = 7;
        run_to(svadu ? RAM + 8 : HANDLER);
        CHECK_EQ_U64(REG(a1), 5);                           /* the load before it fills the TLB and needs no D */
        CHECK_EQ_U64(ram_get(&h, DATA), svadu ? 7 : 5);
        CHECK_EQ_U64(ram_get(&h, TABLES + 0x100000 + 8 * (WINDOW >> 12)) & PTE_D, svadu ? PTE_D : 0);
        CHECK_EQ_U64(csrs_of(&h)->mcause, svadu ? ~0ull : RV_CAUSE_STORE_PAGE);
        end();
    }
}

TEST(R76_R77_R79_R88_an_unhandled_page_fault_says_where_how_and_by_whom)
{
    for (unsigned is_user = 0; is_user < 2; is_user++) {
        start(true);
        uint64_t satp = space(0, 0);
        window_page(0, 0x5000, PTE(RAM, PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D));      /* the program, for users */
        PROGRAM(RAM, LI(a1, 1), LBU(a1, 3, a0));
        csrs_of(&h)->mtvec = 0;                                                         /* no handler */
        supervisor(satp);
        if (is_user) {
            hart_privilege(&h, RV_U);
            h.v.regs.pc = 0x5000;
        }
        REG(a0) = WINDOW;
        struct exec_result r = TEST_ENGINE.run(&h.v, 10);
        CHECK_EQ_U64(r.status, EXEC_FAULT);
        CHECK(r.error.domain == VM_ERROR_EXECUTION && r.error.kind == VM_EXECUTION_FAULT && r.error.fault.kind == FAULT_PAGE);
        CHECK_EQ_U64(r.error.fault.page.addr.v, WINDOW + 3);
        CHECK_EQ_U64(r.error.fault.page.access_type, ACCESS_READ);
        CHECK(!r.error.fault.page.is_write && r.error.fault.page.is_user == is_user);
        CHECK_EQ_U64(r.next_pc.v, (is_user ? 0x5000 : RAM) + 4);
        end();
    }
}

TEST(R80_a_user_that_wants_more_is_told_by_its_kernel)
{
    static const uint32_t privileged[] = { CSRR(a0, SSTATUS), CSRW(SATP, a0), CSRR(a0, MSTATUS), SRET, MRET, SFENCE_VMA(zero, zero) };
    for (unsigned i = 0; i < ARRAY_COUNT(privileged); i++) {
        start(true);
        load(RAM, &privileged[i], 4);
        hart_privilege(&h, RV_U);
        run_to(HANDLER);
        CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_ILLEGAL);
        CHECK_EQ_U64(csrs_of(&h)->mtval, privileged[i]);
        CHECK_EQ_U64(csrs_of(&h)->mepc, RAM);
        CHECK_EQ_U64(csr_get(&h, MSTATUS) & RV_MPP, RV_U << RV_MPP_SHIFT);
        end();
    }
}

TEST(R83_nothing_at_a_physical_address_is_an_access_fault)
{
    static const struct { uint32_t bits; uint64_t cause; } rows[] = {
        { LD(a1, 0, a0), RV_CAUSE_LOAD_ACCESS },        { SD(a1, 0, a0), RV_CAUSE_STORE_ACCESS }, { JALR(zero, 0, a0), RV_CAUSE_FETCH_ACCESS },
        { LR_D(a1, a0), RV_CAUSE_LOAD_ACCESS },         { AMOADD_D(a1, a2, a0), RV_CAUSE_STORE_ACCESS },
    };
    static const uint64_t nothing[] = { 0, 0x1000, RAM - 8, RAM + RAM_SIZE, 1ull << 55, 0x7ffffffffffffff8 };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        for (unsigned n = 0; n < ARRAY_COUNT(nothing); n++) {
            start(true);
            load(RAM, &rows[i].bits, 4);
            REG(a0) = nothing[n];
            run_to(HANDLER);
            CHECK_EQ_U64(csrs_of(&h)->mcause, rows[i].cause);
            CHECK_EQ_U64(csrs_of(&h)->mtval, nothing[n]);
            end();
        }
    }
}

TEST(R84_R86_unknown_encodings_reach_the_guests_handler_with_their_bits)
{
    static const uint32_t unknown[] = { 0, 0xffffffff, 0x0000007f, 0x00002067, 0x80000033, 0x30200173, 0xfff00073, 0x0000002f };
    for (unsigned i = 0; i < ARRAY_COUNT(unknown); i++) {
        start(true);
        load(RAM, &unknown[i], 4);
        run_to(HANDLER);
        CHECK_EQ_U64(csrs_of(&h)->mcause, RV_CAUSE_ILLEGAL);
        CHECK_EQ_U64(csrs_of(&h)->mtval, unknown[i]);
        CHECK_EQ_U64(csrs_of(&h)->mepc, RAM);
        end();
    }
}

TEST(R88_a_guest_that_handles_its_fault_goes_on)
{
    start(true);
    PROGRAM(RAM, LI(a0, 0), LD(a1, 0, a0), 0xffffffff, ECALL, LI(a2, 42), J(0));
    PROGRAM(HANDLER, ADDI(s0, s0, 1), CSRR(s1, MEPC), ADDI(s1, s1, 4), CSRW(MEPC, s1), MRET);   /* steps over the culprit */
    csr_put(&h, MSTATUS, RV_MPP);
    for (unsigned n = 0; n < 100 && h.v.regs.pc != RAM + 20; n++) {
        CHECK_EQ_U64(TEST_ENGINE.run(&h.v, 1).status, EXEC_CONTINUE);
    }
    CHECK_EQ_U64(REG(s0), 3);
    CHECK_EQ_U64(REG(a2), 42);
    end();
}

/* ---- decoding through the MMU ---- */
TEST(R93_instruction_bytes_are_read_through_the_mmu_with_execute_access)
{
    struct insn i;
    start(true);
    uint64_t satp = space(0, PTE(DATA, PTE_V | PTE_RWX | PTE_A | PTE_D));
    window_page(0, WINDOW + 0x1000, PTE(DATA + 0x1000, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D));     /* readable, not executable */
    PROGRAM(DATA, LI(a0, 7));
    PROGRAM(DATA + 0xffc, C_ADDI(a0, 1) | C_ADDI(a0, 2) << 16);
    supervisor(satp);
    CHECK(!vm_failed(decode_insn(&h.v, guest_addr_make(WINDOW), &i)));
    CHECK_EQ_U64(i.bits, LI(a0, 7));
    CHECK_EQ_U64(i.pc.v, WINDOW);
    CHECK(!vm_failed(decode_insn(&h.v, guest_addr_make(WINDOW + 0xffe), &i)));      /* a short one needs its own page alone */
    CHECK(i.size_bytes == 2 && i.bits == C_ADDI(a0, 2));
    PROGRAM(DATA + 0xffe, LI(a0, 9));                       /* in both pages */
    struct vm_error e = decode_insn(&h.v, guest_addr_make(WINDOW + 0xffe), &i);
    CHECK(e.kind == VM_EXECUTION_FAULT && e.fault.kind == FAULT_PAGE);
    CHECK_EQ_U64(e.fault.page.access_type, ACCESS_EXECUTE);
    CHECK_EQ_U64(e.fault.page.addr.v, WINDOW + 0x1000);
    e = decode_insn(&h.v, guest_addr_make(WINDOW + 0x2000), &i);
    CHECK(e.kind == VM_EXECUTION_FAULT && e.fault.kind == FAULT_PAGE && e.fault.page.access_type == ACCESS_EXECUTE);
    CHECK_EQ_U64(e.fault.page.addr.v, WINDOW + 0x2000);
    end();
}

static uint64_t hash_of_ram(void)
{
    uint64_t sum = 0xcbf29ce484222325;
    for (uint64_t at = 0; at < RAM_SIZE; at += 8) sum = (sum ^ ram_get(&h, RAM + at)) * 0x100000001b3;
    return sum;
}

/* A random word of which most decode: a known instruction's fixed bits with noise in the others, now and then raw noise. */
static uint32_t noise(void)
{
    static const uint32_t seeds[][2] = { { ADDI(0, 0, 0), 0xffffff80 }, { LD(0, 0, 0), 0xffff8f80 }, { SD(0, 0, 0), 0xffff8f80 }, { ADD(0, 0, 0), 0x01fff000 },
                                         { LUI(0, 0), 0xffffff80 }, { 0x1, 0xfffcffdc }, { 0x4000, 0x1ffc }, { BEQ(0, 0, 0), 0xfe000f80 } };
    unsigned n = (unsigned)(test_random() % 40);
    uint32_t random = (uint32_t)test_random();
    return n == 0 ? random : seeds[n % (n < 38 ? 7 : 8)][0] | (random & seeds[n % (n < 38 ? 7 : 8)][1]);
}

TEST(R89_R94_R95_R96_a_block_is_its_instructions_one_by_one_and_decoding_leaves_no_trace)
{
    enum { CAP = 64, PAGE = 4096 };
    static uint8_t code[2 * PAGE];
    unsigned blocks = 0, long_blocks = 0, stopped_by_fault = 0, stopped_by_page = 0, faults_at_once = 0;
    start(true);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned at = 0; at < sizeof code; at += 2) {
            uint32_t word = noise();
            memcpy(code + at, &word, at + 4 <= sizeof code && (word & 3) == 3 ? 4 : 2);
            if ((word & 3) == 3) at += 2;
        }
        uint64_t satp = space(0, PTE(DATA, PTE_V | PTE_RWX | PTE_A | PTE_D));
        window_page(0, WINDOW + PAGE, round & 1 ? PTE(DATA + PAGE, PTE_V | PTE_RWX | PTE_A | PTE_D) : 0);
        load(DATA, code, sizeof code);
        supervisor(satp);
        mmu_flush_tlb(&h.v.mmu);
        uint64_t before = hash_of_ram();
        for (uint64_t pc = WINDOW; pc < WINDOW + PAGE; pc += 2) {
            struct insn block[CAP], one;
            unsigned count = 0;
            struct vm_error e = decode_block(&h.v, guest_addr_make(pc), block, CAP, &count);
            struct vm_error first = decode_insn(&h.v, guest_addr_make(pc), &one);
            CHECK(vm_failed(e) == vm_failed(first));
            if (vm_failed(e)) {
                CHECK(e.kind == first.kind && e.fault.kind == first.fault.kind && count == 0);
                faults_at_once++;
                continue;
            }
            blocks++;
            long_blocks += count > 4;
            guest_addr at = guest_addr_make(pc);
            for (unsigned n = 0; n < count; n++) {
                CHECK(!vm_failed(decode_insn(&h.v, at, &one)));
                CHECK(one.pc.v == block[n].pc.v && one.bits == block[n].bits && one.op == block[n].op && one.size_bytes == block[n].size_bytes);
                CHECK(one.arg_count == block[n].arg_count && !memcmp(one.arg, block[n].arg, one.arg_count * sizeof one.arg[0]));
                unsigned op = one.bits & 127, c = one.bits & 0xe003;        /* nothing behind a branch, a jump, a system instruction */
                CHECK(n + 1 == count || !(op == 0x63 || op == 0x6f || op == 0x67 || op == 0x73 || c == 0xa001 || c == 0xc001 || c == 0xe001));
                CHECK(n == 0 || (at.v + one.size_bytes - 1) >> 12 == pc >> 12);     /* what lies in two pages is alone */
                at = guest_addr_wrapping_add(at, one.size_bytes);
            }
            if (count == CAP) continue;
            /* why did it end? at the page, before what cannot be decoded, before what lies in two pages, or at its last */
            bool is_next_page = at.v >> 12 != pc >> 12;
            bool faults_next = vm_failed(decode_insn(&h.v, at, &one));
            bool crosses = !faults_next && (at.v + one.size_bytes - 1) >> 12 != pc >> 12;
            struct insn last = block[count - 1];
            unsigned op = last.bits & 127, c = last.bits & 0xe003;
            bool ends = op == 0x63 || op == 0x6f || op == 0x67 || op == 0x73 || op == 0x0f || c == 0xa001 || c == 0xc001 || c == 0xe001 || c == 0x8002 ||
                        op == 0x07 || op == 0x27 || op == 0x53 || op == 0x43 || op == 0x47 || op == 0x4b || op == 0x4f ||
                        c == 0x2000 || c == 0xa000 || c == 0x2002 || c == 0xa002;   /* FP is off: those are traps */
            CHECK(is_next_page || faults_next || crosses || ends);
            stopped_by_page += is_next_page;
            stopped_by_fault += faults_next && !is_next_page && !ends;
        }
        CHECK_EQ_U64(hash_of_ram(), before);
    }
    CHECK(blocks > 10000 && long_blocks > 1000 && stopped_by_page > 100 && stopped_by_fault > 100 && faults_at_once > 100);
    end();
}

TEST(R96_decoding_sets_the_a_bit_and_nothing_else)
{
    struct insn i;
    start(true);
    uint64_t satp = space(0, PTE(DATA, PTE_V | PTE_RWX)), pte_at = TABLES + 0x100000 + 8 * (WINDOW >> 12);
    PROGRAM(DATA, LI(a0, 7));
    supervisor(satp);
    struct vcpu_regs regs = h.v.regs;
    uint64_t executed = h.v.stats.executed_insns;
    CHECK(!vm_failed(decode_insn(&h.v, guest_addr_make(WINDOW), &i)));
    CHECK_EQ_U64(ram_get(&h, pte_at), PTE(DATA, PTE_V | PTE_RWX | PTE_A));
    CHECK(!memcmp(&regs, &h.v.regs, sizeof regs) && h.v.stats.executed_insns == executed && h.v.fault.kind == FAULT_NONE);
    end();
}

/* ---- every architecture and every engine of this image, by their tables alone ---- */
TEST(R5_R90_R91_each_guest_architecture_decodes_behind_one_table)
{
    static const struct { enum guest_arch arch; const struct isa_ops *isa; const struct machine_ops *machine; } all[] = {
#define _(arch, isa, machine) { arch, &isa, &machine },
#include "hv/isa/isas.def"
#undef _
    };
    static const struct { enum guest_arch arch; uint32_t bits; const char *text; } words[] = {
        { GUEST_RISCV64, ADDI(a0, a0, 1), "addi a0,a0,1" }, { GUEST_ARM64, 0xf9400441, "ldr x1,[x2,#8]" }, { GUEST_X86_64, 0x320f, "rdmsr" },
    };
    for (unsigned n = 0; n < ARRAY_COUNT(all); n++) {
        unsigned known = 0;
        CHECK(all[n].isa->arch == all[n].arch && all[n].machine->arch == all[n].arch && all[n].machine->isa == all[n].isa);
        CHECK_STR(all[n].isa->name, guest_arch_name(all[n].arch));
        for (unsigned w = 0; w < ARRAY_COUNT(words); w++) {
            if (words[w].arch != all[n].arch) continue;
            struct insn i;                                  /* one instruction; a block is an array of them */
            struct fault why;
            uint8_t bytes[4];
            char text[64];
            memcpy(bytes, &words[w].bits, 4);
            CHECK(all[n].isa->decode_insn(bytes, 4, guest_addr_make(0x1000), 0, &i, &why));
            (void)all[n].isa->disasm(&i, text, sizeof text);
            CHECK_STR(text, words[w].text);
            known++;
        }
        CHECK(known);                                       /* a new architecture brings its word */
    }
}

TEST(R4_every_engine_passes_the_same_programs_through_its_table)
{
    static const struct engine_ops *const engines[] = { &INTERP_ENGINE, &JIT_ENGINE };
    for (unsigned e = 0; e < ARRAY_COUNT(engines); e++) {
        start(true);
        TEST_ENGINE.vcpu_destroy(&h.v);
        h.v.engine = engines[e];
        CHECK(!vm_failed(engines[e]->vcpu_init(&h.v)));
        CHECK_STR(engines[e]->name, exec_mode_name(engines[e]->mode));
        PROGRAM(RAM, LI(a0, 0), LI(a1, 100), ADD(a0, a0, a1), ADDI(a1, a1, -1), BNE(a1, zero, -8), SD(a0, 0, a2), J(0));
        REG(a2) = DATA;
        for (unsigned n = 0; n < 1000 && h.v.regs.pc != RAM + 24; n++) CHECK_EQ_U64(engines[e]->run(&h.v, 1).status, EXEC_CONTINUE);
        CHECK_EQ_U64(ram_get(&h, DATA), 5050);
        vcpu_set_pc(&h.v, guest_addr_make(RAM));
        for (unsigned n = 0; n < 2; n++) CHECK_EQ_U64(engines[e]->execute_instruction(&h.v).status, EXEC_CONTINUE);
        CHECK(REG(a0) == 0 && REG(a1) == 100 && vcpu_get_pc(&h.v).v == RAM + 8);
        PROGRAM(RAM, LI(a0, 5), J(0));                      /* forget_code is part of `load` */
        vcpu_set_pc(&h.v, guest_addr_make(RAM));
        CHECK_EQ_U64(engines[e]->run(&h.v, 2).status, EXEC_CONTINUE);
        CHECK_EQ_U64(REG(a0), 5);
        engines[e]->vcpu_destroy(&h.v);
        CHECK(!vm_failed(TEST_ENGINE.vcpu_init(&h.v)));
        h.v.engine = &TEST_ENGINE;
        end();
    }
}
