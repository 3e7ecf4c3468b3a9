// SPDX-License-Identifier: Apache-2.0
/* PSCI; see psci.h. Section numbers are DEN 0022D's. */
#include "hv/isa/arm64/psci.h"
#include "hv/isa/arm64/state.h"

#define FUNCTION_LIST(_)                                                                              \
    _(SMCCC_VERSION, 0x80000000u, "smccc-version") _(SMCCC_ARCH_FEATURES, 0x80000001u, "smccc-features") \
    _(VERSION, 0x84000000u, "psci-version") _(CPU_SUSPEND, 0x84000001u, "cpu-suspend") _(CPU_OFF, 0x84000002u, "cpu-off") \
    _(CPU_ON, 0x84000003u, "cpu-on") _(AFFINITY_INFO, 0x84000004u, "affinity-info") _(MIGRATE_INFO_TYPE, 0x84000006u, "migrate-info") \
    _(SYSTEM_OFF, 0x84000008u, "system-off") _(SYSTEM_RESET, 0x84000009u, "system-reset") _(FEATURES, 0x8400000au, "psci-features") \
    _(SYSTEM_RESET2, 0x84000012u, "system-reset2")
enum function {
#define X(e, n, name) FN_##e = n,
    FUNCTION_LIST(X)
#undef X
};
#define SMC64 0x40000000u                                   /* the same function, with 64-bit arguments */

enum { PSCI_SUCCESS = 0, NOT_SUPPORTED = -1, INVALID_PARAMETERS = -2, ALREADY_ON = -4, ON_PENDING = -5, INVALID_ADDRESS = -9 };

/* Those that take addresses or affinities have two numbers, the others one (5.1.1). 0 is nobody's. */
static uint32_t function_named(uint32_t number)
{
    uint32_t f = number & ~SMC64;
    bool has_both = f == FN_CPU_SUSPEND || f == FN_CPU_ON || f == FN_AFFINITY_INFO || f == FN_SYSTEM_RESET2;
    return number & SMC64 && !has_both ? 0 : f;
}
static uint32_t function_of(const struct vcpu *v) { return function_named((uint32_t)v->regs.slot[0]); }
static bool     is_64bit(const struct vcpu *v)    { return v->regs.slot[0] & SMC64; }
static uint64_t argument(const struct vcpu *v, unsigned n) { return is_64bit(v) ? v->regs.slot[n] : (uint32_t)v->regs.slot[n]; }
static void     answer(struct vcpu *v, int64_t x)  { v->regs.slot[0] = (uint64_t)x; }

static uint32_t state_of(const struct psci *p, unsigned n) { return __atomic_load_n(&p->state[n], __ATOMIC_ACQUIRE); }
/* Release: whoever sees the new state also sees the registers written before. */
static void set_state(struct psci *p, unsigned n, enum psci_state s) { __atomic_store_n(&p->state[n], s, __ATOMIC_RELEASE); }

bool psci_is_on(const struct psci *p, unsigned vcpu) { return state_of(p, vcpu) == PSCI_ON; }

void psci_reset(struct psci *p)
{
    for (unsigned n = 0; n < p->count; n++) set_state(p, n, n ? PSCI_OFF : PSCI_ON);
}

/* ---- kinds, for statistics ---- */
static const struct { uint32_t number; const char *name; } function_rows[] = {
    { 0, "unknown" },
#define X(e, n, name) { n, name },
    FUNCTION_LIST(X)
#undef X
};

unsigned psci_kind(const struct vcpu *v)
{
    for (unsigned i = 1; i < ARRAY_COUNT(function_rows); i++) {
        if (function_rows[i].number == function_of(v)) return i;
    }
    return 0;
}

const char *psci_kind_name(unsigned kind) { return kind < ARRAY_COUNT(function_rows) ? function_rows[kind].name : NULL; }

/* ---- what needs nobody else ---- */

/* PSCI_FEATURES (5.16): a function that there is answers 0. */
static int64_t features(uint32_t asked)
{
    switch (function_named(asked)) {
    case FN_SMCCC_VERSION: case FN_VERSION: case FN_CPU_SUSPEND: case FN_CPU_OFF: case FN_CPU_ON: case FN_AFFINITY_INFO:
    case FN_MIGRATE_INFO_TYPE: case FN_SYSTEM_OFF: case FN_SYSTEM_RESET: case FN_FEATURES: case FN_SYSTEM_RESET2:
        return 0;
    }
    return NOT_SUPPORTED;
}

static int64_t smccc_features(uint32_t asked) { return asked == FN_SMCCC_VERSION || asked == FN_SMCCC_ARCH_FEATURES ? 0 : NOT_SUPPORTED; }

bool psci_answer(struct vcpu *v)
{
    switch (function_of(v)) {
    case FN_CPU_SUSPEND: case FN_CPU_OFF: case FN_CPU_ON: case FN_AFFINITY_INFO: case FN_SYSTEM_OFF: case FN_SYSTEM_RESET: case FN_SYSTEM_RESET2:
        return false;
    case FN_SMCCC_VERSION:       answer(v, 0x10001); break;
    case FN_SMCCC_ARCH_FEATURES: answer(v, smccc_features((uint32_t)v->regs.slot[1])); break;
    case FN_VERSION:             answer(v, 0x10001); break;
    case FN_MIGRATE_INFO_TYPE:   answer(v, 2); break;       /* no trusted OS that would have to move */
    case FN_FEATURES:            answer(v, features((uint32_t)v->regs.slot[1])); break;
    default:                     answer(v, NOT_SUPPORTED); break;
    }
    return true;
}

/* ---- cores ---- */
static int find(const struct psci *p, uint64_t mpidr)
{
    for (unsigned n = 0; n < p->count; n++) {
        if ((arm64_mpidr(n) & 0xff00ffffffull) == (mpidr & 0xff00ffffffull)) return (int)n;
    }
    return -1;
}

/* CPU_ON (5.4) */
static int64_t cpu_on(struct psci *p, const struct vcpu *v)
{
    uint64_t entry = argument(v, 2);
    int n = find(p, argument(v, 1));
    uint32_t off = PSCI_OFF;
    if (n < 0) return INVALID_PARAMETERS;
    if (entry & 3 || !gmem_is_ram(p->gmem, guest_phys_addr_make(entry), 4)) return INVALID_ADDRESS;
    if (!__atomic_compare_exchange_n(&p->state[n], &off, PSCI_PENDING, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return off == PSCI_ON ? ALREADY_ON : ON_PENDING;
    arm64_set_boot(&p->vcpus[n], entry, argument(v, 3));
    set_state(p, (unsigned)n, PSCI_ON);
    vcpu_ask(&p->vcpus[n], VCPU_REQUEST_IRQ);
    return PSCI_SUCCESS;
}

/* AFFINITY_INFO (5.7): of a core, or of all that share the upper levels. */
static int64_t affinity_info(const struct psci *p, const struct vcpu *v)
{
    uint64_t level = argument(v, 2), mask = 0xff00ffffffull;
    if (level > 3) return INVALID_PARAMETERS;
    for (uint64_t l = 0; l < level; l++) mask &= ~(0xffull << (l == 3 ? 32 : 8 * l));
    int64_t found = INVALID_PARAMETERS;
    for (unsigned n = 0; n < p->count; n++) {
        if ((arm64_mpidr(n) & mask) != (argument(v, 1) & mask)) continue;
        uint32_t s = state_of(p, n);
        if (found < 0 || s == PSCI_ON) found = s;
    }
    return found;
}

/* ---- the rest ---- */
static void sleep_until_interrupt(struct vcpu *v)
{
    answer(v, PSCI_SUCCESS);
    arm64_vtimer_arm(v);
    __atomic_store_n(&v->is_halted, true, __ATOMIC_RELAXED);
}

void psci_call(struct psci *p, struct vcpu *v)
{
    switch (function_of(v)) {
    case FN_CPU_SUSPEND:                                    /* every state keeps everything: 5.1.2, a standby */
        sleep_until_interrupt(v);
        break;
    case FN_CPU_OFF:                                        /* the registers may be another's now */
        arm64_timers_off(v);
        set_state(p, v->id, PSCI_OFF);
        break;
    case FN_CPU_ON:
        answer(v, cpu_on(p, v));
        break;
    case FN_AFFINITY_INFO:
        answer(v, affinity_info(p, v));
        break;
    case FN_SYSTEM_OFF:
        p->host->power(p->host->vm, POWER_OFF, 0);
        break;
    case FN_SYSTEM_RESET:
        p->host->power(p->host->vm, POWER_REBOOT, 0);
        break;
    case FN_SYSTEM_RESET2:                                  /* 5.18: type 0 is a warm reset, ours knows no other */
        if (argument(v, 1)) answer(v, INVALID_PARAMETERS);
        else p->host->power(p->host->vm, POWER_REBOOT, 0);
        break;
    default:
        answer(v, NOT_SUPPORTED);
        break;
    }
}
