// SPDX-License-Identifier: Apache-2.0
/* A vCPU whose guest ISA is the IR itself: every instruction is 4 bytes long, and lifting it calls the test's function.
 * Guest memory: RIG_DATA is 8 KiB of RAM, the page behind it is nobody's. Blocks run on the real interpreter, found by a
 * mode of their own, so that none is taken for another. No handler: a fault comes out as it is. */
#pragma once
#include "test/unit/engine.h"
#include "test/unit/toy_mmu.h"

#define RIG_CODE 0x1000ull
#define RIG_DATA 0x8000ull
#define RIG_DATA_BYTES 8192u
#define RIG_NOTHING (RIG_DATA + RIG_DATA_BYTES)

typedef enum lift_next rig_lift_fn(struct ir_block *b, const struct insn *i, void *arg);
struct rig { struct toy toy; struct vcpu v; rig_lift_fn *lift; void *arg; struct ir_block seen; };
static struct rig rig;

static inline bool rig_decode(const uint8_t *bytes, unsigned avail, guest_addr pc, uint32_t mode, struct insn *out, struct fault *why)
{
    (void)bytes, (void)mode;
    if (avail < 4) {
        why->kind = FAULT_NONE;
        return false;
    }
    *out = (struct insn){ .pc = pc, .size_bytes = 4 };
    return true;
}
static inline enum lift_next rig_lift(struct ir_block *b, const struct insn *i, uint32_t mode) { (void)mode; return rig.lift(b, i, rig.arg); }
static inline bool rig_walk(struct mmu *m, guest_addr at, enum access_type how, unsigned context, struct translation *out, struct fault *why)
{
    (void)m;
    return toy_walk_tables(&rig.toy, 0, at, how, context, out, why);
}
static inline bool rig_take_fault(struct vcpu *v, const struct fault *f) { (void)v, (void)f; return false; }
static inline bool rig_has_irq(struct vcpu *v)                           { (void)v; return false; }

/* Slots that programs use as integers and as floating point, in either file of host registers and in neither. */
static const uint8_t RIG_HOT[] = { 0, 2, 4, 6, 8, 10, 20, 24, 0xff }, RIG_HOT_FP[] = { 1, 3, 5, 7, 0xff };
static const struct isa_ops RIG_ISA = { .arch = GUEST_RISCV64, .name = "rig", .insn_align_bytes = 4, .insn_max_bytes = 4, .decode_insn = rig_decode,
                                        .hot_slots = RIG_HOT, .hot_fp_slots = RIG_HOT_FP,
                                        .lift = rig_lift, .walk = rig_walk, .take_fault = rig_take_fault, .has_irq = rig_has_irq };

/* Once for the whole program; the vCPU's memory stays. */
static inline void rig_start(rig_lift_fn *lift, void *arg)
{
    static bool is_up;
    rig.lift = lift;
    rig.arg = arg;
    if (is_up) return;
    is_up = true;
    toy_start(&rig.toy);
    for (uint64_t page = RIG_CODE; page < RIG_NOTHING; page += 4096) (void)toy_map(&rig.toy, 0, page, TOY_RAM + page);
    rig.v.isa = &RIG_ISA;
    rig.v.engine = &TEST_ENGINE;
    rig.v.deadline_ns = UINT64_MAX;
    CHECK(!vm_failed(mmu_init(&rig.v.mmu, &rig.toy.gmem, &rig.toy.bus, rig_walk, &rig.v)));
    rig.v.mmu.code_changed = NULL;
    CHECK(!vm_failed(TEST_ENGINE.vcpu_init(&rig.v)));
}

static inline uint8_t *rig_data(void) { return gmem_slice(&rig.toy.gmem, guest_phys_addr_make(TOY_RAM + RIG_DATA), RIG_DATA_BYTES, ACCESS_WRITE); }

/* A new program: nothing translated before is found again. */
static inline void rig_new(void)
{
    rig.v.regs.mode++;
    rig.v.regs.pc = RIG_CODE;
    rig.v.reservation.size_bytes = 0;
}
/* One block (or what the interpreter made of it: call again while pc is inside). */
static inline struct exec_result rig_run(void) { return TEST_ENGINE.run(&rig.v, 1); }
