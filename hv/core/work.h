// SPDX-License-Identifier: Apache-2.0
/* Something to do in a core's loop, posted from anywhere but interrupt context; and calls across cores. */
#pragma once
#include "hv/base/list.h"

/* The poster's; it must live until it has run. */
struct work { struct list link; void (*run)(void *arg); void *arg; uint32_t is_posted; };

void work_init(struct work *w, void (*run)(void *arg), void *arg);
/* Posts to a core; posting what is already queued is one run. */
void work_post(unsigned cpu, struct work *w);
void work_run_all(void);                                     /* by percpu_service */
/* Runs f(arg) on another core's loop and waits for it (serves this core's own work meanwhile). */
void smp_call(unsigned cpu, void (*f)(void *arg), void *arg);
