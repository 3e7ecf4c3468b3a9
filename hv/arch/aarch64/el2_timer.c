// SPDX-License-Identifier: Apache-2.0
/* The virtual timer is the guest's own: it sets it without us. When it is due its interrupt (a PPI) makes the guest leave; the guest
 * is told through its virtual GIC, and the PPI stays off on this core until the timer is not due any more, or it would come again
 * at once. Arm ARM D11.2. */
#include "hv/arch/aarch64/el2.h"
#include "hv/base/bits.h"

enum { CTL_ENABLE = 1, CTL_IMASK = 2 };

static uint32_t intid;
bool el2_timer_is_off[ARCH_MAX_CPUS];

static void quiet(void *arg)
{
    (void)arg;
    el2_timer_is_off[arch_cpu_id()] = true;
    aarch64_irq_disable_private(intid);
}

void el2_timer_init(const struct aarch64_platform *p)
{
    intid = p->timer_virt_intid;
    for (unsigned i = 0; i < ARCH_MAX_CPUS; i++) el2_timer_is_off[i] = true;
    aarch64_irq_connect_private(intid, quiet, NULL);
}

void el2_timer_load(const struct arm64_frame *f)
{
    AARCH64_WRITE(cntvoff_el2, aarch64_timer_count_at(f->time_offset_ns));
    AARCH64_WRITE(cntv_cval_el0, f->cntv_cval);
    AARCH64_WRITE(cntv_ctl_el0, f->cntv_ctl);
    aarch64_isb();
}

void el2_timer_put(struct arm64_frame *f)
{
    f->cntv_ctl = AARCH64_READ(cntv_ctl_el0) & (CTL_ENABLE | CTL_IMASK);
    f->cntv_cval = AARCH64_READ(cntv_cval_el0);
    AARCH64_WRITE(cntv_ctl_el0, 0);
    AARCH64_WRITE(cntvoff_el2, 0);
    aarch64_isb();
}

/* One that becomes due after the look comes as an interrupt. */
void el2_timer_on(unsigned core)
{
    el2_timer_is_off[core] = false;
    aarch64_irq_enable_private(intid);
}
