// SPDX-License-Identifier: Apache-2.0
/* Bare programs for an arm64 guest: what a kernel must not do, and round trips to count. One image, the program is named by
 * `run=NAME` on the command line. No MMU unless a program switches it on. QEMU can start it alone, too. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define READ(reg)        ({ uint64_t v_; __asm__ volatile("mrs %0, " #reg : "=r"(v_) : : "memory"); v_; })
#define WRITE(reg, v)    __asm__ volatile("msr " #reg ", %0\n\tisb" : : "r"((uint64_t)(v)) : "memory")

enum { UART = 0x09000000, GICD = 0x08000000, GICC = 0x08010000, GICR = 0x080a0000, VIRTIO = 0x0a000000, RAM = 0x40000000 };

/* start.S */
extern char vectors[], image_end[], secondary_entry[];
uint64_t smc_call(uint64_t function, uint64_t a, uint64_t b, uint64_t c, bool by_smc);
void wait_for_interrupt(void);

/* main.c */
void print(const char *text);
void print_decimal(uint64_t value);
void print_number(const char *what, uint64_t value);
uint64_t random_number(void);
void power_off(void) __attribute__((noreturn));
unsigned gic_version(void);
void gic_on(void);                           /* this vCPU's interface and the distributor, all priorities */
void gic_enable(unsigned intid);
void gic_set_priority(unsigned intid, uint8_t priority);
void send_sgi_to_self(unsigned sgi);
void interrupts_on(void);
void interrupts_off(void);

/* Synchronous exceptions: counted; the instruction is skipped. Interrupts: acknowledged, counted, `on_interrupt` called, ended. */
extern volatile uint64_t faults, interrupts, last_intid;
extern void (*volatile on_interrupt)(unsigned intid);
void fail(const char *what) __attribute__((noreturn));

struct program { const char *name; void (*run)(void); };
extern const struct program hostile_programs[], good_programs[], bench_programs[];

static inline uint32_t get32(uint64_t at)             { return *(volatile uint32_t *)at; }
static inline void     put32(uint64_t at, uint32_t v) { *(volatile uint32_t *)at = v; }
