// SPDX-License-Identifier: Apache-2.0
/* Work queues per core and cross-calls; see work.h. */
#include "hv/core/work.h"
#include "hv/core/percpu.h"

void work_init(struct work *w, void (*run)(void *arg), void *arg)
{
    *w = (struct work){ .run = run, .arg = arg };
    list_init(&w->link);
}

void work_post(unsigned cpu, struct work *w)
{
    if (__atomic_exchange_n(&w->is_posted, 1, __ATOMIC_ACQ_REL)) return;
    struct percpu *p = percpu_of(cpu);
    spin_lock(&p->work_lock);
    list_add_tail(&p->work, &w->link);
    spin_unlock(&p->work_lock);
    arch_kick(cpu);
}

void work_run_all(void)
{
    struct percpu *p = percpu();
    for (;;) {
        spin_lock(&p->work_lock);
        if (list_is_empty(&p->work)) {
            spin_unlock(&p->work_lock);
            return;
        }
        struct work *w = CONTAINER_OF(p->work.next, struct work, link);
        list_remove(&w->link);
        spin_unlock(&p->work_lock);
        __atomic_store_n(&w->is_posted, 0, __ATOMIC_RELEASE);
        w->run(w->arg);
    }
}

struct call { void (*f)(void *arg); void *arg; uint32_t is_done; };

static void run_call(void *arg)
{
    struct call *c = arg;
    c->f(c->arg);
    __atomic_store_n(&c->is_done, 1, __ATOMIC_RELEASE);          /* pairs with the acquire in smp_call */
}

void smp_call(unsigned cpu, void (*f)(void *arg), void *arg)
{
    if (cpu == arch_cpu_id()) {
        f(arg);
        return;
    }
    struct call c = { f, arg, 0 };
    struct work w;
    work_init(&w, run_call, &c);
    work_post(cpu, &w);
    while (!__atomic_load_n(&c.is_done, __ATOMIC_ACQUIRE)) {
        percpu_service();
        arch_cpu_relax();
    }
}
