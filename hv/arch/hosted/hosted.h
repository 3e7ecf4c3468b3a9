// SPDX-License-Identifier: Apache-2.0
/* The third host "CPU": an ordinary Linux process. Cores are threads, RAM is an mmap, interrupts are calls of the upcall
 * from other threads (flags only, as anywhere). boot/hosted sets it up. */
#pragma once
#include "hv/base/types.h"

void hosted_init(unsigned cpu_count);            /* once, on the thread that becomes core 0 */
void *hosted_map(uint64_t size_bytes);           /* zeroed, page-aligned; NULL when the system refuses */
