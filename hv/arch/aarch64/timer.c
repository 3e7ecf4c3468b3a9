// SPDX-License-Identifier: Apache-2.0
/* The generic timer (Arm ARM D11): the hypervisor's physical timer at EL2, the virtual one at EL1, since that is always
 * ours there. The counter is the system's: the same on every core. */
#include "hv/arch/aarch64/aarch64.h"

static uint64_t boot_count, ns_per_tick_q32, ticks_per_ns_q32;   /* Q32: fractions in 2^-32 */
static uint32_t hz, intid;
static uint64_t rtc, wall_at_boot_s;

#define CTL_ENABLE 1u

static uint64_t count(void) { return aarch64_at_el2 ? AARCH64_READ(cntpct_el0) : AARCH64_READ(cntvct_el0); }

static void control(uint64_t v)
{
    if (aarch64_at_el2) AARCH64_WRITE(cnthp_ctl_el2, v);
    else AARCH64_WRITE(cntv_ctl_el0, v);
    aarch64_isb();
}

void aarch64_timer_init(const struct aarch64_platform *p)
{
    hz = (uint32_t)AARCH64_READ(cntfrq_el0);
    if (!hz) hz = p->timer_hz;
    if (!hz) hz = 62500000;
    ns_per_tick_q32 = (1000000000ull << 32) / hz;
    ticks_per_ns_q32 = ((uint64_t)hz << 32) / 1000000000u;
    intid = aarch64_at_el2 ? p->timer_hyp_intid : p->timer_virt_intid;
    rtc = p->rtc;
    wall_at_boot_s = p->wall_at_boot_s;
    boot_count = count();
}

void aarch64_timer_init_cpu(void)
{
    control(0);
    if (intid) aarch64_irq_enable_private(intid);
}

uint32_t aarch64_timer_intid(void) { return intid; }
uint32_t aarch64_timer_hz(void)    { return hz; }
void     aarch64_timer_quiet(void) { control(0); }

uint64_t arch_time_ns(void) { return (uint64_t)((unsigned __int128)(count() - boot_count) * ns_per_tick_q32 >> 32); }

uint64_t arch_ticks(void)                   { return count(); }
uint64_t arch_ticks_ns(uint64_t ticks)      { return (uint64_t)((unsigned __int128)ticks * ns_per_tick_q32 >> 32); }

uint64_t aarch64_timer_count_at(uint64_t time_ns) { return boot_count + (uint64_t)((unsigned __int128)time_ns * ticks_per_ns_q32 >> 32); }

void arch_timer_set(uint64_t deadline_ns)
{
    if (deadline_ns == UINT64_MAX) {
        control(0);
        return;
    }
    unsigned __int128 ticks = ((unsigned __int128)deadline_ns * ticks_per_ns_q32 >> 32) + 1;
    uint64_t limit = UINT64_MAX / 2, at = boot_count + (ticks > limit ? limit : (uint64_t)ticks);
    if (aarch64_at_el2) AARCH64_WRITE(cnthp_cval_el2, at);
    else AARCH64_WRITE(cntv_cval_el0, at);
    control(CTL_ENABLE);
}

uint64_t arch_wall_time_s(void)
{
    if (rtc) return aarch64_mmio_read32(rtc);
    return wall_at_boot_s ? wall_at_boot_s + arch_time_ns() / 1000000000 : 0;
}
