// SPDX-License-Identifier: Apache-2.0
/* Cores that firmware leaves waiting on a word of memory for an address to go to (the Devicetree Specification's spin-table).
 * They come to a pen of ours as soon as we run: firmware's memory is ours afterwards, and nobody has to write to it, which
 * may be the page at 0. In the pen a core looks for its own number in aarch64_starts[]. Boot core only. */
#include "hv/arch/aarch64/aarch64.h"

void aarch64_pens_open(const struct aarch64_platform *p)
{
    for (unsigned cpu = 1; cpu < p->cpu_count; cpu++) {
        if (p->cpu_release[cpu]) aarch64_mmio_write64(p->cpu_release[cpu], (uint64_t)aarch64_pen);
    }
    aarch64_dsb();
    __asm__ volatile("sev" : : : "memory");
}

void aarch64_pen_release(struct aarch64_start *s, uint64_t mpidr)
{
    aarch64_clean_to_memory(s, sizeof *s);                /* first all the rest of it */
    *(volatile uint64_t *)&s->released = AARCH64_RELEASED | mpidr;
    aarch64_clean_to_memory(s, sizeof *s);
    __asm__ volatile("sev" : : : "memory");
}
