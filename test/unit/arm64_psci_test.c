// SPDX-License-Identifier: Apache-2.0
/* The arm64 machine's PSCI (DEN 0022D) and SMCCC (DEN 0028), call by call, on vCPUs that do not run: a call is its registers. */
#include "test/unit/arm64_world.h"

enum { SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, ON_PENDING = -5, INVALID_ADDRESS = -9 };
enum { IS_ON, IS_OFF, IS_PENDING };
#define SMCCC_VERSION  0x80000000u
#define SMCCC_FEATURES 0x80000001u
#define VERSION        0x84000000u
#define SUSPEND        0x84000001u
#define OFF            0x84000002u
#define ON             0x84000003u
#define AFFINITY       0x84000004u
#define MIGRATE_INFO   0x84000006u
#define SYSTEM_OFF     0x84000008u
#define SYSTEM_RESET   0x84000009u
#define FEATURES       0x8400000au
#define SYSTEM_RESET2  0x84000012u
#define SMC64          0x40000000u

/* As the guest would see it: by HVC, with whatever the machine has to do besides. */
static int64_t call(struct world *w, unsigned cpu, uint64_t function, uint64_t a, uint64_t b, uint64_t c)
{
    struct vcpu *v = &w->v[cpu];
    uint64_t *x = v->regs.slot;
    const struct hw_exit exit = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    x[0] = function, x[1] = a, x[2] = b, x[3] = c;
    arm64_state(v)->hw.esr = (uint64_t)ARM64_EC_HVC << 26;
    if (ARM64_NATIVE.exit(v, &exit, &error) == EXEC_IO_REQUEST) {
        CHECK_EQ_U64(v->hypercall, ARM64_HYPERCALL_SMCCC);
        ARM64_VIRT.hypercall(w->machine, v);
        CHECK_EQ_U64(v->hypercall, 0);
    }
    return (int64_t)x[0];
}
static bool is_on(struct world *w, unsigned cpu) { return ARM64_VIRT.is_started(w->machine, cpu); }

TEST(psci_versions_and_what_there_is)
{
    static const uint32_t known[] = { SMCCC_VERSION, VERSION, SUSPEND, SUSPEND | SMC64, OFF, ON, ON | SMC64, AFFINITY, AFFINITY | SMC64, MIGRATE_INFO,
                                      SYSTEM_OFF, SYSTEM_RESET, FEATURES, SYSTEM_RESET2, SYSTEM_RESET2 | SMC64 };
    static const uint32_t unknown[] = { 0x84000005, 0x84000007, 0x8400000c, 0x8400000d, 0x8400000e, 0x8400000f, 0x84000010, 0x84000011, 0x84000013,
                                        VERSION | SMC64, OFF | SMC64, FEATURES | SMC64, SYSTEM_OFF | SMC64, 0x95c10000, 0 };
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(call(w, 0, VERSION, 0, 0, 0), 0x10001);
    CHECK_EQ_U64(call(w, 0, SMCCC_VERSION, 0, 0, 0), 0x10001);
    CHECK_EQ_U64(call(w, 0, MIGRATE_INFO, 0, 0, 0), 2);
    for (unsigned i = 0; i < ARRAY_COUNT(known); i++) CHECK_EQ_U64(call(w, 0, FEATURES, known[i], 0, 0), 0);
    for (unsigned i = 0; i < ARRAY_COUNT(unknown); i++) {
        CHECK_EQ_U64(call(w, 0, FEATURES, unknown[i], 0, 0), NOT_SUPPORTED);
        CHECK_EQ_U64(call(w, 0, unknown[i], 0, 0, 0), NOT_SUPPORTED);
    }
    CHECK_EQ_U64(call(w, 0, SMCCC_FEATURES, SMCCC_VERSION, 0, 0), 0);
    CHECK_EQ_U64(call(w, 0, SMCCC_FEATURES, SMCCC_FEATURES, 0, 0), 0);
    CHECK_EQ_U64(call(w, 0, SMCCC_FEATURES, 0x80008000, 0, 0), NOT_SUPPORTED);
    world_end(w);
}

TEST(psci_calls_change_no_register_but_x0)
{
    static const uint32_t calls[] = { VERSION, FEATURES, AFFINITY | SMC64, SYSTEM_RESET2, 0x12345678, ON };
    struct world *w = world_start(3, NULL);
    for (unsigned n = 0; n < ARRAY_COUNT(calls); n++) {
        for (unsigned i = 1; i < 31; i++) x_of(w)[i] = 0x1111ull * i;
        struct vcpu_regs before = w->v[0].regs;
        call(w, 0, calls[n], 0x1111, 0x2222, 0x3333);
        before.slot[0] = x_of(w)[0];
        CHECK(!memcmp(before.slot, w->v[0].regs.slot, sizeof before.slot) && before.pc == w->v[0].regs.pc);
    }
    world_end(w);
}

TEST(psci_smc_goes_on_behind_itself)
{
    struct world *w = world_start(3, NULL);
    const struct hw_exit exit = { .kind = HW_EXIT_GUEST };
    struct vm_error error = VM_SUCCESS;
    uint64_t pc = w->v[0].regs.pc;
    x_of(w)[0] = VERSION;
    frame_of(w)->esr = (uint64_t)ARM64_EC_SMC << 26;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &exit, &error), EXEC_CONTINUE);
    CHECK(x_of(w)[0] == 0x10001 && w->v[0].regs.pc == pc + 4);
    frame_of(w)->esr = (uint64_t)ARM64_EC_HVC << 26;
    CHECK_EQ_U64(ARM64_NATIVE.exit(&w->v[0], &exit, &error), EXEC_CONTINUE);
    CHECK_EQ_U64(w->v[0].regs.pc, pc + 4);                  /* the CPU has moved it already */
    world_end(w);
}

TEST(psci_cpu_starts_at_el1_with_its_argument)
{
    struct world *w = world_start(3, NULL);
    struct vcpu *v = &w->v[2];
    CHECK(is_on(w, 0) && !is_on(w, 1) && !is_on(w, 2));
    v->regs.slot[5] = 77;
    arm64_state(v)->hw.sctlr_el1 = 1;
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 2, RAM + 0x1000, 0x123456789abcdef0), SUCCESS);
    CHECK(is_on(w, 2) && !is_on(w, 1));
    CHECK(v->regs.pc == RAM + 0x1000 && v->regs.slot[0] == 0x123456789abcdef0 && v->regs.slot[5] == 0);
    CHECK_EQ_U64(arm64_state(v)->hw.pstate, ARM64_PSTATE_EL1H | ARM64_PSTATE_DAIF);
    CHECK(!(arm64_state(v)->hw.sctlr_el1 & 0x1005));        /* MMU and caches off */
    CHECK_EQ_U64(arm64_state(v)->hw.vmpidr, 1ull << 31 | 2);
    CHECK(v->request & VCPU_REQUEST_IRQ);
    CHECK_EQ_U64(call(w, 0, ON, 1, RAM, 0xffffffff00000007), SUCCESS);
    CHECK_EQ_U64(w->v[1].regs.slot[0], 7);                  /* 32-bit arguments */
    world_end(w);
}

TEST(psci_cpu_on_refuses_what_cannot_be)
{
    struct world *w = world_start(3, NULL);
    static const uint64_t nobody[] = { CPUS, 0x100, 0x10000, 1ull << 32 | 1, UINT64_MAX };
    static const uint64_t nowhere[] = { 0, RAM - 4, RAM + MEMORY, RAM + 2, RAM + 1, DEVICE, UINT64_MAX - 3 };
    for (unsigned i = 0; i < ARRAY_COUNT(nobody); i++) CHECK_EQ_U64(call(w, 0, ON | SMC64, nobody[i], RAM, 0), INVALID_PARAMETERS);
    for (unsigned i = 0; i < ARRAY_COUNT(nowhere); i++) CHECK_EQ_U64(call(w, 0, ON | SMC64, 1, nowhere[i], 0), INVALID_ADDRESS);
    CHECK(!is_on(w, 1));
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 0, RAM, 0), ALREADY_ON);
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 1, RAM, 0), SUCCESS);
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 1, RAM, 0), ALREADY_ON);
    ((struct arm64_machine *)w->machine)->psci.state[2] = PSCI_PENDING;      /* another vCPU is about to */
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 2, RAM, 0), ON_PENDING);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 2, 0, 0), IS_PENDING);
    world_end(w);
}

TEST(psci_cpu_that_goes_off_can_be_started_again)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 1, RAM, 1), SUCCESS);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 1, 0, 0), IS_ON);
    w->v[1].deadline_ns = 5;
    call(w, 1, OFF, 0, 0, 0);
    CHECK(!is_on(w, 1) && w->v[1].deadline_ns == UINT64_MAX);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 1, 0, 0), IS_OFF);
    CHECK_EQ_U64(call(w, 0, ON | SMC64, 1, RAM + 4, 2), SUCCESS);
    CHECK(is_on(w, 1) && w->v[1].regs.pc == RAM + 4 && w->v[1].regs.slot[0] == 2);
    world_end(w);
}

TEST(psci_affinity_info_is_of_a_core_or_of_all_below_a_level)
{
    struct world *w = world_start(3, NULL);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0, 0, 0), IS_ON);
    CHECK_EQ_U64(call(w, 0, AFFINITY, 1, 0, 0), IS_OFF);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 1, 1, 0), IS_ON);             /* Aff0 does not count: the first is on */
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0x55, 1, 0), IS_ON);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0x100, 1, 0), INVALID_PARAMETERS);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0x100, 2, 0), IS_ON);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0xffffff, 3, 0), IS_ON);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 1ull << 32, 3, 0), INVALID_PARAMETERS);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0, 4, 0), INVALID_PARAMETERS);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, 0, UINT64_MAX, 0), INVALID_PARAMETERS);
    CHECK_EQ_U64(call(w, 0, AFFINITY | SMC64, CPUS, 0, 0), INVALID_PARAMETERS);
    world_end(w);
}

TEST(psci_suspend_sleeps_until_an_interrupt_or_the_timer)
{
    struct world *w = world_start(3, NULL);
    world_time(w, 1000);
    frame_of(w)->cntv_ctl = 1;
    frame_of(w)->cntv_cval = 5000;
    CHECK_EQ_U64(call(w, 0, SUSPEND | SMC64, 0x10000, RAM, 0), SUCCESS);    /* a power-down may be a standby: 5.1.2 */
    CHECK(w->v[0].is_halted && w->v[0].deadline_ns != UINT64_MAX);
    CHECK_EQ_U64(w->v[0].deadline_ns, guest_clock_deadline_ns(&w->clock, 5000));
    w->v[0].is_halted = false;
    frame_of(w)->cntv_ctl = 3;                                              /* masked */
    CHECK_EQ_U64(call(w, 0, SUSPEND, 0, 0, 0), SUCCESS);
    CHECK(w->v[0].is_halted && w->v[0].deadline_ns == UINT64_MAX);
    world_end(w);
}

TEST(psci_ends_and_restarts_the_machine)
{
    struct world *w = world_start(3, NULL);
    call(w, 0, SYSTEM_OFF, 0, 0, 0);
    CHECK(w->powers == 1 && w->last_power == POWER_OFF);
    call(w, 0, SYSTEM_RESET, 0, 0, 0);
    CHECK(w->powers == 2 && w->last_power == POWER_REBOOT);
    call(w, 0, SYSTEM_RESET2 | SMC64, 0, 0, 0);
    CHECK(w->powers == 3 && w->last_power == POWER_REBOOT);
    CHECK_EQ_U64(call(w, 0, SYSTEM_RESET2 | SMC64, 1ull << 31, 0, 0), INVALID_PARAMETERS);     /* a vendor's kind */
    CHECK_EQ_U64(w->powers, 3);
    world_end(w);
}

TEST(psci_kinds_for_statistics_have_names)
{
    struct world *w = world_start(3, NULL);
    x_of(w)[0] = 0x12345678;
    CHECK_STR(psci_kind_name(psci_kind(&w->v[0])), "unknown");
    x_of(w)[0] = ON | SMC64;
    CHECK_STR(psci_kind_name(psci_kind(&w->v[0])), "cpu-on");
    x_of(w)[0] = SYSTEM_OFF;
    CHECK_STR(psci_kind_name(psci_kind(&w->v[0])), "system-off");
    unsigned n = 0;
    while (psci_kind_name(n)) n++;
    CHECK(n > 10 && n <= EXITS_HYPERCALLS);
    world_end(w);
}

TEST(psci_off_takes_the_timers_along)
{
    struct world *w = world_start(3, NULL);
    struct vcpu *v = &w->v[1];
    struct gic *g = arm64_machine(v)->gic;
    const uint32_t timers = 1u << ARM64_VTIMER_INTID | 1u << ARM64_PTIMER_INTID;
    CHECK_EQ_U64(call(w, 0, ON, 1, ARM64_RAM_BASE, 0), SUCCESS);
    world_out(w, ARM64_GICD_BASE, 4, 3);
    world_out(w, ARM64_GICR_BASE + GICR_BYTES + 0x10100, 4, timers);
    arm64_state(v)->hw.cntv_ctl = arm64_state(v)->cntp_ctl = 1;                     /* both due */
    CHECK(ARM64_ISA.wakes(v));
    arm64_ptimer_update(v);
    CHECK_EQ_U64(world_in(w, ARM64_GICR_BASE + GICR_BYTES + 0x10200, 4), timers);
    call(w, 1, OFF, 0, 0, 0);
    CHECK_EQ_U64(world_in(w, ARM64_GICR_BASE + GICR_BYTES + 0x10200, 4), 0);
    CHECK(!is_on(w, 1) && !gic_is_pending(g, 1) && !ARM64_ISA.wakes(v) && v->deadline_ns == UINT64_MAX);
    world_end(w);
}
