// SPDX-License-Identifier: Apache-2.0
/* Drivers of the machine's own devices, in two halves: the interrupt sets a flag, and the half that works is called here,
 * in the loop of the core that was interrupted. No lock is held; it may be called without cause. */
#pragma once
#include "hv/base/list.h"

/* The driver's. */
struct device_service { struct list link; void (*serve)(void *arg); void *arg; };

void device_service_add(struct device_service *s);           /* by the boot core before the others start */
void device_service_remove(struct device_service *s);        /* then as well: nobody may serve meanwhile */
void device_serve_all(void);                                 /* by percpu_service */
