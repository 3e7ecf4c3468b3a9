// SPDX-License-Identifier: Apache-2.0
/* The AArch64 host's inside: what its files share, and what boot/aarch64 tells it about the machine. It runs at EL2 with
 * E2H clear, or at EL1 when it was started there. Memory is mapped one to one. Normal code runs on SP_EL0 (each core's
 * stack, guard pages below it), exceptions on SP_ELx, so that an overflown stack can still report. */
#pragma once
#include "hv/arch/arch.h"
#include "hv/arch/aarch64/stack.h"

struct aarch64_start;

/* How PSCI is called (PSCI 1.1, 5.2). */
enum aarch64_conduit { AARCH64_PSCI_NONE, AARCH64_PSCI_SMC, AARCH64_PSCI_HVC };

#define AARCH64_MAX_REDISTRIBUTORS 8

/* Interrupt controllers that we drive. All number as GICs do: below 16 what cores send each other, below 32 a core's own,
 * from 32 on devices'. */
enum aarch64_irq_kind { AARCH64_IRQ_NONE, AARCH64_IRQ_GICV2, AARCH64_IRQ_GICV3, AARCH64_IRQ_BCM2836 };

/* Filled by boot from the board's descriptor or the device tree; addresses are physical, 0: there is none. */
struct aarch64_platform {
    const char *board;                                    /* for people */
    unsigned cpu_count;                                   /* [0] is the core that booted */
    bool     is_cpu_count_most;                           /* some may not be there: firmware is asked */
    uint64_t cpu_mpidr[ARCH_MAX_CPUS];                    /* affinity fields only */
    uint64_t cpu_release[ARCH_MAX_CPUS];                  /* the word on which a core waits for an address; 0: PSCI starts it */
    enum aarch64_conduit psci;
    enum aarch64_irq_kind irq_kind;
    uint64_t bcm2836_local, bcm2835_armctrl;              /* AARCH64_IRQ_BCM2836: each core's own, the devices' */
    uint64_t bcm2835_pm, bcm2835_rng;
    uint64_t gicd, gicd_size, gicc, gicc_size;
    uint64_t gich, gicv;                                  /* GICv2's virtual side: our registers, and the guest's CPU interface (8 KiB) */
    uint32_t maintenance_intid;                           /* of the virtual CPU interface; 0: none */
    struct { uint64_t base, size_bytes; } gicr[AARCH64_MAX_REDISTRIBUTORS];
    unsigned gicr_count;
    uint64_t gicr_stride;                                 /* 0: as GICR_TYPER says */
    uint32_t timer_hyp_intid, timer_virt_intid;           /* 0: none */
    uint32_t timer_hz;                                    /* 0: as CNTFRQ says */
    uint64_t rtc;                                         /* a register that counts seconds since 1970 */
    uint64_t wall_at_boot_s;                              /* without one: what firmware's clock said; 0: it has none either */
};

extern bool aarch64_at_el2;                               /* set by entry, constant afterwards */
extern bool aarch64_from_el3;                             /* there is no firmware below us */

/* paging.c. map is for the boot core before interrupts come on; a range that is mapped already keeps its first meaning. */
enum aarch64_memory { AARCH64_RAM, AARCH64_CODE, AARCH64_RODATA, AARCH64_DEVICE, AARCH64_SCREEN };
void aarch64_map(uint64_t base, uint64_t size_bytes, enum aarch64_memory kind);
void aarch64_map_image(void);                             /* sections W^X, stacks with guard pages */
void aarch64_paging_on(void);

/* cpu.c. After paging: interrupt controller, timer, interrupts on. */
void aarch64_init(const struct aarch64_platform *platform);

/* interrupt.c. `quiet` runs in interrupt context before the upcall and must make the device drop its line. False: no such
 * interrupt. */
bool aarch64_irq_connect(uint32_t intid, void (*quiet)(void *arg), void *arg);
void aarch64_irq_init(const struct aarch64_platform *platform);
const char *aarch64_irq_name(void);
void aarch64_irq_init_cpu(unsigned cpu);
void aarch64_irq_enable_private(uint32_t intid);          /* on this core */
void aarch64_irq_disable_private(uint32_t intid);
/* Of every core, INTIDs 16 to 31; before cores start. `quiet` runs in interrupt context, and nobody else is called. It is enabled
 * on each core when that sets itself up. False: no such interrupt, or no place. */
bool aarch64_irq_connect_private(uint32_t intid, void (*quiet)(void *arg), void *arg);
void aarch64_irq_send(unsigned cpu, uint32_t sgi);
void aarch64_interrupt(void);                             /* by vectors.S */

/* gic.c */
void aarch64_gic_open(const struct aarch64_platform *platform);    /* from EL3 only, before paging: hands it to EL2 */

/* spin_table.c. Before paging, with caches off: cores that wait on a word of firmware's come to wait for us instead. */
void aarch64_pens_open(const struct aarch64_platform *platform);
void aarch64_pen_release(struct aarch64_start *s, uint64_t mpidr);

/* What cores send each other. */
enum { AARCH64_SGI_KICK, AARCH64_SGI_STOP };

/* timer.c */
void     aarch64_timer_init(const struct aarch64_platform *platform);
void     aarch64_timer_init_cpu(void);
uint32_t aarch64_timer_intid(void);
void     aarch64_timer_quiet(void);
uint32_t aarch64_timer_hz(void);
uint64_t aarch64_timer_count_at(uint64_t time_ns);        /* the counter's value then */

/* el2.c: whether guests of our own kind can run; before cores start, after interrupts and timer. */
void aarch64_guests_init(const struct aarch64_platform *platform);

/* cpu.c */
void aarch64_upcall(enum arch_irq what, uint32_t number); /* interrupt context */
typedef void aarch64_report_fn(const char *line);
void aarch64_report_to(aarch64_report_fn *f);             /* cores that did not start; this room has no log */
NORETURN void aarch64_secondary_main(unsigned cpu);       /* by start.S */

/* psci.c */
void    aarch64_psci_init(enum aarch64_conduit conduit);
bool    aarch64_psci_has_cpu(uint64_t mpidr);
int64_t aarch64_psci_cpu_on(uint64_t mpidr, uint64_t entry, uint64_t context);

#define AARCH64_RELEASED (1ull << 63)

/* start.S. What a starting core reads before its MMU is on; the offsets are start.S's. */
struct aarch64_start {
    uint64_t mair, tcr, ttbr, sctlr;
    uint64_t stack_top, exception_stack_top, cpu;
    uint64_t released;                                    /* AARCH64_RELEASED | MPIDR: that core leaves its pen with this */
};
_Static_assert(sizeof(struct aarch64_start) == 64, "start.S knows the offsets");
extern struct aarch64_start aarch64_starts[ARCH_MAX_CPUS];
void aarch64_paging_registers(struct aarch64_start *s);
void aarch64_stacks(unsigned cpu, struct aarch64_start *s);
void aarch64_mmu_on(const struct aarch64_start *s);
void aarch64_secondary_entry(void);
void aarch64_pen(void);                                   /* where cores of a spin table wait for aarch64_pen_release */
void aarch64_clean_to_memory(const void *from, size_t size_bytes);    /* for who reads it with caches off */
void aarch64_el3_call(const void *arg, void (*function)(const void *arg));

/* One core's own record, in TPIDR_EL2 or TPIDR_EL1. */
struct aarch64_cpu { void *percpu; unsigned id; };
extern struct aarch64_cpu aarch64_cpus[ARCH_MAX_CPUS];

_Static_assert(AARCH64_MAX_CPUS == ARCH_MAX_CPUS, "start.S lays out the stacks");
_Static_assert(AARCH64_STACK_TOP + AARCH64_GUARD_BYTES + AARCH64_EXCEPTION_BYTES == AARCH64_STACK_SLOT_BYTES, "stack.h adds up");

#define AARCH64_READ(reg)         ({ uint64_t v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_)); v_; })
#define AARCH64_WRITE(reg, value) __asm__ volatile("msr " #reg ", %0" : : "r"((uint64_t)(value)) : "memory")
#define AARCH64_READ_EL(reg)      (aarch64_at_el2 ? AARCH64_READ(reg##_el2) : AARCH64_READ(reg##_el1))
#define AARCH64_WRITE_EL(reg, value) \
    do { if (aarch64_at_el2) AARCH64_WRITE(reg##_el2, value); else AARCH64_WRITE(reg##_el1, value); } while (0)

/* Barriers. */
static inline void aarch64_isb(void) { __asm__ volatile("isb" : : : "memory"); }
static inline void aarch64_dsb(void) { __asm__ volatile("dsb sy" : : : "memory"); }

/* Device registers: one access of exactly this width. */
static inline uint32_t aarch64_mmio_read32(uint64_t at)              { return *(volatile uint32_t *)at; }
static inline uint64_t aarch64_mmio_read64(uint64_t at)              { return *(volatile uint64_t *)at; }
static inline void     aarch64_mmio_write32(uint64_t at, uint32_t v) { *(volatile uint32_t *)at = v; }
static inline void     aarch64_mmio_write64(uint64_t at, uint64_t v) { *(volatile uint64_t *)at = v; }
