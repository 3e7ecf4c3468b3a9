// SPDX-License-Identifier: Apache-2.0
/* The local APICs of a guest's CPUs, as xAPIC and x2APIC, with timers (also TSC-deadline). One object holds them all, since they send to
 * each other. Each has its own lock, which ranks after the I/O APIC's. Intel SDM volume 3, chapter 11.
 * The region it makes is for the bus's life cycle only: which CPU accesses is not in a bus access, so the vCPU's own code calls
 * lapic_read and lapic_write. */
#pragma once
#include "hv/base/irq_line.h"
#include "hv/mmu/mmio.h"

#define LAPIC_BASE     0xfee00000u
#define LAPIC_BYTES    0x1000u
#define LAPIC_MAX_CPUS 64u
#define LAPIC_VERSION  0x50014u            /* version 14H, six LVT entries */

/* What is sent, as in the command register (SDM 11.6.1): kinds by their numbers. */
enum lapic_delivery { LAPIC_FIXED, LAPIC_LOWEST, LAPIC_SMI, LAPIC_REMOTE_READ, LAPIC_NMI, LAPIC_INIT, LAPIC_START_UP, LAPIC_EXTERNAL };
struct lapic_message { uint32_t destination; bool is_logical; enum lapic_delivery delivery; uint8_t vector; bool is_level; };

struct lapic_config {
    unsigned count;                        /* APIC IDs are 0, 1, ... */
    void    *ctx;
    uint64_t (*now_ns)(void *ctx);         /* the guest's clock */
    uint64_t (*deadline_ns)(void *ctx, uint64_t ns);    /* host time of that; UINT64_MAX: never */
    uint64_t timer_hz, tsc_hz;             /* of the counting timer before its divider; of the clock that a TSC deadline is in */
    const struct irq_line *news, *nmi;     /* raised, never lowered: something changed for this CPU; an NMI. One each a CPU; copied */
    /* INIT or a start-up IPI (page: where in real mode) reached a CPU. Any thread, no lock held. */
    void   (*start)(void *ctx, unsigned cpu, bool is_init, unsigned page);
    void   (*end_of_interrupt)(void *ctx, uint8_t vector);       /* a level-triggered one's, broadcast to I/O APICs */
};
NODISCARD struct vm_error lapic_create(const struct lapic_config *c, struct mmio_region *out);

/* By the vCPU itself, which looks for its next vector after what it writes: only what is sent to it is news. */
uint32_t lapic_read(void *lapics, unsigned cpu, unsigned offset);                       /* xAPIC registers; unknown ones read 0 */
void     lapic_write(void *lapics, unsigned cpu, unsigned offset, uint32_t value);
bool     lapic_read_msr(void *lapics, unsigned cpu, uint32_t msr, uint64_t *out);       /* 800H..8FFH, 6E0H. False: #GP */
bool     lapic_write_msr(void *lapics, unsigned cpu, uint32_t msr, uint64_t value);
void     lapic_set_base(void *lapics, unsigned cpu, bool is_on, bool is_x2);            /* as IA32_APIC_BASE says */
/* The vector to deliver now, or -1. *blocked (may be NULL): there is one, but the TPR holds it back. */
int32_t  lapic_next(void *lapics, unsigned cpu, bool *blocked);
void     lapic_accept(void *lapics, unsigned cpu, uint8_t vector);                      /* it is being delivered */
/* For a CPU that plays the x2APIC itself: takes all that is requested and in service out of the model, or puts it back with what the CPU has
 * made of it. `ends`: vectors whose end has to be told by lapic_ended. False: there was nothing. Requests that come meanwhile are kept, and
 * after an INIT nothing is put back. */
struct lapic_vectors { uint32_t irr[8], isr[8], ends[8]; uint64_t inits; };
bool     lapic_lend(void *lapics, unsigned cpu, struct lapic_vectors *out);
void     lapic_return(void *lapics, unsigned cpu, const struct lapic_vectors *v);
void     lapic_ended(void *lapics, uint8_t vector);
uint8_t  lapic_cr8(void *lapics, unsigned cpu);
void     lapic_set_cr8(void *lapics, unsigned cpu, uint8_t value);
bool     lapic_takes_external(void *lapics, unsigned cpu);                              /* the 8259's interrupts go through to it */

/* Any thread. */
void     lapic_send(void *lapics, const struct lapic_message *m);
void     lapic_init_cpu(void *lapics, unsigned cpu);                                    /* INIT: all but the ID anew */
