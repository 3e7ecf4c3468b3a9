// SPDX-License-Identifier: Apache-2.0
/* Guests that mean ill: one image, the program is chosen by `hostile=NAME[:SEED]` in the boot arguments. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAM       0x80000000ull
#define RAM_BYTES 0x01000000ull             /* every program gets 16 MiB */
#define TEST      0x00100000ull
#define CLINT     0x02000000ull
#define PLIC      0x0c000000ull
#define UART      0x10000000ull
#define VIRTIO    0x10001000ull

extern uint64_t is_machine;
extern uint64_t seed;
extern char skip_m[], again[], ping[], elsewhere[], hopeless[];

typedef void program(uint64_t hart);
program illegal_storm, trap_loop, hopeless_handler, spin, sleep_for_ever, ipi_storm, timer_past, all_csrs, locked_pmp, sbi_garbage, random_code,
        rewritten_code, rewritten_unfenced;
program page_tables, pmp_games, wiped, jumps_to_devices;
program mmio_storm, ring_garbage, rings_for_ever, uart_flood, uart_lines, finisher_words, reset_storm;

program torture;

uint64_t random_u64(void);
void reseed(uint64_t s);
void finish(uint32_t word);                 /* writes the finisher, and waits */
void print(const char *text);
void below(uint64_t at);                    /* runs it in S-mode; start.S */

#define csr_write(name, value) __asm__ volatile("csrw " name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_set(name, value)   __asm__ volatile("csrs " name ", %0" ::"r"((uint64_t)(value)) : "memory")
#define csr_read(name)         ({ uint64_t v_; __asm__ volatile("csrr %0, " name : "=r"(v_)); v_; })

/* Accesses that may trap: the handler skips them. */
static inline uint64_t load(uint64_t at, unsigned log2_size)
{
    uint64_t v = 0;
    switch (log2_size) {
    case 0:  __asm__ volatile("lbu %0, (%1)" : "+r"(v) : "r"(at) : "t5", "t6", "memory"); break;
    case 1:  __asm__ volatile("lhu %0, (%1)" : "+r"(v) : "r"(at) : "t5", "t6", "memory"); break;
    case 2:  __asm__ volatile("lwu %0, (%1)" : "+r"(v) : "r"(at) : "t5", "t6", "memory"); break;
    default: __asm__ volatile("ld %0, (%1)" : "+r"(v) : "r"(at) : "t5", "t6", "memory"); break;
    }
    return v;
}
static inline void store(uint64_t at, unsigned log2_size, uint64_t v)
{
    switch (log2_size) {
    case 0:  __asm__ volatile("sb %0, (%1)" ::"r"(v), "r"(at) : "t5", "t6", "memory"); break;
    case 1:  __asm__ volatile("sh %0, (%1)" ::"r"(v), "r"(at) : "t5", "t6", "memory"); break;
    case 2:  __asm__ volatile("sw %0, (%1)" ::"r"(v), "r"(at) : "t5", "t6", "memory"); break;
    default: __asm__ volatile("sd %0, (%1)" ::"r"(v), "r"(at) : "t5", "t6", "memory"); break;
    }
}
static inline void call(uint64_t at)
{
    __asm__ volatile("jalr ra, 0(%0)" ::"r"(at) : "ra", "t0", "t1", "t2", "t3", "t4", "t5", "t6", "a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7", "memory");
}
