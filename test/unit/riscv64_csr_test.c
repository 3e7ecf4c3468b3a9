// SPDX-License-Identifier: Apache-2.0
/* hv/isa/riscv64/csr.c: access rules, WARL fields, views, counters, and the register table. */
#include "test/unit/riscv64_hart.h"

static struct hart h;

TEST(riscv64_reset_state_is_machine_mode_without_translation)
{
    hart_start(&h, true);
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_M);
    CHECK_EQ_U64(csr_get(&h, MSTATUS), RV_UXL | RV_SXL);
    CHECK_EQ_U64(csr_get(&h, MISA), 0x800000000014112dull);             /* RV64 ACDFIMSU */
    CHECK_EQ_U64(csr_get(&h, SATP), 0);
    CHECK_EQ_U64(csr_get(&h, MIE), 0);
    h.v.id = 3;
    CHECK_EQ_U64(csr_get(&h, MHARTID), 3);
    hart_end(&h);
}

TEST(R80_a_csr_above_the_privilege_is_illegal)
{
    hart_start(&h, true);
    hart_privilege(&h, RV_S);
    CHECK(!csr_may_read(&h, MSTATUS));
    CHECK(!csr_may_read(&h, PMPADDR0));
    CHECK(csr_may_read(&h, SSTATUS));
    hart_privilege(&h, RV_U);
    CHECK(!csr_may_read(&h, SSTATUS));
    CHECK(!csr_may_read(&h, CYCLE));
    hart_end(&h);
}

TEST(unknown_csrs_and_writes_to_read_only_ones_are_illegal)
{
    hart_start(&h, true);
    CHECK(!csr_may_read(&h, 0x7c0));
    CHECK(!csr_may_read(&h, 0x3a1));                                    /* odd pmpcfg do not exist on RV64 */
    CHECK(!csr_may_read(&h, 0x3c0));                                    /* pmpaddr16 */
    CHECK(!csr_may_read(&h, 0x200));
    CHECK(csr_may_read(&h, MHARTID));
    CHECK(!csr_may_write(&h, MHARTID, 0));
    CHECK(!hart_csr(&h, 2, CYCLE, 0, true, NULL));                      /* csrrs with a register writes, whatever it holds */
    hart_end(&h);
}

TEST(machine_csrs_hold_only_lawful_values)
{
    hart_start(&h, true);
    csr_put(&h, MSTATUS, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MSTATUS), RV_SD | RV_UXL | RV_SXL | 0x7e79aa);
    csr_put(&h, MSTATUS, 1ull << RV_MPP_SHIFT);
    csr_put(&h, MSTATUS, 2ull << RV_MPP_SHIFT);                         /* no such privilege: MPP keeps its value */
    CHECK_EQ_U64(csr_get(&h, MSTATUS) & RV_MPP, 1ull << RV_MPP_SHIFT);
    csr_put(&h, MTVEC, 0x1001);
    csr_put(&h, MTVEC, 0x2002);
    CHECK_EQ_U64(csr_get(&h, MTVEC), 0x1001);
    csr_put(&h, MEPC, 0x1003);
    CHECK_EQ_U64(csr_get(&h, MEPC), 0x1002);
    csr_put(&h, MEDELEG, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MEDELEG), 0xb3ff);
    csr_put(&h, MIDELEG, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MIDELEG), 0x222);
    csr_put(&h, MIE, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MIE), 0xaaa);
    csr_put(&h, MISA, 0);
    CHECK_EQ_U64(csr_get(&h, MISA), 0x800000000014112dull);
    csr_put(&h, MCOUNTEREN, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MCOUNTEREN), 0xffffffff);
    hart_end(&h);
}

TEST(satp_with_an_unknown_mode_changes_nothing)
{
    hart_start(&h, true);
    uint64_t sv48 = 9ull << 60 | 0xabcdull << 44 | 0x80000;
    csr_put(&h, SATP, sv48);
    CHECK_EQ_U64(csr_get(&h, SATP), sv48);
    CHECK_EQ_U64(h.v.mmu.asid, 0xabcd);
    csr_put(&h, SATP, 1ull << 60);
    CHECK_EQ_U64(csr_get(&h, SATP), sv48);
    csr_put(&h, SATP, 11ull << 60);
    CHECK_EQ_U64(csr_get(&h, SATP), sv48);
    hart_end(&h);
}

TEST(sstatus_sie_and_sip_are_views_of_the_machine_csrs)
{
    hart_start(&h, true);
    csr_put(&h, MSTATUS, RV_MIE | RV_MPRV | RV_SUM);
    csr_put(&h, SSTATUS, RV_SIE | RV_MIE | RV_MPRV | RV_FS);            /* M's bits stay as they were */
    CHECK_EQ_U64(csr_get(&h, MSTATUS), RV_SD | RV_UXL | RV_SXL | RV_SIE | RV_MIE | RV_MPRV | RV_FS);
    CHECK_EQ_U64(csr_get(&h, SSTATUS), RV_SD | RV_UXL | RV_SIE | RV_FS);
    csr_put(&h, MIDELEG, 1u << RV_IRQ_SSI);
    csr_put(&h, SIE, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MIE), 1u << RV_IRQ_SSI);
    csr_put(&h, MIE, 0xaaa);
    CHECK_EQ_U64(csr_get(&h, SIE), 1u << RV_IRQ_SSI);
    csr_put(&h, SIP, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI);
    csr_put(&h, MIDELEG, 0);
    csr_put(&h, SIP, 0);                                                /* not delegated: out of S's reach */
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI);
    CHECK_EQ_U64(csr_get(&h, SIP), 0);
    hart_end(&h);
}

TEST(reading_the_external_pin_through_mip_never_latches_it)
{
    hart_start(&h, true);
    vcpu_set_pin(&h.v, RV_IRQ_SEI, true);
    csr_set(&h, MIP, 1u << RV_IRQ_SSI);                                 /* a read-modify-write while the pin is up */
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI | 1u << RV_IRQ_SEI);
    vcpu_set_pin(&h.v, RV_IRQ_SEI, false);
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI);
    csr_set(&h, MIP, 1u << RV_IRQ_SEI);                                 /* software's own bit stays without the pin */
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI | 1u << RV_IRQ_SEI);
    csr_clear(&h, MIP, 1u << RV_IRQ_SEI);
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI);
    csr_put(&h, MIP, ~0ull);                                            /* MSIP, MTIP, MEIP belong to the machine */
    CHECK_EQ_U64(csr_get(&h, MIP), 0x222);
    hart_end(&h);
}

TEST(writing_zero_to_ssip_takes_back_an_ipi)
{
    hart_start(&h, true);
    vcpu_set_pin(&h.v, RV_IRQ_SSI, true);
    CHECK_EQ_U64(csr_get(&h, MIP), 1u << RV_IRQ_SSI);
    csr_put(&h, MIDELEG, 0x222);
    hart_privilege(&h, RV_S);
    csr_clear(&h, SIP, 1u << RV_IRQ_SSI);
    CHECK_EQ_U64(csr_get(&h, SIP), 0);
    CHECK_EQ_U64(h.v.pins, 0);
    hart_end(&h);
}

TEST(each_level_lets_the_next_see_the_counters)
{
    static const unsigned numbers[] = { CYCLE, TIME, INSTRET, 0xc03, 0xc1f };
    hart_start(&h, true);
    for (unsigned i = 0; i < ARRAY_COUNT(numbers); i++) {
        uint64_t bit = 1ull << (numbers[i] & 31);
        for (unsigned open = 0; open < 4; open++) {
            hart_privilege(&h, RV_M);
            CHECK(csr_may_read(&h, numbers[i]));
            csr_put(&h, MCOUNTEREN, open & 1 ? bit : ~bit);
            csr_put(&h, SCOUNTEREN, open & 2 ? bit : ~bit);
            hart_privilege(&h, RV_S);
            CHECK_EQ_U64(csr_may_read(&h, numbers[i]), open & 1);
            hart_privilege(&h, RV_U);
            CHECK_EQ_U64(csr_may_read(&h, numbers[i]), open == 3);
        }
    }
    hart_end(&h);
}

TEST(instret_counts_what_is_retired_before_it_and_can_be_written)
{
    hart_start(&h, true);
    h.v.stats.executed_insns += 100;
    h.v.budget_start = 50;
    h.v.budget = 43;
    uint64_t opcode = (uint64_t)MINSTRET << 20 | 2u << 12 | 0x73u;
    CHECK_EQ_U64(RV_HELPER_CSR.run(&h.v, opcode, 0, 5), 112);
    csr_put(&h, MINSTRET, 1000);
    /* the next instruction reads what was written: the write itself is not counted */
    CHECK_EQ_U64(RV_HELPER_CSR.run(&h.v, opcode, 0, 1), 1000);
    CHECK_EQ_U64(RV_HELPER_CSR.run(&h.v, opcode, 0, 4), 1003);
    CHECK_EQ_U64(csr_get(&h, 0xb03), 0);
    csr_put(&h, 0xb03, 5);
    CHECK_EQ_U64(csr_get(&h, 0xb03), 0);
    hart_end(&h);
}

TEST(time_is_the_guests_clock)
{
    hart_start(&h, true);
    hart_time(&h, 123456);
    CHECK_EQ_U64(csr_get(&h, TIME), 123456);
    hart_end(&h);
}

TEST(R32_fcsr_holds_flags_and_rounding_and_is_illegal_while_fs_is_off)
{
    hart_start(&h, true);
    CHECK(!csr_may_read(&h, FCSR));
    CHECK(!csr_may_write(&h, FFLAGS, 1));
    csr_set(&h, MSTATUS, 1u << RV_FS_SHIFT);
    csr_put(&h, FCSR, 0x1ff);
    CHECK_EQ_U64(csr_get(&h, FCSR), 0xff);
    CHECK_EQ_U64(csr_get(&h, MSTATUS) & RV_FS, RV_FS);                  /* a write makes it dirty */
    csr_put(&h, FRM, 1);
    CHECK_EQ_U64(csr_get(&h, FCSR), 0x3f);
    csr_put(&h, FFLAGS, 0x22);
    CHECK_EQ_U64(csr_get(&h, FCSR), 0x22);
    CHECK_EQ_U64(h.v.regs.fp.round, FP_RTZ);
    CHECK_EQ_U64(h.v.regs.fp.flags, 2);
    hart_end(&h);
}

TEST(the_mode_of_translated_code_follows_fs_and_frm)
{
    hart_start(&h, true);
    CHECK_EQ_U64(h.v.regs.mode, rv_mode(RV_MODE_FP_OFF, RV_MODE_ROUND_NEAREST));
    csr_set(&h, MSTATUS, 1u << RV_FS_SHIFT);
    CHECK_EQ_U64(h.v.regs.mode, rv_mode(RV_MODE_FP_CLEAN, RV_MODE_ROUND_NEAREST));
    csr_put(&h, FRM, FP_RUP);
    CHECK_EQ_U64(h.v.regs.mode, rv_mode(RV_MODE_FP_DIRTY, RV_MODE_ROUND_OTHER));
    csr_put(&h, FRM, 5);
    CHECK_EQ_U64(h.v.regs.mode, rv_mode(RV_MODE_FP_DIRTY, RV_MODE_ROUND_INVALID));
    csr_clear(&h, MSTATUS, RV_FS);
    CHECK_EQ_U64(h.v.regs.mode, rv_mode(RV_MODE_FP_OFF, RV_MODE_ROUND_NEAREST));
    hart_end(&h);
}

TEST(stimecmp_is_closed_to_s_mode_until_m_opens_it)
{
    hart_start(&h, true);
    CHECK(csr_may_read(&h, STIMECMP));
    hart_privilege(&h, RV_S);
    CHECK(!csr_may_read(&h, STIMECMP));
    hart_privilege(&h, RV_M);
    csr_set(&h, MENVCFG, RV_ENVCFG_STCE);
    hart_privilege(&h, RV_S);
    CHECK(!csr_may_read(&h, STIMECMP));
    hart_privilege(&h, RV_M);
    csr_put(&h, MCOUNTEREN, 2);
    hart_privilege(&h, RV_S);
    CHECK(csr_may_read(&h, STIMECMP));
    hart_end(&h);
}

TEST(adue_exists_only_where_the_machine_has_svadu)
{
    hart_start(&h, false);
    csr_put(&h, MENVCFG, ~0ull);
    CHECK_EQ_U64(csr_get(&h, MENVCFG), RV_ENVCFG_STCE | RV_ENVCFG_FIOM);
    hart_end(&h);
    hart_start(&h, true);
    CHECK_EQ_U64(csr_get(&h, MENVCFG), RV_ENVCFG_ADUE);
    csr_clear(&h, MENVCFG, RV_ENVCFG_ADUE);
    CHECK_EQ_U64(csr_get(&h, MENVCFG), 0);
    hart_end(&h);
}

TEST(tvm_closes_satp_to_s_mode)
{
    hart_start(&h, true);
    hart_privilege(&h, RV_S);
    CHECK(csr_may_read(&h, SATP));
    hart_privilege(&h, RV_M);
    csr_set(&h, MSTATUS, RV_TVM);
    CHECK(csr_may_read(&h, SATP));
    hart_privilege(&h, RV_S);
    CHECK(!csr_may_read(&h, SATP));
    CHECK(!csr_may_write(&h, SATP, 0));
    hart_end(&h);
}

/* ---- the register table ---- */

TEST(R102_registers_are_numbered_x_then_f_then_pc_and_control_registers_by_name)
{
    hart_start(&h, true);
    CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, "x0"), 0);
    CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, "x31"), 31);
    CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, "f0"), 32);
    CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, "f31"), 63);
    CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, "pc"), 64);
    for (unsigned i = 0; i < RISCV64_ISA.reg_count; i++) {
        const struct reg_desc *r = &RISCV64_ISA.regs[i];
        CHECK(r->name && r->size_bytes && r->offset_bytes + r->size_bytes <= sizeof(struct vcpu_regs));
        CHECK_EQ_U64((uint64_t)vcpu_find_reg(&h.v, r->name), i);
    }
    CHECK(vcpu_find_reg(&h.v, "zero") == 0 && vcpu_find_reg(&h.v, "a0") == 10 && vcpu_find_reg(&h.v, "t6") == 31 && vcpu_find_reg(&h.v, "fa0") == 42);
    CHECK(vcpu_find_reg(&h.v, "satp") > 0 && vcpu_find_reg(&h.v, "pmpaddr15") > 0 && vcpu_find_reg(&h.v, "frm") > 0);
    hart_end(&h);
}

TEST(R103_set_reg_normalises_and_x0_stays_0)
{
    uint64_t out;
    hart_start(&h, true);
    CHECK(!vm_failed(vcpu_set_reg(&h.v, 5, 0x123456789abcdef0)));
    CHECK(!vm_failed(vcpu_get_reg(&h.v, 5, &out)));
    CHECK_EQ_U64(out, 0x123456789abcdef0);
    CHECK(!vm_failed(vcpu_set_reg(&h.v, 0, 77)));
    CHECK(!vm_failed(vcpu_get_reg(&h.v, 0, &out)));
    CHECK_EQ_U64(out, 0);
    CHECK_EQ_U64(vcpu_set_reg(&h.v, RISCV64_ISA.reg_count, 1).kind, VM_CORE_INVALID_PARAMETER);
    CHECK(!vm_failed(vcpu_set_reg(&h.v, (unsigned)vcpu_find_reg(&h.v, "satp"), 5ull << 60)));
    CHECK_EQ_U64(csr_get(&h, SATP), 0);
    CHECK(!vm_failed(vcpu_set_reg(&h.v, (unsigned)vcpu_find_reg(&h.v, "mstatus"), ~0ull)));
    CHECK_EQ_U64(csr_get(&h, MSTATUS), RV_SD | RV_UXL | RV_SXL | 0x7e79aa);
    CHECK_EQ_U64(rv_mode_fs(h.v.regs.mode), RV_MODE_FP_DIRTY);
    CHECK(!vm_failed(vcpu_set_reg(&h.v, (unsigned)vcpu_find_reg(&h.v, "privilege"), 2)));
    CHECK_EQ_U64(RISCV64_ISA.privilege(&h.v), RV_U);
    hart_end(&h);
}

TEST(R106_state_set_into_a_fresh_hart_carries_every_control_register)
{
    static struct hart other;
    static struct vcpu_state s;
    hart_start(&h, true);
    for (unsigned i = 1; i < RISCV64_ISA.reg_count; i++) {
        CHECK(!vm_failed(vcpu_set_reg(&h.v, i, test_random())));
    }
    vcpu_get_state(&h.v, &s);
    hart_start(&other, true);
    CHECK(!vm_failed(vcpu_set_state(&other.v, &s)));
    for (unsigned i = 0; i < RISCV64_ISA.reg_count; i++) {
        uint64_t a, b;
        CHECK(!vm_failed(vcpu_get_reg(&h.v, i, &a)) && !vm_failed(vcpu_get_reg(&other.v, i, &b)));
        CHECK_EQ_U64(b, a);
    }
    CHECK_EQ_U64(other.v.regs.mode, h.v.regs.mode);
    CHECK_EQ_U64(other.v.mmu.data_context, h.v.mmu.data_context);
    CHECK_EQ_U64(other.v.mmu.asid, h.v.mmu.asid);
    hart_end(&other);
    hart_end(&h);
}
