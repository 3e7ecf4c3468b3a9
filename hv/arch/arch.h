// SPDX-License-Identifier: Apache-2.0
/* The host CPU, as the rest of the house sees it. One body is linked per image: x86_64/, aarch64/ or hosted/.
 * An interrupt handler does one thing: it calls the registered upcall, which sets atomic flags; everything else runs in
 * the core's own loop. So no lock is ever taken in interrupt context, and interrupts stay enabled. */
#pragma once
#include "hv/base/types.h"

#define ARCH_MAX_CPUS 64

/* What may interrupt a core. The number is the host's interrupt number for ARCH_IRQ_DEVICE, else 0. */
enum arch_irq { ARCH_IRQ_TIMER, ARCH_IRQ_KICK, ARCH_IRQ_DEVICE };

/* Called for every interrupt of core `cpu`: on that core in interrupt context, or (hosted) on another thread.
 * It may only set atomic flags. */
typedef void arch_irq_fn(unsigned cpu, enum arch_irq what, uint32_t number);
void arch_irq_handler(arch_irq_fn *handler);

unsigned arch_cpu_count(void);                      /* cores that arch_start_cpus will run, the boot core included */
unsigned arch_cpu_id(void);                         /* 0 is the boot core */
/* Starts every other core at entry(cpu); returns when all have arrived or have been given up (logged). */
void     arch_start_cpus(void (*entry)(unsigned cpu));
void     arch_cpu_relax(void);                      /* inside a spin loop */

uint64_t arch_time_ns(void);                        /* monotonic since boot; the same on all cores within a microsecond */
uint64_t arch_ticks(void);                          /* what it is made from: cheap, for differences on one core; may run ahead of memory accesses */
uint64_t arch_ticks_ns(uint64_t ticks);             /* how long that is */
uint64_t arch_wall_time_s(void);                    /* seconds since 1970 from RTC or host; 0: this machine has no clock */
/* One-shot timer of this core; UINT64_MAX disarms. A deadline in the past fires at once. */
void     arch_timer_set(uint64_t deadline_ns);
/* Interrupts another core (or this one) with ARCH_IRQ_KICK. Any context. */
void     arch_kick(unsigned cpu);
/* Sleeps until an interrupt. Returns at once when one came since `*attention` was last seen zero: the body tests it
 * with interrupts held off, so that a wake-up between test and sleep is not lost. */
void     arch_idle(const uint32_t *attention);

/* A word of this core for the layer above (its struct percpu). */
void     arch_set_percpu(void *p);
void    *arch_percpu(void);

/* The machine's own devices, by the boot core before the others start. Registers: uncached, the pointer is the address;
 * NULL: out of reach. Interrupts go to the boot core: `quiet` runs there in interrupt context, must make the device drop
 * its line and may set flags, then the handler above is called; several devices may share a line. False: not here. */
void    *arch_map_device(uint64_t base, uint64_t size_bytes);
struct arch_line { uint32_t number; bool is_level, is_low; };     /* x86: global system interrupt; AArch64: INTID */
bool     arch_irq_connect(const struct arch_line *line, void (*quiet)(void *arg), void *arg);
/* What a device has to write, and where, to interrupt by message. */
bool     arch_msi_connect(void (*quiet)(void *arg), void *arg, uint64_t *address, uint32_t *data);
/* Orders this core's accesses to memory and to devices, as devices see them. */
void     arch_dma_barrier(void);

/* Code made at run time. A second view of `pages`, to run and not to write; the first stays writable and does not run. Memory of
 * that kind stays it for ever. Both page-aligned, in whole ARCH_CODE_UNITs. One caller at a time; NULL: no memory for tables. */
#define ARCH_CODE_UNIT (2ull << 20)
NODISCARD const void *arch_code_map(void *pages, uint64_t size_bytes);
/* Before code runs that this core has written; `run` is in the second view. */
void     arch_code_written(const void *run, size_t size_bytes);

/* Random 64-bit value from the CPU (RDRAND, RNDR, getrandom). False: it has none. */
bool     arch_random_u64(uint64_t *out);
const char *arch_random_name(void);                 /* of that source; NULL: there is none */

/* Return addresses of the calling stack, innermost first; frame 0 is the caller. For panics. */
unsigned arch_backtrace(uintptr_t *out, unsigned cap);
/* Stops every other core where it stands (best effort), for panics; does not return to guests. */
void     arch_stop_others(void);
NORETURN void arch_halt(void);                      /* this core is done for ever */
NORETURN void arch_power_off(int status);           /* off, or exit(status) when hosted; halts where nothing can */
NORETURN void arch_reboot(void);
const char   *arch_name(void);                      /* "x86_64", "aarch64", "hosted" */
const char   *arch_description(char *out, size_t cap_bytes);  /* one line: CPU, features, "hardware virtualization off: ..." */
