// SPDX-License-Identifier: Apache-2.0
/* riscv64 as the engines see it: the ops table, and how bytes become one instruction (unprivileged manual 1.5). */
#include "hv/isa/riscv64/state.h"
#include "riscv64_decode.h"

/* Lengths: 16 bits unless the low two are set, then 32; longer forms are reserved and illegal. */
static bool decode(const uint8_t *bytes, unsigned avail_bytes, guest_addr pc, uint32_t mode, struct insn *out, struct fault *why)
{
    (void)mode;
    why->kind = FAULT_NONE;
    if (avail_bytes < 2) {
        return false;
    }
    out->pc = pc;
    out->bits = load_le16(bytes);
    out->size_bytes = (out->bits & 3) == 3 ? 4 : 2;
    if (out->size_bytes == 4) {
        if (avail_bytes < 4) {
            return false;
        }
        out->bits = load_le32(bytes);
    }
    if (riscv64_decode(out->bits, out->size_bytes, out)) {
        return true;
    }
    *why = fault_invalid_opcode(pc, out->bits);
    return false;
}

static int disasm(const struct insn *i, char *out, size_t cap_bytes)
{
    return decode_table_print(&riscv64_table, i, out, cap_bytes);
}

/* What compilers use most: a5 a4 a0 sp a3 s0 a2 s1 a1 ra, then the rest of arguments and temporaries. */
static const uint8_t hot[] = { 15, 14, 10, 2, 13, 8, 12, 9, 11, 1, 16, 17, 18, 6, 28, 7, 29, 5, 30, 19, 31, 20, 21, 22, 23, 0xff };
/* fa5 fa4 fa3 fa0 fa2 fa1, ft, fs */
static const uint8_t hot_fp[] = { 47, 46, 45, 42, 44, 43, 32, 33, 34, 35, 48, 49, 36, 37, 40, 41, 38, 39, 60, 61, 50, 51, 52, 53, 0xff };

const struct isa_ops RISCV64_ISA = {
    .arch = GUEST_RISCV64,
    .name = "riscv64",
    .regs = rv_regs,
    .reg_count = RV_REG_COUNT,
    .insn_align_bytes = 2,
    .insn_max_bytes = 4,
    .hot_slots = hot,
    .hot_fp_slots = hot_fp,
    .decode_insn = decode,
    .lift = rv_lift,
    .disasm = disasm,
    .walk = rv_walk,
    .reset = rv_reset,
    .take_fault = rv_take_fault,
    .has_irq = rv_has_irq,
    .take_irq = rv_take_irq,
    .wakes = rv_wakes,
    .deadline = rv_deadline,
    .reg_written = rv_reg_written,
    .peek = rv_peek,
    .rights = rv_rights,
    .irq_name = rv_irq_name,
    .privilege = rv_privilege_of,
};
