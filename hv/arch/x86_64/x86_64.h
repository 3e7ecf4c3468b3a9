// SPDX-License-Identifier: Apache-2.0
/* The x86-64 host's inside: what its files share, and what boot/x86_64 tells it about the machine. Ring 0 only, memory
 * mapped one to one. Every core has a slot of stacks with guard pages between them: its own, and one each for double
 * faults, NMIs and machine checks, so that an overflown stack can still report.
 * "SDM" in comments is Intel's manual (volume 3 unless said), "ACPI" the ACPI specification 6.4. */
#pragma once
#include "hv/arch/arch.h"

#define X86_64_MAX_IOAPICS 8

/* ACPI 5.2.3.2: where a register is. address 0: there is none. */
struct x86_64_register { bool is_io; uint8_t width_bits; uint64_t address; };

/* Filled by boot from ACPI or the MP table; addresses are physical. All zero: one core, the usual chips of a PC. */
struct x86_64_platform {
    unsigned cpu_count;
    uint32_t cpu_apic_id[ARCH_MAX_CPUS];
    struct { uint64_t base; uint32_t first_gsi; } ioapic[X86_64_MAX_IOAPICS];
    unsigned ioapic_count;
    struct { uint32_t gsi; bool is_level, is_low; } isa_irq[16];
    uint32_t pm_timer_port;                              /* 0: none */
    bool     pm_timer_is_32_bit;
    uint64_t hpet;                                       /* 0: none */
    bool     has_s5;
    uint8_t  s5_a, s5_b;                                 /* SLP_TYPa, SLP_TYPb of \_S5 */
    struct x86_64_register pm1a_control, pm1b_control, sleep_control, reset;
    uint8_t  reset_value;
    uint32_t smi_command_port;
    uint8_t  acpi_enable;
    bool     has_no_cmos_clock, has_no_keyboard;         /* has_no_keyboard: no 8042 */
    uint8_t  century_index;                              /* 0: the clock has none */
    uint16_t debug_exit_port;                            /* QEMU's isa-debug-exit; 0: do not use */
    uint64_t trampoline;                                 /* a page below 1 MiB for starting cores; 0: none */
    uint64_t stacks;                                     /* cpu_count - 1 slots for the other cores, mapped by map_stacks */
};

/* paging.c. For the boot core before the other cores run; what is mapped already keeps its first meaning. */
enum x86_64_memory { X86_64_RAM, X86_64_CODE, X86_64_RODATA, X86_64_DEVICE, X86_64_SCREEN };       /* a screen is write-combining */
void x86_64_table_source(void *(*take_page)(void));      /* one page below 4 GiB, any content, never given back */
void x86_64_map(uint64_t base, uint64_t size_bytes, enum x86_64_memory kind);
void x86_64_map_image(void);                             /* sections W^X, the boot core's stacks with guard pages */
void x86_64_map_stacks(uint64_t base, unsigned slot_count);
void x86_64_paging_on(void);
uint64_t x86_64_root_table(void);

/* cpu.c. early: the first thing of all: descriptors, so that exceptions are reported. init: after paging; interrupt
 * controllers, timer, interrupts on. */
void x86_64_early(void);
void x86_64_place_trampoline(uint64_t page);             /* before x86_64_paging_on: later the page is read-only */
void x86_64_init(const struct x86_64_platform *platform);
typedef void x86_64_report_fn(const char *line);
void x86_64_report_to(x86_64_report_fn *f);              /* this room has no log */
void x86_64_report(const char *format, ...) PRINTF(1, 2);
extern struct x86_64_platform x86_64_platform;
void x86_64_upcall(enum arch_irq what, uint32_t number); /* interrupt context */
extern uint32_t x86_64_is_stopping;                      /* atomic: an NMI now means halt */

/* One core's own record, found through the GS base. vectors.S and trampoline.S know no offsets, inline code below does. */
struct x86_64_cpu {
    struct x86_64_cpu *self;                             /* offset 0 */
    void    *percpu;                                     /* offset 8 */
    uint32_t id;                                         /* offset 16 */
    uint32_t apic_id;
    int64_t  skew_ticks;                                 /* this core's TSC minus the boot core's */
    uint64_t deadline_ns;                                /* of the armed timer; UINT64_MAX: none */
    uint32_t fatal_depth;
    bool     is_running;                                 /* atomic */
    uint64_t gdt[5];
    uint32_t tss[26];                                    /* SDM 8.7: 64-bit TSS */
};
_Static_assert(offsetof(struct x86_64_cpu, percpu) == 8 && offsetof(struct x86_64_cpu, id) == 16, "used through GS");
extern struct x86_64_cpu x86_64_cpus[ARCH_MAX_CPUS];

/* This core's record, by GS. */
static inline struct x86_64_cpu *x86_64_self(void)
{
    struct x86_64_cpu *c;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(c));
    return c;
}

/* descriptors.c: GDT, TSS, IDT and GS base of the calling core. */
void x86_64_load_descriptors(unsigned cpu);
void x86_64_features_on(void);                           /* cpu.c: CR0, CR4, XCR0, EFER of the calling core */

/* apic.c */
enum { X86_64_VECTOR_LEGACY = 0x20, X86_64_VECTOR_DEVICE = 0x30, X86_64_VECTOR_TIMER = 0xf0, X86_64_VECTOR_KICK = 0xf1,
       X86_64_VECTOR_APIC_ERROR = 0xfe, X86_64_VECTOR_SPURIOUS = 0xff };
void     x86_64_apic_init(void);                         /* boot core, before paging says where the APICs are not */
void     x86_64_apic_init_cpu(void);
uint32_t x86_64_apic_own_id(void);
bool     x86_64_apic_is_x2(void);
void     x86_64_apic_eoi(void);
void     x86_64_apic_send_vector(uint32_t apic_id, unsigned vector);
void     x86_64_apic_send_nmi(uint32_t apic_id);
void     x86_64_apic_send_init(uint32_t apic_id);
void     x86_64_apic_send_sipi(uint32_t apic_id, uint64_t page);
/* Routes an ISA interrupt to the boot core; `quiet` runs in interrupt context before the upcall. False: no I/O APIC. */
bool     x86_64_irq_connect(unsigned isa_irq, void (*quiet)(void *arg), void *arg);
void     x86_64_device_interrupt(unsigned vector);

/* The local APIC's timer, in ticks of its own. */
void     x86_64_apic_timer_mode(bool tsc_deadline);
void     x86_64_apic_timer_start(uint32_t ticks);        /* 0 stops it */
uint32_t x86_64_apic_timer_left(void);

/* time.c */
void     x86_64_time_init(void);
void     x86_64_timer_init_cpu(void);
void     x86_64_timer_interrupt(void);
void     x86_64_delay_us(uint64_t us);
uint64_t x86_64_tsc_hz(void);
uint64_t x86_64_ticks_at(uint64_t ns);                   /* this core's TSC when arch_time_ns is that */
const char *x86_64_tsc_source(void);                     /* what the TSC was measured against */
bool     x86_64_timer_is_tsc_deadline(void);

/* power.c */
void     x86_64_power_init(void);

/* clock.c */
void     x86_64_clock_init(void);                        /* reads the CMOS clock, once */

/* exception.c; vectors.S builds the frame. */
struct x86_64_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};
void x86_64_interrupt(struct x86_64_frame *f);           /* by vectors.S: every vector */
NORETURN void x86_64_fatal(const struct x86_64_frame *f);

#define X86_64_SLOT_BYTES       0x18000u                 /* offsets within a slot: */
#define X86_64_STACK_FROM       0x01000u
#define X86_64_STACK_TO         0x0e000u
#define X86_64_DOUBLE_FAULT_TO  0x11000u                 /* 8 KiB each */
#define X86_64_NMI_TO           0x14000u
#define X86_64_MCHECK_TO        0x17000u
extern uint8_t x86_64_boot_slot[];                       /* the boot core's, in the image */
uint64_t x86_64_slot(unsigned cpu);

/* The CPU's instructions. */
static inline uint64_t x86_64_rdmsr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (uint64_t)high << 32;
}
static inline void x86_64_wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline uint64_t x86_64_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    return low | (uint64_t)high << 32;
}
struct x86_64_cpuid { uint32_t a, b, c, d; };
static inline struct x86_64_cpuid x86_64_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct x86_64_cpuid r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(subleaf));
    return r;
}
/* All zero when the CPU does not have the leaf. */
static inline struct x86_64_cpuid x86_64_cpuid_if(uint32_t leaf, uint32_t subleaf)
{
    struct x86_64_cpuid max = x86_64_cpuid(leaf & 0x80000000u, 0);
    return max.a >= leaf ? x86_64_cpuid(leaf, subleaf) : (struct x86_64_cpuid){ 0 };
}
static inline void x86_64_out8(uint16_t port, uint8_t v)   { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static inline void x86_64_out16(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static inline void x86_64_out32(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory"); }
static inline uint8_t x86_64_in8(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint16_t x86_64_in16(uint16_t port)
{
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
static inline uint32_t x86_64_in32(uint16_t port)
{
    uint32_t v;
    __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
    return v;
}
#define X86_64_READ_CR(n)     ({ uint64_t v_; __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); v_; })
#define X86_64_WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n : : "r"((uint64_t)(v)) : "memory")

/* Interrupts off; the result tells x86_64_irq_restore what they were. */
static inline uint64_t x86_64_irq_save(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq\n\tpop %0\n\tcli" : "=r"(flags) : : "memory");
    return flags;
}
static inline void x86_64_irq_restore(uint64_t flags)
{
    if (flags & 0x200) __asm__ volatile("sti" : : : "memory");
}
