// SPDX-License-Identifier: Apache-2.0
/* System registers that trap: what an arm64 guest is told of its CPU, the physical timer, software interrupts, and what is not there
 * (hv/isa/arm64/sysreg.c, timer.c), through the exit itself. */
#include "test/unit/arm64_world.h"

#define SYS(op0, op1, crn, crm, op2) ((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define CNTP_TVAL SYS(3, 3, 14, 2, 0)
#define CNTP_CTL  SYS(3, 3, 14, 2, 1)
#define CNTP_CVAL SYS(3, 3, 14, 2, 2)
#define F(lsb)    (15ull << (lsb))
#define RT        9

/* mrs or msr of x9 (31: xzr). False: undefined. */
static bool access(struct world *w, unsigned cpu, uint32_t reg, bool is_read, unsigned rt)
{
    struct vcpu *v = &w->v[cpu];
    struct arm64_frame *f = &arm64_state(v)->hw;
    const struct hw_exit x = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    uint64_t pc = v->regs.pc = RAM + 0x100;
    f->vbar_el1 = RAM + 0x8000;
    f->esr = (uint64_t)ARM64_EC_SYSREG << 26 | 1 << 25 | (uint64_t)(reg >> 14) << 20 | (uint64_t)(reg & 7) << 17 | (uint64_t)(reg >> 11 & 7) << 14
           | (uint64_t)(reg >> 7 & 15) << 10 | rt << 5 | (uint64_t)(reg >> 3 & 15) << 1 | is_read;
    CHECK_EQ_U64(ARM64_NATIVE.exit(v, &x, &error), EXEC_CONTINUE);
    if (v->regs.pc == pc + 4) return true;
    CHECK(v->regs.pc == f->vbar_el1 + 0x200 && f->esr_el1 == 1 << 25 && f->elr_el1 == pc);
    f->pstate = ARM64_PSTATE_EL1H | ARM64_PSTATE_DAIF;
    return false;
}
static uint64_t mrs(struct world *w, uint32_t reg)
{
    x_of(w)[RT] = 0x5a5a5a5a5a5a5a5a;
    CHECK(access(w, 0, reg, true, RT));
    return x_of(w)[RT];
}
static void msr(struct world *w, uint32_t reg, uint64_t v)
{
    x_of(w)[RT] = v;
    CHECK(access(w, 0, reg, false, RT));
    CHECK_EQ_U64(x_of(w)[RT], v);
}

/* From a host that has everything: fields that a guest must not see, and what some say anyway. */
TEST(arm64_id_registers_promise_only_what_a_guest_gets)
{
    static const struct { unsigned crm, op2; uint64_t hidden, fixed_at, fixed; } rows[] = {
        { 4, 0, F(8) | F(12) | F(28) | F(32) | F(36) | F(40) | F(44) | F(52) | F(56), 0xff, 0x11 },  /* PFR0: EL2, EL3, RAS, SVE, SEL2, MPAM, AMU, RME, CSV2; EL0, EL1 without AArch32 */
        { 4, 1, F(8) | F(12) | F(16) | F(24), 0, 0 },                                                /* PFR1: MTE, RAS_frac, MPAM_frac, SME */
        { 5, 0, F(4) | F(8) | F(32) | F(36) | F(40) | F(44), F(0) | F(12) | F(20), 0x6 | 1 << 12 | 1 << 20 },    /* DFR0: trace, PMU, SPE ...; v8 debug, two of each */
        { 6, 0, F(24), 0, 0 },                                                                       /* ISAR0: TME */
        { 6, 1, F(4) | F(8) | F(24) | F(28) | F(60), 0, 0 },                                         /* ISAR1: pointer authentication, LS64 */
        { 7, 0, 0, 15, 2 },                                                                          /* MMFR0: 40 bits */
        { 7, 1, F(4) | F(8) | F(16), 0, 0 },                                                         /* MMFR1: VMIDBits, VH, LO */
        { 7, 2, F(8) | F(24) | F(36) | F(40), 0, 0 },                                                /* MMFR2: IESB, NV, IDS, FWB */
    };
    struct world *w = world_start(2, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t v = mrs(w, SYS(3, 0, 0, rows[i].crm, rows[i].op2));
        CHECK_EQ_U64(v & rows[i].hidden, 0);
        CHECK_EQ_U64(v & rows[i].fixed_at, rows[i].fixed);
    }
    CHECK_EQ_U64(mrs(w, SYS(3, 0, 0, 4, 0)) & (F(16) | F(20)), F(16) | F(20));      /* no floating point, as this host says */
    memset(world_ids, 0, sizeof world_ids);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) CHECK_EQ_U64(mrs(w, SYS(3, 0, 0, rows[i].crm, rows[i].op2)), rows[i].fixed);
    world_end(w);
}

TEST(arm64_id_register_of_a_gicv3_guest_says_that_it_has_the_registers)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(mrs(w, SYS(3, 0, 0, 4, 0)) >> 24 & 15, 1);
    world_end(w);
    w = world_start(2, NULL);
    CHECK_EQ_U64(mrs(w, SYS(3, 0, 0, 4, 0)) >> 24 & 15, 0);
    world_end(w);
}

TEST(arm64_id_registers_that_are_not_known_read_0_and_none_is_written)
{
    struct world *w = world_start(3, NULL);
    for (unsigned crm = 1; crm < 8; crm++) {
        for (unsigned op2 = 0; op2 < 8; op2++) {
            bool is_known = (crm >= 4 && crm < 8 && op2 < 2 && !(crm == 5 && op2 == 1)) || (crm == 7 && op2 == 2);
            if (!is_known) CHECK_EQ_U64(mrs(w, SYS(3, 0, 0, crm, op2)), 0);
            CHECK(!access(w, 0, SYS(3, 0, 0, crm, op2), false, RT));
        }
    }
    CHECK(access(w, 0, SYS(3, 0, 0, 4, 0), true, 31));                              /* into xzr */
    world_end(w);
}

TEST(arm64_physical_timer_counts_with_the_guests_clock)
{
    struct world *w = world_start(3, NULL);
    struct gic *g = ((struct arm64_machine *)w->machine)->gic;
    world_out(w, ARM64_GICD_BASE, 4, 3);
    world_out(w, ARM64_GICR_BASE + 0x10100, 4, 1u << ARM64_PTIMER_INTID);
    world_time(w, 1000);
    msr(w, CNTP_CVAL, 1500);
    CHECK(mrs(w, CNTP_CVAL) == 1500 && mrs(w, CNTP_TVAL) == 500 && mrs(w, CNTP_CTL) == 0);
    CHECK_EQ_U64(w->v[0].deadline_ns, UINT64_MAX);
    msr(w, CNTP_CTL, 0xfffffff9);
    CHECK_EQ_U64(mrs(w, CNTP_CTL), 1);
    CHECK_EQ_U64(w->v[0].deadline_ns, guest_clock_deadline_ns(&w->clock, 1500));
    CHECK(!gic_is_pending(g, 0));
    world_time(w, 1500);
    ARM64_ISA.deadline(&w->v[0]);
    CHECK(mrs(w, CNTP_CTL) == 5 && gic_is_pending(g, 0) && w->v[0].deadline_ns == UINT64_MAX);
    msr(w, CNTP_CTL, 3);                                                            /* masked */
    CHECK(mrs(w, CNTP_CTL) == 7 && !gic_is_pending(g, 0));
    msr(w, CNTP_CTL, 1);
    CHECK(gic_is_pending(g, 0));
    msr(w, CNTP_TVAL, 10);
    CHECK(mrs(w, CNTP_CVAL) == 1510 && !gic_is_pending(g, 0));
    msr(w, CNTP_TVAL, 0xffffffff);                                                  /* signed: one tick ago */
    CHECK(mrs(w, CNTP_CVAL) == 1499 && gic_is_pending(g, 0));
    CHECK_EQ_U64(mrs(w, CNTP_TVAL), 0xffffffff);
    world_end(w);
}

TEST(arm64_physical_counter_is_the_virtual_one)
{
    struct world *w = world_start(3, NULL);
    world_time(w, 1234);
    CHECK_EQ_U64(mrs(w, SYS(3, 3, 14, 0, 1)), 1234);
    world_end(w);
}

TEST(arm64_virtual_timer_wakes_a_vcpu_that_sleeps)
{
    struct world *w = world_start(3, NULL);
    const struct hw_exit x = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    world_out(w, ARM64_GICD_BASE, 4, 3);
    world_out(w, ARM64_GICR_BASE + 0x10100, 4, 1u << ARM64_VTIMER_INTID);
    frame_of(w)->cntv_ctl = 1;
    frame_of(w)->cntv_cval = 2000;
    frame_of(w)->esr = (uint64_t)ARM64_EC_WFX << 26 | 1 << 25;
    uint64_t pc = w->v[0].regs.pc;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &x, &error), EXEC_HALTED);
    CHECK(w->v[0].regs.pc == pc + 4 && w->v[0].deadline_ns == guest_clock_deadline_ns(&w->clock, 2000));
    CHECK(!ARM64_ISA.wakes(&w->v[0]));
    world_time(w, 2000);
    CHECK(ARM64_ISA.wakes(&w->v[0]));
    frame_of(w)->cntv_ctl = 3;
    frame_of(w)->timer_line = false;
    frame_of(w)->lr_count = 0;
    ARM64_NATIVE.save(&w->v[0]);                                                    /* as after the next exit: the line falls */
    CHECK(!ARM64_ISA.wakes(&w->v[0]));
    world_end(w);
}

TEST(arm64_physical_timer_that_came_due_just_before_wfi_wakes)
{
    struct world *w = world_start(3, NULL);
    const struct hw_exit x = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    world_out(w, ARM64_GICD_BASE, 4, 3);
    world_out(w, ARM64_GICR_BASE + 0x10100, 4, 1u << ARM64_PTIMER_INTID);
    msr(w, CNTP_CVAL, 2000);
    msr(w, CNTP_CTL, 1);
    world_time(w, 2000);
    frame_of(w)->esr = (uint64_t)ARM64_EC_WFX << 26 | 1 << 25;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &x, &error), EXEC_HALTED);
    CHECK(ARM64_ISA.wakes(&w->v[0]));
    world_end(w);
}

TEST(arm64_entry_and_exit_carry_interrupts_to_list_registers_and_back)
{
    struct world *w = world_start(3, NULL);
    struct arm64_frame *f = frame_of(w);
    world_out(w, ARM64_GICD_BASE, 4, 3);
    world_out(w, ARM64_GICR_BASE + 0x10100, 4, 1u << ARM64_VTIMER_INTID);
    ARM64_NATIVE.load(&w->v[0]);
    CHECK(f->lr_count == 0 && !f->wants_room && f->time_offset_ns == w->clock.offset_ns);
    f->timer_line = true;                                                           /* what EL2 says after an exit */
    ARM64_NATIVE.save(&w->v[0]);
    ARM64_NATIVE.load(&w->v[0]);
    CHECK(f->lr_count == 1 && (f->lr[0] & ARM64_LR_INTID) == ARM64_VTIMER_INTID && f->lr[0] & ARM64_LR_PENDING);
    f->lr[0] ^= ARM64_LR_PENDING | ARM64_LR_ACTIVE;                                 /* the guest took it, and moved its timer on */
    f->timer_line = false;
    ARM64_NATIVE.save(&w->v[0]);
    ARM64_NATIVE.load(&w->v[0]);
    CHECK(f->lr_count == 1 && (f->lr[0] & (ARM64_LR_PENDING | ARM64_LR_ACTIVE)) == ARM64_LR_ACTIVE);
    f->lr[0] &= ~ARM64_LR_ACTIVE;
    ARM64_NATIVE.save(&w->v[0]);
    ARM64_NATIVE.load(&w->v[0]);
    CHECK_EQ_U64(f->lr_count, 0);
    world_end(w);
}

TEST(arm64_software_interrupts_by_register)
{
    struct world *w = world_start(3, NULL);
    struct gic *g = ((struct arm64_machine *)w->machine)->gic;
    world_out(w, ARM64_GICD_BASE, 4, 3);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) world_out(w, ARM64_GICR_BASE + cpu * 0x20000 + 0x10100, 4, 1u << 5);
    msr(w, SYS(3, 0, 12, 11, 6), 5ull << 24 | 7);                                   /* ASGI1R, SGI0R: another state's, another group's */
    msr(w, SYS(3, 0, 12, 11, 7), 5ull << 24 | 7);
    for (unsigned cpu = 0; cpu < CPUS; cpu++) CHECK(!gic_is_pending(g, cpu));
    msr(w, SYS(3, 0, 12, 11, 5), 5ull << 24 | 4);
    CHECK(!gic_is_pending(g, 0) && !gic_is_pending(g, 1) && gic_is_pending(g, 2));
    CHECK(!access(w, 0, SYS(3, 0, 12, 11, 5), true, RT));                           /* write-only */
    world_end(w);
}

TEST(arm64_debug_and_performance_registers_may_be_touched)
{
    static const uint32_t absent[] = { SYS(2, 0, 0, 0, 4), SYS(2, 0, 0, 5, 5), SYS(2, 0, 1, 3, 4), SYS(3, 3, 9, 12, 0), SYS(3, 3, 9, 13, 0), SYS(3, 0, 9, 14, 1),
                                       SYS(3, 3, 14, 8, 0), SYS(3, 3, 14, 15, 7), SYS(3, 0, 1, 0, 1) };
    struct world *w = world_start(3, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(absent); i++) {
        msr(w, absent[i], UINT64_MAX);
        CHECK_EQ_U64(mrs(w, absent[i]), 0);
    }
    msr(w, SYS(2, 0, 0, 2, 2), 0x8001);                                             /* MDSCR_EL1 keeps what is written, for the guest alone */
    CHECK(mrs(w, SYS(2, 0, 0, 2, 2)) == 0x8001 && frame_of(w)->mdscr_el1 == 0x8001);
    CHECK_EQ_U64(mrs(w, SYS(2, 0, 1, 1, 4)), 8);                                    /* OSLSR_EL1 */
    for (unsigned crm = 6; crm <= 14; crm += 4) msr(w, SYS(1, 0, 7, crm, 2), 0);    /* dc isw, csw, cisw */
    world_end(w);
}

TEST(arm64_registers_that_do_not_exist_are_undefined)
{
    static const uint32_t none[] = { SYS(3, 0, 15, 0, 0), SYS(3, 4, 1, 1, 0), SYS(3, 7, 15, 7, 7), SYS(3, 3, 14, 2, 3), SYS(3, 3, 14, 3, 7), SYS(3, 0, 12, 12, 5), SYS(0, 0, 0, 0, 0),
                                     SYS(1, 0, 7, 6, 1), SYS(3, 0, 9, 1, 0) };
    struct world *w = world_start(3, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(none); i++) {
        x_of(w)[RT] = 77;
        CHECK(!access(w, 0, none[i], true, RT) && !access(w, 0, none[i], false, RT) && x_of(w)[RT] == 77);
    }
    world_end(w);
}

TEST(arm64_what_the_guest_was_not_promised_is_undefined)
{
    static const unsigned classes[] = { 0x00, 0x03, 0x07, 0x09, 0x0a, 0x0e, 0x14, 0x19, 0x1a, 0x1d, 0x2f, 0x3c, 0x3f };
    struct world *w = world_start(3, NULL);
    const struct hw_exit x = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    frame_of(w)->vbar_el1 = RAM + 0x8000;
    for (unsigned i = 0; i < ARRAY_COUNT(classes); i++) {
        frame_of(w)->pstate = ARM64_PSTATE_EL1H;
        frame_of(w)->esr = (uint64_t)classes[i] << 26;
        CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &x, &error), EXEC_CONTINUE);
        CHECK(w->v[0].regs.pc == RAM + 0x8200 && frame_of(w)->esr_el1 == 1 << 25);
    }
    world_end(w);
}

TEST(arm64_exits_are_counted_by_kind)
{
    static const struct { enum hw_exit_kind kind; enum access_type how; uint64_t gpa; unsigned class; const char *name; } rows[] = {
        { HW_EXIT_HOST, 0, 0, 0, "host" }, { HW_EXIT_STEP, 0, 0, 0, "step" }, { HW_EXIT_MEMORY, ACCESS_READ, RAM, 0, "memory" }, { HW_EXIT_MEMORY, ACCESS_READ, ARM64_UART_BASE, 0, "mmio" },
        { HW_EXIT_MEMORY, ACCESS_EXECUTE, ARM64_UART_BASE, 0, "fetch" }, { HW_EXIT_GUEST, 0, 0, 0x01, "wfi" }, { HW_EXIT_GUEST, 0, 0, 0x16, "hvc" }, { HW_EXIT_GUEST, 0, 0, 0x17, "smc" },
        { HW_EXIT_GUEST, 0, 0, 0x18, "sysreg" }, { HW_EXIT_GUEST, 0, 0, 0x3c, "other" }, { HW_EXIT_FAILED, 0, 0, 0, "other" } };
    struct world *w = world_start(3, NULL);
    for (unsigned i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct hw_exit x = { .kind = rows[i].kind, .gpa = { rows[i].gpa }, .how = rows[i].how };
        frame_of(w)->esr = (uint64_t)rows[i].class << 26;
        CHECK_STR(ARM64_NATIVE.exit_name(ARM64_NATIVE.exit_kind(&w->v[0], &x)), rows[i].name);
    }
    world_end(w);
}
