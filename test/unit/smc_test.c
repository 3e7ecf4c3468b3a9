// SPDX-License-Identifier: Apache-2.0
/* Code that changes under the engine: by the guest itself, by a device, through the API; and reservations that such writes
 * break. Architecture: unprivileged manual, Zifencei. */
#include "test/unit/guest.h"

static struct guest g;
static struct vcpu *const v = &g.v[0];
#define X(n) v->regs.slot[n]
static void run(uint64_t budget) { CHECK(v->engine->run(v, budget).status == EXEC_CONTINUE); }
static void at_start(void)       { vcpu_set_pc(v, guest_addr_make(GUEST_CODE)); }

static struct vm_error write_1(const uint32_t *w)    { return mmu_write(&v->mmu, guest_addr_make(GUEST_CODE), 4, *w); }
static struct vm_error write_bulk(const uint32_t *w) { return mmu_write_bulk(&v->mmu, guest_addr_make(GUEST_CODE), w, 4); }

TEST(R121_code_written_through_the_api_is_the_code_that_runs_next)
{
    struct vm_error (*const write[])(const uint32_t *) = { write_1, write_bulk };
    for (unsigned i = 0; i < 2; i++) {
        guest_start(&g, 1);
        GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), rv_j(-4));
        run(200);                                                    /* known, linked to itself, in the jump cache */
        uint64_t before = X(A0);
        uint32_t word = rv_addi(A1, A1, 1);
        CHECK(!vm_failed(write[i](&word)));
        run(200);
        CHECK(X(A0) == before && X(A1) == 100);
        guest_end(&g);
    }
}

TEST(R121_a_bulk_write_over_pages_of_code_changes_all_of_it)
{
    guest_start(&g, 1);
    static uint32_t code[2048 + 1];
    for (unsigned n = 0; n < 2; n++) {                               /* two pages of additions */
        for (unsigned i = 0; i < 2048; i++) code[i] = rv_addi(n ? A1 : A0, n ? A1 : A0, 1);
        code[2048] = rv_j(0);
        CHECK(!vm_failed(mmu_write_bulk(&v->mmu, guest_addr_make(GUEST_CODE), code, sizeof code)));
        at_start();
        run(2049);
    }
    CHECK(X(A0) == 2048 && X(A1) == 2048);
    guest_end(&g);
}

TEST(R121_a_bulk_write_breaks_a_reservation_even_when_it_writes_the_same)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_lr_d(A0, A2), rv_sc_d(A1, A3, A2), rv_j(0));
    X(A2) = GUEST_DATA, X(A3) = 9;
    static const struct { uint64_t offset; bool breaks; } rows[] = { { 0, true }, { 7, true }, { 8, false }, { 0x4000, false } };
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        guest_poke(&g, GUEST_DATA, 5);
        at_start();
        (void)v->engine->execute_instruction(v);
        uint8_t same = 0;
        CHECK(!vm_failed(mmu_read_bulk(&v->mmu, guest_addr_make(GUEST_DATA + rows[i].offset), &same, 1)));
        CHECK(!vm_failed(mmu_write_bulk(&v->mmu, guest_addr_make(GUEST_DATA + rows[i].offset), &same, 1)));
        (void)v->engine->execute_instruction(v);
        CHECK(X(A0) == 5 && X(A1) == rows[i].breaks);
        CHECK_EQ_U64(guest_peek(&g, GUEST_DATA), rows[i].breaks ? 5 : 9);
    }
    guest_end(&g);
}

TEST(R121_a_guests_own_store_to_code_is_seen_behind_fence_i)
{
    guest_start(&g, 1);
    /* a function in another page and one in the same page are patched in each round: count becomes the addend */
    GUEST_LOAD(&g, GUEST_CODE, rv_sw(A1, A2, 0), rv_sw(A1, A3, 0), rv_fence_i(), rv_jal(RA, 0x1000 - 12), rv_jal(RA, 0x100 - 16), rv_j(-20));
    GUEST_LOAD(&g, GUEST_CODE + 0x1000, rv_nop(), rv_ret());
    GUEST_LOAD(&g, GUEST_CODE + 0x100, rv_nop(), rv_ret());
    X(A2) = GUEST_CODE + 0x1000, X(A3) = GUEST_CODE + 0x100;
    uint64_t sum = 0;
    for (unsigned i = 0; i < 50; i++) {
        X(A1) = rv_addi(A0, A0, (int32_t)i);
        run(10);
        sum += 2 * i;
        CHECK_EQ_U64(X(A0), sum);
        CHECK_EQ_U64(v->regs.pc, GUEST_CODE);
    }
    guest_end(&g);
}

/* A store ahead of pc, in the block that is running: behind a fence the new instruction, without one either of the two, and nothing else. */
TEST(R121_a_store_into_its_own_block_is_seen_behind_fence_i)
{
    for (unsigned fenced = 0; fenced < 2; fenced++) {
        guest_start(&g, 1);
        GUEST_LOAD(&g, GUEST_CODE, rv_sw(A1, A2, 0), fenced ? rv_fence_i() : rv_nop(), rv_nop(), rv_addi(A0, ZERO, 0), rv_j(-16));
        X(A2) = GUEST_CODE + 12;
        for (unsigned i = 1; i < 50; i++) {
            uint64_t before = X(A0);
            X(A1) = rv_addi(A0, ZERO, (int32_t)i);
            run(5);
            CHECK(X(A0) == i || (!fenced && X(A0) == (i == 1 ? 0 : before)));
            CHECK_EQ_U64(v->regs.pc, GUEST_CODE);
        }
        guest_end(&g);
    }
}

TEST(R121_an_instruction_across_pages_is_seen_when_either_half_changes)
{
    guest_start(&g, 1);
    const uint64_t at = GUEST_CODE + 0xffe;
    GUEST_LOAD(&g, at + 4, rv_fence_i(), rv_j(-8));
    for (unsigned i = 1; i < 40; i++) {
        uint32_t word = i & 1 ? rv_addi(A0, ZERO, (int32_t)i) : rv_addi((i & 2) ? A0 : A1, ZERO, (int32_t)i - 1);     /* upper half; lower half */
        CHECK(!vm_failed(gmem_write_bulk(&g.gmem, guest_phys_addr_make(at), &word, 4)));
        vcpu_set_pc(v, guest_addr_make(at + 4));
        X(A0) = X(A1) = 0;
        run(3);
        CHECK_EQ_U64(X(i & 1 || i & 2 ? A0 : A1), i & 1 ? i : i - 1);
    }
    guest_end(&g);
}

TEST(an_illegal_instruction_made_legal_by_its_upper_half_is_seen_behind_fence_i)
{
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_fence_i(), 0xf0c58533, rv_j(0));   /* no such function code ... */
    X(A1) = 40, X(A2) = 2;
    run(3);
    CHECK_EQ_U64(v->regs.pc, GUEST_HANDLER);
    uint32_t word = rv_add(A0, A1, A2);                              /* ... and the same lower 16 bits */
    CHECK_EQ_U64(word & 0xffff, 0x8533);
    CHECK(!vm_failed(gmem_write_bulk(&g.gmem, guest_phys_addr_make(GUEST_CODE + 4), &word, 4)));
    at_start();
    run(3);
    CHECK_EQ_U64(X(A0), 42);
    guest_end(&g);
}

/* A disk of a kind: a store of an address makes it write an instruction there. */
static struct vm_error dma_write(void *dev, uint64_t offset, unsigned size_bytes, uint64_t value)
{
    uint32_t *next = dev, word = rv_addi(A0, A0, (int32_t)(*next)++);
    (void)offset, (void)size_bytes;
    return gmem_write_bulk(&g.gmem, guest_phys_addr_make(value), &word, 4);
}
static const struct mmio_ops DMA = { "dma", guest_power_read, dma_write, NULL, NULL, NULL };

TEST(R121_code_brought_by_a_device_runs_behind_fence_i)
{
    uint32_t next = 1;
    guest_start(&g, 1);
    CHECK(!vm_failed(mmu_map_mmio(&g.bus, &(struct mmio_region){ .base = { 0x9000000 }, .size_bytes = 4096, .min_access_bytes = 1,
                                                                  .max_access_bytes = 8, .ops = &DMA, .dev = &next })));
    GUEST_LOAD(&g, GUEST_CODE, rv_sd(A2, A3, 0), rv_fence_i(), rv_jal(RA, 0x2000 - 8), rv_j(-12));
    GUEST_LOAD(&g, GUEST_CODE + 0x2000, rv_nop(), rv_ret());
    X(A2) = GUEST_CODE + 0x2000, X(A3) = 0x9000000;
    for (uint64_t i = 1, sum = 0; i <= 40; i++) {
        run(6);
        CHECK_EQ_U64(X(A0), sum += i);
    }
    guest_end(&g);
}

TEST(R60_code_memory_is_bounded_and_running_out_of_it_changes_nothing)
{
    enum { FUNCTIONS = 20000 };                                      /* of 2 instructions, each a block: many times round */
    static uint32_t code[2 * FUNCTIONS + 1];
    guest_start(&g, 1);
    for (unsigned i = 0; i < FUNCTIONS; i++) code[2 * i] = rv_addi(A0, A0, 1), code[2 * i + 1] = rv_j(4);
    code[2 * FUNCTIONS] = rv_fence_i();
    guest_load(&g, GUEST_CODE, code, ARRAY_COUNT(code));
    GUEST_LOAD(&g, GUEST_CODE + sizeof code, rv_lui(A1, GUEST_CODE >> 12), rv_slli(A1, A1, 32), rv_i(0x13, 5, A1, A1, 32), rv_jalr(ZERO, A1, 0));
    uint64_t used = page_available();
    run(4 * (2 * FUNCTIONS + 5));
    CHECK_EQ_U64(X(A0), 4 * FUNCTIONS);
    CHECK_EQ_U64(page_available(), used);
    guest_end(&g);
}

TEST(a_lifted_block_keeps_the_very_bytes_that_it_was_made_from)
{
    static struct ir_block block;
    guest_phys_addr gpa;
    struct fault why;
    guest_start(&g, 1);
    GUEST_LOAD(&g, GUEST_CODE, rv_addi(A0, A0, 1), 0x05050505, rv_j(-8));        /* the second: c.addi a0,1, twice */
    const uint32_t want[] = { rv_addi(A0, A0, 1), 0x05050505, rv_j(-8) };
    CHECK(lift_block(v, guest_addr_make(GUEST_CODE), 64, &block, &gpa, &why));
    CHECK(block.guest_bytes == 12 && !memcmp(block.source, want, 12) && gpa.v == GUEST_CODE);
    GUEST_LOAD(&g, GUEST_CODE, 0xffffffff);
    CHECK(lift_block(v, guest_addr_make(GUEST_CODE), 64, &block, &gpa, &why));
    CHECK(block.guest_bytes == 4 && !memcmp(block.source, "\xff\xff\xff\xff", 4) && gpa.v == GUEST_CODE);
    guest_end(&g);
}
