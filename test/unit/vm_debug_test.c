// SPDX-License-Identifier: Apache-2.0
/* Debugging a VM: breakpoints, steps, memory without side effects. The test is the only core. */
#include "hv/vm/debug.h"
#include "test/unit/one_core.h"

/* A loop that calls a function, counts in s1 and keeps the count in RAM; all of it could be one page's linked blocks. */
enum { LOOP = 12, CALL = 16, BACK = 24, FUNCTION = 28 };
ONE_FILE(program, rv_lui(A2, 0x80300), rv_slli(A2, A2, 32), rv_i(0x13, 5, A2, A2, 32),
         rv_addi(S1, S1, 1), rv_jal(RA, FUNCTION - CALL), rv_sd(S1, A2, 0), rv_j(LOOP - BACK),
         rv_addi(S2, S2, 2), rv_addi(S3, S3, 3), rv_ret())
ONE_FILE(quitter, ONE_POWER_OFF)
ONE_FILE(sleeper, rv_wfi(), rv_j(-4))

static guest_addr at(uint64_t offset) { return guest_addr_make(ONE_KERNEL + offset); }
static uint64_t pc(struct vm *vm) { return vcpu_get_pc(&vm->vcpus[0]).v - ONE_KERNEL; }
static uint64_t reg(struct vm *vm, unsigned r) { return vm->vcpus[0].regs.slot[r]; }
static struct vm *ready(const char *name) { return one_vm_of(&program, vm_config_default(), name); }

TEST(R54_a_breakpoint_stops_exactly_there_each_time)
{
    struct vm *vm = ready("exact");
    CHECK(!vm_failed(vm_break_add(vm, at(FUNCTION + 4))));           /* in the middle of a block */
    CHECK(!vm_failed(vm_start(vm)));
    for (uint64_t n = 1; n <= 5; n++) {
        one_until(vm, VM_PAUSED);
        CHECK_EQ_U64(pc(vm), FUNCTION + 4);
        CHECK_EQ_U64(reg(vm, S1), n);
        CHECK_EQ_U64(reg(vm, S2), 2 * n);
        CHECK_EQ_U64(reg(vm, S3), 3 * (n - 1));                      /* the instruction there has not run */
        CHECK(!vm_failed(vm_resume(vm)));
    }
    one_end(vm);
}

TEST(debug_breakpoints_come_and_go_while_the_vm_runs)
{
    struct vm *vm = ready("running");
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(3);                                                    /* all of it is translated and linked */
    CHECK(!vm_failed(vm_break_add(vm, at(FUNCTION))) && vm_state(vm) == VM_RUNNING);
    one_until(vm, VM_PAUSED);
    CHECK_EQ_U64(pc(vm), FUNCTION);
    uint64_t s1 = reg(vm, S1);
    CHECK(!vm_failed(vm_resume(vm)));
    one_until(vm, VM_PAUSED);
    CHECK(pc(vm) == FUNCTION && reg(vm, S1) == s1 + 1);
    CHECK(!vm_failed(vm_break_remove(vm, at(FUNCTION))) && !vm_failed(vm_resume(vm)));
    one_turns(20);
    CHECK(vm_state(vm) == VM_RUNNING && reg(vm, S1) > s1 + 100 && !vm->vcpus[0].breaks);
    one_end(vm);
}

TEST(debug_a_breakpoint_at_the_entry_stops_the_start_and_one_under_the_pc_is_stepped_over)
{
    struct vm *vm = ready("entry");
    CHECK(!vm_failed(vm_break_add(vm, at(0))) && !vm_failed(vm_start(vm)));
    one_until(vm, VM_PAUSED);
    CHECK(pc(vm) == 0 && !reg(vm, A2));
    CHECK(!vm_failed(vm_step(vm, 0, 3, NULL)) && pc(vm) == LOOP);
    CHECK(!vm_failed(vm_break_add(vm, at(LOOP))) && !vm_failed(vm_resume(vm)));
    one_until(vm, VM_PAUSED);
    CHECK(pc(vm) == LOOP && reg(vm, S1) == 1);                       /* once around */
    CHECK(!vm_failed(vm_reset(vm)) && !vm_failed(vm_resume(vm)));    /* breakpoints outlive a reset */
    one_until(vm, VM_PAUSED);
    CHECK(pc(vm) == 0);
    one_end(vm);
}

TEST(debug_two_breakpoints_in_a_row_both_stop)
{
    struct vm *vm = ready("row");
    CHECK(!vm_failed(vm_break_add(vm, at(FUNCTION))) && !vm_failed(vm_break_add(vm, at(FUNCTION + 4))) && !vm_failed(vm_start(vm)));
    for (unsigned n = 0; n < 6; n++) {
        one_until(vm, VM_PAUSED);
        CHECK_EQ_U64(pc(vm), FUNCTION + 4 * (n & 1));
        CHECK(!vm_failed(vm_resume(vm)));
    }
    one_end(vm);
}

TEST(debug_the_list_of_breakpoints_is_kept_and_bounded)
{
    struct vm *vm = ready("list");
    guest_addr list[VCPU_MAX_BREAKS];
    CHECK(vm_break_add(vm, at(1)).kind == VM_CORE_INVALID_PARAMETER);
    for (unsigned n = 0; n < VCPU_MAX_BREAKS; n++) CHECK(!vm_failed(vm_break_add(vm, at(100 + 2 * n))));
    CHECK(!vm_failed(vm_break_add(vm, at(100))));                    /* twice is one */
    CHECK(vm_break_add(vm, at(200)).kind == VM_CORE_RESOURCE_EXHAUSTED);
    CHECK(vm_break_list(vm, list, VCPU_MAX_BREAKS) == VCPU_MAX_BREAKS && list[3].v == at(106).v);
    CHECK(!vm_failed(vm_break_remove(vm, at(106))) && vm_break_list(vm, list, VCPU_MAX_BREAKS) == VCPU_MAX_BREAKS - 1 && list[3].v == at(108).v);
    CHECK(vm_break_remove(vm, at(106)).kind == VM_CORE_INVALID_PARAMETER);
    one_end(vm);
}

TEST(R54_R98_a_step_is_one_instruction_and_a_step_onto_a_breakpoint_ends_there)
{
    struct vm *vm = ready("step");
    struct exec_result r;
    CHECK(!vm_failed(vm_step(vm, 0, 1, &r)) && r.status == EXEC_CONTINUE && pc(vm) == 4 && r.next_pc.v == at(4).v);
    CHECK(!vm_failed(vm_step(vm, 0, 4, &r)) && pc(vm) == FUNCTION && reg(vm, S1) == 1);
    CHECK(!vm_failed(vm_break_add(vm, at(FUNCTION + 8))));
    CHECK(!vm_failed(vm_step(vm, 0, 1000, &r)) && r.status == EXEC_BREAKPOINT && pc(vm) == FUNCTION + 8);
    CHECK(vm_state(vm) == VM_CREATED);
    CHECK(vm_step(vm, 1, 1, &r).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(!vm_failed(vm_start(vm)));
    CHECK_STR(vm_step(vm, 0, 1, &r).reason, "it is running: pause it first");
    one_until(vm, VM_PAUSED);
    CHECK(reg(vm, S1) == 2);                                         /* the start went on over it */
    one_end(vm);
}

TEST(debug_stepping_into_the_power_off_ends_the_vm_when_it_goes_on)
{
    struct vm *vm = one_vm_of(&quitter, vm_config_default(), "quits");
    struct exec_result r;
    CHECK(!vm_failed(vm_start(vm)) && !vm_failed(vm_pause(vm)));
    CHECK(!vm_failed(vm_step(vm, 0, 100, &r)) && r.status == EXEC_OK && vm_state(vm) == VM_PAUSED);
    CHECK(vm_step(vm, 0, 1, &r).kind == VM_CORE_INVALID_STATE);
    CHECK(!vm_failed(vm_resume(vm)));
    one_until(vm, VM_STOPPED);
    CHECK(vm->end == VM_END_POWER_OFF);
    one_end(vm);
}

TEST(debug_a_wait_is_a_step_too)
{
    struct vm *vm = one_vm_of(&sleeper, vm_config_default(), "waits");
    struct exec_result r;
    CHECK(!vm_failed(vm_step(vm, 0, 1, &r)) && r.status == EXEC_HALTED && pc(vm) == 4);
    CHECK(!vm_failed(vm_step(vm, 0, 2, &r)) && r.status == EXEC_HALTED && pc(vm) == 4);
    one_end(vm);
}

TEST(debug_memory_is_ram_alone_and_all_or_nothing)
{
    struct vm *vm = ready("memory");
    uint32_t word = 0, two[2] = { 1, 2 };
    uint64_t top = 0x80000000ull + MIB(8);
    CHECK(!vm_failed(vm_read_memory(vm, 0, false, ONE_KERNEL, &word, 4)) && word == program_code[0]);
    CHECK(!vm_failed(vm_read_memory(vm, 0, true, ONE_KERNEL + 4, &word, 4)) && word == program_code[1]);
    struct vm_error e = vm_read_memory(vm, 0, true, 0x10000000, &word, 4);               /* the UART: its FIFO keeps its bytes */
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x10000000);
    e = vm_write_memory(vm, 0, true, top - 4, two, 8);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == top);
    CHECK(!vm_failed(vm_read_memory(vm, 0, true, top - 4, &word, 4)) && !word);           /* nothing was written */
    CHECK(vm_read_memory(vm, 7, true, top - 4, &word, 4).kind == VM_CORE_INVALID_PARAMETER);
    one_end(vm);
}

TEST(debug_code_that_is_written_is_what_runs)
{
    struct vm *vm = ready("patch");
    const uint32_t nop = rv_nop();
    CHECK(!vm_failed(vm_start(vm)));
    one_turns(3);
    CHECK_STR(vm_write_memory(vm, 0, false, ONE_KERNEL + FUNCTION, &nop, 4).reason, "it is running: pause it first");
    CHECK(!vm_failed(vm_pause(vm)) && !vm_failed(vm_write_memory(vm, 0, false, ONE_KERNEL + FUNCTION, &nop, 4)));
    uint64_t s2 = reg(vm, S2), s3 = reg(vm, S3);
    CHECK(!vm_failed(vm_resume(vm)));
    one_turns(5);
    CHECK(reg(vm, S2) <= s2 + 2 && reg(vm, S3) > s3 + 100);
    one_end(vm);
}

/* Virtual memory: one Sv39 leaf of 1 GiB at VA 0, execute-only and neither accessed nor dirty. */
TEST(debug_virtual_reads_ask_no_rights_and_leave_no_mark)
{
    struct vm *vm = ready("virtual");
    struct vcpu *v = &vm->vcpus[0];
    const uint64_t table = 0x80400000, pte = 0x80000000ull >> 12 << 10 | 0x9;             /* V, X */
    uint64_t seen;
    uint32_t word;
    CHECK(!vm_failed(vm_write_memory(vm, 0, true, table, &pte, 8)));
    int satp = vcpu_find_reg(v, "satp");
    CHECK(satp >= 0 && !vm_failed(vcpu_set_reg(v, (unsigned)satp, 8ull << 60 | table >> 12)));
    CHECK(!vm_failed(vm_read_memory(vm, 0, false, 0x200000, &word, 4)) && word == program_code[0]);
    word = 0x1234;
    CHECK(!vm_failed(vm_write_memory(vm, 0, false, 0x300000, &word, 4)));
    CHECK_EQ_U64(one_ram(vm, 0x80300000), 0x1234);
    CHECK(!vm_failed(vm_read_memory(vm, 0, true, table, &seen, 8)) && seen == pte);
    struct vm_error e = vm_read_memory(vm, 0, false, 0x40000000, &word, 4);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x40000000);
    guest_phys_addr to;
    unsigned rights;
    CHECK(!vm_failed(vm_translate(vm, 0, guest_addr_make(0x212345), &to, &rights)) && to.v == 0x80212345 && rights == PERM_EXECUTE);
    e = vm_translate(vm, 0, guest_addr_make(0x40000000), &to, &rights);
    CHECK(e.kind == VM_MEMORY_INVALID_ADDRESS && e.addr.v == 0x40000000 && !rights);
    CHECK(vm_translate(vm, 1, guest_addr_make(0), &to, &rights).kind == VM_CORE_INVALID_PARAMETER);
    CHECK(!vm_failed(vm_read_memory(vm, 0, true, table, &seen, 8)) && seen == pte);
    one_end(vm);
}
