// SPDX-License-Identifier: Apache-2.0
/* The guest's FPU, debug registers and XCR0, on the core for as long as its turn lasts: the hypervisor's own code computes on none
 * of them meanwhile. SDM volume 1, 13; APM 11. */
#include "hv/arch/x86_64/hw.h"
#include "hv/base/bits.h"
#include "hv/base/string.h"

#define HOST_XCR0 7u                        /* what x86_64_features_on may have set */

static bool has_xsave(void)
{
    static int known;                       /* 0: not asked yet; the same on all cores */
    if (!known) known = x86_64_cpuid(1, 0).c >> 27 & 1 ? 2 : 1;
    return known == 2;
}

static void set_xcr0(uint64_t v) { __asm__ volatile("xsetbv" : : "a"((uint32_t)v), "d"((uint32_t)(v >> 32)), "c"(0)); }

static uint64_t host_xcr0(void)
{
    static uint64_t known;
    if (!known) known = x86_64_cpuid_if(0xd, 0).a & HOST_XCR0;
    return known;
}

/* XRSTOR faults on states that this CPU does not have, and on an area that somebody made up: SDM volume 1, 13.8.1. */
static void make_lawful(struct x86_frame *f)
{
    enum { MXCSR = 24, XSTATE_BV = 512, XCOMP_BV = 520, HEADER_BYTES = 64 };
    store_le32(f->fpu + MXCSR, load_le32(f->fpu + MXCSR) & 0xffff);
    store_le64(f->fpu + XSTATE_BV, load_le64(f->fpu + XSTATE_BV) & host_xcr0());
    memset(f->fpu + XCOMP_BV, 0, HEADER_BYTES - 8);
}

/* Not every CPU that intercepts XSETBV does so: QEMU's emulation does not. */
void x86_64_guest_xcr0(struct x86_frame *f)
{
    uint32_t low, high;
    if (!has_xsave()) return;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    f->xcr0 = low | (uint64_t)high << 32;
}

void x86_64_guest_set_xcr0(const struct x86_frame *f)
{
    if (has_xsave()) set_xcr0((f->xcr0 & host_xcr0()) | 1);
}

void x86_64_guest_state_load(struct hw_state *s, struct x86_frame *f)
{
    if (s->is_loaded) return;
    s->is_loaded = true;
    make_lawful(f);
    if (has_xsave()) {
        set_xcr0(host_xcr0());
        __asm__ volatile("xrstor64 %0" : : "m"(f->fpu), "a"((uint32_t)host_xcr0()), "d"(0));
    } else {
        __asm__ volatile("fxrstor64 %0" : : "m"(f->fpu));
    }
    __asm__ volatile("mov %0, %%db0\n\tmov %1, %%db1\n\tmov %2, %%db2\n\tmov %3, %%db3"
                     : : "r"(f->dr[0]), "r"(f->dr[1]), "r"(f->dr[2]), "r"(f->dr[3]));
    x86_64_guest_set_xcr0(f);
}

void x86_64_guest_state_save(struct hw_state *s, struct x86_frame *f)
{
    if (!s->is_loaded) return;
    s->is_loaded = false;
    if (has_xsave()) {
        set_xcr0(host_xcr0());
        __asm__ volatile("xsave64 %0" : "+m"(f->fpu) : "a"((uint32_t)host_xcr0()), "d"(0));
    } else {
        __asm__ volatile("fxsave64 %0" : "=m"(f->fpu));
    }
    __asm__ volatile("mov %%db0, %0\n\tmov %%db1, %1\n\tmov %%db2, %2\n\tmov %%db3, %3"
                     : "=r"(f->dr[0]), "=r"(f->dr[1]), "=r"(f->dr[2]), "=r"(f->dr[3]));
}

uint64_t x86_64_guest_tsc_offset(const struct x86_frame *f) { return 0 - x86_64_ticks_at(f->clock_offset_ns); }
