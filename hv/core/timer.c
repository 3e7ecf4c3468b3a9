// SPDX-License-Identifier: Apache-2.0
/* One list for all cores, sorted by deadline; whoever arms the earliest programs its own core's timer. A core whose
 * timer fires runs everything that is due, so a timer armed on a sleeping core is never late. See timer.h. */
#include "hv/core/timer.h"
#include "hv/arch/spin.h"
#include "hv/core/percpu.h"

static struct list armed = { &armed, &armed };
static struct spinlock lock;

static struct timer *timer_of(struct list *l) { return CONTAINER_OF(l, struct timer, link); }

void timer_init(struct timer *t, void (*fire)(void *arg), void *arg)
{
    *t = (struct timer){ .fire = fire, .arg = arg };
    list_init(&t->link);
}

static void unlink(struct timer *t)
{
    if (t->is_armed) list_remove(&t->link);
    t->is_armed = false;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
    spin_lock(&lock);
    unlink(t);
    if (deadline_ns != UINT64_MAX) {
        struct list *after = armed.prev;
        while (after != &armed && timer_of(after)->deadline_ns > deadline_ns) after = after->prev;
        t->deadline_ns = deadline_ns;
        list_add_tail(after->next, &t->link);
        t->is_armed = true;
        if (armed.next == &t->link) arch_timer_set(deadline_ns);
    }
    spin_unlock(&lock);
}

void timer_cancel(struct timer *t)
{
    spin_lock(&lock);
    unlink(t);
    spin_unlock(&lock);
}

void timer_cancel_sync(struct timer *t)
{
    for (;;) {                                                   /* a callback that runs now may arm it again */
        timer_cancel(t);
        spin_lock(&lock);
        bool is_quiet = !t->is_armed && !__atomic_load_n(&t->running, __ATOMIC_ACQUIRE);   /* pairs with the release in timer_run_due */
        spin_unlock(&lock);
        if (is_quiet) return;
        arch_cpu_relax();
    }
}

void timer_run_due(void)
{
    spin_lock(&lock);
    while (!list_is_empty(&armed)) {
        struct timer *t = timer_of(armed.next);
        if (t->deadline_ns > arch_time_ns()) {
            arch_timer_set(t->deadline_ns);
            break;
        }
        unlink(t);
        __atomic_fetch_add(&t->running, 1, __ATOMIC_ACQUIRE);
        spin_unlock(&lock);
        t->fire(t->arg);
        __atomic_fetch_sub(&t->running, 1, __ATOMIC_RELEASE);
        spin_lock(&lock);
    }
    spin_unlock(&lock);
}
