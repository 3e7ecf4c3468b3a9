// SPDX-License-Identifier: Apache-2.0
/* The third host "CPU": an ordinary Linux process. Cores are threads, RAM is an mmap, interrupts are calls of the upcall
 * from other threads (flags only, as anywhere). boot/hosted sets it up. */
#pragma once
#include "hv/base/types.h"

void hosted_init(unsigned cpu_count);            /* once, on the thread that becomes core 0 */
void *hosted_map(uint64_t size_bytes);           /* zeroed, page-aligned; NULL when the system refuses */

/* From now on hw_support() answers this; NULL: the truth again, which is that there is nothing. What a native guest's machine asks of
 * its host (identification registers, list registers) can be looked at in a process that way. No guest runs by it: hw_vm_create
 * refuses as before. */
struct hw_support;
void hosted_pretend(const struct hw_support *s);
