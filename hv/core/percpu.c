// SPDX-License-Identifier: Apache-2.0
/* Per-core records and the meeting of interrupts with the core's loop; see percpu.h. */
#include "hv/core/percpu.h"
#include "hv/base/assert.h"
#include "hv/core/device.h"
#include "hv/core/timer.h"
#include "hv/core/work.h"

static struct percpu cpus[ARCH_MAX_CPUS];

/* Interrupt context: flags only. Releases pair with the acquires in percpu_service and in the engines' request tests. */
static void on_interrupt(unsigned cpu, enum arch_irq what, uint32_t number)
{
    (void)number;
    struct percpu *p = &cpus[cpu];
    static const uint32_t bit[] = { [ARCH_IRQ_TIMER] = ATTENTION_TIMER, [ARCH_IRQ_KICK] = ATTENTION_KICK, [ARCH_IRQ_DEVICE] = ATTENTION_DEVICE };
    __atomic_fetch_or(&p->attention, bit[what], __ATOMIC_SEQ_CST);
    uint32_t *request = __atomic_load_n(&p->preempt, __ATOMIC_SEQ_CST);
    if (request) __atomic_fetch_or(request, __atomic_load_n(&p->preempt_bit, __ATOMIC_RELAXED), __ATOMIC_RELEASE);
}

void percpu_init(unsigned cpu)
{
    ASSERT(cpu < ARCH_MAX_CPUS);
    struct percpu *p = &cpus[cpu];
    p->id = cpu;
    list_init(&p->work);
    arch_set_percpu(p);
    arch_irq_handler(on_interrupt);
}

struct percpu *percpu(void)                { return arch_percpu(); }
struct percpu *percpu_of(unsigned cpu)     { return &cpus[cpu]; }

void percpu_preempt(uint32_t *request, uint32_t bit)
{
    struct percpu *p = percpu();
    __atomic_store_n(&p->preempt_bit, bit, __ATOMIC_RELAXED);
    __atomic_store_n(&p->preempt, request, __ATOMIC_SEQ_CST);
    /* An interrupt between the last service and this store has set only `attention`: pass it on. */
    if (request && __atomic_load_n(&p->attention, __ATOMIC_SEQ_CST)) __atomic_fetch_or(request, bit, __ATOMIC_RELEASE);
}

void percpu_service(void)
{
    struct percpu *p = percpu();
    uint32_t what = __atomic_exchange_n(&p->attention, 0, __ATOMIC_SEQ_CST);
    if (what & ATTENTION_TIMER) timer_run_due();
    if (what & ATTENTION_DEVICE) device_serve_all();
    if (what) work_run_all();
}

void percpu_idle(void)
{
    struct percpu *p = percpu();
    p->idle_since_ns = arch_time_ns();
    arch_idle(&p->attention);
    p->idle_ns += arch_time_ns() - p->idle_since_ns;
}
