// SPDX-License-Identifier: Apache-2.0
/* Who looks after VMs when nobody does: restarts those that ended, by their policy, and watches those that run. All of it is
 * decided in core 0's loop, with no vCPU in hand. vm.c tells it of lives; nobody else needs it. */
#pragma once
#include "hv/vm/vm.h"

#define KEEPER_LOOK_NS       250000000u     /* between two looks at a VM that is watched */
#define KEEPER_MAX_BACKOFF_S 60u            /* the first restart comes after a second, each further one after twice that */
#define KEEPER_GOOD_NS       60000000000u   /* who ran so long starts again from one second */

void keeper_started(struct vm *vm);         /* it is about to run */
void keeper_resumed(struct vm *vm);
bool keeper_ended(struct vm *vm);           /* by itself; true: it will be restarted. Any core */
bool keeper_forget(struct vm *vm);          /* no restart any more; true: there would have been one */
void keeper_look(void);                     /* at all VMs, now; core 0, or a test */
