// SPDX-License-Identifier: Apache-2.0
/* Power State Coordination Interface (DEN0022, section 5): starting cores, power off, reset; what machines without it have
 * for the last two comes after. */
#include "hv/arch/aarch64/bcm2835.h"

#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u

static enum aarch64_conduit how;

void aarch64_psci_init(enum aarch64_conduit conduit) { how = conduit; }

/* SMCCC: x0-x17 may change. */
#define CALL(instruction) \
    __asm__ volatile(instruction : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3) : \
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory")

static int64_t call(uint32_t function, uint64_t a, uint64_t b, uint64_t c)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a;
    register uint64_t x2 __asm__("x2") = b;
    register uint64_t x3 __asm__("x3") = c;
    switch (how) {
    case AARCH64_PSCI_SMC:  CALL("smc #0"); break;
    case AARCH64_PSCI_HVC:  CALL("hvc #0"); break;
    case AARCH64_PSCI_NONE: return -1;                    /* NOT_SUPPORTED */
    }
    return (int64_t)x0;
}

int64_t aarch64_psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context) { return call(PSCI_CPU_ON, mpidr, entry, context); }
bool    aarch64_psci_has_cpu(uint64_t mpidr) { return (int32_t)call(PSCI_AFFINITY_INFO, mpidr, 0, 0) >= 0; }

NORETURN void arch_power_off(int status)
{
    (void)status;                                         /* PSCI has no word for it: the console said it */
    aarch64_dsb();
    call(PSCI_SYSTEM_OFF, 0, 0, 0);
    bcm2835_pm_reset(true);
    arch_halt();
}

NORETURN void arch_reboot(void)
{
    aarch64_dsb();
    call(PSCI_SYSTEM_RESET, 0, 0, 0);
    bcm2835_pm_reset(false);
    arch_halt();
}
