// SPDX-License-Identifier: Apache-2.0
/* The x86_64 demo kernel: one self-test on the machine around it, ending in DEMO-OK or DEMO-FAIL and power-off. */
#pragma once
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

static inline void out8(u16 port, u8 v)   { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void out32(u16 port, u32 v) { __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port)); }
static inline u8   in8(u16 port)          { u8 v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u32  in32(u16 port)         { u32 v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline u64  read_msr(u32 n)        { u32 a, d; __asm__ volatile("rdmsr" : "=a"(a), "=d"(d) : "c"(n)); return a | (u64)d << 32; }
static inline void write_msr(u32 n, u64 v) { __asm__ volatile("wrmsr" : : "c"(n), "a"((u32)v), "d"((u32)(v >> 32)) : "memory"); }
static inline u64  tsc(void)              { u32 a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return a | (u64)d << 32; }
static inline void cpuid(u32 leaf, u32 sub, u32 r[4]) { __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub)); }
static inline volatile u32 *at32(u64 a)   { return (volatile u32 *)a; }

struct frame { u64 r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax, vector, error, rip, cs, rflags, rsp, ss; };
extern u64 start_info;                      /* ebx and eax at the entry */
extern u32 start_magic;
extern volatile u32 cpus_started;
extern volatile u64 ticks[256];
extern void (*served)(void);                /* what an interrupt's handler does before its end */
extern int is_x2apic;                       /* interrupts end by MSR */
extern u64 recover;                         /* where an exception goes on, once; 0: it is fatal */

void print(const char *text);
void print_number(u64 v, unsigned base);
void traps_init(void);
void power_off(void);
unsigned selftest(void);
