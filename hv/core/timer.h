// SPDX-License-Identifier: Apache-2.0
/* One-shot timers on the monotonic clock. Callbacks run in some core's loop with no lock held, never in interrupt
 * context; a timer may re-arm itself there. The struct is the caller's and must outlive its arming. */
#pragma once
#include "hv/base/list.h"

struct timer {
    struct list link;               /* the rest is timer.c's while armed */
    uint64_t deadline_ns;
    void   (*fire)(void *arg);
    void    *arg;
    bool     is_armed;
    uint32_t running;               /* atomic: a core is inside fire() */
};

void timer_init(struct timer *t, void (*fire)(void *arg), void *arg);
void timer_arm(struct timer *t, uint64_t deadline_ns);       /* moves it when armed already */
void timer_cancel(struct timer *t);                          /* does not wait for a running callback */
void timer_cancel_sync(struct timer *t);                     /* waits for it; not from the callback itself */
void timer_run_due(void);                                    /* by percpu_service */
