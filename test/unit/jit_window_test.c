// SPDX-License-Identifier: Apache-2.0
/* Accesses by one base share a window of guest memory: at every place around the edge of a page, and where the next page is nobody's,
 * with the TLB cold and warm, they do what each of them would have done alone, and the first that may not be done faults. */
#include "test/unit/ir_model.h"
#include "test/unit/ir_rig.h"

enum { BASE = 20, ACCESSES = 6 };
static const struct { uint8_t bytes_log2, slot; bool is_store; int16_t offset; } accesses[ACCESSES] = {
    { 3, 8, false, 8 }, { 2, 9, true, 20 }, { 1, 10, false, -6 }, { 3, 11, true, 32 }, { 0, 2, false, 40 }, { 2, 4, false, 22 },
};

static enum lift_next lift(struct ir_block *b, const struct insn *i, void *arg)
{
    (void)i, (void)arg;
    for (unsigned n = 0; n < ACCESSES; n++) {
        ir_ref at = ir_bin(b, IR_ADD, IR_I64, ir_get(b, IR_I64, BASE), ir_const(b, IR_I64, (uint64_t)accesses[n].offset));
        enum ir_type t = accesses[n].bytes_log2 == 3 ? IR_I64 : IR_I32;
        if (accesses[n].is_store) ir_store(b, at, t == IR_I64 ? ir_get(b, t, accesses[n].slot) : ir_un(b, IR_TRUNC, t, ir_get(b, IR_I64, accesses[n].slot)), accesses[n].bytes_log2);
        else ir_set(b, accesses[n].slot, ir_load(b, IR_I64, at, accesses[n].bytes_log2));
    }
    ir_set(b, BASE, ir_bin(b, IR_ADD, IR_I64, ir_get(b, IR_I64, BASE), ir_const(b, IR_I64, 8)));
    ir_set(b, 12, ir_load(b, IR_I64, ir_bin(b, IR_ADD, IR_I64, ir_get(b, IR_I64, BASE), ir_const(b, IR_I64, 4)), MEM_32));
    ir_end(b, (struct ir_end){ .kind = IR_END_JUMP, .value = IR_NONE, .taken = { 0x2000 } });
    return LIFT_END;
}

/* The same in C: false where the n-th access faults. */
static bool model(uint64_t slot[32], uint8_t *data, unsigned *done)
{
    for (unsigned n = 0; n <= ACCESSES; n++) {
        bool is_last = n == ACCESSES;
        unsigned bytes = is_last ? 4 : 1u << accesses[n].bytes_log2, to = is_last ? 12 : accesses[n].slot;
        uint64_t at = slot[BASE] + (uint64_t)(is_last ? 4 : accesses[n].offset) - RIG_DATA, v = 0;
        *done = n;
        if (at + bytes > RIG_DATA_BYTES) return false;
        if (!is_last && accesses[n].is_store) {
            memcpy(data + at, &slot[to], bytes);
        } else {
            memcpy(&v, data + at, bytes);
            slot[to] = v;
        }
        if (n == ACCESSES - 1) slot[BASE] += 8;
    }
    return true;
}

static void check_at(uint64_t base, bool is_cold)
{
    static uint8_t data[RIG_DATA_BYTES];
    uint64_t slot[32];
    unsigned done;
    for (unsigned n = 0; n < 32; n++) slot[n] = rig.v.regs.slot[n] = 0x0123456789abcdefu * (n + 3) ^ base;
    slot[BASE] = rig.v.regs.slot[BASE] = base;
    for (unsigned n = 0; n < RIG_DATA_BYTES; n++) data[n] = rig_data()[n] = (uint8_t)(n * 7 + n / 251);
    if (is_cold) mmu_flush_tlb(&rig.v.mmu);
    rig.v.regs.pc = RIG_CODE;
    bool goes = model(slot, data, &done);
    struct exec_result r = rig_run();
    CHECK_EQ_U64(r.status, goes ? EXEC_CONTINUE : EXEC_FAULT);
    CHECK_EQ_U64(r.stats.mem_accesses, goes ? ACCESSES + 1 : done);
    CHECK(!memcmp(data, rig_data(), RIG_DATA_BYTES));
    for (unsigned n = 0; n < 32; n++) CHECK_EQ_U64(rig.v.regs.slot[n], slot[n]);
}

TEST(accesses_that_share_a_window_do_what_each_would_have_done_alone)
{
    rig_start(lift, NULL);
    rig_new();
    for (uint64_t edge = RIG_DATA + 4096; edge <= RIG_NOTHING; edge += 4096) {
        for (unsigned n = 0; n < 2 * 64; n++) check_at(edge - 56 + n / 2, !(n & 1));
    }
}
