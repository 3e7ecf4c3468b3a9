// SPDX-License-Identifier: Apache-2.0
/* Loads and stores to devices: those that the CPU describes and those that are read from the instruction (hv/isa/arm64/exit.c, access.c),
 * and what a guest meets that asks for what is not there. Instruction words are the assembler's. */
#include "test/unit/arm64_world.h"

#define CODE (RAM + 0x1000)

static uint64_t word(unsigned n) { return 0xf0e0d0c0b0a09080ull + 0x0101010101010101ull * n; }

/* The guest executes `insn` at CODE and leaves by a data abort at `far`, which lies at `gpa`; ISV is 0 unless the syndrome says it. */
static void fault_at(struct world *w, uint32_t insn, uint64_t far, uint64_t gpa, enum access_type how, uint64_t syndrome)
{
    struct arm64_frame *f = frame_of(w);
    const struct hw_exit x = { .kind = HW_EXIT_MEMORY, .gpa = { gpa }, .how = how };
    struct vm_error error = VM_SUCCESS;
    ram_put32(w, CODE, insn);
    w->v[0].regs.pc = CODE;
    f->esr = (uint64_t)ARM64_EC_DATA_ABORT << 26 | 1ull << 25 | (how == ACCESS_WRITE ? 1 << 6 : 0) | 4 | syndrome;
    f->far = far;
    f->esr_el1 = 0;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &x, &error), EXEC_CONTINUE);
}
static void run(struct world *w, uint32_t insn, uint64_t gpa, enum access_type how) { fault_at(w, insn, gpa, gpa, how, 0); }
static bool went_on(struct world *w) { return w->v[0].regs.pc == CODE + 4; }
static bool was_aborted(struct world *w) { return w->v[0].regs.pc == frame_of(w)->vbar_el1 + 0x200 && (frame_of(w)->esr_el1 & 0x3f) == 0x10; }

static struct world *start(void)
{
    struct world *w = world_start(3, NULL);
    world_device(w);
    frame_of(w)->vbar_el1 = RAM + 0x8000;
    return w;
}

TEST(arm64_described_accesses_move_what_the_syndrome_says)
{
    static const struct { unsigned size; bool is_signed, is_64bit; uint64_t want; } loads[] = {
        { 0, 0, 0, 0x90 }, { 0, 1, 0, 0xffffff90 }, { 0, 1, 1, 0xffffffffffffff90 }, { 1, 0, 0, 0xa090 }, { 1, 1, 0, 0xffffa090 }, { 1, 1, 1, 0xffffffffffffa090 },
        { 2, 0, 0, 0xc0b0a090 }, { 2, 1, 1, 0xffffffffc0b0a090 }, { 3, 0, 1, 0x00f0e0d0c0b0a090 } };
    struct world *w = start();
    device.word[0] = 0x00f0e0d0c0b0a090;
    for (unsigned i = 0; i < ARRAY_COUNT(loads); i++) {
        uint64_t iss = 1ull << 24 | (uint64_t)loads[i].size << 22 | (uint64_t)loads[i].is_signed << 21 | 7ull << 16 | (uint64_t)loads[i].is_64bit << 15;
        x_of(w)[7] = UINT64_MAX;
        fault_at(w, 0, DEVICE, DEVICE, ACCESS_READ, iss);
        CHECK(went_on(w));
        CHECK_EQ_U64(x_of(w)[7], loads[i].want);
    }
    x_of(w)[7] = 0x1122334455667788;
    device.word[1] = UINT64_MAX;
    fault_at(w, 0, DEVICE + 8, DEVICE + 8, ACCESS_WRITE, 1ull << 24 | 1ull << 22 | 7ull << 16);
    CHECK_EQ_U64(device.word[1], 0xffffffffffff7788);
    fault_at(w, 0, DEVICE + 8, DEVICE + 8, ACCESS_WRITE, 1ull << 24 | 3ull << 22 | 31ull << 16);       /* xzr */
    CHECK_EQ_U64(device.word[1], 0);
    fault_at(w, 0, DEVICE, DEVICE, ACCESS_READ, 1ull << 24 | 3ull << 22 | 31ull << 16);
    CHECK(went_on(w) && device.accesses == ARRAY_COUNT(loads) + 3);
    world_end(w);
}

TEST(arm64_access_to_nothing_is_an_external_abort)
{
    struct world *w = start();
    const uint64_t iss = 1ull << 24 | 2ull << 22 | 7ull << 16;
    x_of(w)[7] = 42;
    frame_of(w)->pstate = 0;                                    /* from EL0 */
    fault_at(w, 0, 0x1234, 0x0f000000, ACCESS_WRITE, iss);
    struct arm64_frame *f = frame_of(w);
    CHECK_EQ_U64(w->v[0].regs.pc, f->vbar_el1 + 0x400);
    CHECK_EQ_U64(f->esr_el1, (uint64_t)ARM64_EC_DATA_ABORT << 26 | 1 << 25 | 1 << 6 | 0x10);
    CHECK(f->far_el1 == 0x1234 && f->elr_el1 == CODE && f->spsr_el1 == 0 && x_of(w)[7] == 42);
    f->pstate = ARM64_PSTATE_EL1H;
    device.refuses_from = 0;                                    /* a device that refuses */
    fault_at(w, 0, DEVICE, DEVICE, ACCESS_READ, iss);
    CHECK(was_aborted(w) && x_of(w)[7] == 42);
    CHECK_EQ_U64(f->esr_el1, (uint64_t)ARM64_EC_DATA_ABORT_SAME << 26 | 1 << 25 | 0x10);
    device.refuses_from = UINT64_MAX;
    fault_at(w, 0, DEVICE + 2, DEVICE + 2, ACCESS_READ, iss);   /* misaligned */
    CHECK(was_aborted(w));
    world_end(w);
}

TEST(arm64_fetch_from_a_device_is_an_external_abort)
{
    struct world *w = start();
    const struct hw_exit x = { .kind = HW_EXIT_MEMORY, .gpa = { DEVICE }, .how = ACCESS_EXECUTE };
    struct vm_error error = VM_SUCCESS;
    frame_of(w)->far = w->v[0].regs.pc = DEVICE;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &x, &error), EXEC_CONTINUE);
    CHECK_EQ_U64(frame_of(w)->esr_el1, (uint64_t)ARM64_EC_INSN_ABORT_SAME << 26 | 1 << 25 | 0x10);
    CHECK(frame_of(w)->far_el1 == DEVICE && frame_of(w)->elr_el1 == DEVICE && device.accesses == 0);
    world_end(w);
}

TEST(arm64_cache_maintenance_where_no_memory_is_does_nothing)
{
    struct world *w = start();
    fault_at(w, 0xd50b7e20, DEVICE, DEVICE, ACCESS_READ, 1 << 8 | 1 << 6);         /* dc civac, x0: CM */
    CHECK(went_on(w) && device.accesses == 0);
    fault_at(w, 0xd50b7e20, DEVICE, DEVICE, ACCESS_READ, 1 << 8 | 1 << 7);         /* but its walk went there */
    CHECK(was_aborted(w));
    world_end(w);
}

TEST(arm64_walk_that_leads_to_a_device_is_an_external_abort)
{
    struct world *w = start();
    fault_at(w, 0, RAM, DEVICE, ACCESS_READ, 1 << 7 | 1ull << 24 | 3ull << 22);
    CHECK(was_aborted(w) && device.accesses == 0);
    world_end(w);
}

TEST(arm64_pairs_are_read_from_the_instruction)
{
    struct world *w = start();
    x_of(w)[2] = DEVICE;
    run(w, 0xa9400440, DEVICE, ACCESS_READ);                    /* ldp x0, x1, [x2] */
    CHECK(went_on(w) && x_of(w)[0] == word(0) && x_of(w)[1] == word(1) && x_of(w)[2] == DEVICE);
    run(w, 0x29410440, DEVICE + 8, ACCESS_READ);                /* ldp w0, w1, [x2, #8] */
    CHECK(x_of(w)[0] == (uint32_t)word(1) && x_of(w)[1] == (uint32_t)(word(1) >> 32));
    run(w, 0x69410440, DEVICE + 8, ACCESS_READ);                /* ldpsw x0, x1, [x2, #8] */
    CHECK(x_of(w)[0] == (uint64_t)(int64_t)(int32_t)word(1) && x_of(w)[1] == (uint64_t)(int64_t)(int32_t)(word(1) >> 32));
    x_of(w)[0] = 0x1111111111111111, x_of(w)[1] = 0x2222222222222222;
    run(w, 0xa9010440, DEVICE + 16, ACCESS_WRITE);              /* stp x0, x1, [x2, #16] */
    CHECK(device.word[2] == 0x1111111111111111 && device.word[3] == 0x2222222222222222);
    run(w, 0x29007c40, DEVICE, ACCESS_WRITE);                   /* stp w0, wzr, [x2] */
    CHECK_EQ_U64(device.word[0], 0x11111111);
    x_of(w)[2] = DEVICE + 16;
    run(w, 0xa8c10440, DEVICE + 16, ACCESS_READ);               /* ldp x0, x1, [x2], #16 */
    CHECK(x_of(w)[0] == 0x1111111111111111 && x_of(w)[2] == DEVICE + 32);
    run(w, 0xa9bf0440, DEVICE + 16, ACCESS_WRITE);              /* stp x0, x1, [x2, #-16]! */
    CHECK(x_of(w)[2] == DEVICE + 16 && went_on(w));
    run(w, 0xa8400440, DEVICE + 16, ACCESS_READ);               /* ldnp x0, x1, [x2] */
    CHECK(x_of(w)[2] == DEVICE + 16 && x_of(w)[1] == 0x2222222222222222);
    world_end(w);
}

TEST(arm64_pre_and_post_indexed_forms_write_the_base_back)
{
    struct world *w = start();
    x_of(w)[2] = DEVICE + 8;
    run(w, 0xf8408440, DEVICE + 8, ACCESS_READ);                /* ldr x0, [x2], #8 */
    CHECK(x_of(w)[0] == word(1) && x_of(w)[2] == DEVICE + 16);
    run(w, 0xb85f8c40, DEVICE + 8, ACCESS_READ);                /* ldr w0, [x2, #-8]! */
    CHECK(x_of(w)[0] == (uint32_t)word(1) && x_of(w)[2] == DEVICE + 8);
    run(w, 0x38c01440, DEVICE + 8, ACCESS_READ);                /* ldrsb w0, [x2], #1 */
    CHECK(x_of(w)[0] == 0xffffff81 && x_of(w)[2] == DEVICE + 9);
    run(w, 0x38801440, DEVICE + 9, ACCESS_READ);                /* ldrsb x0, [x2], #1 */
    CHECK(x_of(w)[0] == 0xffffffffffffff91 && x_of(w)[2] == DEVICE + 10);
    run(w, 0x78802440, DEVICE + 10, ACCESS_READ);               /* ldrsh x0, [x2], #2 */
    CHECK(x_of(w)[0] == 0xffffffffffffb1a1 && x_of(w)[2] == DEVICE + 12);
    run(w, 0xb8804440, DEVICE + 12, ACCESS_READ);               /* ldrsw x0, [x2], #4 */
    CHECK(x_of(w)[0] == 0xfffffffff1e1d1c1 && x_of(w)[2] == DEVICE + 16);
    x_of(w)[0] = 0xaabbccdd;
    run(w, 0x38001c40, DEVICE + 17, ACCESS_WRITE);              /* strb w0, [x2, #1]! */
    CHECK(x_of(w)[2] == DEVICE + 17 && device.word[2] == ((word(2) & ~0xff00ull) | 0xdd00));
    run(w, 0xf8007440, DEVICE + 17, ACCESS_WRITE);              /* str x0, [x2], #7: misaligned, so refused */
    CHECK(was_aborted(w) && x_of(w)[2] == DEVICE + 17);
    run(w, 0xf8407040, DEVICE + 24, ACCESS_READ);               /* ldur x0, [x2, #7] */
    CHECK(went_on(w) && x_of(w)[0] == word(3) && x_of(w)[2] == DEVICE + 17);
    x_of(w)[2] = DEVICE;
    run(w, 0xf9400c40, DEVICE + 24, ACCESS_READ);               /* ldr x0, [x2, #24] */
    CHECK(x_of(w)[0] == word(3) && x_of(w)[2] == DEVICE);
    x_of(w)[3] = 3;
    run(w, 0xf8637840, DEVICE + 24, ACCESS_READ);               /* ldr x0, [x2, x3, lsl #3] */
    CHECK(x_of(w)[0] == word(3) && went_on(w));
    world_end(w);
}

TEST(arm64_base_may_be_the_stack_pointer_of_the_level)
{
    static const struct { uint64_t pstate; bool is_el1s; } rows[] = { { 5, true }, { 4, false }, { 0, false } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        struct world *w = start();
        struct arm64_frame *f = frame_of(w);
        f->pstate = rows[i].pstate;
        f->sp_el1 = rows[i].is_el1s ? DEVICE : 1;
        f->sp_el0 = rows[i].is_el1s ? 1 : DEVICE;
        run(w, 0xf84087e0, DEVICE, ACCESS_READ);                /* ldr x0, [sp], #8 */
        CHECK(went_on(w) && x_of(w)[0] == word(0));
        CHECK(f->sp_el1 == (rows[i].is_el1s ? DEVICE + 8 : 1) && f->sp_el0 == (rows[i].is_el1s ? 1 : DEVICE + 8));
        world_end(w);
    }
}

TEST(arm64_device_that_refuses_leaves_every_register)
{
    struct world *w = start();
    x_of(w)[0] = 5, x_of(w)[1] = 6, x_of(w)[2] = DEVICE;
    device.refuses_from = 8;
    run(w, 0xa8c10440, DEVICE, ACCESS_READ);                    /* ldp x0, x1, [x2], #16: the second half */
    CHECK(was_aborted(w) && x_of(w)[0] == 5 && x_of(w)[1] == 6 && x_of(w)[2] == DEVICE);
    run(w, 0xa9400842, DEVICE, ACCESS_READ);                    /* ldp x2, x2, [x2] */
    CHECK(was_aborted(w) && x_of(w)[2] == DEVICE);
    device.refuses_from = 0;
    run(w, 0xf8408440, DEVICE, ACCESS_READ);                    /* ldr x0, [x2], #8 */
    CHECK(was_aborted(w) && x_of(w)[0] == 5 && x_of(w)[2] == DEVICE);
    run(w, 0xf8008440, DEVICE, ACCESS_WRITE);
    CHECK(was_aborted(w) && x_of(w)[2] == DEVICE && frame_of(w)->esr_el1 & 1 << 6);
    world_end(w);
}

TEST(arm64_what_does_not_reach_devices_is_an_external_abort)
{
    static const uint32_t others[] = { 0x3dc00040 /* ldr q0, [x2] */, 0xad400440 /* ldp q0, q1, [x2] */, 0xc85f7c40 /* ldxr x0, [x2] */, 0xf8200041 /* ldadd x0, x1, [x2] */,
                                       0xd503201f /* nop */, 0, 0xffffffff };
    struct world *w = start();
    x_of(w)[2] = DEVICE;
    for (unsigned i = 0; i < ARRAY_COUNT(others); i++) {
        run(w, others[i], DEVICE, ACCESS_READ);
        CHECK(was_aborted(w));
    }
    x_of(w)[2] = DEVICE + 0xff8;
    run(w, 0xa9400440, DEVICE + 0xff8, ACCESS_READ);            /* a pair that runs into the next page */
    CHECK(was_aborted(w));
    fault_at(w, 0xa9400440, DEVICE, DEVICE, ACCESS_READ, 0);    /* or whose second half came from there */
    CHECK(was_aborted(w));
    CHECK_EQ_U64(device.accesses, 0);
    w->v[0].regs.pc = DEVICE;                                   /* code that cannot be read */
    world_end(w);
}

TEST(arm64_stores_to_rom_are_lost)
{
    static uint8_t firmware[4096];
    const struct machine_config c = { .memory_size = MEMORY, .vcpu_count = 1, .firmware = { firmware, sizeof firmware } };
    struct world *w = world_start(3, &c);
    uint32_t got = 1;
    x_of(w)[7] = 42;
    fault_at(w, 0, 0x100, 0x100, ACCESS_WRITE, 1ull << 24 | 2ull << 22 | 7ull << 16);
    CHECK(went_on(w));
    CHECK(!vm_failed(gmem_read_bulk(&w->gmem, guest_phys_addr_make(0x100), &got, 4)) && got == 0);
    world_end(w);
}

/* ---- exceptions ---- */
TEST(arm64_exceptions_enter_by_the_vector_of_where_they_come_from)
{
    static const struct { uint64_t pstate, offset; } rows[] = { { 5, 0x200 }, { 4, 0x000 }, { 0, 0x400 }, { 0x10, 0x600 }, { 0x1f, 0x600 } };
    struct world *w = start();
    struct arm64_frame *f = frame_of(w);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        f->pstate = rows[i].pstate | 9ull << 28;
        w->v[0].regs.pc = 0x1234;
        arm64_undefined(&w->v[0]);
        CHECK_EQ_U64(w->v[0].regs.pc, f->vbar_el1 + rows[i].offset);
        CHECK(f->spsr_el1 == (rows[i].pstate | 9ull << 28) && f->elr_el1 == 0x1234 && f->esr_el1 == 1 << 25);
        CHECK_EQ_U64(f->pstate & 0x3ff, 0x3c5);
    }
    world_end(w);
}

TEST(arm64_exceptions_set_pan_and_ssbs_as_sctlr_says_if_the_cpu_has_them)
{
    struct world *w = start();
    struct arm64_frame *f = frame_of(w);
    for (unsigned n = 0; n < 16; n++) {
        bool has_pan = n & 1, span = n & 2, has_ssbs = n & 4, dssbs = n & 8;
        world_ids[7][1] = has_pan ? 2 << 20 : 0;
        world_ids[4][1] = has_ssbs ? 1 << 4 : 0;
        f->sctlr_el1 = (span ? 1 << 23 : 0) | (dssbs ? 1ull << 44 : 0);
        f->pstate = ARM64_PSTATE_EL1H | ARM64_PSTATE_SSBS;
        arm64_undefined(&w->v[0]);
        CHECK_EQ_U64((f->pstate & ARM64_PSTATE_PAN) != 0, has_pan && !span);
        CHECK_EQ_U64((f->pstate & ARM64_PSTATE_SSBS) != 0, has_ssbs && dssbs);
    }
    f->sctlr_el1 = 1 << 23;
    f->pstate = ARM64_PSTATE_EL1H | ARM64_PSTATE_PAN | ARM64_PSTATE_DIT;
    arm64_undefined(&w->v[0]);
    CHECK_EQ_U64(f->pstate & (ARM64_PSTATE_PAN | ARM64_PSTATE_DIT), ARM64_PSTATE_PAN | ARM64_PSTATE_DIT);
    world_end(w);
}
